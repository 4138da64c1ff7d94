/* SPDX-License-Identifier: MIT */
/* Who is told what happens in the table: the standby's sync, the journal. */
#include "nat64.h"

#include "nat64_internal.h"

bool nat64_watch(struct nat64 *n, nat64_watch_fn *fn, void *arg)
{
	if (n->n_watchers == NAT64_WATCHERS)
		return false;
	n->watchers[n->n_watchers].fn = fn;
	n->watchers[n->n_watchers++].arg = arg;
	return true;
}

void nat64_unwatch(struct nat64 *n, nat64_watch_fn *fn, void *arg)
{
	for (unsigned int i = 0; i < n->n_watchers; i++)
		if (n->watchers[i].fn == fn && n->watchers[i].arg == arg) {
			n->watchers[i] = n->watchers[--n->n_watchers];
			return;
		}
}

static void tell(const struct nat64 *n, enum nat64_event ev,
		 const struct nat64_session_info *info)
{
	for (unsigned int i = 0; i < n->n_watchers; i++)
		n->watchers[i].fn(n->watchers[i].arg, ev, info);
}

void watch_session(const struct nat64 *n, enum nat64_event ev, uint32_t s,
		   struct mono now)
{
	struct nat64_session_info info;

	if (!n->n_watchers)
		return;
	session_describe(n, &n->sessions[s], now, &info);
	if (ev == NAT64_SESSION_END)
		info.left_ns = 0;
	tell(n, ev, &info);
}

void watch_bib(const struct nat64 *n, enum nat64_event ev, uint32_t b)
{
	const struct bib *x = &n->bibs[b];
	struct nat64_session_info info = {.flow = {.proto = x->proto,
						   .src6 = x->src6,
						   .src6_port = x->src6_port,
						   .src4 = x->src4,
						   .src4_port = x->src4_port}};

	if (n->n_watchers)
		tell(n, ev, &info);
}

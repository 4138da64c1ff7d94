/* SPDX-License-Identifier: MIT */
/* Statistics, listings, and the checker of the tables' invariants. */
#include "nat64.h"

#include <arpa/inet.h>

#include "nat64_internal.h"

const char *nat64_state_name(enum nat64_state s)
{
	static const char *const names[NAT64_N_STATES] = {
		"",	      "v4-init",    "v6-init",	"established",
		"v4-fin-rcv", "v6-fin-rcv", "both-fin", "trans",
	};

	return names[s];
}

const char *nat64_proto_name(enum nat64_proto p)
{
	static const char *const names[NAT64_N_PROTOS] = {"tcp", "udp", "icmp"};

	return names[p];
}

void nat64_get_stats(const struct nat64 *n, struct nat64_stats *out)
{
	*out = n->stats;
	for (unsigned int k = 0; k < NAT64_N_PROTOS; k++) {
		out->proto[k].ports_free = n->pool.n_free[k];
		out->proto[k].ports_held = n->pool.n_held[k];
		out->proto[k].ports_all = n->pool.n_all[k];
	}
}

static void source_of(const struct bib *b, struct nat64_flow *f)
{
	*f = (struct nat64_flow){.proto = b->proto,
				 .src6 = b->src6,
				 .src6_port = b->src6_port,
				 .src4 = b->src4,
				 .src4_port = b->src4_port};
}

void bib_describe(const struct bib *b, struct nat64_bib_info *out)
{
	source_of(b, &out->flow);
	out->sessions = b->n_sessions;
	out->is_static = b->flags & ENTRY_STATIC;
	out->is_mapped = b->flags & ENTRY_MAPPED;
}

size_t nat64_list_bibs(const struct nat64 *n, uint32_t *cursor, uint32_t scan,
		       struct nat64_bib_info *out, size_t max)
{
	size_t found = 0;

	while (*cursor < n->free_bibs.fresh && found < max && scan--) {
		const struct bib *b = &n->bibs[(*cursor)++];

		if (!(b->flags & ENTRY_USED))
			continue;
		bib_describe(b, &out[found++]);
	}
	if (*cursor >= n->free_bibs.fresh)
		*cursor = UINT32_MAX;
	return found;
}

void session_describe(const struct nat64 *n, const struct session *s,
		      struct mono now, struct nat64_session_info *out)
{
	source_of(&n->bibs[s->bib], &out->flow);
	out->flow.dst6 = s->dst6;
	out->flow.dst4 = s->dst4;
	out->flow.dst_port = s->dst_port;
	out->state = s->state;
	out->left_ns = s->deadline_ns - now.ns;
	out->version = s->version;
	out->is_copy = s->flags & ENTRY_REMOTE;
}

size_t nat64_list_sessions(const struct nat64 *n, uint32_t *cursor,
			   uint32_t scan, struct mono now,
			   struct nat64_session_info *out, size_t max)
{
	size_t found = 0;

	while (*cursor < n->free_sessions.fresh && found < max && scan--) {
		const struct session *s = &n->sessions[(*cursor)++];

		if ((s->flags & ENTRY_USED) && s->deadline_ns > now.ns)
			session_describe(n, s, now, &out[found++]);
	}
	if (*cursor >= n->free_sessions.fresh)
		*cursor = UINT32_MAX;
	return found;
}

/* ---- the checker ----------------------------------------------------------
 */

static const char *check_bib(const struct nat64 *n, uint32_t i, uint64_t held[])
{
	const struct bib *b = &n->bibs[i];

	if (bib_find6(n, b->proto, &b->src6, b->src6_port) != i)
		return "a BIB entry is not found by its IPv6 side";
	if (bib_find4(n, b->proto, b->src4, b->src4_port) != i)
		return "a BIB entry is not found by its IPv4 side";
	if (!b->n_sessions && !(b->flags & ENTRY_KEPT))
		return "a dynamic BIB entry without a session";
	if (pool_find(&n->pool, b->src4) != b->pool)
		return "a BIB entry has the wrong pool4 index";
	held[b->proto]++;
	return NULL;
}

static const char *check_session(const struct nat64 *n, uint32_t i)
{
	const struct session *s = &n->sessions[i];
	uint32_t prev = s->wheel_prev;

	if (!(n->bibs[s->bib].flags & ENTRY_USED))
		return "a session without its BIB entry";
	if (session_find(n, s->bib, s->dst4, s->dst_port) != i)
		return "a session is not found";
	if (prev & WHEEL_HEAD ? n->wheel[prev & ~WHEEL_HEAD] != i + 1
			      : n->sessions[prev].wheel_next != i + 1)
		return "a session's place in the wheel is wrong";
	if ((s->permit != NONE) != n->addr_dependent)
		return "a session's permit is missing or too many";
	if (s->permit != NONE &&
	    (n->permits[s->permit].bib != s->bib ||
	     n->permits[s->permit].dst4.s_addr != s->dst4.s_addr))
		return "a session has another's permit";
	return NULL;
}

static uint32_t count_chain(const struct nat64 *n, uint32_t head, int which)
{
	uint32_t count = 0;

	while (head) {
		count++;
		head = which == 0   ? n->bibs[head - 1].next6
		       : which == 1 ? n->bibs[head - 1].next4
		       : which == 2 ? n->sessions[head - 1].next
				    : n->sessions[head - 1].wheel_next;
	}
	return count;
}

/* Everything that the chains hold, against the number of used entries. */
static const char *check_chains(const struct nat64 *n, uint32_t bibs,
				uint32_t sessions)
{
	uint32_t c[4] = {0};

	for (uint32_t i = 0; i < n->bib_slots; i++) {
		c[0] += count_chain(n, n->by6[i], 0);
		c[1] += count_chain(n, n->by4[i], 1);
	}
	for (uint32_t i = 0; i < n->free_bibs.fresh; i++)
		c[2] += (n->bibs[i].flags & ENTRY_USED) && n->bibs[i].first;
	for (uint32_t i = 0; i < n->session_slots; i++)
		c[2] += count_chain(n, n->by_session[i], 2);
	for (uint32_t i = 0; i < WHEEL_SLOTS; i++)
		c[3] += count_chain(n, n->wheel[i], 3);
	if (c[0] != bibs || c[1] != bibs)
		return "hash chains hold other BIB entries than there are";
	if (c[2] != sessions)
		return "hash chains hold other sessions than there are";
	return c[3] == sessions ? NULL : "the wheel holds other sessions";
}

static const char *check_counts(const struct nat64 *n, uint32_t *bibs,
				uint32_t *sessions)
{
	uint64_t by_bib = 0, held[NAT64_N_PROTOS] = {0};
	const char *wrong;

	for (uint32_t i = 0; i < n->free_bibs.fresh; i++) {
		if (!(n->bibs[i].flags & ENTRY_USED))
			continue;
		wrong = check_bib(n, i, held);
		if (wrong)
			return wrong;
		by_bib += n->bibs[i].n_sessions;
		(*bibs)++;
	}
	for (uint32_t i = 0; i < n->free_sessions.fresh; i++) {
		if (!(n->sessions[i].flags & ENTRY_USED))
			continue;
		wrong = check_session(n, i);
		if (wrong)
			return wrong;
		(*sessions)++;
	}
	if (by_bib != *sessions)
		return "BIB entries count other sessions than there are";
	for (unsigned int k = 0; k < NAT64_N_PROTOS; k++)
		if (n->pool.n_all[k] - n->pool.n_free[k] - n->pool.n_held[k] !=
			    held[k] ||
		    n->stats.proto[k].bibs != held[k])
			return "ports held and BIB entries differ";
	return NULL;
}

static const char *check_permits(const struct nat64 *n, uint32_t sessions)
{
	uint64_t refs = 0;

	if (!n->addr_dependent)
		return NULL;
	for (uint32_t i = 0; i < n->session_slots; i++)
		for (uint32_t p = n->by_permit[i]; p;
		     p = n->permits[p - 1].next)
			refs += n->permits[p - 1].refs;
	return refs == sessions ? NULL : "permits count other sessions";
}

const char *nat64_check(const struct nat64 *n)
{
	uint32_t bibs = 0, sessions = 0, counted = 0;
	const char *wrong = check_counts(n, &bibs, &sessions);

	if (!wrong)
		wrong = check_chains(n, bibs, sessions);
	if (!wrong)
		wrong = check_permits(n, sessions);
	for (unsigned int k = 0; k < NAT64_N_PROTOS; k++)
		counted += n->stats.proto[k].sessions;
	if (!wrong && counted != sessions)
		wrong = "sessions miscounted";
	if (!wrong)
		wrong = subscriber_check(n);
	return wrong ? wrong : pool_check(&n->pool);
}

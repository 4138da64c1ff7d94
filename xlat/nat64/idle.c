/* SPDX-License-Identifier: MIT */
/*
 * RFC 6146 section 3.5.2.2: a connection that was silent for its whole
 * lifetime is not over yet. It waits TCP_TRANS in state TRANS, where any
 * packet revives it, and somebody is asked to provoke one.
 *
 * Of a copy the peer is the judge: ours waits as long, asks nobody and says
 * nothing, so that the peer's word finds it there, whichever is first.
 */
#include "nat64.h"

#include "nat64_internal.h"

void nat64_set_probe(struct nat64 *n, nat64_probe_fn *fn, void *arg)
{
	n->probe = fn;
	n->probe_arg = arg;
}

bool session_idle(struct nat64 *n, uint32_t i, struct mono now)
{
	struct session *s = &n->sessions[i];
	struct nat64_session_info info;

	if (s->state != NAT64_ESTABLISHED)
		return false;
	s->state = NAT64_TRANS;
	session_set_deadline(n, i, now.ns + n->timers.tcp_trans_ns);
	if (s->flags & ENTRY_REMOTE)
		return true;
	session_changed(n, i, now);
	session_describe(n, s, now, &info);
	if (n->probe)
		n->probe(n->probe_arg, &info.flow, now);
	return true;
}

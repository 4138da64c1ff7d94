/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Two tables tell each other of their sessions (sync.h has the wire). Each
 * session belongs to the table whose packets last touched it; the other one
 * holds a copy, marked ENTRY_REMOTE, which lives by the owner's word and ends
 * at the time that the owner named last. A packet that meets a copy makes it
 * an owned session: taking over needs no decision by anybody. When the former
 * owner then hears of it with more time left, or of an event, its own becomes
 * the copy.
 *
 * Copies are never told back as the owner's are, so a session that both have
 * forgotten to use cannot keep itself alive.
 *
 * Both tables may have bound one end differently (they were active at once,
 * unable to talk). Then each keeps what it has, the refusal is counted, and
 * either binding ends as usual: no packet of a living flow changes its port.
 */
#include "nat64.h"

#include <arpa/inet.h>

#include "nat64_internal.h"

/* The longest that a session of this protocol can have. */
static int64_t longest(const struct nat64 *n, enum nat64_proto proto)
{
	const struct nat64_timers *t = &n->timers;

	switch (proto) {
	case NAT64_TCP:
		return t->tcp_est_ns > t->tcp_trans_ns ? t->tcp_est_ns
						       : t->tcp_trans_ns;
	case NAT64_UDP:
		return t->udp_ns;
	case NAT64_ICMP:
	case NAT64_N_PROTOS:
		break;
	}
	return t->icmp_ns;
}

static bool is_sound(const struct nat64_session_info *s)
{
	bool tcp = s->flow.proto == NAT64_TCP;

	return (unsigned int)s->flow.proto < NAT64_N_PROTOS &&
	       (unsigned int)s->state < NAT64_N_STATES &&
	       tcp == (s->state != NAT64_STATELESS) && s->left_ns > 0;
}

enum nat64_import bib_import(struct nat64 *n, const struct nat64_flow *f,
			     uint32_t *b)
{
	uint32_t b4 = bib_find4(n, f->proto, f->src4, f->src4_port), pool;
	const struct ports *po;
	uint16_t port = ntohs(f->src4_port);

	*b = bib_find6(n, f->proto, &f->src6, f->src6_port);
	if (*b != b4)
		return NAT64_IMPORT_CONFLICT;
	if (*b != NONE)
		return NAT64_IMPORT_UPDATED;
	pool = pool_find(&n->pool, f->src4);
	if (pool == NONE)
		return NAT64_IMPORT_REFUSED;
	po = &n->pool.ports[pool * NAT64_N_PROTOS + f->proto];
	if (!po->hi || port < po->lo || port > po->hi)
		return NAT64_IMPORT_REFUSED;
	if (free_is_out(&n->free_bibs) || free_is_out(&n->free_sessions))
		return NAT64_IMPORT_FULL;
	if (!pool_take(&n->pool, pool, f->proto, port))
		return NAT64_IMPORT_CONFLICT;
	*b = bib_add(n, f, pool);
	return NAT64_IMPORT_ADDED;
}

enum nat64_import nat64_import(struct nat64 *n,
			       const struct nat64_session_info *info,
			       bool is_event, struct mono now)
{
	int64_t left = info->left_ns, most, deadline;
	enum nat64_import ret;
	struct session *s;
	uint32_t b, i;

	if (!is_sound(info))
		return NAT64_IMPORT_REFUSED;
	most = longest(n, info->flow.proto);
	deadline = now.ns + (left < most ? left : most);
	ret = bib_import(n, &info->flow, &b);
	if (ret != NAT64_IMPORT_ADDED && ret != NAT64_IMPORT_UPDATED)
		return ret;
	i = session_find(n, b, info->flow.dst4, info->flow.dst_port);
	if (i == NONE) {
		if (free_is_out(&n->free_sessions))
			return NAT64_IMPORT_FULL;
		i = session_add(n, b, &info->flow, true, info->state, deadline);
		n->sessions[i].flags |= ENTRY_REMOTE;
		return NAT64_IMPORT_ADDED;
	}
	s = &n->sessions[i];
	if (!is_event && !(s->flags & ENTRY_REMOTE) &&
	    s->deadline_ns >= deadline)
		return NAT64_IMPORT_KEPT;
	s->state = (uint8_t)info->state;
	s->flags |= ENTRY_REMOTE;
	session_set_deadline(n, i, deadline);
	return NAT64_IMPORT_UPDATED;
}

size_t nat64_list_owned(const struct nat64 *n, uint32_t *cursor, uint32_t scan,
			struct mono now, struct nat64_session_info *out,
			size_t max)
{
	size_t found = 0;

	while (*cursor < n->free_sessions.fresh && found < max && scan--) {
		const struct session *s = &n->sessions[(*cursor)++];

		if ((s->flags & (ENTRY_USED | ENTRY_REMOTE)) == ENTRY_USED &&
		    s->deadline_ns > now.ns)
			session_describe(n, s, now, &out[found++]);
	}
	if (*cursor >= n->free_sessions.fresh)
		*cursor = UINT32_MAX;
	return found;
}

/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Two tables tell each other of their sessions (sync.h has the wire, replica.h
 * who says what when). Each session belongs to the table whose packets last
 * touched it; the other one holds a copy, marked ENTRY_REMOTE, which lives by
 * the owner's word and ends at the time that the owner named last. A packet
 * that meets a copy makes it an owned session: taking over needs no decision
 * by anybody.
 *
 * Each session has a version. Another state and another owner make it one
 * newer, more time does not. Of what is said of a session, the newest version
 * holds, whenever it arrives; at the same version the state that is further in
 * TCP's life, then the later end. So tables that have heard the same agree,
 * in whatever order they heard it. A session that begins is newer than any
 * that has ended in its table: what is said of a former one between the same
 * ends is old.
 *
 * Copies are never told back as the owner's are, so a session that both have
 * forgotten to use cannot keep itself alive. A copy of which the owner says
 * nothing in two of its walks is asked about, and ends when the owner has
 * none. An owner that has lost its table cannot say that: then all its copies
 * become owned.
 *
 * Both tables may have bound one end differently (they were active at once,
 * unable to talk; where ports rest, one may not have the port free again that
 * the other still knows). Then each keeps what it has, the refusal is counted,
 * and either binding ends as usual: no packet of a living flow changes its
 * port.
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

/* The version of one session in two tables may have come about apart. */
static bool is_newer(const struct nat64_session_info *a,
		     const struct session *b)
{
	return version_after(a->version, b->version) ||
	       (a->version == b->version && a->state > b->state);
}

static bool is_older(const struct nat64_session_info *a,
		     const struct session *b)
{
	return version_after(b->version, a->version) ||
	       (a->version == b->version && a->state < b->state);
}

static void set_walk(struct session *s, unsigned int walk)
{
	uint8_t mark = (uint8_t)(walk << ENTRY_WALK_SHIFT & ENTRY_WALK);

	s->flags &= (uint8_t)~ENTRY_WALK;
	s->flags |= mark;
}

static unsigned int silent_walks(const struct session *s, unsigned int walk)
{
	unsigned int told = (s->flags & ENTRY_WALK) >> ENTRY_WALK_SHIFT;

	return (walk - told) & 3;
}

static enum nat64_import update(struct nat64 *n, uint32_t i,
				const struct nat64_session_info *info,
				unsigned int walk, int64_t deadline)
{
	struct session *s = &n->sessions[i];

	if (is_older(info, s))
		return NAT64_IMPORT_KEPT;
	if (is_newer(info, s)) {
		s->state = (uint8_t)info->state;
		s->version = info->version;
		s->flags |= ENTRY_REMOTE;
		session_set_deadline(n, i, deadline);
	} else if (s->flags & ENTRY_REMOTE) {
		if (s->deadline_ns < deadline)
			session_set_deadline(n, i, deadline);
	} else if (s->deadline_ns + NAT64_TICK_NS < deadline) {
		/* both own it, and only the peer has traffic */
		s->flags |= ENTRY_REMOTE;
		session_set_deadline(n, i, deadline);
	} else {
		return NAT64_IMPORT_KEPT;
	}
	set_walk(s, walk);
	return NAT64_IMPORT_UPDATED;
}

enum nat64_import nat64_import(struct nat64 *n,
			       const struct nat64_session_info *info,
			       unsigned int walk, struct mono now)
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
	if (i != NONE)
		return update(n, i, info, walk, deadline);
	if (free_is_out(&n->free_sessions))
		return NAT64_IMPORT_FULL;
	i = session_add(n, b, &info->flow, true, info->state, deadline);
	s = &n->sessions[i];
	s->flags |= ENTRY_REMOTE;
	s->version = info->version;
	set_walk(s, walk);
	return NAT64_IMPORT_ADDED;
}

/* The session between the ends of @f, living or not. */
static uint32_t find(const struct nat64 *n, const struct nat64_flow *f)
{
	uint32_t b = bib_find6(n, f->proto, &f->src6, f->src6_port);

	if (b == NONE || b != bib_find4(n, f->proto, f->src4, f->src4_port))
		return NONE;
	return session_find(n, b, f->dst4, f->dst_port);
}

bool nat64_import_end(struct nat64 *n, const struct nat64_session_info *info)
{
	uint32_t i;

	if ((unsigned int)info->flow.proto >= NAT64_N_PROTOS)
		return false;
	i = find(n, &info->flow);
	if (i == NONE || !(n->sessions[i].flags & ENTRY_REMOTE) ||
	    version_after(n->sessions[i].version, info->version))
		return false;
	session_del(n, i);
	return true;
}

bool nat64_find_session(const struct nat64 *n, const struct nat64_flow *f,
			struct mono now, struct nat64_session_info *out)
{
	uint32_t i = find(n, f);

	if (i == NONE || n->sessions[i].deadline_ns <= now.ns)
		return false;
	session_describe(n, &n->sessions[i], now, out);
	return true;
}

size_t nat64_list_news(struct nat64 *n, uint32_t *cursor, uint32_t scan,
		       bool adopt, unsigned int walk, struct mono now,
		       struct nat64_session_info *out, size_t max)
{
	size_t found = 0;

	while (*cursor < n->free_sessions.fresh && found < max && scan--) {
		struct session *s = &n->sessions[(*cursor)++];

		if (!(s->flags & ENTRY_USED) || s->deadline_ns <= now.ns)
			continue;
		if (adopt)
			s->flags &= (uint8_t)~ENTRY_REMOTE;
		if (!(s->flags & ENTRY_REMOTE) || silent_walks(s, walk) > 1)
			session_describe(n, s, now, &out[found++]);
	}
	if (*cursor >= n->free_sessions.fresh)
		*cursor = UINT32_MAX;
	return found;
}

void session_changed(struct nat64 *n, uint32_t s, struct mono now)
{
	n->sessions[s].version++;
	watch_session(n, NAT64_SESSION_STATE, s, now);
}

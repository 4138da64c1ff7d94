/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * What RFC 6146 sections 3.5.1 (UDP), 3.5.2 (TCP) and 3.5.3 (ICMP) ask, on
 * the tables of table.c and the ports of pool4.c. Mapping is endpoint
 * independent: one BIB entry serves all sessions of a source. Filtering is
 * endpoint independent, or address dependent by configuration.
 *
 * The pool4 address of a subscriber is a keyed hash of the first
 * subscriber_len bits of the IPv6 address: paired pooling without a table.
 * While that address has no free port, the next one that has is used.
 *
 * Nothing is created before both a BIB entry and a session are sure: a
 * failure leaves no trace but a counter.
 */
#include "nat64.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "nat64_internal.h"

/* ---- life -----------------------------------------------------------------
 */

void nat64_cfg_init(struct nat64_cfg *cfg)
{
	*cfg = (struct nat64_cfg){
		.max_sessions = 65536,
		.max_bibs = 65536,
		.subscriber_len = 64,
		.timers =
			{
				.tcp_est_ns = 7440 * NS_PER_S,
				.tcp_trans_ns = 240 * NS_PER_S,
				.udp_ns = 300 * NS_PER_S,
				.icmp_ns = 60 * NS_PER_S,
				.hold_ns = 120 * NS_PER_S,
			},
	};
}

/* Heads an entry: a chain that is short is a memory access less. */
#define BIB_SLOTS 2

static size_t align64(size_t n)
{
	return (n + 63) & ~(size_t)63;
}

struct layout {
	size_t pool, bibs, sessions, permits;
	size_t subscribers;
	size_t by6, by4, by_session, by_permit, by_subscriber, wheel, end;
};

static bool has_limits(const struct nat64_cfg *c)
{
	return c->limit_sessions || c->limit_ports || c->limit_rate;
}

static struct layout lay_out(const struct nat64_cfg *c)
{
	size_t nb = (size_t)BIB_SLOTS * c->max_bibs, ns = c->max_sessions;
	size_t adf = c->addr_dependent ? 1 : 0;
	size_t limits = has_limits(c) ? 1 : 0;
	struct layout l;

	l.pool = align64(sizeof(struct nat64));
	l.bibs = l.pool + align64(pool_bytes(c->n_pool4));
	l.sessions = l.bibs + align64(c->max_bibs * sizeof(struct bib));
	l.permits =
		l.sessions + align64(c->max_sessions * sizeof(struct session));
	l.subscribers = l.permits +
			adf * align64(c->max_sessions * sizeof(struct permit));
	l.by6 = l.subscribers +
		limits * align64(c->max_bibs * sizeof(struct subscriber));
	l.by4 = l.by6 + align64(nb * sizeof(uint32_t));
	l.by_session = l.by4 + align64(nb * sizeof(uint32_t));
	l.by_permit = l.by_session + align64(ns * sizeof(uint32_t));
	l.by_subscriber = l.by_permit + adf * align64(ns * sizeof(uint32_t));
	l.wheel = l.by_subscriber +
		  limits * align64(c->max_bibs * sizeof(uint32_t));
	l.end = l.wheel + WHEEL_SLOTS * sizeof(uint32_t);
	return l;
}

size_t nat64_memory(const struct nat64_cfg *cfg)
{
	return lay_out(cfg).end;
}

static bool sizes_valid(const struct nat64_cfg *c)
{
	return c->n_pool4 >= 1 && c->n_pool4 <= NAT64_MAX_POOL4 &&
	       c->max_sessions >= 1 && c->max_sessions <= NAT64_MAX_SESSIONS &&
	       c->max_bibs >= 1 && c->max_bibs <= NAT64_MAX_SESSIONS &&
	       c->subscriber_len <= 128 &&
	       (!c->blocks.size || nat64_blocks_fit(&c->blocks, c->n_pool4));
}

struct nat64 *nat64_init(void *mem, const struct nat64_cfg *cfg,
			 struct mono now)
{
	unsigned char *base = mem;
	struct nat64 *n = mem;
	struct layout l;

	if (!sizes_valid(cfg))
		return NULL;
	l = lay_out(cfg);
	if (!pool_init(&n->pool, base + l.pool, cfg))
		return NULL;
	n->timers = cfg->timers;
	n->addr_dependent = cfg->addr_dependent;
	n->subscriber_len = cfg->subscriber_len;
	n->blocks = cfg->blocks;
	n->seed[0] = cfg->seed[0];
	n->seed[1] = cfg->seed[1];
	n->bibs = (struct bib *)(base + l.bibs);
	n->sessions = (struct session *)(base + l.sessions);
	n->permits = (struct permit *)(base + l.permits);
	n->subscribers = (struct subscriber *)(base + l.subscribers);
	n->by_subscriber = (uint32_t *)(base + l.by_subscriber);
	n->has_limits = has_limits(cfg);
	n->limit_sessions = cfg->limit_sessions;
	n->limit_ports = cfg->limit_ports;
	n->limit_rate = cfg->limit_rate;
	n->by6 = (uint32_t *)(base + l.by6);
	n->by4 = (uint32_t *)(base + l.by4);
	n->by_session = (uint32_t *)(base + l.by_session);
	n->by_permit = (uint32_t *)(base + l.by_permit);
	n->wheel = (uint32_t *)(base + l.wheel);
	n->bib_slots = BIB_SLOTS * cfg->max_bibs;
	n->session_slots = cfg->max_sessions;
	n->free_bibs = (struct freelist){NONE, 0, cfg->max_bibs};
	n->free_sessions = (struct freelist){NONE, 0, cfg->max_sessions};
	n->free_permits = n->free_sessions;
	n->free_subscribers = n->free_bibs;
	n->cursor = now.ns / NAT64_TICK_NS;
	n->stats.max_sessions = cfg->max_sessions;
	n->stats.max_bibs = cfg->max_bibs;
	n->stats.memory_bytes = l.end;
	return n;
}

void nat64_set_timers(struct nat64 *n, const struct nat64_timers *t)
{
	n->timers = *t;
}

int nat64_add_static(struct nat64 *n, enum nat64_proto proto,
		     const struct in6_addr *src6, __be16 src6_port,
		     struct in_addr src4, __be16 src4_port)
{
	struct nat64_flow f = {.proto = proto,
			       .src6 = *src6,
			       .src6_port = src6_port,
			       .src4 = src4,
			       .src4_port = src4_port};
	uint32_t pool = pool_find(&n->pool, src4), b;
	const struct ports *po;
	uint16_t port = ntohs(src4_port);

	if (pool == NONE)
		return -ENOENT;
	po = &n->pool.ports[pool * NAT64_N_PROTOS + proto];
	if (!po->hi || port < po->lo || port > po->hi)
		return -ENOENT;
	if (bib_find6(n, proto, src6, src6_port) != NONE ||
	    !pool_take(&n->pool, pool, proto, port))
		return -EEXIST;
	b = bib_add(n, &f, pool);
	if (b == NONE) {
		pool_give(&n->pool, pool, proto, port);
		return -ENOSPC;
	}
	n->bibs[b].flags |= ENTRY_STATIC;
	return 0;
}

int nat64_del_static(struct nat64 *n, enum nat64_proto proto,
		     const struct in6_addr *src6, __be16 src6_port,
		     struct in_addr src4, __be16 src4_port)
{
	uint32_t i = bib_find6(n, proto, src6, src6_port);

	if (i == NONE || i != bib_find4(n, proto, src4, src4_port) ||
	    !(n->bibs[i].flags & ENTRY_STATIC))
		return -ENOENT;
	n->bibs[i].flags &= (uint8_t)~ENTRY_STATIC;
	if (!n->bibs[i].n_sessions && !(n->bibs[i].flags & ENTRY_MAPPED))
		bib_del(n, i);
	return 0;
}

bool nat64_in_pool4(const struct nat64 *n, struct in_addr a)
{
	return pool_find(&n->pool, a) != NONE;
}

/* ---- TCP ------------------------------------------------------------------
 */

/* Section 3.5.2.2, for an existing session. */
static void tcp_step(struct nat64 *n, uint32_t i, bool from6, uint8_t flags,
		     struct mono now)
{
	struct session *s = &n->sessions[i];
	int64_t est = now.ns + n->timers.tcp_est_ns;
	int64_t trans = now.ns + n->timers.tcp_trans_ns;
	bool syn = flags & NAT64_SYN, fin = flags & NAT64_FIN;
	bool rst = flags & NAT64_RST;

	switch ((enum nat64_state)s->state) {
	case NAT64_V4_INIT:
		if (syn && from6) {
			s->state = NAT64_ESTABLISHED;
			session_set_deadline(n, i, est);
		}
		break;
	case NAT64_V6_INIT:
		if (syn && !from6) {
			s->state = NAT64_ESTABLISHED;
			session_set_deadline(n, i, est);
		} else if (syn) {
			session_set_deadline(n, i, trans);
		}
		break;
	case NAT64_ESTABLISHED:
		if (rst) {
			s->state = NAT64_TRANS;
			session_set_deadline(n, i, trans);
			break;
		}
		if (fin)
			s->state = from6 ? NAT64_V6_FIN : NAT64_V4_FIN;
		session_set_deadline(n, i, est);
		break;
	case NAT64_V4_FIN:
	case NAT64_V6_FIN:
		if (fin && from6 == (s->state == NAT64_V4_FIN)) {
			s->state = NAT64_BOTH_FIN;
			session_set_deadline(n, i, trans);
		} else {
			session_set_deadline(n, i, est);
		}
		break;
	case NAT64_BOTH_FIN:
		break;
	case NAT64_TRANS:
		if (!rst) {
			s->state = NAT64_ESTABLISHED;
			session_set_deadline(n, i, est);
		}
		break;
	case NAT64_STATELESS:
	case NAT64_N_STATES:
		break;
	}
}

/* ---- what TCP, UDP and ICMP share -----------------------------------------
 */

static void session_touch(struct nat64 *n, uint32_t s,
			  const struct nat64_flow *f, bool from6,
			  struct mono now)
{
	uint8_t before = n->sessions[s].state;

	if (n->sessions[s].flags & ENTRY_REMOTE) {
		n->sessions[s].flags &= (uint8_t)~ENTRY_REMOTE;
		n->sessions[s].version++;
	}
	switch (f->proto) {
	case NAT64_TCP:
		tcp_step(n, s, from6, f->tcp_flags, now);
		break;
	case NAT64_UDP:
		session_set_deadline(n, s, now.ns + n->timers.udp_ns);
		break;
	case NAT64_ICMP:
		session_set_deadline(n, s, now.ns + n->timers.icmp_ns);
		break;
	case NAT64_N_PROTOS:
		break;
	}
	if (n->sessions[s].state != before)
		session_changed(n, s, now);
}

static int64_t first_deadline(const struct nat64 *n, enum nat64_proto proto,
			      struct mono now)
{
	switch (proto) {
	case NAT64_TCP:
		return now.ns + n->timers.tcp_trans_ns;
	case NAT64_UDP:
		return now.ns + n->timers.udp_ns;
	case NAT64_ICMP:
	case NAT64_N_PROTOS:
		break;
	}
	return now.ns + n->timers.icmp_ns;
}

static enum nat64_state first_state(enum nat64_proto proto, bool from6)
{
	if (proto != NAT64_TCP)
		return NAT64_STATELESS;
	return from6 ? NAT64_V6_INIT : NAT64_V4_INIT;
}

/* As session_find, but a session past its time is deleted on the way. */
static uint32_t living_session(struct nat64 *n, uint32_t *b,
			       const struct nat64_flow *f, struct mono now)
{
	uint32_t s;

	if (*b == NONE)
		return NONE;
	s = session_find(n, *b, f->dst4, f->dst_port);
	if (s == NONE || !session_is_over(&n->sessions[s], now))
		return s;
	if (n->bibs[*b].n_sessions == 1 && !(n->bibs[*b].flags & ENTRY_KEPT))
		*b = NONE;
	n->stats.proto[f->proto].expired++;
	session_del(n, s);
	return NONE;
}

bool nat64_in_block(const struct nat64 *n, const struct nat64_flow *f)
{
	uint32_t addr;
	uint16_t low, port = ntohs(f->src4_port);

	return n->blocks.size &&
	       nat64_blocks_find(&n->blocks, &f->src6, &addr, &low) &&
	       n->pool.addrs[addr].s_addr == f->src4.s_addr && port >= low &&
	       port - low < (int)n->blocks.size;
}

const struct in_addr *nat64_pool4(const struct nat64 *n, uint32_t *count)
{
	*count = n->pool.n;
	return n->pool.addrs;
}

/* REASON_OK when @host may have one more session, and there is room. */
static enum reason may_open(struct nat64 *n, const struct in6_addr *host,
			    bool from6)
{
	if (n->free_sessions.head == NONE &&
	    n->free_sessions.fresh == n->free_sessions.max) {
		n->stats.sessions_full++;
		return REASON_NAT64_TABLE_FULL;
	}
	if (!subscriber_may_open(n, host, from6)) {
		n->stats.limited_sessions++;
		return REASON_NAT64_HOST_LIMIT;
	}
	return REASON_OK;
}

enum reason nat64_out(struct nat64 *n, struct nat64_flow *f, struct mono now)
{
	uint32_t b = bib_find6(n, f->proto, &f->src6, f->src6_port);
	uint32_t s = living_session(n, &b, f, now);
	enum reason why;

	if (s != NONE) {
		session_touch(n, s, f, true, now);
	} else if (f->proto == NAT64_TCP && !(f->tcp_flags & NAT64_SYN)) {
		if (b == NONE)
			return REASON_NAT64_TCP_SYN;
	} else {
		why = may_open(n, &f->src6, true);
		if (!why && b == NONE)
			why = binding_new(n, f, NULL, now, &b);
		if (why)
			return why;
		s = session_add(n, b, f, true, first_state(f->proto, true),
				first_deadline(n, f->proto, now));
		watch_session(n, NAT64_SESSION_NEW, s, now);
	}
	f->src4 = n->bibs[b].src4;
	f->src4_port = n->bibs[b].src4_port;
	return REASON_OK;
}

enum reason nat64_in(struct nat64 *n, struct nat64_flow *f, struct mono now)
{
	uint32_t b = bib_find4(n, f->proto, f->src4, f->src4_port);
	uint32_t s = living_session(n, &b, f, now);
	enum reason why;

	if (b == NONE)
		return REASON_NAT64_NO_BIB;
	if (s != NONE) {
		session_touch(n, s, f, false, now);
	} else if (n->addr_dependent && !(n->bibs[b].flags & ENTRY_MAPPED) &&
		   !permit_find(n, b, f->dst4)) {
		n->stats.filtered++;
		return REASON_NAT64_FILTERED;
	} else if (f->proto != NAT64_TCP || (f->tcp_flags & NAT64_SYN)) {
		why = may_open(n, &n->bibs[b].src6, false);
		if (why)
			return why;
		s = session_add(n, b, f, false, first_state(f->proto, false),
				first_deadline(n, f->proto, now));
		watch_session(n, NAT64_SESSION_NEW, s, now);
	}
	f->src6 = n->bibs[b].src6;
	f->src6_port = n->bibs[b].src6_port;
	return REASON_OK;
}

/* ---- looking without touching ---------------------------------------------
 */

static bool has_session(const struct nat64 *n, uint32_t b,
			const struct nat64_flow *f, struct mono now)
{
	uint32_t s;

	if (b == NONE)
		return false;
	s = session_find(n, b, f->dst4, f->dst_port);
	return s != NONE && !session_is_over(&n->sessions[s], now);
}

enum reason nat64_peek_out(const struct nat64 *n, struct nat64_flow *f,
			   struct mono now)
{
	uint32_t b = bib_find6(n, f->proto, &f->src6, f->src6_port);

	if (!has_session(n, b, f, now))
		return REASON_NAT64_NO_SESSION;
	f->src4 = n->bibs[b].src4;
	f->src4_port = n->bibs[b].src4_port;
	return REASON_OK;
}

enum reason nat64_peek_in(const struct nat64 *n, struct nat64_flow *f,
			  struct mono now)
{
	uint32_t b = bib_find4(n, f->proto, f->src4, f->src4_port);

	if (!has_session(n, b, f, now))
		return REASON_NAT64_NO_SESSION;
	f->src6 = n->bibs[b].src6;
	f->src6_port = n->bibs[b].src6_port;
	return REASON_OK;
}

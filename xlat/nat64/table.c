/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * BIB entries and sessions lie in two arrays of fixed size; they are named by
 * index. Free entries form a list; those never used yet are not even in that
 * list, so that a large, quiet table does not occupy memory.
 *
 * A BIB entry is in two hash chains: by (protocol, src6) and by (protocol,
 * src4). One session of a BIB entry is named in the entry itself; each other
 * one is in a chain by (BIB entry, dst4): both directions know the BIB entry
 * first, and most have one session, which is then found without that table.
 * A table larger than the caches costs what its accesses cost: head, BIB
 * entry, session, each of them known by the one before. nat64_warm does that
 * for a burst of packets at once, so that their waits overlap.
 *
 * Hashes are SipHash-1-3 under a secret seed: who cannot see
 * the seed cannot aim packets at one chain.
 *
 * With address-dependent filtering a third table counts, for each pair of BIB
 * entry and IPv4 address, the sessions that there are: section 3.5.1.2 asks
 * about the address without the port.
 *
 * Life: a session is added with its BIB entry or to an existing one and
 * counted there; the BIB entry goes with its last session unless static
 * (section 3.5: "MUST be removed when the last session is removed").
 *
 * Time: each session has a deadline and hangs in one slot of a wheel of
 * WHEEL_SLOTS ticks. A deadline that moves away (each packet) only writes the
 * field; when the slot's time comes, the session is hung up anew. One that
 * moves nearer is hung up at once. The invariant is therefore "the slot is
 * reached no later than the deadline"; deadlines further away than the wheel
 * hang in the last slot. Emptying is resumable at any entry, so a call does
 * bounded work; whoever finds a session past its deadline before the wheel
 * does treats it as gone.
 *
 * Invariants (nat64_check verifies them): every used entry is in its chains
 * once, or the first of its BIB entry; n_sessions is right; each dynamic BIB
 * entry has a session and holds its port; ports not held are free; each session
 * is in the wheel once.
 *
 * Cost: all operations O(1) at a load factor of at most one, a half for BIB
 * entries. Memory a session with a BIB entry of its own: 56 + 48 bytes, and
 * 20 of hash heads; 36 more where subscribers have limits.
 */
#include "nat64_internal.h"

#include <arpa/inet.h>
#include <string.h>

/* ---- hashing --------------------------------------------------------------
 */

static inline uint64_t rotl(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] = rotl(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] = rotl(v[2], 32);
}

uint64_t sip_hash(const uint64_t seed[2], const uint64_t *words,
		  unsigned int n_words)
{
	uint64_t v[4] = {
		seed[0] ^ UINT64_C(0x736f6d6570736575),
		seed[1] ^ UINT64_C(0x646f72616e646f6d),
		seed[0] ^ UINT64_C(0x6c7967656e657261),
		seed[1] ^ UINT64_C(0x7465646279746573),
	};
	/* the last block holds the length in bytes, as in the original */
	uint64_t last = (uint64_t)n_words * 8 << 56;

	for (unsigned int i = 0; i < n_words; i++) {
		v[3] ^= words[i];
		sip_round(v);
		v[0] ^= words[i];
	}
	v[3] ^= last;
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t nat64_hash(const struct nat64 *n, const uint64_t *words,
		    unsigned int n_words)
{
	return sip_hash(n->seed, words, n_words);
}

uint32_t bib_slot6(const struct nat64 *n, enum nat64_proto proto,
		   const struct in6_addr *src6, __be16 port)
{
	uint64_t w[3];

	memcpy(w, src6, 16);
	w[2] = (uint64_t)proto << 16 | port;
	return slot_of_hash(nat64_hash(n, w, 3), n->bib_slots);
}

uint32_t bib_slot4(const struct nat64 *n, enum nat64_proto proto,
		   struct in_addr src4, __be16 port)
{
	uint64_t w = (uint64_t)src4.s_addr << 32 | (uint64_t)proto << 16 | port;

	return slot_of_hash(nat64_hash(n, &w, 1), n->bib_slots);
}

uint32_t session_slot(const struct nat64 *n, uint32_t b, struct in_addr dst4,
		      __be16 dst_port)
{
	uint64_t w[2] = {(uint64_t)b << 32 | dst4.s_addr, dst_port};

	return slot_of_hash(nat64_hash(n, w, 2), n->session_slots);
}

uint32_t permit_slot(const struct nat64 *n, uint32_t b, struct in_addr dst4)
{
	uint64_t w = (uint64_t)b << 32 | dst4.s_addr;

	return slot_of_hash(nat64_hash(n, &w, 1), n->session_slots);
}

/* ---- free entries ---------------------------------------------------------
 */

/* @next: where the entry at the head keeps the list going */
static uint32_t free_peek(const struct freelist *l)
{
	if (l->head != NONE)
		return l->head;
	return l->fresh < l->max ? l->fresh : NONE;
}

static void free_take(struct freelist *l, uint32_t next)
{
	if (l->head != NONE)
		l->head = next;
	else
		l->fresh++;
}

/* ---- BIB ------------------------------------------------------------------
 */

uint32_t bib_find6(const struct nat64 *n, enum nat64_proto proto,
		   const struct in6_addr *src6, __be16 port)
{
	uint32_t i = n->by6[bib_slot6(n, proto, src6, port)];

	while (i) {
		const struct bib *b = &n->bibs[i - 1];

		if (b->src6_port == port && b->proto == proto &&
		    !memcmp(&b->src6, src6, sizeof(*src6)))
			return i - 1;
		i = b->next6;
	}
	return NONE;
}

uint32_t bib_find4(const struct nat64 *n, enum nat64_proto proto,
		   struct in_addr src4, __be16 port)
{
	uint32_t i = n->by4[bib_slot4(n, proto, src4, port)];

	while (i) {
		const struct bib *b = &n->bibs[i - 1];

		if (b->src4.s_addr == src4.s_addr && b->src4_port == port &&
		    b->proto == proto)
			return i - 1;
		i = b->next4;
	}
	return NONE;
}

uint32_t bib_add(struct nat64 *n, const struct nat64_flow *f, uint32_t pool)
{
	uint32_t i = free_peek(&n->free_bibs), *head;
	struct bib *b;

	if (i == NONE)
		return NONE;
	b = &n->bibs[i];
	free_take(&n->free_bibs, b->next6);
	b->src6 = f->src6;
	b->src4 = f->src4;
	b->src6_port = f->src6_port;
	b->src4_port = f->src4_port;
	b->pool = (uint16_t)pool;
	b->proto = (uint8_t)f->proto;
	b->flags = ENTRY_USED;
	b->n_sessions = b->first = 0;
	b->subscriber = subscriber_take(n, &f->src6);
	head = &n->by6[bib_slot6(n, f->proto, &f->src6, f->src6_port)];
	b->next6 = *head;
	*head = i + 1;
	head = &n->by4[bib_slot4(n, f->proto, f->src4, f->src4_port)];
	b->next4 = *head;
	*head = i + 1;
	n->stats.proto[f->proto].bibs++;
	watch_bib(n, NAT64_BIB_NEW, i);
	return i;
}

/*
 * RFC 6888 REQ-8, with its exceptions: TCP, whose sessions are tracked; ports
 * that are the subscriber's own; address-dependent filtering.
 */
static void give_port(struct nat64 *n, const struct bib *b)
{
	bool held = n->timers.hold_ns > 0 && b->proto != NAT64_TCP &&
		    !n->blocks.size && !n->addr_dependent;

	(held ? pool_hold : pool_give)(&n->pool, b->pool, b->proto,
				       ntohs(b->src4_port));
}

void bib_del(struct nat64 *n, uint32_t i)
{
	struct bib *b = &n->bibs[i];
	uint32_t *at;

	watch_bib(n, NAT64_BIB_END, i);
	at = &n->by6[bib_slot6(n, b->proto, &b->src6, b->src6_port)];
	while (*at != i + 1)
		at = &n->bibs[*at - 1].next6;
	*at = b->next6;
	at = &n->by4[bib_slot4(n, b->proto, b->src4, b->src4_port)];
	while (*at != i + 1)
		at = &n->bibs[*at - 1].next4;
	*at = b->next4;
	give_port(n, b);
	subscriber_give(n, b->subscriber);
	n->stats.proto[b->proto].bibs--;
	b->flags = 0;
	b->next6 = n->free_bibs.head;
	n->free_bibs.head = i;
}

/* ---- the wheel ------------------------------------------------------------
 */

static int64_t tick_up(int64_t ns)
{
	return (ns + NAT64_TICK_NS - 1) / NAT64_TICK_NS;
}

static void wheel_del(struct nat64 *n, uint32_t i)
{
	struct session *s = &n->sessions[i];

	if (s->wheel_prev & WHEEL_HEAD)
		n->wheel[s->wheel_prev & ~WHEEL_HEAD] = s->wheel_next;
	else
		n->sessions[s->wheel_prev].wheel_next = s->wheel_next;
	if (s->wheel_next)
		n->sessions[s->wheel_next - 1].wheel_prev = s->wheel_prev;
}

static void wheel_add(struct nat64 *n, uint32_t i)
{
	struct session *s = &n->sessions[i];
	int64_t tick = tick_up(s->deadline_ns);
	uint32_t slot;

	if (tick <= n->cursor)
		tick = n->cursor + 1;
	if (tick >= n->cursor + WHEEL_SLOTS)
		tick = n->cursor + WHEEL_SLOTS - 1;
	slot = (uint32_t)(tick % WHEEL_SLOTS);
	s->wheel_prev = WHEEL_HEAD | slot;
	s->wheel_next = n->wheel[slot];
	if (s->wheel_next)
		n->sessions[s->wheel_next - 1].wheel_prev = i;
	n->wheel[slot] = i + 1;
}

void session_set_deadline(struct nat64 *n, uint32_t i, int64_t deadline_ns)
{
	struct session *s = &n->sessions[i];
	bool nearer = deadline_ns < s->deadline_ns;

	s->deadline_ns = deadline_ns;
	if (nearer) {
		wheel_del(n, i);
		wheel_add(n, i);
	}
}

/* One entry or one slot at a time; @budget is what may still be looked at. */
bool nat64_expire(struct nat64 *n, struct mono now, unsigned int budget)
{
	int64_t end = now.ns / NAT64_TICK_NS;

	if (n->cursor < end) /* once in a tick is enough */
		pool_turn(&n->pool, now, n->timers.hold_ns);
	/* one turn visits every slot: what is behind it is visited as well */
	if (n->cursor < end - WHEEL_SLOTS)
		n->cursor = end - WHEEL_SLOTS;
	while (n->cursor < end) {
		uint32_t *head = &n->wheel[(n->cursor + 1) % WHEEL_SLOTS], s;

		if (!budget--)
			return true;
		if (!*head) {
			n->cursor++;
			continue;
		}
		s = *head - 1;
		if (n->sessions[s].deadline_ns <= now.ns &&
		    !session_idle(n, s, now)) {
			uint8_t proto = n->bibs[n->sessions[s].bib].proto;

			n->stats.proto[proto].expired++;
			session_del(n, s);
		} else {
			wheel_del(n, s);
			n->cursor++;
			wheel_add(n, s);
			n->cursor--;
		}
	}
	return false;
}

/* ---- permits --------------------------------------------------------------
 */

static uint32_t *permit_at(const struct nat64 *n, uint32_t b,
			   struct in_addr dst4)
{
	uint32_t *at = &n->by_permit[permit_slot(n, b, dst4)];

	while (*at) {
		struct permit *p = &n->permits[*at - 1];

		if (p->bib == b && p->dst4.s_addr == dst4.s_addr)
			break;
		at = &p->next;
	}
	return at;
}

bool permit_find(const struct nat64 *n, uint32_t b, struct in_addr dst4)
{
	return *permit_at(n, b, dst4) != 0;
}

/* There are as many permits as sessions: it cannot run out. */
static uint32_t permit_add(struct nat64 *n, uint32_t b, struct in_addr dst4)
{
	uint32_t *at = permit_at(n, b, dst4), i;
	struct permit *p;

	if (*at) {
		n->permits[*at - 1].refs++;
		return *at - 1;
	}
	i = free_peek(&n->free_permits);
	p = &n->permits[i];
	free_take(&n->free_permits, p->next);
	*p = (struct permit){.bib = b, .dst4 = dst4, .refs = 1};
	*at = i + 1;
	return i;
}

static void permit_del(struct nat64 *n, uint32_t i)
{
	struct permit *p = &n->permits[i];
	uint32_t *at;

	if (--p->refs)
		return;
	at = permit_at(n, p->bib, p->dst4);
	*at = p->next;
	p->next = n->free_permits.head;
	n->free_permits.head = i;
}

/* ---- sessions -------------------------------------------------------------
 */

uint32_t session_find(const struct nat64 *n, uint32_t b, struct in_addr dst4,
		      __be16 dst_port)
{
	const struct bib *e = &n->bibs[b];
	const struct session *s = &n->sessions[e->first - 1];
	uint32_t i;

	if (e->first && s->dst4.s_addr == dst4.s_addr &&
	    s->dst_port == dst_port)
		return e->first - 1;
	if (e->n_sessions <= (e->first ? 1 : 0))
		return NONE;
	i = n->by_session[session_slot(n, b, dst4, dst_port)];
	while (i) {
		s = &n->sessions[i - 1];
		if (s->bib == b && s->dst4.s_addr == dst4.s_addr &&
		    s->dst_port == dst_port)
			return i - 1;
		i = s->next;
	}
	return NONE;
}

/* Where its BIB entry keeps session @i in mind: as its first, or in a chain. */
static void session_link(struct nat64 *n, uint32_t i)
{
	struct session *s = &n->sessions[i];
	struct bib *b = &n->bibs[s->bib];
	uint32_t *head;

	if (!b->first) {
		b->first = i + 1;
		return;
	}
	head = &n->by_session[session_slot(n, s->bib, s->dst4, s->dst_port)];
	s->next = *head;
	*head = i + 1;
}

static void session_unlink(struct nat64 *n, uint32_t i)
{
	struct session *s = &n->sessions[i];
	struct bib *b = &n->bibs[s->bib];
	uint32_t *at;

	if (b->first == i + 1) {
		b->first = 0;
		return;
	}
	at = &n->by_session[session_slot(n, s->bib, s->dst4, s->dst_port)];
	while (*at != i + 1)
		at = &n->sessions[*at - 1].next;
	*at = s->next;
}

uint32_t session_add(struct nat64 *n, uint32_t b, const struct nat64_flow *f,
		     bool from6, enum nat64_state state, int64_t deadline_ns)
{
	uint32_t i = free_peek(&n->free_sessions);
	struct session *s;

	if (i == NONE)
		return NONE;
	s = &n->sessions[i];
	free_take(&n->free_sessions, s->next);
	s->dst6 = f->dst6;
	s->deadline_ns = deadline_ns;
	s->dst4 = f->dst4;
	s->dst_port = f->dst_port;
	s->bib = b;
	s->state = (uint8_t)state;
	s->flags = from6 ? ENTRY_USED : ENTRY_USED | ENTRY_FROM4;
	s->version = n->newest_gone + 1;
	s->permit = n->addr_dependent ? permit_add(n, b, f->dst4) : NONE;
	session_link(n, i);
	wheel_add(n, i);
	n->bibs[b].n_sessions++;
	subscriber_count(n, n->bibs[b].subscriber, from6, 1);
	n->stats.proto[f->proto].sessions++;
	n->stats.proto[f->proto].created++;
	return i;
}

void session_del(struct nat64 *n, uint32_t i)
{
	struct session *s = &n->sessions[i];
	struct bib *b = &n->bibs[s->bib];

	watch_session(n, NAT64_SESSION_END, i, (struct mono){s->deadline_ns});
	session_unlink(n, i);
	wheel_del(n, i);
	if (s->permit != NONE)
		permit_del(n, s->permit);
	n->stats.proto[b->proto].sessions--;
	subscriber_count(n, b->subscriber, !(s->flags & ENTRY_FROM4), -1);
	if (!--b->n_sessions && !(b->flags & ENTRY_KEPT))
		bib_del(n, s->bib);
	s->flags = 0;
	if (version_after(s->version, n->newest_gone))
		n->newest_gone = s->version;
	s->next = n->free_sessions.head;
	n->free_sessions.head = i;
}

/* ---- a burst ahead --------------------------------------------------------
 */

/* The first line of something and its last. gcc takes a function that only
 * prefetches for one without effect and drops its calls: hence the asm. */
static inline void fetch(const void *p, size_t bytes)
{
	const char *line = p;

	__builtin_prefetch(line);
	__builtin_prefetch(line + bytes - 1);
	__asm__ volatile("");
}

static void warm_some(const struct nat64 *n, const struct nat64_ahead *a,
		      size_t count)
{
	const uint32_t *head[NAT64_WARM_MAX];

	for (size_t i = 0; i < count; i++) {
		const struct nat64_flow *f = &a[i].flow;

		head[i] = a[i].from6 ? &n->by6[bib_slot6(n, f->proto, &f->src6,
							 f->src6_port)]
				     : &n->by4[bib_slot4(n, f->proto, f->src4,
							 f->src4_port)];
		fetch(head[i], sizeof(*head[i]));
	}
	for (size_t i = 0; i < count; i++)
		if (*head[i])
			fetch(&n->bibs[*head[i] - 1], BIB_HOT_BYTES);
	for (size_t i = 0; i < count; i++) {
		uint32_t s = *head[i] ? n->bibs[*head[i] - 1].first : 0;

		if (s)
			fetch(&n->sessions[s - 1], SESSION_HOT_BYTES);
	}
}

void nat64_warm(const struct nat64 *n, const struct nat64_ahead *a,
		size_t count)
{
	while (count) {
		size_t some = count < NAT64_WARM_MAX ? count : NAT64_WARM_MAX;

		warm_some(n, a, some);
		a += some;
		count -= some;
	}
}

/* SPDX-License-Identifier: MIT */
/* Two replicas over a wire that loses, doubles and delays; all in one clock. */
#ifndef TESTS_REPLICA_TESTLIB_H
#define TESTS_REPLICA_TESTLIB_H

#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../base/rng.h"
#include "../nat64/replica.h"

#define WIRE  256 /* datagrams under way to one side */
#define HOSTS 200
#define MOST  65536 /* sessions of the large table */

struct datagram {
	uint8_t bytes[SYNC_MAX_BYTES];
	size_t len;
	struct mono due;
};

struct node {
	struct nat64 *n;
	void *mem;
	struct replica replica;
	struct datagram inbox[WIRE];
	size_t n_inbox;
	struct node *other;
	uint64_t records; /* told since somebody set it to 0 */
};

static struct node a, b;
static struct mono now;
static struct rng rng;
static struct {
	unsigned int lost, doubled; /* of a hundred */
	int64_t delay_ns;	    /* up to */
} wire;

static inline bool happens(unsigned int percent)
{
	return rng_next(&rng) % 100 < percent;
}

static inline void post(struct node *to, const uint8_t *at, size_t len)
{
	struct datagram *d = &to->inbox[to->n_inbox];

	if (to->n_inbox == WIRE)
		return; /* lost as well */
	to->n_inbox++;
	memcpy(d->bytes, at, len);
	d->len = len;
	d->due =
		mono_add(now, wire.delay_ns ? (int64_t)(rng_next(&rng) %
							(uint64_t)wire.delay_ns)
					    : 0);
}

static inline void emit(void *arg, uint8_t *at, size_t len)
{
	struct node *x = arg;

	x->records += (len - SYNC_HEADER_BYTES) / SYNC_RECORD_BYTES;
	if (!happens(wire.lost))
		post(x->other, at, len);
	if (happens(wire.doubled))
		post(x->other, at, len);
}

static inline void on_change(void *arg, enum nat64_event ev,
			     const struct nat64_session_info *s)
{
	struct node *x = arg;

	replica_change(&x->replica, ev, s, now);
}

static inline void open_node(struct node *x, struct node *other, uint32_t most)
{
	struct nat64_pool4 pool = {.addr.s_addr = htonl(0xc0000201)};
	struct nat64_cfg c;

	nat64_cfg_init(&c);
	for (int i = 0; i < NAT64_N_PROTOS; i++) {
		pool.ports[i].lo = 1024;
		pool.ports[i].hi = 65535;
	}
	c.pool4 = &pool;
	c.n_pool4 = 1;
	c.max_sessions = c.max_bibs = most;
	/* where ports rest, two that are apart bind a host differently, and
	 * keep to it: that is no matter of replication */
	c.timers.hold_ns = 0;
	c.seed[0] = rng_next(&rng);
	x->mem = aligned_alloc(64, (nat64_memory(&c) + 63) & ~(size_t)63);
	memset(x->mem, 0, nat64_memory(&c));
	x->n = nat64_init(x->mem, &c, now);
	ck_assert_ptr_nonnull(x->n);
	x->n_inbox = 0;
	x->other = other;
	nat64_watch(x->n, on_change, x);
	replica_init(&x->replica, rng_next(&rng) | 1, emit, x, now);
}

static inline void open_both(uint32_t most, uint64_t seed)
{
	rng_init(&rng, seed);
	memset(&wire, 0, sizeof(wire));
	now = (struct mono){NS_PER_S};
	open_node(&a, &b, most);
	open_node(&b, &a, most);
}

static inline void close_both(void)
{
	ck_assert_ptr_null(nat64_check(a.n));
	ck_assert_ptr_null(nat64_check(b.n));
	free(a.mem);
	free(b.mem);
}

/* What is due comes, the newest entry of the inbox first: not in order. */
static inline void receive(struct node *x)
{
	for (size_t i = x->n_inbox; i-- > 0;) {
		struct datagram d = x->inbox[i];

		if (mono_before(now, d.due))
			continue;
		x->inbox[i] = x->inbox[--x->n_inbox];
		replica_receive(&x->replica, x->n, d.bytes, d.len, now);
	}
}

static inline void tick(void)
{
	now = mono_add(now, REPLICA_TICK_NS);
	receive(&a);
	receive(&b);
	replica_tick(&a.replica, a.n, now);
	replica_tick(&b.replica, b.n, now);
	nat64_expire(a.n, now, 1000);
	nat64_expire(b.n, now, 1000);
}

static inline void run(int64_t ns)
{
	struct mono end = mono_add(now, ns);

	while (mono_before(now, end))
		tick();
}

static inline struct nat64_flow flow_of(unsigned int host,
					enum nat64_proto proto, uint8_t flags)
{
	struct nat64_flow f = {.proto = proto,
			       .tcp_flags = flags,
			       .src6_port = htons((uint16_t)(2000 + host)),
			       .dst_port = htons(443),
			       .dst4.s_addr = htonl(0xc6336401)};

	f.src6.s6_addr[0] = 0x20;
	f.src6.s6_addr[15] = (uint8_t)host;
	f.src6.s6_addr[14] = (uint8_t)(host >> 8);
	f.dst6.s6_addr[1] = 0x64;
	if (proto == NAT64_ICMP)
		f.dst_port = 0;
	return f;
}

static inline void establish(struct node *x, unsigned int host,
			     struct nat64_flow *f)
{
	struct nat64_flow back;

	*f = flow_of(host, NAT64_TCP, NAT64_SYN);
	ck_assert_int_eq(nat64_out(x->n, f, now), REASON_OK);
	back = *f;
	ck_assert_int_eq(nat64_in(x->n, &back, now), REASON_OK);
}

static inline uint32_t sessions(const struct node *x)
{
	struct nat64_stats st;
	uint32_t n = 0;

	nat64_get_stats(x->n, &st);
	for (int i = 0; i < NAT64_N_PROTOS; i++)
		n += st.proto[i].sessions;
	return n;
}

/* Sessions of @x that @y has not, or not just so; not those about to end. */
static inline unsigned int differences(const struct node *x,
				       const struct node *y)
{
	struct nat64_session_info v[64], w;
	unsigned int found = 0;
	uint32_t cursor = 0;

	while (cursor != UINT32_MAX) {
		size_t n = nat64_list_sessions(x->n, &cursor, 64, now, v, 64);

		for (size_t i = 0; i < n; i++)
			found += v[i].left_ns > 2 * NS_PER_S &&
				 (!nat64_find_session(y->n, &v[i].flow, now,
						      &w) ||
				  w.state != v[i].state ||
				  w.version != v[i].version ||
				  memcmp(&w.flow, &v[i].flow, sizeof(w.flow)));
	}
	return found;
}

static inline void ck_assert_equal_tables(void)
{
	ck_assert_uint_eq(differences(&a, &b), 0);
	ck_assert_uint_eq(differences(&b, &a), 0);
}

#endif

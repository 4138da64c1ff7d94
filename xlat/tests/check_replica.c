/* SPDX-License-Identifier: MIT */
/* Two replicas over a wire that loses, doubles and delays; all in one clock. */
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

static bool happens(unsigned int percent)
{
	return rng_next(&rng) % 100 < percent;
}

static void post(struct node *to, const uint8_t *at, size_t len)
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

static void emit(void *arg, uint8_t *at, size_t len)
{
	struct node *x = arg;

	x->records += (len - SYNC_HEADER_BYTES) / SYNC_RECORD_BYTES;
	if (!happens(wire.lost))
		post(x->other, at, len);
	if (happens(wire.doubled))
		post(x->other, at, len);
}

static void on_change(void *arg, enum nat64_event ev,
		      const struct nat64_session_info *s)
{
	struct node *x = arg;

	replica_change(&x->replica, ev, s, now);
}

static void open_node(struct node *x, struct node *other, uint32_t most)
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

static void open_both(uint32_t most, uint64_t seed)
{
	rng_init(&rng, seed);
	memset(&wire, 0, sizeof(wire));
	now = (struct mono){NS_PER_S};
	open_node(&a, &b, most);
	open_node(&b, &a, most);
}

static void close_both(void)
{
	ck_assert_ptr_null(nat64_check(a.n));
	ck_assert_ptr_null(nat64_check(b.n));
	free(a.mem);
	free(b.mem);
}

/* What is due comes, the newest entry of the inbox first: not in order. */
static void receive(struct node *x)
{
	for (size_t i = x->n_inbox; i-- > 0;) {
		struct datagram d = x->inbox[i];

		if (mono_before(now, d.due))
			continue;
		x->inbox[i] = x->inbox[--x->n_inbox];
		replica_receive(&x->replica, x->n, d.bytes, d.len, now);
	}
}

static void tick(void)
{
	now = mono_add(now, REPLICA_TICK_NS);
	receive(&a);
	receive(&b);
	replica_tick(&a.replica, a.n, now);
	replica_tick(&b.replica, b.n, now);
	nat64_expire(a.n, now, 1000);
	nat64_expire(b.n, now, 1000);
}

static void run(int64_t ns)
{
	struct mono end = mono_add(now, ns);

	while (mono_before(now, end))
		tick();
}

static struct nat64_flow flow_of(unsigned int host, enum nat64_proto proto,
				 uint8_t flags)
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

static void establish(struct node *x, unsigned int host, struct nat64_flow *f)
{
	struct nat64_flow back;

	*f = flow_of(host, NAT64_TCP, NAT64_SYN);
	ck_assert_int_eq(nat64_out(x->n, f, now), REASON_OK);
	back = *f;
	ck_assert_int_eq(nat64_in(x->n, &back, now), REASON_OK);
}

static uint32_t sessions(const struct node *x)
{
	struct nat64_stats st;
	uint32_t n = 0;

	nat64_get_stats(x->n, &st);
	for (int i = 0; i < NAT64_N_PROTOS; i++)
		n += st.proto[i].sessions;
	return n;
}

/* Sessions of @x that @y has not, or not just so; not those about to end. */
static unsigned int differences(const struct node *x, const struct node *y)
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

static void ck_assert_equal_tables(void)
{
	ck_assert_uint_eq(differences(&a, &b), 0);
	ck_assert_uint_eq(differences(&b, &a), 0);
}

/* A packet of some host at either node, whichever it used before. */
static void random_packet(void)
{
	static const uint8_t flags[] = {0, NAT64_SYN, NAT64_FIN, NAT64_RST};
	struct node *x = rng_next(&rng) % 4 ? &a : &b;
	enum nat64_proto proto = (enum nat64_proto)(rng_next(&rng) % 3);
	unsigned int host = (unsigned int)(rng_next(&rng) % HOSTS);
	struct nat64_flow f = flow_of(host, proto, flags[rng_next(&rng) % 4]);

	if (nat64_out(x->n, &f, now) == REASON_OK && rng_next(&rng) % 2)
		nat64_in(x->n, &f, now);
}

START_TEST(random_schedules_end_with_equal_tables)
{
	open_both(1024, (uint64_t)_i + 1);
	wire.lost = (unsigned int)_i % 4 * 10;
	wire.doubled = (unsigned int)_i % 3 * 10;
	wire.delay_ns = _i % 5 * 40 * NS_PER_MS;
	run(3 * NS_PER_S);
	for (unsigned int step = 0; step < 3000; step++) {
		for (uint64_t k = rng_next(&rng) % 4; k--;)
			random_packet();
		tick();
		/* now and then the link is gone, or time jumps */
		if (!(rng_next(&rng) % 1000))
			wire.lost = wire.lost == 100 ? 10 : 100;
		if (!(rng_next(&rng) % 1000))
			run(70 * NS_PER_S);
	}
	ck_assert_uint_gt(sessions(&a), 100);
	/* quiet; the wire is as bad as it was, but it is there */
	if (wire.lost == 100)
		wire.lost = 10;
	run(45 * NS_PER_S);
	ck_assert_equal_tables();
	ck_assert_uint_gt(sessions(&a), 100);
	close_both();
}
END_TEST

START_TEST(a_restart_gets_all_back_over_a_bad_wire)
{
	struct nat64_flow f;

	open_both(1024, (uint64_t)_i + 1);
	run(NS_PER_S);
	for (unsigned int i = 0; i < HOSTS; i++)
		establish(&a, i, &f);
	run(NS_PER_S);
	ck_assert_uint_eq(sessions(&b), HOSTS);
	free(a.mem);
	open_node(&a, &b, 1024);
	wire.lost = 30;
	run(40 * NS_PER_S);
	ck_assert_uint_eq(sessions(&a), HOSTS);
	ck_assert_equal_tables();
	ck_assert_uint_ge(b.replica.stats.adoptions, 1);
	close_both();
}
END_TEST

/* All copies of a session that is gone end, although nobody said so. */
START_TEST(an_end_that_was_not_heard_is_found)
{
	struct nat64_flow f, g;

	open_both(1024, 1);
	run(NS_PER_S);
	establish(&a, 1, &f);
	run(NS_PER_S);
	wire.lost = 100;
	g = flow_of(1, NAT64_TCP, NAT64_RST);
	nat64_out(a.n, &g, now);
	run(250 * NS_PER_S);
	ck_assert_uint_eq(sessions(&a), 0);
	ck_assert_uint_eq(sessions(&b), 1); /* for two hours, it thinks */
	wire.lost = 0;
	run(30 * NS_PER_S);
	ck_assert_uint_eq(sessions(&b), 0);
	ck_assert_uint_eq(b.replica.stats.asked, 1);
	ck_assert_uint_eq(b.replica.stats.ended, 1);
	ck_assert_uint_eq(a.replica.stats.asked_us, 1);
	close_both();
}
END_TEST

/* Nothing is asked about where nothing is lost. */
START_TEST(a_good_wire_needs_no_questions)
{
	struct nat64_flow f;

	open_both(1024, 1);
	run(NS_PER_S);
	for (unsigned int i = 0; i < 900; i++)
		establish(&a, i, &f);
	run(60 * NS_PER_S);
	ck_assert_uint_eq(b.replica.stats.asked, 0);
	ck_assert_uint_eq(a.replica.stats.asked, 0);
	ck_assert_equal_tables();
	close_both();
}
END_TEST

START_TEST(the_rate_is_bounded_and_all_is_told_in_the_end)
{
	struct nat64_flow f;
	uint64_t most = 0;

	open_both(MOST, 1);
	run(NS_PER_S);
	a.records = 0;
	for (unsigned int i = 0; i < 40000; i++)
		establish(&a, i, &f);
	/* two changes each, at once: the burst leaves, the rest waits */
	ck_assert_uint_le(a.records, REPLICA_BURST);
	ck_assert_uint_ge(a.records, REPLICA_BURST - SYNC_MAX_RECORDS);
	ck_assert_uint_ge(a.replica.stats.held_back, 80000 - REPLICA_BURST - 1);
	b.n_inbox = 0;			/* and what has left is lost */
	for (int i = 0; i < 700; i++) { /* past the pause between walks */
		uint64_t before = a.records;

		tick();
		if (a.records - before > most)
			most = a.records - before;
	}
	/* a tick's records wait for the next one where they fill no datagram */
	ck_assert_uint_le(most, REPLICA_WALK_MOST + SYNC_MAX_RECORDS);
	ck_assert_uint_ge(most, REPLICA_WALK_LEAST);
	run(10 * NS_PER_S);
	ck_assert_uint_eq(sessions(&b), 40000);
	ck_assert_equal_tables();
	close_both();
}
END_TEST

/* Changes without end: no more than the bucket lets through. */
START_TEST(no_second_has_more_than_the_rate)
{
	struct nat64_flow f, g;

	open_both(MOST, 1);
	establish(&a, 1, &f);
	run(NS_PER_S);
	a.records = 0;
	for (int i = 0; i < 100; i++) {
		for (int k = 0; k < 2000; k++) { /* 400000 changes a second */
			g = flow_of(1, NAT64_TCP, NAT64_RST);
			nat64_out(a.n, &g, now);
			g = flow_of(1, NAT64_TCP, 0);
			nat64_out(a.n, &g, now);
		}
		tick();
	}
	ck_assert_uint_le(a.records, REPLICA_RATE + REPLICA_BURST);
	ck_assert_uint_ge(a.records, REPLICA_RATE / 2);
	ck_assert_uint_gt(a.replica.stats.held_back, 100000);
	run(6 * NS_PER_S);
	ck_assert_equal_tables();
	close_both();
}
END_TEST

START_TEST(it_knows_how_far_behind_the_other_is)
{
	struct replica_stats st;
	struct nat64_flow f;

	open_both(1024, 1);
	run(NS_PER_S);
	establish(&a, 1, &f);
	run(100 * NS_PER_MS);
	replica_get_stats(&a.replica, now, &st);
	ck_assert_int_eq(st.behind_ms, 0);
	ck_assert_int_le(st.behind_max_ms, 30);
	wire.lost = 100;
	establish(&a, 2, &f);
	ck_assert_uint_gt(a.replica.n, 0);
	run(2 * NS_PER_S);
	replica_get_stats(&a.replica, now, &st);
	ck_assert_int_ge(st.behind_ms, 1950);
	ck_assert_int_le(st.behind_ms, 2050);
	ck_assert_uint_eq(st.queued, 0);
	wire.lost = 0;
	run(12 * NS_PER_S);
	replica_get_stats(&a.replica, now, &st);
	ck_assert_int_eq(st.behind_ms, 0);
	ck_assert_int_ge(st.behind_max_ms, 1950);
	ck_assert_uint_eq(sessions(&b), 2);
	close_both();
}
END_TEST

START_TEST(other_versions_are_refused_and_counted)
{
	struct sync_header h = {.from = 7, .seq = 1};
	uint8_t at[SYNC_HEADER_BYTES];

	open_both(1024, 1);
	h.to = a.replica.peer.epoch;
	sync_encode_header(&h, at);
	at[3] = '1';
	ck_assert_int_eq(replica_receive(&a.replica, a.n, at, sizeof(at), now),
			 REPLICA_FOREIGN);
	at[1] = '?';
	ck_assert_int_eq(replica_receive(&a.replica, a.n, at, sizeof(at), now),
			 REPLICA_MALFORMED);
	ck_assert_uint_eq(a.replica.stats.foreign, 1);
	ck_assert_uint_eq(a.replica.stats.malformed, 1);
	ck_assert_uint_eq(a.replica.stats.received, 0);
	close_both();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("replica");
	TCase *t = tcase_create("two");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, random_schedules_end_with_equal_tables, 0, 60);
	tcase_add_loop_test(t, a_restart_gets_all_back_over_a_bad_wire, 0, 5);
	tcase_add_test(t, an_end_that_was_not_heard_is_found);
	tcase_add_test(t, a_good_wire_needs_no_questions);
	tcase_add_test(t, the_rate_is_bounded_and_all_is_told_in_the_end);
	tcase_add_test(t, no_second_has_more_than_the_rate);
	tcase_add_test(t, it_knows_how_far_behind_the_other_is);
	tcase_add_test(t, other_versions_are_refused_and_counted);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}

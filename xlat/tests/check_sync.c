/* SPDX-License-Identifier: MIT */
/* Two tables that tell each other of their sessions, over a bad wire. */
#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../base/rng.h"
#include "../nat64/sync.h"

#define WIRE  4096
#define HOSTS 300

struct node {
	struct nat64 *n;
	void *mem;
	struct sync_record wire[WIRE]; /* on their way to the other */
	size_t n_wire;
};

static struct node a, b;
static struct mono now;

static void on_change(void *arg, enum nat64_event ev,
		      const struct nat64_session_info *s)
{
	struct node *x = arg;

	if ((ev == NAT64_SESSION_NEW || ev == NAT64_SESSION_STATE) &&
	    x->n_wire < WIRE)
		x->wire[x->n_wire++] = (struct sync_record){*s, true};
}

static void open_node(struct node *x, uint64_t seed)
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
	c.max_sessions = c.max_bibs = 1024;
	c.seed[0] = seed;
	x->mem = aligned_alloc(64, (nat64_memory(&c) + 63) & ~(size_t)63);
	memset(x->mem, 0, nat64_memory(&c));
	x->n = nat64_init(x->mem, &c, now);
	x->n_wire = 0;
	ck_assert_ptr_nonnull(x->n);
	nat64_watch(x->n, on_change, x);
}

static void setup(void)
{
	now = (struct mono){NS_PER_S};
	open_node(&a, 1);
	open_node(&b, 2);
}

static void teardown(void)
{
	ck_assert_ptr_null(nat64_check(a.n));
	ck_assert_ptr_null(nat64_check(b.n));
	free(a.mem);
	free(b.mem);
}

static struct nat64_flow flow_of(unsigned int host, enum nat64_proto proto,
				 uint8_t flags)
{
	struct nat64_flow f = {.proto = proto,
			       .tcp_flags = flags,
			       .src6_port = htons((uint16_t)(2000 + host)),
			       .dst_port = htons(443),
			       .dst4.s_addr = htonl(0xc6336401 + host % 7)};

	f.src6.s6_addr[0] = 0x20;
	f.src6.s6_addr[15] = (uint8_t)host;
	f.src6.s6_addr[14] = (uint8_t)(host >> 8);
	f.dst6.s6_addr[1] = 0x64;
	if (proto == NAT64_ICMP)
		f.dst_port = 0;
	return f;
}

/* Through the wire's format, as everything that passes it. */
static enum nat64_import carry(struct node *to, const struct sync_record *r)
{
	uint8_t bytes[SYNC_RECORD_BYTES];
	struct sync_record got;

	sync_encode_record(r, bytes);
	ck_assert(sync_decode_record(bytes, &got));
	return nat64_import(to->n, &got.session, got.is_event, now);
}

static void deliver(struct node *from, struct node *to)
{
	for (size_t i = 0; i < from->n_wire; i++)
		carry(to, &from->wire[i]);
	from->n_wire = 0;
}

static void walk(struct node *from, struct node *to, bool all)
{
	struct nat64_session_info v[64];
	uint32_t cursor = 0;

	while (cursor != UINT32_MAX) {
		size_t n = all ? nat64_list_sessions(from->n, &cursor, 4096,
						     now, v, 64)
			       : nat64_list_owned(from->n, &cursor, 4096, now,
						  v, 64);

		for (size_t i = 0; i < n; i++) {
			struct sync_record r = {v[i], false};

			carry(to, &r);
		}
	}
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

/* Every session of @x is in @y, with the same ports and state. */
static void check_covered(const struct node *x, const struct node *y)
{
	struct nat64_session_info v[64], w[64];
	uint32_t cursor = 0;

	while (cursor != UINT32_MAX) {
		size_t n = nat64_list_sessions(x->n, &cursor, 64, now, v, 64);

		for (size_t i = 0; i < n; i++) {
			uint32_t c2 = 0;
			size_t found = 0;

			while (c2 != UINT32_MAX) {
				size_t m = nat64_list_sessions(y->n, &c2, 64,
							       now, w, 64);

				for (size_t k = 0; k < m; k++)
					found += !memcmp(&v[i].flow, &w[k].flow,
							 sizeof(v[i].flow)) &&
						 v[i].state == w[k].state;
			}
			ck_assert_uint_eq(found, 1);
		}
	}
}

static void establish(struct node *x, unsigned int host, struct nat64_flow *f)
{
	struct nat64_flow back;

	*f = flow_of(host, NAT64_TCP, NAT64_SYN);
	ck_assert_int_eq(nat64_out(x->n, f, now), REASON_OK);
	back = *f;
	ck_assert_int_eq(nat64_in(x->n, &back, now), REASON_OK);
}

START_TEST(standby_takes_over_in_the_middle_of_tcp)
{
	struct nat64_flow f, g;

	establish(&a, 1, &f);
	deliver(&a, &b);
	ck_assert_uint_eq(b.n_wire, 0); /* nothing is echoed */
	g = flow_of(1, NAT64_TCP, 0);	/* no SYN */
	ck_assert_int_eq(nat64_out(b.n, &g, now), REASON_OK);
	ck_assert_uint_eq(g.src4_port, f.src4_port);
	ck_assert_uint_eq(g.src4.s_addr, f.src4.s_addr);
	/* and the established lifetime has come along */
	now = mono_add(now, 1000 * NS_PER_S);
	nat64_expire(b.n, now, 100000);
	ck_assert_int_eq(nat64_out(b.n, &g, now), REASON_OK);
}
END_TEST

START_TEST(loss_reordering_duplicates_converge)
{
	struct rng r;

	rng_init(&r, (uint64_t)_i + 1);
	for (unsigned int step = 0; step < 2000; step++) {
		struct node *x = rng_next(&r) % 8 ? &a : &b;
		struct node *y = x == &a ? &b : &a;
		unsigned int host = (unsigned int)(rng_next(&r) % HOSTS);
		static const uint8_t flags[] = {0, NAT64_SYN, NAT64_FIN,
						NAT64_RST};
		/* each host through one of the two, as routing does it */
		struct nat64_flow f =
			flow_of(host * 2 + (x == &b), rng_next(&r) % 3,
				flags[rng_next(&r) % 4]);

		if (nat64_out(x->n, &f, now) == REASON_OK && rng_next(&r) % 2)
			nat64_in(x->n, &f, now);
		now = mono_add(now, (int64_t)(rng_next(&r) % 20) * NS_PER_MS);
		while (x->n_wire > 5) {
			size_t k = rng_next(&r) % x->n_wire;

			if (rng_next(&r) % 10)
				carry(y, &x->wire[k]);
			if (rng_next(&r) % 20)
				x->wire[k] = x->wire[--x->n_wire];
		}
		nat64_expire(x->n, now, 64);
	}
	ck_assert_uint_gt(sessions(&a), 100);
	walk(&a, &b, false);
	walk(&b, &a, false);
	walk(&a, &b, false);
	check_covered(&a, &b);
	check_covered(&b, &a);
}
END_TEST

START_TEST(refreshed_ones_stay_and_orphans_end)
{
	struct nat64_flow f = flow_of(1, NAT64_UDP, 0);
	struct nat64_flow g = flow_of(2, NAT64_UDP, 0);

	nat64_out(a.n, &f, now);
	nat64_out(a.n, &g, now);
	deliver(&a, &b);
	for (int i = 0; i < 4; i++) {
		now = mono_add(now, 100 * NS_PER_S);
		nat64_out(a.n, &f, now);
		nat64_expire(a.n, now, 100000);
		nat64_expire(b.n, now, 100000);
		walk(&a, &b, false);
		walk(&b, &a, false);
	}
	ck_assert_uint_eq(sessions(&a), 1);
	ck_assert_uint_eq(sessions(&b), 1);
	/* nobody uses it: neither keeps it alive for the other */
	for (int i = 0; i < 4; i++) {
		now = mono_add(now, 100 * NS_PER_S);
		walk(&a, &b, false);
		walk(&b, &a, false);
		nat64_expire(a.n, now, 100000);
		nat64_expire(b.n, now, 100000);
	}
	ck_assert_uint_eq(sessions(&a), 0);
	ck_assert_uint_eq(sessions(&b), 0);
}
END_TEST

START_TEST(a_restart_gets_the_copies_back)
{
	struct nat64_flow f;

	establish(&a, 1, &f);
	deliver(&a, &b);
	free(a.mem);
	open_node(&a, 77);
	walk(&b, &a, false);
	ck_assert_uint_eq(sessions(&a), 0); /* they are not b's own */
	walk(&b, &a, true);
	ck_assert_uint_eq(sessions(&a), 1);
	check_covered(&b, &a);
}
END_TEST

START_TEST(split_brain_keeps_both_and_breaks_nothing)
{
	unsigned int conflicts = 0;
	struct nat64_flow f, g;

	for (unsigned int i = 0; i < 50; i++) {
		establish(&a, i, &f);
		/* another host, the same port: both preserve it */
		g = flow_of(i, NAT64_TCP, NAT64_SYN);
		g.src6.s6_addr[0] = 0x30;
		ck_assert_int_eq(nat64_out(b.n, &g, now), REASON_OK);
		ck_assert_uint_eq(g.src4_port, f.src4_port);
	}
	for (size_t i = 0; i < a.n_wire; i++)
		conflicts += carry(&b, &a.wire[i]) == NAT64_IMPORT_CONFLICT;
	for (size_t i = 0; i < b.n_wire; i++)
		carry(&a, &b.wire[i]);
	ck_assert_uint_gt(conflicts, 0);
	ck_assert_ptr_null(nat64_check(a.n));
	now = mono_add(now, 8000 * NS_PER_S);
	while (nat64_expire(a.n, now, 10000))
		;
	while (nat64_expire(b.n, now, 10000))
		;
	ck_assert_uint_eq(sessions(&a) + sessions(&b), 0);
}
END_TEST

START_TEST(nonsense_is_refused)
{
	struct nat64_session_info s = {.flow = flow_of(1, NAT64_UDP, 0),
				       .left_ns = NS_PER_S};

	s.flow.src4.s_addr = htonl(0xc0000209); /* not in pool4 */
	s.flow.src4_port = htons(5000);
	ck_assert_int_eq(nat64_import(a.n, &s, true, now),
			 NAT64_IMPORT_REFUSED);
	s.flow.src4.s_addr = htonl(0xc0000201);
	s.flow.src4_port = htons(80); /* out of its ports */
	ck_assert_int_eq(nat64_import(a.n, &s, true, now),
			 NAT64_IMPORT_REFUSED);
	s.flow.src4_port = htons(5000);
	s.state = NAT64_ESTABLISHED; /* UDP */
	ck_assert_int_eq(nat64_import(a.n, &s, true, now),
			 NAT64_IMPORT_REFUSED);
	s.state = NAT64_STATELESS;
	s.left_ns = 0;
	ck_assert_int_eq(nat64_import(a.n, &s, true, now),
			 NAT64_IMPORT_REFUSED);
	/* longer than our timers allow: cut */
	s.left_ns = INT64_C(1) << 50;
	ck_assert_int_eq(nat64_import(a.n, &s, true, now), NAT64_IMPORT_ADDED);
	now = mono_add(now, 301 * NS_PER_S);
	nat64_expire(a.n, now, 100000);
	ck_assert_uint_eq(sessions(&a), 0);
}
END_TEST

START_TEST(a_full_table_says_so)
{
	struct nat64_session_info s = {.flow = flow_of(1, NAT64_UDP, 0),
				       .left_ns = NS_PER_S};
	enum nat64_import last = NAT64_IMPORT_ADDED;

	s.flow.src4.s_addr = htonl(0xc0000201);
	for (unsigned int i = 0; i < 1025; i++) {
		s.flow.src6_port = s.flow.src4_port =
			htons((uint16_t)(2000 + i));
		ck_assert_int_eq(last, NAT64_IMPORT_ADDED);
		last = nat64_import(a.n, &s, true, now);
	}
	ck_assert_int_eq(last, NAT64_IMPORT_FULL);
}
END_TEST

START_TEST(headers_are_checked)
{
	struct sync_header h = {.from = 1, .to = 2, .seq = 3, .n = 1}, g;
	uint8_t at[SYNC_MAX_BYTES] = {0};
	size_t len = SYNC_HEADER_BYTES + SYNC_RECORD_BYTES;

	sync_encode_header(&h, at);
	ck_assert(sync_decode_header(at, len, &g));
	ck_assert(g.from == 1 && g.to == 2 && g.seq == 3 && g.n == 1);
	ck_assert(!sync_decode_header(at, len - 1, &g));
	ck_assert(!sync_decode_header(at, len + 1, &g));
	ck_assert(!sync_decode_header(at, 0, &g));
	at[0] ^= 1;
	ck_assert(!sync_decode_header(at, len, &g));
}
END_TEST

START_TEST(only_the_living_are_believed)
{
	struct sync_peer p = {.epoch = 100};
	struct sync_header h = {.from = 7, .to = 0, .seq = 1};

	ck_assert_int_eq(sync_accept(&p, &h), SYNC_STRANGER);
	ck_assert_uint_eq(p.stranger, 7);
	ck_assert_uint_eq(p.peer, 0);
	h.to = 100;
	h.seq = 10;
	ck_assert_int_eq(sync_accept(&p, &h), SYNC_NEW_PEER);
	ck_assert_int_eq(sync_accept(&p, &h), SYNC_REPLAY);
	h.seq = 13;
	ck_assert_int_eq(sync_accept(&p, &h), SYNC_FRESH);
	ck_assert_uint_eq(p.lost, 2);
	h.seq = 11; /* late */
	ck_assert_int_eq(sync_accept(&p, &h), SYNC_FRESH);
	ck_assert_uint_eq(p.lost, 1);
	ck_assert_int_eq(sync_accept(&p, &h), SYNC_REPLAY);
	h.seq = 13 + 1000;
	ck_assert_int_eq(sync_accept(&p, &h), SYNC_FRESH);
	h.seq = 14;
	ck_assert_int_eq(sync_accept(&p, &h), SYNC_REPLAY);
	h.from = 8; /* it has restarted */
	ck_assert_int_eq(sync_accept(&p, &h), SYNC_NEW_PEER);
	h.from = 7; /* recorded before that */
	h.seq = 99999;
	ck_assert_int_eq(sync_accept(&p, &h), SYNC_REPLAY);
}
END_TEST

/* Without the key one can still send back what we said, answers as well. */
START_TEST(our_own_words_are_not_the_peers)
{
	struct sync_peer p = {.epoch = 100};
	struct sync_header h = {.from = 100, .to = 0, .seq = 1};

	ck_assert_int_eq(sync_accept(&p, &h), SYNC_REPLAY);
	ck_assert_uint_eq(p.stranger, 0);
	h.to = 100;
	ck_assert_int_eq(sync_accept(&p, &h), SYNC_REPLAY);
	ck_assert_uint_eq(p.peer, 0);
	ck_assert_uint_eq(p.duplicates, 2);
	h = (struct sync_header){.from = 7, .to = 100, .seq = 1};
	ck_assert_int_eq(sync_accept(&p, &h), SYNC_NEW_PEER);
	h = (struct sync_header){.from = 100, .to = 100, .seq = 3};
	ck_assert_int_eq(sync_accept(&p, &h), SYNC_REPLAY);
	h = (struct sync_header){.from = 7, .to = 100, .seq = 2};
	ck_assert_int_eq(sync_accept(&p, &h), SYNC_FRESH);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sync");
	TCase *t = tcase_create("tables"), *w = tcase_create("wire");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, standby_takes_over_in_the_middle_of_tcp);
	tcase_add_loop_test(t, loss_reordering_duplicates_converge, 0, 20);
	tcase_add_test(t, refreshed_ones_stay_and_orphans_end);
	tcase_add_test(t, a_restart_gets_the_copies_back);
	tcase_add_test(t, split_brain_keeps_both_and_breaks_nothing);
	tcase_add_test(t, nonsense_is_refused);
	tcase_add_test(t, a_full_table_says_so);
	tcase_add_test(w, headers_are_checked);
	tcase_add_test(w, only_the_living_are_believed);
	tcase_add_test(w, our_own_words_are_not_the_peers);
	suite_add_tcase(s, t);
	suite_add_tcase(s, w);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}

/* SPDX-License-Identifier: MIT */
/* Two tables that tell each other of their sessions, over a bad wire. */
#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

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
		x->wire[x->n_wire++] =
			(struct sync_record){.session = *s, .kind = SYNC_TELL};
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
	return nat64_import(to->n, &got.session, 0, now);
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
		size_t n = nat64_list_news(from->n, &cursor, 4096, all, 0, now,
					   v, 64);

		for (size_t i = 0; i < n; i++) {
			struct sync_record r = {.session = v[i]};

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

/* What @x says of the session of @f, at this moment. */
static struct sync_record said(const struct node *x, const struct nat64_flow *f)
{
	struct sync_record r = {.kind = SYNC_TELL};

	ck_assert(nat64_find_session(x->n, f, now, &r.session));
	return r;
}

static enum nat64_state state_at(const struct node *x,
				 const struct nat64_flow *f)
{
	return said(x, f).session.state;
}

START_TEST(what_is_late_changes_nothing)
{
	struct sync_record first, last;
	struct nat64_flow f, g;

	establish(&a, 1, &f);
	first = said(&a, &f);
	g = flow_of(1, NAT64_TCP, NAT64_RST);
	ck_assert_int_eq(nat64_out(a.n, &g, now), REASON_OK);
	last = said(&a, &f);
	ck_assert_int_eq(last.session.state, NAT64_TRANS);
	ck_assert_int_eq(carry(&b, &last), NAT64_IMPORT_ADDED);
	/* established, and with hours left: but that was before */
	ck_assert_int_eq(carry(&b, &first), NAT64_IMPORT_KEPT);
	ck_assert_int_eq(state_at(&b, &f), NAT64_TRANS);
	ck_assert_int_le(said(&b, &f).session.left_ns, 240 * NS_PER_S);
}
END_TEST

START_TEST(a_former_session_is_older_than_a_new_one)
{
	struct nat64_flow f, g;
	struct sync_record old;

	establish(&a, 1, &f);
	g = flow_of(1, NAT64_TCP, NAT64_RST);
	nat64_out(a.n, &g, now);
	old = said(&a, &f);
	now = mono_add(now, 241 * NS_PER_S);
	while (nat64_expire(a.n, now, 100000))
		;
	ck_assert_uint_eq(sessions(&a), 0);
	establish(&a, 1, &g);
	ck_assert_uint_eq(g.src4_port, f.src4_port);
	deliver(&a, &b);
	ck_assert_int_eq(carry(&b, &old), NAT64_IMPORT_KEPT);
	ck_assert_int_eq(state_at(&b, &f), NAT64_ESTABLISHED);
}
END_TEST

START_TEST(who_has_taken_over_is_newer)
{
	struct nat64_flow f, g;
	struct sync_record before;

	establish(&a, 1, &f);
	deliver(&a, &b);
	before = said(&a, &f);
	g = flow_of(1, NAT64_TCP, 0);
	nat64_out(b.n, &g, now);
	ck_assert(!said(&b, &f).session.is_copy);
	ck_assert_int_eq(carry(&b, &before), NAT64_IMPORT_KEPT);
	ck_assert(!said(&b, &f).session.is_copy);
	before = said(&b, &f);
	ck_assert_int_eq(carry(&a, &before), NAT64_IMPORT_UPDATED);
	ck_assert(said(&a, &f).session.is_copy);
}
END_TEST

START_TEST(only_copies_end_by_the_peers_word)
{
	struct nat64_flow f, g;
	struct sync_record r;

	establish(&a, 1, &f);
	deliver(&a, &b);
	r = said(&b, &f);
	ck_assert(!nat64_import_end(a.n, &r.session)); /* its own */
	r.session.version--;
	ck_assert(!nat64_import_end(b.n, &r.session)); /* of an older one */
	g = flow_of(1, NAT64_TCP, 0);
	nat64_out(b.n, &g, now);
	r = said(&b, &f);
	ck_assert(!nat64_import_end(b.n, &r.session)); /* taken over */
	r = said(&a, &f);
	deliver(&b, &a);
	r = said(&b, &f);
	carry(&a, &r);
	ck_assert(nat64_import_end(a.n, &r.session));
	ck_assert_uint_eq(sessions(&a), 0);
	ck_assert(!nat64_import_end(a.n, &r.session));
}
END_TEST

/* Twice by tables that did not hear each other: the same everywhere after. */
START_TEST(equal_versions_agree)
{
	struct nat64_flow f, g;
	struct sync_record ra, rb;

	establish(&a, 1, &f);
	deliver(&a, &b);
	g = flow_of(1, NAT64_TCP, NAT64_FIN);
	nat64_in(a.n, &f, now);
	nat64_out(a.n, &g, now); /* own, one change */
	g = flow_of(1, NAT64_TCP, 0);
	nat64_out(b.n, &g, now); /* taken over, no change */
	ra = said(&a, &f);
	rb = said(&b, &f);
	ck_assert_uint_eq(ra.session.version, rb.session.version);
	ck_assert_int_ne(ra.session.state, rb.session.state);
	carry(&b, &ra);
	carry(&a, &rb);
	ck_assert_int_eq(state_at(&a, &f), NAT64_V6_FIN);
	ck_assert_int_eq(state_at(&b, &f), NAT64_V6_FIN);
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
	for (int i = 0; i < 2; i++) { /* and the wait of idle connections */
		now = mono_add(now, 8000 * NS_PER_S);
		while (nat64_expire(a.n, now, 10000))
			;
		while (nat64_expire(b.n, now, 10000))
			;
	}
	ck_assert_uint_eq(sessions(&a) + sessions(&b), 0);
}
END_TEST

START_TEST(nonsense_is_refused)
{
	struct nat64_session_info s = {.flow = flow_of(1, NAT64_UDP, 0),
				       .left_ns = NS_PER_S};

	s.flow.src4.s_addr = htonl(0xc0000209); /* not in pool4 */
	s.flow.src4_port = htons(5000);
	ck_assert_int_eq(nat64_import(a.n, &s, 0, now), NAT64_IMPORT_REFUSED);
	s.flow.src4.s_addr = htonl(0xc0000201);
	s.flow.src4_port = htons(80); /* out of its ports */
	ck_assert_int_eq(nat64_import(a.n, &s, 0, now), NAT64_IMPORT_REFUSED);
	s.flow.src4_port = htons(5000);
	s.state = NAT64_ESTABLISHED; /* UDP */
	ck_assert_int_eq(nat64_import(a.n, &s, 0, now), NAT64_IMPORT_REFUSED);
	s.state = NAT64_STATELESS;
	s.left_ns = 0;
	ck_assert_int_eq(nat64_import(a.n, &s, 0, now), NAT64_IMPORT_REFUSED);
	/* longer than our timers allow: cut */
	s.left_ns = INT64_C(1) << 50;
	ck_assert_int_eq(nat64_import(a.n, &s, 0, now), NAT64_IMPORT_ADDED);
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
		last = nat64_import(a.n, &s, 0, now);
	}
	ck_assert_int_eq(last, NAT64_IMPORT_FULL);
}
END_TEST

START_TEST(headers_are_checked)
{
	struct sync_header h = {.from = 1,
				.to = 2,
				.seq = 3,
				.sent_us = 4,
				.heard_us = 5,
				.walk = 6,
				.n = 1};
	struct sync_header g;
	uint8_t at[SYNC_MAX_BYTES] = {0};
	size_t len = SYNC_HEADER_BYTES + SYNC_RECORD_BYTES;

	sync_encode_header(&h, at);
	ck_assert(sync_decode_header(at, len, &g));
	ck_assert(g.from == 1 && g.to == 2 && g.seq == 3 && g.n == 1);
	ck_assert(g.sent_us == 4 && g.heard_us == 5 && g.walk == 6);
	ck_assert(!sync_decode_header(at, len - 1, &g));
	ck_assert(!sync_decode_header(at, len + 1, &g));
	ck_assert(!sync_decode_header(at, 0, &g));
	ck_assert(!sync_is_foreign(at, len));
	at[3] = '1';
	ck_assert(!sync_decode_header(at, len, &g));
	ck_assert(sync_is_foreign(at, len));
	ck_assert(!sync_is_foreign(at, 3));
	at[0] ^= 1;
	ck_assert(!sync_decode_header(at, len, &g));
	ck_assert(!sync_is_foreign(at, len));
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
	tcase_add_test(t, what_is_late_changes_nothing);
	tcase_add_test(t, a_former_session_is_older_than_a_new_one);
	tcase_add_test(t, who_has_taken_over_is_newer);
	tcase_add_test(t, only_copies_end_by_the_peers_word);
	tcase_add_test(t, equal_versions_agree);
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

/* SPDX-License-Identifier: MIT */
/* What is told of sessions, over a wire that loses, doubles and delays. */
#include "replica_testlib.h"

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

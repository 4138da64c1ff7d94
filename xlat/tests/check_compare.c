/* SPDX-License-Identifier: MIT */
/* Comparing two tables while they talk, change, and lose datagrams. */
#include "replica_testlib.h"

static struct compare_result compared(int64_t at_most_ns)
{
	struct mono end = mono_add(now, at_most_ns);
	struct compare_result out;

	ck_assert(compare_start(&a.replica, a.n, now));
	ck_assert(!compare_start(&a.replica, a.n, now)); /* it is running */
	ck_assert_ptr_null(compare_entry(&a.replica, 0));
	do {
		ck_assert(mono_before(now, end));
		tick();
		compare_get_result(&a.replica, now, &out);
	} while (out.phase != COMPARE_DONE);
	return out;
}

/* Nobody tells or walks from here on: what differs stays so. */
static void be_silent(void)
{
	nat64_unwatch(a.n, on_change, &a);
	nat64_unwatch(b.n, on_change, &b);
	a.replica.walk_at = b.replica.walk_at = mono_add(now, 3600 * NS_PER_S);
}

static void open_equal(uint32_t most)
{
	struct nat64_flow f;

	open_both(most, 1);
	run(NS_PER_S);
	for (unsigned int i = 0; i < HOSTS; i++)
		establish(&a, i, &f);
	run(NS_PER_S);
	ck_assert_equal_tables();
}

START_TEST(equal_tables_compare_as_such)
{
	struct compare_result c;

	open_both(1024, 1);
	ck_assert(!compare_start(&a.replica, a.n, now)); /* nobody there */
	close_both();
	open_equal(1024);
	c = compared(NS_PER_S);
	ck_assert(c.is_complete);
	ck_assert_uint_eq(c.here, HOSTS);
	ck_assert_uint_eq(c.there, HOSTS);
	ck_assert_uint_eq(c.ranges, 0);
	ck_assert_uint_eq(c.differing, 0);
	c = compared(NS_PER_S); /* once more */
	ck_assert(c.is_complete && !c.differing);
	close_both();
}
END_TEST

START_TEST(each_difference_is_found_and_left_alone)
{
	unsigned int listed[COMPARE_N_WHATS] = {0};
	struct compare_result c;
	struct nat64_flow f;

	open_equal(1024);
	be_silent();
	for (unsigned int i = 0; i < 3; i++)
		establish(&a, 500 + i, &f);
	for (unsigned int i = 0; i < 2; i++)
		establish(&b, 600 + i, &f);
	f = flow_of(7, NAT64_TCP, NAT64_FIN);
	nat64_out(a.n, &f, now);
	c = compared(5 * NS_PER_S);
	ck_assert(c.is_complete);
	ck_assert_uint_ge(c.ranges, 4);
	ck_assert_uint_le(c.ranges, 6);
	ck_assert_uint_eq(c.differing, 6);
	ck_assert_uint_eq(c.by_what[COMPARE_ONLY_HERE], 3);
	ck_assert_uint_eq(c.by_what[COMPARE_ONLY_THERE], 2);
	ck_assert_uint_eq(c.by_what[COMPARE_CHANGED], 1);
	for (size_t i = 0; compare_entry(&a.replica, i); i++) {
		const struct compare_entry *e = compare_entry(&a.replica, i);

		listed[e->what]++;
		if (e->what == COMPARE_CHANGED)
			ck_assert_int_eq(e->session.flow.src6_port,
					 f.src6_port);
	}
	ck_assert_uint_eq(listed[COMPARE_ONLY_HERE], 3);
	ck_assert_uint_eq(listed[COMPARE_ONLY_THERE], 2);
	ck_assert_uint_eq(listed[COMPARE_CHANGED], 1);
	ck_assert_uint_eq(sessions(&a), HOSTS + 3);
	ck_assert_uint_eq(sessions(&b), HOSTS + 2);
	close_both();
}
END_TEST

/* What is under way when it is asked for is no difference. */
START_TEST(traffic_is_no_difference)
{
	struct compare_result c;
	struct nat64_flow f;

	open_equal(MOST);
	for (unsigned int i = HOSTS; i < 10000; i++) {
		establish(&a, i, &f);
		if (i % 500 == 0)
			tick();
	}
	run(6 * NS_PER_S); /* a walk tells what was held back */
	wire.delay_ns = 15 * NS_PER_MS;
	ck_assert(compare_start(&a.replica, a.n, now));
	do {
		for (int k = 0; k < 20; k++) {
			unsigned int host =
				(unsigned int)(rng_next(&rng) % 12000);

			f = flow_of(host, NAT64_TCP,
				    rng_next(&rng) % 2 ? NAT64_SYN : NAT64_RST);
			if (nat64_out(a.n, &f, now) == REASON_OK)
				nat64_in(a.n, &f, now);
		}
		tick();
		compare_get_result(&a.replica, now, &c);
		ck_assert_int_lt(c.took_ms, 20000);
	} while (c.phase != COMPARE_DONE);
	ck_assert(c.is_complete);
	ck_assert_uint_gt(c.ranges, 0);
	/* a change within the 15 ms that a question and its answer take */
	ck_assert_uint_le(c.differing, 2);
	close_both();
}
END_TEST

START_TEST(what_is_lost_makes_it_incomplete)
{
	struct compare_result c;
	struct nat64_flow f;

	open_equal(1024);
	be_silent();
	for (unsigned int i = 0; i < 300; i++)
		establish(&b, 400 + i, &f);
	wire.lost = 40;
	c = compared(60 * NS_PER_S);
	ck_assert(!c.is_complete);
	ck_assert_uint_gt(c.unanswered, 0);
	wire.lost = 100;
	c = compared(60 * NS_PER_S);
	ck_assert(!c.is_complete);
	wire.lost = 0;
	run(2 * NS_PER_S);
	a.replica.walk_at = b.replica.walk_at = mono_add(now, 3600 * NS_PER_S);
	close_both();
}
END_TEST

START_TEST(the_list_of_differences_is_bounded)
{
	struct compare_result c;
	struct nat64_flow f;

	open_equal(8192);
	be_silent();
	for (unsigned int i = 0; i < 3000; i++)
		establish(&a, 500 + i, &f);
	c = compared(20 * NS_PER_S);
	ck_assert(c.is_complete);
	ck_assert_uint_eq(c.differing, 3000);
	ck_assert_uint_eq(c.by_what[COMPARE_ONLY_HERE], COMPARE_LISTED);
	ck_assert_ptr_nonnull(compare_entry(&a.replica, COMPARE_LISTED - 1));
	ck_assert_ptr_null(compare_entry(&a.replica, COMPARE_LISTED));
	close_both();
}
END_TEST

START_TEST(a_restart_ends_a_comparison)
{
	struct compare_result c;

	open_equal(1024);
	ck_assert(compare_start(&a.replica, a.n, now));
	free(b.mem);
	open_node(&b, &a, 1024);
	run(2 * NS_PER_S);
	compare_get_result(&a.replica, now, &c);
	ck_assert_int_eq(c.phase, COMPARE_DONE);
	ck_assert(!c.is_complete);
	run(10 * NS_PER_S);
	c = compared(5 * NS_PER_S);
	ck_assert(c.is_complete && !c.differing);
	close_both();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("compare");
	TCase *c = tcase_create("two");
	SRunner *r;
	int failed;

	tcase_set_timeout(c, 120);
	tcase_add_test(c, equal_tables_compare_as_such);
	tcase_add_test(c, each_difference_is_found_and_left_alone);
	tcase_add_test(c, traffic_is_no_difference);
	tcase_add_test(c, what_is_lost_makes_it_incomplete);
	tcase_add_test(c, the_list_of_differences_is_bounded);
	tcase_add_test(c, a_restart_ends_a_comparison);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}

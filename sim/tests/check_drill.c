/* SPDX-License-Identifier: MIT */
/* Windows of streams with known gaps: 1000 packets a second, 26 ms away. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "../../xlat/base/arena.h"
#include "../../xlat/base/clock.h"
#include "../score/score.h"

#define MAX	20000
#define START	(INT64_C(7) * NS_PER_S)
#define LATENCY (INT64_C(26) * NS_PER_MS)
#define MS	1e6

static struct stream_arrival arr[MAX];
static size_t n;
static struct arena *arena;
static struct drill_score s;

static void setup(void)
{
	n = 0;
	arena = arena_new();
}

static void teardown(void)
{
	arena_free(arena);
}

static void arrive_late(uint32_t seq, int64_t late_ms)
{
	struct stream_arrival *p = &arr[n++];

	ck_assert_uint_lt(n, MAX);
	p->seq = seq;
	p->sent_ns = START + (int64_t)seq * NS_PER_MS;
	p->received_ns = p->sent_ns + LATENCY + late_ms * NS_PER_MS;
}

static void arrive(uint32_t from, uint32_t to)
{
	for (uint32_t seq = from; seq < to; seq++)
		arrive_late(seq, 0);
}

/* A window from @from_ms to @to_ms after the start, of @sent packets. */
static void analyse(uint64_t sent, int64_t from_ms, int64_t to_ms)
{
	const struct stream_trace t = {.arr = arr,
				       .n = n,
				       .sent = sent,
				       .rate_pps = 1000,
				       .start_ns = START};

	drill_analyse(&t, START + from_ms * NS_PER_MS,
		      START + to_ms * NS_PER_MS, arena, &s);
}

static void assert_near(double got, double want)
{
	ck_assert_msg(fabs(got - want) < 1, "got %.3f, want %.3f", got, want);
}

START_TEST(test_nothing_happens)
{
	arrive(0, 1000);
	analyse(1000, 300, 600);
	ck_assert_uint_eq(s.sent, 300);
	ck_assert_uint_eq(s.lost + s.duplicated + s.reordered + s.late, 0);
	assert_near(s.gap_ns, 0);
	assert_near(s.recover_ns, 0);
}
END_TEST

/* 400..599 are lost: from 420 on they are the window's. */
START_TEST(test_gap_within)
{
	arrive(0, 400);
	arrive(600, 1000);
	analyse(1000, 380, 900);
	ck_assert_uint_eq(s.lost, 200);
	/* 399 came at 425, 600 at 626 */
	assert_near(s.gap_ns, 200 * MS);
	assert_near(s.recover_ns, 220 * MS);
}
END_TEST

/* What was lost before a drill is not the drill's, nor what is after. */
START_TEST(test_gaps_outside)
{
	arrive(0, 100);
	arrive(200, 700);
	arrive(800, 1000);
	analyse(1000, 300, 600);
	ck_assert_uint_eq(s.lost, 0);
	assert_near(s.gap_ns, 0);
	assert_near(s.recover_ns, 0);
}
END_TEST

START_TEST(test_two_gaps_and_the_later_end)
{
	arrive(0, 400);
	arrive(450, 500);
	arrive(530, 1000);
	analyse(1000, 390, 1000);
	ck_assert_uint_eq(s.lost, 80);
	assert_near(s.gap_ns, 50 * MS);
	assert_near(s.recover_ns, 140 * MS);
}
END_TEST

/* Still losing when the window ends: no time to recover can be told. */
START_TEST(test_never_recovered)
{
	arrive(0, 400);
	arrive(900, 1000);
	analyse(1000, 390, 800);
	ck_assert_uint_eq(s.lost, 400);
	assert_near(s.gap_ns, 800 * MS - 425 * MS - MS);
	ck_assert(isnan(s.recover_ns));
	/* the next drill begins with what is left of it */
	analyse(1000, 800, 1000);
	ck_assert_uint_eq(s.lost, 100);
	assert_near(s.gap_ns, 125 * MS);
	assert_near(s.recover_ns, 100 * MS);
}
END_TEST

START_TEST(test_lost_to_the_end_of_the_stream)
{
	arrive(0, 400);
	analyse(1000, 390, 5000);
	ck_assert_uint_eq(s.lost, 600);
	assert_near(s.gap_ns, 1000 * MS - 425 * MS - MS);
	ck_assert(isnan(s.recover_ns));
}
END_TEST

START_TEST(test_nothing_ever_came)
{
	analyse(1000, 0, 1000);
	ck_assert_uint_eq(s.lost, 1000);
	assert_near(s.gap_ns, 999 * MS);
	ck_assert(isnan(s.recover_ns));
}
END_TEST

START_TEST(test_duplicates_reordering_and_late_ones)
{
	arrive(0, 500);
	arrive_late(499, 1);
	arrive_late(501, 1);
	arrive_late(500, 3);
	arrive(505, 1000);
	/* 502 came after 1.2 s, the others never */
	arrive_late(502, 1174);
	analyse(2000, 400, 900);
	ck_assert_uint_eq(s.duplicated, 1);
	ck_assert_uint_eq(s.reordered, 2);
	ck_assert_uint_eq(s.late, 1);
	ck_assert_uint_eq(s.lost, 2);
}
END_TEST

START_TEST(test_hostile_records)
{
	arrive(0, 100);
	arrive_late(UINT32_MAX, 0);
	arrive_late(5000, 0);
	analyse(100, 50, 60);
	ck_assert_uint_eq(s.sent, 10);
	ck_assert_uint_eq(s.lost, 0);
	analyse(100, 60, 50);
	ck_assert_uint_eq(s.sent, 0);
	analyse(100, 5000, 6000);
	ck_assert_uint_eq(s.sent, 0);
	analyse(0, 0, 1000);
	ck_assert_uint_eq(s.sent, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("drill");
	TCase *t = tcase_create("drill");
	SRunner *r = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_nothing_happens);
	tcase_add_test(t, test_gap_within);
	tcase_add_test(t, test_gaps_outside);
	tcase_add_test(t, test_two_gaps_and_the_later_end);
	tcase_add_test(t, test_never_recovered);
	tcase_add_test(t, test_lost_to_the_end_of_the_stream);
	tcase_add_test(t, test_nothing_ever_came);
	tcase_add_test(t, test_duplicates_reordering_and_late_ones);
	tcase_add_test(t, test_hostile_records);
	suite_add_tcase(suite, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

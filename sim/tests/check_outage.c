/* SPDX-License-Identifier: MIT */
/* Streams with known gaps: 1000 packets a second unless said otherwise. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "../../xlat/base/clock.h"
#include "../../xlat/base/rng.h"
#include "../score/score.h"

#define MAX	400000
#define START	(INT64_C(7) * NS_PER_S)
#define LATENCY (INT64_C(26) * NS_PER_MS)
#define MS	1e6

static struct stream_arrival arr[MAX];
static size_t n;
static struct stream_score s;

static void setup(void)
{
	n = 0;
}

/* Packet @seq arrives @late_ms after its usual time. */
static void arrive_late(uint32_t seq, int64_t late_ms)
{
	struct stream_arrival *p = &arr[n++];

	ck_assert_uint_lt(n, MAX);
	p->seq = seq;
	p->sent_ns = START + (int64_t)seq * NS_PER_MS;
	p->received_ns = p->sent_ns + LATENCY + late_ms * NS_PER_MS;
}

/* Packets @from up to but without @to, on time. */
static void arrive(uint32_t from, uint32_t to)
{
	for (uint32_t seq = from; seq < to; seq++)
		arrive_late(seq, 0);
}

static void analyse(uint64_t sent)
{
	stream_analyse(arr, n, sent, 1000, START, &s);
}

static void assert_near(double got, double want)
{
	ck_assert_msg(fabs(got - want) < 1, "got %.3f, want %.3f", got, want);
}

static void assert_counts(uint64_t received, uint64_t lost, uint64_t dup,
			  uint64_t reordered)
{
	ck_assert_uint_eq(s.received, received);
	ck_assert_uint_eq(s.lost, lost);
	ck_assert_uint_eq(s.duplicated, dup);
	ck_assert_uint_eq(s.reordered, reordered);
	assert_near(s.outage_ns, (double)lost * MS);
}

START_TEST(test_clean)
{
	arrive(0, 1000);
	analyse(1000);
	ck_assert_uint_eq(s.sent, 1000);
	assert_counts(1000, 0, 0, 0);
	assert_near(s.longest_gap_ns, 0);
	assert_near(s.latency_p50_ns, 26 * MS);
	assert_near(s.latency_p99_ns, 26 * MS);
	assert_near(s.latency_max_ns, 26 * MS);
}
END_TEST

START_TEST(test_gap_in_the_middle)
{
	arrive(0, 400);
	arrive(483, 1000);
	analyse(1000);
	assert_counts(917, 83, 0, 0);
	assert_near(s.longest_gap_ns, 83 * MS);
	assert_near(s.gap_start_ns, 399 * MS + 26 * MS);
	assert_near(s.recovered_ns, 483 * MS);
}
END_TEST

START_TEST(test_longest_of_two)
{
	arrive(0, 100);
	arrive(150, 600);
	arrive(640, 1000);
	analyse(1000);
	assert_counts(910, 90, 0, 0);
	assert_near(s.longest_gap_ns, 50 * MS);
	assert_near(s.recovered_ns, 150 * MS);
}
END_TEST

START_TEST(test_late_start)
{
	arrive(250, 1000);
	analyse(1000);
	assert_counts(750, 250, 0, 0);
	assert_near(s.longest_gap_ns, 250 * MS);
	assert_near(s.gap_start_ns, 0);
	assert_near(s.recovered_ns, 250 * MS);
}
END_TEST

START_TEST(test_never_resumes)
{
	arrive(0, 700);
	analyse(1000);
	assert_counts(700, 300, 0, 0);
	assert_near(s.longest_gap_ns, 300 * MS);
	assert_near(s.gap_start_ns, 699 * MS + 26 * MS);
	ck_assert(isnan(s.recovered_ns));
}
END_TEST

START_TEST(test_empty)
{
	analyse(1000);
	assert_counts(0, 1000, 0, 0);
	assert_near(s.longest_gap_ns, 1000 * MS);
	assert_near(s.gap_start_ns, 0);
	ck_assert(isnan(s.recovered_ns));
	ck_assert(isnan(s.latency_p50_ns));
	ck_assert(isnan(s.latency_p99_ns));
	ck_assert(isnan(s.latency_max_ns));
}
END_TEST

START_TEST(test_nothing_sent)
{
	analyse(0);
	assert_counts(0, 0, 0, 0);
	assert_near(s.longest_gap_ns, 0);
	stream_analyse(arr, 0, 10, 0, START, &s); /* no rate: no division */
	assert_near(s.longest_gap_ns, 0);
	assert_near(s.outage_ns, 0);
}
END_TEST

/* A queue that held packets back: nothing is lost, yet nothing came. */
START_TEST(test_held_back)
{
	arrive(0, 300);
	for (uint32_t seq = 300; seq < 400; seq++)
		arrive_late(seq, 400 - seq);
	arrive(400, 1000);
	analyse(1000);
	assert_counts(1000, 0, 0, 0);
	assert_near(s.longest_gap_ns, 100 * MS);
	assert_near(s.recovered_ns, 300 * MS);
	assert_near(s.latency_max_ns, 126 * MS);
	assert_near(s.latency_p50_ns, 26 * MS);
	/* rank 989.01 of 0..999: 90 ms late, by a hundredth of the step */
	assert_near(s.latency_p99_ns, 26 * MS + 90.01 * MS);
}
END_TEST

START_TEST(test_duplicates)
{
	for (uint32_t seq = 0; seq < 100; seq++) {
		arrive_late(seq, 0);
		if (seq % 10 == 0)
			arrive_late(seq, 0);
	}
	analyse(100);
	assert_counts(100, 0, 10, 0);
	assert_near(s.longest_gap_ns, 0);
}
END_TEST

/* A second copy that comes in the middle of a gap does not end it. */
START_TEST(test_duplicate_in_gap)
{
	arrive(0, 100);
	arrive_late(99, 40);
	arrive_late(99, 50);
	arrive(200, 300);
	analyse(300);
	assert_counts(200, 100, 2, 0);
	assert_near(s.longest_gap_ns, 100 * MS);
	assert_near(s.recovered_ns, 200 * MS);
	assert_near(s.latency_max_ns, 26 * MS);
}
END_TEST

/* RFC 4737: 3 and 4 come after 5, so both are reordered; 5 is not. */
START_TEST(test_reordered)
{
	arrive(0, 3);
	arrive(5, 6);
	arrive_late(3, 2);
	arrive_late(4, 1);
	arrive(6, 10);
	analyse(10);
	assert_counts(10, 0, 0, 2);
	arrive_late(4, 9);
	analyse(10);
	assert_counts(10, 0, 1, 2);
}
END_TEST

/* A delayed packet that comes within the gap splits it: something came. */
START_TEST(test_reordering_in_gap)
{
	arrive(0, 98);
	arrive(99, 100);
	arrive_late(98, 61); /* 60 ms after 99 */
	arrive(200, 300);
	analyse(300);
	assert_counts(200, 100, 0, 1);
	assert_near(s.longest_gap_ns, 59 * MS);
	assert_near(s.gap_start_ns, 99 * MS + 26 * MS);
	assert_near(s.recovered_ns, 98 * MS);
}
END_TEST

START_TEST(test_never_sent)
{
	arrive(0, 10);
	arrive(900, 910);
	analyse(10);
	assert_counts(10, 0, 0, 0);
	assert_near(s.longest_gap_ns, 0);
}
END_TEST

/* Numbers older than the window that remembers copies. */
START_TEST(test_long_stream)
{
	arrive(0, 50);
	arrive(60, 100);
	arrive(101, 200000);
	arrive_late(55, 199950); /* first copy, very late */
	arrive_late(7, 199999);	 /* second copy */
	arrive_late(55, 200000); /* second copy of the late one */
	arrive(270000, 270010);	 /* further than the window */
	arrive_late(269999, 10);
	arrive_late(269999, 10);
	arrive_late(200001, 70010); /* first copy beyond the window */
	analyse(270010);
	ck_assert_uint_eq(s.duplicated, 3);
	ck_assert_uint_eq(s.reordered, 3);
	ck_assert_uint_eq(s.received, 50 + 40 + 199899 + 10 + 3);
	ck_assert_uint_eq(s.lost, s.sent - s.received);
}
END_TEST

/* Against a table of what was seen: any order, copies, losses. */
START_TEST(test_random_counts)
{
	struct rng rng;

	rng_init(&rng, (uint64_t)_i);
	for (int round = 0; round < 50; round++) {
		uint64_t distinct = 0, copies = 0, late = 0, next = 0;
		bool seen[200] = {false};

		n = 0;
		for (int k = 0; k < 300; k++) {
			uint32_t seq = (uint32_t)rng_below(&rng, 200);

			arrive_late(seq, 0);
			copies += seen[seq];
			distinct += !seen[seq];
			late += !seen[seq] && seq < next;
			next = seq >= next ? seq + 1 : next;
			seen[seq] = true;
		}
		analyse(200);
		assert_counts(distinct, 200 - distinct, copies, late);
	}
}
END_TEST

START_TEST(test_other_rate)
{
	for (uint32_t seq = 0; seq < 100; seq++)
		if (seq < 40 || seq >= 50)
			arr[n++] = (struct stream_arrival){
				.seq = seq,
				.sent_ns = START + seq * 20 * NS_PER_MS,
				.received_ns =
					START + (seq * 20 + 5) * NS_PER_MS,
			};
	stream_analyse(arr, n, 100, 50, START, &s);
	assert_near(s.longest_gap_ns, 200 * MS);
	assert_near(s.outage_ns, 200 * MS);
	assert_near(s.recovered_ns, 1000 * MS);
	assert_near(s.latency_p50_ns, 5 * MS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("outage");
	TCase *t = tcase_create("streams");
	SRunner *sr = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, t);
	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, test_clean);
	tcase_add_test(t, test_gap_in_the_middle);
	tcase_add_test(t, test_longest_of_two);
	tcase_add_test(t, test_late_start);
	tcase_add_test(t, test_never_resumes);
	tcase_add_test(t, test_empty);
	tcase_add_test(t, test_nothing_sent);
	tcase_add_test(t, test_held_back);
	tcase_add_test(t, test_duplicates);
	tcase_add_test(t, test_duplicate_in_gap);
	tcase_add_test(t, test_reordered);
	tcase_add_test(t, test_reordering_in_gap);
	tcase_add_test(t, test_never_sent);
	tcase_add_test(t, test_long_stream);
	tcase_add_loop_test(t, test_random_counts, 1, 6);
	tcase_add_test(t, test_other_rate);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "../../xlat/base/rng.h"
#include "../score/score.h"

#define N(v) (sizeof(v) / sizeof(*(v)))

static void assert_near(double got, double want, double within)
{
	ck_assert_msg(fabs(got - want) <= within, "got %.9g, want %.9g", got,
		      want);
}

START_TEST(test_median)
{
	const double odd[] = {5, 1, 3}, even[] = {4, 1, 3, 2};
	const double same[] = {7, 7, 7, 7}, mixed[] = {-1.5, 0, -3, 2, 1e9};

	ck_assert(isnan(stats_median(NULL, 0)));
	ck_assert_double_eq(stats_median(odd, 1), 5);
	ck_assert_double_eq(stats_median(odd, N(odd)), 3);
	ck_assert_double_eq(stats_median(even, N(even)), 2.5);
	ck_assert_double_eq(stats_median(same, N(same)), 7);
	ck_assert_double_eq(stats_median(mixed, N(mixed)), 0);
}
END_TEST

START_TEST(test_percentile)
{
	const double v[] = {50, 10, 40, 20, 30};

	ck_assert(isnan(stats_percentile(v, 0, 0.5)));
	ck_assert_double_eq(stats_percentile(v, N(v), 0), 10);
	ck_assert_double_eq(stats_percentile(v, N(v), 1), 50);
	assert_near(stats_percentile(v, N(v), 0.25), 20, 1e-9);
	assert_near(stats_percentile(v, N(v), 0.1), 14, 1e-9);
	assert_near(stats_percentile(v, N(v), 0.99), 49.6, 1e-9);
	ck_assert_double_eq(stats_percentile(v, N(v), 7), 50);
}
END_TEST

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Selection by bisection agrees with sorting, whatever the values. */
START_TEST(test_percentile_is_sorted)
{
	double v[301], sorted[301];
	struct rng rng;

	rng_init(&rng, 1);
	for (int round = 0; round < 20; round++) {
		for (size_t i = 0; i < N(v); i++)
			sorted[i] = v[i] = (rng_unit(&rng) - 0.5) *
					   pow(10, 20 * rng_unit(&rng));
		qsort(sorted, N(v), sizeof(*v), by_value);
		for (size_t k = 0; k < N(v); k += 25) {
			double q = (double)k / 300;

			ck_assert_double_eq(stats_percentile(v, N(v), q),
					    sorted[k]);
		}
	}
}
END_TEST

START_TEST(test_bootstrap)
{
	const double v[] = {9.8, 10.1, 10.0, 9.9, 10.3, 10.2, 9.7};
	double lo, hi, lo2, hi2;

	stats_bootstrap_median(v, 0, 0.95, 1, &lo, &hi);
	ck_assert(isnan(lo) && isnan(hi));
	stats_bootstrap_median(v, 1, 0.95, 1, &lo, &hi);
	ck_assert_double_eq(lo, 9.8);
	ck_assert_double_eq(hi, 9.8);
	stats_bootstrap_median(v, N(v), 0.95, 42, &lo, &hi);
	ck_assert(lo >= 9.7 && lo < 10.0 && hi > 10.0 && hi <= 10.3);
	stats_bootstrap_median(v, N(v), 0.95, 42, &lo2, &hi2);
	ck_assert_double_eq(lo, lo2);
	ck_assert_double_eq(hi, hi2);
	stats_bootstrap_median(v, N(v), 0.5, 42, &lo2, &hi2);
	ck_assert(lo2 >= lo && hi2 <= hi && hi2 - lo2 < hi - lo);
}
END_TEST

/*
 * The bootstrap of the median of an odd sample is known: a resample's median
 * is at most the k-th value when more than half of n draws fall on the first k.
 */
START_TEST(test_bootstrap_exact)
{
	const double v[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
	double lo, hi;

	/* P(median <= 2) = 0.0304, P(median <= 3) = 0.1448: 5 % is at 3 */
	stats_bootstrap_median(v, N(v), 0.9, 7, &lo, &hi);
	ck_assert_double_eq(lo, 3);
	ck_assert_double_eq(hi, 7);
}
END_TEST

START_TEST(test_bootstrap_large)
{
	double v[1000], lo, hi;

	for (size_t i = 0; i < N(v); i++)
		v[i] = (double)((i * 7919) % N(v));
	stats_bootstrap_median(v, N(v), 0.95, 1, &lo, &hi);
	/* 1.96 * sqrt(1000) / 2 = 31 ranks either way */
	assert_near(lo, 499.5 - 31, 1);
	assert_near(hi, 499.5 + 31, 1);
}
END_TEST

/* Two samples of @n without ties whose U is @u. */
static double p_of_u(size_t n, size_t u)
{
	double a[32], b[32];

	for (size_t i = 0; i < n; i++) {
		size_t share = u < n ? u : n;

		u -= share;
		a[i] = (double)share + 0.5 + (double)i / 1000;
		b[i] = (double)i + 1;
	}
	ck_assert_uint_eq(u, 0);
	return stats_mann_whitney(a, n, b, n);
}

/* Critical values of U, two-sided, as every statistics book prints them. */
START_TEST(test_mann_whitney_tables)
{
	static const struct {
		size_t n, at_5, at_1;
	} table[] = {
		{5, 2, 0},    {6, 5, 2},      {7, 8, 4},    {8, 13, 7},
		{9, 17, 11},  {10, 23, 16},   {12, 37, 27}, {15, 64, 51},
		{18, 99, 81}, {20, 127, 105},
	};

	for (size_t i = 0; i < N(table); i++) {
		size_t n = table[i].n;

		ck_assert(p_of_u(n, table[i].at_5) <= 0.05);
		ck_assert(p_of_u(n, table[i].at_5 + 1) > 0.05);
		ck_assert(p_of_u(n, table[i].at_1) <= 0.01);
		ck_assert(p_of_u(n, table[i].at_1 + 1) > 0.01);
	}
}
END_TEST

START_TEST(test_mann_whitney_exact)
{
	const double a[] = {1, 2, 2, 3}, b[] = {2, 3, 4, 4};
	const double c[] = {0.9, 1.0, 1.1, 1.2, 1.2, 1.3};
	const double d[] = {1.2, 1.3, 1.4, 1.5, 1.5};
	const double ones[] = {1, 1, 1, 1};

	assert_near(p_of_u(3, 0), 2.0 / 20, 1e-12);
	assert_near(p_of_u(4, 0), 2.0 / 70, 1e-12);
	assert_near(p_of_u(5, 0), 2.0 / 252, 1e-12);
	assert_near(p_of_u(5, 2), 8.0 / 252, 1e-12);
	assert_near(p_of_u(5, 25), 2.0 / 252, 1e-12);
	/* with ties: counted out over all 70 and 462 arrangements */
	assert_near(stats_mann_whitney(a, 4, b, 4), 14.0 / 70, 1e-12);
	assert_near(stats_mann_whitney(b, 4, a, 4), 14.0 / 70, 1e-12);
	assert_near(stats_mann_whitney(c, 6, d, 5), 10.0 / 462, 1e-12);
	ck_assert_double_eq(stats_mann_whitney(ones, 4, ones, 4), 1);
	ck_assert(isnan(stats_mann_whitney(a, 0, b, 4)));
	ck_assert(isnan(stats_mann_whitney(a, 4, b, 0)));
}
END_TEST

START_TEST(test_mann_whitney_normal)
{
	double a[21], ones[40];

	for (size_t i = 0; i < N(ones); i++)
		ones[i] = 1;
	for (size_t i = 0; i < N(a); i++)
		a[i] = (double)i;
	/* erfc((|U - n^2/2| - 1/2) / sd / sqrt(2)), worked out elsewhere */
	assert_near(p_of_u(21, 142), 0.049745, 1e-6);
	assert_near(p_of_u(25, 0), 1.41566e-9, 1e-14);
	assert_near(stats_mann_whitney(a, 21, a, 21), 1, 1e-12);
	ck_assert_double_eq(stats_mann_whitney(ones, 40, ones, 40), 1);
	/* either side of the border to the exact computation */
	assert_near(p_of_u(21, 150), p_of_u(20, 134), 0.01);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stats");
	TCase *t = tcase_create("stats");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, test_median);
	tcase_add_test(t, test_percentile);
	tcase_add_test(t, test_percentile_is_sorted);
	tcase_add_test(t, test_bootstrap);
	tcase_add_test(t, test_bootstrap_exact);
	tcase_add_test(t, test_bootstrap_large);
	tcase_add_test(t, test_mann_whitney_tables);
	tcase_add_test(t, test_mann_whitney_exact);
	tcase_add_test(t, test_mann_whitney_normal);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

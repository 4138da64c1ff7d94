/* SPDX-License-Identifier: MIT */
/*
 * Order statistics without memory of their own: the k-th smallest value is
 * found by bisecting the (ordered) bit patterns of doubles, 64 passes at most.
 */
#include "score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../xlat/base/rng.h"

#define RESAMPLES     2000
#define BOOTSTRAP_MAX 512 /* values; more are treated by the normal limit */
#define EXACT_MAX     20  /* values a side */
#define RANK_SUM2_MAX (2 * EXACT_MAX * (2 * EXACT_MAX + 1))

/* Doubles in the order of their values, as integers (NaN is not expected). */
static uint64_t order_key(double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static double order_value(uint64_t key)
{
	uint64_t bits = key >> 63 ? key & ~(UINT64_C(1) << 63) : ~key;
	double v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

/* The value that @k others precede, 0 <= k < n. */
static double kth(const double *v, size_t n, size_t k)
{
	uint64_t lo = UINT64_MAX, hi = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t key = order_key(v[i]);

		lo = key < lo ? key : lo;
		hi = key > hi ? key : hi;
	}
	while (lo < hi) {
		uint64_t mid = lo + (hi - lo) / 2;
		size_t below = 0;

		for (size_t i = 0; i < n; i++)
			below += order_key(v[i]) <= mid;
		if (below > k)
			hi = mid;
		else
			lo = mid + 1;
	}
	return order_value(lo);
}

double stats_percentile(const double *v, size_t n, double q)
{
	double at, low;
	size_t k;

	if (n == 0)
		return NAN;
	at = fmin(fmax(q, 0), 1) * (double)(n - 1);
	k = (size_t)floor(at);
	low = kth(v, n, k);
	if (k + 1 >= n || at <= (double)k)
		return low;
	return low + (kth(v, n, k + 1) - low) * (at - (double)k);
}

double stats_median(const double *v, size_t n)
{
	return stats_percentile(v, n, 0.5);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* The median of a resample that holds sorted[i] count[i] times. */
static double median_of_counts(const double *sorted, const uint16_t *count,
			       size_t n)
{
	size_t seen = 0, i = 0, low, high = n / 2;

	low = n % 2 ? high : high - 1;
	while ((seen += count[i]) <= low)
		i++;
	low = i;
	while (seen <= high)
		seen += count[++i];
	return (sorted[low] + sorted[i]) / 2;
}

/* The z for which a share @level of a normal distribution is within +-z. */
static double normal_z(double level)
{
	double lo = 0, hi = 40;

	for (int i = 0; i < 100; i++) {
		double mid = (lo + hi) / 2;

		if (erfc(mid / sqrt(2)) > 1 - level)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

void stats_bootstrap_median(const double *v, size_t n, double level,
			    uint64_t seed, double *lo, double *hi)
{
	double sorted[BOOTSTRAP_MAX], medians[RESAMPLES];
	uint16_t count[BOOTSTRAP_MAX];
	double half, tail = (1 - level) / 2;
	struct rng rng;

	*lo = *hi = n == 0 ? (double)NAN : v[0];
	if (n <= 1)
		return;
	if (n > BOOTSTRAP_MAX) {
		half = normal_z(level) / (2 * sqrt((double)n));
		*lo = stats_percentile(v, n, 0.5 - half);
		*hi = stats_percentile(v, n, 0.5 + half);
		return;
	}
	memcpy(sorted, v, n * sizeof(*v));
	qsort(sorted, n, sizeof(*sorted), by_value);
	rng_init(&rng, seed);
	for (size_t r = 0; r < RESAMPLES; r++) {
		memset(count, 0, n * sizeof(*count));
		for (size_t i = 0; i < n; i++)
			count[rng_below(&rng, n)]++;
		medians[r] = median_of_counts(sorted, count, n);
	}
	*lo = stats_percentile(medians, RESAMPLES, tail);
	*hi = stats_percentile(medians, RESAMPLES, 1 - tail);
}

/* ---- Mann-Whitney ----------------------------------------------------------
 */

/* Twice the mid-rank of @x among both samples: an integer, ties or not. */
static size_t rank2(double x, const double *a, size_t na, const double *b,
		    size_t nb)
{
	size_t below = 0, equal = 0;

	for (size_t i = 0; i < na + nb; i++) {
		double y = i < na ? a[i] : b[i - na];

		below += y < x;
		equal += y == x;
	}
	return 2 * below + equal + 1;
}

/*
 * The permutation distribution of the rank sum of the first sample: how many
 * of the ways to choose na of all values give each (doubled) sum. At most
 * C(40, 20) ways, which a double holds exactly.
 */
static double exact_p(const double *a, size_t na, const double *b, size_t nb)
{
	double ways[EXACT_MAX + 1][RANK_SUM2_MAX + 1] = {{1}};
	double far = 0, all = 0, mean2, got2 = 0;
	size_t n = na + nb;

	for (size_t i = 0; i < n; i++) {
		size_t r = rank2(i < na ? a[i] : b[i - na], a, na, b, nb);

		got2 += i < na ? (double)r : 0;
		for (size_t k = na; k > 0; k--)
			for (size_t s = RANK_SUM2_MAX; s >= r; s--)
				ways[k][s] += ways[k - 1][s - r];
	}
	mean2 = (double)na * (double)(n + 1);
	for (size_t s = 0; s <= RANK_SUM2_MAX; s++) {
		all += ways[na][s];
		if (fabs((double)s - mean2) >= fabs(got2 - mean2))
			far += ways[na][s];
	}
	return far / all;
}

/* With corrections for ties and for continuity. */
static double normal_p(const double *a, size_t na, const double *b, size_t nb)
{
	double m = (double)na, k = (double)nb, n = m + k;
	double ties = 0, sum2 = 0, variance, distance;

	for (size_t i = 0; i < na + nb; i++) {
		double x = i < na ? a[i] : b[i - na], equal = 0;

		for (size_t j = 0; j < na + nb; j++)
			equal += x == (j < na ? a[j] : b[j - na]);
		ties += equal * equal - 1; /* over a group: t^3 - t */
		if (i < na)
			sum2 += (double)rank2(x, a, na, b, nb);
	}
	variance = m * k / 12 * (n + 1 - ties / (n * (n - 1)));
	if (variance <= 0)
		return 1;
	distance = fmax(fabs(sum2 / 2 - m * (n + 1) / 2) - 0.5, 0);
	return erfc(distance / sqrt(2 * variance));
}

double stats_mann_whitney(const double *a, size_t na, const double *b,
			  size_t nb)
{
	if (na == 0 || nb == 0)
		return NAN;
	if (na <= EXACT_MAX && nb <= EXACT_MAX)
		return exact_p(a, na, b, nb);
	return normal_p(a, na, b, nb);
}

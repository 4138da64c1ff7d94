/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../xlat/base/rng.h"
#include "../score/compare.h"

#define THRESHOLD 0.05
#define N(v)	  (sizeof(v) / sizeof(*(v)))

static const double base[] = {.80, .79, .81, .82, .78};

static struct arena *arena;

static void setup(void)
{
	arena = arena_new();
}

static void teardown(void)
{
	arena_free(arena);
}

/* ---- results made by hand --------------------------------------------------
 */

static struct compare_run *run_of(enum verdict v, const char *why)
{
	struct compare_run *r = ARENA_NEW(arena, struct compare_run);

	*r = (struct compare_run){.path = "result.json",
				  .started = "?",
				  .scenario = "nightly",
				  .title = "",
				  .verdict = v,
				  .why = why};
	return r;
}

static struct compare_measure *add_measure(struct compare_run *r,
					   const char *name, const char *kind)
{
	struct compare_measure *m =
		ARENA_APPEND(arena, r->measures, r->n_measures);

	m->name = name;
	m->kind = kind;
	return m;
}

static void add_num(struct compare_measure *m, const char *name, enum unit unit,
		    double num)
{
	*ARENA_APPEND(arena, m->metrics, m->n_metrics) =
		(struct compare_metric){.name = name, .unit = unit, .num = num};
}

static void add_expect(struct compare_run *r, const char *name, enum verdict v)
{
	*ARENA_APPEND(arena, r->expects, r->n_expects) =
		(struct compare_expect){name, name, v};
}

static void add_fact(struct compare_run *r, const char *name, const char *value)
{
	*ARENA_APPEND(arena, r->facts, r->n_facts) =
		(struct compare_fact){name, value};
}

/* A run that passed, with one measure in rounds. */
static struct compare_run *run_with(const double *rounds, size_t n)
{
	struct compare_run *r = run_of(VERDICT_PASS, NULL);
	struct compare_measure *m = add_measure(r, "down", "throughput");
	struct compare_metric *x =
		ARENA_APPEND(arena, m->metrics, m->n_metrics);

	*x = (struct compare_metric){.name = "ratio",
				     .unit = UNIT_RATIO,
				     .num = stats_median(rounds, n),
				     .sampled = true,
				     .n_rounds = n};
	x->rounds = arena_alloc(arena, n * sizeof(*rounds));
	for (size_t i = 0; i < n; i++)
		x->rounds[i] = rounds[i];
	return r;
}

static const struct comparison *compare(const struct compare_run *a,
					const struct compare_run *b)
{
	return compare_runs(a, b, THRESHOLD, arena);
}

static const struct comparison *compare_with_base(const double *b, size_t n)
{
	return compare(run_with(base, N(base)), run_with(b, n));
}

static void assert_verdict(const struct comparison *c, enum change want)
{
	ck_assert_str_eq(change_word(c->verdict), change_word(want));
	ck_assert_int_eq(c->why != NULL, want == CHANGE_NONE);
}

/* ---- rounds ----------------------------------------------------------------
 */

START_TEST(test_itself)
{
	const struct comparison *c = compare_with_base(base, N(base));

	assert_verdict(c, CHANGE_SAME);
	ck_assert_uint_eq(c->n_differences, 0);
	ck_assert_uint_eq(c->n_rows, 1);
	ck_assert_double_eq(c->rows[0].p, 1);
	ck_assert_double_eq(c->rows[0].effect, 0);
	ck_assert_double_eq(c->rows[0].of_b.median, .80);
	ck_assert_double_eq(c->rows[0].of_b.low, .78);
	ck_assert_double_eq(c->rows[0].of_b.high, .82);
}
END_TEST

START_TEST(test_drop)
{
	const double drop[] = {.60, .59, .61, .62, .58};
	const struct comparison *c = compare_with_base(drop, N(drop));

	assert_verdict(c, CHANGE_WORSE);
	ck_assert_uint_eq(c->n[CHANGE_WORSE], 1);
	ck_assert_double_eq_tol(c->rows[0].p, 2. / 252, 1e-12);
	ck_assert_double_eq_tol(c->rows[0].effect, -.25, 1e-12);
	assert_verdict(compare(run_with(drop, N(drop)), run_with(base, 5)),
		       CHANGE_BETTER);
}
END_TEST

/* One build, measured twice: the medians differ, the spreads overlap. */
START_TEST(test_noise)
{
	const double noise[] = {.70, .83, .74, .79, .73};
	const struct comparison *c = compare_with_base(noise, N(noise));

	ck_assert(c->rows[0].effect < -THRESHOLD);
	assert_verdict(c, CHANGE_SAME);
}
END_TEST

/* Noise alone is called a change no more often than it may. */
START_TEST(test_noise_seeded)
{
	double a[8], b[8];
	size_t changed = 0;
	struct rng rng;

	rng_init(&rng, 7);
	for (int round = 0; round < 200; round++) {
		for (size_t i = 0; i < N(a); i++) {
			a[i] = .5 + .4 * rng_unit(&rng);
			b[i] = .5 + .4 * rng_unit(&rng);
		}
		changed += compare(run_with(a, N(a)), run_with(b, N(b)))
				   ->verdict != CHANGE_SAME;
	}
	ck_assert_uint_le(changed, 20); /* 5 % of 200, and twice that */
}
END_TEST

/* Told apart, but too little to matter; until the threshold is lower. */
START_TEST(test_small)
{
	const double small[] = {.770, .771, .772, .773, .774};
	const double even[] = {.80, .801, .802, .803, .804};
	struct compare_run *a = run_with(even, N(even)),
			   *b = run_with(small, N(small));
	const struct comparison *c = compare(a, b);

	ck_assert(c->rows[0].p < COMPARE_ALPHA);
	assert_verdict(c, CHANGE_SAME);
	assert_verdict(compare_runs(a, b, .03, arena), CHANGE_WORSE);
}
END_TEST

/* Four against four could differ by anything, and be no evidence. */
START_TEST(test_four_rounds)
{
	const double drop[] = {.10, .11, .12, .13};
	const struct comparison *c = compare_with_base(drop, N(drop));

	assert_verdict(c, CHANGE_NONE);
	ck_assert_uint_eq(c->n[CHANGE_NONE], 1);
	ck_assert_ptr_nonnull(strstr(c->rows[0].why, "too few rounds to judge "
						     "(5 and 4"));
	ck_assert(isnan(c->rows[0].p));
	assert_verdict(compare(run_with(drop, 4), run_with(base, 5)),
		       CHANGE_NONE);
}
END_TEST

/* A round that is no number is none. */
START_TEST(test_nan_rounds)
{
	const double with[] = {.60, NAN, .59, .61, INFINITY, .62, .58};
	const double few[] = {.60, NAN, .59, .61, .62};
	const struct comparison *c = compare_with_base(with, N(with));

	assert_verdict(c, CHANGE_WORSE);
	ck_assert_uint_eq(c->rows[0].of_b.n, 5);
	ck_assert_double_eq(c->rows[0].of_b.median, .60);
	assert_verdict(compare_with_base(few, N(few)), CHANGE_NONE);
}
END_TEST

START_TEST(test_zero_rounds)
{
	const double zero[5] = {0};
	struct compare_run *z = run_with(zero, 5), *b = run_with(base, 5);

	assert_verdict(compare(b, z), CHANGE_WORSE);
	assert_verdict(compare(z, b), CHANGE_BETTER);
	assert_verdict(compare(z, z), CHANGE_SAME);
}
END_TEST

/* It was measured, and nothing comes through any more. */
START_TEST(test_gone)
{
	struct compare_run *a = run_with(base, 5), *b = run_with(NULL, 0);
	const struct comparison *c;

	b->measures[0].why = "round 1, translated: nothing came";
	c = compare(a, b);
	assert_verdict(c, CHANGE_WORSE);
	ck_assert_str_eq(c->rows[0].why, b->measures[0].why);
	assert_verdict(compare(b, a), CHANGE_BETTER);
	assert_verdict(compare(b, b), CHANGE_NONE);
}
END_TEST

/* Of what the testbed spoilt nothing is said, however bad it looks. */
START_TEST(test_invalid_measure)
{
	const double drop[] = {.10, .11, .12, .13, .14};
	struct compare_run *b = run_with(drop, N(drop));
	const struct comparison *c;

	b->measures[0].invalid = true;
	c = compare(run_with(base, 5), b);
	assert_verdict(c, CHANGE_NONE);
	ck_assert_ptr_null(c->rows[0].metric);
	ck_assert_str_eq(c->rows[0].why,
			 "invalid in B: the testbed limited it");
}
END_TEST

/* ---- single numbers --------------------------------------------------------
 */

START_TEST(test_numbers)
{
	struct compare_run *a = run_with(base, 5), *b = run_with(base, 5);
	struct compare_measure *of_a = add_measure(a, "outage", "stream"),
			       *of_b = add_measure(b, "outage", "stream");
	const struct comparison *c;

	add_num(of_a, "longest-gap", UNIT_TIME, 50e6);
	add_num(of_b, "longest-gap", UNIT_TIME, 5e9);
	add_num(of_a, "lost", UNIT_NONE, 0);
	add_num(of_b, "lost", UNIT_NONE, 12);
	add_num(of_a, "outage", UNIT_TIME, NAN);
	add_num(of_b, "outage", UNIT_TIME, 3);
	add_num(of_a, "sent", UNIT_NONE, 3); /* only there */
	add_num(of_b, "up-sent", UNIT_NONE, 3);
	c = compare(a, b);
	assert_verdict(c, CHANGE_SAME); /* by the rounds; these do not judge */
	ck_assert_uint_eq(c->n_rows, 4);
	for (size_t i = 1; i < 4; i++)
		ck_assert_int_eq(c->rows[i].change, CHANGE_NONE);
	ck_assert_double_eq_tol(c->rows[1].effect, 99, 1e-9);
	ck_assert_int_eq(c->rows[1].better, BETTER_LESS);
	ck_assert(isinf(c->rows[2].effect));
	ck_assert(isnan(c->rows[3].effect));
	ck_assert_uint_eq(c->n[CHANGE_NONE], 0);
}
END_TEST

START_TEST(test_better)
{
	ck_assert_int_eq(spec_metric_better("ratio"), BETTER_MORE);
	ck_assert_int_eq(spec_metric_better("down-received"), BETTER_MORE);
	ck_assert_int_eq(spec_metric_better("up-lost"), BETTER_LESS);
	ck_assert_int_eq(spec_metric_better("longest-gap"), BETTER_LESS);
	ck_assert_int_eq(spec_metric_better("rounds"), BETTER_NEITHER);
	ck_assert_int_eq(spec_metric_better("up-"), BETTER_NEITHER);
	ck_assert_int_eq(spec_metric_better(""), BETTER_NEITHER);
}
END_TEST

/* ---- expectations and runs -------------------------------------------------
 */

START_TEST(test_expectations)
{
	static const struct {
		enum verdict a, b;
		enum change want;
	} t[] = {
		{VERDICT_PASS, VERDICT_PASS, CHANGE_SAME},
		{VERDICT_FAIL, VERDICT_FAIL, CHANGE_SAME},
		{VERDICT_PASS, VERDICT_FAIL, CHANGE_WORSE},
		{VERDICT_FAIL, VERDICT_PASS, CHANGE_BETTER},
		{VERDICT_PASS, VERDICT_INVALID, CHANGE_NONE},
		{VERDICT_INVALID, VERDICT_FAIL, CHANGE_NONE},
		{VERDICT_SKIP, VERDICT_FAIL, CHANGE_NONE},
	};

	for (size_t i = 0; i < N(t); i++) {
		struct compare_run *a = run_of(VERDICT_PASS, NULL),
				   *b = run_of(VERDICT_PASS, NULL);
		const struct comparison *c;

		add_expect(a, "web.survived is true", t[i].a);
		add_expect(b, "web.survived is true", t[i].b);
		c = compare(a, b);
		assert_verdict(c, t[i].want);
		ck_assert_int_eq(c->expected[0].change, t[i].want);
	}
}
END_TEST

/* With another bound it is another expectation. */
START_TEST(test_other_bound)
{
	struct compare_run *a = run_with(base, 5), *b = run_with(base, 5);
	const struct comparison *c;

	add_expect(a, "outage.lost at-most 5", VERDICT_PASS);
	add_expect(b, "outage.lost at-most 0", VERDICT_FAIL);
	c = compare(a, b);
	assert_verdict(c, CHANGE_SAME);
	ck_assert_uint_eq(c->n_expected, 0);
	ck_assert_uint_eq(c->n_differences, 2);
	ck_assert_str_eq(c->differences[0].name, "outage.lost at-most 5");
	ck_assert_ptr_null(c->differences[0].b);
	ck_assert_str_eq(c->differences[1].name, "outage.lost at-most 0");
	ck_assert_ptr_null(c->differences[1].a);
}
END_TEST

/* Worse outweighs better. */
START_TEST(test_both_ways)
{
	const double rise[] = {.90, .91, .92, .93, .94};
	struct compare_run *a = run_with(base, 5), *b = run_with(rise, 5);
	const struct comparison *c;

	add_expect(a, "outage.lost at-most 5", VERDICT_PASS);
	add_expect(b, "outage.lost at-most 5", VERDICT_FAIL);
	c = compare(a, b);
	assert_verdict(c, CHANGE_WORSE);
	ck_assert_uint_eq(c->n[CHANGE_BETTER], 1);
	ck_assert_uint_eq(c->n[CHANGE_WORSE], 1);
}
END_TEST

START_TEST(test_engine_died)
{
	struct compare_run *a = run_with(base, 5), *b = run_with(base, 5);

	b->verdict = VERDICT_FAIL;
	assert_verdict(compare(a, b), CHANGE_SAME);
	b->why = "xlatd on plat1 ended with signal 11";
	assert_verdict(compare(a, b), CHANGE_WORSE);
	assert_verdict(compare(b, a), CHANGE_BETTER);
	assert_verdict(compare(b, b), CHANGE_SAME);
}
END_TEST

START_TEST(test_no_verdict)
{
	const double drop[] = {.10, .11, .12, .13, .14};
	struct compare_run *a = run_with(base, 5), *b = run_with(drop, 5);
	const struct comparison *c;

	b->verdict = VERDICT_INVALID;
	b->why = "events were late";
	c = compare(a, b);
	assert_verdict(c, CHANGE_NONE);
	ck_assert_str_eq(c->why,
			 "B gave no verdict (invalid: events were late)");
	ck_assert_uint_eq(c->n_rows, 0);
	assert_verdict(compare(b, a), CHANGE_NONE);
	b->verdict = VERDICT_SKIP;
	assert_verdict(compare(a, b), CHANGE_NONE);
	a = run_of(VERDICT_PASS, NULL);
	c = compare(a, a);
	assert_verdict(c, CHANGE_NONE);
	ck_assert_str_eq(c->why, "nothing that both have could be judged");
}
END_TEST

START_TEST(test_differences)
{
	struct compare_run *a = run_with(base, 5), *b = run_with(base, 5);
	const struct comparison *c;

	add_fact(a, "kernel", "6.1");
	add_fact(b, "kernel", "6.6");
	add_fact(a, "cores", "2");
	add_fact(b, "cores", "2");
	add_fact(b, "engine jool", "4.1.9");
	add_measure(a, "web", "iperf3");
	add_measure(b, "web", "ping");
	add_measure(b, "dns", "dns");
	c = compare(a, b);
	assert_verdict(c, CHANGE_SAME);
	ck_assert_uint_eq(c->n_differences, 4);
	ck_assert_str_eq(c->differences[0].name, "kernel");
	ck_assert_str_eq(c->differences[0].a, "6.1");
	ck_assert_str_eq(c->differences[0].b, "6.6");
	ck_assert_str_eq(c->differences[1].name, "engine jool");
	ck_assert_ptr_null(c->differences[1].a);
	ck_assert_str_eq(c->differences[2].name, "probe of web");
	ck_assert_str_eq(c->differences[2].b, "ping");
	ck_assert_str_eq(c->differences[3].name, "probe of dns");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("comparison");
	TCase *t = tcase_create("comparison");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_itself);
	tcase_add_test(t, test_drop);
	tcase_add_test(t, test_noise);
	tcase_add_test(t, test_noise_seeded);
	tcase_add_test(t, test_small);
	tcase_add_test(t, test_four_rounds);
	tcase_add_test(t, test_nan_rounds);
	tcase_add_test(t, test_zero_rounds);
	tcase_add_test(t, test_gone);
	tcase_add_test(t, test_invalid_measure);
	tcase_add_test(t, test_numbers);
	tcase_add_test(t, test_better);
	tcase_add_test(t, test_expectations);
	tcase_add_test(t, test_other_bound);
	tcase_add_test(t, test_both_ways);
	tcase_add_test(t, test_engine_died);
	tcase_add_test(t, test_no_verdict);
	tcase_add_test(t, test_differences);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

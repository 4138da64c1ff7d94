/* SPDX-License-Identifier: MIT */
/* Measurements against expectations, and what follows for the run. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../score/score.h"

static const struct metric_def defs[] = {
	{"longest-gap", UNIT_TIME, ""}, {"ratio", UNIT_NONE, ""},
	{"survived", UNIT_BOOL, ""},	{"answer", UNIT_TEXT, ""},
	{NULL, UNIT_NONE, NULL},
};

static struct arena *arena;
static struct expect_spec expect[8];
static struct measurement measured[3];
static struct scenario scenario;
static struct result result;

static void setup(void)
{
	static const char *const names[] = {"outage", "web", "broken"};

	arena = arena_new();
	for (size_t i = 0; i < 3; i++)
		score_measurement_init(&measured[i], names[i], "stream", defs,
				       arena);
	measured[2].invalid = true;
	measured[2].why = "the sender was late";
	score_set_num(&measured[0], "longest-gap", 83e6);
	score_set_num(&measured[0], "ratio", 0.97);
	score_set_num(&measured[0], "survived", 1);
	score_set_text(&measured[0], "answer", "2001:db8::1");
	score_set_num(&measured[2], "ratio", 0.97);
	scenario = (struct scenario){.name = "t", .expect = expect};
	result = (struct result){.scenario = &scenario,
				 .measurements = measured,
				 .n_measurements = 3};
}

static void teardown(void)
{
	arena_free(arena);
}

static void want(const char *measure, const char *metric, enum expect_op op,
		 enum unit unit, double num, const char *text)
{
	expect[scenario.n_expect++] = (struct expect_spec){
		.measure = measure,
		.metric = metric,
		.op = op,
		.unit = unit,
		.num = num,
		.text = text,
	};
}

static void assert_one(enum verdict v, const char *text)
{
	score_judge(&result, arena);
	ck_assert_uint_eq(result.n_judged, 1);
	ck_assert_str_eq(result.judged[0].text, text);
	ck_assert_str_eq(verdict_word(result.judged[0].verdict),
			 verdict_word(v));
	ck_assert_int_eq(result.verdict, v);
	ck_assert_ptr_eq(result.judged[0].expect, &expect[0]);
	scenario.n_expect = 0;
}

START_TEST(test_words)
{
	ck_assert_str_eq(verdict_word(VERDICT_PASS), "pass");
	ck_assert_str_eq(verdict_word(VERDICT_FAIL), "fail");
	ck_assert_str_eq(verdict_word(VERDICT_INVALID), "invalid");
	ck_assert_str_eq(verdict_word(VERDICT_SKIP), "skip");
}
END_TEST

START_TEST(test_bounds)
{
	want("outage", "longest-gap", EXPECT_AT_MOST, UNIT_TIME, 1e9, NULL);
	assert_one(VERDICT_PASS, "outage.longest-gap: 83ms, at most 1s");
	want("outage", "longest-gap", EXPECT_AT_MOST, UNIT_TIME, 83e6, NULL);
	assert_one(VERDICT_PASS, "outage.longest-gap: 83ms, at most 83ms");
	want("outage", "longest-gap", EXPECT_AT_MOST, UNIT_TIME, 82e6, NULL);
	assert_one(VERDICT_FAIL, "outage.longest-gap: 83ms, at most 82ms");
	want("outage", "ratio", EXPECT_AT_LEAST, UNIT_NONE, 0.97, NULL);
	assert_one(VERDICT_PASS, "outage.ratio: 0.97, at least 0.97");
	want("outage", "ratio", EXPECT_AT_LEAST, UNIT_NONE, 0.98, NULL);
	assert_one(VERDICT_FAIL, "outage.ratio: 0.97, at least 0.98");
}
END_TEST

/* A gap is no better known than the testbed was punctual. */
START_TEST(test_gap_near_its_bound)
{
	result.gap_blur_ns = 5e6;
	want("outage", "longest-gap", EXPECT_AT_MOST, UNIT_TIME, 88e6, NULL);
	assert_one(VERDICT_PASS, "outage.longest-gap: 83ms, at most 88ms");
	want("outage", "longest-gap", EXPECT_AT_MOST, UNIT_TIME, 87e6, NULL);
	assert_one(VERDICT_INVALID,
		   "outage.longest-gap: 83ms, give or take the 5ms the testbed "
		   "was late, at most 87ms");
	want("outage", "longest-gap", EXPECT_AT_MOST, UNIT_TIME, 79e6, NULL);
	assert_one(VERDICT_INVALID,
		   "outage.longest-gap: 83ms, give or take the 5ms the testbed "
		   "was late, at most 79ms");
	want("outage", "longest-gap", EXPECT_AT_MOST, UNIT_TIME, 78e6, NULL);
	assert_one(VERDICT_FAIL, "outage.longest-gap: 83ms, at most 78ms");
	want("outage", "ratio", EXPECT_AT_LEAST, UNIT_NONE, 0.98, NULL);
	assert_one(VERDICT_FAIL, "outage.ratio: 0.97, at least 0.98");
}
END_TEST

START_TEST(test_is)
{
	want("outage", "survived", EXPECT_IS, UNIT_BOOL, 1, NULL);
	assert_one(VERDICT_PASS, "outage.survived: true, expected true");
	want("outage", "survived", EXPECT_IS, UNIT_BOOL, 0, NULL);
	assert_one(VERDICT_FAIL, "outage.survived: true, expected false");
	want("outage", "answer", EXPECT_IS, UNIT_TEXT, 0, "2001:db8::1");
	assert_one(VERDICT_PASS,
		   "outage.answer: 2001:db8::1, expected 2001:db8::1");
	want("outage", "answer", EXPECT_IS, UNIT_TEXT, 0, "2001:db8::2");
	assert_one(VERDICT_FAIL,
		   "outage.answer: 2001:db8::1, expected 2001:db8::2");
	want("outage", "ratio", EXPECT_IS, UNIT_NONE, 0.1 + 0.87, NULL);
	assert_one(VERDICT_PASS, "outage.ratio: 0.97, expected 0.97");
	want("outage", "ratio", EXPECT_IS, UNIT_NONE, 0.971, NULL);
	assert_one(VERDICT_FAIL, "outage.ratio: 0.97, expected 0.971");
}
END_TEST

START_TEST(test_not_measured)
{
	want("nothing", "ratio", EXPECT_AT_LEAST, UNIT_NONE, 1, NULL);
	assert_one(VERDICT_FAIL, "nothing.ratio: not measured, at least 1");
	want("outage", "colour", EXPECT_AT_LEAST, UNIT_NONE, 1, NULL);
	assert_one(VERDICT_FAIL, "outage.colour: a stream measurement has no "
				 "such metric, at least 1");
	want("web", "ratio", EXPECT_AT_LEAST, UNIT_NONE, 1, NULL);
	assert_one(VERDICT_FAIL, "web.ratio: could not be measured, at least "
				 "1");
	measured[1].why = "no reply from 198.51.100.45";
	want("web", "ratio", EXPECT_AT_MOST, UNIT_NONE, 1, NULL);
	assert_one(VERDICT_FAIL, "web.ratio: no reply from 198.51.100.45, at "
				 "most 1");
	want("web", "answer", EXPECT_IS, UNIT_TEXT, 0, "x");
	assert_one(VERDICT_FAIL, "web.answer: no reply from 198.51.100.45, "
				 "expected x");
}
END_TEST

/* What is no number never passes, whichever way it is put in. */
START_TEST(test_not_a_number)
{
	score_set_num(&measured[0], "ratio", NAN);
	ck_assert(measured[0].metrics[1].absent);
	want("outage", "ratio", EXPECT_AT_MOST, UNIT_NONE, 1, NULL);
	assert_one(VERDICT_FAIL, "outage.ratio: could not be measured, at "
				 "most 1");
	measured[0].metrics[1].absent = false;
	measured[0].metrics[1].num = INFINITY;
	want("outage", "ratio", EXPECT_AT_LEAST, UNIT_NONE, 1, NULL);
	assert_one(VERDICT_FAIL, "outage.ratio: could not be measured, at "
				 "least 1");
	score_set_text(&measured[0], "answer", NULL);
	ck_assert(measured[0].metrics[3].absent);
}
END_TEST

START_TEST(test_invalid)
{
	want("broken", "ratio", EXPECT_AT_LEAST, UNIT_NONE, 0.5, NULL);
	assert_one(VERDICT_INVALID, "broken.ratio: invalid: the sender was "
				    "late, at least 0.5");
	measured[2].why = NULL; /* absent as well: still no verdict */
	want("broken", "longest-gap", EXPECT_AT_MOST, UNIT_TIME, 0, NULL);
	score_judge(&result, arena);
	ck_assert_int_eq(result.verdict, VERDICT_INVALID);
}
END_TEST

START_TEST(test_nothing_expected)
{
	score_judge(&result, arena);
	ck_assert_uint_eq(result.n_judged, 0);
	ck_assert_int_eq(result.verdict, VERDICT_PASS);
}
END_TEST

/* Every set of {pass, valid fail, never measured, invalid}. */
START_TEST(test_combinations)
{
	enum { PASS = 1, FAIL = 2, MISSING = 4, INVALID = 8 };
	enum verdict v = VERDICT_PASS;

	if (_i & PASS)
		want("outage", "ratio", EXPECT_AT_LEAST, UNIT_NONE, 0.5, NULL);
	if (_i & INVALID)
		want("broken", "ratio", EXPECT_AT_LEAST, UNIT_NONE, 0.5, NULL);
	if (_i & MISSING)
		want("nothing", "ratio", EXPECT_AT_LEAST, UNIT_NONE, 1, NULL);
	if (_i & FAIL)
		want("outage", "ratio", EXPECT_AT_LEAST, UNIT_NONE, 1, NULL);
	if (_i & FAIL || (_i & MISSING && !(_i & INVALID)))
		v = VERDICT_FAIL;
	else if (_i & INVALID)
		v = VERDICT_INVALID;
	score_judge(&result, arena);
	ck_assert_msg(result.verdict == v, "set %d gives %s", _i,
		      verdict_word(result.verdict));
	for (size_t i = 0; i < result.n_judged; i++)
		ck_assert_ptr_eq(result.judged[i].expect, &expect[i]);
}
END_TEST

/* How a run ended, and which verdict that leaves. */
START_TEST(test_conclude)
{
	static const struct {
		struct run_end end;
		enum verdict v;
		const char *why;
	} cases[] = {
		{{0}, VERDICT_PASS, NULL},
		{{.limit = "late"}, VERDICT_INVALID, "late"},
		{{.error = "no"}, VERDICT_INVALID, "no"},
		{{.error = "no", .limit = "late"}, VERDICT_INVALID, "no"},
		{{.engine_fault = "died"}, VERDICT_FAIL, "died"},
		/* an event found it dead: its death is what counts */
		{{.engine_fault = "died", .error = "no"}, VERDICT_FAIL, "died"},
		{{.engine_fault = "died", .limit = "late"},
		 VERDICT_FAIL,
		 "died"},
		{{.engine_fault = "died", .relay_fault = "gone"},
		 VERDICT_INVALID,
		 "gone"},
		{{.relay_fault = "gone", .error = "no"},
		 VERDICT_INVALID,
		 "gone"},
		/* Ctrl-C reaches engines too */
		{{.interrupted = true, .engine_fault = "died"},
		 VERDICT_INVALID,
		 "interrupted"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		result.verdict = VERDICT_PASS;
		result.why = NULL;
		score_conclude(&result, &cases[i].end);
		ck_assert_int_eq(result.verdict, cases[i].v);
		ck_assert_pstr_eq(result.why, cases[i].why);
	}
}
END_TEST

START_TEST(test_init_and_find)
{
	struct measurement *m = score_find(&result, "web");

	ck_assert_ptr_eq(m, &measured[1]);
	ck_assert_ptr_null(score_find(&result, "wob"));
	ck_assert_uint_eq(m->n_metrics, 4);
	for (size_t i = 0; i < m->n_metrics; i++) {
		ck_assert(m->metrics[i].absent);
		ck_assert_ptr_eq(m->metrics[i].def, &defs[i]);
	}
	ck_assert_str_eq(m->kind, "stream");
	ck_assert(!m->invalid && !m->why && !m->series && !m->raw_file);
}
END_TEST

/* A metric that the catalogue lacks is our own mistake. */
START_TEST(test_set_unknown)
{
	score_set_num(&measured[0], "colour", 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("score");
	TCase *t = tcase_create("verdicts");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_words);
	tcase_add_test(t, test_bounds);
	tcase_add_test(t, test_gap_near_its_bound);
	tcase_add_test(t, test_is);
	tcase_add_test(t, test_not_measured);
	tcase_add_test(t, test_not_a_number);
	tcase_add_test(t, test_invalid);
	tcase_add_test(t, test_nothing_expected);
	tcase_add_loop_test(t, test_combinations, 0, 16);
	tcase_add_test(t, test_conclude);
	tcase_add_test(t, test_init_and_find);
	tcase_add_test_raise_signal(t, test_set_unknown, 6);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

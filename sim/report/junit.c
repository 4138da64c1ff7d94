/* SPDX-License-Identifier: MIT */
/*
 * JUnit XML as Jenkins and GitLab read it. A run without a verdict proves
 * nothing, so what failed in it counts as an error, not as a failure.
 */
#include "report_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../xlat/base/file.h"

struct tally {
	size_t tests, failures, errors, skipped;
};

/* What a verdict counts as in this run. */
static enum verdict counts_as(const struct result *r, enum verdict v)
{
	return v == VERDICT_FAIL && r->verdict == VERDICT_INVALID
		       ? VERDICT_INVALID
		       : v;
}

/* The run itself is a case where it has something to say. */
static bool run_is_case(const struct result *r)
{
	return r->n_judged == 0 || r->why;
}

static void tally_add(struct tally *t, enum verdict v)
{
	t->tests++;
	t->failures += v == VERDICT_FAIL;
	t->errors += v == VERDICT_INVALID;
	t->skipped += v == VERDICT_SKIP;
}

static struct tally tally_of(const struct result *r)
{
	struct tally t = {0};

	if (run_is_case(r))
		tally_add(&t, r->verdict);
	for (size_t i = 0; i < r->n_judged; i++)
		tally_add(&t, counts_as(r, r->judged[i].verdict));
	return t;
}

static void put_attr(FILE *f, const char *name, const char *value)
{
	fprintf(f, " %s=\"", name);
	text_markup(f, value);
	fputc('"', f);
}

static void put_tally(FILE *f, const struct tally *t)
{
	fprintf(f,
		" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" "
		"skipped=\"%zu\"",
		t->tests, t->failures, t->errors, t->skipped);
}

void junit_outcome(FILE *f, enum verdict v, const char *message)
{
	switch (v) {
	case VERDICT_PASS:
		break;
	case VERDICT_FAIL:
		fputs("\n      <failure type=\"expectation\"", f);
		put_attr(f, "message", message);
		fputs("/>\n    ", f);
		break;
	case VERDICT_INVALID:
		fputs("\n      <error type=\"invalid\"", f);
		put_attr(f, "message", message);
		fputs("/>\n    ", f);
		break;
	case VERDICT_SKIP:
		fputs("\n      <skipped", f);
		put_attr(f, "message", message);
		fputs("/>\n    ", f);
		break;
	}
}

static void put_case(FILE *f, const struct result *r, const char *name,
		     double seconds, enum verdict v, const char *message)
{
	fputs("    <testcase", f);
	put_attr(f, "classname", r->scenario->name);
	put_attr(f, "name", name);
	fprintf(f, " time=\"%.3f\">", seconds);
	junit_outcome(f, v, message);
	fputs("</testcase>\n", f);
}

static void put_judged(FILE *f, const struct result *r, const struct judged *j)
{
	const struct expect_spec *x = j->expect;
	char name[256], bound[64];

	snprintf(name, sizeof(name), "%s.%s %s %s", x->measure, x->metric,
		 op_word(x->op),
		 x->unit == UNIT_TEXT
			 ? (x->text ? x->text : "")
			 : units_format(x->num, x->unit, bound, sizeof(bound)));
	put_case(f, r, name, 0, counts_as(r, j->verdict), j->text);
}

static void put_property(FILE *f, const char *name, const char *value)
{
	fputs("      <property", f);
	put_attr(f, "name", name);
	put_attr(f, "value", value);
	fputs("/>\n", f);
}

static void put_suite(FILE *f, const struct result *r)
{
	struct tally t = tally_of(r);
	char seed[24];

	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)r->seed);
	fputs("  <testsuite", f);
	put_attr(f, "name", r->scenario->name);
	put_tally(f, &t);
	fprintf(f, " time=\"%.3f\"", r->total_ns / 1e9);
	if (r->started) /* the schema wants no time zone: it is UTC */
		fprintf(f, " timestamp=\"%.19s\"", r->started);
	fputs(">\n    <properties>\n", f);
	put_property(f, "verdict", verdict_word(r->verdict));
	put_property(f, "seed", seed);
	put_property(f, "version", r->host.version);
	put_property(f, "kernel", r->host.kernel);
	put_property(f, "results", r->dir);
	fputs("    </properties>\n", f);
	if (run_is_case(r))
		put_case(f, r, "run", r->total_ns / 1e9, r->verdict, r->why);
	for (size_t i = 0; i < r->n_judged; i++)
		put_judged(f, r, &r->judged[i]);
	fputs("  </testsuite>\n", f);
}

static void put_suites(FILE *f, struct result *const *r, size_t n)
{
	struct tally sum = {0};
	double ns = 0;

	for (size_t i = 0; i < n; i++) {
		struct tally t = tally_of(r[i]);

		sum.tests += t.tests;
		sum.failures += t.failures;
		sum.errors += t.errors;
		sum.skipped += t.skipped;
		ns += r[i]->total_ns;
	}
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	      "<testsuites name=\"xlatsim\"",
	      f);
	put_tally(f, &sum);
	fprintf(f, " time=\"%.3f\">\n", ns / 1e9);
	for (size_t i = 0; i < n; i++)
		put_suite(f, r[i]);
	fputs("</testsuites>\n", f);
}

int report_junit(const char *path, struct result *const *r, size_t n,
		 struct err *e)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (f)
		put_suites(f, r, n);
	return file_write_stream(path, f, &text, &len, e);
}

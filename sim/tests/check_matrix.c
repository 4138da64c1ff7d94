/* SPDX-License-Identifier: MIT */
/*
 * Matrices: from the file to its cells, and from rows to tables. Runs at the
 * root of the source tree; golden files are in sim/tests/data/matrix and are
 * written, not compared, with XLATSIM_GOLDEN=write in the environment.
 */
#include "../spec/matrix.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../xlat/base/file.h"
#include "../../xlat/base/yaml.h"
#include "../report/matrix.h"

#define SAMPLE "sim/tests/data/matrix.yaml"
#define DATA   "sim/tests/data/matrix/"

static struct arena *a;
static struct diags d;
static char temp[64]; /* folder of a test's own files */

static void setup(void)
{
	a = arena_new();
	diags_init(&d);
	temp[0] = '\0';
}

static void teardown(void)
{
	struct err e;

	if (temp[0])
		file_rmtree(temp, &e);
	diags_fini(&d);
	arena_free(a);
}

static const struct matrix *sample(void)
{
	const struct matrix *m = matrix_load(SAMPLE, a, &d);

	if (d.n)
		diags_print(&d, stderr);
	ck_assert_ptr_nonnull(m);
	return m;
}

/* ---- overlays --------------------------------------------------------------
 */

static const struct ynode *tree(const char *text)
{
	const struct ynode *n = yaml_load_text("t", text, strlen(text), a, &d);

	ck_assert_ptr_nonnull(n);
	return n;
}

/* In the notation of a flow collection. */
static const char *flow(const struct ynode *n)
{
	const char *s = "";

	if (n->kind == YNODE_SCALAR)
		return n->text;
	for (size_t i = 0; i < n->n; i++)
		s = n->kind == YNODE_LIST
			    ? arena_printf(a, "%s%s%s", s, i ? " " : "",
					   flow(n->items[i]))
			    : arena_printf(a, "%s%s%s:%s", s, i ? " " : "",
					   n->pairs[i].key,
					   flow(n->pairs[i].value));
	return arena_printf(a, n->kind == YNODE_LIST ? "[%s]" : "{%s}", s);
}

START_TEST(overlays)
{
	static const struct {
		const char *base, *over, *want;
	} cases[] = {
		{"{a: 1, b: 2}", "{b: 3}", "{a:1 b:3}"},
		{"{a: {x: 1, y: 2}}", "{a: {y: 3, z: 4}}", "{a:{x:1 y:3 z:4}}"},
		{"{a: {x: 1}}", "{a: word}", "{a:word}"},
		{"{a: word}", "{a: {x: 1}}", "{a:{x:1}}"},
		{"{a: [1, 2]}", "{a: [3]}", "{a:[3]}"},
		{"{a: [1, 2]}", "{a+: [3]}", "{a:[1 2 3]}"},
		{"{b: 1}", "{a+: [3]}", "{b:1 a:[3]}"},
		{"{a: 1}", "{a+: [3]}", "{a:[3]}"},
		{"{a: {l: [1]}}", "{a: {l+: [2], m: 3}}", "{a:{l:[1 2] m:3}}"},
		{"{a: []}", "{a+: []}", "{a:[]}"},
		{"{}", "{}", "{}"},
		{"{a: 1}", "{}", "{a:1}"},
		{"{}", "{a: 1}", "{a:1}"},
		/* only a list is appended, and only to something */
		{"{a: 1}", "{a+: 3}", "{a:1 a+:3}"},
		{"{a: 1}", "{+: [3]}", "{a:1 +:[3]}"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct ynode *base = tree(cases[i].base),
				   *over = tree(cases[i].over);
		const char *before = flow(base);

		ck_assert_str_eq(flow(yaml_overlay(base, over, a)),
				 cases[i].want);
		ck_assert_str_eq(flow(base), before); /* untouched */
		ck_assert_ptr_eq(yaml_overlay(base, NULL, a), base);
		ck_assert_ptr_eq(yaml_overlay(NULL, over, a), over);
	}
}
END_TEST

/* Three laid over each other, each word where it stood. */
START_TEST(overlay_places)
{
	const struct ynode *n = tree("a: 1\nb:\n  c: 2\n");

	n = yaml_overlay(n, tree("\n\n\nb: {c: 3}\n"), a);
	n = yaml_overlay(n, tree("\n\n\n\n\nb: {d: 4}\n"), a);
	ck_assert_str_eq(flow(n), "{a:1 b:{c:3 d:4}}");
	ck_assert_uint_eq(yaml_get(n, "a")->pos.line, 1);
	ck_assert_uint_eq(yaml_get(yaml_get(n, "b"), "c")->pos.line, 4);
	ck_assert_uint_eq(yaml_get(yaml_get(n, "b"), "d")->pos.line, 6);
}
END_TEST

/* ---- expansion -------------------------------------------------------------
 */

START_TEST(cells_of_the_sample)
{
	static const struct {
		const char *name, *why;
		bool full;
	} want[] = {
		{"small-run.near.xlatd", NULL, false},
		{"small-run.near.absent", NULL, true},
		{"small-run.far.xlatd", NULL, true}, /* by a rule */
		{"small-run.far.absent", NULL, true},
		{"small-fail.near.xlatd", NULL, false},
		{"small-fail.near.absent", NULL, true},
		{"small-fail.far.xlatd", "one is enough", false},
		{"small-fail.far.absent", "one is enough", true},
	};
	const struct matrix *m = sample();

	ck_assert_str_eq(m->name, "matrix");
	ck_assert_str_eq(m->title, "Small cells of every kind");
	ck_assert_uint_eq(m->n_axes, 3);
	ck_assert_str_eq(m->axes[0].name, "scenario");
	ck_assert_str_eq(m->axes[2].name, "engine");
	ck_assert_uint_eq(m->n_cells, 8);
	for (size_t i = 0; i < m->n_cells; i++) {
		ck_assert_str_eq(m->cells[i].name, want[i].name);
		ck_assert_pstr_eq(m->cells[i].why, want[i].why);
		ck_assert_int_eq(m->cells[i].full, want[i].full);
		ck_assert_int_eq(m->cells[i].s == NULL, want[i].why != NULL);
	}
}
END_TEST

START_TEST(cells_are_as_their_overlays_say)
{
	const struct matrix *m = sample();
	const struct scenario *near = m->cells[0].s, *far = m->cells[2].s,
			      *absent = m->cells[3].s;

	ck_assert(near->topology->internet.rtt_ns == 4e6);
	ck_assert(far->topology->internet.rtt_ns == 40e6);
	ck_assert(absent->topology->internet.rtt_ns == 40e6);
	ck_assert_uint_eq(near->n_expect, 2);
	ck_assert_uint_eq(far->n_expect, 3);
	ck_assert_str_eq(far->expect[2].metric, "rtt-min");
	ck_assert_str_eq(far->expect[2].pos.file, SAMPLE);
	ck_assert_uint_eq(far->expect[2].pos.line, 12);
	ck_assert_str_eq(far->topology->plats[0].engine, "xlatd");
	ck_assert_str_eq(absent->topology->plats[0].engine, "nosuch");
	/* what it does not speak of is as it was */
	ck_assert_int_eq(absent->topology->plats[0].ospf_cost, 10);
	ck_assert_str_eq(far->name, "small-run.far.xlatd");
}
END_TEST

START_TEST(is_a_matrix)
{
	ck_assert(matrix_is(SAMPLE));
	ck_assert(!matrix_is("sim/tests/data/small-run.yaml"));
	ck_assert(!matrix_is("sim/tests/data/small.yaml"));
	ck_assert(!matrix_is("/nonexistent"));
	ck_assert(!matrix_is("/dev/null"));
}
END_TEST

/* What is shipped can be read, and every axis value appears in a cell. */
START_TEST(shipped)
{
	const struct matrix *m =
		matrix_load("scenarios/failover/matrix.yaml", a, &d);
	size_t played = 0;

	if (!m)
		diags_print(&d, stderr);
	ck_assert_ptr_nonnull(m);
	for (size_t i = 0; i < m->n_cells; i++)
		played += !m->cells[i].why && !m->cells[i].full;
	ck_assert_uint_ge(played, 10);
}
END_TEST

/* ---- --only ----------------------------------------------------------------
 */

/* Chosen cells as digits: "0 2 4". */
static const char *chosen(const char *one, const char *two, bool full)
{
	const struct matrix *m = sample();
	const char *only[] = {one, two}, *s = "";
	bool flags[8];
	struct err e;

	if (matrix_select(m, only, !!one + !!two, full, flags, &e))
		return arena_strdup(a, e.text);
	for (size_t i = 0; i < m->n_cells; i++)
		if (flags[i])
			s = arena_printf(a, "%s%s%zu", s, *s ? " " : "", i);
	return s;
}

START_TEST(only)
{
	ck_assert_str_eq(chosen(NULL, NULL, false), "0 4 6");
	ck_assert_str_eq(chosen(NULL, NULL, true), "0 1 2 3 4 5 6 7");
	ck_assert_str_eq(chosen("rtt=far", NULL, false), "6");
	ck_assert_str_eq(chosen("rtt=far", NULL, true), "2 3 6 7");
	ck_assert_str_eq(chosen("rtt=far,near", NULL, false), "0 4 6");
	ck_assert_str_eq(chosen("rtt=far", "engine=absent", true), "3 7");
	ck_assert_str_eq(
		chosen("scenario=small-run", "scenario=small-fail", false),
		"no cell is left (some are played with --full only)");
	ck_assert_str_eq(
		chosen("scenario=small-run", "scenario=small-fail", true),
		"no cell is left");
}
END_TEST

START_TEST(only_wrong)
{
	static const char *const words[] = {
		"rtt=fra", "rt=far",   "rtt",	    "=far",
		"rtt=",	   "rtt=,far", "rtt=far,,", "",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		ck_assert_ptr_nonnull(
			strstr(chosen(words[i], NULL, true), "--only"));
	ck_assert_ptr_nonnull(strstr(chosen("rtt=fra", NULL, true), "`fra`"));
	ck_assert_ptr_nonnull(
		strstr(chosen("rtt=fra", NULL, true), "did you mean `far`"));
	ck_assert_ptr_nonnull(
		strstr(chosen("rt=far", NULL, true), "did you mean `rtt`"));
}
END_TEST

/* ---- files that are wrong --------------------------------------------------
 */

static const char *path_of(const char *name)
{
	return arena_printf(a, "%s/%s", temp, name);
}

static void put_file(const char *name, const char *text)
{
	struct err e;

	ck_assert_int_eq(file_write(path_of(name), text, strlen(text), &e), 0);
}

/* The sample's files and the matrix @text, away from all others. */
static void put_matrix(const char *text)
{
	static const char *const names[] = {"small.yaml", "small-run.yaml"};
	struct err e;

	strcpy(temp, "/tmp/check_matrix.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(temp));
	for (size_t i = 0; i < 2; i++) {
		char *s = file_read(
			arena_printf(a, "sim/tests/data/%s", names[i]), NULL,
			&e);

		ck_assert_msg(s, "%s", e.text);
		put_file(names[i], s);
		free(s);
	}
	put_file("m.yaml", text);
}

static const struct {
	const char *text, *say;
} wrong[] = {
	{"matrix: {scenarios: [small-run.yaml, small-run.yaml]}\n",
	 "m.yaml:1:38: scenario small-run comes twice"},
	{"matrix: {scenarios: []}\n", "m.yaml:1:21: `scenarios` names none"},
	{"matrix: {axes: {}}\n", "m.yaml:1:9: `matrix` lacks `scenarios`"},
	{"matrix: {scenarios: [small-run.yaml], axis: {}}\n",
	 "m.yaml:1:39: unknown key in `matrix`: `axis`; did you mean `axes`?"},
	{"matrix: {scenarios: [nowhere.yaml]}\n",
	 "nowhere.yaml: cannot be read: No such file"},
	{"matrix:\n  scenarios: [small-run.yaml]\n  axes: {rtt: {}}\n",
	 "m.yaml:3:15: axis rtt has no value"},
	{"matrix:\n  scenarios: [small-run.yaml]\n"
	 "  axes: {scenario: {a: {}}}\n",
	 "m.yaml:3:10: an axis is named"},
	{"matrix:\n  scenarios: [small-run.yaml]\n  axes: {x: {A.b: {}}}\n",
	 "m.yaml:3:14: a value is named"},
	{"matrix:\n  scenarios: [small-run.yaml]\n"
	 "  axes: {x: {a: {topology: 3}}}\n",
	 "m.yaml:3:28: what is laid over the topology"},
	{"matrix:\n  scenarios: [small-run.yaml]\n"
	 "  axes: {x: {a: {toplogy: {}}}}\n",
	 "m.yaml:3:18: unknown key"},
	/* inside an overlay: where the word stands */
	{"matrix:\n  scenarios: [small-run.yaml]\n  axes:\n    x:\n"
	 "      a: {topology: {internet: {rtt: 5}}}\n",
	 "m.yaml:5:38: `rtt: 5`: a time such as 5ms is expected"},
	{"matrix:\n  scenarios: [small-run.yaml]\n  axes:\n    x:\n"
	 "      a: {scenario: {expect+: [{that: nam.time, at-most: 1s}]}}\n",
	 "m.yaml:5:39: "},
	{"matrix:\n  scenarios: [small-run.yaml]\n  axes:\n    x:\n"
	 "      a: {topology: {plats: {plat2: {engine: xlatd}},"
	 " dns64: {on: [plat3]}}}\n",
	 "m.yaml:5:68: unknown PLAT `plat3`"},
	/* rules */
	{"matrix:\n  scenarios: [small-run.yaml]\n"
	 "  skip: [{where: {scenario: small-rnu}, why: x}]\n",
	 "m.yaml:3:29: unknown value of axis scenario: `small-rnu`; did you "
	 "mean `small-run`?"},
	{"matrix:\n  scenarios: [small-run.yaml]\n"
	 "  skip: [{where: {scen: small-run}, why: x}]\n",
	 "m.yaml:3:19: unknown axis"},
	{"matrix:\n  scenarios: [small-run.yaml]\n"
	 "  skip: [{where: {scenario: small-run}}]\n",
	 "lacks `why`"},
	{"matrix:\n  scenarios: [small-run.yaml]\n  show: [nam.time]\n",
	 "m.yaml:3:10: no scenario of this matrix measures `nam.time`"},
	{"matrix:\n  scenarios: [small-run.yaml]\n  show: [name]\n",
	 "m.yaml:3:10: no scenario of this matrix measures `name`"},
	{"matrix: 3\n", "m.yaml:1:9: "},
	{"abuot: x\nmatrix: {scenarios: [small-run.yaml]}\n",
	 "m.yaml:1:1: unknown key in the matrix: `abuot`; did you mean"},
};

START_TEST(wrong_files)
{
	char *text = NULL;
	size_t len;
	FILE *f;

	put_matrix(wrong[_i].text);
	ck_assert_ptr_null(matrix_load(path_of("m.yaml"), a, &d));
	f = open_memstream(&text, &len);
	diags_print(&d, f);
	fclose(f);
	ck_assert_msg(strstr(text, wrong[_i].say), "expected %s in\n%s",
		      wrong[_i].say, text);
	free(text);
}
END_TEST

/* 13 axes of two values are above the limit, and are not expanded first. */
START_TEST(too_many_cells)
{
	const char *text = "matrix:\n  scenarios: [small-run.yaml]\n  axes:\n";

	for (int i = 0; i < 26; i++)
		text = arena_printf(a, "%s    x%c: {a: {}, b: {}}\n", text,
				    'a' + i);
	put_matrix(text);
	ck_assert_ptr_null(matrix_load(path_of("m.yaml"), a, &d));
	ck_assert_uint_eq(d.n, 1);
	ck_assert_ptr_nonnull(strstr(d.v[0].text, "more than 10000 cells"));
}
END_TEST

/* The path of a scenario counts from the folder of the matrix. */
START_TEST(paths)
{
	const struct matrix *m;
	char *here = getcwd(NULL, 0);

	put_matrix(arena_printf(a,
				"matrix: {scenarios: [small-run.yaml, "
				"%s/sim/tests/data/small-fail.yaml]}\n",
				here));
	free(here);
	m = matrix_load(path_of("m.yaml"), a, &d);
	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(m->n_cells, 2);
	ck_assert_str_eq(m->cells[1].name, "small-fail");
	ck_assert_int_eq(chdir(temp), 0);
	ck_assert_ptr_nonnull(matrix_load("m.yaml", a, &d));
}
END_TEST

/* ---- rows and tables -------------------------------------------------------
 */

static struct result result;
static struct measurement measured[2];
static struct judged judged;

static const struct result *played(enum verdict v, double received)
{
	static const struct metric_def name_defs[] = {
		{"synthesised", UNIT_BOOL, ""}, {NULL, UNIT_NONE, NULL}};
	static const struct metric_def ping_defs[] = {
		{"received", UNIT_NONE, ""}, {NULL, UNIT_NONE, NULL}};

	score_measurement_init(&measured[0], "name", "dns", name_defs, a);
	score_measurement_init(&measured[1], "literal", "ping", ping_defs, a);
	score_set_num(&measured[0], "synthesised", 1);
	score_set_num(&measured[1], "received", received);
	judged = (struct judged){
		.verdict = v,
		.text = "literal.received: <1> & \"none\", at least 2"};
	result = (struct result){.measurements = measured,
				 .n_measurements = 2,
				 .judged = &judged,
				 .n_judged = 1,
				 .verdict = v,
				 .total_ns = 4.2e9};
	if (v == VERDICT_INVALID)
		result.why = "the relay was late";
	return &result;
}

/* One row of each kind, put in an order that is not the table's. */
static json_t *document(const struct matrix *m)
{
	json_t *doc = matrix_doc_new(m, "2026-01-02T03:04:05Z", 42);

	ck_assert_ptr_nonnull(doc);
	matrix_doc_put(doc, m, 6, NULL, NULL, m->cells[6].why);
	matrix_doc_put(doc, m, 4, played(VERDICT_FAIL, 0),
		       "cells/small-fail.near.xlatd/t/report.html", NULL);
	matrix_doc_put(doc, m, 2, played(VERDICT_INVALID, (double)NAN),
		       "cells/small-run.far.xlatd/t/report.html", NULL);
	matrix_doc_put(doc, m, 0, played(VERDICT_PASS, 2),
		       "cells/small-run.near.xlatd/t/report.html", NULL);
	ck_assert_int_eq(matrix_doc_complete(doc, true), 0);
	return doc;
}

START_TEST(rows_in_order)
{
	static const char *const want[] = {
		"small-run.near.xlatd", "small-run.far.xlatd",
		"small-fail.near.xlatd", "small-fail.far.xlatd"};
	const struct matrix *m = sample();
	json_t *doc = document(m), *row;
	size_t i;

	ck_assert_uint_eq(json_array_size(json_object_get(doc, "cells")), 4);
	json_array_foreach(json_object_get(doc, "cells"), i, row)
		ck_assert_str_eq(
			json_string_value(json_object_get(row, "cell")),
			want[i]);
	ck_assert_ptr_null(matrix_doc_find(doc, &m->cells[1]));
	for (int v = VERDICT_PASS; v <= VERDICT_SKIP; v++)
		ck_assert_uint_eq(matrix_doc_count(doc, (enum verdict)v), 1);
	/* again, and better: in the place of the old one */
	matrix_doc_put(doc, m, 2, played(VERDICT_PASS, 2), "x", NULL);
	ck_assert_uint_eq(json_array_size(json_object_get(doc, "cells")), 4);
	ck_assert_uint_eq(matrix_doc_count(doc, VERDICT_PASS), 2);
	ck_assert_uint_eq(matrix_doc_count(doc, VERDICT_INVALID), 0);
	row = json_array_get(json_object_get(doc, "cells"), 1);
	ck_assert_ptr_eq(row, matrix_doc_find(doc, &m->cells[2]));
	json_decref(doc);
}
END_TEST

static void assert_golden(const char *name, const char *got)
{
	const char *path = arena_printf(a, DATA "%s", name);
	struct err e;
	char *want;

	if (getenv("XLATSIM_GOLDEN"))
		ck_assert_int_eq(file_write(path, got, strlen(got), &e), 0);
	want = file_read(path, NULL, &e);
	ck_assert_msg(want, "%s", e.text);
	ck_assert_str_eq(got, want);
	free(want);
}

static char *table(const json_t *doc, bool color)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	report_matrix_table(f, doc, color);
	fclose(f);
	return text;
}

START_TEST(table_is_golden)
{
	json_t *doc = document(sample());
	char *text = table(doc, false), *color = table(doc, true);

	assert_golden("table.txt", text);
	ck_assert_ptr_null(strchr(text, '\033'));
	ck_assert_ptr_nonnull(strchr(color, '\033'));
	free(text);
	free(color);
	json_decref(doc);
}
END_TEST

START_TEST(unfinished_is_told)
{
	json_t *doc = document(sample());
	char *text;

	matrix_doc_complete(doc, false);
	text = table(doc, false);
	ck_assert_ptr_nonnull(strstr(text, "1 skipped; not played to its end"));
	free(text);
	json_decref(doc);
}
END_TEST

START_TEST(json_is_golden)
{
	json_t *doc = document(sample());
	char *text = json_dumps(doc, JSON_INDENT(2) | JSON_REAL_PRECISION(12)),
	     *again;
	json_t *back = json_loads(text, 0, NULL);

	assert_golden("matrix.json", text);
	free(text);
	/* all that the tables need is in the document */
	text = table(doc, false);
	again = table(back, false);
	ck_assert_str_eq(text, again);
	free(text);
	free(again);
	json_decref(back);
	json_decref(doc);
}
END_TEST

static char *written(int (*put)(const char *, const json_t *, struct err *))
{
	json_t *doc = document(sample());
	struct err e;
	char *text;

	strcpy(temp, "/tmp/check_matrix.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(temp));
	ck_assert_msg(!put(path_of("out"), doc, &e), "%s", e.text);
	ck_assert_int_lt(put(path_of("no/out"), doc, &e), 0);
	text = file_read(path_of("out"), NULL, &e);
	ck_assert_ptr_nonnull(text);
	json_decref(doc);
	return text;
}

START_TEST(junit_is_golden)
{
	char *text = written(report_matrix_junit);

	assert_golden("junit.xml", text);
	free(text);
}
END_TEST

START_TEST(page)
{
	char *text = written(report_matrix_html);

	ck_assert_ptr_nonnull(strstr(
		text, "href=\"./cells/small-fail.near.xlatd/t/report.html\""));
	ck_assert_ptr_nonnull(strstr(text, "one is enough"));
	ck_assert_ptr_nonnull(strstr(text, "&lt;1&gt; &amp; &quot;none"));
	ck_assert_ptr_null(strstr(text, "<1>"));
	ck_assert_ptr_null(strstr(text, "<script"));
	ck_assert_ptr_null(strstr(text, "http://"));
	ck_assert_str_eq(text + strlen(text) - 8, "</html>\n");
	free(text);
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, overlays);
	tcase_add_test(tc, overlay_places);
	tcase_add_test(tc, cells_of_the_sample);
	tcase_add_test(tc, cells_are_as_their_overlays_say);
	tcase_add_test(tc, is_a_matrix);
	tcase_add_test(tc, shipped);
	tcase_add_test(tc, only);
	tcase_add_test(tc, only_wrong);
	tcase_add_loop_test(tc, wrong_files, 0,
			    (int)(sizeof(wrong) / sizeof(*wrong)));
	tcase_add_test(tc, too_many_cells);
	tcase_add_test(tc, paths);
	tcase_add_test(tc, rows_in_order);
	tcase_add_test(tc, table_is_golden);
	tcase_add_test(tc, unfinished_is_told);
	tcase_add_test(tc, json_is_golden);
	tcase_add_test(tc, junit_is_golden);
	tcase_add_test(tc, page);
}

int main(void)
{
	Suite *s = suite_create("matrix");
	TCase *tc = tcase_create("matrix");
	SRunner *sr;
	int failed;

	add_tests(tc);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

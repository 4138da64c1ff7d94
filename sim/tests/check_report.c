/* SPDX-License-Identifier: MIT */
/*
 * A result made by hand, with every kind of verdict and hostile strings, put
 * out in every form. Golden files are in sim/tests/data/report; with
 * XLATSIM_GOLDEN=write in the environment they are written, not compared.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../xlat/base/file.h"
#include "../report/report.h"
#include "../report/report_internal.h"

#define DATA "sim/tests/data/report/"
#define EVIL "<b>\"it's\" & \033[2J\x01\xff\xc3\xa9</b>"

static struct arena *arena;
static struct scenario scenario;
static struct topology topology;
static struct result result;

/* ---- the sample ------------------------------------------------------------
 */

static const struct metric_def stream_defs[] = {
	{"longest-gap", UNIT_TIME, "the longer of both directions"},
	{"lost", UNIT_NONE, "packets"},
	{"up-lost", UNIT_NONE, "packets from the home"},
	{"up-loss", UNIT_RATIO, "share of them"},
	{"down-lost", UNIT_NONE, "packets towards the home"},
	{"down-loss", UNIT_RATIO, "share of them"},
	{NULL, UNIT_NONE, NULL},
};

static const struct metric_def rate_defs[] = {
	{"ratio", UNIT_RATIO, "to native"},
	{"rate", UNIT_RATE, "median of the rounds"},
	{"native-rate", UNIT_RATE, "median of the native rounds"},
	{"bytes", UNIT_SIZE, "payload"},
	{NULL, UNIT_NONE, NULL},
};

static const struct metric_def dns_defs[] = {
	{"answered", UNIT_BOOL, "a reply came"},
	{"answer", UNIT_TEXT, "first answer"},
	{"time", UNIT_TIME, "from query to reply"},
	{NULL, UNIT_NONE, NULL},
};

static struct measurement *add_measurement(const char *name, const char *kind,
					   const char *phase,
					   const struct metric_def *defs,
					   const char *summary)
{
	struct measurement *m =
		ARENA_APPEND(arena, result.measurements, result.n_measurements);

	score_measurement_init(m, name, kind, defs, arena);
	m->phase = phase;
	m->summary = summary;
	return m;
}

static struct series *add_series(struct measurement *m, const char *name,
				 const char *x_label, const char *y_label,
				 size_t n)
{
	struct series *s = ARENA_APPEND(arena, m->series, m->n_series);

	*s = (struct series){
		.name = name, .x_label = x_label, .y_label = y_label, .n = n};
	s->x = arena_alloc(arena, n * sizeof(*s->x));
	s->y = arena_alloc(arena, n * sizeof(*s->y));
	return s;
}

static void add_dns(void)
{
	struct measurement *m = add_measurement(
		"v4-only-name", "dns", "before", dns_defs,
		"slash.example AAAA 64:ff9b::c633:642d in 4.2ms");

	score_set_num(m, "answered", 1);
	score_set_text(m, "answer", EVIL);
	score_set_num(m, "time", 4.2e6);
	m->raw_file = "/results/demo/1/nodes/home1/v4 only.json";
}

static void add_download(void)
{
	static const double rates[2][5] = {{97.1, 96.4, 97.5, 96.9, 97.2},
					   {98.0, 97.9, 98.2, 98.1, 97.8}};
	struct measurement *m = add_measurement(
		"download", "throughput", "before", rate_defs,
		"97.1mbit, 99% of native (98.7% to 99.4%), 5 rounds");

	score_set_num(m, "ratio", 0.99);
	score_set_num(m, "rate", 97.1e6);
	score_set_num(m, "native-rate", 98e6);
	for (int k = 0; k < 2; k++) {
		struct series *s =
			add_series(m, k ? "native IPv6" : "CLAT and PLAT",
				   "round", "bit/s", 5);

		for (int i = 0; i < 5; i++) {
			s->x[i] = i + 1;
			s->y[i] = rates[k][i] * 1e6;
		}
	}
}

static void add_stream(size_t points)
{
	struct measurement *m = add_measurement(
		"outage", "stream", "timeline", stream_defs,
		"longest gap 830ms down, 412ms up; 1242 of 16000 packets lost");

	score_set_num(m, "longest-gap", 830e6);
	score_set_num(m, "lost", 1242);
	score_set_num(m, "up-lost", 412);
	score_set_num(m, "up-loss", 0.0515);
	score_set_num(m, "down-lost", 830);
	score_set_num(m, "down-loss", 0.10375);
	for (int k = 0; k < 2; k++) {
		struct series *s =
			add_series(m, k ? "from the home" : "towards the home",
				   "s", "packets per 10 ms", points);

		for (size_t i = 0; i < points; i++) {
			double at = 8.0 * (double)i / (double)points;

			s->x[i] = at;
			s->y[i] = at >= 4 && at < (k ? 4.412 : 4.83) ? 0 : 10;
		}
	}
	for (int k = 0; k < 2; k++) {
		struct series *s =
			add_series(m, k ? "from the home" : "towards the home",
				   "s", "ms", points);

		for (size_t i = 0; i < points; i++) {
			s->x[i] = 8.0 * (double)i / (double)points;
			s->y[i] = s->x[i] >= 4 && s->x[i] < 4.4
					  ? (double)NAN
					  : 26 + k + (double)(i * 7 % 5) / 4;
		}
	}
}

static void add_happening(double at_s, double late_ns, const char *kind,
			  const char *text)
{
	*ARENA_APPEND(arena, result.happenings, result.n_happenings) =
		(struct happening){.at_ns = at_s * 1e9,
				   .late_ns = late_ns,
				   .kind = kind,
				   .text = text};
}

static void expect(const char *measure, const char *metric, enum expect_op op,
		   enum unit unit, double num, const char *text)
{
	*ARENA_APPEND(arena, scenario.expect, scenario.n_expect) =
		(struct expect_spec){.measure = measure,
				     .metric = metric,
				     .op = op,
				     .unit = unit,
				     .num = num,
				     .text = text,
				     .pos = {.line = 40}};
}

static void make_topology(void)
{
	static const char *on[] = {"plat1"};
	static struct plat_spec plats[] = {
		{.name = "plat1",
		 .engine = "xlatd",
		 .ospf_cost = 10,
		 .host = "pve1"},
		{.name = "plat2", .engine = "xlatd", .ospf_cost = 100},
	};
	static struct tower_spec tower = {
		.name = "north",
		.radio = {.down = {.rate_bps = 150e6,
				   .delay_ns = 3e6,
				   .jitter_ns = 1e6,
				   .loss = 0.001},
			  .up = {.rate_bps = 150e6, .delay_ns = 3e6},
			  .mtu = 1500,
			  .offloads = {.gro = OFFLOAD_OFF}},
		.homes = {.count = 2, .clat = "xlatd", .plan_down_bps = 1e8},
	};

	topology = (struct topology){
		.path = "topologies/demo.yaml",
		.name = "demo",
		.plats = plats,
		.n_plats = 2,
		.towers = &tower,
		.n_towers = 1,
		.dns64 = {.engine = "bind9", .on = on, .n_on = 1},
		.internet = {.rtt_ns = 20e6, .dnssec = true},
		.routing = {.engine = "frr", .hello_ns = 1e9, .dead_ns = 4e9},
	};
	ck_assert_int_eq(
		prefix6_parse("2001:db8::/36", &topology.operator_prefix), 0);
	ck_assert_int_eq(prefix6_parse("64:ff9b::/96", &topology.pool6), 0);
	ck_assert_int_eq(prefix4_parse("192.0.2.0/28", &topology.pool4), 0);
}

static void add_engines(void)
{
	*ARENA_APPEND(arena, result.engines, result.n_engines) =
		(struct engine_fact){"plat1", "plat", "xlatd", "xlatd 0.1.0",
				     "{\"sessions\":12}"};
	*ARENA_APPEND(arena, result.engines, result.n_engines) =
		(struct engine_fact){"plat1", "dns64", "bind9", EVIL, NULL};
}

static void setup_points(size_t points)
{
	struct measurement *m;

	arena = arena_new();
	make_topology();
	scenario = (struct scenario){
		.path = "scenarios/demo.yaml",
		.name = "demo",
		.title = "Every verdict & <hostile> text",
		.duration_ns = 8e9,
		.max_late_ns = 50e6,
		.topology = &topology,
	};
	result = (struct result){
		.scenario = &scenario,
		.run_id = "a1b2",
		.seed = 42,
		.dir = "/results/demo/1",
		.started = "2026-01-02T03:04:05Z",
		.host = {"Linux 6.1.0 x86_64", "A Processor", "xlatsim 0.1.0",
			 2},
		.build_ns = 120e6,
		.ready_ns = 3.4e9,
		.teardown_ns = 80e6,
		.total_ns = 21.5e9,
	};
	add_dns();
	add_download();
	add_stream(points);
	m = add_measurement("web", "iperf3", "timeline", rate_defs,
			    "the sender ran out of processor");
	m->invalid = true;
	m->why = "iperf3 used 99% of a core";
	score_set_num(m, "bytes", 65536);
	m = add_measurement("moved", "await", "timeline", dns_defs,
			    "access routes pool6 via plat2 never");
	m->why = "not reached before its deadline";
	add_happening(-0.25, 0, "engine", "something before zero");
	add_happening(4, 1.5e6, "event", "engine-kill plat1");
	add_happening(4.05, 0, "route", "access: 64:ff9b::/96 via plat2");
	add_happening(4.1, 0, "await", "access routes pool6 via plat2 " EVIL);
	add_happening(6, 0, "event", "engine-start plat1");
	add_engines();
	expect("v4-only-name", "answered", EXPECT_IS, UNIT_BOOL, 1, NULL);
	expect("v4-only-name", "answer", EXPECT_IS, UNIT_TEXT, 0, "a<b");
	expect("download", "ratio", EXPECT_AT_LEAST, UNIT_RATIO, 0.9, NULL);
	expect("outage", "longest-gap", EXPECT_AT_MOST, UNIT_TIME, 500e6, NULL);
	expect("web", "rate", EXPECT_AT_LEAST, UNIT_RATE, 1e6, NULL);
	expect("moved", "time", EXPECT_AT_MOST, UNIT_TIME, 1e9, NULL);
	expect("gone", "lost", EXPECT_AT_MOST, UNIT_NONE, 0, NULL);
	score_judge(&result, arena);
}

static void setup(void)
{
	setup_points(8);
}

static void teardown(void)
{
	arena_free(arena);
}

/* ---- help ------------------------------------------------------------------
 */

static char *slurp(FILE *f)
{
	char *text = calloc(1, 1 << 20);

	ck_assert_ptr_nonnull(text);
	rewind(f);
	ck_assert_uint_lt(fread(text, 1, 1 << 20, f), 1 << 20);
	fclose(f);
	return text;
}

static void assert_golden(const char *name, const char *got)
{
	char path[128];
	struct err e;
	size_t len;
	char *want;

	snprintf(path, sizeof(path), DATA "%s", name);
	if (getenv("XLATSIM_GOLDEN"))
		ck_assert_int_eq(file_write(path, got, strlen(got), &e), 0);
	want = file_read(path, &len, &e);
	ck_assert_msg(want, "%s", e.text);
	ck_assert_str_eq(got, want);
	free(want);
}

static char *table_text(bool color, int width)
{
	FILE *f = tmpfile();

	report_table(f, &result, color, width);
	return slurp(f);
}

static char *file_of(int (*write_it)(const char *path, struct err *e))
{
	char path[] = "/tmp/check_report.XXXXXX", *text;
	int fd = mkstemp(path);
	struct err e;
	size_t len;

	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(write_it(path, &e), 0);
	text = file_read(path, &len, &e);
	unlink(path);
	ck_assert_msg(text, "%s", e.text);
	return text;
}

static int write_junit(const char *path, struct err *e)
{
	struct result *v[] = {&result};

	return report_junit(path, v, 1, e);
}

static int write_html(const char *path, struct err *e)
{
	return report_html(path, &result, e);
}

static size_t count(const char *text, const char *word)
{
	size_t n = 0;

	for (; (text = strstr(text, word)); text += strlen(word))
		n++;
	return n;
}

/* ---- JSON ------------------------------------------------------------------
 */

START_TEST(test_json_golden)
{
	char *text = report_json(&result);

	assert_golden("result.json", text);
	free(text);
}
END_TEST

/* It parses, and says what was put in; no NaN gets out. */
START_TEST(test_json_means)
{
	char *text, *again;
	json_t *root, *m;

	result.measurements[2].metrics[0].num = NAN;
	result.total_ns = INFINITY;
	text = report_json(&result);
	again = report_json(&result);
	ck_assert_str_eq(text, again);
	free(again);
	root = json_loads(text, 0, NULL);
	ck_assert_ptr_nonnull(root);
	free(text);
	ck_assert_str_eq(json_string_value(json_object_get(root, "schema")),
			 RESULT_SCHEMA);
	ck_assert_str_eq(json_string_value(json_object_get(root, "verdict")),
			 "fail");
	ck_assert(json_is_null(
		json_object_get(json_object_get(root, "run"), "total_ns")));
	m = json_array_get(json_object_get(root, "measurements"), 2);
	m = json_object_get(json_object_get(m, "metrics"), "longest-gap");
	ck_assert(json_is_null(json_object_get(m, "value")));
	ck_assert_str_eq(json_string_value(json_object_get(m, "unit")), "ns");
	m = json_array_get(json_object_get(root, "engines"), 0);
	m = json_object_get(json_object_get(m, "counters"), "sessions");
	ck_assert_int_eq(json_integer_value(m), 12);
	json_decref(root);
}
END_TEST

/* A run that broke before there was anything. */
START_TEST(test_json_empty)
{
	struct scenario s = {.name = "s"};
	struct result r = {
		.scenario = &s, .verdict = VERDICT_INVALID, .seed = UINT64_MAX};
	char *text = report_json(&r);
	json_t *root = json_loads(text, 0, NULL), *run;

	free(text);
	ck_assert_ptr_nonnull(root);
	ck_assert(json_is_null(json_object_get(root, "topology")));
	run = json_object_get(root, "run");
	ck_assert_str_eq(json_string_value(json_object_get(run, "seed")),
			 "18446744073709551615");
	json_decref(root);
}
END_TEST

/* ---- JUnit -----------------------------------------------------------------
 */

START_TEST(test_junit_golden)
{
	char *text = file_of(write_junit);

	assert_golden("junit.xml", text);
	free(text);
}
END_TEST

/* What failed in a run without a verdict is an error, and so is the run. */
START_TEST(test_junit_invalid_run)
{
	char *text;

	result.verdict = VERDICT_INVALID;
	result.why = "the relay was too slow";
	text = file_of(write_junit);
	ck_assert_uint_eq(count(text, "<failure"), 0);
	ck_assert_uint_eq(count(text, "<error"), 6);
	ck_assert_ptr_nonnull(strstr(text, "name=\"run\""));
	ck_assert_ptr_nonnull(strstr(text, "the relay was too slow"));
	ck_assert_ptr_nonnull(strstr(text, "tests=\"8\" failures=\"0\" "
					   "errors=\"6\" skipped=\"0\""));
	free(text);
}
END_TEST

START_TEST(test_cannot_write)
{
	struct result *v[] = {&result};
	struct err e = {""};

	ck_assert_int_lt(report_junit("/nowhere/x.xml", v, 1, &e), 0);
	ck_assert_ptr_nonnull(strstr(e.text, "/nowhere/x.xml"));
	e.text[0] = '\0';
	ck_assert_int_lt(report_html("/nowhere/x.html", &result, &e), 0);
	ck_assert_ptr_nonnull(strstr(e.text, "/nowhere/x.html"));
}
END_TEST

/* ---- terminal --------------------------------------------------------------
 */

START_TEST(test_table_golden)
{
	char *text = table_text(false, 80);

	assert_golden("table.txt", text);
	free(text);
}
END_TEST

START_TEST(test_table_narrow)
{
	char *text = table_text(false, 48);

	assert_golden("table-48.txt", text);
	free(text);
}
END_TEST

/* No line but the last, which people copy, is wider than the terminal. */
START_TEST(test_table_fits)
{
	static const int widths[] = {40, 48, 60, 80, 100, 132, 200};
	int width = widths[_i];
	char *text = table_text(false, width), *line = text;

	for (char *end; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		if (end[1])
			ck_assert_msg(text_width(line) <= (size_t)width,
				      "%zu columns: %s", text_width(line),
				      line);
	}
	free(text);
}
END_TEST

START_TEST(test_table_color)
{
	char *plain = table_text(false, 80), *color = table_text(true, 80);
	char *to = color;

	ck_assert_ptr_null(strchr(plain, '\033'));
	ck_assert_ptr_nonnull(strstr(color, "\033[1;31mFAIL\033[0m"));
	/* without its colours it is the same text */
	for (const char *p = color; *p; p++) {
		if (*p == '\033')
			p += strcspn(p, "m");
		else
			*to++ = *p;
	}
	*to = '\0';
	ck_assert_str_eq(color, plain);
	free(plain);
	free(color);
}
END_TEST

START_TEST(test_table_last_line)
{
	static const struct {
		enum verdict v;
		const char *line;
	} want[] = {
		{VERDICT_PASS, "\nPASS  demo  (2 of 7 expectations)  report: "
			       "/results/demo/1/report.html\n"},
		{VERDICT_FAIL, "\nFAIL  demo  (2"},
		{VERDICT_INVALID, "\nINVALID  demo  (2"},
		{VERDICT_SKIP, "\nSKIP  demo  (2"},
	};
	char *text;

	result.verdict = want[_i].v;
	text = table_text(false, 80);
	ck_assert_ptr_nonnull(strstr(text, want[_i].line));
	free(text);
}
END_TEST

/* ---- HTML ------------------------------------------------------------------
 */

/* Every start tag has its end, in order; attributes are quoted. */
static void assert_balanced(const char *html)
{
	char open[64][16];
	size_t depth = 0;

	for (const char *p = html; (p = strchr(p, '<')); p++) {
		char name[16] = "";
		bool skip = p[1] == '!';

		sscanf(p + 1, "%15[/a-z0-9]", name);
		ck_assert_msg(skip || name[0], "stray <: %.40s", p);
		skip = skip || !strcmp(name, "meta");
		if (skip || *(strchr(p, '>') - 1) == '/')
			continue;
		if (name[0] != '/') {
			ck_assert_uint_lt(depth, 64);
			memcpy(open[depth++], name, sizeof(name));
			continue;
		}
		ck_assert_uint_gt(depth, 0);
		ck_assert_msg(!strcmp(open[--depth], name + 1),
			      "<%s> is ended by <%s>: %.60s", open[depth], name,
			      p);
	}
	ck_assert_uint_eq(depth, 0);
}

START_TEST(test_html)
{
	char *text = file_of(write_html);
	const char *keep = getenv("XLATSIM_REPORT");
	struct err e;

	if (keep)
		ck_assert_int_eq(file_write(keep, text, strlen(text), &e), 0);
	assert_balanced(text);
	ck_assert_uint_eq(count(text, "<script"), 0);
	ck_assert_uint_eq(count(text, "http://"), 0);
	ck_assert_uint_eq(count(text, "https://"), 0);
	ck_assert_uint_eq(count(text, "src="), 0);
	ck_assert_uint_eq(count(text, "<b>\"it"), 0);
	ck_assert_uint_eq(count(text, "\033"), 0);
	ck_assert_uint_eq(count(text, "nan"), 0);
	ck_assert_ptr_nonnull(strstr(text,
				     "&lt;b&gt;&quot;it&#39;s&quot; &amp; "
				     "\xef\xbf\xbd[2J\xef\xbf\xbd"));
	ck_assert_ptr_nonnull(
		strstr(text, "href=\"./nodes/home1/v4%20only.json\""));
	ck_assert_ptr_nonnull(strstr(text, ">Mbit/s</text>"));
	/* throughput, two directions of packets, latency */
	ck_assert_uint_eq(count(text, "<svg "), 4);
	ck_assert_uint_eq(count(text, "<title"), 1 + 4 + 2 + 3 * (3 + 1));
	ck_assert_uint_eq(count(text, "class=\"route\"><title>"), 3);
	ck_assert_uint_eq(count(text, "<h1>"), 1);
	free(text);
}
END_TEST

/* Whatever an engine counted that is not zero, whatever it is called. */
START_TEST(test_html_counters)
{
	struct engine_fact one = {.node = "plat1",
				  .role = "plat",
				  .name = "jool",
				  .version = "1",
				  .counters_json =
					  "{\"DROPS\": 7, \"NONE\": 0, "
					  "\"nat\": {\"full<\": 2.5}, "
					  "\"list\": [1]}"};
	struct result saved = result;
	char *text;

	result.engines = &one;
	result.n_engines = 1;
	text = file_of(write_html);
	result = saved;
	assert_balanced(text);
	ck_assert_ptr_nonnull(strstr(text, "DROPS 7, nat.full&lt; 2.5<"));
	ck_assert_ptr_null(strstr(text, "NONE"));
	free(text);
}
END_TEST

START_TEST(test_html_empty)
{
	char *text;

	scenario.n_expect = 0;
	result = (struct result){.scenario = &scenario,
				 .run_id = "a",
				 .dir = "/r",
				 .started = "now",
				 .host = {"k", "c", "v", 1},
				 .verdict = VERDICT_INVALID,
				 .why = "plat1: " EVIL};
	text = file_of(write_html);
	assert_balanced(text);
	ck_assert_ptr_nonnull(strstr(text, "No verdict"));
	free(text);
}
END_TEST

/* A link never leaves the result directory. */
START_TEST(test_html_links)
{
	static const char *const paths[] = {"/etc/passwd", "../../x",
					    "/results/demo/12/x", "\"><b>"};
	FILE *f = tmpfile();
	char *text;

	for (size_t i = 0; i < 4; i++)
		html_link(f, "/results/demo/1", paths[i], NULL);
	html_link(f, "/results/demo/1", "javascript:alert(1)", "x");
	text = slurp(f);
	ck_assert_uint_eq(count(text, "href="), 2);
	ck_assert_ptr_nonnull(strstr(text, "href=\"./%22%3E%3Cb%3E\""));
	ck_assert_ptr_nonnull(strstr(text, "href=\"./javascript%3Aalert%281"));
	free(text);
}
END_TEST

/* A dip of one sample in a hundred thousand is still drawn. */
START_TEST(test_svg_keeps_dips)
{
	struct measurement *m = &result.measurements[0];
	struct series *s = add_series(m, "n", "s", "packets", 100000);
	const struct series *v[] = {s};
	struct chart c = {.id = "i",
			  .title = "t",
			  .style = CHART_AREA,
			  .series = v,
			  .n = 1};
	FILE *f = tmpfile();
	char *text, *path;

	for (size_t i = 0; i < s->n; i++) {
		s->x[i] = (double)i;
		s->y[i] = i == 54321 ? 0 : 10;
	}
	svg_chart(f, &c);
	text = slurp(f);
	path = strstr(text, "<path class=\"line");
	ck_assert_ptr_nonnull(path);
	ck_assert_uint_eq(count(path, " 134.0L"), 1); /* the bottom */
	ck_assert_uint_lt(strlen(text), 200000);
	free(text);
}
END_TEST

/* Where nothing came there is no line, and no number for it. */
START_TEST(test_svg_keeps_holes)
{
	struct measurement *m = &result.measurements[0];
	struct series *s = add_series(m, "n", "s", "ms", 200);
	const struct series *v[] = {s};
	struct chart c = {.id = "i",
			  .title = "t",
			  .style = CHART_LINE,
			  .series = v,
			  .n = 1};
	FILE *f = tmpfile();
	char *text, *path;

	for (size_t i = 0; i < s->n; i++) {
		s->x[i] = (double)(i < 100 ? i : i + 50);
		s->y[i] = i == 20 ? (double)NAN : 26;
	}
	svg_chart(f, &c);
	text = slurp(f);
	path = strstr(text, "<path class=\"line");
	ck_assert_ptr_nonnull(path);
	ck_assert_uint_eq(count(path, "M"), 3);
	ck_assert_uint_eq(count(path, "L"), 196);
	ck_assert_ptr_null(strstr(text, "nan"));
	free(text);
}
END_TEST

/* ---- text ------------------------------------------------------------------
 */

START_TEST(test_utf8)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"", ""},
		{"plain\ttext\n", "plain\ttext\n"},
		{"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\x8d",
		 "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\x8d"},
		{"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"}, /* overlong */
		{"\xe0\x80\xaf", "\xef\xbf\xbd"},	  /* overlong */
		{"\xed\xa0\x80", "\xef\xbf\xbd"},	  /* surrogate */
		{"\xf4\x90\x80\x80", "\xef\xbf\xbd"},	  /* beyond */
		{"a\xe2\x82", "a\xef\xbf\xbd"},		  /* cut off */
		{"a\xe2\x82z", "a\xef\xbf\xbdz"},
		{"\xff\xfe", "\xef\xbf\xbd\xef\xbf\xbd"},
		{"\x1b[2J\x7f\xc2\x9b", "\xef\xbf\xbd[2J\xef\xbf\xbd"
					"\xef\xbf\xbd"},
		{"\xef\xbf\xbf", "\xef\xbf\xbd"},
	};
	char *got = text_clean(cases[_i].in);

	ck_assert_str_eq(got, cases[_i].out);
	free(got);
}
END_TEST

/* ---- progress --------------------------------------------------------------
 */

static void play(struct progress *p)
{
	progress_stage(p, "building %d nodes", 3);
	progress_tick(p, 1, 3, "addresses");
	progress_note(p, "+4.000s  engine-kill plat1");
	progress_note(p, "%s", "");
	progress_tick(p, 3, 3, NULL);
	progress_stage(p, "tearing down");
	progress_free(p);
}

START_TEST(test_progress_plain)
{
	FILE *f = tmpfile();
	char *text;

	play(progress_new(f, PROGRESS_PLAIN));
	text = slurp(f);
	ck_assert_str_eq(text, "     0.0s  building 3 nodes\n"
			       "     0.0s  +4.000s  engine-kill plat1\n"
			       "     0.0s  tearing down\n");
	free(text);
}
END_TEST

START_TEST(test_progress_quiet)
{
	FILE *f = tmpfile();
	char *text;

	play(progress_new(f, PROGRESS_QUIET));
	text = slurp(f);
	ck_assert_str_eq(text, "");
	free(text);
}
END_TEST

/* Notes stay on lines of their own; the drawn line is wiped at the end. */
START_TEST(test_progress_live)
{
	FILE *f = tmpfile();
	char *text;

	play(progress_new(f, PROGRESS_LIVE));
	text = slurp(f);
	ck_assert_uint_eq(count(text, "\n"), 1);
	ck_assert_ptr_nonnull(strstr(text, "\r\033[K     0.0s  +4.000s  "
					   "engine-kill plat1\n"));
	ck_assert_ptr_nonnull(strstr(text, "building 3 nodes"));
	ck_assert_str_eq(text + strlen(text) - 4, "\r\033[K");
	free(text);
}
END_TEST

/* Nobody reads, or the descriptor is gone: no wait, no signal, no crash. */
START_TEST(test_progress_nobody)
{
	int fds[2];
	FILE *f;

	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
	while (write(fds[1], "full", 4) > 0)
		;
	ck_assert_int_eq(fcntl(fds[1], F_SETFL, 0), 0);
	f = fdopen(fds[1], "w");
	play(progress_new(f, PROGRESS_PLAIN)); /* full: must not block */
	play(progress_new(f, PROGRESS_LIVE));
	close(fds[0]);
	play(progress_new(f, PROGRESS_PLAIN)); /* nobody will read */
	close(fds[1]);
	play(progress_new(f, PROGRESS_LIVE)); /* closed behind our back */
	play(progress_new(NULL, PROGRESS_LIVE));
	play(NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("report");
	TCase *t = tcase_create("report");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_json_golden);
	tcase_add_test(t, test_json_means);
	tcase_add_test(t, test_json_empty);
	tcase_add_test(t, test_junit_golden);
	tcase_add_test(t, test_junit_invalid_run);
	tcase_add_test(t, test_cannot_write);
	tcase_add_test(t, test_table_golden);
	tcase_add_test(t, test_table_narrow);
	tcase_add_loop_test(t, test_table_fits, 0, 7);
	tcase_add_test(t, test_table_color);
	tcase_add_loop_test(t, test_table_last_line, 0, 4);
	tcase_add_test(t, test_html);
	tcase_add_test(t, test_html_counters);
	tcase_add_test(t, test_html_empty);
	tcase_add_test(t, test_html_links);
	tcase_add_test(t, test_svg_keeps_dips);
	tcase_add_test(t, test_svg_keeps_holes);
	tcase_add_loop_test(t, test_utf8, 0, 12);
	tcase_add_test(t, test_progress_plain);
	tcase_add_test(t, test_progress_quiet);
	tcase_add_test(t, test_progress_live);
	tcase_add_test(t, test_progress_nobody);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

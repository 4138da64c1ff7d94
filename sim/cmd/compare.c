/* SPDX-License-Identifier: MIT */
/* xlatsim compare A B: tonight's result beside the one that was kept. */
#include "../score/compare.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../report/report.h"
#include "cmd.h"

static const char usage[] =
	"Usage: xlatsim compare [--threshold PERCENT] [--json] [--quiet] A B\n"
	"Say what got worse or better from result A to result B of one\n"
	"scenario. Each is the folder of a run, as "
	"results/SCENARIO/latest, or\n"
	"its result.json. Judged are measures that go in rounds, and what was\n"
	"expected; of other figures both are shown.\n\n"
	"  --threshold PERCENT   a change up to this is none (default: 5)\n"
	"  --json                print it as JSON\n"
	"  --quiet               only what got worse or better\n\n"
	"Exit status: 0 nothing got worse, 1 something did, 2 bad usage or\n"
	"file, 3 no verdict.\n";

enum { OPT_THRESHOLD = 256, OPT_JSON, OPT_QUIET };

static const struct option options[] = {
	{"threshold", required_argument, NULL, OPT_THRESHOLD},
	{"json", no_argument, NULL, OPT_JSON},
	{"quiet", no_argument, NULL, OPT_QUIET},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* ---- reading a result ------------------------------------------------------
 */

struct reading {
	struct compare_run *r;
	struct arena *a;
	struct err *e;
};

static const char *word_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static const char *keep(const struct reading *rd, const char *s)
{
	return s ? arena_strdup(rd->a, s) : NULL;
}

static int wants(const struct reading *rd, const char *key, const char *what)
{
	return err_set(rd->e, EINVAL, "%s: %s: expected %s", rd->r->path, key,
		       what);
}

static int read_verdict(const json_t *o, enum verdict *v)
{
	const char *word = word_of(o, "verdict");

	for (*v = VERDICT_PASS; *v <= VERDICT_SKIP; ++*v)
		if (word && !strcmp(verdict_word(*v), word))
			return 0;
	return -EINVAL;
}

static double number_of(const json_t *j)
{
	if (json_is_boolean(j))
		return json_is_true(j);
	return json_is_number(j) ? json_number_value(j) : (double)NAN;
}

static const json_t *points(const json_t *m, const char *name)
{
	json_t *s;
	size_t i;

	json_array_foreach(json_object_get(m, "series"), i, s)
	{
		const char *word = word_of(s, "name");

		if (word && !strcmp(word, name))
			return json_object_get(s, "y");
	}
	return NULL;
}

/* Each round is a pair: of a native transfer and a translated one. */
static void read_rounds(const struct reading *rd, const json_t *m,
			struct compare_metric *x)
{
	const json_t *native = points(m, "native"),
		     *translated = points(m, "translated");
	size_t n = json_array_size(native);

	if (json_array_size(translated) < n)
		n = json_array_size(translated);
	x->sampled = true;
	x->rounds = arena_alloc(rd->a, n * sizeof(*x->rounds));
	for (size_t i = 0; i < n; i++)
		x->rounds[i] = number_of(json_array_get(translated, i)) /
			       number_of(json_array_get(native, i));
	x->n_rounds = n;
}

static void read_metric(const struct reading *rd, struct compare_measure *m,
			const char *name, const json_t *o)
{
	const char *word = word_of(o, "unit");
	const json_t *value = json_object_get(o, "value");
	enum unit unit = UNIT_NONE;
	struct compare_metric *x;

	while (unit <= UNIT_TEXT &&
	       (!word || strcmp(report_unit_word(unit), word) != 0))
		unit++;
	if (unit > UNIT_TEXT)
		return; /* of a later version: readers ignore it */
	x = ARENA_APPEND(rd->a, m->metrics, m->n_metrics);
	*x = (struct compare_metric){
		.name = keep(rd, name),
		.unit = unit,
		.num = number_of(value),
		.text = keep(rd, json_string_value(value))};
}

static int read_measure(const struct reading *rd, const json_t *o)
{
	struct compare_measure *m =
		ARENA_APPEND(rd->a, rd->r->measures, rd->r->n_measures);
	json_t *metrics = json_object_get(o, "metrics"), *value;
	bool in_rounds = json_object_get(metrics, "ratio-low");
	const char *name;

	m->name = keep(rd, word_of(o, "name"));
	m->kind = keep(rd, word_of(o, "kind"));
	m->invalid = json_is_true(json_object_get(o, "invalid"));
	m->why = keep(rd, word_of(o, "why"));
	if (!m->name || !m->kind || !json_is_object(metrics))
		return wants(rd, "measurements",
			     "each with name, kind and metrics");
	json_object_foreach(metrics, name, value)
	{
		/* worked out anew from the rounds */
		if (in_rounds && !strncmp(name, "ratio-", 6))
			continue;
		read_metric(rd, m, name, value);
		if (in_rounds && !strcmp(name, "ratio") && m->n_metrics)
			read_rounds(rd, o, &m->metrics[m->n_metrics - 1]);
	}
	return 0;
}

/* Its name tells the bound, so that another bound is another expectation. */
static int read_expect(const struct reading *rd, const json_t *o)
{
	struct compare_expect *x =
		ARENA_APPEND(rd->a, rd->r->expects, rd->r->n_expects);
	const char *measure = word_of(o, "measure"),
		   *metric = word_of(o, "metric"), *op = word_of(o, "operator");
	char *bound = json_dumps(
		json_object_get(json_object_get(o, "bound"), "value"),
		JSON_ENCODE_ANY | JSON_COMPACT);
	int ret = 0;

	if (!measure || !metric || !op || !bound ||
	    read_verdict(o, &x->verdict))
		ret = wants(rd, "expectations",
			    "each with measure, metric, operator, bound and "
			    "verdict");
	else
		x->name = arena_printf(rd->a, "%s.%s %s %s", measure, metric,
				       op, bound);
	x->text = keep(rd, word_of(o, "text"));
	free(bound);
	return ret;
}

/* ---- what should be alike --------------------------------------------------
 */

/* Words as they are, all else as JSON. */
static void add_fact(const struct reading *rd, const char *name,
		     const json_t *value)
{
	char *text =
		json_is_string(value)
			? NULL
			: json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT |
						    JSON_SORT_KEYS);
	const char *word = text ? text : json_string_value(value);

	if (word)
		*ARENA_APPEND(rd->a, rd->r->facts, rd->r->n_facts) =
			(struct compare_fact){arena_strdup(rd->a, name),
					      arena_strdup(rd->a, word)};
	free(text);
}

static void read_topology(const struct reading *rd, json_t *t)
{
	const char *key;
	json_t *value;

	add_fact(rd, "topology", json_object_get(t, "name"));
	json_object_foreach(t, key, value)
	{
		if (strcmp(key, "name") != 0 && strcmp(key, "file") != 0)
			add_fact(rd, arena_printf(rd->a, "topology: %s", key),
				 value);
	}
}

/* Who plays what is in the topology: a version is said once an engine. */
static void read_engines(const struct reading *rd, const json_t *list)
{
	json_t *all = json_object(), *o, *versions;
	const char *name;
	size_t i;

	json_array_foreach(list, i, o)
	{
		const char *engine = word_of(o, "name"),
			   *version = word_of(o, "version");

		if (engine && version && !json_object_get(all, engine))
			json_object_set_new(all, engine, json_string(version));
	}
	json_object_foreach(all, name, versions)
		add_fact(rd, arena_printf(rd->a, "engine %s", name), versions);
	json_decref(all);
}

static void read_facts(const struct reading *rd, const json_t *doc)
{
	const json_t *host = json_object_get(doc, "host"),
		     *run = json_object_get(doc, "run");

	read_topology(rd, json_object_get(doc, "topology"));
	add_fact(rd, "links as they were", json_object_get(doc, "links"));
	read_engines(rd, json_object_get(doc, "engines"));
	add_fact(rd, "kernel", json_object_get(host, "kernel"));
	add_fact(rd, "processor", json_object_get(host, "cpu"));
	add_fact(rd, "cores", json_object_get(host, "cores"));
	add_fact(rd, "xlatsim", json_object_get(run, "version"));
	add_fact(rd, "congestion control",
		 json_object_get(run, "congestion_control"));
}

/* ---- the whole of it -------------------------------------------------------
 */

static int read_run(const struct reading *rd, const json_t *doc)
{
	const json_t *s = json_object_get(doc, "scenario"),
		     *measures = json_object_get(doc, "measurements"),
		     *expects = json_object_get(doc, "expectations");
	const char *title = word_of(s, "title"),
		   *started = word_of(json_object_get(doc, "run"), "started");
	int ret = 0;
	json_t *o;
	size_t i;

	rd->r->scenario = keep(rd, word_of(s, "name"));
	rd->r->title = title ? keep(rd, title) : "";
	rd->r->started = started ? keep(rd, started) : "?";
	rd->r->why = keep(rd, word_of(doc, "why"));
	if (!rd->r->scenario)
		return wants(rd, "scenario", "an object with a name");
	if (read_verdict(doc, &rd->r->verdict))
		return wants(rd, "verdict", "pass, fail, invalid or skip");
	if (!json_is_array(measures) || !json_is_array(expects))
		return wants(rd, "measurements, expectations", "arrays");
	read_facts(rd, doc);
	json_array_foreach(measures, i, o) if (!ret) ret = read_measure(rd, o);
	json_array_foreach(expects, i, o) if (!ret) ret = read_expect(rd, o);
	return ret;
}

static json_t *load(const char *path, struct err *e)
{
	json_error_t je;
	json_t *doc;
	const char *schema;

	if (access(path, R_OK)) {
		err_set(e, errno,
			"%s: %s; expected the folder of a run, as "
			"results/SCENARIO/latest, or its result.json",
			path, strerror(errno));
		return NULL;
	}
	doc = json_load_file(path, 0, &je);
	if (!doc) {
		err_set(e, EINVAL, "%s:%d:%d: %s; expected a result of xlatsim",
			path, je.line > 0 ? je.line : 1,
			je.column > 0 ? je.column : 1, je.text);
		return NULL;
	}
	schema = word_of(doc, "schema");
	if (schema && !strcmp(schema, RESULT_SCHEMA))
		return doc;
	err_set(e, EINVAL, "%s: schema `%s`, expected " RESULT_SCHEMA, path,
		schema ? schema : "");
	json_decref(doc);
	return NULL;
}

static const struct compare_run *read_result(const char *path, struct arena *a,
					     struct err *e)
{
	struct reading rd = {ARENA_NEW(a, struct compare_run), a, e};
	struct stat st;
	json_t *doc;
	int ret;

	if (!stat(path, &st) && S_ISDIR(st.st_mode))
		path = arena_printf(a, "%s%sresult.json", path,
				    path[strlen(path) - 1] == '/' ? "" : "/");
	rd.r->path = path;
	doc = load(path, e);
	if (!doc)
		return NULL;
	ret = read_run(&rd, doc);
	json_decref(doc);
	return ret ? NULL : rd.r;
}

/* ---- the command -----------------------------------------------------------
 */

struct compare_opts {
	double threshold; /* a share */
	bool json, quiet, help;
};

static int parse_threshold(const char *text, double *share)
{
	char *end;
	double percent = strtod(text, &end);

	end += *end == '%';
	if (end == text || *end || !(percent >= 0 && percent <= 1000))
		return cmd_usage_error("compare",
				       "--threshold '%s': expected a "
				       "percentage such as 5",
				       text);
	*share = percent / 100;
	return 0;
}

static int parse_options(struct compare_opts *o, int argc, char **argv)
{
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		switch (opt) {
		case OPT_THRESHOLD:
			if (parse_threshold(optarg, &o->threshold))
				return EXIT_USAGE;
			break;
		case OPT_JSON:
			o->json = true;
			break;
		case OPT_QUIET:
			o->quiet = true;
			break;
		case 'h':
			o->help = true;
			return 0;
		default:
			return cmd_bad_option("compare", options,
					      argv[optind - 1], opt);
		}
	}
	if (argc - optind != 2)
		return cmd_usage_error("compare",
				       "expected two results, got %d",
				       argc - optind);
	return 0;
}

static int print(const struct compare_opts *o, const struct comparison *c)
{
	char *text;

	if (!o->json) {
		report_compare(stdout, c, o->quiet, isatty(STDOUT_FILENO),
			       cmd_width());
		return 0;
	}
	text = report_compare_json(c);
	if (!text)
		return -ENOMEM;
	puts(text);
	free(text);
	return 0;
}

/* It may quote the file. */
static int bad_file(const struct err *e)
{
	fputs("xlatsim compare: ", stderr);
	report_text(stderr, e->text);
	fputc('\n', stderr);
	return EXIT_USAGE;
}

static int compare(const struct compare_opts *o, char **paths, struct arena *a)
{
	const struct compare_run *run[2];
	const struct comparison *c;
	struct err e;

	for (int i = 0; i < 2; i++) {
		run[i] = read_result(paths[i], a, &e);
		if (!run[i])
			return bad_file(&e);
	}
	if (strcmp(run[0]->scenario, run[1]->scenario) != 0) {
		err_set(&e, EINVAL,
			"%s is of scenario '%s', %s of '%s'; expected two "
			"results of one scenario",
			run[0]->path, run[0]->scenario, run[1]->path,
			run[1]->scenario);
		return bad_file(&e);
	}
	c = compare_runs(run[0], run[1], o->threshold, a);
	if (print(o, c) || fflush(stdout) || c->verdict == CHANGE_NONE)
		return EXIT_INVALID;
	return c->verdict == CHANGE_WORSE ? EXIT_FAILED : EXIT_PASSED;
}

int cmd_compare(int argc, char **argv)
{
	struct compare_opts o = {.threshold = 0.05};
	int status = parse_options(&o, argc, argv);
	struct arena *a;

	if (status)
		return status;
	if (o.help) {
		fputs(usage, stdout);
		return EXIT_PASSED;
	}
	a = arena_new();
	status = compare(&o, argv + optind, a);
	arena_free(a);
	return status;
}

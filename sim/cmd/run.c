/* SPDX-License-Identifier: MIT */
/* xlatsim run SCENARIO... or MATRIX: options, signals, exit status. */
#include "cmd.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "../engine/engine.h"
#include "../plan/plan.h"
#include "../report/matrix.h"
#include "front.h"
#include "matrix.h"
#include "session.h"

static const char usage[] =
	"Usage: xlatsim run [OPTION...] SCENARIO...\n"
	"       xlatsim run [OPTION...] MATRIX\n"
	"Build the world, play each scenario, score it, tear down. A matrix\n"
	"plays its scenarios in all their variants and ends with one table.\n\n"
	"  --json          print the results as JSON instead of a table\n"
	"  --junit FILE    write all results as JUnit XML too\n"
	"  --out DIR       write results under DIR (default: results)\n"
	"  --seed N        seed of everything random (default: from the "
	"system)\n"
	"  --keep          keep the last world until Ctrl-C\n"
	"  --quiet         no progress, only the result\n\n"
	"Of a matrix:\n"
	"  --list          print its cells and the time they take; no root\n"
	"  --only AXIS=VALUE[,VALUE...]\n"
	"                  these values of an axis only; may be repeated\n"
	"  --full          also what its file leaves to --full\n"
	"  --resume        go on with the latest one, which was interrupted\n\n"
	"Needs root. Exit status: 0 passed, 1 an expectation failed, 2 bad\n"
	"usage or file, 3 no verdict, 4 the host lacks something.\n";

enum {
	OPT_JSON = 256,
	OPT_JUNIT,
	OPT_OUT,
	OPT_SEED,
	OPT_KEEP,
	OPT_QUIET,
	OPT_LIST,
	OPT_ONLY,
	OPT_FULL,
	OPT_RESUME,
};

static const struct option options[] = {
	{"json", no_argument, NULL, OPT_JSON},
	{"junit", required_argument, NULL, OPT_JUNIT},
	{"out", required_argument, NULL, OPT_OUT},
	{"seed", required_argument, NULL, OPT_SEED},
	{"keep", no_argument, NULL, OPT_KEEP},
	{"quiet", no_argument, NULL, OPT_QUIET},
	{"list", no_argument, NULL, OPT_LIST},
	{"only", required_argument, NULL, OPT_ONLY},
	{"full", no_argument, NULL, OPT_FULL},
	{"resume", no_argument, NULL, OPT_RESUME},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

struct run {
	struct session_opts session;
	bool json, quiet, help;
	bool seeded;		 /* --seed was given */
	bool list, full, resume; /* of a matrix */
	const char **only;
	size_t n_only;
	const char *junit;
	struct arena *arena;
	const struct scenario **scenarios;
	size_t n_scenarios;
	struct result **results;
	size_t n_results;
	struct front front; /* closed while its loop is NULL */
};

static int parse_seed(const char *text, uint64_t *seed)
{
	char *end;

	errno = 0;
	*seed = strtoull(text, &end, 0);
	return errno || end == text || *end || *text == '-' ? -EINVAL : 0;
}

static int parse_options(struct run *r, int argc, char **argv)
{
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		switch (opt) {
		case OPT_JSON:
			r->json = true;
			break;
		case OPT_JUNIT:
			r->junit = optarg;
			break;
		case OPT_OUT:
			r->session.out = optarg;
			break;
		case OPT_SEED:
			if (parse_seed(optarg, &r->session.seed))
				return cmd_usage_error(
					"run",
					"--seed '%s': "
					"expected a whole number",
					optarg);
			r->seeded = true;
			break;
		case OPT_KEEP:
			r->session.keep = true;
			break;
		case OPT_QUIET:
			r->quiet = true;
			break;
		case OPT_LIST:
			r->list = true;
			break;
		case OPT_ONLY:
			*ARENA_APPEND(r->arena, r->only, r->n_only) = optarg;
			break;
		case OPT_FULL:
			r->full = true;
			break;
		case OPT_RESUME:
			r->resume = true;
			break;
		case 'h':
			r->help = true;
			return 0;
		default:
			return cmd_bad_option("run", options, argv[optind - 1],
					      opt);
		}
	}
	if (optind == argc)
		return cmd_usage_error("run", "expected a scenario file");
	return 0;
}

/* Every file is read and checked before anything is touched. */
static int load_scenarios(struct run *r, char **paths, int n)
{
	int status = 0;

	for (int i = 0; i < n; i++) {
		struct scenario *s;
		struct diags d;

		diags_init(&d);
		s = spec_load_scenario(paths[i], r->arena, &d);
		if (s)
			*ARENA_APPEND(r->arena, r->scenarios, r->n_scenarios) =
				s;
		else
			status = cmd_bad_file(paths[i], &d);
		diags_fini(&d);
	}
	return status;
}

static int check_root(void)
{
	if (geteuid() == 0)
		return 0;
	fputs("xlatsim run: needs root to make network namespaces "
	      "(sudo xlatsim run ...)\n",
	      stderr);
	return EXIT_HOST;
}

static int check_host(const struct run *r)
{
	int status = check_root();

	if (status)
		return status;
	for (size_t i = 0; i < r->n_scenarios; i++) {
		struct err e;
		struct plan *p =
			plan_new(r->scenarios[i]->topology, r->arena, &e);

		if (!p) {
			fprintf(stderr, "xlatsim run: %s: %s\n",
				r->scenarios[i]->topology->path, e.text);
			return EXIT_USAGE;
		}
		if (engine_check_host(p, &e)) {
			fprintf(stderr,
				"xlatsim run: this host cannot run "
				"%s: %s\n",
				r->scenarios[i]->path, e.text);
			return EXIT_HOST;
		}
	}
	return 0;
}

static void announce(const struct run *r)
{
	double ns = 0;
	char text[32];

	for (size_t i = 0; i < r->n_scenarios; i++)
		ns += spec_duration_ns(r->scenarios[i]);
	units_format(ns, UNIT_TIME, text, sizeof(text));
	progress_note(r->session.progress,
		      "%zu scenario%s, about %s of "
		      "measuring; seed %llu",
		      r->n_scenarios, r->n_scenarios == 1 ? "" : "s", text,
		      (unsigned long long)r->session.seed);
}

static int play_all(struct run *r)
{
	bool keep = r->session.keep;

	announce(r);
	for (size_t i = 0; i < r->n_scenarios; i++) {
		struct result *res;
		struct err e = {""};

		r->session.keep = keep && i + 1 == r->n_scenarios;
		res = session_run(r->scenarios[i], &r->session, r->arena, &e);
		if (!res) {
			fprintf(stderr, "xlatsim run: %s\n", e.text);
			return EXIT_HOST;
		}
		*ARENA_APPEND(r->arena, r->results, r->n_results) = res;
		if (res->why && !strcmp(res->why, "interrupted"))
			break;
	}
	return 0;
}

static int print_json(const struct run *r)
{
	json_t *all = json_array();
	int ret;

	for (size_t i = 0; i < r->n_results; i++) {
		char *text = report_json(r->results[i]);

		json_array_append_new(all, text ? json_loads(text, 0, NULL)
						: json_null());
		free(text);
	}
	ret = json_dumpf(r->n_scenarios == 1 ? json_array_get(all, 0) : all,
			 stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(all);
	return ret;
}

static int exit_status_of(const struct run *r)
{
	int status = EXIT_PASSED;

	for (size_t i = 0; i < r->n_results; i++) {
		if (r->results[i]->verdict == VERDICT_FAIL)
			return EXIT_FAILED;
		if (r->results[i]->verdict == VERDICT_INVALID)
			status = EXIT_INVALID;
	}
	return status;
}

static int report(struct run *r)
{
	int status = exit_status_of(r);
	struct err e;

	if (r->json) {
		if (print_json(r))
			status = status ? status : EXIT_INVALID;
	} else {
		for (size_t i = 0; i < r->n_results; i++)
			report_table(stdout, r->results[i],
				     isatty(STDOUT_FILENO), cmd_width());
	}
	if (r->junit && report_junit(r->junit, r->results, r->n_results, &e)) {
		fprintf(stderr, "xlatsim run: %s\n", e.text);
		status = status ? status : EXIT_INVALID;
	}
	if (fflush(stdout) && !status)
		status = EXIT_INVALID;
	return status;
}

static int open_front(struct run *r)
{
	int status = front_open(&r->front, "run", r->session.loop, r->quiet);

	r->session.progress = r->front.progress;
	return status;
}

static int run_scenarios(struct run *r, char **paths, int n)
{
	int status = load_scenarios(r, paths, n), told;

	if (!status)
		status = check_host(r);
	if (!status)
		status = open_front(r);
	if (status)
		return status;
	status = play_all(r);
	front_end_progress(&r->front);
	/* also of those before one that could not begin */
	told = r->n_results ? report(r) : 0;
	return told ? told : status;
}

/* ---- a matrix --------------------------------------------------------------
 */

static int report_matrix(const struct run *r, const json_t *doc,
			 const char *dir)
{
	int status = EXIT_HOST; /* nothing but skipped */
	struct err e;

	if (r->json) {
		json_dumpf(doc, stdout,
			   JSON_INDENT(2) | JSON_REAL_PRECISION(12));
		putchar('\n');
	} else {
		report_matrix_table(stdout, doc, isatty(STDOUT_FILENO));
		printf("report: %s/report.html\n", dir);
	}
	if (matrix_doc_count(doc, VERDICT_FAIL))
		status = EXIT_FAILED;
	else if (matrix_doc_count(doc, VERDICT_INVALID))
		status = EXIT_INVALID;
	else if (matrix_doc_count(doc, VERDICT_PASS))
		status = EXIT_PASSED;
	if (r->junit && report_matrix_junit(r->junit, doc, &e)) {
		fprintf(stderr, "xlatsim run: %s\n", e.text);
		status = status ? status : EXIT_INVALID;
	}
	if (fflush(stdout) && !status)
		status = EXIT_INVALID;
	return status;
}

static int play_matrix(struct run *r, const struct matrix *m,
		       const bool *chosen)
{
	const struct matrix_opts o = {
		.session = r->session, .chosen = chosen, .resume = r->resume};
	json_t *doc = NULL;
	const char *dir = NULL;
	struct err e = {""};
	int ret = matrix_play(m, &o, r->arena, &doc, &dir, &e), status;

	front_end_progress(&r->front);
	if (ret && ret != -EINTR)
		fprintf(stderr, "xlatsim run: %s\n", e.text);
	status = dir && doc && (!ret || ret == -EINTR)
			 ? report_matrix(r, doc, dir)
			 : EXIT_HOST;
	if (ret == -EINVAL) /* what was to be resumed */
		status = EXIT_USAGE;
	if (ret == -EINTR) {
		fprintf(stderr,
			"xlatsim run: interrupted; go on with `xlatsim run "
			"--resume %s`\n",
			m->path);
		status = EXIT_INVALID;
	}
	json_decref(doc);
	return status;
}

static int run_matrix(struct run *r, char **paths, int n)
{
	struct matrix *m;
	struct diags d;
	struct err e;
	bool *chosen;
	int status = 0;
	char text[32];

	if (n > 1 || r->session.keep)
		return cmd_usage_error("run", "a matrix is run alone, and "
					      "without --keep");
	if (r->resume && r->seeded)
		return cmd_usage_error("run",
				       "--resume goes on with the seed that "
				       "the matrix began with");
	diags_init(&d);
	m = matrix_load(paths[0], r->arena, &d);
	if (!m)
		status = cmd_bad_file(paths[0], &d);
	diags_fini(&d);
	if (!m)
		return status;
	chosen = arena_alloc(r->arena, m->n_cells + 1);
	if (matrix_select(m, r->only, r->n_only, r->full, chosen, &e))
		return cmd_usage_error("run", "%s", e.text);
	if (r->list) {
		matrix_list(m, chosen, stdout);
		return fflush(stdout) ? EXIT_INVALID : EXIT_PASSED;
	}
	status = check_root();
	if (!status)
		status = open_front(r);
	if (status)
		return status;
	progress_note(r->session.progress, "matrix %s: about %s; seed %llu",
		      m->name,
		      units_format(matrix_duration_ns(m, chosen), UNIT_TIME,
				   text, sizeof(text)),
		      (unsigned long long)r->session.seed);
	return play_matrix(r, m, chosen);
}

static int run_files(struct run *r, int argc, char **argv)
{
	int status = parse_options(r, argc, argv);
	bool any = false;

	if (status)
		return status;
	if (r->help) {
		fputs(usage, stdout);
		return EXIT_PASSED;
	}
	for (int i = optind; i < argc; i++)
		any |= matrix_is(argv[i]);
	if (any)
		return run_matrix(r, argv + optind, argc - optind);
	if (r->list || r->n_only || r->full || r->resume)
		return cmd_usage_error("run", "--list, --only, --full and "
					      "--resume are for a matrix");
	return run_scenarios(r, argv + optind, argc - optind);
}

int cmd_run(int argc, char **argv)
{
	struct run r = {.session = {.out = "results"}};
	int status;

	if (getrandom(&r.session.seed, 4, 0) != 4)
		r.session.seed = 1;
	r.arena = arena_new();
	r.session.loop = loop_new();
	if (!r.session.loop) {
		perror("xlatsim run");
		arena_free(r.arena);
		return EXIT_HOST;
	}
	status = run_files(&r, argc, argv);
	if (r.front.loop)
		front_close(&r.front);
	loop_free(r.session.loop);
	arena_free(r.arena);
	return status;
}

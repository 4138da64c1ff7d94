/* SPDX-License-Identifier: MIT */
/* xlatsim conform ENGINE...: the RFCs' cases against engines. */
#include "cmd.h"

#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../xlat/base/yaml.h"
#include "../conform/run.h"
#include "../engine/engine.h"
#include "../report/report.h"
#include "front.h"

static const char usage[] =
	"Usage: xlatsim conform [OPTION...] ENGINE...\n"
	"Play the conformance cases of RFC 7915, 6052, 7757, 6146 against "
	"engines.\n\n"
	"  --role ROLE      only cases for siit, clat or plat\n"
	"  --only PATTERN   only cases whose name has PATTERN in it, or "
	"matches it\n"
	"                   (with * ? []), or RFC:SECTION, as in 7915:4.1\n"
	"  --cases PATH     a folder of *.cases, or one such file, instead "
	"of\n"
	"                   those that xlatsim brings\n"
	"  --list           list the cases, touch nothing\n"
	"  --json FILE      write the results as JSON (-: standard output)\n"
	"  --junit FILE     write the results as JUnit XML\n"
	"  --quiet          no progress, only the result\n\n"
	"Needs root, but for --list. Exit status: 0 all passed or were "
	"skipped,\n"
	"1 a case failed, 2 bad usage or file, 3 no verdict, 4 the host lacks\n"
	"something.\n";

enum {
	OPT_ROLE = 256,
	OPT_ONLY,
	OPT_CASES,
	OPT_LIST,
	OPT_JSON,
	OPT_JUNIT,
	OPT_QUIET
};

static const struct option options[] = {
	{"role", required_argument, NULL, OPT_ROLE},
	{"only", required_argument, NULL, OPT_ONLY},
	{"cases", required_argument, NULL, OPT_CASES},
	{"list", no_argument, NULL, OPT_LIST},
	{"json", required_argument, NULL, OPT_JSON},
	{"junit", required_argument, NULL, OPT_JUNIT},
	{"quiet", no_argument, NULL, OPT_QUIET},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

struct conform {
	struct conform_opts o;
	bool list, quiet, help;
	const char *path, *json, *junit;
	struct arena *arena;
	struct suite *suite;
	const struct player **players;
	const char **versions;
	size_t n_players;
	struct conform_result **results;
	size_t n_results;
	struct front front; /* closed while its loop is NULL */
};

static int parse_role(struct conform *c, const char *word)
{
	for (int i = 0; i < N_CONFORM_ROLES; i++)
		if (!strcmp(conform_role_words[i], word)) {
			c->o.role = i;
			return 0;
		}
	return cmd_usage_error(
		"conform", "--role '%s': expected siit, clat or plat", word);
}

static int parse_option(struct conform *c, int opt, char **argv)
{
	switch (opt) {
	case OPT_ROLE:
		return parse_role(c, optarg);
	case OPT_ONLY:
		c->o.only = optarg;
		return 0;
	case OPT_CASES:
		c->path = optarg;
		return 0;
	case OPT_LIST:
		c->list = true;
		return 0;
	case OPT_JSON:
		c->json = optarg;
		return 0;
	case OPT_JUNIT:
		c->junit = optarg;
		return 0;
	case OPT_QUIET:
		c->quiet = true;
		return 0;
	case 'h':
		c->help = true;
		return 0;
	default:
		return cmd_bad_option("conform", options, argv[optind - 1],
				      opt);
	}
}

static int add_player(struct conform *c, const char *name)
{
	const struct player *p = player_find(name);
	const char *near = diag_suggest(name, player_names());
	char known[128] = "";

	for (const char *const *n = player_names(); *n; n++)
		snprintf(known + strlen(known), sizeof(known) - strlen(known),
			 " %s", *n);
	if (!p && near)
		return cmd_usage_error("conform",
				       "there is no engine '%s'; did you mean "
				       "'%s'?",
				       name, near);
	if (!p)
		return cmd_usage_error("conform",
				       "engine '%s' cannot be judged; those "
				       "that can:%s",
				       name, known);
	*ARENA_APPEND(c->arena, c->players, c->n_players) = p;
	return 0;
}

static int parse_options(struct conform *c, int argc, char **argv)
{
	int opt, status = 0;

	opterr = 0;
	while (!status && !c->help &&
	       (opt = getopt_long(argc, argv, ":h", options, NULL)) != -1)
		status = parse_option(c, opt, argv);
	if (status || c->help)
		return status;
	if (optind == argc && !c->list)
		return cmd_usage_error("conform", "expected an engine");
	for (int i = optind; i < argc && !status; i++)
		status = add_player(c, argv[i]);
	return status;
}

/* ---- cases -----------------------------------------------------------------
 */

/* Beside xlatsim in a build folder, or installed. */
static const char *default_cases(struct arena *a)
{
	static const char *const places[] = {"/../conform", "/../../conform",
					     "/../share/xlatsim/conform"};
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	struct stat st;

	if (n <= 0)
		return NULL;
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		char *path = arena_printf(a, "%s%s", self, places[i]);
		char *real = stat(path, &st) ? NULL : realpath(path, NULL);

		if (real && S_ISDIR(st.st_mode)) {
			path = arena_strdup(a, real);
			free(real);
			return path;
		}
		free(real);
	}
	return NULL;
}

static int load_cases(struct conform *c)
{
	struct diags d;
	int status = 0;
	size_t n = 0;

	if (!c->path)
		c->path = default_cases(c->arena);
	if (!c->path) {
		fputs("xlatsim conform: no cases beside xlatsim, nor "
		      "installed: name them with --cases\n",
		      stderr);
		return EXIT_HOST;
	}
	diags_init(&d);
	c->suite = suite_load(c->path, c->arena, &d);
	if (!c->suite)
		status = cmd_bad_file(c->path, &d);
	diags_fini(&d);
	for (size_t i = 0; c->suite && i < c->suite->n_cases; i++)
		n += case_chosen(c->suite->cases[i], &c->o);
	if (!status && !n)
		return cmd_usage_error("conform", "no case is chosen%s%s",
				       c->o.only ? " by " : "",
				       c->o.only ? c->o.only : "");
	return status;
}

static int list_cases(const struct conform *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->suite->n_cases; i++) {
		const struct conform_case *k = c->suite->cases[i];

		if (!case_chosen(k, &c->o))
			continue;
		n++;
		printf("%-36s  RFC %s %-6s  %-5s %-16s  %s\n", k->name, k->rfc,
		       k->section, conform_role_words[k->setup->role],
		       k->setup->name, k->about);
	}
	printf("%zu cases\n", n);
	return fflush(stdout) ? EXIT_INVALID : EXIT_PASSED;
}

/* ---- the host --------------------------------------------------------------
 */

static const struct engine_ops *ops_of(const char *name)
{
	for (const struct engine_ops *const *ops = engine_all(); *ops; ops++)
		if (!strcmp((*ops)->name, name))
			return *ops;
	return NULL;
}

static int check_host(struct conform *c)
{
	if (geteuid() != 0) {
		fputs("xlatsim conform: needs root to make network namespaces "
		      "(sudo xlatsim conform ...)\n",
		      stderr);
		return EXIT_HOST;
	}
	c->versions = arena_alloc(c->arena,
				  (c->n_players + 1) * sizeof(*c->versions));
	for (size_t i = 0; i < c->n_players; i++) {
		const struct engine_ops *ops = ops_of(c->players[i]->name);
		char version[128] = "";
		struct err why = {"it is not built in"};

		if (!ops || ops->available(version, sizeof(version), &why)) {
			fprintf(stderr, "xlatsim conform: engine %s: %s\n",
				c->players[i]->name, why.text);
			return EXIT_HOST;
		}
		c->versions[i] = arena_strdup(c->arena, version);
	}
	return 0;
}

/* ---- results ---------------------------------------------------------------
 */

static void on_done(void *arg, size_t n, size_t of, const struct case_result *r)
{
	struct conform *c = arg;

	progress_tick(c->front.progress, (double)n, (double)of, r->c->name);
}

static int write_json(const struct conform *c)
{
	json_t *all = json_array(), *o;
	bool out = !strcmp(c->json, "-");
	FILE *f = out ? stdout : fopen(c->json, "we");
	int ret = f ? 0 : -1;

	for (size_t i = 0; i < c->n_results; i++)
		json_array_append_new(all, conform_json(c->results[i]));
	o = c->n_results == 1 ? json_array_get(all, 0) : all;
	if (f)
		ret = json_dumpf(o, f, JSON_INDENT(2)) | (fputc('\n', f) < 0);
	if (f && !out)
		ret |= fclose(f);
	json_decref(all);
	if (ret)
		fprintf(stderr, "xlatsim conform: %s: cannot be written\n",
			c->json);
	return ret ? EXIT_INVALID : 0;
}

static int exit_status_of(const struct conform *c)
{
	int status = EXIT_PASSED;

	for (size_t i = 0; i < c->n_results; i++) {
		if (c->results[i]->failed)
			return EXIT_FAILED;
		if (c->results[i]->no_verdict || c->results[i]->interrupted)
			status = EXIT_INVALID;
	}
	return status;
}

static int report(const struct conform *c)
{
	int status = exit_status_of(c);
	struct err e = {""};

	if (!c->json || strcmp(c->json, "-") != 0)
		conform_print(stdout, c->results, c->n_results,
			      isatty(STDOUT_FILENO));
	if (c->json && write_json(c) && !status)
		status = EXIT_INVALID;
	if (c->junit && conform_junit(c->junit, c->results, c->n_results, &e)) {
		fprintf(stderr, "xlatsim conform: %s\n", e.text);
		status = status ? status : EXIT_INVALID;
	}
	if (fflush(stdout) && !status)
		status = EXIT_INVALID;
	return status;
}

static void play(struct conform *c)
{
	for (size_t i = 0; i < c->n_players; i++) {
		struct conform_result *r;

		progress_stage(c->front.progress, "judging %s",
			       c->players[i]->name);
		r = conform_run(c->suite, c->players[i], &c->o, c->arena);
		r->version = c->versions[i];
		*ARENA_APPEND(c->arena, c->results, c->n_results) = r;
		if (r->interrupted)
			break;
	}
}

static int conform(struct conform *c, int argc, char **argv)
{
	int status = parse_options(c, argc, argv);

	if (status)
		return status;
	if (c->help) {
		fputs(usage, stdout);
		return EXIT_PASSED;
	}
	status = load_cases(c);
	if (status)
		return status;
	if (c->list)
		return list_cases(c);
	status = check_host(c);
	if (!status)
		status = front_open(&c->front, "conform", c->o.loop, c->quiet);
	if (status)
		return status;
	play(c);
	front_end_progress(&c->front);
	return report(c);
}

int cmd_conform(int argc, char **argv)
{
	struct conform c = {0};
	int status;

	c.arena = arena_new();
	c.o.loop = loop_new();
	c.o.role = -1;
	c.o.done = on_done;
	c.o.arg = &c;
	if (!c.o.loop) {
		perror("xlatsim conform");
		arena_free(c.arena);
		return EXIT_HOST;
	}
	status = conform(&c, argc, argv);
	if (c.front.loop)
		front_close(&c.front);
	loop_free(c.o.loop);
	arena_free(c.arena);
	return status;
}

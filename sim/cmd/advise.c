/* SPDX-License-Identifier: MIT */
/* xlatsim advise: settings for operators, out of what a matrix measured. */
#include "../advise/advise.h"

#include <dirent.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"

static const char usage[] =
	"Usage: xlatsim advise [--results DIR] [--json] MATRIX-RESULT\n"
	"       xlatsim advise [--results DIR] [--json] TOPOLOGY\n"
	"Say which offloads and attachments suit an engine, each with the\n"
	"measurement that says so. MATRIX-RESULT is the folder of a matrix, "
	"or\n"
	"its matrix.json. For a TOPOLOGY (or a scenario) the latest matrices\n"
	"below DIR (default: results) are searched for its PLAT engines.\n\n"
	"  --results DIR   where results are\n"
	"  --json          print it as JSON\n\n"
	"Exit status: 0 advice was given, 2 bad usage or file, 3 nothing\n"
	"measured allows any.\n";

static const struct option options[] = {
	{"results", required_argument, NULL, 'r'},
	{"json", no_argument, NULL, 'j'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

struct advising {
	const char *results;
	bool as_json, help;
	struct arena *a;
	const struct topology *t; /* that asks; or NULL */
	json_t *all;		  /* --json: one a matrix */
	size_t groups;		  /* that say something */
};

static int bad_result(const struct err *e)
{
	fprintf(stderr, "xlatsim advise: %s\n", e->text);
	return EXIT_USAGE;
}

static bool has_settings(const struct advise_input *in)
{
	for (size_t i = 0; i < in->n_axes; i++)
		if (in->axes[i].setting)
			return true;
	return false;
}

static const char *why_not(const struct advise_input *in)
{
	if (!in->n_cells)
		return "none of its cells was measured";
	for (size_t i = 0; i < in->n_axes; i++)
		if (in->axes[i].known)
			return "none of its axes sets an offload or an "
			       "attachment";
	return "it does not tell what its values set";
}

static void tell(struct advising *v, const struct advise_input *in)
{
	size_t n, found;
	struct advice_group *g = advise_derive(in, v->a, &n);
	json_t *o;

	if (!v->as_json) {
		v->groups += advise_print(stdout, in, g, n, v->t, v->a);
		return;
	}
	o = advise_json(in, g, n, v->t, v->a);
	found = json_array_size(json_object_get(o, "engines"));
	v->groups += found;
	if (found)
		json_array_append(v->all, o);
	json_decref(o);
}

static int advise_matrix(struct advising *v, const char *path)
{
	struct err e;
	const struct advise_input *in = advise_read(path, v->a, &e);

	if (!in)
		return bad_result(&e);
	if (!in->n_cells || !has_settings(in)) {
		fprintf(stderr, "xlatsim advise: %s: %s\n", in->path,
			why_not(in));
		return EXIT_INVALID;
	}
	tell(v, in);
	return EXIT_PASSED;
}

/* ---- the latest matrices below DIR -----------------------------------------
 */

static int is_visible(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static int search(struct advising *v)
{
	struct dirent **list = NULL;
	int n = scandir(v->results, &list, is_visible, alphasort), ret = 0;

	for (int i = 0; i < n; i++) {
		const char *path =
			arena_printf(v->a, "%s/%s/latest/matrix.json",
				     v->results, list[i]->d_name);
		const struct advise_input *in;
		struct err e;

		free(list[i]);
		if (ret || access(path, F_OK))
			continue;
		in = advise_read(path, v->a, &e);
		if (!in)
			ret = bad_result(&e);
		else if (in->n_cells && has_settings(in))
			tell(v, in);
	}
	free(list);
	return ret;
}

static int advise_topology(struct advising *v, const char *path)
{
	struct diags d;
	int status;

	diags_init(&d);
	if (spec_is_scenario(path)) {
		const struct scenario *s = spec_load_scenario(path, v->a, &d);

		v->t = s ? s->topology : NULL;
	} else {
		v->t = spec_load_topology(path, v->a, &d);
	}
	status = v->t ? EXIT_PASSED : cmd_bad_file(path, &d);
	diags_fini(&d);
	if (!status)
		status = search(v);
	if (status || v->groups)
		return status;
	fprintf(stderr,
		"xlatsim advise: no matrix below %s has measured settings of "
		"%s as PLAT; first `xlatsim run` one that does\n",
		v->results, advise_plats(v->t, v->a));
	return EXIT_INVALID;
}

/* A result is a folder, or JSON. */
static bool is_result(const char *path)
{
	size_t len = strlen(path);
	struct stat st;

	return (len > 5 && !strcmp(path + len - 5, ".json")) ||
	       (!stat(path, &st) && S_ISDIR(st.st_mode));
}

static int parse_options(struct advising *v, int argc, char **argv)
{
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		switch (opt) {
		case 'r':
			v->results = optarg;
			break;
		case 'j':
			v->as_json = true;
			break;
		case 'h':
			v->help = true;
			return 0;
		default:
			return cmd_bad_option("advise", options,
					      argv[optind - 1], opt);
		}
	}
	if (argc - optind != 1)
		return cmd_usage_error("advise", "expected one file, got %d",
				       argc - optind);
	return 0;
}

int cmd_advise(int argc, char **argv)
{
	struct advising v = {.results = "results"};
	int status = parse_options(&v, argc, argv);

	if (status)
		return status;
	if (v.help) {
		fputs(usage, stdout);
		return EXIT_PASSED;
	}
	v.a = arena_new();
	v.all = json_array();
	status = is_result(argv[optind]) ? advise_matrix(&v, argv[optind])
					 : advise_topology(&v, argv[optind]);
	if (!status && v.as_json) {
		json_dumpf(v.all, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(v.all);
	arena_free(v.a);
	return fflush(stdout) && !status ? EXIT_INVALID : status;
}

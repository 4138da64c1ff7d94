/* SPDX-License-Identifier: MIT */
/* xlatsim plan FILE: what would be built, without touching anything. */
#include "cmd.h"

#include <getopt.h>
#include <stdio.h>

#include "../plan/plan.h"
#include "../spec/matrix.h"
#include "matrix.h"

static const char usage[] =
	"Usage: xlatsim plan FILE\n"
	"       xlatsim plan [--only AXIS=VALUE[,VALUE...]] MATRIX\n"
	"Print what a topology or scenario file would build: nodes, links,\n"
	"addresses, routes, daemons, and each step with its undo. Of a "
	"matrix,\n"
	"print its axes and all cells, or, where --only leaves one, what that\n"
	"would build. Needs no root and touches nothing.\n";

static const struct option options[] = {
	{"only", required_argument, NULL, 'o'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

struct planning {
	struct arena *a;
	struct diags *d;
	const char **only; /* of a matrix */
	size_t n_only;
	bool help;
};

static const struct topology *load(const char *path, struct arena *a,
				   const struct scenario **s, struct diags *d)
{
	*s = NULL;
	if (!spec_is_scenario(path))
		return spec_load_topology(path, a, d);
	*s = spec_load_scenario(path, a, d);
	return *s ? (*s)->topology : NULL;
}

static int print_world(const char *path, const struct topology *t,
		       const struct scenario *s, struct arena *a)
{
	struct err e;
	struct plan *p = plan_new(t, a, &e);

	if (!p) {
		fprintf(stderr, "xlatsim plan: %s: %s\n", path, e.text);
		return EXIT_USAGE;
	}
	plan_print(p, stdout);
	if (s) {
		char text[32];

		units_format(spec_duration_ns(s), UNIT_TIME, text,
			     sizeof(text));
		printf("\nscenario %s: measures and events take about %s\n",
		       s->name, text);
	}
	return fflush(stdout) ? EXIT_INVALID : EXIT_PASSED;
}

/* ---- a matrix --------------------------------------------------------------
 */

static void print_axes(const struct matrix *m)
{
	printf("matrix %s: %s\n", m->name, m->title);
	for (size_t i = 0; i < m->n_axes; i++) {
		const struct matrix_axis *x = &m->axes[i];

		printf("%s:", x->name);
		for (size_t k = 0; k < x->n; k++)
			printf(" %s%s", x->v[k].name,
			       x->v[k].full ? " (--full)" : "");
		putchar('\n');
	}
	putchar('\n');
}

static int print_matrix(const struct planning *g, const char *path)
{
	struct matrix *m = matrix_load(path, g->a, g->d);
	const struct matrix_cell *one = NULL;
	struct err e;
	bool *chosen;
	size_t n = 0;

	if (!m)
		return cmd_bad_file(path, g->d);
	chosen = arena_alloc(g->a, m->n_cells + 1);
	if (matrix_select(m, g->only, g->n_only, true, chosen, &e))
		return cmd_usage_error("plan", "%s", e.text);
	for (size_t i = 0; i < m->n_cells; i++)
		if (chosen[i] && n++ == 0)
			one = &m->cells[i];
	if (n == 1 && one->s)
		return print_world(path, one->s->topology, one->s, g->a);
	print_axes(m);
	matrix_list(m, chosen, stdout);
	return fflush(stdout) ? EXIT_INVALID : EXIT_PASSED;
}

/* ---------------------------------------------------------------------------
 */

static int print_plan(const struct planning *g, const char *path)
{
	const struct scenario *s;
	const struct topology *t;

	if (matrix_is(path))
		return print_matrix(g, path);
	if (g->n_only)
		return cmd_usage_error("plan", "--only is for a matrix");
	t = load(path, g->a, &s, g->d);
	return t ? print_world(path, t, s, g->a) : cmd_bad_file(path, g->d);
}

static int parse_options(struct planning *g, int argc, char **argv)
{
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		switch (opt) {
		case 'o':
			*ARENA_APPEND(g->a, g->only, g->n_only) = optarg;
			break;
		case 'h':
			g->help = true;
			return 0;
		default:
			return cmd_bad_option("plan", options, argv[optind - 1],
					      opt);
		}
	}
	if (argc - optind != 1)
		return cmd_usage_error("plan", "expected one file, got %d",
				       argc - optind);
	return 0;
}

int cmd_plan(int argc, char **argv)
{
	struct diags d;
	struct planning g = {.a = arena_new(), .d = &d};
	int status = parse_options(&g, argc, argv);

	diags_init(&d);
	if (g.help)
		fputs(usage, stdout);
	else if (!status)
		status = print_plan(&g, argv[optind]);
	diags_fini(&d);
	arena_free(g.a);
	return status;
}

/* SPDX-License-Identifier: MIT */
/* xlatsim plan FILE: what would be built, without touching anything. */
#include "cmd.h"

#include <getopt.h>
#include <stdio.h>

#include "../plan/plan.h"

static const char usage[] =
	"Usage: xlatsim plan FILE\n"
	"Print what a topology or scenario file would build: nodes, links,\n"
	"addresses, routes, daemons, and each step with its undo. Needs no\n"
	"root and touches nothing.\n";

static const struct option options[] = {
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
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

static int print_plan(const char *path, struct arena *a, struct diags *d)
{
	const struct scenario *s;
	const struct topology *t = load(path, a, &s, d);
	struct plan *p;
	struct err e;

	if (!t)
		return cmd_bad_file(path, d);
	p = plan_new(t, a, &e);
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

int cmd_plan(int argc, char **argv)
{
	struct arena *a;
	struct diags d;
	int opt, ret;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		if (opt != 'h')
			return cmd_bad_option("plan", options, argv[optind - 1],
					      opt);
		fputs(usage, stdout);
		return EXIT_PASSED;
	}
	if (argc - optind != 1)
		return cmd_usage_error("plan", "expected one file, got %d",
				       argc - optind);
	a = arena_new();
	diags_init(&d);
	ret = print_plan(argv[optind], a, &d);
	diags_fini(&d);
	arena_free(a);
	return ret;
}

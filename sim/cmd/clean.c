/* SPDX-License-Identifier: MIT */
/* xlatsim clean: remove whatever a killed run left behind. */
#include "cmd.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "../world/world.h"

static const char usage[] =
	"Usage: xlatsim clean [--dry-run]\n"
	"Remove namespaces, processes and run files of runs that were killed.\n"
	"Runs that are alive are left alone. --dry-run only lists.\n";

static const struct option options[] = {
	{"dry-run", no_argument, NULL, 'n'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static void print_leftover(void *arg, const char *what)
{
	const bool *dry_run = arg;

	printf("%s %s\n", *dry_run ? "found" : "removed", what);
}

int cmd_clean(int argc, char **argv)
{
	bool dry_run = false;
	struct err e;
	int opt, n;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":nh", options, NULL)) != -1) {
		switch (opt) {
		case 'n':
			dry_run = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_PASSED;
		default:
			return cmd_bad_option("clean", options,
					      argv[optind - 1], opt);
		}
	}
	if (optind < argc)
		return cmd_usage_error("clean", "unexpected '%s'",
				       argv[optind]);
	if (geteuid() != 0) {
		fputs("xlatsim clean: needs root (sudo xlatsim clean)\n",
		      stderr);
		return EXIT_HOST;
	}
	n = world_clean(dry_run, print_leftover, &dry_run, &e);
	if (n < 0) {
		fprintf(stderr, "xlatsim clean: %s\n", e.text);
		return EXIT_INVALID;
	}
	if (n == 0)
		puts("nothing is left over");
	return EXIT_PASSED;
}

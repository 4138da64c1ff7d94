/* SPDX-License-Identifier: MIT */
/* xlatsim: a table of subcommands. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "../xlat/base/diag.h"
#include "../xlat/base/log.h"
#include "cmd/cmd.h"
#include "engine/hold.h"
#include "engine/jool_vm.h"
#include "engine/engine.h"
#include "probe/probe.h"
#include "relay/relay.h"

static const struct subcommand {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *synopsis; /* NULL: for xlatsim's own use inside nodes */
	const char *help;
} subcommands[] = {
	{"run", cmd_run, "run SCENARIO...",
	 "build the world, play the scenario, score, tear down"},
	{"plan", cmd_plan, "plan FILE",
	 "print what would be built, touch nothing"},
	{"advise", cmd_advise, "advise FILE",
	 "settings that suit an engine, by what a matrix measured"},
	{"compare", cmd_compare, "compare A B",
	 "two results: what got better, worse, stayed"},
	{"conform", cmd_conform, "conform ENGINE",
	 "the RFCs' conformance cases against an engine"},
	{"doctor", cmd_doctor, "doctor",
	 "what this host can and cannot run, and what to install"},
	{"engines", cmd_engines, "engines",
	 "which engines a topology may name, and which are here"},
	{"prepare", cmd_prepare, "prepare ENGINE",
	 "build what real Jool needs, once, and try it out"},
	{"clean", cmd_clean, "clean",
	 "remove whatever a killed run left behind"},
	{"probe", probe_main, NULL, NULL},
	{"relay", relay_main, NULL, NULL},
	{"jool-vm", jool_vm_main, NULL, NULL},
	{"hold", hold_main, NULL, NULL},
	{"health", health_main, NULL, NULL},
	{"advertise", radv_main, NULL, NULL},
};

#define N_SUBCOMMANDS (sizeof(subcommands) / sizeof(*subcommands))

static int print_help(FILE *out)
{
	fputs("xlatsim: build a 464XLAT wireless ISP in network namespaces,\n"
	      "break it on schedule, and score what its customers felt.\n\n"
	      "Usage: xlatsim COMMAND [OPTION...]\n\n",
	      out);
	for (size_t i = 0; i < N_SUBCOMMANDS; i++)
		if (subcommands[i].synopsis)
			fprintf(out, "  %-18s %s\n", subcommands[i].synopsis,
				subcommands[i].help);
	fputs("\n`xlatsim COMMAND --help` says more; so do xlatsim(1) and "
	      "scenario(5).\n"
	      "Exit status: 0 passed, 1 failed, 2 bad usage or file, 3 no "
	      "verdict, 4 the host lacks something.\n",
	      out);
	return EXIT_PASSED;
}

static int unknown(const char *word)
{
	const char *names[N_SUBCOMMANDS + 1], *near;

	for (size_t i = 0; i < N_SUBCOMMANDS; i++)
		names[i] = subcommands[i].name;
	names[N_SUBCOMMANDS] = NULL;
	near = diag_suggest(word, names);
	fprintf(stderr, "xlatsim: there is no command '%s'%s%s%s\n", word,
		near ? "; did you mean '" : "", near ? near : "",
		near ? "'?" : "");
	fputs("See `xlatsim --help`.\n", stderr);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	log_init("xlatsim", LOG_WARN);
	signal(SIGPIPE, SIG_IGN);
	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") ||
	    !strcmp(argv[1], "help"))
		return print_help(stdout);
	if (!strcmp(argv[1], "--version")) {
		puts("xlatsim " XLATSIM_VERSION);
		return EXIT_PASSED;
	}
	for (size_t i = 0; i < N_SUBCOMMANDS; i++)
		if (!strcmp(argv[1], subcommands[i].name))
			return subcommands[i].run(argc - 1, argv + 1);
	return unknown(argv[1]);
}

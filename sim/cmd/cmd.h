/* SPDX-License-Identifier: MIT */
/* The subcommands. Each takes its own argc and argv (argv[0] is its name). */
#ifndef CMD_CMD_H
#define CMD_CMD_H

#include "../../xlat/base/diag.h"

/* Exit status of every subcommand. */
enum exit_status {
	EXIT_PASSED = 0,
	EXIT_FAILED = 1,  /* an expectation failed, or a regression */
	EXIT_USAGE = 2,	  /* bad usage or a bad file: nothing was touched */
	EXIT_INVALID = 3, /* the run gave no verdict */
	EXIT_HOST = 4,	  /* the host lacks something, and it was named */
};

int cmd_run(int argc, char **argv);
int cmd_plan(int argc, char **argv);
int cmd_clean(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_prepare(int argc, char **argv);
int cmd_engines(int argc, char **argv);
int cmd_conform(int argc, char **argv);
int cmd_advise(int argc, char **argv);
int cmd_compare(int argc, char **argv);

/* cmd_bad_file - print what is wrong with a file; returns EXIT_USAGE. */
int cmd_bad_file(const char *path, struct diags *d);
/* cmd_usage_error - "xlatsim CMD: text" and where help is; EXIT_USAGE. */
int cmd_usage_error(const char *cmd, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* cmd_bad_option - getopt_long met one that is not there; EXIT_USAGE. */
struct option;
int cmd_bad_option(const char *cmd, const struct option *known,
		   const char *given, int opt);
/* cmd_width - columns of standard output; 80 where it is no terminal. */
int cmd_width(void);

#endif

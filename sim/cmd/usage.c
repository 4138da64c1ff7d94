/* SPDX-License-Identifier: MIT */
/* What every subcommand says when it is called wrongly, and how wide. */
#include "cmd.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int cmd_bad_file(const char *path, struct diags *d)
{
	diags_print(d, stderr);
	fprintf(stderr, "xlatsim: %s: %zu error%s; nothing was touched\n", path,
		d->n, d->n == 1 ? "" : "s");
	return EXIT_USAGE;
}

int cmd_usage_error(const char *cmd, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "xlatsim %s: ", cmd);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nSee `xlatsim %s --help`.\n", cmd);
	return EXIT_USAGE;
}

#define MAX_OPTIONS 32

int cmd_bad_option(const char *cmd, const struct option *known,
		   const char *given, int opt)
{
	const char *names[MAX_OPTIONS + 1];
	const char *near;
	char word[64];
	size_t n = 0;

	if (opt == ':')
		return cmd_usage_error(cmd, "option '%s' wants a value", given);
	for (; known->name && n < MAX_OPTIONS; known++)
		names[n++] = known->name;
	names[n] = NULL;
	snprintf(word, sizeof(word), "%s", given + strspn(given, "-"));
	word[strcspn(word, "=")] = '\0';
	near = diag_suggest(word, names);
	if (near)
		return cmd_usage_error(cmd,
				       "there is no option '%s'; did you "
				       "mean '--%s'?",
				       given, near);
	return cmd_usage_error(cmd, "there is no option '%s'", given);
}

int cmd_width(void)
{
	struct winsize w;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) || w.ws_col < 40)
		return 80;
	return w.ws_col;
}

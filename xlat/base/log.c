/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *log_ident = "";
static enum log_level log_max = LOG_INFO;

void log_init(const char *ident, enum log_level max)
{
	log_ident = ident;
	log_max = max;
}

/* One write a line, so that lines of several processes do not mix. */
void log_at(enum log_level level, const char *fmt, ...)
{
	static const char *const words[] = {"error: ", "warning: ", "",
					    "debug: "};
	char line[1024];
	va_list ap;
	size_t n;

	if (level > log_max)
		return;
	snprintf(line, sizeof(line) - 1, "%s%s%s", log_ident,
		 *log_ident ? ": " : "", words[level]);
	n = strlen(line);
	va_start(ap, fmt);
	vsnprintf(line + n, sizeof(line) - 1 - n, fmt, ap);
	va_end(ap);
	n = strlen(line);
	line[n++] = '\n';
	/* nobody is left to tell when this fails */
	if (write(STDERR_FILENO, line, n) < 0)
		return;
}

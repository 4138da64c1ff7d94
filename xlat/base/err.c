/* SPDX-License-Identifier: MIT */
#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *e, int code, const char *fmt, ...)
{
	/* An argument may point into e->text. */
	char text[sizeof(struct err)];
	va_list ap;

	if (!e)
		return -code;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	memcpy(e->text, text, strlen(text) + 1);
	return -code;
}

void err_prefix(struct err *e, const char *fmt, ...)
{
	char text[2 * sizeof(struct err) + 2];
	va_list ap;
	size_t n;

	if (!e)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(e->text), fmt, ap);
	va_end(ap);
	n = strlen(text);
	snprintf(text + n, sizeof(text) - n, ": %s", e->text);
	text[sizeof(e->text) - 1] = '\0';
	memcpy(e->text, text, strlen(text) + 1);
}

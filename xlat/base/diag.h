/* SPDX-License-Identifier: MIT */
/* Everything that is wrong with a file, each with its place. */
#ifndef BASE_DIAG_H
#define BASE_DIAG_H

#include <stddef.h>
#include <stdio.h>

/* A place in a file; line and column count from 1; line 0: the whole file. */
struct pos {
	const char *file;
	unsigned int line, column;
};

struct diag {
	struct pos pos;
	char *text;
};

struct diags {
	struct diag *v;
	size_t n;
};

void diags_init(struct diags *d);
void diags_fini(struct diags *d);

/* diags_add - what is wrong, what is expected. Copies everything it needs. */
void diags_add(struct diags *d, struct pos at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* diags_print - one line each, `FILE:LINE:COLUMN: text`, sorted by place. */
void diags_print(struct diags *d, FILE *out);

/*
 * diag_suggest - the candidate nearest to a mistyped word, or NULL when none
 * is near enough to be worth naming. @candidates ends with NULL. Pure.
 */
const char *diag_suggest(const char *word, const char *const *candidates);

#endif

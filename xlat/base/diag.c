/* SPDX-License-Identifier: MIT */
#include "diag.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX_LEN 48

void diags_init(struct diags *d)
{
	*d = (struct diags){0};
}

void diags_fini(struct diags *d)
{
	for (size_t i = 0; i < d->n; i++)
		free(d->v[i].text);
	free(d->v);
	*d = (struct diags){0};
}

static void *need(void *p)
{
	if (!p) {
		fputs("out of memory\n", stderr);
		abort();
	}
	return p;
}

/* The file's name lies behind the text, in the same piece of memory. */
void diags_add(struct diags *d, struct pos at, const char *fmt, ...)
{
	const char *file = at.file ? at.file : "(no file)";
	size_t file_size = strlen(file) + 1, n;
	va_list ap;
	char *text;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	n = len < 0 ? 0 : (size_t)len;
	text = need(calloc(1, n + 1 + file_size));
	va_start(ap, fmt);
	vsnprintf(text, n + 1, fmt, ap);
	va_end(ap);
	at.file = memcpy(text + n + 1, file, file_size);
	if ((d->n & (d->n - 1)) == 0)
		d->v = need(
			realloc(d->v, (d->n ? 2 * d->n : 1) * sizeof(*d->v)));
	d->v[d->n++] = (struct diag){.pos = at, .text = text};
}

static int by_place(const void *a, const void *b)
{
	const struct diag *x = a, *y = b;
	int c = strcmp(x->pos.file, y->pos.file);

	if (c)
		return c;
	if (x->pos.line != y->pos.line)
		return x->pos.line < y->pos.line ? -1 : 1;
	if (x->pos.column != y->pos.column)
		return x->pos.column < y->pos.column ? -1 : 1;
	return strcmp(x->text, y->text);
}

void diags_print(struct diags *d, FILE *out)
{
	if (d->n)
		qsort(d->v, d->n, sizeof(*d->v), by_place);
	for (size_t i = 0; i < d->n; i++) {
		const struct diag *g = &d->v[i];

		if (g->pos.line)
			fprintf(out, "%s:%u:%u: %s\n", g->pos.file, g->pos.line,
				g->pos.column, g->text);
		else
			fprintf(out, "%s: %s\n", g->pos.file, g->text);
	}
}

static unsigned int min2(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

static int lower(char c)
{
	return tolower((unsigned char)c);
}

/*
 * Edits from @a to @b: insert, delete, replace a letter, swap two neighbours
 * (optimal string alignment). Case does not count. Both are short enough.
 */
static unsigned int edit_distance(const char *a, const char *b)
{
	unsigned int rows[3][WORD_MAX_LEN + 1];
	unsigned int *two = rows[0], *one = rows[1], *row = rows[2], *t;
	size_t na = strlen(a), nb = strlen(b);

	for (size_t j = 0; j <= nb; j++)
		two[j] = one[j] = (unsigned int)j;
	for (size_t i = 1; i <= na; i++) {
		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= nb; j++) {
			bool same = lower(a[i - 1]) == lower(b[j - 1]);

			row[j] = min2(min2(one[j], row[j - 1]) + 1,
				      one[j - 1] + !same);
			if (i > 1 && j > 1 &&
			    lower(a[i - 1]) == lower(b[j - 2]) &&
			    lower(a[i - 2]) == lower(b[j - 1]))
				row[j] = min2(row[j], two[j - 2] + 1);
		}
		t = two;
		two = one;
		one = row;
		row = t;
	}
	return one[nb];
}

/* One word begins with the other: `literal` for `literal-again`. */
static bool begins(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b), n = na < nb ? na : nb;

	return n >= 3 && !strncmp(a, b, n);
}

const char *diag_suggest(const char *word, const char *const *candidates)
{
	size_t len = strlen(word);
	unsigned int best = (unsigned int)(len + 2) / 3 + 1;
	const char *nearest = NULL;

	if (len == 0 || len > WORD_MAX_LEN)
		return NULL;
	for (size_t i = 0; candidates[i]; i++) {
		unsigned int d;

		if (strlen(candidates[i]) > WORD_MAX_LEN)
			continue;
		d = edit_distance(word, candidates[i]);
		/* as many edits as letters is another word */
		if (d < best && d < strlen(candidates[i]) && d < len) {
			best = d;
			nearest = candidates[i];
		}
	}
	for (size_t i = 0; !nearest && candidates[i]; i++)
		if (begins(word, candidates[i]))
			nearest = candidates[i];
	return nearest;
}

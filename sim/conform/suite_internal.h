/* SPDX-License-Identifier: MIT */
/* What the readers of case files share. */
#ifndef CONFORM_SUITE_INTERNAL_H
#define CONFORM_SUITE_INTERNAL_H

#include "suite.h"

struct macro {
	const char *name, *value;
};

struct file_reader {
	struct suite *suite;
	struct arena *a;
	struct diags *d;
	const char *name;
	struct macro *macros;
	size_t n_macros;
	/* what the next case belongs to */
	const char *rfc, *section, *title;
	const struct setup *use;
	/* what the next line belongs to */
	struct setup *setup;
	struct conform_case *c;
	struct text line; /* the current one, macros replaced */
	size_t at;	  /* behind its first word */
	char word[64];	  /* which is this */
};

/* word_at - the next word of the line into @buf; "" at its end. Quotes are
 * taken off. @pos: where it began */
const char *line_word(struct file_reader *r, char *buf, size_t len,
		      struct pos *pos);
/* line_rest - all that is left, blanks trimmed. */
const char *line_rest(struct file_reader *r);
struct pos line_pos(const struct file_reader *r);

/* knob_read - the current line is one of r->setup. */
void knob_read(struct file_reader *r);
/* case_read_line - the current line is one of r->c. */
void case_read_line(struct file_reader *r);
/* case_close - no more lines: is it complete? */
void case_close(struct file_reader *r);
void setup_close(struct file_reader *r);

#endif

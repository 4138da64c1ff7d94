/* SPDX-License-Identifier: MIT */
/* Results for programs (JSON, JUnit) and for people (terminal, HTML). */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include <stdio.h>

#include "../../xlat/base/err.h"
#include "../score/compare.h"
#include "../score/score.h"

#define RESULT_SCHEMA "xlatsim-result/1"

/* report_json - pretty JSON; schema in man/xlatsim-result.5. malloc'ed. */
char *report_json(const struct result *r);
/* report_unit_word - as in the JSON: "ns", "bit/s", "1", ... */
const char *report_unit_word(enum unit unit);
/* report_junit - one <testsuite> a result, a <testcase> an expectation. */
int report_junit(const char *path, struct result *const *r, size_t n,
		 struct err *e);
/* report_html - one self-contained page, no script, no outside reference. */
int report_html(const char *path, const struct result *r, struct err *e);
/* report_table - for a terminal; @color: with ANSI colours; @width columns */
void report_table(FILE *out, const struct result *r, bool color, int width);

/* ---- two results beside each other (compare.c) --------------------------- */

#define COMPARE_SCHEMA "xlatsim-compare/1"

/* report_compare - for a terminal, as report_table; @brief: without what was
 * not judged or stayed. */
void report_compare(FILE *out, const struct comparison *c, bool brief,
		    bool color, int width);
/* report_compare_json - all of it; schema in man/xlatsim-result.5. malloc'ed,
 * NULL without memory. */
char *report_compare_json(const struct comparison *c);

/* report_text - @s with U+FFFD for what a terminal had better not see. */
void report_text(FILE *out, const char *s);

/* ---- live progress (progress.c) ------------------------------------------ */

enum progress_mode { PROGRESS_QUIET, PROGRESS_PLAIN, PROGRESS_LIVE };

struct progress;
/* progress_new - PROGRESS_LIVE redraws one line with a spinner and a bar;
 * PROGRESS_PLAIN prints one line a stage. Writes to @out (stderr). */
struct progress *progress_new(FILE *out, enum progress_mode mode);
void progress_free(struct progress *p);
/* progress_stage - a new stage begins: "building", "measuring down", ... */
void progress_stage(struct progress *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* progress_tick - within the stage; @done of @total, @detail may be NULL. */
void progress_tick(struct progress *p, double done, double total,
		   const char *detail);
/* progress_note - a line that stays (an event, a result). */
void progress_note(struct progress *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif

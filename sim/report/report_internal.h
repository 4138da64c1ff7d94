/* SPDX-License-Identifier: MIT */
/* Shared by the files of this folder only. Context: pure, but for FILEs. */
#ifndef REPORT_REPORT_INTERNAL_H
#define REPORT_REPORT_INTERNAL_H

#include <jansson.h>
#include <stdint.h>

#include "report.h"

/*
 * text_next - decode one character of UTF-8 text that may hold anything.
 * What is not UTF-8, and control characters other than tab and newline, come
 * out as U+FFFD, so that no output format, nor a terminal, is at their mercy.
 * Returns the bytes taken; 0 at the end.
 */
size_t text_next(const char *s, uint32_t *c);
/* text_put - one character as UTF-8. */
void text_put(FILE *out, uint32_t c);
/* text_clean - a copy that is valid UTF-8; malloc'ed, NULL without memory. */
char *text_clean(const char *s);
/* text_width - characters (each takes one column here). */
size_t text_width(const char *s);
/* text_markup - @s (NULL: nothing) with XML's and HTML's own characters
 * escaped; good for content and for quoted attributes. */
void text_markup(FILE *out, const char *s);

/* metric_text - "83ms", "true", "not measured"; @buf may be returned. */
const char *metric_text(const struct metric *m, char *buf, unsigned int len);
/* text_json - what text_clean makes of @s, as JSON; NULL: null. */
json_t *text_json(const char *s);
/* num_json - JSON has no NaN and no infinity: null. Whole numbers stay whole.
 */
json_t *num_json(double v);
/* metric_json - an object of `value` and `unit`. */
json_t *metric_json(const struct metric *m);
/* verdict_paint - what colours a verdict on a terminal. */
const char *verdict_paint(enum verdict v);
/* judged_detail - the part of a verdict's text after "MEASURE.METRIC: ". */
const char *judged_detail(const struct judged *j);
/* op_word - "at-most", "at-least", "is" */
const char *op_word(enum expect_op op);
size_t count_verdict(const struct result *r, enum verdict v);

/* ---- for a terminal (table.c) ----------------------------------------------
 */

#define BOLD  "\033[1m"
#define DIM   "\033[2m"
#define PLAIN "\033[0m"

struct table {
	FILE *out;
	bool color;
	size_t width;
	size_t names; /* width of the column of names */
};

struct table table_open(FILE *out, bool color, int width);
/* table_paint - @code where there are colours, else nothing. */
const char *table_paint(const struct table *t, const char *code);
void table_spaces(const struct table *t, size_t n);
/* table_cell - @s in exactly @width columns, cut with an ellipsis where it is
 * longer. */
void table_cell(const struct table *t, const char *s, size_t width);
/* table_folded - @s from column @indent on, folded; ends the line. */
void table_folded(const struct table *t, const char *s, size_t indent);
/* table_rule - a line across, with a title. */
void table_rule(const struct table *t, const char *title);

/* ---- parts of the page -----------------------------------------------------
 */

extern const char html_style[]; /* style.c */

/* html_head, html_banner - to <body>; to the lines below the title, inside
 * <header><div>. */
void html_head(FILE *f, const char *title, enum verdict v);
void html_banner(FILE *f, const char *title, const char *about, enum verdict v);
/* junit_outcome - inside a <testcase> (junit.c). */
void junit_outcome(FILE *f, enum verdict v, const char *message);

/* html_link - an anchor to @path inside the result directory @dir; plain text
 * where @path leads elsewhere. */
void html_link(FILE *out, const char *dir, const char *path, const char *label);
/* html_cards - the measurements, by phase (cards.c). */
void html_cards(FILE *out, const struct result *r);
/* html_facts - topology, engines, host, files (facts.c). */
void html_facts(FILE *out, const struct result *r);
/* html_has_number - whether a happening is numbered in the pictures. */
bool html_has_number(const struct happening *h);

/* ---- pictures (svg.c) ------------------------------------------------------
 */

enum chart_style { CHART_DOTS, CHART_AREA, CHART_LINE };

struct chart {
	const char *id;		/* unique on the page */
	const char *title;	/* for people who cannot see it, too */
	enum chart_style style; /* dots come with their median */
	const struct series *const *series;
	size_t n;
	size_t color; /* of the first series, 0..3; the others follow */
	const struct happening *marks; /* on the x axis; in seconds */
	size_t n_marks;
	double x_min, x_max; /* shared axis; both 0: from the data */
};

/* svg_chart - an <svg> element, scalable, coloured by the page's CSS. */
void svg_chart(FILE *out, const struct chart *c);
/* svg_has_points - whether there is anything to draw. */
bool svg_has_points(const struct series *s);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Charts as SVG: axes with round numbers, marks for what happened, and shapes
 * as well as colours to tell series apart. Coordinates are those of a box of
 * WIDTH x HEIGHT, which the page scales.
 */
#include "report_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH	   760.0
#define LEFT	   60.0
#define RIGHT	   16.0
#define TOP	   40.0
#define BOTTOM	   36.0
#define MAX_POINTS 3000
#define MARK_ROOM  17.0 /* between the numbers of two marks */

struct axes {
	double x0, x1, y0, y1; /* data */
	double height, bottom; /* of the picture; of the plot */
};

bool svg_has_points(const struct series *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (isfinite(s->x[i]) && isfinite(s->y[i]))
			return true;
	return false;
}

static double at_x(const struct axes *a, double x)
{
	return LEFT + (x - a->x0) / (a->x1 - a->x0) * (WIDTH - LEFT - RIGHT);
}

static double at_y(const struct axes *a, double y)
{
	return a->bottom - (y - a->y0) / (a->y1 - a->y0) * (a->bottom - TOP);
}

/* The step of 1, 2 or 5 times a power of ten that gives about @n ticks. */
static double nice_step(double span, int n)
{
	double raw = span / n, power = pow(10, floor(log10(raw)));
	double lead = raw / power;

	return power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10);
}

static void find_range(const struct chart *c, struct axes *a)
{
	double x0 = INFINITY, x1 = -INFINITY, y0 = INFINITY, y1 = 0;

	for (size_t i = 0; i < c->n; i++)
		for (size_t k = 0; k < c->series[i]->n; k++) {
			double x = c->series[i]->x[k], y = c->series[i]->y[k];

			if (!isfinite(x) || !isfinite(y))
				continue;
			x0 = fmin(x0, x);
			x1 = fmax(x1, x);
			y0 = fmin(y0, y);
			y1 = fmax(y1, y);
		}
	if (c->x_max > c->x_min) {
		x0 = c->x_min;
		x1 = c->x_max;
	} else if (c->style == CHART_DOTS) {
		x0 -= 0.5;
		x1 += 0.5;
	}
	if (!(x1 > x0))
		x1 = x0 + 1;
	a->x0 = x0;
	a->x1 = x1;
	/* areas stand on zero; dots may come near, or they would all overlap */
	a->y0 = c->style == CHART_DOTS ? fmax(0, y0 - 2 * (y1 - y0)) : 0;
	a->y1 = y1 > a->y0 ? y1 + (y1 - a->y0) * 0.08 : a->y0 + 1;
}

/* ---- axes ------------------------------------------------------------------
 */

/* Rates are told in the multiple that people would use. */
static double y_factor(const struct axes *a, const char **label)
{
	if (!*label || strcmp(*label, "bit/s") != 0 || a->y1 < 1e3)
		return 1;
	*label = a->y1 < 1e6 ? "kbit/s" : a->y1 < 1e10 ? "Mbit/s" : "Gbit/s";
	return a->y1 < 1e6 ? 1e3 : a->y1 < 1e10 ? 1e6 : 1e9;
}

static void put_y_axis(FILE *f, const struct axes *a, const char *label)
{
	double step = nice_step(a->y1 - a->y0, a->height < 200 ? 3 : 5);
	double factor = y_factor(a, &label), first = ceil(a->y0 / step);

	for (int i = 0; (first + i) * step <= a->y1; i++) {
		double y = (first + i) * step;

		fprintf(f,
			"<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" "
			"y1=\"%.1f\" y2=\"%.1f\"/>"
			"<text class=\"tick\" text-anchor=\"end\" "
			"x=\"%.1f\" y=\"%.1f\">%g</text>\n",
			LEFT, WIDTH - RIGHT, at_y(a, y), at_y(a, y), LEFT - 7,
			at_y(a, y) + 4, y / factor);
	}
	fputs("<text class=\"label\" x=\"4\" y=\"14\">", f);
	text_markup(f, label);
	fputs("</text>\n", f);
}

static void put_x_axis(FILE *f, const struct axes *a, const struct chart *c)
{
	double step = nice_step(a->x1 - a->x0, 10), first;
	const char *label = c->series[0]->x_label;

	if (c->style == CHART_DOTS && step < 1)
		step = 1;
	first = ceil(a->x0 / step);
	for (int i = 0; (first + i) * step <= a->x1 + step / 1e6; i++) {
		double x = (first + i) * step;

		fprintf(f,
			"<text class=\"tick\" text-anchor=\"middle\" "
			"x=\"%.1f\" y=\"%.1f\">%g</text>\n",
			at_x(a, x), a->bottom + 16, x);
	}
	fprintf(f,
		"<line class=\"axis\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" "
		"y2=\"%.1f\"/><text class=\"label\" text-anchor=\"end\" "
		"x=\"%.1f\" y=\"%.1f\">",
		LEFT, WIDTH - RIGHT, a->bottom, a->bottom, WIDTH - RIGHT,
		a->height - 5);
	text_markup(f, label && !strcmp(label, "s") ? "seconds" : label);
	fputs("</text>\n", f);
}

/* Routes that changed: a fine line, which is not in anybody's way. */
static void put_route(FILE *f, const struct axes *a, const struct happening *h)
{
	double x = h->at_ns / 1e9;

	if (strcmp(h->kind, "route") != 0 || !isfinite(x) || x < a->x0 ||
	    x > a->x1)
		return;
	fputs("<g class=\"route\"><title>", f);
	text_markup(f, h->text);
	fprintf(f,
		"</title><line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" "
		"y2=\"%.1f\"/></g>\n",
		at_x(a, x), at_x(a, x), TOP + 6, a->bottom);
}

/* Numbered as in the list of happenings; close ones go to the second row. */
static void put_marks(FILE *f, const struct axes *a, const struct chart *c)
{
	double row_end[2] = {-INFINITY, -INFINITY};
	unsigned int number = 0;

	for (size_t i = 0; i < c->n_marks; i++) {
		double x = c->marks[i].at_ns / 1e9, at;
		int row;

		if (!html_has_number(&c->marks[i])) {
			put_route(f, a, &c->marks[i]);
			continue;
		}
		number++;
		if (!isfinite(x) || x < a->x0 || x > a->x1)
			continue;
		at = at_x(a, x);
		row = at - row_end[0] >= MARK_ROOM ||
				      at - row_end[0] >= at - row_end[1]
			      ? 0
			      : 1;
		row_end[row] = at;
		fprintf(f, "<g class=\"mark\"><title>%u: ", number);
		text_markup(f, c->marks[i].text);
		fprintf(f,
			"</title><line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" "
			"y2=\"%.1f\"/><circle cx=\"%.1f\" cy=\"%.1f\" r=\"8\"/>"
			"<text text-anchor=\"middle\" x=\"%.1f\" y=\"%.1f\">"
			"%u</text></g>\n",
			at, at, TOP - 4, a->bottom, at, row ? 12.0 : 29.0, at,
			row ? 16.0 : 33.0, number);
	}
}

/* ---- series ----------------------------------------------------------------
 */

/* The value lowest (or highest) among @n from @from on: its index. */
static size_t extreme(const struct series *s, size_t from, size_t n, bool high)
{
	size_t best = from;

	for (size_t i = from; i < from + n; i++)
		if (!isfinite(s->y[best]) ||
		    (high ? s->y[i] > s->y[best] : s->y[i] < s->y[best]))
			best = i;
	return best;
}

static bool put_point(FILE *f, const struct axes *a, const struct series *s,
		      size_t i, bool pen_down)
{
	if (!isfinite(s->x[i]) || !isfinite(s->y[i]) || s->x[i] < a->x0 ||
	    s->x[i] > a->x1)
		return false;
	fprintf(f, "%c%.1f %.1f", pen_down ? 'L' : 'M', at_x(a, s->x[i]),
		at_y(a, s->y[i]));
	return true;
}

/* Where a series has a hole (three times the usual step) so has its line. */
static double hole(const struct series *s)
{
	if (s->n < 3)
		return INFINITY;
	return 3 * (s->x[s->n - 1] - s->x[0]) / (double)(s->n - 1);
}

/* A long series is drawn by the extremes of its parts: no dip is lost. */
static void put_path(FILE *f, const struct axes *a, const struct series *s)
{
	size_t each = s->n / MAX_POINTS + 1;
	double widest = hole(s);
	bool down = false;

	for (size_t i = 0; i < s->n; i += each) {
		size_t n = s->n - i < each ? s->n - i : each;
		size_t lo = extreme(s, i, n, false),
		       hi = extreme(s, i, n, true);

		if (i && s->x[i] - s->x[i - 1] > widest)
			down = false;
		down = put_point(f, a, s, lo < hi ? lo : hi, down);
		if (lo != hi)
			down = put_point(f, a, s, lo < hi ? hi : lo, down);
	}
}

static void put_line(FILE *f, const struct axes *a, const struct series *s,
		     size_t number, bool area)
{
	size_t first = 0, last = s->n - 1;

	while (first < last && !(s->x[first] >= a->x0))
		first++;
	while (last > first && !(s->x[last] <= a->x1))
		last--;
	if (area) {
		fprintf(f, "<path class=\"area s%zu\" d=\"", number);
		put_path(f, a, s);
		fprintf(f, "L%.1f %.1fL%.1f %.1fZ\"/>\n", at_x(a, s->x[last]),
			a->bottom, at_x(a, s->x[first]), a->bottom);
	}
	fprintf(f, "<path class=\"line s%zu\" d=\"", number);
	put_path(f, a, s);
	fputs("\"/>\n", f);
}

/* Circles for the first series, diamonds for the second, squares beyond. */
static void put_dot(FILE *f, double x, double y, size_t number)
{
	switch (number) {
	case 0:
		fprintf(f,
			"<circle class=\"dot s0\" cx=\"%.1f\" cy=\"%.1f\" "
			"r=\"5\"/>\n",
			x, y);
		return;
	case 1:
		fprintf(f,
			"<path class=\"dot s1\" d=\"M%.1f %.1fl6 6l-6 6"
			"l-6 -6Z\"/>\n",
			x, y - 6);
		return;
	}
	fprintf(f,
		"<rect class=\"dot s%zu\" x=\"%.1f\" y=\"%.1f\" "
		"width=\"9\" height=\"9\"/>\n",
		number, x - 4.5, y - 4.5);
}

static void put_dots(FILE *f, const struct axes *a, const struct series *s,
		     size_t number)
{
	double *finite = calloc(s->n, sizeof(*finite)), median;
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		if (!isfinite(s->x[i]) || !isfinite(s->y[i]))
			continue;
		put_dot(f, at_x(a, s->x[i]), at_y(a, s->y[i]), number);
		if (finite)
			finite[n++] = s->y[i];
	}
	median = stats_median(finite, n);
	free(finite);
	if (!n)
		return;
	fprintf(f,
		"<line class=\"median s%zu\" x1=\"%.1f\" x2=\"%.1f\" "
		"y1=\"%.1f\" y2=\"%.1f\"><title>median %.4g</title></line>\n",
		number, LEFT, WIDTH - RIGHT, at_y(a, median), at_y(a, median),
		median);
}

static void put_names(FILE *f, const struct chart *c)
{
	fprintf(f, "<title id=\"%s-t\">", c->id);
	text_markup(f, c->title);
	fprintf(f, "</title><desc id=\"%s-d\">", c->id);
	for (size_t i = 0; i < c->n; i++) {
		text_markup(f, c->series[i]->name);
		fprintf(f, ", %zu points, ", c->series[i]->n);
		text_markup(f, c->series[i]->y_label);
		fputs(i + 1 < c->n ? "; " : "", f);
	}
	fputs("</desc>\n", f);
}

void svg_chart(FILE *out, const struct chart *c)
{
	struct axes a = {.height = c->style == CHART_AREA ? 170 : 240};

	a.bottom = a.height - BOTTOM;
	find_range(c, &a);
	fprintf(out,
		"<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" "
		"aria-labelledby=\"%s-t %s-d\">\n",
		WIDTH, a.height, c->id, c->id);
	put_names(out, c);
	put_y_axis(out, &a, c->series[0]->y_label);
	put_x_axis(out, &a, c);
	for (size_t i = 0; i < c->n; i++) {
		if (!svg_has_points(c->series[i]))
			continue;
		if (c->style == CHART_DOTS)
			put_dots(out, &a, c->series[i], c->color + i);
		else
			put_line(out, &a, c->series[i], c->color + i,
				 c->style == CHART_AREA);
	}
	put_marks(out, &a, c);
	fputs("</svg>\n", out);
}

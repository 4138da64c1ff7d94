/* SPDX-License-Identifier: MIT */
/* Measurements as cards: figures, pictures, and where the raw data is. */
#include "report_internal.h"

#include <string.h>

#define MAX_TOGETHER 4 /* series in one picture */

static enum chart_style style_of(const struct measurement *m,
				 const struct series *s)
{
	if (!strcmp(m->kind, "throughput") || !strcmp(m->kind, "connections"))
		return CHART_DOTS;
	if (s->y_label && !strncmp(s->y_label, "packets", 7))
		return CHART_AREA;
	return CHART_LINE;
}

static bool same_axes(const struct series *a, const struct series *b)
{
	return a->x_label && b->x_label && a->y_label && b->y_label &&
	       !strcmp(a->x_label, b->x_label) &&
	       !strcmp(a->y_label, b->y_label);
}

static void put_legend(FILE *f, const struct chart *c)
{
	fputs("<figcaption>", f);
	for (size_t i = 0; i < c->n; i++) {
		fprintf(f, "<span class=\"key\"><i class=\"s%zu\"></i>",
			c->color + i);
		text_markup(f, c->series[i]->name);
		fputs("</span> ", f);
	}
	if (c->style == CHART_DOTS)
		fputs("<span class=\"key\">dashed: median</span>", f);
	fputs("</figcaption>", f);
}

static void put_chart(FILE *f, const struct result *r,
		      const struct measurement *m, const struct series **v,
		      size_t n, size_t color)
{
	char id[48], title[256];
	struct chart c = {
		.id = id, .title = title, .series = v, .n = n, .color = color};

	snprintf(id, sizeof(id), "c%zu-%zu", (size_t)(m - r->measurements),
		 (size_t)(v[0] - m->series));
	snprintf(title, sizeof(title), "%s: %s", m->name,
		 v[0]->y_label ? v[0]->y_label : "");
	c.style = style_of(m, v[0]);
	if (!strcmp(m->phase, "timeline") && v[0]->x_label &&
	    !strcmp(v[0]->x_label, "s")) {
		c.x_max = r->scenario->duration_ns / 1e9;
		c.marks = r->happenings;
		c.n_marks = r->n_happenings;
	}
	fputs("<figure><div class=\"scroll\" tabindex=\"0\" role=\"group\" "
	      "aria-label=\"chart\">",
	      f);
	svg_chart(f, &c);
	fputs("</div>", f);
	put_legend(f, &c);
	fputs("</figure>\n", f);
}

/* Series with the same axes share a picture, but for the tall packet counts. */
static void put_charts(FILE *f, const struct result *r,
		       const struct measurement *m)
{
	for (size_t i = 0; i < m->n_series; i++) {
		const struct series *v[MAX_TOGETHER], *s = &m->series[i];
		enum chart_style style = style_of(m, s);
		size_t n = 0, before = 0;

		for (size_t k = 0; k < i; k++)
			before += same_axes(&m->series[k], s);
		if (!svg_has_points(s) ||
		    (style != CHART_AREA && before % MAX_TOGETHER))
			continue;
		v[n++] = s;
		for (size_t k = i + 1;
		     style != CHART_AREA && k < m->n_series && n < MAX_TOGETHER;
		     k++)
			if (same_axes(&m->series[k], s))
				v[n++] = &m->series[k];
		put_chart(f, r, m, v, n,
			  style == CHART_AREA ? before % MAX_TOGETHER : 0);
	}
}

static void put_value(FILE *f, const struct metric *x)
{
	char buf[64];

	text_markup(f, metric_text(x, buf, sizeof(buf)));
}

static const struct metric *find_metric(const struct measurement *m,
					const char *prefix, const char *name)
{
	size_t len = strlen(prefix);

	for (size_t i = 0; i < m->n_metrics; i++)
		if (!strncmp(m->metrics[i].def->name, prefix, len) &&
		    !strcmp(m->metrics[i].def->name + len, name))
			return &m->metrics[i];
	return NULL;
}

/* "lost" of up-lost and down-lost, or NULL when it is no such pair. */
static const char *pair_name(const struct measurement *m,
			     const struct metric *x)
{
	const char *name = x->def->name;

	if (!strncmp(name, "up-", 3) && find_metric(m, "down-", name + 3))
		return name + 3;
	if (!strncmp(name, "down-", 5) && find_metric(m, "up-", name + 5))
		return name + 5;
	return NULL;
}

static void put_singles(FILE *f, const struct measurement *m)
{
	fputs("<dl>", f);
	for (size_t i = 0; i < m->n_metrics; i++) {
		const struct metric *x = &m->metrics[i];

		if (pair_name(m, x))
			continue;
		fputs("<div><dt title=\"", f);
		text_markup(f, x->def->help);
		fputs("\">", f);
		text_markup(f, x->def->name);
		fprintf(f, "</dt><dd%s>", x->absent ? " class=\"none\"" : "");
		put_value(f, x);
		fputs("</dd></div>\n", f);
	}
	fputs("</dl>\n", f);
}

static void put_pairs(FILE *f, const struct measurement *m)
{
	bool any = false;

	for (size_t i = 0; i < m->n_metrics; i++) {
		const struct metric *up = &m->metrics[i], *down;
		const char *name = pair_name(m, up);

		if (!name || strncmp(up->def->name, "up-", 3) != 0)
			continue;
		down = find_metric(m, "down-", name);
		if (!any)
			fputs("<table class=\"pairs\"><caption>By direction"
			      "</caption><thead><tr><td></td><th scope=\"col\">"
			      "towards the home</th><th scope=\"col\">from the "
			      "home</th></tr></thead><tbody>\n",
			      f);
		any = true;
		fputs("<tr><th scope=\"row\">", f);
		text_markup(f, name);
		fputs("</th><td>", f);
		put_value(f, down);
		fputs("</td><td>", f);
		put_value(f, up);
		fputs("</td></tr>\n", f);
	}
	if (any)
		fputs("</tbody></table>\n", f);
}

static void put_expected(FILE *f, const struct result *r,
			 const struct measurement *m)
{
	bool any = false;

	for (size_t i = 0; i < r->n_judged; i++) {
		const struct judged *j = &r->judged[i];

		if (strcmp(j->expect->measure, m->name) != 0)
			continue;
		fputs(any ? "" : "<ul class=\"expected\">", f);
		any = true;
		fprintf(f, "<li><b class=\"pill %s\">%s</b> ",
			verdict_word(j->verdict), verdict_word(j->verdict));
		text_markup(f, j->expect->metric);
		fputs(": ", f);
		text_markup(f, judged_detail(j));
		fputs("</li>\n", f);
	}
	fputs(any ? "</ul>\n" : "", f);
}

static void put_card(FILE *f, const struct result *r,
		     const struct measurement *m)
{
	fprintf(f, "<article class=\"card%s\"><h4>",
		m->n_series ? " wide" : "");
	text_markup(f, m->name);
	fputs(" <span class=\"kind\">", f);
	text_markup(f, m->kind);
	fputs("</span></h4>\n<p class=\"summary\">", f);
	text_markup(f, m->summary);
	fputs("</p>\n", f);
	if (m->invalid || m->why) {
		fprintf(f, "<p class=\"why\"><b>%s</b> ",
			m->invalid ? "Invalid:" : "Why:");
		text_markup(f, m->why ? m->why : "the testbed limited it");
		fputs("</p>\n", f);
	}
	put_expected(f, r, m);
	put_charts(f, r, m);
	fprintf(f, "<details%s><summary>All figures</summary>\n",
		m->n_series ? "" : " open");
	put_singles(f, m);
	put_pairs(f, m);
	if (m->raw_file) {
		fputs("<p>Raw data: ", f);
		html_link(f, r->dir, m->raw_file, NULL);
		fputs("</p>\n", f);
	}
	fputs("</details></article>\n", f);
}

static void put_phase(FILE *f, const struct result *r, const char *phase,
		      bool testbed, const char *title)
{
	bool any = false;

	for (size_t i = 0; i < r->n_measurements; i++) {
		const struct measurement *m = &r->measurements[i];

		if (!strcmp(m->kind, "testbed") != testbed ||
		    (!testbed && strcmp(m->phase, phase) != 0))
			continue;
		if (!any)
			fprintf(f, "<h3>%s</h3>\n<div class=\"cards\">\n",
				title);
		any = true;
		put_card(f, r, m);
	}
	fputs(any ? "</div>\n" : "", f);
}

void html_cards(FILE *out, const struct result *r)
{
	fputs("<section aria-labelledby=\"h-m\"><h2 id=\"h-m\">Measurements"
	      "</h2>\n",
	      out);
	put_phase(out, r, "before", false, "Before");
	put_phase(out, r, "timeline", false, "On the time line");
	put_phase(out, r, "after", false, "After");
	put_phase(out, r, "", true, "Was the testbed itself good enough?");
	fputs("</section>\n", out);
}

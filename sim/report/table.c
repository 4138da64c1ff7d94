/* SPDX-License-Identifier: MIT */
/*
 * The result for people at a terminal: what was measured, phase by phase, each
 * with its figures and what was expected of it; what happened; the verdict as
 * the last line. Everything folds at the width given.
 */
#include "report_internal.h"

#include <math.h>
#include <string.h>

#define MIN_WIDTH 40

struct table table_open(FILE *out, bool color, int width)
{
	return (struct table){
		.out = out,
		.color = color,
		.width = width < MIN_WIDTH ? MIN_WIDTH : (size_t)width,
	};
}

static const char *paint_verdict(const struct table *t, enum verdict v)
{
	return t->color ? verdict_paint(v) : "";
}

const char *table_paint(const struct table *t, const char *code)
{
	return t->color ? code : "";
}

void table_spaces(const struct table *t, size_t n)
{
	while (n--)
		fputc(' ', t->out);
}

void table_cell(const struct table *t, const char *s, size_t width)
{
	size_t have = text_width(s), n, put = 0;
	uint32_t c;

	for (; (n = text_next(s, &c)); s += n) {
		if (have > width && put + 1 == width)
			c = 0x2026;
		if (put == width)
			break;
		text_put(t->out, c == '\n' || c == '\t' ? ' ' : c);
		put++;
	}
	table_spaces(t, width - put);
}

/* The bytes of the first line of @s when folded at @width characters. */
static size_t fold(const char *s, size_t width)
{
	size_t at = 0, last_space = 0, columns = 0, n;
	uint32_t c;

	for (; (n = text_next(s + at, &c)); at += n) {
		if (c == '\n')
			return at;
		if (columns++ == width)
			return last_space ? last_space : at;
		if (c == ' ')
			last_space = at;
	}
	return at;
}

void table_folded(const struct table *t, const char *s, size_t indent)
{
	size_t room = t->width > indent + 10 ? t->width - indent : 10;

	for (bool first = true; first || *s; first = false) {
		size_t len = fold(s, room), n;
		uint32_t c;

		if (!first)
			table_spaces(t, indent);
		for (const char *p = s; p < s + len; p += n) {
			n = text_next(p, &c);
			text_put(t->out, c == '\t' ? ' ' : c);
		}
		fputc('\n', t->out);
		s += len;
		s += *s == ' ' || *s == '\n';
	}
}

void table_rule(const struct table *t, const char *title)
{
	size_t used = text_width(title) + 4;

	fprintf(t->out, "%s── ", table_paint(t, DIM));
	fprintf(t->out, "%s%s%s%s%s ", table_paint(t, PLAIN),
		table_paint(t, BOLD), title, table_paint(t, PLAIN),
		table_paint(t, DIM));
	for (; used < t->width; used++)
		fputs("─", t->out);
	fprintf(t->out, "%s\n", table_paint(t, PLAIN));
}

static void put_judged(const struct table *t, const struct judged *j,
		       const char *prefix, size_t indent)
{
	char text[1024];

	table_spaces(t, indent);
	fprintf(t->out, "%s%-7s%s ", paint_verdict(t, j->verdict),
		verdict_word(j->verdict), table_paint(t, PLAIN));
	snprintf(text, sizeof(text), "%s%s: %s", prefix, j->expect->metric,
		 judged_detail(j));
	table_folded(t, text, indent + 8);
}

static void put_measurement(const struct table *t, const struct result *r,
			    const struct measurement *m)
{
	char why[1024];

	fputs("  ", t->out);
	table_cell(t, m->name, t->names);
	fputs("  ", t->out);
	table_folded(t, m->summary ? m->summary : m->kind, t->names + 4);
	if (m->invalid || m->why) {
		table_spaces(t, t->names + 4);
		snprintf(why, sizeof(why), "%s: %s",
			 m->invalid ? "invalid" : "why",
			 m->why ? m->why : "the testbed limited it");
		fputs(paint_verdict(t, VERDICT_INVALID), t->out);
		table_folded(t, why, t->names + 4);
		fputs(table_paint(t, PLAIN), t->out);
	}
	for (size_t i = 0; i < r->n_judged; i++)
		if (!strcmp(r->judged[i].expect->measure, m->name))
			put_judged(t, &r->judged[i], "", t->names + 4);
}

static void put_phase(const struct table *t, const struct result *r,
		      const char *phase, const char *title)
{
	bool any = false;

	for (size_t i = 0; i < r->n_measurements; i++) {
		if (strcmp(r->measurements[i].phase, phase) != 0)
			continue;
		if (!any)
			table_rule(t, title);
		any = true;
		put_measurement(t, r, &r->measurements[i]);
	}
}

/* Expectations of what was never measured have no row above. */
static void put_missing(const struct table *t, const struct result *r)
{
	bool any = false;

	for (size_t i = 0; i < r->n_judged; i++) {
		const struct judged *j = &r->judged[i];
		char prefix[128];

		if (score_find(r, j->expect->measure))
			continue;
		if (!any)
			table_rule(t, "not measured");
		any = true;
		snprintf(prefix, sizeof(prefix), "%s.", j->expect->measure);
		put_judged(t, j, prefix, 2);
	}
}

static void put_happenings(const struct table *t, const struct result *r)
{
	char late[32];

	if (r->n_happenings)
		table_rule(t, "what happened");
	for (size_t i = 0; i < r->n_happenings; i++) {
		const struct happening *h = &r->happenings[i];
		char text[1024];

		fprintf(t->out, "%s%+9.3fs%s  ", table_paint(t, DIM),
			h->at_ns / 1e9, table_paint(t, PLAIN));
		table_cell(t, h->kind, 7);
		if (h->late_ns >= 1e6)
			snprintf(text, sizeof(text), "%s (%s late)", h->text,
				 units_format(h->late_ns, UNIT_TIME, late,
					      sizeof(late)));
		else
			snprintf(text, sizeof(text), "%s", h->text);
		table_folded(t, text, 19);
	}
}

static const char *verdict_caps(enum verdict v)
{
	switch (v) {
	case VERDICT_PASS:
		return "PASS";
	case VERDICT_FAIL:
		return "FAIL";
	case VERDICT_INVALID:
		return "INVALID";
	case VERDICT_SKIP:
		return "SKIP";
	}
	return "?";
}

/* Never folded: people copy the path. */
static void put_verdict(const struct table *t, const struct result *r)
{
	char why[1024];

	if (r->why) {
		snprintf(why, sizeof(why), "%s: %s", verdict_word(r->verdict),
			 r->why);
		table_folded(t, why, 2);
	}
	fprintf(t->out, "%s%s%s  ", paint_verdict(t, r->verdict),
		verdict_caps(r->verdict), table_paint(t, PLAIN));
	table_cell(t, r->scenario->name, text_width(r->scenario->name));
	fprintf(t->out, "  (%zu of %zu expectations)  report: ",
		count_verdict(r, VERDICT_PASS), r->n_judged);
	table_cell(t, r->dir, text_width(r->dir));
	fputs("/report.html\n", t->out);
}

static void put_head(const struct table *t, const struct result *r)
{
	char text[1024], took[32], up[32];

	fprintf(t->out, "\n%s", table_paint(t, BOLD));
	table_cell(t, r->scenario->name, text_width(r->scenario->name));
	fprintf(t->out, "%s  ", table_paint(t, PLAIN));
	table_folded(t, r->scenario->title ? r->scenario->title : "", 2);
	snprintf(text, sizeof(text),
		 "%s, seed %llu, %s, %d cores; up in %s, %s in all", r->started,
		 (unsigned long long)r->seed, r->host.kernel, r->host.cores,
		 units_format(r->build_ns + r->ready_ns, UNIT_TIME, up,
			      sizeof(up)),
		 units_format(r->total_ns, UNIT_TIME, took, sizeof(took)));
	table_folded(t, text, 0);
}

void report_table(FILE *out, const struct result *r, bool color, int width)
{
	struct table t = table_open(out, color, width);

	for (size_t i = 0; i < r->n_measurements; i++) {
		size_t w = text_width(r->measurements[i].name);

		t.names = w > t.names ? w : t.names;
	}
	if (t.names > t.width / 3)
		t.names = t.width / 3;
	put_head(&t, r);
	put_phase(&t, r, "before", "before");
	put_phase(&t, r, "timeline", "time line");
	put_phase(&t, r, "after", "after");
	put_missing(&t, r);
	put_happenings(&t, r);
	table_rule(&t, "verdict");
	put_verdict(&t, r);
}

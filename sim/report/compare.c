/* SPDX-License-Identifier: MIT */
/* Two results beside each other, for people at a terminal and for programs. */
#include "../score/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report_internal.h"

#define WORD	  8  /* columns of "better  " */
#define FACT_LONG 60 /* a value longer than this is only said to differ */
#define ARROW	  " \u2192 "

static const char *paint_change(const struct table *t, enum change c)
{
	switch (c) {
	case CHANGE_WORSE:
		return table_paint(t, verdict_paint(VERDICT_FAIL));
	case CHANGE_BETTER:
		return table_paint(t, verdict_paint(VERDICT_PASS));
	case CHANGE_NONE:
	case CHANGE_SAME:
	case CHANGE_COUNT:
		break;
	}
	return "";
}

static void put_change(const struct table *t, enum change c, const char *word)
{
	fprintf(t->out, "  %s%-*s%s", paint_change(t, c), WORD, word,
		table_paint(t, PLAIN));
}

/* ---- metrics ---------------------------------------------------------------
 */

static const char *value_text(const struct compare_metric *m, char *buf,
			      unsigned int len)
{
	const struct metric_def def = {m->name, m->unit, ""};
	const struct metric x = {.def = &def, .num = m->num, .text = m->text};

	return metric_text(&x, buf, len);
}

/* "80% (79% to 81%)" */
static void sample_text(const struct compare_sample *s, enum unit unit,
			char *to, size_t len)
{
	char median[32], low[32], high[32];

	snprintf(to, len, "%s (%s to %s)",
		 units_format(s->median, unit, median, sizeof(median)),
		 units_format(s->low, unit, low, sizeof(low)),
		 units_format(s->high, unit, high, sizeof(high)));
}

static const char *effect_text(double effect, char *buf, size_t len)
{
	buf[0] = '\0';
	if (isfinite(effect))
		snprintf(buf, len, ", %+.1f%%", effect * 100);
	return buf;
}

static void sampled_text(const struct compare_row *r, char *to, size_t len)
{
	char a[128], b[128], effect[32], p[64] = "";

	if (!r->of_a.n || !r->of_b.n) {
		snprintf(to, len, "%s", r->why);
		return;
	}
	sample_text(&r->of_a, r->a->unit, a, sizeof(a));
	sample_text(&r->of_b, r->b->unit, b, sizeof(b));
	if (!isnan(r->p))
		snprintf(p, sizeof(p), ", p %.2g, %zu and %zu rounds", r->p,
			 r->of_a.n, r->of_b.n);
	snprintf(to, len, "%s" ARROW "%s%s%s%s%s", a, b,
		 effect_text(r->effect, effect, sizeof(effect)), p,
		 r->why ? "; " : "", r->why ? r->why : "");
}

static void row_text(const struct compare_row *r, char *to, size_t len)
{
	char a[64], b[64], effect[32];

	if (!r->metric)
		snprintf(to, len, "%s", r->why);
	else if (r->of_a.v)
		sampled_text(r, to, len);
	else
		snprintf(to, len, "%s" ARROW "%s%s",
			 value_text(r->a, a, sizeof(a)),
			 value_text(r->b, b, sizeof(b)),
			 effect_text(r->effect, effect, sizeof(effect)));
}

/* A single number that is as it was says nothing. */
static bool is_news(const struct compare_row *r)
{
	char a[64], b[64];

	return !r->metric || r->of_a.v ||
	       strcmp(value_text(r->a, a, sizeof(a)),
		      value_text(r->b, b, sizeof(b))) != 0;
}

static bool is_shown(const struct compare_row *r, bool brief)
{
	if (r->change == CHANGE_WORSE || r->change == CHANGE_BETTER)
		return true;
	return !brief && is_news(r);
}

static void put_row(const struct table *t, const struct compare_row *r)
{
	char text[512];
	bool judged = r->of_a.v || !r->metric;

	row_text(r, text, sizeof(text));
	put_change(t, r->change, judged ? change_word(r->change) : "");
	if (r->metric) {
		table_cell(t, r->metric, t->names);
		table_spaces(t, 2);
	}
	table_folded(t, text, 2 + WORD + (r->metric ? t->names + 2 : 0));
}

static void put_rows(struct table *t, const struct comparison *c, bool brief)
{
	const char *measure = "";

	for (size_t i = 0; i < c->n_rows; i++) {
		const char *name = c->rows[i].metric;
		size_t w = name ? text_width(name) : 0;

		if (is_shown(&c->rows[i], brief) && w > t->names)
			t->names = w;
	}
	if (t->names > t->width / 3)
		t->names = t->width / 3;
	for (size_t i = 0; i < c->n_rows; i++) {
		const struct compare_row *r = &c->rows[i];

		if (!is_shown(r, brief))
			continue;
		if (strcmp(measure, r->measure) != 0)
			table_rule(t, r->measure);
		measure = r->measure;
		put_row(t, r);
	}
}

/* ---- the rest of the table -------------------------------------------------
 */

static void put_expected(const struct table *t, const struct comparison *c,
			 bool brief)
{
	bool any = false;
	char text[1024];

	for (size_t i = 0; i < c->n_expected; i++) {
		const struct compare_expected *e = &c->expected[i];

		if (brief && e->change <= CHANGE_SAME)
			continue;
		if (!any)
			table_rule(t, "expectations");
		any = true;
		put_change(t, e->change, change_word(e->change));
		snprintf(text, sizeof(text), "%s" ARROW "%s  %s", e->a, e->b,
			 e->text ? e->text : e->name);
		table_folded(t, text, 2 + WORD);
	}
}

static const char *side_text(const char *s)
{
	return s ? s : "none";
}

static void put_differences(const struct table *t, const struct comparison *c)
{
	char text[512];

	if (c->n_differences)
		table_rule(t, "what is not alike");
	for (size_t i = 0; i < c->n_differences; i++) {
		const struct compare_difference *d = &c->differences[i];
		const char *a = side_text(d->a), *b = side_text(d->b);

		if (strlen(a) + strlen(b) > FACT_LONG)
			snprintf(text, sizeof(text), "%s differs", d->name);
		else
			snprintf(text, sizeof(text), "%s: %s" ARROW "%s",
				 d->name, a, b);
		table_spaces(t, 2);
		table_folded(t, text, 4);
	}
}

/* Never folded: people copy the path. */
static void put_side(const struct table *t, const char *side,
		     const struct compare_run *r)
{
	fprintf(t->out, "%s  ", side);
	table_cell(t, r->started, text_width(r->started));
	fprintf(t->out, "  %s%s%s  ", table_paint(t, verdict_paint(r->verdict)),
		verdict_word(r->verdict), table_paint(t, PLAIN));
	table_cell(t, r->path, text_width(r->path));
	fputc('\n', t->out);
}

static const char *change_caps(enum change c)
{
	switch (c) {
	case CHANGE_NONE:
		return "NO VERDICT";
	case CHANGE_SAME:
		return "SAME";
	case CHANGE_BETTER:
		return "BETTER";
	case CHANGE_WORSE:
		return "WORSE";
	case CHANGE_COUNT:
		break;
	}
	return "?";
}

static void put_conclusion(const struct table *t, const struct comparison *c)
{
	table_rule(t, "verdict");
	if (c->why)
		table_folded(t, c->why, 2);
	fprintf(t->out, "%s%s%s  ", paint_change(t, c->verdict),
		change_caps(c->verdict), table_paint(t, PLAIN));
	table_cell(t, c->a->scenario, text_width(c->a->scenario));
	fprintf(t->out,
		"  (%zu worse, %zu better, %zu same, %zu not judged; "
		"threshold %g%%)\n",
		c->n[CHANGE_WORSE], c->n[CHANGE_BETTER], c->n[CHANGE_SAME],
		c->n[CHANGE_NONE], c->threshold * 100);
}

void report_compare(FILE *out, const struct comparison *c, bool brief,
		    bool color, int width)
{
	struct table t = table_open(out, color, width);

	fprintf(out, "\n%s", table_paint(&t, BOLD));
	table_cell(&t, c->a->scenario, text_width(c->a->scenario));
	fprintf(out, "%s  ", table_paint(&t, PLAIN));
	table_folded(&t, c->b->title, 2);
	put_side(&t, "A", c->a);
	put_side(&t, "B", c->b);
	put_differences(&t, c);
	put_rows(&t, c, brief);
	put_expected(&t, c, brief);
	put_conclusion(&t, c);
}

/* ---- for programs ----------------------------------------------------------
 */

static json_t *side_json(const struct compare_run *r)
{
	return json_pack("{s:o, s:o, s:s, s:o}", "file", text_json(r->path),
			 "started", text_json(r->started), "verdict",
			 verdict_word(r->verdict), "why", text_json(r->why));
}

static json_t *value_json(const struct compare_metric *m)
{
	if (!m)
		return json_null();
	if (m->unit == UNIT_TEXT)
		return text_json(m->text);
	if (m->unit == UNIT_BOOL && !isnan(m->num))
		return json_boolean(m->num != 0);
	return num_json(m->num);
}

static json_t *sample_json(const struct compare_sample *s)
{
	return json_pack("{s:o, s:o, s:o, s:I}", "median", num_json(s->median),
			 "low", num_json(s->low), "high", num_json(s->high),
			 "rounds", (json_int_t)s->n);
}

static json_t *better_json(enum metric_better b)
{
	switch (b) {
	case BETTER_MORE:
		return json_string("more");
	case BETTER_LESS:
		return json_string("less");
	case BETTER_NEITHER:
		break;
	}
	return json_null();
}

static json_t *row_json(const struct compare_row *r)
{
	json_t *a = r->of_a.v ? sample_json(&r->of_a) : value_json(r->a),
	       *b = r->of_b.v ? sample_json(&r->of_b) : value_json(r->b);

	return json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o}", "measure",
		text_json(r->measure), "metric", text_json(r->metric), "unit",
		text_json(r->a ? report_unit_word(r->a->unit) : NULL), "a", a,
		"b", b, "better", better_json(r->better), "change",
		change_word(r->change), "change_ratio", num_json(r->effect),
		"p", num_json(r->p), "why", text_json(r->why));
}

static json_t *lists_json(const struct comparison *c)
{
	json_t *differences = json_array(), *rows = json_array(),
	       *expected = json_array();

	for (size_t i = 0; i < c->n_differences; i++) {
		const struct compare_difference *d = &c->differences[i];

		json_array_append_new(
			differences,
			json_pack("{s:o, s:o, s:o}", "name", text_json(d->name),
				  "a", text_json(d->a), "b", text_json(d->b)));
	}
	for (size_t i = 0; i < c->n_rows; i++)
		json_array_append_new(rows, row_json(&c->rows[i]));
	for (size_t i = 0; i < c->n_expected; i++) {
		const struct compare_expected *e = &c->expected[i];

		json_array_append_new(expected,
				      json_pack("{s:o, s:s, s:s, s:s, s:o}",
						"name", text_json(e->name), "a",
						e->a, "b", e->b, "change",
						change_word(e->change), "text",
						text_json(e->text)));
	}
	return json_pack("{s:o, s:o, s:o}", "differences", differences,
			 "metrics", rows, "expectations", expected);
}

char *report_compare_json(const struct comparison *c)
{
	json_t *o = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "schema",
			      COMPARE_SCHEMA, "verdict",
			      change_word(c->verdict), "why", text_json(c->why),
			      "scenario", text_json(c->a->scenario), "a",
			      side_json(c->a), "b", side_json(c->b),
			      "threshold_ratio", num_json(c->threshold));
	json_t *lists = lists_json(c);
	char *text = NULL;

	if (o && lists && !json_object_update(o, lists))
		text = json_dumps(o, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
	json_decref(lists);
	json_decref(o);
	return text;
}

/* SPDX-License-Identifier: MIT */
#include "score.h"

#include <assert.h>
#include <math.h>
#include <string.h>

const char *verdict_word(enum verdict v)
{
	switch (v) {
	case VERDICT_PASS:
		return "pass";
	case VERDICT_FAIL:
		return "fail";
	case VERDICT_INVALID:
		return "invalid";
	case VERDICT_SKIP:
		return "skip";
	}
	return "?";
}

struct measurement *score_find(const struct result *r, const char *name)
{
	for (size_t i = 0; i < r->n_measurements; i++)
		if (!strcmp(r->measurements[i].name, name))
			return &r->measurements[i];
	return NULL;
}

static struct metric *find_metric(const struct measurement *m, const char *name)
{
	for (size_t i = 0; i < m->n_metrics; i++)
		if (!strcmp(m->metrics[i].def->name, name))
			return &m->metrics[i];
	return NULL;
}

void score_measurement_init(struct measurement *m, const char *name,
			    const char *kind, const struct metric_def *defs,
			    struct arena *a)
{
	memset(m, 0, sizeof(*m));
	m->name = name;
	m->kind = kind;
	while (defs[m->n_metrics].name)
		m->n_metrics++;
	m->metrics = arena_alloc(a, m->n_metrics * sizeof(*m->metrics));
	for (size_t i = 0; i < m->n_metrics; i++) {
		m->metrics[i].def = &defs[i];
		m->metrics[i].absent = true;
	}
}

void score_set_num(struct measurement *m, const char *metric, double v)
{
	struct metric *x = find_metric(m, metric);

	assert(x && x->def->unit != UNIT_TEXT);
	x->num = v;
	x->absent = !isfinite(v);
}

void score_set_text(struct measurement *m, const char *metric, const char *v)
{
	struct metric *x = find_metric(m, metric);

	assert(x && x->def->unit == UNIT_TEXT);
	x->text = v;
	x->absent = v == NULL;
}

/* ---- verdicts --------------------------------------------------------------
 */

static const char *value_text(double num, const char *text, enum unit unit,
			      struct arena *a)
{
	char buf[64];

	if (unit == UNIT_TEXT)
		return text ? text : "";
	return arena_strdup(a, units_format(num, unit, buf, sizeof(buf)));
}

static const char *bound_text(const struct expect_spec *x, struct arena *a)
{
	const char *value = value_text(x->num, x->text, x->unit, a);

	switch (x->op) {
	case EXPECT_AT_MOST:
		return arena_printf(a, "at most %s", value);
	case EXPECT_AT_LEAST:
		return arena_printf(a, "at least %s", value);
	case EXPECT_IS:
		return arena_printf(a, "expected %s", value);
	}
	return value;
}

/* Equal but for the last bits that unit conversion may change. */
static bool equal(double a, double b)
{
	return fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b));
}

static bool holds(const struct expect_spec *x, const struct metric *got)
{
	switch (x->op) {
	case EXPECT_AT_MOST:
		return got->num <= x->num;
	case EXPECT_AT_LEAST:
		return got->num >= x->num;
	case EXPECT_IS:
		if (x->unit != UNIT_TEXT)
			return equal(got->num, x->num);
		return x->text && got->text && !strcmp(x->text, got->text);
	}
	return false;
}

static bool is_absent(const struct metric *got)
{
	if (got->absent)
		return true;
	return got->def->unit == UNIT_TEXT ? !got->text : !isfinite(got->num);
}

/* A time from one packet to the next: gap, longest-gap, up-gap, ... */
static bool is_gap(const char *metric)
{
	size_t len = strlen(metric);

	return len >= 3 && !strcmp(metric + len - 3, "gap");
}

/* Could the testbed's own lateness have turned the verdict? */
static bool too_close(const struct expect_spec *x, const struct metric *got,
		      double blur_ns)
{
	return x->op != EXPECT_IS && is_gap(x->metric) &&
	       fabs(got->num - x->num) < blur_ns;
}

static const char *blurred(const char *text, double blur_ns, struct arena *a)
{
	return arena_printf(a, "%s, give or take the %s the testbed was late",
			    text, value_text(blur_ns, NULL, UNIT_TIME, a));
}

/* @m may be NULL: it was never measured. */
static struct judged judge_one(const struct expect_spec *x,
			       const struct measurement *m, double blur_ns,
			       struct arena *a)
{
	const char *bound = bound_text(x, a);
	const struct metric *got = m ? find_metric(m, x->metric) : NULL;
	enum verdict v = VERDICT_FAIL;
	const char *text;

	if (!m) {
		text = "not measured";
	} else if (m->invalid) {
		text = arena_printf(a, "invalid%s%s", m->why ? ": " : "",
				    m->why ? m->why : "");
		v = VERDICT_INVALID;
	} else if (!got) {
		text = arena_printf(a, "a %s measurement has no such metric",
				    m->kind);
	} else if (is_absent(got)) {
		text = m->why ? m->why : "could not be measured";
	} else {
		text = value_text(got->num, got->text, got->def->unit, a);
		v = holds(x, got) ? VERDICT_PASS : VERDICT_FAIL;
		if (too_close(x, got, blur_ns)) {
			text = blurred(text, blur_ns, a);
			v = VERDICT_INVALID;
		}
	}
	return (struct judged){
		.expect = x,
		.verdict = v,
		.text = arena_printf(a, "%s.%s: %s, %s", x->measure, x->metric,
				     text, bound),
	};
}

/* A fail counts for more than an invalid only where something was measured. */
static enum verdict overall(const struct result *r)
{
	bool fail = false, proven = false, invalid = false;

	for (size_t i = 0; i < r->n_judged; i++) {
		const struct judged *j = &r->judged[i];

		switch (j->verdict) {
		case VERDICT_FAIL:
			fail = true;
			proven = proven || score_find(r, j->expect->measure);
			break;
		case VERDICT_INVALID:
			invalid = true;
			break;
		case VERDICT_PASS:
		case VERDICT_SKIP: /* of cells of a matrix, and cases */
			break;
		}
	}
	if (proven || (fail && !invalid))
		return VERDICT_FAIL;
	return invalid ? VERDICT_INVALID : VERDICT_PASS;
}

void score_judge(struct result *r, struct arena *a)
{
	const struct scenario *s = r->scenario;

	r->n_judged = s->n_expect;
	r->judged = arena_alloc(a, s->n_expect * sizeof(*r->judged));
	for (size_t i = 0; i < s->n_expect; i++) {
		const struct expect_spec *x = &s->expect[i];

		r->judged[i] = judge_one(x, score_find(r, x->measure),
					 r->gap_blur_ns, a);
	}
	r->verdict = overall(r);
}

void score_conclude(struct result *r, const struct run_end *end)
{
	const char *broke = end->interrupted   ? "interrupted"
			    : end->relay_fault ? end->relay_fault
			    : end->error       ? end->error
					       : end->limit;

	if (end->engine_fault && !end->interrupted && !end->relay_fault) {
		r->verdict = VERDICT_FAIL;
		r->why = end->engine_fault;
	} else if (broke) {
		r->verdict = VERDICT_INVALID;
		r->why = broke;
	}
}

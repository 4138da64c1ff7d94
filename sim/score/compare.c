/* SPDX-License-Identifier: MIT */
#include "compare.h"

#include <math.h>
#include <string.h>

#define CONFIDENCE 0.95
#define SEED	   1 /* intervals are the same each time */

struct comparing {
	struct comparison *c;
	struct arena *mem;
};

const char *change_word(enum change c)
{
	switch (c) {
	case CHANGE_NONE:
		return "none";
	case CHANGE_SAME:
		return "same";
	case CHANGE_BETTER:
		return "better";
	case CHANGE_WORSE:
		return "worse";
	case CHANGE_COUNT:
		break;
	}
	return "?";
}

/* ---- what should be alike --------------------------------------------------
 */

static void differs(const struct comparing *x, const char *name, const char *a,
		    const char *b)
{
	struct comparison *c = x->c;

	*ARENA_APPEND(x->mem, c->differences, c->n_differences) =
		(struct compare_difference){name, a, b};
}

static const char *find_fact(const struct compare_run *r, const char *name)
{
	for (size_t i = 0; i < r->n_facts; i++)
		if (!strcmp(r->facts[i].name, name))
			return r->facts[i].value;
	return NULL;
}

static void compare_facts(const struct comparing *x)
{
	const struct compare_run *a = x->c->a, *b = x->c->b;

	for (size_t i = 0; i < a->n_facts; i++) {
		const struct compare_fact *f = &a->facts[i];
		const char *other = find_fact(b, f->name);

		if (!other || strcmp(f->value, other) != 0)
			differs(x, f->name, f->value, other);
	}
	for (size_t i = 0; i < b->n_facts; i++)
		if (!find_fact(a, b->facts[i].name))
			differs(x, b->facts[i].name, NULL, b->facts[i].value);
}

/* ---- metrics ---------------------------------------------------------------
 */

static double effect_of(double a, double b)
{
	return a == b ? 0 : (b - a) / fabs(a);
}

static struct compare_sample sample(const struct compare_metric *m,
				    struct arena *mem)
{
	struct compare_sample s = {.n = 0};

	s.v = arena_alloc(mem, m->n_rounds * sizeof(*s.v));
	for (size_t i = 0; i < m->n_rounds; i++)
		if (isfinite(m->rounds[i]))
			s.v[s.n++] = m->rounds[i];
	s.median = stats_median(s.v, s.n);
	stats_bootstrap_median(s.v, s.n, CONFIDENCE, SEED, &s.low, &s.high);
	return s;
}

/* One side has no rounds: what cannot be measured any more got worse. */
static void judge_absent(struct compare_row *r, const struct compare_measure *a,
			 const struct compare_measure *b)
{
	const char *why = r->of_b.n ? a->why : b->why;

	if (!r->of_a.n && !r->of_b.n)
		r->why = "not measured on either side";
	else
		r->why = why	     ? why
			 : r->of_b.n ? "not measured in A"
				     : "not measured in B";
	if (r->of_a.n)
		r->change = CHANGE_WORSE;
	else if (r->of_b.n)
		r->change = CHANGE_BETTER;
}

static void judge_rounds(const struct comparing *x, struct compare_row *r)
{
	size_t na = r->of_a.n, nb = r->of_b.n;
	bool more;

	r->effect = effect_of(r->of_a.median, r->of_b.median);
	if (na < COMPARE_ROUNDS_MIN || nb < COMPARE_ROUNDS_MIN) {
		r->why = arena_printf(x->mem,
				      "too few rounds to judge (%zu and %zu; "
				      "at least %d each)",
				      na, nb, COMPARE_ROUNDS_MIN);
		return;
	}
	r->p = stats_mann_whitney(r->of_a.v, na, r->of_b.v, nb);
	r->change = CHANGE_SAME;
	if (r->p >= COMPARE_ALPHA || fabs(r->effect) <= x->c->threshold)
		return;
	more = r->effect > 0;
	r->change = more == (r->better == BETTER_MORE) ? CHANGE_BETTER
						       : CHANGE_WORSE;
}

static struct compare_row *add_row(const struct comparing *x,
				   const char *measure, const char *metric)
{
	struct compare_row *r = ARENA_APPEND(x->mem, x->c->rows, x->c->n_rows);

	*r = (struct compare_row){
		.measure = measure, .metric = metric, .effect = NAN, .p = NAN};
	return r;
}

static void compare_metric(const struct comparing *x,
			   const struct compare_measure *of_a,
			   const struct compare_measure *of_b,
			   const struct compare_metric *a,
			   const struct compare_metric *b)
{
	struct compare_row *r = add_row(x, of_a->name, a->name);

	r->a = a;
	r->b = b;
	r->better = spec_metric_better(a->name);
	if (!a->sampled || !b->sampled || r->better == BETTER_NEITHER) {
		if (a->unit != UNIT_TEXT && a->unit != UNIT_BOOL)
			r->effect = effect_of(a->num, b->num);
		return;
	}
	r->of_a = sample(a, x->mem);
	r->of_b = sample(b, x->mem);
	if (r->of_a.n && r->of_b.n)
		judge_rounds(x, r);
	else
		judge_absent(r, of_a, of_b);
	x->c->n[r->change]++;
}

static const struct compare_metric *
find_metric(const struct compare_measure *m, const struct compare_metric *like)
{
	for (size_t i = 0; i < m->n_metrics; i++)
		if (!strcmp(m->metrics[i].name, like->name) &&
		    m->metrics[i].unit == like->unit)
			return &m->metrics[i];
	return NULL;
}

static void compare_measure(const struct comparing *x,
			    const struct compare_measure *a,
			    const struct compare_measure *b)
{
	if (strcmp(a->kind, b->kind) != 0) {
		differs(x, arena_printf(x->mem, "probe of %s", a->name),
			a->kind, b->kind);
		return;
	}
	if (a->invalid || b->invalid) {
		const char *why = b->invalid ? b->why : a->why;

		add_row(x, a->name, NULL)->why = arena_printf(
			x->mem, "invalid in %s: %s", b->invalid ? "B" : "A",
			why ? why : "the testbed limited it");
		x->c->n[CHANGE_NONE]++;
		return;
	}
	for (size_t i = 0; i < a->n_metrics; i++) {
		const struct compare_metric *m = find_metric(b, &a->metrics[i]);

		if (m)
			compare_metric(x, a, b, &a->metrics[i], m);
	}
}

static const struct compare_measure *find_measure(const struct compare_run *r,
						  const char *name)
{
	for (size_t i = 0; i < r->n_measures; i++)
		if (!strcmp(r->measures[i].name, name))
			return &r->measures[i];
	return NULL;
}

static void compare_measures(const struct comparing *x)
{
	const struct compare_run *a = x->c->a, *b = x->c->b;

	for (size_t i = 0; i < a->n_measures; i++) {
		const struct compare_measure *m = &a->measures[i],
					     *o = find_measure(b, m->name);

		if (o)
			compare_measure(x, m, o);
		else
			differs(x, arena_printf(x->mem, "probe of %s", m->name),
				m->kind, NULL);
	}
	for (size_t i = 0; i < b->n_measures; i++) {
		const struct compare_measure *m = &b->measures[i];

		if (!find_measure(a, m->name))
			differs(x, arena_printf(x->mem, "probe of %s", m->name),
				NULL, m->kind);
	}
}

/* ---- what was expected -----------------------------------------------------
 */

static bool is_verdict(enum verdict v)
{
	return v == VERDICT_PASS || v == VERDICT_FAIL;
}

static void add_expected(const struct comparing *x, const char *name,
			 enum verdict a, enum verdict b, const char *text)
{
	struct compare_expected *e =
		ARENA_APPEND(x->mem, x->c->expected, x->c->n_expected);

	*e = (struct compare_expected){name, verdict_word(a), verdict_word(b),
				       text, CHANGE_NONE};
	if (is_verdict(a) && is_verdict(b))
		e->change = a == b		? CHANGE_SAME
			    : b == VERDICT_FAIL ? CHANGE_WORSE
						: CHANGE_BETTER;
	x->c->n[e->change]++;
}

static const struct compare_expect *find_expect(const struct compare_run *r,
						const char *name)
{
	for (size_t i = 0; i < r->n_expects; i++)
		if (!strcmp(r->expects[i].name, name))
			return &r->expects[i];
	return NULL;
}

/* Whether it broke, by the death of an engine, whatever was expected. */
static enum verdict lived(const struct compare_run *r)
{
	return r->verdict == VERDICT_FAIL && r->why ? VERDICT_FAIL
						    : VERDICT_PASS;
}

static void compare_expectations(const struct comparing *x)
{
	const struct compare_run *a = x->c->a, *b = x->c->b;

	for (size_t i = 0; i < a->n_expects; i++) {
		const struct compare_expect *e = &a->expects[i],
					    *o = find_expect(b, e->name);

		if (o)
			add_expected(x, e->name, e->verdict, o->verdict,
				     o->text);
		else
			differs(x, e->name, "expected", NULL);
	}
	for (size_t i = 0; i < b->n_expects; i++)
		if (!find_expect(a, b->expects[i].name))
			differs(x, b->expects[i].name, NULL, "expected");
	if (lived(a) != lived(b))
		add_expected(x, "the run itself", lived(a), lived(b),
			     b->why ? b->why : a->why);
}

/* ---- both runs -------------------------------------------------------------
 */

static const char *no_verdict(const struct compare_run *r, const char *side,
			      struct arena *mem)
{
	if (is_verdict(r->verdict))
		return NULL;
	return arena_printf(mem, "%s gave no verdict (%s%s%s)", side,
			    verdict_word(r->verdict), r->why ? ": " : "",
			    r->why ? r->why : "");
}

static enum change conclude(const size_t n[CHANGE_COUNT])
{
	enum change c = CHANGE_WORSE;

	while (c != CHANGE_NONE && !n[c])
		c--;
	return c;
}

struct comparison *compare_runs(const struct compare_run *a,
				const struct compare_run *b, double threshold,
				struct arena *mem)
{
	struct comparing x = {ARENA_NEW(mem, struct comparison), mem};

	x.c->a = a;
	x.c->b = b;
	x.c->threshold = threshold;
	compare_facts(&x);
	x.c->why = no_verdict(a, "A", mem);
	if (!x.c->why)
		x.c->why = no_verdict(b, "B", mem);
	if (x.c->why)
		return x.c;
	compare_measures(&x);
	compare_expectations(&x);
	x.c->verdict = conclude(x.c->n);
	if (x.c->verdict == CHANGE_NONE)
		x.c->why = "nothing that both have could be judged";
	return x.c;
}

/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * For one axis, cells that are alike in all other axes make a context. In a
 * context each value has a score for each measure: its rate over the best
 * one's. A value is as good as its lowest score anywhere, and the advised one
 * has the highest of these; among equals, how an engine is attached by itself.
 * If even that is low, the axis is looked at for
 * each value of another axis alone: GRO may be the cure behind one kind of
 * wire and the disease behind another. Cost: cells squared, for each pair of
 * axes.
 */
#include "advise.h"

#include <math.h>
#include <string.h>

struct deriving {
	const struct advise_input *in;
	const struct advice_group *g;
	struct arena *a;
	const struct advise_cell **cells; /* of the group */
	size_t n;
};

/* Cells that count: all, or those with one value of another axis. */
struct filter {
	size_t axis, value; /* n_axes: all */
};

struct standing {
	double worst, log_sum;
	size_t n;
};

static const struct advise_rate *find_rate(const struct advise_cell *c,
					   const char *measure)
{
	for (size_t i = 0; i < c->n_rates; i++)
		if (!strcmp(c->rates[i].measure, measure))
			return &c->rates[i];
	return NULL;
}

static double rate_of(const struct advise_cell *c, const char *measure)
{
	const struct advise_rate *r = find_rate(c, measure);

	return r ? r->bps : (double)NAN;
}

static bool passes(const struct deriving *d, const struct filter *f,
		   const struct advise_cell *c)
{
	return f->axis == d->in->n_axes || c->value[f->axis] == f->value;
}

static bool alike_but(const struct deriving *d, const struct advise_cell *x,
		      const struct advise_cell *y, size_t axis)
{
	for (size_t i = 0; i < d->in->n_axes; i++)
		if (i != axis && x->value[i] != y->value[i])
			return false;
	return true;
}

/* The fastest that this measure ever was in the group. */
static double ceiling(const struct deriving *d, const char *measure)
{
	double best = 0;

	for (size_t i = 0; i < d->n; i++)
		best = fmax(best, rate_of(d->cells[i], measure));
	return best;
}

/*
 * The best rate in the context of @c, or NAN when nothing can be learnt
 * there: no other value was measured, or all are dead of something else.
 */
static double context_best(const struct deriving *d, size_t axis,
			   const struct advise_cell *c, const char *measure)
{
	double best = 0;
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++) {
		double bps = rate_of(d->cells[i], measure);

		if (isnan(bps) || !alike_but(d, c, d->cells[i], axis))
			continue;
		best = fmax(best, bps);
		n++;
	}
	if (n < 2 || best <= ceiling(d, measure) * ADVISE_DEAD)
		return NAN;
	return best;
}

static void stand(const struct deriving *d, size_t axis, const struct filter *f,
		  struct standing *v)
{
	size_t n_values = d->in->axes[axis].n;

	for (size_t i = 0; i < n_values; i++)
		v[i] = (struct standing){.worst = 1};
	for (size_t i = 0; i < d->n; i++) {
		const struct advise_cell *c = d->cells[i];
		struct standing *s = &v[c->value[axis]];

		if (c->value[axis] == n_values || !passes(d, f, c))
			continue;
		for (size_t k = 0; k < c->n_rates; k++) {
			double best =
				context_best(d, axis, c, c->rates[k].measure);
			double score = c->rates[k].bps / best;

			if (isnan(score))
				continue;
			s->worst = fmin(s->worst, score);
			s->log_sum += log(fmax(score, 1e-9));
			s->n++;
		}
	}
}

/* Is it how the group's engine is attached unless somebody says otherwise? */
static bool is_usual(const struct deriving *d, size_t axis, size_t value)
{
	const struct advise_value *v = &d->in->axes[axis].v[value];

	for (size_t i = 0; i < v->n_set; i++)
		if (setting_is_usual(&v->set[i], d->g->plats, d->g->clats))
			return true;
	return false;
}

/* By the worst case; where that is all but equal, by the mean; where both are,
 * by what is usual. */
static bool is_better(const struct deriving *d, size_t axis,
		      const struct standing *v, size_t i, size_t k)
{
	const struct standing *x = &v[i], *y = &v[k];
	double mean;

	if (!x->n || !y->n)
		return x->n > 0;
	if (fabs(x->worst - y->worst) > 0.05)
		return x->worst > y->worst;
	mean = x->log_sum / (double)x->n - y->log_sum / (double)y->n;
	if (fabs(mean) < 0.05 && is_usual(d, axis, i) != is_usual(d, axis, k))
		return is_usual(d, axis, i);
	return mean > 0;
}

static bool is_measured(const struct comparison *c)
{
	return c->good != NULL;
}

/*
 * The rates of two cells, where @good is that of the value to be advised, and
 * either the other one is further behind than any so far, or with @ahead
 * further ahead.
 */
static void compare_rates(const struct deriving *d, size_t axis,
			  const struct advise_cell *good,
			  const struct advise_cell *bad, bool ahead,
			  double *extreme, struct comparison *worst)
{
	for (size_t i = 0; i < good->n_rates; i++) {
		const struct advise_rate *g = &good->rates[i],
					 *b = find_rate(bad, g->measure);

		if (!b || isnan(context_best(d, axis, good, g->measure)) ||
		    (ahead ? b->bps <= g->bps * *extreme
			   : b->bps >= g->bps * *extreme))
			continue;
		*extreme = b->bps / fmax(g->bps, 1);
		*worst = (struct comparison){.good = good,
					     .bad = bad,
					     .value = bad->value[axis],
					     .measure = g->measure,
					     .good_bps = g->bps,
					     .bad_bps = b->bps,
					     .good_diagnosis = g->diagnosis,
					     .bad_diagnosis = b->diagnosis,
					     .cure = b->cure};
	}
}

/* Where @value fell furthest behind @best, or with @ahead was best ahead. */
static struct comparison compare(const struct deriving *d, size_t axis,
				 const struct filter *f, size_t best,
				 size_t value, bool ahead)
{
	struct comparison worst = {.value = value};
	double extreme = ahead ? 1 / ADVISE_NOISE : ADVISE_NOISE;

	for (size_t i = 0; i < d->n; i++)
		for (size_t k = 0; k < d->n; k++)
			if (d->cells[i]->value[axis] == best &&
			    d->cells[k]->value[axis] == value &&
			    passes(d, f, d->cells[i]) &&
			    alike_but(d, d->cells[i], d->cells[k], axis))
				compare_rates(d, axis, d->cells[i], d->cells[k],
					      ahead, &extreme, &worst);
	return worst;
}

/* Returns false when there is nothing to compare. */
static bool make_case(const struct deriving *d, size_t axis,
		      const struct filter *f, struct advice_case *out)
{
	size_t n = d->in->axes[axis].n, best = 0, seen = 0;
	struct standing *v = arena_alloc(d->a, (n + 1) * sizeof(*v));

	stand(d, axis, f, v);
	for (size_t i = 0; i < n; i++) {
		seen += v[i].n > 0;
		if (is_better(d, axis, v, i, best))
			best = i;
	}
	if (!seen)
		return false;
	*out = (struct advice_case){.when_axis = f->axis,
				    .when_value = f->value,
				    .best = best,
				    .worst = v[best].worst};
	for (size_t i = 0; i < n; i++) {
		struct comparison c = compare(d, axis, f, best, i, false),
				  ahead = compare(d, axis, f, best, i, true);

		if (i != best && is_measured(&c))
			*ARENA_APPEND(d->a, out->against, out->n_against) = c;
		if (i != best && is_measured(&ahead) &&
		    (!out->cost.good ||
		     ahead.bad_bps / fmax(ahead.good_bps, 1) >
			     out->cost.bad_bps / fmax(out->cost.good_bps, 1)))
			out->cost = ahead;
	}
	return true;
}

/* A case for each value of @by; returns the worst of them, 0 without any. */
static double split(const struct deriving *d, size_t axis, size_t by,
		    struct advice *out)
{
	double worst = 1;

	out->cases = NULL;
	out->n_cases = 0;
	for (size_t i = 0; i < d->in->axes[by].n; i++) {
		const struct filter f = {by, i};
		struct advice_case c;

		if (!make_case(d, axis, &f, &c))
			continue;
		worst = fmin(worst, c.worst);
		*ARENA_APPEND(d->a, out->cases, out->n_cases) = c;
	}
	return out->n_cases > 1 ? worst : 0;
}

/* The axis by which it is told best; settings before circumstances. */
static bool split_best(const struct deriving *d, size_t axis,
		       struct advice *out)
{
	struct advice best = *out;
	double worst = ADVISE_NOISE;

	for (int settings = 1; settings >= 0; settings--) {
		for (size_t by = 0; by < d->in->n_axes; by++) {
			struct advice one = *out;
			double w;

			if (by == axis ||
			    d->in->axes[by].setting != (settings == 1))
				continue;
			w = split(d, axis, by, &one);
			if (w < worst)
				continue;
			worst = w;
			best = one;
		}
		if (best.cases != out->cases) {
			*out = best;
			out->kind = ADVICE_CASES;
			return true;
		}
	}
	return false;
}

static struct advice derive_axis(const struct deriving *d, size_t axis)
{
	const struct filter all = {d->in->n_axes, 0};
	struct advice out = {.axis = axis, .kind = ADVICE_UNPLAYED};
	struct advice_case one;

	if (!make_case(d, axis, &all, &one))
		return out;
	*ARENA_APPEND(d->a, out.cases, out.n_cases) = one;
	if (!one.n_against && one.worst >= ADVISE_NOISE)
		out.kind = ADVICE_SAME;
	else if (one.worst >= ADVISE_NOISE)
		out.kind = ADVICE_CLEAR;
	else if (!split_best(d, axis, &out))
		out.kind = ADVICE_TRADE;
	return out;
}

static void derive_group(const struct advise_input *in, struct advice_group *g,
			 struct arena *a)
{
	struct deriving d = {.in = in, .g = g, .a = a};

	for (size_t i = 0; i < in->n_cells; i++)
		if (!strcmp(in->cells[i].plats, g->plats) &&
		    !strcmp(in->cells[i].clats, g->clats))
			*ARENA_APPEND(a, d.cells, d.n) = &in->cells[i];
	g->n_cells = d.n;
	for (size_t i = 0; i < in->n_axes; i++)
		if (in->axes[i].setting)
			*ARENA_APPEND(a, g->advice, g->n_advice) =
				derive_axis(&d, i);
}

struct advice_group *advise_derive(const struct advise_input *in,
				   struct arena *a, size_t *n)
{
	struct advice_group *groups = NULL;

	*n = 0;
	for (size_t i = 0; i < in->n_cells; i++) {
		const struct advise_cell *c = &in->cells[i];
		size_t k = 0;

		while (k < *n && (strcmp(groups[k].plats, c->plats) != 0 ||
				  strcmp(groups[k].clats, c->clats) != 0))
			k++;
		if (k < *n)
			continue;
		*ARENA_APPEND(a, groups, *n) = (struct advice_group){
			.plats = c->plats, .clats = c->clats};
	}
	for (size_t i = 0; i < *n; i++)
		derive_group(in, &groups[i], a);
	return groups;
}

/* SPDX-License-Identifier: MIT */
/* The section `expect:` of a scenario. */
#include "spec_internal.h"

#include <stddef.h>
#include <string.h>

#define ROUNDS_JUDGED_MIN 5

struct raw_expect {
	const char *that;
	struct ynode *bounds[3]; /* by enum expect_op */
};

const struct yfield expect_fields[] = {
	{.key = "that",
	 .type = YF_STRING,
	 .required = true,
	 .offset = offsetof(struct raw_expect, that)},
	{.key = "at-most",
	 .type = YF_NODE,
	 .offset = offsetof(struct raw_expect, bounds[EXPECT_AT_MOST])},
	{.key = "at-least",
	 .type = YF_NODE,
	 .offset = offsetof(struct raw_expect, bounds[EXPECT_AT_LEAST])},
	{.key = "is",
	 .type = YF_NODE,
	 .offset = offsetof(struct raw_expect, bounds[EXPECT_IS])},
	{0},
};

/* ---- what may be expected ----------------------------------------------- */

static const struct measure_spec *find_measure(const struct scenario *s,
					       const char *name)
{
	const struct measure_spec *const lists[] = {s->before, s->measure,
						    s->after};
	const size_t counts[] = {s->n_before, s->n_measure, s->n_after};

	for (size_t k = 0; k < 3; k++)
		for (size_t i = 0; i < counts[k]; i++)
			if (!strcmp(lists[k][i].name, name))
				return &lists[k][i];
	return NULL;
}

/* The metrics of a measure, an await or the testbed; NULL: no such name. */
static const struct metric_def *find_catalogue(const struct scenario *s,
					       const char *name)
{
	const struct measure_spec *m = find_measure(s, name);

	if (m)
		return spec_metrics(m->kind);
	if (!strcmp(name, "testbed"))
		return spec_testbed_metrics;
	for (size_t i = 0; i < s->n_events; i++)
		if (s->events[i].name && !strcmp(s->events[i].name, name))
			return s->events[i].until ? spec_await_metrics
						  : spec_drill_metrics;
	return NULL;
}

const struct metric_def *expect_metric(const struct scenario *s,
				       const char *measure, const char *metric)
{
	const struct metric_def *d = find_catalogue(s, measure);

	while (d && d->name && strcmp(d->name, metric) != 0)
		d++;
	return d && d->name ? d : NULL;
}

static const char **all_names(const struct scenario *s, struct arena *a)
{
	const struct measure_spec *const lists[] = {s->before, s->measure,
						    s->after};
	const size_t counts[] = {s->n_before, s->n_measure, s->n_after};
	const char **v = NULL;
	size_t n = 0;

	for (size_t k = 0; k < 3; k++)
		for (size_t i = 0; i < counts[k]; i++)
			*ARENA_APPEND(a, v, n) = lists[k][i].name;
	for (size_t i = 0; i < s->n_events; i++)
		if (s->events[i].name)
			*ARENA_APPEND(a, v, n) = s->events[i].name;
	*ARENA_APPEND(a, v, n) = "testbed";
	*ARENA_APPEND(a, v, n) = NULL;
	return v;
}

static const struct metric_def *find_metric(struct spec_reader *r,
					    struct pos at, const char *measure,
					    const struct metric_def *defs,
					    const char *metric)
{
	const char **words = NULL;
	size_t n = 0;

	for (size_t i = 0; defs[i].name; i++) {
		if (!strcmp(defs[i].name, metric))
			return &defs[i];
		*ARENA_APPEND(r->a, words, n) = defs[i].name;
	}
	*ARENA_APPEND(r->a, words, n) = NULL;
	yaml_unknown(r->d, at, arena_printf(r->a, "metric of %s:", measure),
		     metric, words);
	return NULL;
}

/* ---- one expectation ---------------------------------------------------- */

/* MEASURE.METRIC; the unit, or NULL with a complaint. */
static const struct metric_def *read_that(struct spec_reader *r,
					  const struct ynode *n,
					  const struct scenario *s,
					  struct expect_spec *x)
{
	const struct ynode *that = yaml_get(n, "that");
	const char *dot = strchr(that->text, '.');
	const struct metric_def *defs;
	char *measure;

	if (!dot) {
		diags_add(r->d, that->pos,
			  "`that: %s`: MEASURE.METRIC such as "
			  "outage.longest-gap is expected",
			  that->text);
		return NULL;
	}
	measure = arena_strdup(r->a, that->text);
	measure[dot - that->text] = '\0';
	x->measure = measure;
	x->metric = dot + 1;
	defs = find_catalogue(s, measure);
	if (!defs) {
		yaml_unknown(r->d, that->pos, "measure", measure,
			     all_names(s, r->a));
		return NULL;
	}
	return find_metric(r, that->pos, measure, defs, x->metric);
}

static void read_value(struct spec_reader *r, const struct ynode *n,
		       const char *op, struct expect_spec *x)
{
	if (!spec_want(r, n, YNODE_SCALAR, arena_printf(r->a, "`%s`", op)))
		return;
	if (x->op != EXPECT_IS &&
	    (x->unit == UNIT_BOOL || x->unit == UNIT_TEXT)) {
		diags_add(r->d, n->pos,
			  "`%s` does not suit %s.%s, which is "
			  "%s; use `is`",
			  op, x->measure, x->metric, units_expect(x->unit));
		return;
	}
	x->text = n->text;
	if (x->unit == UNIT_TEXT)
		return;
	/* a share may be written 90% or 0.9 here: no link is impaired by it */
	if (units_parse(n->text, x->unit, &x->num) &&
	    (x->unit != UNIT_RATIO || units_parse(n->text, UNIT_NONE, &x->num)))
		diags_add(r->d, n->pos, "`%s: %s`: %s is expected", op, n->text,
			  units_expect(x->unit));
}

static void check_rounds(struct spec_reader *r, const struct scenario *s,
			 const struct expect_spec *x)
{
	const struct measure_spec *m = find_measure(s, x->measure);

	if (m &&
	    (m->kind == PROBE_THROUGHPUT || m->kind == PROBE_CONNECTIONS) &&
	    m->rounds < ROUNDS_JUDGED_MIN && strcmp(x->metric, "rounds") != 0)
		diags_add(r->d, x->pos,
			  "%s has %lld rounds; at least %d are "
			  "needed to judge it",
			  x->measure, (long long)m->rounds, ROUNDS_JUDGED_MIN);
}

static void read_expect(struct spec_reader *r, const struct ynode *n,
			struct scenario *s)
{
	struct expect_spec x = {.pos = n->pos};
	struct raw_expect raw = {0};
	const struct metric_def *def;
	int ops = 0;

	yaml_read_map(n, "an expectation", expect_fields, &raw, r->a, r->d);
	for (int i = EXPECT_AT_MOST; i <= EXPECT_IS; i++)
		if (raw.bounds[i]) {
			x.op = (enum expect_op)i;
			ops++;
		}
	if (n->kind == YNODE_MAP && ops != 1)
		diags_add(r->d, n->pos,
			  "an expectation has exactly one of "
			  "`at-most`, `at-least` and `is`");
	if (!raw.that)
		return;
	def = read_that(r, n, s, &x);
	if (!def || ops != 1)
		return;
	x.unit = def->unit;
	/* expect_fields has `that` in front of the three in their order */
	read_value(r, raw.bounds[x.op], expect_fields[1 + x.op].key, &x);
	check_rounds(r, s, &x);
	*ARENA_APPEND(r->a, s->expect, s->n_expect) = x;
}

void expects_read(struct spec_reader *r, const struct ynode *n,
		  struct scenario *s)
{
	if (!spec_want(r, n, YNODE_LIST, "`expect`"))
		return;
	for (size_t i = 0; i < n->n; i++)
		read_expect(r, n->items[i], s);
}

/* SPDX-License-Identifier: MIT */
/* Measure `resolver`, the half in the orchestrator. */
#include "probe_internal.h"

#include <errno.h>
#include <math.h>

/* Three servers, waited for in vain: see patience() of the other half. */
#define GRACE_NS    (5 * NS_PER_S)
#define MAX_QUERIES 60000

static int64_t number_of(const json_t *list, size_t i)
{
	return json_integer_value(json_array_get(list, i));
}

static int start(struct probe *p, struct err *e)
{
	const struct measure_spec *m = p->m;
	int64_t length = probe_length_ns(p);
	double count = floor(m->rate_pps * (double)length / NS_PER_S);
	double timeout = m->timeout_ns > 0 ? m->timeout_ns : 5e9;
	int64_t tries = m->attempts ? m->attempts : 5;
	const char *argv[] = {
		PROBE_SELF,
		"probe",
		"resolver",
		"query",
		m->query,
		"type",
		m->type,
		"count",
		arena_printf(p->arena, "%.0f", count),
		"interval-ns",
		arena_printf(p->arena, "%.0f", 1e9 / m->rate_pps),
		"timeout-ns",
		arena_printf(p->arena, "%.0f", m->timeout_ns),
		"attempts",
		arena_printf(p->arena, "%lld", (long long)m->attempts),
		"rotate",
		m->rotate ? "1" : "0",
		NULL,
	};

	if (count < 1 || count > MAX_QUERIES)
		return err_set(e, EINVAL,
			       "%.0f queries at %.0f a second in %.1f s: must "
			       "be 1 to %d",
			       count, m->rate_pps, (double)length / NS_PER_S,
			       MAX_QUERIES);
	p->deadline =
		mono_add(clock_now(),
			 length + GRACE_NS + (int64_t)(4 * timeout) * tries);
	return probe_spawn(p, p->from, argv, "", NULL, e) ? 0 : -EIO;
}

static void add_waits(struct probe *p, struct measurement *m, const json_t *at,
		      const double *waited, size_t n)
{
	struct series *s = ARENA_NEW(p->arena, struct series);

	*s = (struct series){.name = "waited for names",
			     .x_label = "s",
			     .y_label = "ms",
			     .x = arena_alloc(p->arena, n * sizeof(double)),
			     .y = arena_alloc(p->arena, n * sizeof(double)),
			     .n = n};
	for (size_t i = 0; i < n; i++) {
		s->x[i] = (double)number_of(at, i) / 1e9;
		s->y[i] = waited[i] / 1e6;
	}
	m->series = s;
	m->n_series = 1;
}

static void read_result(struct probe *p, struct measurement *m, const json_t *j)
{
	const json_t *list = json_object_get(j, "waited_ns");
	const json_t *steps = json_object_get(j, "steps");
	const json_t *failures = json_object_get(j, "failed");
	size_t n = json_array_size(list), failed = 0, retried = 0;
	double *waited = arena_alloc(p->arena, (n + 1) * sizeof(*waited));
	char slowest[32];

	if (!n)
		return;
	for (size_t i = 0; i < n; i++) {
		waited[i] = (double)number_of(list, i);
		retried += number_of(steps, i) > 0;
		failed += json_is_true(json_array_get(failures, i));
	}
	score_set_num(m, "queries", (double)n);
	score_set_num(m, "failed", (double)failed);
	score_set_num(m, "retried", (double)retried);
	score_set_num(m, "median", stats_median(waited, n));
	score_set_num(m, "p99", stats_percentile(waited, n, 0.99));
	score_set_num(m, "slowest", stats_percentile(waited, n, 1));
	add_waits(p, m, json_object_get(j, "at_ns"), waited, n);
	units_format(stats_percentile(waited, n, 1), UNIT_TIME, slowest,
		     sizeof(slowest));
	m->summary = arena_printf(p->arena,
				  "%zu queries, %zu failed, %zu asked again, "
				  "slowest waited %s",
				  n, failed, retried, slowest);
}

static void finish(struct probe *p, struct measurement *m)
{
	json_t *j;

	if (!p->n_children)
		return;
	j = probe_take_result(p, &p->children[0], m);
	if (j)
		read_result(p, m, j);
	json_decref(j);
}

const struct probe_ops probe_resolver_ops = {
	.start = start,
	.finish = finish,
};

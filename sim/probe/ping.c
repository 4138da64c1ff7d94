/* SPDX-License-Identifier: MIT */
/* Measure `ping`, the half in the orchestrator. */
#include "probe_internal.h"

#include <math.h>

/* Names to resolve (two servers, two tries, two types), and the last reply */
#define GRACE_NS (12 * NS_PER_S)

static int start(struct probe *p, struct err *e)
{
	const struct measure_spec *m = p->m;
	const int64_t interval = (int64_t)m->interval_ns;
	const int64_t count = m->count > 0 ? m->count : 1;
	const char *argv[] = {
		PROBE_SELF,
		"probe",
		"ping",
		"to",
		p->target.text,
		"family",
		probe_family_word(p),
		"count",
		arena_printf(p->arena, "%lld", (long long)count),
		"interval-ns",
		arena_printf(p->arena, "%lld", (long long)interval),
		"size",
		arena_printf(p->arena, "%d", (int)m->size_bytes),
		"first",
		m->first ? "1" : "0",
		NULL,
	};

	p->deadline = mono_add(clock_now(), count * interval + GRACE_NS);
	return probe_spawn(p, p->from, argv, "", NULL, e) ? 0 : -1;
}

static void set_round_trips(struct measurement *m, const double *rtt, size_t n)
{
	score_set_num(m, "rtt-min", stats_percentile(rtt, n, 0));
	score_set_num(m, "rtt-median", stats_median(rtt, n));
	score_set_num(m, "rtt-p99", stats_percentile(rtt, n, 0.99));
	score_set_num(m, "rtt-max", stats_percentile(rtt, n, 1));
}

static void summarise(struct probe *p, struct measurement *m, const json_t *j,
		      const double *rtt, size_t n, double sent)
{
	const char *address = json_string_value(json_object_get(j, "address"));
	char median[32];

	units_format(stats_median(rtt, n), UNIT_TIME, median, sizeof(median));
	m->summary = arena_printf(p->arena, "%s, %zu of %.0f came back%s%s",
				  address ? address : p->target.text, n, sent,
				  n ? ", median " : "", n ? median : "");
}

static void read_result(struct probe *p, struct measurement *m, const json_t *j)
{
	const json_t *v = json_object_get(j, "rtt_ns");
	const char *error = json_string_value(json_object_get(j, "error"));
	double sent = (double)json_array_size(v);
	double *rtt =
		arena_alloc(p->arena, (json_array_size(v) + 1) * sizeof(*rtt));
	const json_t *one;
	size_t i, n = 0;

	json_array_foreach(v, i, one) if (json_is_number(one)) rtt[n++] =
		json_number_value(one);
	if (sent > 0) {
		score_set_num(m, "sent", sent);
		score_set_num(m, "received", (double)n);
		score_set_num(m, "lost", sent - (double)n);
		score_set_num(m, "loss", (sent - (double)n) / sent);
		set_round_trips(m, rtt, n);
		summarise(p, m, j, rtt, n, sent);
	}
	if (error && !p->why)
		p->why = arena_strdup(p->arena, error);
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

const struct probe_ops probe_ping_ops = {
	.start = start,
	.finish = finish,
};

/* SPDX-License-Identifier: MIT */
#include "rounds.h"

#include "probe_internal.h"

#define CONFIDENCE 0.95

static void add_series(struct probe *p, struct measurement *m, const char *name,
		       const double *rate, size_t n, const char *unit)
{
	struct series *s = ARENA_APPEND(p->arena, m->series, m->n_series);

	*s = (struct series){
		.name = name, .x_label = "round", .y_label = unit, .n = n};
	s->x = arena_alloc(p->arena, n * sizeof(*s->x));
	s->y = arena_alloc(p->arena, n * sizeof(*s->y));
	for (size_t i = 0; i < n; i++) {
		s->x[i] = (double)(i + 1);
		s->y[i] = rate[i];
	}
}

struct rounds_score rounds_score(struct probe *p, struct measurement *m,
				 const double *native, const double *translated,
				 size_t n, const char *unit)
{
	double *ratio = arena_alloc(p->arena, n * sizeof(*ratio));
	struct rounds_score s;

	for (size_t i = 0; i < n; i++)
		ratio[i] = translated[i] / native[i];
	s.ratio = stats_median(ratio, n);
	stats_bootstrap_median(ratio, n, CONFIDENCE, world_seed(p->world),
			       &s.low, &s.high);
	s.rate = stats_median(translated, n);
	s.native = stats_median(native, n);
	score_set_num(m, "ratio", s.ratio);
	score_set_num(m, "ratio-low", s.low);
	score_set_num(m, "ratio-high", s.high);
	score_set_num(m, "rate", s.rate);
	score_set_num(m, "native-rate", s.native);
	add_series(p, m, "native", native, n, unit);
	add_series(p, m, "translated", translated, n, unit);
	return s;
}

/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * An event with a name is a drill: from its time to that of the next named
 * one, or to the end. While the time line is played this file only writes
 * down: when each drill began, every change of a route to pool6 or pool4, and
 * now and then how many packets access and border have sent towards each PLAT,
 * which tells whom traffic went through without asking any router, and how many
 * sessions each PLAT holds (census.c). All figures come from these records and
 * from the streams, once all is over.
 *
 * Terms are of RFC 6412: detected is the first route that changes anywhere;
 * rerouted the last one that changes at the routers that choose a PLAT, access
 * for pool6 and border for pool4; recovered the end of loss.
 */
#include "timeline_internal.h"

#include <math.h>
#include <string.h>

#define VIA_NS NS_PER_S /* before the end of a drill */

struct change {
	struct mono when;
	bool chooses; /* at access to pool6, at border to pool4 */
};

struct begun {
	const struct event_spec *ev;
	struct mono at;
};

struct sample {
	struct mono when;
	uint64_t *sent; /* by PLAT: up, then by PLAT: down */
};

struct chooser {
	int node;
	char dev[IFNAME_LEN]; /* the route's, last seen */
	bool known;
};

struct drills {
	struct timeline *t;
	struct begun *v;
	size_t n;
	struct change *changes;
	size_t n_changes;
	struct sample *samples;
	size_t n_samples;
	int *plats; /* nodes */
	size_t n_plats;
	struct chooser up, down; /* access, border */
	bool wanted;		 /* the scenario has drills */
	struct census *census;
};

static bool is_drill(const struct event_spec *ev)
{
	return ev->name && !ev->until;
}

struct drills *drills_new(struct timeline *t)
{
	const struct plan *p = world_plan(t->world);
	struct drills *d = ARENA_NEW(t->arena, struct drills);

	*d = (struct drills){.t = t, .up.node = -1, .down.node = -1};
	d->census = census_new(t);
	for (size_t i = 0; i < t->scenario->n_events; i++)
		d->wanted |= is_drill(&t->scenario->events[i]);
	for (int i = 0; i < (int)p->n_nodes; i++) {
		if (p->nodes[i].role == NODE_PLAT)
			*ARENA_APPEND(t->arena, d->plats, d->n_plats) = i;
		if (p->nodes[i].role == NODE_ACCESS)
			d->up.node = i;
		if (p->nodes[i].role == NODE_BORDER)
			d->down.node = i;
	}
	return d;
}

void drills_begin(struct drills *d, const struct event_spec *ev, struct mono at)
{
	if (is_drill(ev))
		*ARENA_APPEND(d->t->arena, d->v, d->n) =
			(struct begun){.ev = ev, .at = at};
}

/* The same route announced again is no change. */
static bool is_change(struct chooser *c, const struct route_news *n)
{
	const char *dev = n->added && n->dev ? n->dev : "";
	bool changed = !c->known || strcmp(c->dev, dev) != 0;

	c->known = true;
	snprintf(c->dev, sizeof(c->dev), "%s", dev);
	return changed;
}

void drills_news(struct drills *d, const struct route_news *n)
{
	struct chooser *c = n->dst.family == AF_INET6 ? &d->up : &d->down;
	bool chooses = n->node == c->node;

	if (chooses && !is_change(c, n))
		return;
	*ARENA_APPEND(d->t->arena, d->changes, d->n_changes) =
		(struct change){.when = n->when, .chooses = chooses};
}

/* ---- whom it went through --------------------------------------------------
 */

static uint64_t sent_by(struct drills *d, int node, int plat)
{
	const struct plan *p = world_plan(d->t->world);
	struct iface_stats s = {0};
	struct err ignored;

	if (node < 0 || world_iface_stats(d->t->world, node,
					  p->nodes[plat].name, &s, &ignored))
		return 0;
	return s.tx_pkts;
}

void drills_sample(struct drills *d)
{
	struct sample s = {.when = clock_now()};

	if (!d->wanted)
		return;
	census_ask(d->census);
	s.sent = arena_alloc(d->t->arena,
			     (2 * d->n_plats + 1) * sizeof(*s.sent));
	for (size_t i = 0; i < d->n_plats; i++) {
		s.sent[i] = sent_by(d, d->up.node, d->plats[i]);
		s.sent[d->n_plats + i] = sent_by(d, d->down.node, d->plats[i]);
	}
	*ARENA_APPEND(d->t->arena, d->samples, d->n_samples) = s;
}

static const struct sample *sample_before(const struct drills *d,
					  struct mono when)
{
	const struct sample *s = d->samples; /* or the first; NULL: none */

	for (size_t i = 0; i < d->n_samples; i++)
		if (!mono_before(when, d->samples[i].when))
			s = &d->samples[i];
	return s;
}

/* The PLAT that most packets were sent to just before @to; NULL: unknown. */
static const char *via_at(const struct drills *d, bool up, struct mono from,
			  struct mono to)
{
	struct mono since = mono_add(to, -VIA_NS);
	const struct sample *b = sample_before(d, to), *a;
	const char *best = NULL;
	uint64_t most = 0;

	a = sample_before(d, mono_before(since, from) ? from : since);
	for (size_t i = 0; a != b && i < d->n_plats; i++) {
		size_t k = up ? i : d->n_plats + i;
		uint64_t n = b->sent[k] - a->sent[k];

		if (n <= most)
			continue;
		most = n;
		best = world_plan(d->t->world)->nodes[d->plats[i]].name;
	}
	return best;
}

/* ---- figures ---------------------------------------------------------------
 */

struct sums {
	struct drill_score up, down;
	bool any;
};

static void add(struct drill_score *to, const struct drill_score *s)
{
	to->sent += s->sent;
	to->lost += s->lost;
	to->duplicated += s->duplicated;
	to->reordered += s->reordered;
	to->late += s->late;
	to->gap_ns = fmax(to->gap_ns, s->gap_ns);
	/* one that never recovered is not made up for by another */
	if (isnan(s->recover_ns) || s->recover_ns > to->recover_ns)
		to->recover_ns = s->recover_ns;
}

static struct sums sum_streams(struct drills *d, struct mono from,
			       struct mono to)
{
	const struct result *r = d->t->result;
	struct sums sums = {.any = false};

	for (size_t i = 0; i < r->n_measurements; i++) {
		const struct stream_trace *t = r->measurements[i].trace;
		struct drill_score s;

		if (!t || strcmp(r->measurements[i].phase, "timeline") != 0)
			continue;
		drill_analyse(&t[0], from.ns, to.ns, d->t->arena, &s);
		add(&sums.up, &s);
		drill_analyse(&t[1], from.ns, to.ns, d->t->arena, &s);
		add(&sums.down, &s);
		sums.any = true;
	}
	return sums;
}

static void set_streams(struct measurement *m, const struct sums *s)
{
	const struct {
		const char *name;
		double value;
	} v[] = {
		{"recover", fmax(s->up.recover_ns, s->down.recover_ns)},
		{"gap", fmax(s->up.gap_ns, s->down.gap_ns)},
		{"up-gap", s->up.gap_ns},
		{"down-gap", s->down.gap_ns},
		{"lost", (double)(s->up.lost + s->down.lost)},
		{"up-lost", (double)s->up.lost},
		{"down-lost", (double)s->down.lost},
		{"duplicated", (double)(s->up.duplicated + s->down.duplicated)},
		{"reordered", (double)(s->up.reordered + s->down.reordered)},
		{"late", (double)(s->up.late + s->down.late)},
	};

	for (size_t i = 0; s->any && i < sizeof(v) / sizeof(*v); i++)
		score_set_num(m, v[i].name, v[i].value);
	/* fmax() prefers a number */
	if (s->any && (isnan(s->up.recover_ns) || isnan(s->down.recover_ns)))
		score_set_num(m, "recover", (double)NAN);
}

static void set_routes(struct drills *d, struct measurement *m,
		       struct mono from, struct mono to)
{
	double first = (double)NAN, last = (double)NAN;

	for (size_t i = 0; i < d->n_changes; i++) {
		const struct change *c = &d->changes[i];
		double after = (double)mono_sub(c->when, from);

		if (after < 0 || !mono_before(c->when, to))
			continue;
		if (isnan(first))
			first = after;
		if (c->chooses)
			last = after;
	}
	score_set_num(m, "detect", first);
	score_set_num(m, "reroute", last);
}

/* What the PLAT in use held when it began, and what the best other one did. */
static void set_sessions(struct drills *d, struct measurement *m,
			 struct mono from)
{
	const struct plan *p = world_plan(d->t->world);
	const char *used = via_at(d, true, d->t->zero, from);
	double of_used = (double)NAN, most = (double)NAN, v;

	for (size_t i = 0; used && i < d->n_plats; i++) {
		if (!census_at(d->census, d->plats[i], from, &v))
			continue;
		if (!strcmp(p->nodes[d->plats[i]].name, used))
			of_used = v;
		else
			most = fmax(most, v); /* prefers a number */
	}
	score_set_num(m, "sessions", of_used);
	score_set_num(m, "replicated", most);
	/* a comparison, and so the maximum, needs both */
	score_set_num(m, "unreplicated",
		      isnan(of_used) || isnan(most) ? (double)NAN
						    : fmax(of_used - most, 0));
	score_set_num(m, "stale",
		      isnan(of_used) || isnan(most) ? (double)NAN
						    : fmax(most - of_used, 0));
}

/* ---- pictures --------------------------------------------------------------
 */

static struct series draw_via(struct drills *d, size_t k)
{
	struct arena *a = d->t->arena;
	size_t plat = k % d->n_plats;
	struct series s = {
		.name = arena_printf(
			a, "%s to %s", k < d->n_plats ? "up" : "down",
			world_plan(d->t->world)->nodes[d->plats[plat]].name),
		.x_label = "s",
		.y_label = "rate, packets/s",
		.x = arena_alloc(a, d->n_samples * sizeof(double)),
		.y = arena_alloc(a, d->n_samples * sizeof(double))};

	for (size_t i = 1; i < d->n_samples; i++) {
		const struct sample *to = &d->samples[i], *from = to - 1;
		double took = (double)mono_sub(to->when, from->when) / 1e9;

		/* a node that came back counts from 0 */
		if (took < 0.05 || to->sent[k] < from->sent[k])
			continue;
		s.x[s.n] = (double)mono_sub(to->when, d->t->zero) / 1e9;
		s.y[s.n++] = (double)(to->sent[k] - from->sent[k]) / took;
	}
	return s;
}

static void draw(struct drills *d, struct measurement *m)
{
	struct arena *a = d->t->arena;
	struct series s;

	for (size_t i = 0; i < d->n_plats; i++)
		if (census_picture(d->census, d->plats[i], &s))
			*ARENA_APPEND(a, m->series, m->n_series) = s;
	for (size_t k = 0; d->n_samples && k < 2 * d->n_plats; k++)
		*ARENA_APPEND(a, m->series, m->n_series) = draw_via(d, k);
}

static const char *time_word(struct arena *a, const struct measurement *m,
			     const char *metric)
{
	char text[32];

	for (size_t i = 0; i < m->n_metrics; i++)
		if (!strcmp(m->metrics[i].def->name, metric) &&
		    !m->metrics[i].absent) {
			units_format(m->metrics[i].num, UNIT_TIME, text,
				     sizeof(text));
			return arena_strdup(a, text);
		}
	return "never";
}

static void finish_one(struct drills *d, const struct begun *b, struct mono to)
{
	struct result *r = d->t->result;
	struct sums sums = sum_streams(d, b->at, to);
	const char *up = via_at(d, true, b->at, to);
	const char *down = via_at(d, false, b->at, to);
	unsigned long long lost = sums.up.lost + sums.down.lost;
	struct arena *a = d->t->arena;
	struct measurement *m =
		ARENA_APPEND(a, r->measurements, r->n_measurements);

	score_measurement_init(m, b->ev->name, "drill", spec_drill_metrics, a);
	m->phase = "timeline";
	set_routes(d, m, b->at, to);
	set_sessions(d, m, b->at);
	if (b == d->v)
		draw(d, m);
	score_set_text(m, "up-via", up);
	score_set_text(m, "down-via", down);
	set_streams(m, &sums);
	m->summary = arena_printf(
		a,
		"detected %s, rerouted %s, recovered %s; %llu lost; then up "
		"via %s, down via %s",
		time_word(a, m, "detect"), time_word(a, m, "reroute"),
		sums.any ? time_word(a, m, "recover") : "unknown", lost,
		up ? up : "nobody", down ? down : "nobody");
}

void drills_stop(struct drills *d)
{
	census_end(d->census);
}

void drills_finish(struct drills *d, struct mono end)
{
	for (size_t i = 0; i < d->n; i++)
		finish_one(d, &d->v[i], i + 1 < d->n ? d->v[i + 1].at : end);
}

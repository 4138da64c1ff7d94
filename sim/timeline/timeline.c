/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * The scenario's measures and events become one list of actions, sorted by
 * time. All streams and transfers due at zero are started first; zero is when
 * each of them has been seen flowing. From there the list is worked off at the
 * top level: run the loop until the next action is due, note how late it is,
 * carry it out. Nothing sleeps; whatever waits runs the loop, which goes on
 * serving probes, route news and dead children meanwhile.
 *
 * Lateness is part of the result. It is measured when an action begins, so an
 * event that takes long makes the next one late, and that is what it reports.
 */
#include "timeline.h"
#include "timeline_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define FLOW_PATIENCE_NS (10 * NS_PER_S)

struct running {
	const struct measure_spec *m;
	struct probe *probe;
	struct diagnosis_run *diagnosis; /* or NULL */
};

struct play {
	struct timeline *t;
	struct mono zero, end;
	bool flowing; /* zero is set */
	struct drills *drills;
	struct loop_source *ticker; /* the loop outlives us */
	struct running *probes;
	size_t n_probes;
	struct await **awaits;
	size_t n_awaits;
	struct mono wait_until; /* for the conditions below */
};

struct action {
	double at_ns;
	const struct measure_spec *measure; /* else event */
	const struct event_spec *event;
	size_t order; /* keeps the sort stable */
};

void timeline_happened(struct timeline *t, struct mono zero, struct mono when,
		       double late_ns, const char *kind, const char *fmt, ...)
{
	struct result *r = t->result;
	struct happening *h =
		ARENA_APPEND(t->arena, r->happenings, r->n_happenings);
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	h->at_ns = (double)mono_sub(when, zero);
	h->late_ns = late_ns;
	h->kind = kind;
	h->text = arena_strdup(t->arena, text);
	if (t->note)
		t->note(t->arg, arena_printf(t->arena, "%+7.3fs  %s",
					     h->at_ns / 1e9, text));
}

/* ---- measures -------------------------------------------------------------
 */

/* Seconds since a probe began become those of the time line, its warm-up goes.
 */
static void move_series(struct series *s, double by_s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		double x = s->x[i] + by_s;

		if (x < 0)
			continue;
		s->x[n] = x;
		s->y[n++] = s->y[i];
	}
	s->n = n;
}

/* @d may be NULL */
static struct measurement *collect(struct timeline *t, struct probe *p,
				   struct diagnosis_run *d, const char *phase)
{
	struct result *r = t->result;
	struct measurement *m =
		ARENA_APPEND(t->arena, r->measurements, r->n_measurements);

	probe_finish(p, m);
	if (d)
		diagnosis_finish(d, m);
	m->phase = phase;
	return m;
}

static void collect_running(struct play *p, const struct running *r)
{
	struct timeline *t = p->t;
	double by_s = (double)mono_sub(probe_started(r->probe), p->zero) / 1e9;
	struct measurement *m = collect(t, r->probe, r->diagnosis, "timeline");

	for (size_t i = 0; i < m->n_series; i++)
		move_series(&m->series[i], by_s);
}

/* What the measure just collected found, for people. */
static void tell_last(struct timeline *t)
{
	const struct measurement *m =
		&t->result->measurements[t->result->n_measurements - 1];

	if (t->note)
		t->note(t->arg,
			arena_printf(t->arena, "%s: %s", m->name, m->summary));
}

static struct diagnosis_run *begin_diagnosis(struct timeline *t,
					     const struct measure_spec *m)
{
	return m->kind == PROBE_DIAGNOSIS ? diagnosis_begin(t, m) : NULL;
}

/* Of a measure that did not even start; NULL is fine. */
static void end_diagnosis(struct diagnosis_run *d)
{
	if (d)
		diagnosis_end(d);
}

/* Those whose transfer is over: before other traffic begins. */
static void end_diagnoses(struct play *p)
{
	for (size_t i = 0; i < p->n_probes; i++)
		if (p->probes[i].diagnosis && probe_counted(p->probes[i].probe))
			diagnosis_end(p->probes[i].diagnosis);
}

struct alone {
	struct probe *probe;
	struct diagnosis_run *diagnosis; /* or NULL */
};

static bool one_done(void *arg)
{
	struct alone *a = arg;

	if (a->diagnosis && probe_counted(a->probe))
		diagnosis_end(a->diagnosis);
	return probe_done(a->probe);
}

int timeline_measure(struct timeline *t, const struct measure_spec *v, size_t n,
		     const char *phase, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		double length = v[i].for_ns > 0 ? v[i].for_ns : 10e9;
		struct alone a = {.diagnosis = begin_diagnosis(t, &v[i])};
		int ret;

		if (t->stage)
			t->stage(t->arg,
				 arena_printf(t->arena, "%s (%s)", v[i].name,
					      spec_probe_word(v[i].kind)));
		ret = probe_start(t->world, &v[i],
				  mono_add(clock_now(), (int64_t)length),
				  t->result->dir, t->arena, &a.probe, e);
		if (ret) {
			end_diagnosis(a.diagnosis);
			return ret;
		}
		ret = loop_run_until(world_loop(t->world), one_done, &a,
				     probe_deadline(a.probe));
		collect(t, a.probe, a.diagnosis, phase);
		if (ret == -EINTR)
			return ret;
		tell_last(t);
	}
	return 0;
}

/* ---- the time line ---------------------------------------------------------
 */

static int by_time(const void *a, const void *b)
{
	const struct action *x = a, *y = b;

	if (x->at_ns != y->at_ns)
		return x->at_ns < y->at_ns ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* An await begins where the event before it stands. */
static double event_begins(const struct scenario *s, size_t i)
{
	while (i > 0 && s->events[i].until)
		i--;
	return s->events[i].until ? 0 : s->events[i].at_ns;
}

/* A flap is so many downs and ups of its own. */
static void list_flap(struct timeline *t, const struct event_spec *ev,
		      struct action **v, size_t *n)
{
	for (int64_t i = 0; i < 2 * ev->times; i++) {
		struct event_spec *one = ARENA_NEW(t->arena, struct event_spec);
		struct action *a = ARENA_APPEND(t->arena, *v, *n);

		*one = *ev;
		one->name = i ? NULL : ev->name;
		one->kind = i % 2 ? EVENT_LINK_UP : EVENT_LINK_DOWN;
		one->at_ns = ev->at_ns + (double)i * ev->period_ns / 2;
		*a = (struct action){
			.at_ns = one->at_ns, .event = one, .order = *n};
	}
}

static struct action *list_actions(struct timeline *t, size_t *count)
{
	const struct scenario *s = t->scenario;
	struct action *v = NULL;
	size_t n = 0;

	for (size_t i = 0; i < s->n_measure; i++) {
		struct action *a = ARENA_APPEND(t->arena, v, n);

		*a = (struct action){.at_ns = s->measure[i].at_ns,
				     .measure = &s->measure[i],
				     .order = n};
	}
	for (size_t i = 0; i < s->n_events; i++) {
		struct action *a;

		if (s->events[i].kind == EVENT_FLAP) {
			list_flap(t, &s->events[i], &v, &n);
			continue;
		}
		a = ARENA_APPEND(t->arena, v, n);
		*a = (struct action){.at_ns = event_begins(s, i),
				     .event = &s->events[i],
				     .order = n};
	}
	if (n)
		qsort(v, n, sizeof(*v), by_time);
	*count = n;
	return v;
}

static int start_probe(struct play *p, const struct measure_spec *m,
		       struct err *e)
{
	struct timeline *t = p->t;
	struct mono stop =
		p->flowing ? p->end
			   : mono_add(clock_now(),
				      (int64_t)t->scenario->duration_ns);
	struct diagnosis_run *d = begin_diagnosis(t, m);
	struct running *r;
	struct probe *probe;
	int ret;

	ret = probe_start(t->world, m, stop, t->result->dir, t->arena, &probe,
			  e);
	if (ret) {
		end_diagnosis(d);
		return ret;
	}
	r = ARENA_APPEND(t->arena, p->probes, p->n_probes);
	*r = (struct running){.m = m, .probe = probe, .diagnosis = d};
	return 0;
}

static bool all_flow(void *arg)
{
	struct play *p = arg;

	for (size_t i = 0; i < p->n_probes; i++)
		if (!probe_flowing(p->probes[i].probe) &&
		    !probe_done(p->probes[i].probe))
			return false;
	return true;
}

/* Never true: what is waited for is a time. */
static bool poll_awaits(void *arg)
{
	struct play *p = arg;

	for (size_t i = 0; i < p->n_awaits; i++)
		(void)await_done(p->awaits[i]);
	end_diagnoses(p);
	return false;
}

static bool all_over(void *arg)
{
	struct play *p = arg;
	bool over = true;

	end_diagnoses(p);
	for (size_t i = 0; i < p->n_awaits; i++)
		over = await_done(p->awaits[i]) && over;
	for (size_t i = 0; i < p->n_probes; i++)
		over = over && probe_done(p->probes[i].probe);
	return over && !mono_before(clock_now(), p->end);
}

static void route_changed(void *arg, const struct route_news *n)
{
	struct play *p = arg;
	const struct topology *topo = p->t->scenario->topology;
	char dst[ADDR_TEXT_LEN];
	bool pool = (n->dst.family == AF_INET6 && n->len == topo->pool6.len &&
		     prefix6_contains(&topo->pool6, &n->dst.v6)) ||
		    (n->dst.family == AF_INET && n->len == topo->pool4.len &&
		     prefix4_contains(&topo->pool4, n->dst.v4));

	if (!p->flowing)
		return;
	if (pool)
		drills_news(p->drills, n);
	if (pool)
		timeline_happened(p->t, p->zero, n->when, 0, "route",
				  "%s: %s/%u %s%s",
				  world_plan(p->t->world)->nodes[n->node].name,
				  addr_format(&n->dst, dst), n->len,
				  n->added ? "via " : "withdrawn",
				  n->added && n->dev ? n->dev : "");
	for (size_t i = 0; i < p->n_awaits; i++)
		await_news(p->awaits[i], n->node, n->when);
}

static void engine_failed(void *arg, const struct engine *en)
{
	struct play *p = arg;

	if (p->flowing)
		timeline_happened(
			p->t, p->zero, clock_now(), 0, "engine",
			"%s (%s) at %s %s", en->ops->name,
			plan_role_word(en->daemon->role),
			world_plan(p->t->world)->nodes[en->daemon->node].name,
			en->fault);
}

static int watch_routers(struct play *p, struct err *e)
{
	const struct plan *plan = world_plan(p->t->world);

	for (size_t i = 0; i < plan->n_daemons; i++) {
		int ret;

		if (plan->daemons[i].role != DAEMON_ROUTING)
			continue;
		ret = world_watch_routes(p->t->world, plan->daemons[i].node,
					 route_changed, p, e);
		if (ret)
			return ret;
	}
	return 0;
}

/* Everything due at zero starts; zero is when it flows. */
static int set_zero(struct play *p, struct action *v, size_t n, struct err *e)
{
	struct timeline *t = p->t;
	int ret;

	for (size_t i = 0; i < n; i++)
		if (v[i].measure && v[i].at_ns <= 0) {
			ret = start_probe(p, v[i].measure, e);
			if (ret)
				return ret;
		}
	ret = loop_run_until(world_loop(t->world), all_flow, p,
			     mono_add(clock_now(), FLOW_PATIENCE_NS));
	if (ret == -EINTR)
		return ret;
	/* what never flowed says so in its own measurement */
	p->zero = clock_now();
	p->end = mono_add(p->zero, (int64_t)t->scenario->duration_ns);
	p->flowing = true;
	t->zero = p->zero;
	return 0;
}

static int act(struct play *p, const struct action *a, struct err *e)
{
	struct timeline *t = p->t;
	struct mono due = mono_add(p->zero, (int64_t)a->at_ns), now;
	double late;
	char text[200];

	if (a->measure && a->at_ns <= 0)
		return 0; /* started by set_zero */
	if (loop_run_until(world_loop(t->world), poll_awaits, p, due) == -EINTR)
		return -EINTR;
	now = clock_now();
	late = (double)mono_sub(now, due);
	if (a->measure) {
		if (late > t->late_max_ns)
			t->late_max_ns = late;
		return start_probe(p, a->measure, e);
	}
	if (a->event->until) {
		struct await **w =
			ARENA_APPEND(t->arena, p->awaits, p->n_awaits);

		return await_start(t, a->event, p->zero, w, e);
	}
	if (late > t->late_max_ns)
		t->late_max_ns = late;
	timeline_happened(t, p->zero, now, late, "event", "%s",
			  event_text(a->event, text, sizeof(text)));
	drills_begin(p->drills, a->event, now);
	drills_sample(p->drills);
	return event_run(t, a->event, e);
}

static void tick(void *arg, struct mono due)
{
	struct play *p = arg;

	p->ticker = NULL;
	if (p->t->tick && p->flowing)
		p->t->tick(p->t->arg, (double)mono_sub(clock_now(), p->zero),
			   p->t->scenario->duration_ns);
	if (p->flowing)
		drills_sample(p->drills);
	p->ticker = loop_add_timer(world_loop(p->t->world),
				   mono_add(due, 200 * NS_PER_MS), tick, p);
}

static int run_actions(struct play *p, struct action *v, size_t n,
		       struct err *e)
{
	struct timeline *t = p->t;
	int ret = set_zero(p, v, n, e);

	if (ret)
		return ret;
	p->wait_until = p->end;
	tick(p, clock_now());
	for (size_t i = 0; i < n; i++) {
		ret = act(p, &v[i], e);
		if (ret)
			return ret;
	}
	for (size_t i = 0; i < p->n_probes; i++)
		if (mono_before(p->wait_until,
				probe_deadline(p->probes[i].probe)))
			p->wait_until = probe_deadline(p->probes[i].probe);
	ret = loop_run_until(world_loop(t->world), all_over, p, p->wait_until);
	if (ret == -EINTR)
		return ret;
	return t->broken ? err_set(e, EIO, "%s", t->broken) : 0;
}

int timeline_play(struct timeline *t, struct err *e)
{
	struct play *p = ARENA_NEW(t->arena, struct play);
	struct action *v;
	size_t n;
	int ret;

	p->t = t;
	p->drills = drills_new(t);
	v = list_actions(t, &n);
	if (!n)
		return 0;
	if (t->stage)
		t->stage(t->arg, "timeline");
	engines_on_fault(t->engines, engine_failed, p);
	ret = watch_routers(p, e);
	if (!ret)
		ret = run_actions(p, v, n, e);
	loop_del(world_loop(t->world), p->ticker);
	p->flowing = false; /* ends the record of routes */
	engines_on_fault(t->engines, NULL, NULL);
	drills_stop(p->drills);
	t->over = true;
	events_forget(t);
	for (size_t i = 0; i < p->n_awaits; i++)
		if (p->awaits[i])
			await_finish(p->awaits[i]);
	for (size_t i = 0; i < p->n_probes; i++)
		collect_running(p, &p->probes[i]);
	drills_finish(p->drills, p->end);
	p->n_awaits = p->n_probes = 0;
	return ret;
}

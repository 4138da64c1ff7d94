/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * An await is an assertion with a deadline. A route is looked up when the
 * await begins and again whenever the kernel announces a change at that node,
 * so that the first success is timed to the announcement, not to a poll. An
 * echo is asked for again and again, one request at a time. The result is a
 * measurement of its own, `NAME.time` and `NAME.reached`, whatever happens.
 */
#include "timeline_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct await {
	struct timeline *t;
	const struct event_spec *ev;
	struct mono zero, begun, deadline, reached;
	bool ok;
	/* route */
	int node;
	struct addr dst;
	uint8_t len;
	/* ping */
	struct measure_spec ping;
	struct probe *probe;
};

static int parse_target(struct await *a, struct err *e)
{
	const struct topology *topo = a->t->scenario->topology;
	const char *to = a->ev->to;

	if (!strcmp(to, "pool6")) {
		a->dst.family = AF_INET6;
		a->dst.v6 = topo->pool6.addr;
		a->len = topo->pool6.len;
	} else if (!strcmp(to, "pool4")) {
		a->dst.family = AF_INET;
		a->dst.v4 = topo->pool4.addr;
		a->len = topo->pool4.len;
	} else if (!strcmp(to, "default6")) {
		a->dst.family = AF_INET6;
	} else if (!strcmp(to, "default4")) {
		a->dst.family = AF_INET;
	} else {
		return err_set(e, EINVAL, "%s:%u: cannot await a route to %s",
			       a->ev->pos.file, a->ev->pos.line, to);
	}
	return 0;
}

static void succeed(struct await *a, struct mono when)
{
	char text[200], took[32];

	a->ok = true;
	a->reached = mono_before(when, a->begun) ? a->begun : when;
	event_text(a->ev, text, sizeof(text));
	units_format((double)mono_sub(a->reached, a->begun), UNIT_TIME, took,
		     sizeof(took));
	timeline_happened(a->t, a->zero, a->reached, 0, "await", "%s after %s",
			  text, took);
}

static void look_at_route(struct await *a, struct mono when)
{
	struct err ignored;

	if (world_await_route(a->t->world, a->node, &a->dst, a->len, a->ev->via,
			      clock_now(), &ignored) == 0)
		succeed(a, when);
}

static int next_ping(struct await *a, struct err *e)
{
	return probe_start(a->t->world, &a->ping, a->deadline,
			   a->t->result->dir, a->t->arena, &a->probe, e);
}

int await_start(struct timeline *t, const struct event_spec *ev,
		struct mono zero, struct await **out, struct err *e)
{
	struct await *a = ARENA_NEW(t->arena, struct await);
	int ret = 0;

	*a = (struct await){.t = t,
			    .ev = ev,
			    .zero = zero,
			    .begun = clock_now(),
			    .deadline = mono_add(zero, (int64_t)ev->at_ns)};
	a->node = plan_find_node(world_plan(t->world), ev->node);
	*out = a;
	if (a->node < 0)
		return err_set(e, ENOENT, "%s:%u: there is no node %s",
			       ev->pos.file, ev->pos.line, ev->node);
	if (ev->kind == EVENT_AWAIT_ROUTE) {
		ret = parse_target(a, e);
		if (!ret)
			look_at_route(a, a->begun);
		return ret;
	}
	a->ping = (struct measure_spec){.pos = ev->pos,
					.name = ev->name,
					.kind = PROBE_PING,
					.from = ev->node,
					.to = ev->to,
					.count = 1,
					.size_bytes = 56,
					.interval_ns = 100 * NS_PER_MS};
	return next_ping(a, e);
}

void await_news(struct await *a, int node, struct mono when)
{
	if (!a->ok && a->ev->kind == EVENT_AWAIT_ROUTE && node == a->node)
		look_at_route(a, when);
}

/* One echo has come back or has been given up: judge it, ask again. */
static void judge_ping(struct await *a)
{
	struct measurement m;
	struct err ignored;

	probe_finish(a->probe, &m);
	a->probe = NULL;
	for (size_t i = 0; i < m.n_metrics; i++)
		if (!strcmp(m.metrics[i].def->name, "received") &&
		    !m.metrics[i].absent && m.metrics[i].num >= 1) {
			succeed(a, clock_now());
			return;
		}
	if (mono_before(clock_now(), a->deadline))
		(void)next_ping(a, &ignored);
}

bool await_done(struct await *a)
{
	if (a->probe && probe_done(a->probe))
		judge_ping(a);
	return a->ok || !mono_before(clock_now(), a->deadline);
}

void await_finish(struct await *a)
{
	struct result *r = a->t->result;
	struct measurement *m =
		ARENA_APPEND(a->t->arena, r->measurements, r->n_measurements);
	char took[32] = "never";

	if (a->probe) {
		struct measurement dropped;

		probe_finish(a->probe, &dropped);
		a->probe = NULL;
	}
	score_measurement_init(m, a->ev->name, "await", spec_await_metrics,
			       a->t->arena);
	m->phase = "timeline";
	score_set_num(m, "reached", a->ok);
	if (a->ok) {
		double ns = (double)mono_sub(a->reached, a->begun);

		score_set_num(m, "time", ns);
		units_format(ns, UNIT_TIME, took, sizeof(took));
	} else {
		m->why = "not reached before its deadline";
		a->t->missed_awaits = true;
	}
	m->summary = arena_printf(
		a->t->arena, "%s %s%s%s %s %s", a->ev->node,
		a->ev->kind == EVENT_AWAIT_PING ? "reaches " : "routes ",
		a->ev->to, a->ev->via ? " via" : "",
		a->ev->via ? a->ev->via : "",
		a->ok ? arena_printf(a->t->arena, "after %s", took) : took);
}

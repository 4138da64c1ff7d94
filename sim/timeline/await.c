/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * An await is an assertion with a deadline. A route is looked up when the
 * await begins and again whenever the kernel announces a change at that node,
 * so that the first success is timed to the announcement, not to a poll. An
 * echo is asked for every ASK_NS until the first one comes back, by a probe
 * that goes on until the deadline; one that ends before (its name has no
 * address yet, its node went down) is followed by another, not sooner than
 * AGAIN_NS after it began. The result is a measurement of its own, `NAME.time`
 * and `NAME.reached`, whatever happens.
 */
#include "timeline_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ASK_NS	 (100 * NS_PER_MS)
#define AGAIN_NS (200 * NS_PER_MS)

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
	struct mono asked;	   /* when that began */
	struct loop_source *again; /* another is to follow */
	const char *spoilt;	   /* the last one, by the testbed; or NULL */
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
	a->asked = clock_now();
	a->ping.count = mono_sub(a->deadline, a->asked) / ASK_NS + 1;
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
					.first = true,
					.size_bytes = 56,
					.interval_ns = ASK_NS};
	return next_ping(a, e);
}

void await_news(struct await *a, int node, struct mono when)
{
	if (!a->ok && a->ev->kind == EVENT_AWAIT_ROUTE && node == a->node)
		look_at_route(a, when);
}

static void ask_again(void *arg, struct mono due)
{
	struct await *a = arg;
	struct err e;

	(void)due;
	a->again = NULL;
	if (mono_before(clock_now(), a->deadline) && next_ping(a, &e))
		a->spoilt = arena_strdup(a->t->arena, e.text);
}

/* One echo has come back, or none was asked for: judge that, ask again. */
static void judge_ping(struct await *a)
{
	struct measurement m;

	probe_finish(a->probe, &m);
	a->probe = NULL;
	a->spoilt = m.invalid ? m.why : NULL;
	for (size_t i = 0; i < m.n_metrics; i++)
		if (!strcmp(m.metrics[i].def->name, "received") &&
		    !m.metrics[i].absent && m.metrics[i].num >= 1) {
			succeed(a, clock_now());
			return;
		}
	a->again = loop_add_timer(world_loop(a->t->world),
				  mono_add(a->asked, AGAIN_NS), ask_again, a);
}

bool await_done(struct await *a)
{
	if (a->probe && probe_done(a->probe))
		judge_ping(a);
	return a->ok || !mono_before(clock_now(), a->deadline);
}

static bool is_expected(const struct await *a)
{
	const struct scenario *s = a->t->scenario;

	for (size_t i = 0; i < s->n_expect; i++)
		if (!strcmp(s->expect[i].measure, a->ev->name))
			return true;
	return false;
}

/* What never came true and nobody judges must not be overlooked. */
static const char *in_words(const struct await *a)
{
	char took[32];

	if (!a->ok)
		return is_expected(a) ? "never"
				      : "never, but nothing expects it to";
	units_format((double)mono_sub(a->reached, a->begun), UNIT_TIME, took,
		     sizeof(took));
	return arena_printf(a->t->arena, "after %s", took);
}

void await_finish(struct await *a)
{
	struct result *r = a->t->result;
	struct measurement *m =
		ARENA_APPEND(a->t->arena, r->measurements, r->n_measurements);
	loop_del(world_loop(a->t->world), a->again);
	a->again = NULL;
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
		score_set_num(m, "time",
			      (double)mono_sub(a->reached, a->begun));
	} else {
		m->invalid = a->spoilt != NULL;
		m->why = a->spoilt ? a->spoilt
				   : "not reached before its deadline";
	}
	m->summary = arena_printf(a->t->arena, "%s %s %s%s%s %s", a->ev->node,
				  a->ev->kind == EVENT_AWAIT_PING ? "reaches"
								  : "routes",
				  a->ev->to, a->ev->via ? " via " : "",
				  a->ev->via ? a->ev->via : "", in_words(a));
}

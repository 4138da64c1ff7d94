/* SPDX-License-Identifier: MIT */
/*
 * The time line against a world that only writes down what is done to it.
 * World, engines and probes are replaced here, so that no root is needed and
 * every instant is known.
 */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../timeline/timeline_internal.h"

#define MS NS_PER_MS

/* ---- a world on paper ------------------------------------------------------
 */

struct world {
	struct loop *loop;
	struct plan *plan;
};

struct probe {
	const struct measure_spec *m;
	struct mono started, stop;
	bool finished;
	struct series seen;
};

static struct loop *loop;
static struct world paper_world;
static struct plan plan;
static struct arena *arena;
static char diary[1024]; /* what was done, in order */
static bool route_there;
static route_news_fn *news_fn;
static void *news_arg;
static int fail_event;	      /* errno of the next link event */
static struct mono flow_from; /* probes flow from then on */

static void note_diary(const char *fmt, ...)
{
	size_t len = strlen(diary);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(diary + len, sizeof(diary) - len, fmt, ap);
	va_end(ap);
}

const struct plan *world_plan(const struct world *w)
{
	return w->plan;
}

struct loop *world_loop(const struct world *w)
{
	return w->loop;
}

int world_link_set(struct world *w, int link, bool up, struct err *e)
{
	(void)w;
	if (fail_event)
		return err_set(e, fail_event, "link %d is stuck", link);
	note_diary("link %d %s; ", link, up ? "up" : "down");
	return 0;
}

int world_link_shape(struct world *w, int link, const struct link_profile *p,
		     struct err *e)
{
	(void)w;
	(void)e;
	note_diary("tbf %d %.0f; ", link, p->down.rate_bps);
	return 0;
}

int world_link_hole(struct world *w, int link, bool down, bool up,
		    struct err *e)
{
	(void)w;
	(void)e;
	note_diary("hole %d%s%s; ", link, down ? " down" : "", up ? " up" : "");
	return 0;
}

int world_offload_set(struct world *w, int node, const char *iface,
		      const struct offloads *o, struct err *e)
{
	(void)w;
	(void)e;
	note_diary("offload %d:%s gro %d; ", node, iface, (int)o->gro);
	return 0;
}

int world_freeze(struct world *w, int node, bool stop, struct err *e)
{
	(void)w;
	(void)e;
	note_diary("%s node %d; ", stop ? "freeze" : "thaw", node);
	return 0;
}

int world_iface_stats(struct world *w, int node, const char *iface,
		      struct iface_stats *out, struct err *e)
{
	static uint64_t sent;

	(void)w;
	(void)e;
	*out = (struct iface_stats){0};
	if (node == 0 && !strcmp(iface, "plat1"))
		out->tx_pkts = sent++;
	return 0;
}

static bool node_alive = true;

bool world_node_alive(const struct world *w, int node)
{
	(void)w;
	return node != 1 || node_alive;
}

int world_node_down(struct world *w, int node, struct err *e)
{
	(void)w;
	(void)e;
	note_diary("node %d down; ", node);
	node_alive = false;
	return 0;
}

int world_node_up(struct world *w, int node, struct err *e)
{
	(void)w;
	(void)e;
	note_diary("node %d up; ", node);
	node_alive = true;
	return 0;
}

int world_watch_routes(struct world *w, int node, route_news_fn *fn, void *arg,
		       struct err *e)
{
	(void)w;
	(void)node;
	(void)e;
	news_fn = fn;
	news_arg = arg;
	return 0;
}

int world_await_route(struct world *w, int node, const struct addr *dst,
		      uint8_t len, const char *dev, struct mono deadline,
		      struct err *e)
{
	(void)w;
	(void)node;
	(void)dst;
	(void)len;
	(void)dev;
	(void)deadline;
	return route_there ? 0 : err_set(e, ETIMEDOUT, "no route");
}

/* ---- engines on paper -------------------------------------------------------
 */

static int set_cost(struct engine *en, const char *iface, int family,
		    int64_t cost, struct err *e)
{
	(void)e;
	note_diary("cost%.0d %d:%s %lld; ", family, en->daemon->node, iface,
		   (long long)cost);
	return 0;
}

/* Answers at once, or never: then @silent is the other end. */
static bool hangs;
static int silent = -1;

static int inquire(struct engine *en, const char *question)
{
	static const char text[] = "{\"nat64\": {\"tcp\": {\"sessions\": 40},"
				   " \"udp\": {\"sessions\": 2}}}\n";
	int fd[2];

	ck_assert_int_eq(en->daemon->role, DAEMON_PLAT);
	ck_assert_str_eq(question, "stats");
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	if (hangs) {
		ck_assert_int_eq(silent, -1);
		silent = fd[1];
		return fd[0];
	}
	ck_assert_int_eq(write(fd[1], text, sizeof(text) - 1),
			 sizeof(text) - 1);
	close(fd[1]);
	return fd[0];
}

static int renew(struct engine *en, struct err *e)
{
	(void)e;
	note_diary("renew %d; ", en->daemon->node);
	return 0;
}

static const struct engine_ops paper_ops = {.name = "paper",
					    .set_cost = set_cost,
					    .inquire = inquire,
					    .renew = renew};
static struct plan_daemon daemons[] = {
	{.node = 0, .role = DAEMON_ROUTING},
	{.node = 1, .role = DAEMON_ROUTING},
	{.node = 1, .role = DAEMON_PLAT},
};
static struct engine paper_engines[3];

struct engine *engines_get(struct engines *es, int node, enum daemon_role role)
{
	(void)es;
	for (size_t i = 0; i < 3; i++)
		if (daemons[i].node == node && daemons[i].role == role)
			return &paper_engines[i];
	return NULL;
}

size_t engines_count(const struct engines *es)
{
	(void)es;
	return 3;
}

struct engine *engines_at(struct engines *es, size_t i)
{
	(void)es;
	return &paper_engines[i];
}

static void (*fault_fn)(void *arg, const struct engine *en);
static void *fault_arg;

void engines_on_fault(struct engines *es,
		      void (*fn)(void *arg, const struct engine *en), void *arg)
{
	(void)es;
	fault_fn = fn;
	fault_arg = arg;
}

int engine_kill(struct engine *en, struct err *e)
{
	(void)e;
	note_diary("kill %d; ", en->daemon->node);
	return 0;
}

int engine_end(struct engine *en, struct err *e)
{
	(void)e;
	note_diary("end %d; ", en->daemon->node);
	return 0;
}

int engine_freeze(struct engine *en, bool stop, struct err *e)
{
	(void)e;
	note_diary("%s %d; ", stop ? "stop" : "cont", en->daemon->node);
	return 0;
}

int engine_restart(struct engine *en, struct err *e)
{
	(void)e;
	note_diary("start %d; ", en->daemon->node);
	return 0;
}

int engines_restart_node(struct engines *es, int node, struct err *e)
{
	(void)es;
	(void)e;
	note_diary("engines of %d; ", node);
	return 0;
}

int engine_shape(struct engines *es, int link, const struct link_profile *p,
		 struct err *e)
{
	(void)es;
	(void)e;
	note_diary("relay %d %.0f; ", link, p->down.rate_bps);
	return 0;
}

/* ---- probes on paper: done when their time is over
 * --------------------------- */

static bool pings_fail; /* at once, without a reply */

int probe_start(struct world *w, const struct measure_spec *m,
		struct mono stop_at, const char *dir, struct arena *a,
		struct probe **out, struct err *e)
{
	struct probe *p = ARENA_NEW(a, struct probe);

	(void)w;
	(void)dir;
	(void)e;
	p->m = m;
	p->started = clock_now();
	p->stop = m->kind == PROBE_PING && pings_fail ? p->started
		  : m->for_ns > 0 ? mono_add(p->started, (int64_t)m->for_ns)
				  : stop_at;
	note_diary("%s begins; ", m->name);
	*out = p;
	return 0;
}

bool probe_flowing(const struct probe *p)
{
	(void)p;
	return !mono_before(clock_now(), flow_from);
}

bool probe_done(const struct probe *p)
{
	return !mono_before(clock_now(), p->stop);
}

bool probe_counted(const struct probe *p)
{
	return probe_done(p);
}

/* ---- diagnoses -------------------------------------------------------------
 */

struct diagnosis_run {
	const struct measure_spec *m;
	bool ended;
};

struct diagnosis_run *diagnosis_begin(struct timeline *t,
				      const struct measure_spec *m)
{
	struct diagnosis_run *d = ARENA_NEW(t->arena, struct diagnosis_run);

	d->m = m;
	note_diary("%s is watched; ", m->name);
	return d;
}

void diagnosis_end(struct diagnosis_run *d)
{
	if (!d->ended)
		note_diary("%s is watched no more; ", d->m->name);
	d->ended = true;
}

void diagnosis_finish(struct diagnosis_run *d, struct measurement *m)
{
	diagnosis_end(d);
	note_diary("%s is diagnosed; ", m->name);
}

struct mono probe_deadline(const struct probe *p)
{
	return mono_add(p->stop, 500 * MS);
}

void probe_finish(struct probe *p, struct measurement *m)
{
	ck_assert(!p->finished);
	p->finished = true;
	score_measurement_init(m, p->m->name, "ping", spec_metrics(PROBE_PING),
			       arena);
	note_diary("%s ends; ", p->m->name);
	p->seen = (struct series){.name = "seen", .x_label = "s"};
	p->seen.x = arena_alloc(arena, 3 * sizeof(double));
	p->seen.y = arena_alloc(arena, 3 * sizeof(double));
	for (p->seen.n = 0; p->seen.n < 3; p->seen.n++) {
		p->seen.x[p->seen.n] = (double)p->seen.n;
		p->seen.y[p->seen.n] = (double)p->seen.n;
	}
	m->series = &p->seen;
	m->n_series = 1;
}

struct mono probe_started(const struct probe *p)
{
	return p->started;
}

/* ---- tests ------------------------------------------------------------------
 */

static struct topology topology;
static struct scenario scenario;
static struct result result;
static struct timeline tl;

static void wake(void *arg, struct mono due)
{
	(void)arg;
	(void)due;
}

static void setup(void)
{
	static struct plan_node nodes[2] = {
		{.name = "access", .role = NODE_ACCESS},
		{.name = "plat1", .role = NODE_PLAT}};
	static struct plan_link links[1] = {
		{.name = "access-plat1",
		 .a = {.node = 0, .name = "plat1"},
		 .b = {.node = 1, .name = "access"}},
	};

	arena = arena_new();
	loop = loop_new();
	plan = (struct plan){.nodes = nodes,
			     .n_nodes = 2,
			     .links = links,
			     .n_links = 1,
			     .daemons = daemons,
			     .n_daemons = 3};
	links[0].relayed = false;
	paper_world = (struct world){loop, &plan};
	for (size_t i = 0; i < 3; i++)
		paper_engines[i] = (struct engine){.ops = &paper_ops,
						   .daemon = &daemons[i]};
	topology = (struct topology){0};
	ck_assert(!prefix6_parse("64:ff9b::/96", &topology.pool6));
	ck_assert(!prefix4_parse("192.0.2.0/28", &topology.pool4));
	scenario = (struct scenario){.topology = &topology,
				     .duration_ns = 150.0 * MS};
	result = (struct result){.dir = "/nowhere"};
	tl = (struct timeline){.world = &paper_world,
			       .scenario = &scenario,
			       .result = &result,
			       .arena = arena};
	diary[0] = '\0';
	route_there = false;
	fail_event = 0;
	flow_from = clock_now();
	/* paper probes announce nothing: keep the loop turning */
	for (int i = 1; i <= 60; i++)
		loop_add_timer(loop, mono_add(clock_now(), i * 10 * MS), wake,
			       NULL);
}

static void teardown(void)
{
	loop_free(loop);
	arena_free(arena);
}

int engine_advertise(struct engine *en, const struct prefix6 *p, struct err *e)
{
	(void)en;
	(void)p;
	(void)e;
	return -ENOTSUP;
}

int plan_find_node(const struct plan *p, const char *name)
{
	for (size_t i = 0; i < p->n_nodes; i++)
		if (!strcmp(p->nodes[i].name, name))
			return (int)i;
	return -1;
}

int plan_find_link(const struct plan *p, const char *a, const char *b)
{
	(void)p;
	return !strcmp(a, "access") && !strcmp(b, "plat1") ? 0 : -1;
}

const char *plan_role_word(enum daemon_role role)
{
	return role == DAEMON_PLAT	? "plat"
	       : role == DAEMON_ROUTING ? "routing"
					: "another";
}

START_TEST(actions_in_order_of_time)
{
	static struct measure_spec ms[] = {
		{.name = "late", .at_ns = 40.0 * MS, .for_ns = 20.0 * MS},
		{.name = "whole"},
	};
	static struct event_spec ev[] = {
		{.kind = EVENT_LINK_DOWN,
		 .at_ns = 20.0 * MS,
		 .link_a = "access",
		 .link_b = "plat1"},
		{.kind = EVENT_ENGINE_KILL,
		 .at_ns = 60.0 * MS,
		 .node = "plat1"},
		{.kind = EVENT_SET_COST,
		 .at_ns = 80.0 * MS,
		 .node = "plat1",
		 .cost = 7},
	};
	struct err e;

	scenario.measure = ms;
	scenario.n_measure = 2;
	scenario.events = ev;
	scenario.n_events = 3;
	ck_assert_int_eq(timeline_play(&tl, &e), 0);
	ck_assert_str_eq(diary, "whole begins; link 0 down; late begins; "
				"kill 1; cost 0:plat1 7; cost 1:access 7; "
				"whole ends; late ends; ");
	ck_assert_uint_eq(result.n_happenings, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct happening *h = &result.happenings[i];

		ck_assert(h->at_ns >= ev[i].at_ns);
		ck_assert_double_eq_tol(h->at_ns - h->late_ns, ev[i].at_ns,
					1.0 * MS);
		ck_assert(h->late_ns <= tl.late_max_ns);
	}
	ck_assert_uint_eq(result.n_measurements, 2);
	ck_assert_str_eq(result.measurements[0].phase, "timeline");
	/* what came 0, 1 and 2 s after each began, on one axis of time */
	ck_assert_uint_eq(result.measurements[0].series->n, 2);
	ck_assert_double_lt(result.measurements[0].series->x[0], 1);
	ck_assert_double_eq(result.measurements[0].series->y[0], 1);
	ck_assert_uint_eq(result.measurements[1].series->n, 3);
	ck_assert_double_ge(result.measurements[1].series->x[0], 0.04);
	ck_assert_double_lt(result.measurements[1].series->x[0], 5);
}
END_TEST

/* Counted from before the transfer to its end, not to that of the time line. */
START_TEST(a_diagnosis_counts_its_own_transfer)
{
	static struct measure_spec ms[] = {{.name = "why",
					    .kind = PROBE_DIAGNOSIS,
					    .at_ns = 10.0 * MS,
					    .for_ns = 20.0 * MS}};
	static struct event_spec ev[] = {{.kind = EVENT_LINK_DOWN,
					  .at_ns = 60.0 * MS,
					  .link_a = "access",
					  .link_b = "plat1"}};
	struct err e;

	scenario.measure = ms;
	scenario.n_measure = 1;
	scenario.events = ev;
	scenario.n_events = 1;
	ck_assert_int_eq(timeline_play(&tl, &e), 0);
	ck_assert_str_eq(diary, "why is watched; why begins; why is watched no "
				"more; link 0 down; why ends; "
				"why is diagnosed; ");
}
END_TEST

/* What each word does to the world, and that its counterpart undoes it. */
START_TEST(every_word_does_what_it_says)
{
	static const struct {
		struct event_spec ev;
		const char *want, *text;
	} v[] = {
		{{.kind = EVENT_BLACK_HOLE,
		  .link_a = "access",
		  .link_b = "plat1",
		  .hole_down = true,
		  .hole_up = true},
		 "hole 0 down up; ",
		 "black-hole access-plat1"},
		{{.kind = EVENT_BLACK_HOLE,
		  .link_a = "access",
		  .link_b = "plat1",
		  .hole_up = true},
		 "hole 0 up; ",
		 "black-hole access-plat1, up only"},
		{{.kind = EVENT_BLACK_HOLE_END,
		  .link_a = "access",
		  .link_b = "plat1"},
		 "hole 0; ",
		 "black-hole-end access-plat1"},
		{{.kind = EVENT_NODE_FREEZE, .node = "plat1"},
		 "freeze node 1; ",
		 "node-freeze plat1"},
		{{.kind = EVENT_NODE_THAW, .node = "plat1"},
		 "thaw node 1; ",
		 "node-thaw plat1"},
		{{.kind = EVENT_ENGINE_END, .node = "plat1"},
		 "end 1; ",
		 "engine-end plat1"},
		{{.kind = EVENT_RENEW, .node = "access"},
		 "renew 0; ",
		 "graceful-restart access"},
		{{.kind = EVENT_OFFLOAD,
		  .node = "plat1",
		  .iface = "vm",
		  .offloads = {.gro = OFFLOAD_OFF, .tso = OFFLOAD_ON}},
		 "offload 1:vm gro 2; ",
		 "offload plat1:vm tso on gro off"},
		{{.kind = EVENT_ENGINE_STOP,
		  .node = "access",
		  .role = "routing"},
		 "stop 0; ",
		 "engine-stop access routing"},
		{{.kind = EVENT_ENGINE_CONT,
		  .node = "access",
		  .role = "routing"},
		 "cont 0; ",
		 "engine-cont access routing"},
		{{.kind = EVENT_NODE_DOWN, .node = "plat1"},
		 "node 1 down; ",
		 "node-down plat1"},
		{{.kind = EVENT_NODE_UP, .node = "plat1"},
		 "node 1 up; engines of 1; ",
		 "node-up plat1"},
		{{.kind = EVENT_SET_COST,
		  .node = "plat1",
		  .cost = 7,
		  .family = 6},
		 "cost6 0:plat1 7; cost6 1:access 7; ",
		 "set-cost plat1 to 7 (IPv6)"},
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		struct event_spec ev = v[i].ev;
		struct err e = {""};

		diary[0] = '\0';
		ev.at_ns = 1.0 * MS;
		scenario.events = &ev;
		scenario.n_events = 1;
		scenario.duration_ns = 2.0 * MS;
		ck_assert_msg(!timeline_play(&tl, &e), "%s", e.text);
		ck_assert_str_eq(diary, v[i].want);
		ck_assert_str_eq(
			result.happenings[result.n_happenings - 1].text,
			v[i].text);
	}
}
END_TEST

static const struct metric *drill_metric(const char *name)
{
	const struct measurement *m = &result.measurements[0];

	ck_assert_uint_eq(result.n_measurements, 1);
	ck_assert_str_eq(m->name, "failure");
	ck_assert_str_eq(m->kind, "drill");
	for (size_t i = 0; i < m->n_metrics; i++)
		if (!strcmp(m->metrics[i].def->name, name))
			return &m->metrics[i];
	ck_abort_msg("no metric %s", name);
}

static void play_drill(void)
{
	static struct event_spec ev[] = {
		{.kind = EVENT_LINK_DOWN,
		 .name = "failure",
		 .at_ns = 250.0 * MS,
		 .link_a = "access",
		 .link_b = "plat1"},
	};
	struct err e;

	scenario.events = ev;
	scenario.n_events = 1;
	scenario.duration_ns = 300.0 * MS;
	ck_assert_int_eq(timeline_play(&tl, &e), 0);
}

START_TEST(a_drill_knows_the_sessions)
{
	const struct measurement *m;

	play_drill();
	ck_assert_double_eq(drill_metric("sessions")->num, 42);
	/* there is no other PLAT */
	ck_assert(drill_metric("replicated")->absent);
	ck_assert(drill_metric("unreplicated")->absent);
	ck_assert(drill_metric("stale")->absent);
	ck_assert_str_eq(drill_metric("up-via")->text, "plat1");
	m = &result.measurements[0];
	ck_assert_uint_eq(m->n_series, 3);
	ck_assert_str_eq(m->series[0].name, "at plat1");
	ck_assert_uint_ge(m->series[0].n, 2);
	ck_assert_double_eq(m->series[0].y[0], 42);
	ck_assert_str_eq(m->series[1].name, "up to plat1");
	ck_assert_uint_ge(m->series[1].n, 1);
}
END_TEST

/* Nobody waits for it, it is not asked again, and nothing stays open. */
START_TEST(an_engine_that_hangs_tells_nothing)
{
	char c;

	hangs = true;
	play_drill();
	ck_assert_int_ge(silent, 0);
	ck_assert_int_eq(read(silent, &c, 1), 0);
	close(silent);
	silent = -1;
	hangs = false;
	ck_assert(drill_metric("sessions")->absent);
	ck_assert_uint_eq(result.measurements[0].n_series, 2);
	ck_assert_double_eq_tol(tl.late_max_ns, 0, 150.0 * MS);
}
END_TEST

START_TEST(a_flap_is_downs_and_ups)
{
	static struct event_spec ev[] = {
		{.kind = EVENT_FLAP,
		 .at_ns = 20.0 * MS,
		 .link_a = "access",
		 .link_b = "plat1",
		 .times = 2,
		 .period_ns = 40.0 * MS},
		{.kind = EVENT_ENGINE_KILL,
		 .at_ns = 50.0 * MS,
		 .node = "plat1"},
	};
	static const double at[] = {20, 40, 50, 60, 80};
	struct err e;

	scenario.events = ev;
	scenario.n_events = 2;
	ck_assert_int_eq(timeline_play(&tl, &e), 0);
	ck_assert_str_eq(diary, "link 0 down; link 0 up; kill 1; link 0 down; "
				"link 0 up; ");
	ck_assert_uint_eq(result.n_happenings, 5);
	for (size_t i = 0; i < 5; i++)
		ck_assert_double_eq_tol(result.happenings[i].at_ns -
						result.happenings[i].late_ns,
					at[i] * MS, 1.0 * MS);
}
END_TEST

/* Twice: the second time it runs on another machine. */
START_TEST(the_cluster_restarts_elsewhere)
{
	static struct host_spec hosts[] = {
		{.name = "pve1",
		 .restart_after_ns = 30.0 * MS,
		 .restart_on = "pve3"},
		{.name = "pve3", .restart_after_ns = 3600.0 * NS_PER_S},
	};
	static struct plat_spec plat = {.name = "plat1", .host = "pve1"};
	static struct event_spec ev[] = {
		{.kind = EVENT_HOST_DOWN, .at_ns = 20.0 * MS, .host = "pve1"},
		{.kind = EVENT_HOST_DOWN, .at_ns = 80.0 * MS, .host = "pve3"},
	};
	struct err e = {""};

	topology.hosts = hosts;
	topology.n_hosts = 2;
	plan.nodes[1].plat = &plat;
	node_alive = true;
	scenario.events = ev;
	scenario.n_events = 2;
	ck_assert_msg(!timeline_play(&tl, &e), "%s", e.text);
	ck_assert_str_eq(diary, "node 1 down; node 1 up; engines of 1; "
				"node 1 down; ");
	ck_assert_str_eq(result.happenings[1].text,
			 "the cluster starts plat1 on pve3");
	ck_assert_double_ge(result.happenings[1].at_ns, 50.0 * MS);
	/* nothing is left there */
	scenario.n_events = 1;
	tl.over = false;
	ck_assert_int_eq(timeline_play(&tl, &e), -ENOENT);
	plan.nodes[1].plat = NULL;
}
END_TEST

START_TEST(zero_is_when_traffic_flows)
{
	static struct measure_spec ms[] = {{.name = "whole"}};
	static struct event_spec ev[] = {
		{.kind = EVENT_ENGINE_STOP,
		 .at_ns = 10.0 * MS,
		 .node = "plat1"},
	};
	struct mono before = clock_now();
	struct err e;

	flow_from = mono_add(before, 40 * MS);
	scenario.measure = ms;
	scenario.n_measure = 1;
	scenario.events = ev;
	scenario.n_events = 1;
	scenario.duration_ns = 100.0 * MS;
	ck_assert_int_eq(timeline_play(&tl, &e), 0);
	ck_assert(mono_sub(clock_now(), before) >= 140 * MS);
	ck_assert_double_eq_tol(result.happenings[0].at_ns, 10.0 * MS,
				9.0 * MS);
}
END_TEST

static void announce(void *arg, struct mono due)
{
	struct route_news n = {
		.when = due,
		.node = 0,
		.added = true,
		.dst = {.family = AF_INET6, .v6 = topology.pool6.addr},
		.len = 96,
		.dev = "plat2"};

	(void)arg;
	route_there = true;
	news_fn(news_arg, &n);
}

START_TEST(await_is_timed_to_the_news)
{
	static struct event_spec ev[] = {
		{.kind = EVENT_ENGINE_KILL,
		 .at_ns = 20.0 * MS,
		 .node = "plat1"},
		{.kind = EVENT_AWAIT_ROUTE,
		 .until = true,
		 .at_ns = 140.0 * MS,
		 .name = "moved",
		 .node = "access",
		 .to = "pool6",
		 .via = "plat2"},
	};
	struct measurement *m;
	struct mono now = clock_now();
	struct err e;

	scenario.events = ev;
	scenario.n_events = 2;
	loop_add_timer(loop, mono_add(now, 75 * MS), announce, NULL);
	ck_assert_int_eq(timeline_play(&tl, &e), 0);
	m = score_find(&result, "moved");
	ck_assert_ptr_nonnull(m);
	ck_assert_str_eq(m->kind, "await");
	for (size_t i = 0; i < m->n_metrics; i++) {
		if (!strcmp(m->metrics[i].def->name, "reached"))
			ck_assert(m->metrics[i].num == 1);
		else if (!strcmp(m->metrics[i].def->name, "time"))
			ck_assert_double_eq_tol(m->metrics[i].num, 55.0 * MS,
						15.0 * MS);
	}
}
END_TEST

static void die(void *arg, struct mono due)
{
	(void)due;
	strcpy(paper_engines[2].fault, "ended: killed by signal 11");
	fault_fn(fault_arg, arg);
}

/* What ends by itself stands on the time line where it happened. */
START_TEST(a_death_is_a_happening)
{
	static struct event_spec ev[] = {{.kind = EVENT_LINK_DOWN,
					  .at_ns = 20.0 * MS,
					  .link_a = "access",
					  .link_b = "plat1"}};
	const struct happening *h;
	struct err e;

	scenario.events = ev;
	scenario.n_events = 1;
	scenario.duration_ns = 60.0 * MS;
	loop_add_timer(loop, mono_add(clock_now(), 40 * MS), die,
		       &paper_engines[2]);
	ck_assert_int_eq(timeline_play(&tl, &e), 0);
	ck_assert_uint_eq(result.n_happenings, 2);
	h = &result.happenings[1];
	ck_assert_str_eq(h->kind, "engine");
	ck_assert_str_eq(h->text, "paper (plat) at plat1 ended: killed by "
				  "signal 11");
	ck_assert_double_ge(h->at_ns, 30.0 * MS);
	ck_assert(!fault_fn);
}
END_TEST

/* What cannot even ask is tried again, but not at every turn of the loop. */
START_TEST(await_asks_again_in_time)
{
	static struct event_spec ev[] = {{.kind = EVENT_AWAIT_PING,
					  .until = true,
					  .at_ns = 900.0 * MS,
					  .name = "back",
					  .node = "access",
					  .to = "nobody"}};
	struct err e;
	int asked = 0;

	pings_fail = true;
	scenario.events = ev;
	scenario.n_events = 1;
	scenario.duration_ns = 900.0 * MS;
	ck_assert_int_eq(timeline_play(&tl, &e), 0);
	pings_fail = false;
	for (const char *c = diary; (c = strstr(c, "back begins")); c++)
		asked++;
	ck_assert_int_ge(asked, 2);
	ck_assert_int_le(asked, 5);
	ck_assert_ptr_nonnull(score_find(&result, "back")->why);
	ck_assert(!score_find(&result, "back")->invalid);
}
END_TEST

START_TEST(await_missed_is_absent)
{
	static struct event_spec ev[] = {
		{.kind = EVENT_AWAIT_ROUTE,
		 .until = true,
		 .at_ns = 50.0 * MS,
		 .name = "moved",
		 .node = "access",
		 .to = "pool6",
		 .via = "plat2"},
	};
	struct measurement *m;
	struct err e;

	scenario.events = ev;
	scenario.n_events = 1;
	ck_assert_int_eq(timeline_play(&tl, &e), 0);
	m = score_find(&result, "moved");
	ck_assert_ptr_nonnull(m->why);
	for (size_t i = 0; i < m->n_metrics; i++) {
		if (!strcmp(m->metrics[i].def->name, "reached"))
			ck_assert(!m->metrics[i].absent &&
				  m->metrics[i].num == 0);
		else
			ck_assert(m->metrics[i].absent);
	}
	ck_assert_str_eq(m->summary, "access routes pool6 via plat2 never, but "
				     "nothing expects it to");
}
END_TEST

START_TEST(await_missed_is_judged)
{
	static struct event_spec ev[] = {{.kind = EVENT_AWAIT_ROUTE,
					  .until = true,
					  .at_ns = 20.0 * MS,
					  .name = "moved",
					  .node = "access",
					  .to = "pool6"}};
	static struct expect_spec expect[] = {
		{.measure = "moved", .metric = "reached"}};
	struct err e;

	scenario.events = ev;
	scenario.n_events = 1;
	scenario.expect = expect;
	scenario.n_expect = 1;
	scenario.duration_ns = 30.0 * MS;
	ck_assert_int_eq(timeline_play(&tl, &e), 0);
	ck_assert_str_eq(score_find(&result, "moved")->summary,
			 "access routes pool6 never");
}
END_TEST

START_TEST(event_that_fails_ends_the_play)
{
	static struct measure_spec ms[] = {{.name = "whole"}};
	static struct event_spec ev[] = {
		{.pos = {.file = "drill.yaml", .line = 7},
		 .kind = EVENT_LINK_UP,
		 .at_ns = 10.0 * MS,
		 .link_a = "access",
		 .link_b = "plat1"},
	};
	struct err e;

	scenario.measure = ms;
	scenario.n_measure = 1;
	scenario.events = ev;
	scenario.n_events = 1;
	fail_event = EBUSY;
	ck_assert_int_eq(timeline_play(&tl, &e), -EBUSY);
	ck_assert_str_eq(e.text, "drill.yaml:7: link 0 is stuck");
	ck_assert_str_eq(diary, "whole begins; whole ends; ");
}
END_TEST

static void stop_loop(void *arg, struct mono due)
{
	(void)arg;
	(void)due;
	loop_stop(loop);
}

START_TEST(interrupt_ends_everything)
{
	static struct measure_spec ms[] = {{.name = "whole"}};
	static struct event_spec ev[] = {
		{.kind = EVENT_ENGINE_KILL,
		 .at_ns = 100.0 * MS,
		 .node = "plat1"},
	};
	struct err e;

	scenario.measure = ms;
	scenario.n_measure = 1;
	scenario.events = ev;
	scenario.n_events = 1;
	loop_add_timer(loop, mono_add(clock_now(), 30 * MS), stop_loop, NULL);
	ck_assert_int_eq(timeline_play(&tl, &e), -EINTR);
	ck_assert_str_eq(diary, "whole begins; whole ends; ");
	ck_assert_int_eq(timeline_measure(&tl, ms, 1, "after", &e), -EINTR);
}
END_TEST

START_TEST(each_event_does_its_own)
{
	static const struct {
		struct event_spec ev;
		const char *diary;
	} cases[] = {
		{{.kind = EVENT_LINK_UP, .link_a = "access", .link_b = "plat1"},
		 "link 0 up; "},
		{{.kind = EVENT_ENGINE_START, .node = "plat1"}, "start 1; "},
		{{.kind = EVENT_ENGINE_STOP, .node = "plat1"}, "stop 1; "},
		{{.kind = EVENT_ENGINE_CONT, .node = "plat1"}, "cont 1; "},
		{{.kind = EVENT_ENGINE_KILL,
		  .node = "access",
		  .role = "routing"},
		 "kill 0; "},
		{{.kind = EVENT_NODE_DOWN, .node = "plat1"}, "node 1 down; "},
		{{.kind = EVENT_NODE_UP, .node = "plat1"},
		 "node 1 up; engines of 1; "},
		{{.kind = EVENT_SHAPE,
		  .link_a = "access",
		  .link_b = "plat1",
		  .shape = {.down = {.rate_bps = 1e6}}},
		 "tbf 0 1000000; "},
	};
	struct err e;

	scenario.events = (struct event_spec *)(uintptr_t)&cases[_i].ev;
	scenario.n_events = 1;
	scenario.duration_ns = 10.0 * MS;
	ck_assert_int_eq(timeline_play(&tl, &e), 0);
	ck_assert_str_eq(diary, cases[_i].diary);
	if (cases[_i].ev.kind == EVENT_NODE_DOWN) {
		ck_assert(paper_engines[2].expected_down);
		ck_assert(!paper_engines[0].expected_down);
	}
}
END_TEST

START_TEST(relayed_link_is_shaped_by_the_relay)
{
	static struct event_spec ev[] = {
		{.kind = EVENT_SHAPE,
		 .link_a = "access",
		 .link_b = "plat1",
		 .shape = {.down = {.rate_bps = 2e6}}},
	};
	struct err e;

	plan.links[0].relayed = true;
	scenario.events = ev;
	scenario.n_events = 1;
	scenario.duration_ns = 10.0 * MS;
	ck_assert_int_eq(timeline_play(&tl, &e), 0);
	ck_assert_str_eq(diary, "relay 0 2000000; ");
}
END_TEST

START_TEST(measures_one_after_the_other)
{
	static struct measure_spec ms[] = {
		{.name = "one", .for_ns = 20.0 * MS},
		{.name = "two", .for_ns = 20.0 * MS},
	};
	struct err e;

	ck_assert_int_eq(timeline_measure(&tl, ms, 2, "before", &e), 0);
	ck_assert_str_eq(diary, "one begins; one ends; two begins; two ends; ");
	ck_assert_str_eq(result.measurements[1].phase, "before");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("timeline");
	TCase *t = tcase_create("timeline");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, actions_in_order_of_time);
	tcase_add_test(t, a_diagnosis_counts_its_own_transfer);
	tcase_add_test(t, every_word_does_what_it_says);
	tcase_add_test(t, a_drill_knows_the_sessions);
	tcase_add_test(t, an_engine_that_hangs_tells_nothing);
	tcase_add_test(t, a_flap_is_downs_and_ups);
	tcase_add_test(t, the_cluster_restarts_elsewhere);
	tcase_add_test(t, zero_is_when_traffic_flows);
	tcase_add_test(t, await_is_timed_to_the_news);
	tcase_add_test(t, a_death_is_a_happening);
	tcase_add_test(t, await_asks_again_in_time);
	tcase_add_test(t, await_missed_is_absent);
	tcase_add_test(t, await_missed_is_judged);
	tcase_add_test(t, event_that_fails_ends_the_play);
	tcase_add_test(t, interrupt_ends_everything);
	tcase_add_loop_test(t, each_event_does_its_own, 0, 8);
	tcase_add_test(t, relayed_link_is_shaped_by_the_relay);
	tcase_add_test(t, measures_one_after_the_other);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}

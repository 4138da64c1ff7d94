/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A session goes through stages; each stage that succeeded is taken back by
 * its counterpart in reverse order in take_down(), whatever happened in
 * between: captures stopped, engines stopped, world torn down. Only then is
 * the result judged and written, so that it includes how the end went.
 *
 * Three things end a session early: an error (the result says which), a
 * signal (the loop is stopped and every wait returns -EINTR), and death by
 * SIGKILL, where the nodes' supervisors see our end of their pipe close.
 */
#include "session.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../xlat/base/file.h"
#include "../engine/engine.h"
#include "../plan/plan.h"
#include "../probe/probe.h"
#include "../timeline/timeline.h"
#include "../world/world.h"
#include "host.h"
#include "resdir.h"
#include "testbed.h"

#define READY_PATIENCE_NS (60 * NS_PER_S)

struct session {
	const struct scenario *s;
	const struct session_opts *o;
	struct arena *a;
	struct result *r;
	struct world *world;
	struct engines *engines;
	struct capture **captures;
	size_t n_captures;
	struct timeline timeline;
	struct testbed testbed;
	struct run_end end;
	char run_id[8];
};

/* ---- progress --------------------------------------------------------------
 */

static void on_world_step(void *arg, size_t step, size_t n, const char *text)
{
	struct session *ss = arg;

	progress_tick(ss->o->progress, (double)step, (double)n, text);
}

static void on_engine_step(void *arg, const char *text)
{
	struct session *ss = arg;

	progress_tick(ss->o->progress, 0, 0, text);
}

static void on_note(void *arg, const char *text)
{
	struct session *ss = arg;

	progress_note(ss->o->progress, "%s", text ? text : "");
}

static void on_stage(void *arg, const char *text)
{
	struct session *ss = arg;

	progress_stage(ss->o->progress, "%s", text);
}

static void on_tick(void *arg, double done_ns, double total_ns)
{
	struct session *ss = arg;

	progress_tick(ss->o->progress, done_ns, total_ns, NULL);
}

static int write_plan(struct session *ss, const struct plan *p, struct err *e)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (f)
		plan_print(p, f);
	return file_write_stream(arena_printf(ss->a, "%s/plan.txt", ss->r->dir),
				 f, &text, &len, e);
}

/* ---- stages ----------------------------------------------------------------
 */

static int build(struct session *ss, struct err *e)
{
	struct world_opts wo = {.run_id = ss->run_id,
				.dir = ss->r->dir,
				.seed = ss->o->seed,
				.loop = ss->o->loop,
				.on_step = on_world_step,
				.arg = ss};
	struct mono start;
	struct plan *p = plan_new(ss->s->topology, ss->a, e);
	int ret;

	if (!p)
		return -EINVAL;
	ret = write_plan(ss, p, e);
	if (ret)
		return ret;
	progress_stage(ss->o->progress, "building %zu nodes and %zu links",
		       p->n_nodes, p->n_links);
	start = clock_now();
	ret = world_build(p, &wo, &ss->world, e);
	if (ret)
		return ret;
	ss->r->build_ns = (double)mono_sub(clock_now(), start);

	progress_stage(ss->o->progress, "starting engines");
	start = clock_now();
	ret = engines_start(ss->world, on_engine_step, ss,
			    mono_add(start, READY_PATIENCE_NS), &ss->engines,
			    e);
	ss->r->ready_ns = (double)mono_sub(clock_now(), start);
	return ret;
}

static int start_captures(struct session *ss, struct err *e)
{
	for (size_t i = 0; i < ss->s->n_captures; i++) {
		struct capture *c;
		int ret = capture_start(ss->world, &ss->s->captures[i],
					ss->r->dir, ss->a, &c, e);

		if (ret)
			return ret;
		*ARENA_APPEND(ss->a, ss->captures, ss->n_captures) = c;
	}
	return 0;
}

static int play(struct session *ss, struct err *e)
{
	const struct scenario *s = ss->s;
	struct timeline *t = &ss->timeline;
	int ret;

	*t = (struct timeline){.world = ss->world,
			       .engines = ss->engines,
			       .scenario = s,
			       .result = ss->r,
			       .arena = ss->a,
			       .note = on_note,
			       .stage = on_stage,
			       .tick = on_tick,
			       .arg = ss};
	testbed_begin(&ss->testbed, ss->engines, ss->o->loop);
	ret = timeline_measure(t, s->before, s->n_before, "before", e);
	if (!ret)
		ret = timeline_play(t, e);
	if (!ret)
		ret = timeline_measure(t, s->after, s->n_after, "after", e);
	testbed_end(&ss->testbed, ss->engines, t->late_max_ns);
	return ret;
}

static void record_engines(struct session *ss)
{
	for (size_t i = 0; i < engines_count(ss->engines); i++) {
		struct engine *en = engines_at(ss->engines, i);
		struct engine_fact *f =
			ARENA_APPEND(ss->a, ss->r->engines, ss->r->n_engines);
		char version[128];
		struct err why;
		json_t *counters = NULL;

		f->node = world_plan(ss->world)->nodes[en->daemon->node].name;
		f->role = plan_role_word(en->daemon->role);
		f->name = en->ops->name;
		f->version = en->ops->available(version, sizeof(version), &why)
				     ? "unknown"
				     : arena_strdup(ss->a, version);
		if (en->ops->counters && en->n_procs &&
		    proc_running(en->procs[0]))
			counters = en->ops->counters(en);
		if (counters && en->ops->keep_tables)
			en->ops->keep_tables(en);
		if (counters) {
			char *text = json_dumps(counters, JSON_COMPACT);

			f->counters_json =
				text ? arena_strdup(ss->a, text) : NULL;
			free(text);
			json_decref(counters);
		}
	}
}

static void record_links(struct session *ss)
{
	const struct plan *p = world_plan(ss->world);

	for (size_t i = 0; i < p->n_links; i++) {
		const struct plan_link *l = &p->links[i];
		struct link_fact *f =
			ARENA_APPEND(ss->a, ss->r->links, ss->r->n_links);
		struct err e;

		*f = (struct link_fact){
			.name = l->name,
			.relayed = l->relayed,
			.mtu = l->profile.mtu,
		};
		f->known = !world_offload_get(ss->world, l->a.node, l->a.name,
					      &f->a, &e) &&
			   !world_offload_get(ss->world, l->b.node, l->b.name,
					      &f->b, &e);
	}
}

/* The first that ended by itself: others may have ended because of it. */
static void record_faults(struct session *ss)
{
	const struct engine *first = NULL;

	for (size_t i = 0; i < engines_count(ss->engines); i++) {
		struct engine *en = engines_at(ss->engines, i);
		const char *text;

		if (!en->first_fault[0])
			continue;
		text = arena_printf(
			ss->a, "%s (%s) at %s %s", en->ops->name,
			plan_role_word(en->daemon->role),
			world_plan(ss->world)->nodes[en->daemon->node].name,
			en->first_fault);
		progress_note(ss->o->progress, "%s", text);
		if (en->daemon->role == DAEMON_RELAY) {
			ss->end.relay_fault = text;
		} else if (!first || mono_before(en->first_fault_at,
						 first->first_fault_at)) {
			ss->end.engine_fault = text;
			first = en;
		}
	}
}

static bool never(void *arg)
{
	(void)arg;
	return false;
}

/* `ip netns exec` would enter the network alone: sockets of engines are in a
 * /run of the node's own. */
static void keep_world(struct session *ss)
{
	const struct plan *p = world_plan(ss->world);

	fputs("\nThe world is kept until Ctrl-C. To enter a node:\n", stderr);
	for (size_t i = 0; i < p->n_nodes; i++) {
		pid_t pid = world_node_pid(ss->world, (int)i);

		if (pid)
			fprintf(stderr,
				"  %-10s  nsenter -t %d -n -m -p -u sh\n",
				p->nodes[i].name, (int)pid);
		else
			fprintf(stderr, "  %-10s  is down\n", p->nodes[i].name);
	}
	loop_resume(ss->o->loop);
	while (loop_run_until(ss->o->loop, never, NULL,
			      mono_add(clock_now(), 3600 * NS_PER_S)) != -EINTR)
		;
}

static void take_down(struct session *ss)
{
	struct mono start;

	progress_stage(ss->o->progress, "tearing down");
	start = clock_now();
	for (size_t i = ss->n_captures; i > 0; i--)
		capture_stop(ss->captures[i - 1]);
	engines_stop(ss->engines);
	world_teardown(ss->world);
	world_drop_run_id(ss->run_id);
	ss->r->teardown_ns = (double)mono_sub(clock_now(), start);
}

/* ---- verdict and files ------------------------------------------------------
 */

static void judge(struct session *ss, int ret, const struct err *e)
{
	struct result *r = ss->r;

	ss->end.interrupted = ret == -EINTR;
	ss->end.error = ret ? arena_strdup(ss->a, e->text) : NULL;
	ss->end.limit = testbed_record(&ss->testbed, ss->end.relay_fault, r,
				       ss->s, ss->a);
	score_judge(r, ss->a);
	score_conclude(r, &ss->end);
}

static void write_results(struct session *ss)
{
	char *json = report_json(ss->r);
	struct err e;
	int ret = -ENOMEM;

	if (json)
		ret = file_write(
			arena_printf(ss->a, "%s/result.json", ss->r->dir), json,
			strlen(json), &e);
	free(json);
	if (!ret)
		ret = report_html(
			arena_printf(ss->a, "%s/report.html", ss->r->dir),
			ss->r, &e);
	if (!ret)
		ret = report_junit(
			arena_printf(ss->a, "%s/junit.xml", ss->r->dir), &ss->r,
			1, &e);
	if (ret) {
		progress_note(ss->o->progress, "results: %s",
			      ret == -ENOMEM ? "out of memory" : e.text);
		ss->r->verdict = VERDICT_INVALID;
		ss->r->why = "the results could not be written";
	}
	if (resdir_link_latest(ss->r->dir, &e))
		progress_note(ss->o->progress, "%s", e.text);
}

struct result *session_run(const struct scenario *s,
			   const struct session_opts *o, struct arena *a,
			   struct err *e)
{
	struct session *ss = ARENA_NEW(a, struct session);
	struct mono start = clock_now();
	int ret;

	*ss = (struct session){
		.s = s, .o = o, .a = a, .r = ARENA_NEW(a, struct result)};
	ss->r->scenario = s;
	ss->r->seed = o->seed;
	host_describe(ss->r, a);
	if (resdir_make(ss->o->out, ss->s->name, ss->a, &ss->r->dir,
			&ss->r->started, e))
		return NULL;
	ret = world_new_run_id(ss->run_id);
	if (ret) {
		err_set(e, -ret, "/run/xlatsim: no run id can be reserved: %s",
			strerror(-ret));
		return NULL;
	}
	ss->r->run_id = ss->run_id;
	ret = build(ss, e);
	if (!ret)
		ret = start_captures(ss, e);
	if (!ret)
		ret = play(ss, e);
	if (ss->world)
		record_links(ss);
	if (ss->engines) {
		record_engines(ss);
		record_faults(ss);
	}
	if (o->keep && ss->world && ret != -EINTR)
		keep_world(ss);
	take_down(ss);
	ss->r->total_ns = (double)mono_sub(clock_now(), start);
	judge(ss, ret, e);
	write_results(ss);
	return ss->r;
}

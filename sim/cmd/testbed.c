/* SPDX-License-Identifier: MIT */
#include "testbed.h"

#include <stdio.h>

/* The relay is one thread: near a whole core it is the bottleneck. */
#define RELAY_CPU_LIMIT 0.9
/* Late by more than this for a hundredth of the time distorts delays. */
#define RELAY_LATE_LIMIT_NS 10e6

static struct engine *find_relay(struct engines *es)
{
	for (size_t i = 0; i < engines_count(es); i++)
		if (engines_at(es, i)->daemon->role == DAEMON_RELAY)
			return engines_at(es, i);
	return NULL;
}

#define SAMPLE_NS NS_PER_S

/* The relay's share of a core since the last sample, if that was long ago. */
static void take_sample(struct testbed *tb)
{
	struct mono now = clock_now();
	int64_t passed = mono_sub(now, tb->sampled);
	int64_t cpu = proc_cpu_ns(tb->relay_proc);
	double share;

	if (passed < SAMPLE_NS / 2)
		return;
	share = (double)(cpu - tb->sampled_cpu_ns) / (double)passed;
	if (share > tb->relay_cpu)
		tb->relay_cpu = share;
	tb->sampled = now;
	tb->sampled_cpu_ns = cpu;
}

static void on_sample(void *arg, struct mono due)
{
	struct testbed *tb = arg;

	take_sample(tb);
	tb->sampler = loop_add_timer(tb->loop, mono_add(due, SAMPLE_NS),
				     on_sample, tb);
}

void testbed_begin(struct testbed *tb, struct engines *es, struct loop *loop)
{
	struct engine *relay = find_relay(es);

	tb->cpu_begin = host_cpu_read();
	tb->loop = loop;
	if (!relay || !relay->n_procs)
		return;
	tb->relay_proc = relay->procs[0];
	tb->sampled = clock_now();
	tb->sampled_cpu_ns = proc_cpu_ns(tb->relay_proc);
	tb->sampler = loop_add_timer(loop, mono_add(tb->sampled, SAMPLE_NS),
				     on_sample, tb);
}

static double number(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

void testbed_end(struct testbed *tb, struct engines *es,
		 double event_late_max_ns)
{
	struct engine *relay = find_relay(es);
	json_t *stats = NULL;

	if (tb->relay_proc)
		take_sample(tb);
	loop_del(tb->loop, tb->sampler);
	tb->sampler = NULL;
	tb->cpu_end = host_cpu_read();
	tb->event_late_max_ns = event_late_max_ns;
	tb->measured = true;
	if (relay && relay->n_procs && proc_running(relay->procs[0]))
		stats = relay->ops->counters(relay);
	tb->relay = stats != NULL;
	tb->relay_silent = relay && !stats;
	if (!stats)
		return;
	tb->relay_late_p99_ns = number(stats, "late_slot_p99_ns");
	tb->relay_late_max_ns = number(stats, "late_max_ns");
	tb->relay_overruns = (uint64_t)number(stats, "overruns");
	json_decref(stats);
}

static const char *limited_by(const struct testbed *tb, const char *relay_fault,
			      const struct scenario *s, struct arena *a)
{
	char got[32], limit[32];

	if (relay_fault)
		return relay_fault;
	if (tb->event_late_max_ns > s->max_late_ns) {
		units_format(tb->event_late_max_ns, UNIT_TIME, got,
			     sizeof(got));
		units_format(s->max_late_ns, UNIT_TIME, limit, sizeof(limit));
		return arena_printf(a,
				    "an event came %s late (at most %s): "
				    "this machine was too busy",
				    got, limit);
	}
	/* most likely when it has no time for it, so it lacked time before */
	if (tb->relay_silent)
		return "the link relay did not answer: whether it kept up is "
		       "not known";
	if (tb->relay_overruns)
		return arena_printf(a,
				    "the link relay lost %llu packets that "
				    "came faster than it reads",
				    (unsigned long long)tb->relay_overruns);
	if (tb->relay_cpu > RELAY_CPU_LIMIT)
		return arena_printf(a,
				    "the link relay used %.0f%% of a core: "
				    "it was the bottleneck",
				    tb->relay_cpu * 100);
	if (tb->relay_late_p99_ns > RELAY_LATE_LIMIT_NS) {
		units_format(tb->relay_late_p99_ns, UNIT_TIME, got,
			     sizeof(got));
		return arena_printf(a,
				    "for 1%% of the time the link relay "
				    "was %s late or more",
				    got);
	}
	return NULL;
}

const char *testbed_record(const struct testbed *tb, const char *relay_fault,
			   struct result *r, const struct scenario *s,
			   struct arena *a)
{
	struct measurement *m;
	char late[32];

	if (!tb->measured)
		return NULL;
	m = ARENA_APPEND(a, r->measurements, r->n_measurements);
	score_measurement_init(m, "testbed", "testbed", spec_testbed_metrics,
			       a);
	m->phase = "after";
	score_set_num(m, "event-late-max", tb->event_late_max_ns);
	score_set_num(m, "build-time", r->build_ns);
	score_set_num(m, "ready-time", r->ready_ns);
	score_set_num(m, "teardown-time", r->teardown_ns);
	score_set_num(m, "cpu-busy",
		      host_cpu_share(tb->cpu_begin, tb->cpu_end));
	if (tb->relay) {
		score_set_num(m, "relay-cpu", tb->relay_cpu);
		score_set_num(m, "relay-late-p99", tb->relay_late_p99_ns);
		score_set_num(m, "relay-late-max", tb->relay_late_max_ns);
	}
	units_format(tb->event_late_max_ns, UNIT_TIME, late, sizeof(late));
	m->summary = arena_printf(
		a,
		"events at most %s late, machine %.0f%% "
		"busy, relay %.0f%% of a core",
		late, host_cpu_share(tb->cpu_begin, tb->cpu_end) * 100,
		tb->relay_cpu * 100);
	r->gap_blur_ns = tb->relay ? tb->relay_late_max_ns : 0;
	m->why = limited_by(tb, relay_fault, s, a);
	m->invalid = m->why != NULL;
	return m->why;
}

/* SPDX-License-Identifier: MIT */
/*
 * Measure `sessions`, the half in the orchestrator: a server in the node that
 * owns the target, a client in the node that is measured from.
 */
#include "probe_internal.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "flow.h"

#define FIRST_PORT 9500
#define OPEN_NS	   (12 * NS_PER_S)
#define GRACE_NS   (5 * NS_PER_S)

struct sessions_probe {
	struct probe_child *client, *server;
	struct probe_flow flow;
};

static void on_ended(struct probe *p, struct probe_child *c, int wstatus)
{
	struct sessions_probe *s = p->priv;

	if (c == s->server)
		probe_spoil(p, c->node,
			    "the server of the sessions ended; see %s",
			    probe_raw_file(p, c->log));
	else if (probe_crashed(wstatus))
		probe_spoil(p, c->node,
			    "the client of the sessions failed; see %s",
			    probe_raw_file(p, c->log));
	else if (wstatus)
		probe_break(p, "the sessions did not open; see %s",
			    probe_raw_file(p, c->log));
	p->done = true;
}

static int spawn_server(struct probe *p, const char *port, struct err *e)
{
	struct sessions_probe *s = p->priv;
	const char *argv[] = {PROBE_SELF, "probe", "sessions",
			      "port",	  port,	   NULL};

	s->server = probe_spawn(p, p->target.node, argv, "server", on_ended, e);
	return s->server ? 0 : -EIO;
}

static int spawn_client(struct probe *p, const char *port, int64_t length_ns,
			struct err *e)
{
	const struct measure_spec *m = p->m;
	struct sessions_probe *s = p->priv;
	struct arena *a = p->arena;
	const char *argv[] = {
		PROBE_SELF,
		"probe",
		"sessions",
		"to",
		p->target.text,
		"flow",
		s->flow.fifo,
		"port",
		port,
		"busy",
		arena_printf(a, "%lld", (long long)m->busy),
		"idle",
		arena_printf(a, "%lld", (long long)m->idle),
		"length-ns",
		arena_printf(a, "%lld", (long long)length_ns),
		"chunk-bytes",
		arena_printf(a, "%.0f", m->size_bytes),
		"chunk-us",
		arena_printf(a, "%.0f", 1e6 / m->rate_pps),
		"connect-ns",
		arena_printf(a, "%.0f", m->interval_ns),
		"patience-ns",
		arena_printf(a, "%.0f", m->timeout_ns),
		NULL,
	};

	s->client = probe_spawn(p, p->from, argv, "client", on_ended, e);
	return s->client ? 0 : -EIO;
}

static int start(struct probe *p, struct err *e)
{
	static int count; /* a port for each, in case they share a server */
	struct sessions_probe *s = ARENA_NEW(p->arena, struct sessions_probe);
	const char *port =
		arena_printf(p->arena, "%d", FIRST_PORT + count++ % 1000);
	int64_t length_ns = probe_length_ns(p);
	int64_t tail = length_ns + (int64_t)p->m->timeout_ns + GRACE_NS;
	struct addr a;
	int ret;

	p->priv = s;
	p->deadline = mono_add(clock_now(), OPEN_NS + tail);
	if (p->target.node < 0 || addr_parse(p->target.text, &a))
		return err_set(e, EINVAL,
			       "%s: sessions need the address of a server of "
			       "this world",
			       p->target.text);
	ret = flow_open(p, &s->flow, tail, e);
	if (!ret)
		ret = spawn_server(p, port, e);
	if (!ret)
		ret = spawn_client(p, port, length_ns, e);
	if (ret)
		flow_close(p, &s->flow);
	return ret;
}

static bool flowing(const struct probe *p)
{
	const struct sessions_probe *s = p->priv;

	return s->flow.flowing;
}

/* ---- finishing -------------------------------------------------------------
 */

struct tally {
	size_t of[3], proved[3], reset, refused;
	double *took, *stall; /* of new ones; of busy ones that live */
	size_t n_took, n_stall;
};

enum { BUSY, IDLE, NEW };

static void count_one(struct tally *t, const json_t *x)
{
	const char *kind = json_string_value(json_object_get(x, "kind"));
	const char *why = json_string_value(json_object_get(x, "why"));
	bool proved = json_is_true(json_object_get(x, "proved"));
	int k = !kind || !strcmp(kind, "new") ? NEW
		: !strcmp(kind, "busy")	      ? BUSY
					      : IDLE;

	t->of[k]++;
	t->proved[k] += proved;
	if (why && k == NEW)
		t->refused += !strcmp(why, strerror(ECONNREFUSED)) ||
			      !strcmp(why, strerror(ECONNRESET));
	else if (why)
		t->reset += !strcmp(why, strerror(ECONNRESET));
	if (k == NEW && proved)
		t->took[t->n_took++] = (double)json_integer_value(
			json_object_get(x, "took_ns"));
	if (k == BUSY && proved)
		t->stall[t->n_stall++] = (double)json_integer_value(
			json_object_get(x, "stall_ns"));
}

static void set_metrics(struct measurement *m, const struct tally *t)
{
	const struct {
		const char *name;
		double value;
	} v[] = {
		{"busy", (double)t->of[BUSY]},
		{"busy-survived", (double)t->proved[BUSY]},
		{"idle", (double)t->of[IDLE]},
		{"idle-survived", (double)t->proved[IDLE]},
		{"survival", (double)(t->proved[BUSY] + t->proved[IDLE]) /
				     (double)(t->of[BUSY] + t->of[IDLE])},
		{"reset", (double)t->reset},
		{"stall-median", stats_median(t->stall, t->n_stall)},
		{"longest-stall", stats_percentile(t->stall, t->n_stall, 1)},
		{"connects", (double)t->of[NEW]},
		{"connects-failed", (double)(t->of[NEW] - t->proved[NEW])},
		{"connects-refused", (double)t->refused},
		{"connect-median", stats_median(t->took, t->n_took)},
		{"connect-slowest", stats_percentile(t->took, t->n_took, 1)},
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++)
		score_set_num(m, v[i].name, v[i].value);
}

static void add_moving(struct probe *p, struct measurement *m, const json_t *j)
{
	const json_t *list = json_object_get(j, "moving");
	double bin_s =
		(double)json_integer_value(json_object_get(j, "bin_ns")) / 1e9;
	size_t n = json_array_size(list);
	struct series *s = ARENA_NEW(p->arena, struct series);

	*s = (struct series){.name = "busy sessions that moved data",
			     .x_label = "s",
			     .y_label = "sessions",
			     .x = arena_alloc(p->arena, n * sizeof(double) + 8),
			     .y = arena_alloc(p->arena, n * sizeof(double) + 8),
			     .n = n};
	for (size_t i = 0; i < n; i++) {
		s->x[i] = (double)i * bin_s;
		s->y[i] = (double)json_integer_value(json_array_get(list, i));
	}
	m->series = s;
	m->n_series = 1;
}

static void read_result(struct probe *p, struct measurement *m, const json_t *j)
{
	const json_t *list = json_object_get(j, "sessions");
	size_t n = json_array_size(list);
	struct tally t = {
		.took = arena_alloc(p->arena, (n + 1) * sizeof(double)),
		.stall = arena_alloc(p->arena, (n + 1) * sizeof(double)),
	};

	for (size_t i = 0; i < n; i++)
		count_one(&t, json_array_get(list, i));
	set_metrics(m, &t);
	add_moving(p, m, j);
	m->summary = arena_printf(
		p->arena,
		"%zu of %zu busy and %zu of %zu idle sessions survived; %zu of "
		"%zu new ones failed",
		t.proved[BUSY], t.of[BUSY], t.proved[IDLE], t.of[IDLE],
		t.of[NEW] - t.proved[NEW], t.of[NEW]);
	if (json_is_true(json_object_get(j, "corrupt")))
		p->why = "a session carried what its server did not send";
}

static void finish(struct probe *p, struct measurement *m)
{
	struct sessions_probe *s = p->priv;
	json_t *j;

	if (!s)
		return;
	flow_close(p, &s->flow);
	if (!s->client)
		return;
	j = probe_take_result(p, s->client, m);
	if (j)
		read_result(p, m, j);
	json_decref(j);
}

const struct probe_ops probe_sessions_ops = {
	.start = start,
	.flowing = flowing,
	.finish = finish,
};

/* SPDX-License-Identifier: MIT */
/*
 * Measure `connections`, the half in the orchestrator: rounds of short TCP
 * connections to the native destination and to the translated one, in turns.
 * A server at each of them, for the whole measure.
 */
#include "probe_internal.h"

#include <errno.h>

#include "rounds.h"

#define FIRST_PORT 8500
#define GRACE_NS   (7 * NS_PER_S) /* the server's start; the end of a round */

enum { NATIVE, TRANSLATED, N_WAYS };

static const char *const way_words[N_WAYS] = {"native", "translated"};

struct connections_probe {
	struct probe_target to[N_WAYS];
	struct probe_child *server[N_WAYS]; /* one and the same at one node */
	const char *port;
	int64_t length_ns;
	size_t n_wanted, n; /* pairs */
	int way;	    /* which of the pair is under way */
	double *rate[N_WAYS], failed[N_WAYS];
	const char *raw_file; /* of the last round */
};

static int next(struct probe *p, struct err *e);

static void server_ended(struct probe *p, struct probe_child *c, int wstatus)
{
	(void)wstatus;
	probe_spoil(p, c->node, "the server of the connections ended; see %s",
		    probe_raw_file(p, c->log));
}

/* Connections a second; 0 after probe_break. */
static double judge(struct probe *p, const struct probe_child *c)
{
	struct connections_probe *x = p->priv;
	struct measurement m = {0};
	json_t *j = probe_take_result(p, c, &m);
	double done, took, failed;
	const char *why;

	x->raw_file = m.raw_file;
	if (!j)
		return 0;
	done = (double)json_integer_value(json_object_get(j, "done"));
	failed = (double)json_integer_value(json_object_get(j, "failed"));
	took = (double)json_integer_value(json_object_get(j, "took_ns"));
	why = json_string_value(json_object_get(j, "why"));
	x->failed[x->way] += failed;
	if (done < 1)
		probe_break(p, "round %zu, %s: no connection came about%s%s",
			    x->n + 1, way_words[x->way], why ? ": " : "",
			    why ? why : "");
	json_decref(j);
	return done < 1 ? 0 : done / (took / NS_PER_S);
}

static void ended(struct probe *p, struct probe_child *c, int wstatus)
{
	struct connections_probe *x = p->priv;
	struct err e;
	double rate;

	if (wstatus) {
		probe_spoil(p, c->node, "round %zu, %s: see %s", x->n + 1,
			    way_words[x->way], probe_raw_file(p, c->log));
		return;
	}
	rate = judge(p, c);
	probe_release(c);
	if (rate <= 0)
		return;
	x->rate[x->way][x->n] = rate;
	x->n += x->way == TRANSLATED;
	x->way = !x->way;
	if (x->n == x->n_wanted)
		p->done = true;
	else if (next(p, &e))
		probe_spoil(p, p->from, "round %zu: %s", x->n + 1, e.text);
}

static int next(struct probe *p, struct err *e)
{
	struct connections_probe *x = p->priv;
	struct arena *a = p->arena;
	const char *argv[] = {
		PROBE_SELF,
		"probe",
		"connections",
		"to",
		x->to[x->way].text,
		"port",
		x->port,
		"slots",
		arena_printf(a, "%lld", (long long)p->m->streams),
		"length-ns",
		arena_printf(a, "%lld", (long long)x->length_ns),
		NULL,
	};

	return probe_spawn(
		       p, p->from, argv,
		       arena_printf(a, "%zu-%s", x->n + 1, way_words[x->way]),
		       ended, e)
		       ? 0
		       : -EIO;
}

static int serve(struct probe *p, int way, struct err *e)
{
	struct connections_probe *x = p->priv;
	const char *argv[] = {PROBE_SELF, "probe", "connections",
			      "port",	  x->port, NULL};
	struct addr a;

	if (x->to[way].node < 0 || addr_parse(x->to[way].text, &a))
		return err_set(e, EINVAL,
			       "%s: connections need the address of a server "
			       "of this world",
			       x->to[way].text);
	if (way && x->to[way].node == x->to[0].node) {
		x->server[way] = x->server[0];
		return 0;
	}
	x->server[way] =
		probe_spawn(p, x->to[way].node, argv,
			    arena_printf(p->arena, "server-%s", way_words[way]),
			    server_ended, e);
	return x->server[way] ? 0 : -EIO;
}

static int start(struct probe *p, struct err *e)
{
	static int count; /* a port for each, in case they share a server */
	struct connections_probe *x =
		ARENA_NEW(p->arena, struct connections_probe);

	p->priv = x;
	x->to[TRANSLATED] = p->target;
	if (probe_resolve_family(p->plan, p->m->native, 0, &x->to[NATIVE], e))
		return -1;
	x->port = arena_printf(p->arena, "%d", FIRST_PORT + count++ % 1000);
	x->length_ns = probe_length_ns(p);
	x->n_wanted = p->m->rounds > 0 ? (size_t)p->m->rounds : 1;
	for (int i = 0; i < N_WAYS; i++)
		x->rate[i] =
			arena_alloc(p->arena, x->n_wanted * sizeof(double));
	p->deadline = mono_add(clock_now(), N_WAYS * (int64_t)x->n_wanted *
						    (x->length_ns + GRACE_NS));
	for (int i = 0; i < N_WAYS; i++)
		if (serve(p, i, e))
			return -1;
	return next(p, e);
}

static bool flowing(const struct probe *p)
{
	const struct connections_probe *x = p->priv;

	return x->n || x->way;
}

static void finish(struct probe *p, struct measurement *m)
{
	struct connections_probe *x = p->priv;
	struct rounds_score s;

	if (!x)
		return;
	m->raw_file = x->raw_file;
	score_set_num(m, "rounds", (double)x->n);
	if (p->why || x->n < x->n_wanted)
		return; /* half a measurement is none */
	s = rounds_score(p, m, x->rate[NATIVE], x->rate[TRANSLATED], x->n,
			 "connections/s");
	score_set_num(m, "failed", x->failed[TRANSLATED]);
	score_set_num(m, "native-failed", x->failed[NATIVE]);
	m->summary = arena_printf(
		p->arena,
		"%.0f connections a second, %.1f%% of native (%.1f%% to "
		"%.1f%%), %.0f failed",
		s.rate, s.ratio * 100, s.low * 100, s.high * 100,
		x->failed[TRANSLATED]);
}

const struct probe_ops probe_connections_ops = {
	.start = start,
	.flowing = flowing,
	.finish = finish,
};

/* SPDX-License-Identifier: MIT */
/*
 * Measure `tls`, the half in the orchestrator: a server in the node that owns
 * the target, a client in the node that is measured from.
 */
#include "probe_internal.h"

#include <errno.h>

#define FIRST_PORT 10500
#define START_NS   (3 * NS_PER_S) /* both sides, and a name */

struct tls_probe {
	struct probe_child *client, *server;
};

static void on_ended(struct probe *p, struct probe_child *c, int wstatus)
{
	struct tls_probe *t = p->priv;

	if (c == t->server)
		probe_spoil(p, c->node, "the TLS server ended; see %s",
			    probe_raw_file(p, c->log));
	else if (probe_crashed(wstatus))
		probe_spoil(p, c->node, "the TLS client failed; see %s",
			    probe_raw_file(p, c->log));
	else if (wstatus)
		probe_break(p, "the TLS client failed; see %s",
			    probe_raw_file(p, c->log));
	p->done = true;
}

static int spawn_client(struct probe *p, const char *port, struct err *e)
{
	const struct measure_spec *m = p->m;
	struct tls_probe *t = p->priv;
	struct arena *a = p->arena;
	char dial[ADDR_TEXT_LEN];
	const char *to = m->dial.family
				 ? arena_strdup(a, addr_format(&m->dial, dial))
				 : p->target.text;
	const char *argv[] = {
		PROBE_SELF,
		"probe",
		"tls",
		"to",
		to,
		"port",
		port,
		"family",
		m->dial.family ? "0" : probe_family_word(p),
		"count",
		arena_printf(a, "%lld", (long long)m->count),
		"size",
		arena_printf(a, "%.0f", m->size_bytes),
		"timeout-ns",
		arena_printf(a, "%.0f", m->timeout_ns),
		NULL,
	};

	t->client = probe_spawn(p, p->from, argv, "client", on_ended, e);
	return t->client ? 0 : -EIO;
}

static int start(struct probe *p, struct err *e)
{
	static int count; /* a port for each, in case they share a server */
	struct tls_probe *t = ARENA_NEW(p->arena, struct tls_probe);
	const char *port =
		arena_printf(p->arena, "%lld",
			     p->m->port ? (long long)p->m->port
					: FIRST_PORT + count++ % 1000);
	const char *server[] = {PROBE_SELF, "probe", "tls", "port", port, NULL};

	p->priv = t;
	p->deadline =
		mono_add(clock_now(), START_NS + (int64_t)p->m->timeout_ns *
							 (int64_t)p->m->count);
	if (p->target.node < 0)
		return err_set(e, EINVAL, "%s: no server of this world",
			       p->target.text);
	t->server =
		probe_spawn(p, p->target.node, server, "server", on_ended, e);
	return t->server ? spawn_client(p, port, e) : -EIO;
}

/* ---- finishing -------------------------------------------------------------
 */

struct tally {
	size_t n, done;
	double *handshake, *total; /* of those that are done */
	double retransmits, lost, mss;
	double served, server_retransmits, server_lost, server_mss;
	const char *stage, *why; /* of the first that failed */
};

static double number(const json_t *x, const char *key)
{
	return (double)json_integer_value(json_object_get(x, key));
}

static void count_one(struct tally *t, const json_t *x)
{
	const char *why = json_string_value(json_object_get(x, "why"));

	t->n++;
	t->retransmits += number(x, "retransmits");
	t->lost += number(x, "lost");
	t->mss = number(x, "mss");
	if (why && !t->why) {
		t->why = why;
		t->stage = json_string_value(json_object_get(x, "stage"));
	}
	if (why)
		return;
	t->handshake[t->done] = number(x, "handshake_ns");
	t->total[t->done++] = number(x, "total_ns");
}

/* What the server said of connections that ended well, one a line. */
static void read_server(const struct tls_probe *s, struct tally *t)
{
	FILE *f = fopen(s->server->out, "re");
	json_t *x;

	while (f && (x = json_loadf(f, JSON_DISABLE_EOF_CHECK, NULL))) {
		t->served++;
		t->server_retransmits += number(x, "retransmits");
		t->server_lost += number(x, "lost");
		t->server_mss = number(x, "mss");
		json_decref(x);
	}
	if (f)
		fclose(f);
}

static void set_metrics(struct measurement *m, const struct tally *t)
{
	const struct {
		const char *name;
		double value;
	} v[] = {
		{"exchanges", (double)t->n},
		{"completed", (double)t->done},
		{"failed", (double)(t->n - t->done)},
		{"handshake-median", stats_median(t->handshake, t->done)},
		{"handshake-slowest",
		 stats_percentile(t->handshake, t->done, 1)},
		{"total-median", stats_median(t->total, t->done)},
		{"total-slowest", stats_percentile(t->total, t->done, 1)},
		{"retransmits", t->retransmits},
		{"lost", t->lost},
		{"mss", t->mss},
		{"server-retransmits", t->server_retransmits},
		{"server-lost", t->server_lost},
		{"server-mss", t->server_mss},
	};
	size_t n = sizeof(v) / sizeof(*v);

	for (size_t i = 0; i < (t->served > 0 ? n : n - 3); i++)
		score_set_num(m, v[i].name, v[i].value);
}

static void summarise(struct probe *p, struct measurement *m,
		      const struct tally *t)
{
	char took[32];

	if (t->why) {
		m->summary = arena_printf(p->arena, "%zu of %zu failed: %s %s",
					  t->n - t->done, t->n, t->why,
					  t->stage ? t->stage : "");
		return;
	}
	units_format(stats_percentile(t->total, t->done, 1), UNIT_TIME, took,
		     sizeof(took));
	m->summary =
		arena_printf(p->arena, "%zu of %zu complete, the slowest in %s",
			     t->done, t->n, took);
}

static void finish(struct probe *p, struct measurement *m)
{
	struct tls_probe *s = p->priv;
	const json_t *list, *x;
	struct tally t = {0};
	size_t i;
	json_t *j;

	if (!s || !s->client)
		return;
	j = probe_take_result(p, s->client, m);
	if (!j)
		return;
	list = json_object_get(j, "exchanges");
	i = json_array_size(list) + 1;
	t.handshake = arena_alloc(p->arena, i * sizeof(double));
	t.total = arena_alloc(p->arena, i * sizeof(double));
	json_array_foreach(list, i, x) count_one(&t, x);
	read_server(s, &t);
	set_metrics(m, &t);
	summarise(p, m, &t);
	json_decref(j);
}

const struct probe_ops probe_tls_ops = {.start = start, .finish = finish};

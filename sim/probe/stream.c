/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * The orchestrator's half of the stream probe: a client in the node that is
 * measured from, a server in the node that owns the target. The client tells
 * through a FIFO when traffic flows both ways. All figures come from the record
 * files of both sides; what they print is for people.
 *
 * "Up" is the client's stream as the server received it, "down" the server's.
 * Time in the series counts from the client's first packet.
 */
#include "stream_internal.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "flow.h"
#include "probe_internal.h"

#define PATIENCE_NS (10 * NS_PER_S)
#define GRACE_NS    (5 * NS_PER_S) /* drain, reports, a slow machine */
#define FIRST_PORT  7500
#define BIN_NS	    (10 * NS_PER_MS)
#define MAX_PACKETS 20000000

enum { CLIENT, SERVER, N_SIDES };

static const char *const side_words[N_SIDES] = {"client", "server"};

struct stream {
	struct probe_child *child[N_SIDES];
	const char *record[N_SIDES];
	bool ended[N_SIDES];
	struct probe_flow flow;
	int64_t length_ns;
};

/* ---- starting ---------------------------------------------------------------
 */

/* What came until a node went down counts; until a helper died, it does not. */
static void crash(struct probe *p, const struct probe_child *c)
{
	if (world_node_alive(p->world, c->node))
		probe_spoil(p, c->node,
			    "the stream's process in %s ended; see %s",
			    p->plan->nodes[c->node].name,
			    probe_raw_file(p, c->log));
}

static void on_ended(struct probe *p, struct probe_child *c, int wstatus)
{
	struct stream *s = p->priv;

	for (int i = 0; i < N_SIDES; i++)
		if (s->child[i] == c)
			s->ended[i] = true;
	/* why it failed stands in its record, unless it could not write that */
	if (probe_crashed(wstatus))
		crash(p, c);
	/* Without a client, nobody says when the server is done. */
	p->done |= s->ended[CLIENT] && (s->ended[SERVER] || wstatus);
}

static int spawn_side(struct probe *p, int side, int port, uint64_t count,
		      struct err *e)
{
	struct stream *s = p->priv;
	struct arena *a = p->arena;
	int node = side == CLIENT ? p->from : p->target.node;
	const char *argv[] = {
		PROBE_SELF,
		"probe",
		"stream",
		side_words[side],
		"--record",
		NULL,
		"--port",
		arena_printf(a, "%d", port),
		"--session",
		arena_printf(a, "%u",
			     (unsigned int)port ^
				     (unsigned int)world_seed(p->world)),
		"--rate",
		arena_printf(a, "%.9g", p->m->rate_pps),
		"--size",
		arena_printf(a, "%.0f", p->m->size_bytes),
		"--count",
		arena_printf(a, "%llu", (unsigned long long)count),
		"--patience",
		arena_printf(a, "%lld", (long long)PATIENCE_NS),
		side == CLIENT ? "--to" : NULL,
		p->target.text,
		"--family",
		probe_family_word(p),
		"--flow",
		s->flow.fifo,
		NULL,
	};

	s->record[side] = arena_printf(a, "%s/probe-%s-%s.stream",
				       world_node_dir(p->world, node),
				       p->m->name, side_words[side]);
	argv[5] = s->record[side];
	s->child[side] =
		probe_spawn(p, node, argv, side_words[side], on_ended, e);
	return s->child[side] ? 0 : -EIO;
}

static int stream_start(struct probe *p, struct err *e)
{
	static int streams; /* a port for each, in case they share a server */
	struct stream *s = ARENA_NEW(p->arena, struct stream);
	double count;
	int port = FIRST_PORT + streams++ % 1000, ret;

	p->priv = s;
	s->length_ns = probe_length_ns(p);
	count = floor(p->m->rate_pps * (double)s->length_ns / NS_PER_S);
	p->deadline =
		mono_add(p->started, PATIENCE_NS + s->length_ns + GRACE_NS);
	if (p->target.node < 0)
		return err_set(e, EINVAL,
			       "%s is not in this world: a stream needs a "
			       "server at its end",
			       p->target.text);
	if (count < 2 || count > MAX_PACKETS)
		return err_set(e, EINVAL,
			       "%.0f packets at %.0f pps in %.1f s: must be 2 "
			       "to %d",
			       count, p->m->rate_pps,
			       (double)s->length_ns / NS_PER_S, MAX_PACKETS);
	ret = flow_open(p, &s->flow, s->length_ns + GRACE_NS, e);
	if (!ret)
		ret = spawn_side(p, SERVER, port, (uint64_t)count, e);
	if (!ret)
		ret = spawn_side(p, CLIENT, port, (uint64_t)count, e);
	if (ret)
		flow_close(p, &s->flow);
	return ret;
}

static bool stream_flowing(const struct probe *p)
{
	const struct stream *s = p->priv;

	return s && s->flow.flowing;
}

/* ---- series -----------------------------------------------------------------
 */

struct bins {
	double *count, *latency_ms; /* latency: longest in the bin, 0: none */
	size_t n;
};

static struct bins fill_bins(const struct stream_record *r, int64_t zero_ns,
			     int64_t length_ns, struct arena *a)
{
	struct bins b = {.n = (size_t)(length_ns / BIN_NS) + 1};

	b.count = arena_alloc(a, b.n * sizeof(*b.count));
	b.latency_ms = arena_alloc(a, b.n * sizeof(*b.latency_ms));
	for (uint64_t i = 0; i < r->n; i++) {
		const struct stream_arrival *v = &r->arrivals[i];
		int64_t at = (v->received_ns - zero_ns) / BIN_NS;
		double ms = (double)(v->received_ns - v->sent_ns) / 1e6;

		if (at < 0 || (size_t)at >= b.n)
			continue;
		b.count[at]++;
		if (ms > b.latency_ms[at])
			b.latency_ms[at] = ms;
	}
	return b;
}

static void add_series(struct measurement *m, const char *name, bool latency,
		       const struct bins *b, struct arena *a)
{
	struct series *s = &m->series[m->n_series++];

	*s = (struct series){.name = name,
			     .x_label = "s",
			     .y_label = latency ? "ms" : "packets per 10 ms",
			     .x = arena_alloc(a, b->n * sizeof(double)),
			     .y = arena_alloc(a, b->n * sizeof(double))};
	for (size_t i = 0; i < b->n; i++) {
		if (latency && b->count[i] == 0)
			continue; /* no packet, no latency */
		s->x[s->n] = (double)i * (double)BIN_NS / 1e9;
		s->y[s->n++] = latency ? b->latency_ms[i] : b->count[i];
	}
}

/* ---- finishing --------------------------------------------------------------
 */

static void set_direction(struct measurement *m, const char *prefix,
			  const struct stream_score *sc)
{
	const struct {
		const char *name;
		double value;
	} v[] = {
		{"sent", (double)sc->sent},
		{"received", (double)sc->received},
		{"lost", (double)sc->lost},
		{"loss",
		 sc->sent ? (double)sc->lost / (double)sc->sent : (double)NAN},
		{"duplicated", (double)sc->duplicated},
		{"reordered", (double)sc->reordered},
		{"longest-gap", sc->longest_gap_ns},
		{"outage", sc->outage_ns},
		{"recovered", sc->recovered_ns},
		{"latency-p50", sc->latency_p50_ns},
		{"latency-p99", sc->latency_p99_ns},
		{"latency-max", sc->latency_max_ns},
	};
	char name[32];

	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++) {
		snprintf(name, sizeof(name), "%s%s", prefix, v[i].name);
		score_set_num(m, name, v[i].value);
	}
}

static void summarise(struct probe *p, struct measurement *m,
		      const struct stream_score *up,
		      const struct stream_score *down)
{
	char gap[2][32];

	units_format(up->longest_gap_ns, UNIT_TIME, gap[0], sizeof(gap[0]));
	units_format(down->longest_gap_ns, UNIT_TIME, gap[1], sizeof(gap[1]));
	m->summary = arena_printf(p->arena,
				  "up: longest gap %s, %llu of %llu lost; "
				  "down: longest gap %s, %llu of %llu lost",
				  gap[0], (unsigned long long)up->lost,
				  (unsigned long long)up->sent, gap[1],
				  (unsigned long long)down->lost,
				  (unsigned long long)down->sent);
}

static void judge_testbed(struct probe *p, struct measurement *m,
			  const struct stream_record *const *r)
{
	char buf[160], who[32];

	for (int i = 0; i < N_SIDES && !m->invalid; i++) {
		snprintf(who, sizeof(who), "the %s", side_words[i]);
		if (!stream_sender_fault(r[i], who, buf, sizeof(buf)))
			continue;
		m->invalid = true;
		m->why = arena_strdup(p->arena, buf);
	}
}

static void score_both(struct probe *p, struct measurement *m,
		       const struct stream_record *const *r)
{
	const struct stream *s = p->priv;
	int64_t zero_ns = r[CLIENT]->start_ns, late;
	struct stream_score up, down;
	struct bins b[N_SIDES];

	stream_analyse(r[SERVER]->arrivals, r[SERVER]->n, r[CLIENT]->sent,
		       r[CLIENT]->rate_pps, zero_ns, &up);
	stream_analyse(r[CLIENT]->arrivals, r[CLIENT]->n, r[SERVER]->sent,
		       r[SERVER]->rate_pps, r[SERVER]->start_ns, &down);
	set_direction(m, "up-", &up);
	set_direction(m, "down-", &down);
	score_set_num(m, "longest-gap",
		      fmax(up.longest_gap_ns, down.longest_gap_ns));
	score_set_num(m, "lost", (double)(up.lost + down.lost));
	late = r[CLIENT]->late_p99_ns > r[SERVER]->late_p99_ns
		       ? r[CLIENT]->late_p99_ns
		       : r[SERVER]->late_p99_ns;
	score_set_num(m, "send-late-p99", (double)late);
	summarise(p, m, &up, &down);
	b[SERVER] = fill_bins(r[SERVER], zero_ns, s->length_ns, p->arena);
	b[CLIENT] = fill_bins(r[CLIENT], zero_ns, s->length_ns, p->arena);
	m->series = arena_alloc(p->arena, 4 * sizeof(*m->series));
	add_series(m, "received up", false, &b[SERVER], p->arena);
	add_series(m, "received down", false, &b[CLIENT], p->arena);
	add_series(m, "longest latency up", true, &b[SERVER], p->arena);
	add_series(m, "longest latency down", true, &b[CLIENT], p->arena);
}

/* For windows of it: in memory as long as the result. */
static void keep_trace(struct probe *p, struct measurement *m,
		       const struct stream_record *const *r)
{
	/* up is what the server received of the client, and so on */
	const struct stream_record *const in[] = {r[SERVER], r[CLIENT]};
	const struct stream_record *const out[] = {r[CLIENT], r[SERVER]};
	struct stream_trace *t = arena_alloc(p->arena, N_SIDES * sizeof(*t));

	for (int i = 0; i < N_SIDES; i++) {
		struct stream_arrival *v = arena_alloc(
			p->arena, (size_t)(in[i]->n + 1) * sizeof(*v));

		memcpy(v, in[i]->arrivals, (size_t)in[i]->n * sizeof(*v));
		t[i] = (struct stream_trace){.arr = v,
					     .n = (size_t)in[i]->n,
					     .sent = out[i]->sent,
					     .rate_pps = out[i]->rate_pps,
					     .start_ns = out[i]->start_ns};
	}
	m->trace = t;
}

/* Both sides began: else the reason is in the record of the one that did not.
 */
static bool both_began(struct probe *p, const struct stream_record *const *r)
{
	static const int order[] = {CLIENT, SERVER};

	for (int i = 0; i < N_SIDES; i++) {
		const struct stream_record *x = r[order[i]];

		if (x && x->start_ns)
			continue;
		probe_break(p, "the %s did not begin%s%s", side_words[order[i]],
			    x && *x->why ? ": " : "", x ? x->why : "");
		return false;
	}
	return true;
}

static void stream_finish(struct probe *p, struct measurement *m)
{
	struct stream *s = p->priv;
	const struct stream_record *r[N_SIDES] = {NULL};
	size_t size[N_SIDES] = {0};
	struct err e = {""};

	if (!s)
		return;
	flow_close(p, &s->flow);
	for (int i = 0; i < N_SIDES; i++)
		if (s->child[i])
			r[i] = stream_record_open(s->record[i], &size[i], &e);
	if (r[CLIENT])
		m->raw_file = probe_raw_file(p, s->record[CLIENT]);
	if (!r[CLIENT] && s->child[CLIENT])
		probe_spoil(p, p->from, "%s", e.text);
	if (both_began(p, r)) {
		score_both(p, m, r);
		judge_testbed(p, m, r);
		keep_trace(p, m, r);
	}
	for (int i = 0; i < N_SIDES; i++)
		stream_record_unmap(r[i], size[i]);
}

const struct probe_ops probe_stream_ops = {
	.start = stream_start,
	.flowing = stream_flowing,
	.finish = stream_finish,
};

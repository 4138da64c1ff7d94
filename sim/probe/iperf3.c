/* SPDX-License-Identifier: MIT */
/*
 * Measures `iperf3` and `diagnosis`: one transfer, with all that happens to it.
 * A diagnosis may name a native destination: the same again to that, once the
 * transfer that is diagnosed is over, tells what these links and settings give
 * without a translator.
 */
#include "probe_internal.h"

#include <math.h>

#include "transfer.h"

struct single {
	struct transfer *t, *native; /* NULL: not begun */
	int64_t length_ns;
	bool over; /* the first */
};

static void native_ended(struct probe *p, struct transfer *t)
{
	if (transfer_why(t))
		transfer_blame(p, t, "native: ");
	p->done = true;
}

static int start_native(struct probe *p, struct err *e)
{
	struct single *s = p->priv;
	struct transfer_opts o = {.length_ns = s->length_ns,
				  .tag = "native",
				  .ended = native_ended};

	if (probe_resolve_family(p->plan, p->m->native, 0, &o.target, e))
		return -1;
	s->native = transfer_start(p, &o, e);
	return s->native ? 0 : -1;
}

static void ended(struct probe *p, struct transfer *t)
{
	struct single *s = p->priv;
	struct err e;

	s->over = true;
	if (transfer_why(t))
		transfer_blame(p, t, "");
	else if (!p->m->native)
		p->done = true;
	else if (start_native(p, &e))
		probe_spoil(p, p->from, "native: %s", e.text);
}

static int start(struct probe *p, struct err *e)
{
	struct single *s = ARENA_NEW(p->arena, struct single);
	struct transfer_opts o = {.target = p->target,
				  .length_ns = probe_length_ns(p),
				  .tag = "",
				  .ended = ended};
	int64_t most = transfer_max_ns(o.length_ns);

	p->priv = s;
	s->length_ns = o.length_ns;
	p->deadline = mono_add(clock_now(), p->m->native ? 2 * most : most);
	s->t = transfer_start(p, &o, e);
	return s->t ? 0 : -1;
}

static bool flowing(const struct probe *p)
{
	const struct single *s = p->priv;

	return s->t && transfer_flowing(s->t);
}

static bool counted(const struct probe *p)
{
	const struct single *s = p->priv;

	return s->over;
}

static void summarise(struct probe *p, struct measurement *m,
		      const struct transfer_score *s)
{
	char rate[32], stall[32];

	units_format(s->rate_bps, UNIT_RATE, rate, sizeof(rate));
	units_format(s->longest_stall_ns, UNIT_TIME, stall, sizeof(stall));
	m->summary = arena_printf(p->arena, "%s %s %s, %s, longest stall %s",
				  p->m->direction == DIR_DOWN ? "down from"
							      : "up to",
				  p->target.text, rate,
				  s->survived ? "survived" : "broke", stall);
}

static void set_metrics(struct measurement *m, const struct transfer_score *s)
{
	score_set_num(m, "rate", s->rate_bps);
	score_set_num(m, "bytes", s->bytes);
	score_set_num(m, "retransmits", s->retransmits);
	score_set_num(m, "longest-stall", s->longest_stall_ns);
	score_set_num(m, "survived", s->survived);
	score_set_num(m, "cpu-sender", s->cpu_sender);
	score_set_num(m, "cpu-receiver", s->cpu_receiver);
}

/* Beside the first one's metrics: what the second came to. */
static void set_native(struct probe *p, struct measurement *m, double rate_bps)
{
	struct single *x = p->priv;
	struct transfer_score s;
	json_t *client, *server;

	transfer_stop(x->native);
	transfer_read(p, x->native, &client, &server);
	if (!transfer_score(client, server, p->m->direction, &s) && !s.error &&
	    s.rate_bps > 0) {
		score_set_num(m, "native-rate", s.rate_bps);
		score_set_num(m, "ratio", rate_bps / s.rate_bps);
	} else if (!p->why) {
		probe_break(p, "native: iperf3: %s",
			    s.error ? s.error : "no result");
	}
	json_decref(client);
	json_decref(server);
}

static void finish(struct probe *p, struct measurement *m)
{
	struct single *x = p->priv;
	struct transfer *t = x ? x->t : NULL;
	struct transfer_score s = {.rate_bps = 0};
	json_t *client, *server;

	if (!t)
		return;
	transfer_stop(t);
	m->raw_file = probe_raw_file(p, transfer_client_file(t));
	transfer_read(p, t, &client, &server);
	if (transfer_score(client, server, p->m->direction, &s)) {
		/* it never moved anything: that much is known */
		score_set_num(m, "survived", 0);
		if (!p->why)
			probe_break(p, "iperf3: %s",
				    s.error ? s.error : "no result");
	} else {
		set_metrics(m, &s);
		summarise(p, m, &s);
		transfer_series(client, server, p->m->direction, m, p->arena);
		if (s.error && !p->why)
			probe_break(p, "iperf3: %s", s.error);
	}
	if (x->native)
		set_native(p, m, isfinite(s.rate_bps) ? s.rate_bps : 0);
	json_decref(client);
	json_decref(server);
}

const struct probe_ops probe_iperf3_ops = {
	.start = start,
	.flowing = flowing,
	.counted = counted,
	.finish = finish,
};

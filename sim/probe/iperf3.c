/* SPDX-License-Identifier: MIT */
/* Measure `iperf3`: one transfer, with all that happens to it. */
#include "probe_internal.h"

#include <math.h>

#include "transfer.h"

static void ended(struct probe *p, struct transfer *t)
{
	if (transfer_why(t))
		probe_break(p, "%s", transfer_why(t));
	p->done = true;
}

static int start(struct probe *p, struct err *e)
{
	struct transfer_opts o = {.target = p->target,
				  .length_ns = probe_length_ns(p),
				  .tag = "",
				  .ended = ended};

	p->deadline = mono_add(clock_now(), transfer_max_ns(o.length_ns));
	p->priv = transfer_start(p, &o, e);
	return p->priv ? 0 : -1;
}

static bool flowing(const struct probe *p)
{
	return p->priv && transfer_flowing(p->priv);
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

static void finish(struct probe *p, struct measurement *m)
{
	struct transfer *t = p->priv;
	struct transfer_score s;
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
	json_decref(client);
	json_decref(server);
}

const struct probe_ops probe_iperf3_ops = {
	.start = start,
	.flowing = flowing,
	.finish = finish,
};

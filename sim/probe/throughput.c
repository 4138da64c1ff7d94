/* SPDX-License-Identifier: MIT */
/*
 * Measure `throughput`: rounds of two transfers over the same links, one to
 * the native destination and one to the translated, in turns, never two at a
 * time. A round's ratio compares neighbours in time, so what the machine does
 * besides weighs on both alike; the median over the rounds is the result.
 */
#include "probe_internal.h"

#include <math.h>

#include "rounds.h"
#include "transfer.h"

struct rounds {
	struct probe_target native;
	int64_t length_ns;
	size_t n_wanted, n; /* pairs */
	bool engine;	    /* which of the pair is under way */
	struct transfer *now;
	bool flowing;
	double *rate[2], *retransmits[2]; /* [0] native, [1] engine */
	const char *raw_file;
};

static int next(struct probe *p, struct err *e);

/* The rate of a transfer that went well; NAN after probe_break. */
static double judge(struct probe *p, struct transfer *t, double *retransmits)
{
	struct rounds *r = p->priv;
	const char *which = r->engine ? "translated" : "native";
	struct transfer_score s = {.retransmits = NAN};
	json_t *client, *server;
	double rate = NAN;

	transfer_read(p, t, &client, &server);
	if (transfer_why(t))
		transfer_blame(p, t,
			       arena_printf(p->arena, "round %zu, %s: ",
					    r->n + 1, which));
	else if (transfer_score(client, server, p->m->direction, &s) || s.error)
		probe_break(p, "round %zu, %s: iperf3: %s", r->n + 1, which,
			    s.error ? s.error : "no result");
	else if (!(s.rate_bps > 0))
		probe_break(p, "round %zu, %s: nothing came", r->n + 1, which);
	else
		rate = s.rate_bps;
	*retransmits = isfinite(rate) ? s.retransmits : NAN;
	json_decref(client);
	json_decref(server);
	return rate;
}

static void ended(struct probe *p, struct transfer *t)
{
	struct rounds *r = p->priv;
	struct err e;
	double rate = judge(p, t, &r->retransmits[r->engine][r->n]);

	r->now = NULL;
	if (!isfinite(rate))
		return;
	r->rate[r->engine][r->n] = rate;
	r->n += r->engine;
	r->engine = !r->engine;
	if (r->n == r->n_wanted)
		p->done = true;
	else if (next(p, &e))
		probe_spoil(p, p->from, "round %zu: %s", r->n + 1, e.text);
}

static int next(struct probe *p, struct err *e)
{
	struct rounds *r = p->priv;
	struct transfer_opts o = {
		.target = r->engine ? p->target : r->native,
		.length_ns = r->length_ns,
		.tag = arena_printf(p->arena, "%zu-%s", r->n + 1,
				    r->engine ? "translated" : "native"),
		.ended = ended,
	};

	r->now = transfer_start(p, &o, e);
	if (r->now && !r->raw_file)
		r->raw_file = transfer_client_file(r->now);
	return r->now ? 0 : -1;
}

static int start(struct probe *p, struct err *e)
{
	struct rounds *r = ARENA_NEW(p->arena, struct rounds);

	p->priv = r;
	if (probe_resolve_family(p->plan, p->m->native, 0, &r->native, e))
		return -1;
	r->length_ns = probe_length_ns(p);
	r->n_wanted = p->m->rounds > 0 ? (size_t)p->m->rounds : 1;
	for (int i = 0; i < 2; i++) {
		r->rate[i] =
			arena_alloc(p->arena, r->n_wanted * sizeof(double));
		r->retransmits[i] =
			arena_alloc(p->arena, r->n_wanted * sizeof(double));
	}
	p->deadline =
		mono_add(clock_now(), 2 * (int64_t)r->n_wanted *
					      transfer_max_ns(r->length_ns));
	return next(p, e);
}

static bool flowing(const struct probe *p)
{
	const struct rounds *r = p->priv;

	return r->n || r->engine || (r->now && transfer_flowing(r->now));
}

static double sum(const double *v, size_t n)
{
	double total = 0;

	for (size_t i = 0; i < n; i++)
		total += v[i]; /* a NAN makes the sum one: then it is absent */
	return total;
}

static void set_metrics(struct probe *p, struct measurement *m)
{
	const struct rounds *r = p->priv;
	struct rounds_score s =
		rounds_score(p, m, r->rate[0], r->rate[1], r->n, "bit/s");
	char rate_text[32], native_text[32];

	score_set_num(m, "retransmits", sum(r->retransmits[1], r->n));
	score_set_num(m, "native-retransmits", sum(r->retransmits[0], r->n));
	units_format(s.rate, UNIT_RATE, rate_text, sizeof(rate_text));
	units_format(s.native, UNIT_RATE, native_text, sizeof(native_text));
	m->summary = arena_printf(
		p->arena, "%s %.1f%% of native (%.1f%% to %.1f%%), %s of %s",
		p->m->direction == DIR_DOWN ? "down" : "up", s.ratio * 100,
		s.low * 100, s.high * 100, rate_text, native_text);
}

static void finish(struct probe *p, struct measurement *m)
{
	struct rounds *r = p->priv;

	if (!r)
		return;
	if (r->now)
		transfer_stop(r->now);
	if (r->raw_file)
		m->raw_file = probe_raw_file(p, r->raw_file);
	score_set_num(m, "rounds", (double)r->n);
	/* half a measurement is none: rounds are agreed upon beforehand */
	if (!p->why && r->n == r->n_wanted)
		set_metrics(p, m);
}

const struct probe_ops probe_throughput_ops = {
	.start = start,
	.flowing = flowing,
	.finish = finish,
};

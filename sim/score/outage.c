/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A stream is walked in order of arrival, first copies only. Whether a packet
 * is a first copy is known at once when its number is above all before it;
 * below that, a window of the last WINDOW numbers remembers, and for older ones
 * the arrivals are searched. So no memory is needed that grows with the stream.
 *
 * Percentiles of latency walk the stream once per bisection step instead of
 * sorting it. The stream has two packets that were never sent: one before the
 * first and one after the last, due (by the pace and the shortest latency seen)
 * one interval away; so a late start and an end without traffic are gaps too.
 */
#include "score.h"

#include <math.h>
#include <string.h>

#define WINDOW 65536 /* numbers; a power of two */

struct walk {
	const struct stream_arrival *arr;
	size_t n, i;
	uint64_t sent;
	uint64_t next_expected; /* RFC 4737 section 3.3: NextExp */
	bool late;		/* the packet just walked to is reordered */
	uint64_t duplicates;
	uint64_t seen[WINDOW / 64]; /* of next_expected - WINDOW and on */
};

static void walk_init(struct walk *w, const struct stream_arrival *arr,
		      size_t n, uint64_t sent)
{
	memset(w, 0, sizeof(*w));
	w->arr = arr;
	w->n = n;
	w->sent = sent;
}

static uint64_t window_bit(uint32_t seq)
{
	return UINT64_C(1) << (seq % 64);
}

static uint64_t *window_word(struct walk *w, uint32_t seq)
{
	return &w->seen[seq % WINDOW / 64];
}

/* The window moves up to @seq: numbers it takes in are not yet seen. */
static void window_advance(struct walk *w, uint32_t seq)
{
	if (seq - w->next_expected >= WINDOW) {
		memset(w->seen, 0, sizeof(w->seen));
	} else {
		for (uint64_t s = w->next_expected; s <= seq; s++)
			*window_word(w, (uint32_t)s) &=
				~window_bit((uint32_t)s);
	}
	w->next_expected = (uint64_t)seq + 1;
}

static bool walk_is_copy(struct walk *w, uint32_t seq)
{
	if (w->next_expected - seq <= WINDOW)
		return *window_word(w, seq) & window_bit(seq);
	for (size_t k = 0; k < w->i; k++)
		if (w->arr[k].seq == seq)
			return true;
	return false;
}

/* The next first copy, or NULL. Numbers that were never sent are ignored. */
static const struct stream_arrival *walk_next(struct walk *w)
{
	for (; w->i < w->n; w->i++) {
		const struct stream_arrival *p = &w->arr[w->i];

		if (p->seq >= w->sent)
			continue;
		w->late = p->seq < w->next_expected;
		if (w->late && walk_is_copy(w, p->seq)) {
			w->duplicates++;
			continue;
		}
		if (!w->late)
			window_advance(w, p->seq);
		if (w->next_expected - p->seq <= WINDOW)
			*window_word(w, p->seq) |= window_bit(p->seq);
		w->i++;
		return p;
	}
	return NULL;
}

/* ---- latency ---------------------------------------------------------------
 */

/* The latency that @k others precede; all are within @lo..@hi. */
static int64_t kth_latency(const struct walk *start, uint64_t k, int64_t lo,
			   int64_t hi)
{
	while (lo < hi) {
		const struct stream_arrival *p;
		struct walk w = *start;
		int64_t mid = lo + (hi - lo) / 2;
		uint64_t below = 0;

		while ((p = walk_next(&w)))
			below += p->received_ns - p->sent_ns <= mid;
		if (below > k)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

static double latency_at(const struct walk *start, uint64_t received, double q,
			 int64_t lo, int64_t hi)
{
	double at = q * (double)(received - 1), low;
	uint64_t k = (uint64_t)floor(at);

	low = (double)kth_latency(start, k, lo, hi);
	if (at <= (double)k)
		return low;
	return low + ((double)kth_latency(start, k + 1, lo, hi) - low) *
			     (at - (double)k);
}

/* ---- gaps ------------------------------------------------------------------
 */

struct gap_search {
	struct stream_score *out;
	int64_t start_ns;
	double interval_ns;
	double last_ns; /* when the packet before came, since start */
	bool any;	/* one did come */
};

/* A packet came, or would have; @p is NULL for the one after the last. */
static void gap_judge(struct gap_search *g, double came_ns,
		      const struct stream_arrival *p)
{
	double gap = came_ns - g->last_ns - g->interval_ns;

	if (gap > g->out->longest_gap_ns) {
		g->out->longest_gap_ns = gap;
		g->out->gap_start_ns = g->any ? g->last_ns : 0;
		g->out->recovered_ns =
			p ? (double)(p->sent_ns - g->start_ns) : (double)NAN;
	}
	g->last_ns = came_ns;
	g->any = true;
}

static void find_gap(const struct walk *start, double latency_ns,
		     double rate_pps, int64_t start_ns,
		     struct stream_score *out)
{
	struct gap_search g = {.out = out, .start_ns = start_ns};
	const struct stream_arrival *p;
	struct walk w = *start;

	g.interval_ns = rate_pps > 0 ? 1e9 / rate_pps : 0;
	g.last_ns = latency_ns - g.interval_ns;
	while ((p = walk_next(&w)))
		gap_judge(&g, (double)(p->received_ns - start_ns), p);
	gap_judge(&g, (double)start->sent * g.interval_ns + latency_ns, NULL);
}

void stream_analyse(const struct stream_arrival *arr, size_t n, uint64_t sent,
		    double rate_pps, int64_t start_ns, struct stream_score *out)
{
	int64_t lo = INT64_MAX, hi = INT64_MIN;
	const struct stream_arrival *p;
	struct walk start, w;

	*out = (struct stream_score){.sent = sent};
	out->recovered_ns = out->latency_p50_ns = out->latency_p99_ns =
		out->latency_max_ns = (double)NAN;
	walk_init(&start, arr, n, sent);
	w = start;
	while ((p = walk_next(&w))) {
		int64_t latency = p->received_ns - p->sent_ns;

		lo = latency < lo ? latency : lo;
		hi = latency > hi ? latency : hi;
		out->received++;
		out->reordered += w.late;
	}
	out->duplicated = w.duplicates;
	out->lost = sent - out->received;
	if (rate_pps > 0)
		out->outage_ns = (double)out->lost / rate_pps * 1e9;
	find_gap(&start, out->received ? (double)lo : 0, rate_pps, start_ns,
		 out);
	if (!out->received)
		return;
	out->latency_p50_ns = latency_at(&start, out->received, 0.5, lo, hi);
	out->latency_p99_ns = latency_at(&start, out->received, 0.99, lo, hi);
	out->latency_max_ns = (double)hi;
}

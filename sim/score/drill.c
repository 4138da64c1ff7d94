/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A drill is a window of a constant-rate stream, from an event to the next one
 * or the end. What belongs to it is decided by when a packet was due, not by
 * when it came: a packet that is late belongs to the failure that delayed it.
 * One byte for each packet of the window tells whether it has come.
 */
#include "score.h"

#include <math.h>
#include <string.h>

struct window {
	const struct stream_trace *t;
	double interval_ns;
	uint64_t first, last; /* packets first..last-1 */
	uint8_t *seen;
};

static uint64_t due_by(const struct stream_trace *t, double interval_ns,
		       int64_t at_ns)
{
	double n = ceil((double)(at_ns - t->start_ns) / interval_ns);

	if (n < 0)
		return 0;
	return n > (double)t->sent ? t->sent : (uint64_t)n;
}

/* Whether @p is the first copy of its number; only the window is known. */
static bool take(struct window *w, const struct stream_arrival *p,
		 struct drill_score *out)
{
	uint8_t *seen;

	if (p->seq < w->first || p->seq >= w->last)
		return true;
	seen = &w->seen[p->seq - w->first];
	if (*seen) {
		out->duplicated++;
		return false;
	}
	*seen = 1;
	if (p->received_ns - p->sent_ns > DRILL_LATE_NS)
		out->late++;
	return true;
}

static void judge_gap(struct drill_score *out, int64_t since_ns,
		      int64_t until_ns, double interval_ns)
{
	double gap = (double)(until_ns - since_ns) - interval_ns;

	if (gap > out->gap_ns)
		out->gap_ns = gap;
}

/* Lost ones, and when the last of them was over: loss-derived (RFC 6412). */
static void count_lost(const struct window *w, int64_t from_ns,
		       struct drill_score *out)
{
	uint64_t next = 0;

	for (uint64_t i = w->first; i < w->last; i++) {
		if (w->seen[i - w->first])
			continue;
		out->lost++;
		next = i + 1;
	}
	if (out->lost && next == w->last)
		out->recover_ns = (double)NAN; /* not within the window */
	else if (out->lost)
		out->recover_ns = (double)(w->t->start_ns - from_ns) +
				  (double)next * w->interval_ns;
}

void drill_analyse(const struct stream_trace *t, int64_t from_ns, int64_t to_ns,
		   struct arena *a, struct drill_score *out)
{
	struct window w = {.t = t, .interval_ns = 1e9 / t->rate_pps};
	int64_t last_ns = t->start_ns > from_ns ? t->start_ns : from_ns;
	int64_t last, end_ns;
	uint32_t newest = 0;

	*out = (struct drill_score){0};
	w.first = due_by(t, w.interval_ns, from_ns);
	w.last = due_by(t, w.interval_ns, to_ns);
	if (w.first >= w.last)
		return;
	out->sent = w.last - w.first;
	w.seen = arena_alloc(a, out->sent);
	memset(w.seen, 0, out->sent);
	for (size_t i = 0; i < t->n; i++) {
		const struct stream_arrival *p = &t->arr[i];

		if (p->seq >= t->sent || !take(&w, p, out))
			continue;
		if (p->seq < newest && p->seq >= w.first && p->seq < w.last)
			out->reordered++;
		if (p->seq > newest)
			newest = p->seq;
		if (p->received_ns <= last_ns || last_ns >= to_ns)
			continue;
		last = p->received_ns < to_ns ? p->received_ns : to_ns;
		judge_gap(out, last_ns, last, w.interval_ns);
		last_ns = p->received_ns;
	}
	end_ns = t->start_ns + (int64_t)((double)t->sent * w.interval_ns);
	judge_gap(out, last_ns, to_ns < end_ns ? to_ns : end_ns, w.interval_ns);
	count_lost(&w, from_ns, out);
}

/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A packet goes through, in this order: the shaper, the dice, the delay.
 *
 * The shaper is a token bucket kept as one time, tat ("theoretical arrival
 * time"): when the bucket would be full again. A packet of L bytes moves tat
 * to max(tat, now) + L / rate and may depart at tat - burst / rate, or now if
 * that is past. A packet that would wait more than queue_ns is dropped and
 * leaves no trace. A superpacket departs whole, when there are tokens for all
 * of it; nothing is cut up by the shaper, whatever its burst.
 *
 * The dice are rolled four times for each packet, in a fixed order, whether or
 * not a setting needs them and before anything else is looked at. So the
 * sequence of fates depends on seed and ordinal number alone: a run with more
 * jitter loses the same packets. A packet that the queue drops uses up its
 * dice, too. A lost packet has used its share of the rate: it was sent.
 *
 * Delay: release = depart + delay +- jitter, never before the packet in
 * front. Reordering is netem's, with one difference: an express packet skips
 * the delay and so overtakes what is under way; when nothing is, there is
 * nothing to overtake and the packet takes as long as any other.
 *
 * Invariants: now (made so), depart and release never decrease.
 */
#include "impair.h"

#include <math.h>

#define NS_PER_SECOND 1e9

uint64_t impair_seed(uint64_t seed, const char *link, enum relay_dir dir)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	for (const char *c = link; *c; c++)
		h = (h ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
	h = (h ^ (uint64_t)dir) * UINT64_C(0x100000001b3);
	return h ^ (seed * UINT64_C(0x9e3779b97f4a7c15));
}

void impair_init(struct impair *im, const struct relay_impair *cfg,
		 uint64_t seed)
{
	*im = (struct impair){.cfg = *cfg,
			      .tat_ns = INT64_MIN,
			      .last_now_ns = INT64_MIN,
			      .last_depart_ns = INT64_MIN,
			      .last_release_ns = INT64_MIN};
	rng_init(&im->rng, seed);
}

void impair_set(struct impair *im, const struct relay_impair *cfg,
		int64_t now_ns)
{
	im->cfg = *cfg;
	/* A full bucket, once all that was admitted has departed. */
	im->tat_ns = im->last_depart_ns > now_ns ? im->last_depart_ns : now_ns;
}

bool impair_per_packet(const struct impair *im)
{
	return im->cfg.loss > 0 || im->cfg.reorder > 0 || im->cfg.duplicate > 0;
}

/* When the shaper lets the packet go; false: the queue is full. */
static bool shape(struct impair *im, int64_t now_ns, uint64_t wire_bytes,
		  int64_t *depart_ns)
{
	const struct relay_impair *c = &im->cfg;
	double per_byte_ns;
	int64_t tat, depart;

	*depart_ns = now_ns > im->last_depart_ns ? now_ns : im->last_depart_ns;
	if (c->rate_bps <= 0)
		return true;
	per_byte_ns = 8 * NS_PER_SECOND / c->rate_bps;
	tat = (im->tat_ns > now_ns ? im->tat_ns : now_ns) +
	      llround((double)wire_bytes * per_byte_ns);
	depart = tat - llround(c->burst_bytes * per_byte_ns);
	if (depart < *depart_ns)
		depart = *depart_ns;
	if ((double)(depart - now_ns) > c->queue_ns)
		return false;
	im->tat_ns = tat;
	*depart_ns = depart;
	return true;
}

void impair_decide(struct impair *im, int64_t now_ns, uint64_t wire_bytes,
		   struct impair_verdict *out)
{
	const struct relay_impair *c = &im->cfg;
	bool lost = rng_unit(&im->rng) < c->loss;
	bool duplicate = rng_unit(&im->rng) < c->duplicate;
	bool express = rng_unit(&im->rng) < c->reorder;
	double jitter = (2 * rng_unit(&im->rng) - 1) * c->jitter_ns;
	int64_t depart, release;
	double wait;

	*out = (struct impair_verdict){.fate = IMPAIR_QUEUE_FULL};
	if (now_ns < im->last_now_ns)
		now_ns = im->last_now_ns;
	im->last_now_ns = now_ns;
	if (!shape(im, now_ns, wire_bytes, &depart))
		return;
	im->last_depart_ns = depart;
	out->fate = lost ? IMPAIR_LOST : IMPAIR_SEND;
	if (lost)
		return;
	wait = c->delay_ns + jitter;
	release = depart + (wait > 0 ? llround(wait) : 0);
	if (release < im->last_release_ns)
		release = im->last_release_ns;
	out->duplicate = duplicate;
	out->express = express && depart < im->last_release_ns;
	out->release_ns = out->express ? depart : release;
	if (!out->express)
		im->last_release_ns = release;
}

/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Low throughput alone says nothing, and neither does a single lost frame: a
 * verdict takes the cause, counted where it happens, and the effect, seen at
 * the sender. Merged frames that are lost take the whole window with them, so
 * that no duplicate acknowledgement comes and only timers go on; that is why a
 * black hole needs both frames refused and timers that went off. The first
 * errors "too big" of a connection are path MTU discovery (RFC 1191): they make
 * the segments fit. Those that go on after that are needless, if the sender
 * gets them, and path MTU discovery that fails if it does not.
 *
 * A merged frame without DF may be fragmented, and comes through; but one whose
 * checksum was left to a card, with that word lost as well, is dropped where it
 * is put together again: a black hole at the end of the way.
 *
 * NAN compares false, so that what nobody counted never becomes a reason.
 */
#include "diagnose.h"

#include <math.h>
#include <stddef.h>

#define NOTHING_BPS  8e3  /* not even a segment a second */
#define SLOW_BPS     10e6 /* where no link has a rate to compare with */
#define SLOW_SHARE   0.5  /* of the link */
#define FULL_SHARE   0.75 /* same; headers, slow start and losses are off */
#define BUSY_SHARE   0.85 /* of a processor */
#define REFUSED_MIN  3	  /* path MTU discovery needs an error or two */
#define TIMEOUTS_MIN 2
#define FRAGMENT_MIN 0.2 /* of the packets */

static const struct {
	const char *word, *limit, *cure;
} known[DIAGNOSIS_COUNT] = {
	[DIAGNOSIS_HEALTHY] = {"healthy", "none", "nothing to cure"},
	[DIAGNOSIS_LINK] = {"link-bound", "radio", "nothing to cure"},
	[DIAGNOSIS_CPU] = {"CPU-bound", NULL, "a faster processor"},
	[DIAGNOSIS_BLACK_HOLE] =
		{"superpacket black hole (metadata lost)", "offload",
		 "gro: off on what receives for the translator, or an "
		 "attachment that keeps metadata"},
	[DIAGNOSIS_TRUNCATED] =
		{"truncated superpackets (small receive buffers)", "offload",
		 "GRO on inside the virtual machine, so that its buffers take "
		 "superpackets (guest-gro: true)"},
	[DIAGNOSIS_NEEDLESS_PTB] =
		{"needless Packet Too Big", "offload",
		 "gro: off on what receives for the translator, or an "
		 "attachment that keeps metadata"},
	[DIAGNOSIS_PMTU] = {"path MTU black hole (errors lost)", "path MTU",
			    "let ICMP errors pass, or clamp-mss"},
	[DIAGNOSIS_CHECKSUM] =
		{"partial checksum: nothing passes", "offload",
		 "tx-checksum: off on what sends to the translator, or an "
		 "attachment that keeps metadata"},
	[DIAGNOSIS_FRAGMENTS] =
		{"fragmented slow path", "offload",
		 "DF set at the sender, or a higher lowest-ipv6-mtu"},
	[DIAGNOSIS_HIDDEN] = {"shaper hides the trap", "radio",
			      "gro: off before the shaper goes"},
	[DIAGNOSIS_NATIVE] = {"native is no faster", "ends or path",
			      "nothing to cure at the translators"},
	[DIAGNOSIS_UNEXPLAINED] = {"unexplained", "unknown",
				   "not known: look at the counters"},
};

const char *diagnosis_word(enum diagnosis d)
{
	return known[d].word;
}

bool diagnosis_is_fault(enum diagnosis d)
{
	switch (d) {
	case DIAGNOSIS_BLACK_HOLE:
	case DIAGNOSIS_TRUNCATED:
	case DIAGNOSIS_NEEDLESS_PTB:
	case DIAGNOSIS_PMTU:
	case DIAGNOSIS_CHECKSUM:
	case DIAGNOSIS_FRAGMENTS:
		return true;
	case DIAGNOSIS_HEALTHY:
	case DIAGNOSIS_LINK:
	case DIAGNOSIS_CPU:
	case DIAGNOSIS_HIDDEN:
	case DIAGNOSIS_NATIVE:
	case DIAGNOSIS_UNEXPLAINED:
	case DIAGNOSIS_COUNT:
		break;
	}
	return false;
}

static bool is_slow(const struct diagnose_evidence *e)
{
	return isnan(e->link_bps) ? e->rate_bps < SLOW_BPS
				  : e->rate_bps < SLOW_SHARE * e->link_bps;
}

/* Large frames lost, and the sender left to its timers. */
static bool loses_superpackets(const struct diagnose_evidence *e)
{
	return is_slow(e) && e->timeouts >= TIMEOUTS_MIN &&
	       (e->told_too_big >= REFUSED_MIN ||
		e->send_refused >= REFUSED_MIN || e->truncated >= REFUSED_MIN ||
		e->bad_checksums >= REFUSED_MIN);
}

static enum diagnosis how_lost(const struct diagnose_evidence *e)
{
	if (e->truncated >= REFUSED_MIN)
		return DIAGNOSIS_TRUNCATED;
	if (!(e->told_too_big >= REFUSED_MIN) ||
	    e->send_refused > e->told_too_big)
		return DIAGNOSIS_BLACK_HOLE;
	return e->icmp_too_big < 1 ? DIAGNOSIS_PMTU : DIAGNOSIS_NEEDLESS_PTB;
}

static enum diagnosis decide(const struct diagnose_evidence *e)
{
	if (!(e->rate_bps > NOTHING_BPS) && e->bad_checksums > 0)
		return DIAGNOSIS_CHECKSUM;
	if (loses_superpackets(e))
		return how_lost(e);
	if (e->fragments > FRAGMENT_MIN * e->packets)
		return DIAGNOSIS_FRAGMENTS;
	if (e->rate_bps >= FULL_SHARE * e->link_bps)
		return e->armed && !(e->oversize >= REFUSED_MIN)
			       ? DIAGNOSIS_HIDDEN
			       : DIAGNOSIS_LINK;
	if (e->cpe_cpu >= BUSY_SHARE || e->plat_cpu >= BUSY_SHARE)
		return DIAGNOSIS_CPU;
	if (!is_slow(e))
		return DIAGNOSIS_HEALTHY;
	return e->native_bps > 0 && e->rate_bps >= FULL_SHARE * e->native_bps
		       ? DIAGNOSIS_NATIVE
		       : DIAGNOSIS_UNEXPLAINED;
}

struct diagnose_result diagnose(const struct diagnose_evidence *e)
{
	enum diagnosis d = decide(e);
	struct diagnose_result r = {d, known[d].limit, known[d].cure};

	if (d == DIAGNOSIS_CPU)
		r.limit = e->plat_cpu > e->cpe_cpu ? "PLAT CPU" : "CPE CPU";
	return r;
}

/* SPDX-License-Identifier: MIT */
/*
 * Lateness by time: the longest of each 10 ms in which anything was sent. By
 * packets, a burst of some milliseconds would outweigh seconds of a paced
 * stream; by time, a percentile says how likely the testbed was late at any
 * moment. PURE.
 */
#ifndef RELAY_SLOTS_H
#define RELAY_SLOTS_H

#include <stdint.h>

#include "hist.h"

#define SLOT_NS 10000000

struct slots {
	struct hist late; /* of the slots that are over */
	int64_t slot;	  /* the one under way, in SLOT_NS since boot */
	int64_t max_ns;	  /* in it; below 0: nothing sent */
};

void slots_reset(struct slots *s);
/* slots_add - a packet was sent at @now_ns, @late_ns after it was due. */
void slots_add(struct slots *s, int64_t now_ns, int64_t late_ns);
/* slots_quantile - the slot under way counts, too; 0 if nothing was sent. */
uint64_t slots_quantile(const struct slots *s, double q);

#endif

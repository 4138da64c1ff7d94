/* SPDX-License-Identifier: MIT */
/*
 * A histogram of times, for percentiles without storing samples. PURE.
 * 32 buckets to each power of two: a percentile is at most 3.2 % too high.
 */
#ifndef RELAY_HIST_H
#define RELAY_HIST_H

#include <stdint.h>

#define HIST_SUB_BITS 5
#define HIST_BUCKETS  (64 << HIST_SUB_BITS)

struct hist {
	uint64_t n, max;
	uint32_t count[HIST_BUCKETS];
};

void hist_reset(struct hist *h);
/* hist_add - a value in ns; negative ones count as 0. */
void hist_add(struct hist *h, int64_t value_ns);
/* hist_quantile - upper edge of the bucket of rank @q (0..1); 0 if empty. */
uint64_t hist_quantile(const struct hist *h, double q);

#endif

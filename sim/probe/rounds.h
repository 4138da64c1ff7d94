/* SPDX-License-Identifier: MIT */
/* What the kinds that go in rounds of native and translated come to. */
#ifndef PROBE_ROUNDS_H
#define PROBE_ROUNDS_H

#include "probe.h"

struct rounds_score {
	double ratio, low, high; /* median of the rounds' own, and interval */
	double rate, native;	 /* medians */
};

/*
 * rounds_score - set ratio, ratio-low, ratio-high, rate and native-rate of @m,
 * and its two series.
 * @native, @translated: of @n rounds each, all of them above 0
 * @unit: of a rate, for the picture
 */
struct rounds_score rounds_score(struct probe *p, struct measurement *m,
				 const double *native, const double *translated,
				 size_t n, const char *unit);

#endif

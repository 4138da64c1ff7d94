/* SPDX-License-Identifier: MIT */
/* Seeded pseudo-random numbers (xoshiro256**): repeatable, not secret. */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

struct rng {
	uint64_t s[4];
};

void rng_init(struct rng *r, uint64_t seed);
uint64_t rng_next(struct rng *r);
/* rng_below - uniform in 0..n-1, n > 0. */
uint64_t rng_below(struct rng *r, uint64_t n);
/* rng_unit - uniform in [0, 1). */
double rng_unit(struct rng *r);

#endif

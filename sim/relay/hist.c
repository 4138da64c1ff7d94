/* SPDX-License-Identifier: MIT */
#include "hist.h"

#include <string.h>

#define SUB (1u << HIST_SUB_BITS)

static unsigned int bucket_of(uint64_t v)
{
	unsigned int exp;

	if (v < SUB)
		return (unsigned int)v;
	exp = 63 - (unsigned int)__builtin_clzll(v);
	return ((exp - HIST_SUB_BITS + 1) << HIST_SUB_BITS) +
	       (unsigned int)((v >> (exp - HIST_SUB_BITS)) & (SUB - 1));
}

/* The largest value that falls into bucket @b. */
static uint64_t bucket_top(unsigned int b)
{
	unsigned int shift;

	if (b < SUB)
		return b;
	shift = (b >> HIST_SUB_BITS) - 1;
	return ((uint64_t)(SUB + (b & (SUB - 1)) + 1) << shift) - 1;
}

void hist_reset(struct hist *h)
{
	memset(h, 0, sizeof(*h));
}

void hist_add(struct hist *h, int64_t value_ns)
{
	uint64_t v = value_ns > 0 ? (uint64_t)value_ns : 0;

	h->count[bucket_of(v)]++;
	h->n++;
	if (v > h->max)
		h->max = v;
}

uint64_t hist_quantile(const struct hist *h, double q)
{
	uint64_t seen = 0, rank;

	if (!h->n)
		return 0;
	rank = (uint64_t)(q * (double)(h->n - 1)) + 1;
	for (unsigned int b = 0; b < HIST_BUCKETS; b++) {
		seen += h->count[b];
		if (seen >= rank) {
			uint64_t top = bucket_top(b);

			return top < h->max ? top : h->max;
		}
	}
	return h->max;
}

/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation: tokens are kept as the time it took to earn them, so
 * that no remainder of a token is lost between calls. credit_ns is at most
 * what burst tokens cost. A token costs a whole number of nanoseconds.
 */
#include "ratelimit.h"

#define SECOND INT64_C(1000000000)

static int64_t token_ns(const struct ratelimit *r)
{
	return SECOND / r->rate_pps;
}

void ratelimit_init(struct ratelimit *r, uint32_t rate_pps, uint32_t burst,
		    int64_t now_ns)
{
	/* More than one token a nanosecond is beyond any clock. */
	if (rate_pps > SECOND)
		rate_pps = (uint32_t)SECOND;
	*r = (struct ratelimit){
		.rate_pps = rate_pps,
		.burst = burst ? burst : 1,
		.last_ns = now_ns,
	};
	if (rate_pps)
		r->credit_ns = token_ns(r) * r->burst;
}

bool ratelimit_allow(struct ratelimit *r, int64_t now_ns)
{
	int64_t full, earned;

	if (!r->rate_pps)
		return false;
	full = token_ns(r) * r->burst;
	earned = now_ns > r->last_ns ? now_ns - r->last_ns : 0;
	r->last_ns = now_ns;
	r->credit_ns =
		earned >= full - r->credit_ns ? full : r->credit_ns + earned;
	if (r->credit_ns < token_ns(r))
		return false;
	r->credit_ns -= token_ns(r);
	return true;
}

/* SPDX-License-Identifier: MIT */
/* A token bucket that is told the time. */
#ifndef CORE_RATELIMIT_H
#define CORE_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct ratelimit {
	uint32_t rate_pps; /* tokens a second; 0: nothing ever passes */
	uint32_t burst;	   /* most tokens held, at least 1 */
	int64_t credit_ns; /* private: tokens, as time */
	int64_t last_ns;   /* private */
};

/* ratelimit_init - a full bucket. @now_ns: any clock that does not go back. */
void ratelimit_init(struct ratelimit *r, uint32_t rate_pps, uint32_t burst,
		    int64_t now_ns);

/*
 * ratelimit_allow - take one token; false when there is none.
 * A clock that went back counts as standing still. Context: pure.
 * RFC 4443 section 2.4 (f), RFC 1812 section 4.3.2.8.
 */
bool ratelimit_allow(struct ratelimit *r, int64_t now_ns);

#endif

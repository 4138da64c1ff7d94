/* SPDX-License-Identifier: MIT */
/* The fate of each packet of one direction. PURE: time is an argument. */
#ifndef RELAY_IMPAIR_H
#define RELAY_IMPAIR_H

#include <stdbool.h>

#include "../../xlat/base/rng.h"
#include "relay.h"

enum impair_fate {
	IMPAIR_SEND,
	IMPAIR_LOST,	   /* by the dice; its air time was used */
	IMPAIR_QUEUE_FULL, /* would have waited longer than queue_ns */
};

struct impair {
	struct relay_impair cfg;
	struct rng rng;
	int64_t tat_ns; /* when the bucket would be full again */
	int64_t last_now_ns, last_depart_ns, last_release_ns;
};

struct impair_verdict {
	enum impair_fate fate;
	bool duplicate;	    /* a copy follows at the same time */
	bool express;	    /* skips the delay, and so overtakes others */
	int64_t release_ns; /* not before; valid with IMPAIR_SEND */
};

/*
 * impair_seed - a seed for one direction of one link, so that adding a link
 * to a world leaves the dice of the others alone.
 */
uint64_t impair_seed(uint64_t seed, const char *link, enum relay_dir dir);

/* impair_init - @seed fixes the whole sequence of dice. */
void impair_init(struct impair *im, const struct relay_impair *cfg,
		 uint64_t seed);

/* impair_set - new settings from @now_ns on; the dice roll on. */
void impair_set(struct impair *im, const struct relay_impair *cfg,
		int64_t now_ns);

/* impair_per_packet - whether superpackets must be cut up beforehand. */
bool impair_per_packet(const struct impair *im);

/*
 * impair_decide - one packet that arrived at @now_ns.
 * @wire_bytes: what it is on the wire at layer 2, a superpacket's repeated
 * headers included
 *
 * Which packets (by ordinal number) are lost, duplicated, reordered depends on
 * the seed alone, not on time, size or the other settings. release_ns never
 * decreases, over all packets that are not express; nor over those that are.
 */
void impair_decide(struct impair *im, int64_t now_ns, uint64_t wire_bytes,
		   struct impair_verdict *out);

#endif

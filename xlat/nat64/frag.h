/* SPDX-License-Identifier: MIT */
/*
 * RFC 6146 section 3.4: ports of fragments that carry none, remembered from
 * the first fragment of the same datagram. PURE.
 */
#ifndef NAT64_FRAG_H
#define NAT64_FRAG_H

#include <linux/types.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "../base/clock.h"

struct nat64_frag_key {
	struct in6_addr src, dst; /* IPv4: the last four bytes */
	uint32_t id;
	uint8_t proto;
	bool v6;
};

/* nat64_frag_hash - 32 bits that nobody can aim without knowing @seed. */
uint64_t nat64_frag_hash(const struct nat64_frag_key *k, uint64_t seed);
bool nat64_frag_same(const struct nat64_frag_key *a,
		     const struct nat64_frag_key *b);

#define NAT64_FRAG_SETS	   256
#define NAT64_FRAG_WAYS	   4
#define NAT64_FRAG_LIFE_NS (10 * NS_PER_S) /* unless told otherwise */

struct nat64_frag_entry {
	struct nat64_frag_key key;
	struct mono until;
	__be16 sport, dport;
};

struct nat64_frags {
	uint64_t seed;
	int64_t life_ns; /* of what comes; the RFC's default is 2 s at least */
	struct nat64_frag_entry e[NAT64_FRAG_SETS][NAT64_FRAG_WAYS];
};

/* nat64_frags_init - empty; @seed keeps others from aiming at one set. */
void nat64_frags_init(struct nat64_frags *t, uint64_t seed);

/*
 * nat64_frag_add - remember the ports of a first fragment. The entry that
 * would have died first makes room.
 * nat64_frag_find - ports for a later one; false when none are known (yet:
 * see held.h).
 */
void nat64_frag_add(struct nat64_frags *t, const struct nat64_frag_key *key,
		    __be16 sport, __be16 dport, struct mono now);
/* nat64_frag_forget - what comes of this datagram has to wait. */
void nat64_frag_forget(struct nat64_frags *t, const struct nat64_frag_key *key);
bool nat64_frag_find(const struct nat64_frags *t,
		     const struct nat64_frag_key *key, struct mono now,
		     __be16 *sport, __be16 *dport);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * RFC 7422: a port block for each subscriber by arithmetic, so that the
 * configuration alone says who had an address and port. PURE.
 */
#ifndef NAT64_BLOCKS_H
#define NAT64_BLOCKS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "../base/addr.h"

/*
 * The subscribers are the prefixes of subscriber_len bits inside of
 * @subscribers, counted from 0; the blocks are those of the first address of
 * pool4 (in the order of their numbers), then the next. Both ends included.
 */
struct nat64_blocks {
	struct prefix6 subscribers;
	uint8_t subscriber_len;
	uint16_t low, high; /* what all addresses have, for all protocols */
	uint32_t size;	    /* ports of a block; 0: no blocks */
};

/* nat64_blocks_each - blocks of one address. */
uint32_t nat64_blocks_each(const struct nat64_blocks *b);

/* nat64_blocks_fit - can each subscriber have one, of so many addresses? */
bool nat64_blocks_fit(const struct nat64_blocks *b, uint32_t addresses);

/*
 * nat64_blocks_find - the block of the subscriber that @host belongs to:
 * index of the address, and the first port. False: he is none.
 */
bool nat64_blocks_find(const struct nat64_blocks *b,
		       const struct in6_addr *host, uint32_t *addr,
		       uint16_t *low);

/* nat64_blocks_owner - whose block holds @port of address number @addr. */
bool nat64_blocks_owner(const struct nat64_blocks *b, uint32_t addr,
			uint16_t port, struct prefix6 *out);

#endif

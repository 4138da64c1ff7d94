/* SPDX-License-Identifier: MIT */
/*
 * RFC 6146 section 3.4: fragments that overtook the first one of their
 * datagram, kept until that tells their ports. PURE.
 */
#ifndef NAT64_HELD_H
#define NAT64_HELD_H

#include "frag.h"

#define NAT64_HELD_BYTES   (2u << 20) /* of packets, all together */
#define NAT64_HELD_PACKETS 4096u
#define NAT64_HELD_BUCKETS 1024u
#define NAT64_HELD_SOURCES 256u
#define NAT64_HELD_SHARE   16u /* no source has more than one in 16 of either */
#define NAT64_HELD_NONE	   UINT32_MAX

struct nat64_held_entry {
	struct nat64_frag_key key;
	struct mono until;
	uint32_t at, len; /* where in data[] */
	uint32_t next;	  /* later one of the bucket */
	uint32_t source;
	bool taken;
};

struct nat64_held {
	uint64_t seed;
	uint32_t n;	       /* held now */
	uint32_t oldest, used; /* a ring of e[]: taken ones, too */
	uint32_t bucket[NAT64_HELD_BUCKETS];
	struct {
		uint32_t packets, bytes;
	} source[NAT64_HELD_SOURCES];
	struct nat64_held_entry e[NAT64_HELD_PACKETS];
	uint8_t data[NAT64_HELD_BYTES];
};

/* nat64_held_init - empty; @seed keeps others from aiming at one bucket. */
void nat64_held_init(struct nat64_held *t, uint64_t seed);

/*
 * nat64_held_add - keep a packet of datagram @key for @life_ns.
 * @packet: from its IP header, at most 65575 bytes
 * False when there is no room: all of it is taken, or this source's share of
 * it. Nothing that is held makes room: a flood must not push out the honest.
 */
bool nat64_held_add(struct nat64_held *t, const struct nat64_frag_key *key,
		    const void *packet, uint32_t len, struct mono now,
		    int64_t life_ns);

/*
 * nat64_held_take - the packet of @key that came first, which is forgotten.
 * @room: of @packet, in bytes; what does not fit is cut (so give it enough)
 * Returns its length; 0 when none is held. Late ones are given, too, until
 * nat64_held_expire has seen them.
 */
uint32_t nat64_held_take(struct nat64_held *t, const struct nat64_frag_key *key,
			 void *packet, uint32_t room);

/* nat64_held_expire - forget what is over. Returns how many packets. */
uint32_t nat64_held_expire(struct nat64_held *t, struct mono now);

/* nat64_held_check - is it consistent? NULL, or what is not. For tests. */
const char *nat64_held_check(const struct nat64_held *t);

#endif

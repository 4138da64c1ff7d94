/* SPDX-License-Identifier: MIT */
/*
 * RFC 6146 section 3.5.2.2: SYNs from the IPv4 side that nothing admits yet,
 * kept for a while in the hope of a simultaneous open (RFC 5382 REQ-4). PURE.
 */
#ifndef NAT64_SYN_H
#define NAT64_SYN_H

#include "nat64.h"

#define NAT64_SYN_SETS	256
#define NAT64_SYN_WAYS	4
#define NAT64_SYN_BYTES 120 /* the longest IPv4 and TCP headers */
#define NAT64_SYN_NS	(6 * NS_PER_S)
#define NAT64_SYN_HOSTS 1024
#define NAT64_SYN_SHARE (NAT64_SYN_SETS * NAT64_SYN_WAYS / 16) /* of a host */

struct nat64_syn {
	struct in_addr src4, dst4; /* (T,t) and (Z,z), as in a session */
	__be16 src4_port, dst_port;
	struct mono until; /* 0: free */
	uint16_t len;
	uint8_t data[NAT64_SYN_BYTES]; /* the packet */
};

struct nat64_syns {
	uint64_t seed;
	uint32_t n; /* stored now */
	uint32_t cursor;
	uint16_t by_host[NAT64_SYN_HOSTS]; /* stored now, by hash of dst4 */
	struct nat64_syn e[NAT64_SYN_SETS][NAT64_SYN_WAYS];
};

/* nat64_syns_init - empty; @seed keeps others from aiming at one set. */
void nat64_syns_init(struct nat64_syns *t, uint64_t seed);

/*
 * nat64_syn_store - keep a SYN of flow @f (src4, src4_port, dst4, dst_port).
 * One that is stored already keeps its time: retransmissions change nothing.
 * @packet: the whole packet, from its IPv4 header
 * Returns REASON_NAT64_SYN_QUEUE, or REASON_NAT64_SYN_FULL when its set is
 * full, its host has NAT64_SYN_SHARE stored already, or the packet is longer
 * than NAT64_SYN_BYTES. Nothing that is stored makes room: a flood must not
 * push out an honest SYN.
 */
enum reason nat64_syn_store(struct nat64_syns *t, const struct nat64_flow *f,
			    const void *packet, size_t len, struct mono now);

/* nat64_syn_take - forget the SYN of @f; whether there was one, in time. */
bool nat64_syn_take(struct nat64_syns *t, const struct nat64_flow *f,
		    struct mono now);

/*
 * nat64_syn_expire - the next SYN whose time is over, which is forgotten:
 * @out is a copy. False when there is none, after looking at @budget places.
 */
bool nat64_syn_expire(struct nat64_syns *t, struct mono now,
		      unsigned int budget, struct nat64_syn *out);

#endif

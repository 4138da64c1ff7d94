/* SPDX-License-Identifier: MIT */
/*
 * What the fast path's two halves share: the program in the kernel
 * (fast.bpf.c) and the daemon's side of it (fastpath.c). Plain types only;
 * addresses are in network order, everything else in host order.
 */
#ifndef BPF_FAST_H
#define BPF_FAST_H

#include <linux/types.h>

#define FAST_PAIRS 16384 /* pairs of addresses that are known, a family */
#define FAST_FLOWS 16384 /* directions of sessions that are known, a family */

/* The one element of `config`. */
struct fast_cfg {
	__u64 until_ns;	   /* CLOCK_MONOTONIC: translate no later than this */
	__u32 generation;  /* pairs of another one do not count */
	__u32 ifindex;	   /* of the TUN device */
	__u32 mtu4, mtu6;  /* bytes, of the next hops */
	__u32 lowest_mtu6; /* bytes: without DF no longer than this */
	__u8 set_tos, tos; /* 6 to 4: TOS is tos */
	__u8 zero_tc;	   /* 4 to 6: traffic class is 0 */
	__u8 stateful;	   /* by flows, not by pairs */
};

struct fast_pair6 {
	__u32 src[4], dst[4];
};

struct fast_pair4 {
	__u32 src, dst;
};

/* What becomes of the addresses of an IPv6 packet: `pairs6`. */
struct fast_to4 {
	struct fast_pair4 to;
	__u32 generation;
};

/* And of an IPv4 packet: `pairs4`. */
struct fast_to6 {
	struct fast_pair6 to;
	__u32 generation;
};

/* One direction of a session: what a packet has that belongs to it. Sessions
 * are the daemon's; it asks when they were used. */
struct fast_flow6 {
	struct fast_pair6 pair;
	__u16 sport, dport;
	__u32 proto;
};

struct fast_flow4 {
	struct fast_pair4 pair;
	__u16 sport, dport;
	__u32 proto;
};

/* What becomes of it: `flows6`, the source port is `port`. */
struct fast_flow_to4 {
	struct fast_pair4 to;
	__u32 generation;
	__u16 port, pad;
	__u64 used_ns; /* CLOCK_MONOTONIC, coarse; 0: never */
};

/* `flows4`, the destination port is `port`. */
struct fast_flow_to6 {
	struct fast_pair6 to;
	__u32 generation;
	__u16 port, pad;
	__u64 used_ns;
};

enum fast_direction { FAST_64, FAST_46, FAST_DIRECTIONS };

/* Of one processor and one direction: an element of `counts`. */
struct fast_counts {
	__u64 packets, bytes, superpackets; /* bytes: as received, from IP on */
};

#endif

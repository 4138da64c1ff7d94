/* SPDX-License-Identifier: MIT */
/*
 * The fast path: what the daemon has translated is repeated in the kernel, by
 * pairs of addresses, or by the sessions of a stateful translator. See
 * fastpath.c.
 */
#ifndef BPF_FASTPATH_H
#define BPF_FASTPATH_H

#include <linux/types.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/clock.h"
#include "../base/err.h"

/* How often fastpath_tend() wants to be called at least. */
#define FASTPATH_TEND_NS    (100 * NS_PER_MS)
#define FASTPATH_INTERFACES 64 /* at most */

struct fastpath;

/* How packets are translated, as in struct xlat_cfg. */
struct fastpath_rules {
	uint32_t mtu4, mtu6, lowest_mtu6; /* bytes */
	bool set_tos;
	uint8_t tos;
	bool zero_tc;
};

/* A session, as RFC 6146 names its ends; network order. */
struct fastpath_flow {
	struct in6_addr src6, dst6;
	struct in_addr src4, dst4;
	__be16 src6_port, src4_port, dst_port;
	uint8_t proto; /* IPPROTO_TCP or IPPROTO_UDP */
};

struct fastpath_stats {
	struct {
		uint64_t packets, bytes, superpackets;
	} v6, v4;	      /* translated, by the family they came in */
	uint64_t offered;     /* pairs or flows that the kernel was told */
	uint64_t limited;     /* that it was not: too many a second */
	uint64_t full;	      /* pairs or flows that found no room */
	uint64_t flows;	      /* directions of sessions it knows now */
	uint64_t generations; /* times that all were forgotten */
};

/*
 * fastpath_built - was xlatd built with it? Without clang it is not.
 */
bool fastpath_built(void);

/*
 * fastpath_open - load the program, attach it at the ingress of @interfaces.
 * @tun: the TUN device, which is there; packets appear from it
 * @interfaces: names of @n Ethernet interfaces, at most FASTPATH_INTERFACES;
 * one that is not there is waited for. The names stay the caller's
 * @stateful: it is offered flows, not pairs
 *
 * Nothing is translated before fastpath_change() and fastpath_tend(). NULL
 * with @e set: not built, no Ethernet, no permission, a
 * kernel without tc's BPF. Context: syscalls, CAP_NET_ADMIN and CAP_BPF.
 */
struct fastpath *fastpath_open(const char *tun, const char *const *interfaces,
			       size_t n, bool stateful, struct mono now,
			       struct err *e);

/* fastpath_close - detach, free. NULL is fine. */
void fastpath_close(struct fastpath *f);

/*
 * fastpath_change - translation follows other rules, or other mappings: every
 * pair is forgotten at once.
 */
void fastpath_change(struct fastpath *f, const struct fastpath_rules *rules);

/*
 * fastpath_offer64 / fastpath_offer46 - these addresses became those. Cheap
 * when it was said lately; a system call otherwise, at a limited rate.
 */
void fastpath_offer64(struct fastpath *f, const struct in6_addr *src6,
		      const struct in6_addr *dst6, struct in_addr src4,
		      struct in_addr dst4, struct mono now);
void fastpath_offer46(struct fastpath *f, struct in_addr src4,
		      struct in_addr dst4, const struct in6_addr *src6,
		      const struct in6_addr *dst6, struct mono now);

/*
 * fastpath_wants_flow - a packet of this session was translated, from the IPv6
 * side or from the other: is it time to tell the kernel? After some of them,
 * or at once if @bulk: it was a superpacket. Never for what it knows.
 * fastpath_tell_flow - do so.
 */
bool fastpath_wants_flow(struct fastpath *f, const struct fastpath_flow *flow,
			 bool from6, bool bulk, struct mono now);
void fastpath_tell_flow(struct fastpath *f, const struct fastpath_flow *flow,
			bool from6, struct mono now);

/*
 * fastpath_withdraw_flow - the session has ended, or its next packets matter:
 * both directions are the daemon's again. Cheap when they were anyway.
 */
void fastpath_withdraw_flow(struct fastpath *f,
			    const struct fastpath_flow *flow);

/*
 * fastpath_walk - call @fn for flows that were used since they were looked at
 * last; false: the kernel is to forget it. Those idle for a minute are
 * forgotten anyhow. Looks at a part of all at a time: all within
 * FASTPATH_WALK_NS, if called every FASTPATH_TEND_NS. @fn may not call back.
 */
typedef bool fastpath_walk_fn(void *arg, const struct fastpath_flow *flow,
			      bool from6);
#define FASTPATH_WALK_NS NS_PER_S
void fastpath_walk(struct fastpath *f, struct mono now, fastpath_walk_fn *fn,
		   void *arg);

/*
 * fastpath_tend - the daemon is alive at @now (CLOCK_MONOTONIC). A second
 * without it, and the kernel leaves all packets to the daemon.
 */
void fastpath_tend(struct fastpath *f, struct mono now);

/*
 * fastpath_fd - readable when a route, a rule or an interface has changed.
 * fastpath_look() then forgets every pair, for some may not be ours to
 * translate any more, and attaches to interfaces that have come.
 */
int fastpath_fd(const struct fastpath *f);
void fastpath_look(struct fastpath *f, struct mono now);

/* fastpath_program - its descriptor, for tests that run it by itself. */
int fastpath_program(const struct fastpath *f);

void fastpath_get_stats(const struct fastpath *f, struct fastpath_stats *st);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The fast path of a stateless translator: what the daemon has translated once
 * is repeated in the kernel, by pairs of addresses. See fastpath.c.
 */
#ifndef BPF_FASTPATH_H
#define BPF_FASTPATH_H

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

struct fastpath_stats {
	struct {
		uint64_t packets, bytes, superpackets;
	} v6, v4;	      /* translated, by the family they came in */
	uint64_t offered;     /* pairs that were told to the kernel */
	uint64_t limited;     /* pairs that were not: too many a second */
	uint64_t generations; /* times that all pairs were forgotten */
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
 *
 * Nothing is translated before fastpath_change() and fastpath_tend(). NULL
 * with @e set: not built, no Ethernet, no permission, a
 * kernel without tc's BPF. Context: syscalls, CAP_NET_ADMIN and CAP_BPF.
 */
struct fastpath *fastpath_open(const char *tun, const char *const *interfaces,
			       size_t n, struct mono now, struct err *e);

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

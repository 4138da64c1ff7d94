/* SPDX-License-Identifier: MIT */
/*
 * The operator's address plan. PURE.
 *
 * The IPv6 prefix is cut into blocks of (at least) four more bits. Block 0 is
 * infrastructure; towers get the others in the leftmost order of RFC 3531
 * section 3.1 (counting with the bits mirrored: 1000, 0100, 1100, 0010, ...),
 * so that each block can still grow into its free neighbours.
 *
 *	infrastructure	/64 number 0	loopbacks, ::1 and up
 *			/64 number n	the n-th router link, ::1 and ::2
 *	a tower		/56 number 0	its own: /64 number k is the link to
 *					its k-th CPE
 *			/56 number k	delegated to its k-th home: /64 number
 *					1 is the LAN, the first /96 of /64
 *					number 2 is the CLAT's
 *
 * The infrastructure's IPv4 prefix: loopbacks from its start, one /30 a router
 * link from its middle.
 */
#ifndef PLAN_ADDRPLAN_H
#define PLAN_ADDRPLAN_H

#include "../../xlat/base/addr.h"
#include "../../xlat/base/err.h"

#define ADDRPLAN_MIN_LEN 32
#define ADDRPLAN_MAX_LEN 44

struct addrplan {
	struct prefix6 operator_prefix;
	struct prefix4 infra4;
	uint8_t block_bits;
	uint64_t n_loops, n_links6;
	uint32_t n_links4;
	uint32_t n_homes4;
};

/* What the k-th home of a tower gets. */
struct addrplan_home {
	struct prefix6 wan;	  /* /64 between CPE and tower */
	struct prefix6 delegated; /* /56 */
	struct prefix6 lan;	  /* /64 */
	struct prefix6 clat;	  /* /96 */
};

/*
 * addrplan_init - begin a plan for @n_towers towers.
 * Returns 0, or -ERANGE when @op is not a /32 to /44 (@e says so).
 */
int addrplan_init(struct addrplan *ap, const struct prefix6 *op,
		  const struct prefix4 *infra4, size_t n_towers, struct err *e);

/* addrplan_mirror - the low @bits bits of @n in reverse order. */
uint64_t addrplan_mirror(uint64_t n, unsigned int bits);

/*
 * addrplan_block - the @n-th block in the order of handing out; 0 is the
 * infrastructure's, the tower with index i has block i + 1. -ERANGE.
 */
int addrplan_block(const struct addrplan *ap, uint64_t n, struct prefix6 *out);

/* addrplan_home - home @k (from 1) of the tower with index @tower; -ERANGE. */
int addrplan_home(const struct addrplan *ap, uint64_t tower, uint64_t k,
		  struct addrplan_home *out);

/* The next free loopback or link of either family; -ERANGE when all are gone.
 * A router takes loop6 and loop4 of the same number. */
int addrplan_next_loop(struct addrplan *ap, struct in6_addr *loop6,
		       struct in_addr *loop4);
int addrplan_next_link6(struct addrplan *ap, struct prefix6 *out);
int addrplan_next_link4(struct addrplan *ap, struct prefix4 *out);

/* addrplan_customers4 - where homes have IPv4 addresses: infra4's last quarter.
 */
int addrplan_customers4(const struct addrplan *ap, struct prefix4 *out);
/* addrplan_next_home4 - the next home's link (/30) and LAN (/29); -ERANGE. */
int addrplan_next_home4(struct addrplan *ap, struct prefix4 *wan,
			struct prefix4 *lan);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * How a host comes by an address and a port of pool4: by its first packet, or
 * because it asked for a mapping (RFC 6887), which then stays without sessions
 * for as long as whoever granted it keeps it.
 */
#include <arpa/inet.h>

#include "nat64_internal.h"

/* The address of pool4 that this host's subscriber is given first. */
static uint32_t home_address(const struct nat64 *n, const struct in6_addr *a)
{
	uint64_t w[2];

	subscriber_prefix(n->subscriber_len, a, w);
	return (uint32_t)(nat64_hash(n, w, 2) % n->pool.n);
}

/* A port for @f's host; where there are blocks, out of his. */
static enum reason pick_port(struct nat64 *n, const struct nat64_flow *f,
			     uint32_t *addr, uint16_t *port)
{
	uint64_t w[2] = {n->picks, ~n->picks}, random = nat64_hash(n, w, 2);
	uint16_t want = ntohs(f->src6_port), low;

	n->picks++;
	if (!n->blocks.size) {
		if (pool_pick(&n->pool, f->proto, home_address(n, &f->src6),
			      want, random, addr, port))
			return REASON_OK;
		n->stats.no_port++;
		return REASON_NAT64_NO_PORT;
	}
	if (nat64_blocks_find(&n->blocks, &f->src6, addr, &low) &&
	    pool_pick_within(&n->pool, f->proto, *addr, low,
			     (uint16_t)(low + n->blocks.size - 1), want, random,
			     port))
		return REASON_OK;
	n->stats.limited_ports++;
	return REASON_NAT64_HOST_PORTS;
}

/* What a host asked for, if it is there and the host's to have. A port at
 * rest is for nobody (RFC 6888 REQ-8). */
static bool take_wanted(struct nat64 *n, const struct nat64_flow *f,
			const struct nat64_want *want, uint32_t *addr,
			uint16_t *port)
{
	struct nat64_flow g = *f;

	*port = want->port;
	*addr = want->addr.s_addr ? pool_find(&n->pool, want->addr)
				  : home_address(n, &f->src6);
	if (*addr == NONE || !*port)
		return false;
	g.src4 = n->pool.addrs[*addr];
	g.src4_port = htons(*port);
	if (n->blocks.size && !nat64_in_block(n, &g))
		return false;
	return pool_is_free(&n->pool, *addr, f->proto, *port) &&
	       pool_take(&n->pool, *addr, f->proto, *port);
}

enum reason binding_new(struct nat64 *n, struct nat64_flow *f,
			const struct nat64_want *want, struct mono now,
			uint32_t *b)
{
	enum reason why;
	uint32_t addr;
	uint16_t port;

	if (free_is_out(&n->free_bibs)) {
		n->stats.bibs_full++;
		return REASON_NAT64_TABLE_FULL;
	}
	why = subscriber_may_bind(n, &f->src6, now);
	if (why) {
		n->stats.limited_ports += why == REASON_NAT64_HOST_PORTS;
		n->stats.limited_rate += why == REASON_NAT64_HOST_RATE;
		return why;
	}
	if (!want || !take_wanted(n, f, want, &addr, &port))
		why = want && want->only ? REASON_NAT64_NO_PORT
					 : pick_port(n, f, &addr, &port);
	if (why)
		return why;
	f->src4 = n->pool.addrs[addr];
	f->src4_port = htons(port);
	*b = bib_add(n, f, addr);
	subscriber_pay(n, n->bibs[*b].subscriber, now);
	return REASON_OK;
}

enum reason nat64_map(struct nat64 *n, struct nat64_flow *f,
		      const struct nat64_want *want, struct mono now)
{
	uint32_t b = bib_find6(n, f->proto, &f->src6, f->src6_port);
	enum reason why;

	if (b == NONE) {
		why = binding_new(n, f, want, now, &b);
		if (why)
			return why;
	} else if (want && want->only &&
		   ((want->addr.s_addr &&
		     want->addr.s_addr != n->bibs[b].src4.s_addr) ||
		    (want->port &&
		     htons(want->port) != n->bibs[b].src4_port))) {
		return REASON_NAT64_NO_PORT;
	}
	n->bibs[b].flags |= ENTRY_MAPPED;
	f->src4 = n->bibs[b].src4;
	f->src4_port = n->bibs[b].src4_port;
	return REASON_OK;
}

bool nat64_unmap(struct nat64 *n, const struct nat64_flow *f)
{
	uint32_t b = bib_find6(n, f->proto, &f->src6, f->src6_port);

	if (b == NONE || !(n->bibs[b].flags & ENTRY_MAPPED))
		return false;
	n->bibs[b].flags &= (uint8_t)~ENTRY_MAPPED;
	if (!n->bibs[b].n_sessions && !(n->bibs[b].flags & ENTRY_STATIC))
		bib_del(n, b);
	return true;
}

bool nat64_find_bib(const struct nat64 *n, const struct nat64_flow *f,
		    struct nat64_bib_info *out)
{
	uint32_t b = bib_find6(n, f->proto, &f->src6, f->src6_port);

	if (b == NONE)
		return false;
	bib_describe(&n->bibs[b], out);
	return true;
}

/* SPDX-License-Identifier: MIT */
/* ICMP errors of our own about packets that we refuse. */
#ifndef CORE_ICMP_H
#define CORE_ICMP_H

#include "pkt.h"

/*
 * icmp_error_allowed - may an error be sent about this packet at all?
 *
 * No, for: ICMP errors and redirects, fragments other than the first,
 * destinations that are multicast or broadcast, sources that are not one
 * host's. RFC 1122 section 3.2.2, RFC 1812 section 4.3.2.7, RFC 4443 2.4 (e).
 * Nor for other ICMP than echoes, nor IGMP, whatever was wrong with it: RFC
 * 7915 sections 4.2 and 5.2 drop those silently.
 * Context: pure.
 */
bool icmp_error_allowed(const struct pkt_info *info);

/*
 * icmp_build4 / icmp_build6 - an error about @pkt, addressed to its source.
 * @type, @code: e.g. 11/0, 3/4, 3/13; 3/0, 2/0, 1/3
 * @rest: bytes 4 to 7 of the ICMP header as one number in host order: the
 *        MTU or the pointer; ICMPv4 pointers stand in the top byte
 * @self: our source address, network order
 * @reply: in: data and tailroom say where to build and how much room is there;
 *         out: len and tailroom of the error; gso cleared
 *
 * Quotes as much as fits 576 bytes (RFC 1812 section 4.3.2.3) or 1280 bytes
 * (RFC 4443 section 2.4 (c)) of error. TTL / hop limit 64.
 *
 * Returns false, with nothing built, when the room is too small.
 * Context: pure. Does not ask icmp_error_allowed().
 */
bool icmp_build4(const struct pkt *pkt, const struct pkt_info *info,
		 uint8_t type, uint8_t code, uint32_t rest, struct in_addr self,
		 struct pkt *reply);
bool icmp_build6(const struct pkt *pkt, const struct pkt_info *info,
		 uint8_t type, uint8_t code, uint32_t rest,
		 const struct in6_addr *self, struct pkt *reply);

#endif

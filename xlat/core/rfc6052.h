/* SPDX-License-Identifier: MIT */
/* RFC 6052: IPv4 addresses inside IPv6 addresses. */
#ifndef CORE_RFC6052_H
#define CORE_RFC6052_H

#include <netinet/in.h>
#include <stdbool.h>

#include "../base/addr.h"

/*
 * rfc6052_prefix_valid - length 32, 40, 48, 56, 64 or 96, and bits 64 to 71
 * zero (section 2.2). The caller checks that host bits are zero.
 */
bool rfc6052_prefix_valid(const struct prefix6 *p);

/* rfc6052_is_wkp - is it the Well-Known Prefix 64:ff9b::/96? */
bool rfc6052_is_wkp(const struct prefix6 *p);

/*
 * rfc6052_encode - @v4 inside @p; suffix and u-octet zero (section 2.3).
 * rfc6052_decode - the IPv4 address inside @v6.
 * @p: a valid prefix
 *
 * decode returns false when @v6 is outside @p or its u-octet is not zero
 * (for /96 bits 64 to 71 belong to the prefix); suffix bits are ignored.
 * Context: pure.
 */
void rfc6052_encode(const struct prefix6 *p, struct in_addr v4,
		    struct in6_addr *v6);
bool rfc6052_decode(const struct prefix6 *p, const struct in6_addr *v6,
		    struct in_addr *v4);

/*
 * rfc6052_neutral - make an address neutral to transport checksums.
 * @a: changed in one 16-bit word only
 * @word: which, 4 to 7: bits 64-79, 80-95, 96-111 or 112-127
 * @v4: the IPv4 address that @a stands for; NULL: all zero, which makes the
 *      first 96 bits of @a a neutral prefix for any embedded address
 * @pref64: prefix of the other address of the packet; NULL: neutral itself
 *
 * Afterwards the one's complement sum of @a and of the prefix is that of
 * @v4, so translating a packet between @a and an address in @pref64 leaves
 * TCP and UDP checksums as they are. The word is never 0xffff.
 *
 * Returns false, @a untouched, when @pref64 has a length that moves embedded
 * addresses off 16-bit boundaries (only /32 and /96 keep them).
 * Context: pure. RFC 6296 sections 3.1 to 3.5, RFC 6052 section 4.1.
 */
bool rfc6052_neutral(struct in6_addr *a, unsigned int word,
		     const struct in_addr *v4, const struct prefix6 *pref64);

/*
 * rfc6052_neutral_clat - a /96 for a CLAT inside a delegated prefix.
 * @from: of length 64 to 80 (bits 64-71 zero); the /96 is @from, zeros, and
 *        the word of bits 80-95 that makes it neutral with @pref64
 *
 * Returns false when @from has another length or @pref64 cannot be neutral.
 * Context: pure. RFC 6877 section 6.3.
 */
bool rfc6052_neutral_clat(const struct prefix6 *from,
			  const struct prefix6 *pref64, struct prefix6 *out);

/*
 * addr4_is_global - false for what RFC 6052 section 3.1 keeps out of the
 * Well-Known Prefix: RFC 1918, what section 3 of RFC 5735 lists (which
 * includes 192.0.0.0/24, the three documentation networks, 192.88.99.0/24,
 * multicast and 240/4), and 100.64/10. Pure.
 */
bool addr4_is_global(struct in_addr a);

/*
 * addr4_is_unicast - may it be the address of one host? Not 0/8, 127/8,
 * multicast, 240/4 and broadcast. addr6_is_unicast: not ::, ::1, multicast.
 */
static inline bool addr4_is_unicast(struct in_addr a)
{
	uint32_t top = ntohl(a.s_addr) >> 24;

	return top != 0 && top != 127 && top < 224;
}

bool addr6_is_unicast(const struct in6_addr *a);

#endif

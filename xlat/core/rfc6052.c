/* SPDX-License-Identifier: MIT */
#include "rfc6052.h"

#include <stdint.h>
#include <string.h>

#include "csum.h"

bool rfc6052_prefix_valid(const struct prefix6 *p)
{
	switch (p->len) {
	case 32:
	case 40:
	case 48:
	case 56:
	case 64:
		return true;
	case 96:
		return p->addr.s6_addr[8] == 0;
	default:
		return false;
	}
}

bool rfc6052_is_wkp(const struct prefix6 *p)
{
	static const uint8_t wkp[12] = {0x00, 0x64, 0xff, 0x9b};

	return p->len == 96 && !memcmp(&p->addr, wkp, sizeof(wkp));
}

/* Byte 8 is the u-octet: the address flows around it (section 2.2). */
void rfc6052_encode(const struct prefix6 *p, struct in_addr v4,
		    struct in6_addr *v6)
{
	uint8_t bytes[4];
	int at = p->len / 8;
	int i;

	*v6 = p->addr;
	if (at == 12) {
		memcpy(&v6->s6_addr[12], &v4, 4);
		return;
	}
	memcpy(bytes, &v4, 4);
	memset(&v6->s6_addr[at], 0, 16 - (size_t)at);
	for (i = 0; i < 4; i++, at++) {
		if (at == 8)
			at++;
		v6->s6_addr[at] = bytes[i];
	}
}

bool rfc6052_decode(const struct prefix6 *p, const struct in6_addr *v6,
		    struct in_addr *v4)
{
	uint8_t bytes[4];
	int at = p->len / 8;
	int i;

	if (at == 12) { /* a constant length, for speed */
		if (memcmp(v6, &p->addr, 12) != 0)
			return false;
		memcpy(v4, &v6->s6_addr[12], 4);
		return true;
	}
	if (memcmp(v6, &p->addr, (size_t)at) != 0)
		return false;
	if (v6->s6_addr[8])
		return false;
	for (i = 0; i < 4; i++, at++) {
		if (at == 8)
			at++;
		bytes[i] = v6->s6_addr[at];
	}
	memcpy(v4, bytes, 4);
	return true;
}

/*
 * Sums are of words in memory order: the one that is wanted is what is
 * missing to the sum of @v4, and all of it is that modulo 0xffff.
 */
bool rfc6052_neutral(struct in6_addr *a, unsigned int word,
		     const struct in_addr *v4, const struct prefix6 *pref64)
{
	uint8_t zero[2] = {0, 0};
	uint16_t have, want;
	uint64_t sum;

	if (pref64 && pref64->len != 32 && pref64->len != 96)
		return false;
	if (word < 4 || word > 7)
		return false;
	memcpy(&a->s6_addr[word * 2], zero, 2);
	sum = csum_add(0, a, 16);
	if (pref64)
		sum = csum_add(sum, &pref64->addr, 16);
	have = csum_fold(sum);
	want = v4 ? csum_fold(csum_add(0, v4, 4)) : 0;
	want = csum_fold((uint64_t)want + (uint16_t)~have);
	if (want == 0xffff)
		want = 0;
	memcpy(&a->s6_addr[word * 2], &want, 2);
	return true;
}

bool rfc6052_neutral_clat(const struct prefix6 *from,
			  const struct prefix6 *pref64, struct prefix6 *out)
{
	struct prefix6 p = {.addr = from->addr, .len = 96};

	if (from->len < 64 || from->len > 80 || p.addr.s6_addr[8])
		return false;
	if (!rfc6052_neutral(&p.addr, 5, NULL, pref64))
		return false;
	*out = p;
	return true;
}

struct range4 {
	uint32_t net; /* host order */
	uint8_t len;
};

static bool in_ranges(struct in_addr a, const struct range4 *r, size_t n)
{
	uint32_t h = ntohl(a.s_addr);
	size_t i;

	for (i = 0; i < n; i++)
		if ((h ^ r[i].net) >> (32 - r[i].len) == 0)
			return true;
	return false;
}

bool addr4_is_global(struct in_addr a)
{
	static const struct range4 local[] = {
		{0x00000000, 8},  /* this network */
		{0x0a000000, 8},  /* RFC 1918 */
		{0x64400000, 10}, /* RFC 6598 */
		{0x7f000000, 8},  /* loopback */
		{0xa9fe0000, 16}, /* link local */
		{0xac100000, 12}, /* RFC 1918 */
		{0xc0000000, 24}, /* IETF protocol assignments */
		{0xc0000200, 24}, /* TEST-NET-1 */
		{0xc0586300, 24}, /* 6to4 relays, RFC 5735 */
		{0xc0a80000, 16}, /* RFC 1918 */
		{0xc6120000, 15}, /* RFC 2544 */
		{0xc6336400, 24}, /* TEST-NET-2 */
		{0xcb007100, 24}, /* TEST-NET-3 */
		{0xe0000000, 3},  /* multicast, reserved, broadcast */
	};

	return !in_ranges(a, local, sizeof(local) / sizeof(local[0]));
}

bool addr6_is_unicast(const struct in6_addr *a)
{
	static const uint8_t zero[15];

	if (a->s6_addr[0] == 0xff)
		return false;
	return memcmp(a, zero, 15) != 0 || a->s6_addr[15] > 1;
}

/* SPDX-License-Identifier: MIT */
/* ICMP types, codes, pointers and MTUs: RFC 7915 sections 4.2 and 5.2. */
#include "core_internal.h"

/* What has no equivalent in the other family's header. */
#define NO_POINTER 0xff

/* Figure 3: IPv4 header byte to IPv6 header byte. */
static const uint8_t pointers46[] = {
	[0] = 0,	  [1] = 1,	     [2] = 4,
	[3] = 4,	  [4] = NO_POINTER,  [5] = NO_POINTER,
	[6] = NO_POINTER, [7] = NO_POINTER,  [8] = 7,
	[9] = 6,	  [10] = NO_POINTER, [11] = NO_POINTER,
	[12] = 8,	  [13] = 8,	     [14] = 8,
	[15] = 8,	  [16] = 24,	     [17] = 24,
	[18] = 24,	  [19] = 24,
};

/* Figure 6: IPv6 header byte to IPv4 header byte. */
static uint8_t pointer64(uint32_t p)
{
	static const uint8_t fixed[] = {0, 1, NO_POINTER, NO_POINTER,
					2, 2, 9,	  8};

	if (p < sizeof(fixed))
		return fixed[p];
	if (p < 24)
		return 12;
	return p < 40 ? 16 : NO_POINTER;
}

static uint32_t max32(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static uint32_t min32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/*
 * RFC 1191 section 7: a router that does not tell the MTU. The greatest
 * plateau below the quoted total length.
 */
static uint32_t plateau(uint32_t total)
{
	static const uint16_t plateaus[] = {65535, 32000, 17914, 8166, 4352,
					    2002,  1492,  1006,	 508,  296};
	size_t i;

	for (i = 0; i < sizeof(plateaus) / sizeof(plateaus[0]); i++)
		if (plateaus[i] < total)
			return plateaus[i];
	return MIN_MTU4;
}

static uint32_t mtu46(uint32_t mtu, const struct pkt_info *info,
		      const struct xlat_cfg *cfg)
{
	if (!mtu)
		mtu = plateau(info->inner.len);
	mtu = min32(mtu + 20, min32(cfg->mtu6, cfg->mtu4 + 20));
	return max32(MIN_MTU6, mtu);
}

static enum reason unreach46(const struct icmp_head *in,
			     const struct pkt_info *info,
			     const struct xlat_cfg *cfg, struct icmp_head *out)
{
	out->type = ICMP6_UNREACH;
	switch (in->code) {
	case 0:	 /* net unreachable */
	case 1:	 /* host unreachable */
	case 5:	 /* source route failed */
	case 6:	 /* destination network unknown */
	case 7:	 /* destination host unknown */
	case 8:	 /* source host isolated */
	case 11: /* net unreachable for TOS */
	case 12: /* host unreachable for TOS */
		out->code = 0;
		return REASON_OK;
	case 2: /* protocol unreachable: points at Next Header */
		out->type = ICMP6_PARAM;
		out->code = 1;
		out->rest = 6;
		return REASON_OK;
	case 3: /* port unreachable */
		out->code = 4;
		return REASON_OK;
	case 4: /* fragmentation needed */
		out->type = ICMP6_TOO_BIG;
		out->rest = mtu46(in->rest & 0xffff, info, cfg);
		return REASON_OK;
	case 9:	 /* net administratively prohibited */
	case 10: /* host administratively prohibited */
	case 13: /* communication administratively prohibited */
	case 15: /* precedence cutoff in effect */
		out->code = 1;
		return REASON_OK;
	default: /* 14, host precedence violation, and unknown ones */
		return REASON_ICMP_CODE;
	}
}

static enum reason param46(const struct icmp_head *in, struct icmp_head *out)
{
	uint32_t pointer = in->rest >> 24;

	out->type = ICMP6_PARAM;
	if (in->code != 0 && in->code != 2)
		return REASON_ICMP_CODE;
	if (pointer >= sizeof(pointers46) || pointers46[pointer] == NO_POINTER)
		return REASON_ICMP_POINTER;
	out->rest = pointers46[pointer];
	return REASON_OK;
}

enum reason icmp_map46(const struct icmp_head *in, const struct pkt_info *info,
		       const struct xlat_cfg *cfg, struct icmp_head *out)
{
	*out = (struct icmp_head){0};
	switch (in->type) {
	case ICMP4_UNREACH:
		return unreach46(in, info, cfg, out);
	case ICMP4_EXCEEDED:
		out->type = ICMP6_EXCEEDED;
		out->code = in->code;
		return REASON_OK;
	case ICMP4_PARAM:
		return param46(in, out);
	default:
		return REASON_ICMP_TYPE;
	}
}

static enum reason unreach64(const struct icmp_head *in, struct icmp_head *out)
{
	out->type = ICMP4_UNREACH;
	switch (in->code) {
	case 0: /* no route */
	case 2: /* beyond scope of source address */
	case 3: /* address unreachable */
		out->code = 1;
		return REASON_OK;
	case 1: /* administratively prohibited */
		out->code = 10;
		return REASON_OK;
	case 4: /* port unreachable */
		out->code = 3;
		return REASON_OK;
	default:
		return REASON_ICMP_CODE;
	}
}

/*
 * The difference between the headers is 20 bytes, and 28 where the packet in
 * error has a fragment header, which has no IPv4 form ("taking into account
 * whether or not the packet in error includes a Fragment Header").
 */
static uint32_t mtu64(uint32_t mtu, const struct pkt_info *info,
		      const struct xlat_cfg *cfg)
{
	uint32_t less = info->inner.frag_hdr ? 28 : 20;

	mtu = min32(max32(mtu, MIN_MTU4 + less), cfg->mtu6) - less;
	return min32(min32(mtu, cfg->mtu4), 65535);
}

static enum reason param64(const struct icmp_head *in, struct icmp_head *out)
{
	uint8_t pointer;

	if (in->code == 1) { /* unrecognised next header */
		out->type = ICMP4_UNREACH;
		out->code = 2;
		return REASON_OK;
	}
	out->type = ICMP4_PARAM;
	if (in->code != 0)
		return REASON_ICMP_CODE;
	pointer = pointer64(in->rest);
	if (pointer == NO_POINTER)
		return REASON_ICMP_POINTER;
	out->rest = (uint32_t)pointer << 24;
	return REASON_OK;
}

enum reason icmp_map64(const struct icmp_head *in, const struct pkt_info *info,
		       const struct xlat_cfg *cfg, struct icmp_head *out)
{
	*out = (struct icmp_head){0};
	switch (in->type) {
	case ICMP6_UNREACH:
		return unreach64(in, out);
	case ICMP6_TOO_BIG:
		out->type = ICMP4_UNREACH;
		out->code = 4;
		out->rest = mtu64(in->rest, info, cfg);
		return REASON_OK;
	case ICMP6_EXCEEDED:
		out->type = ICMP4_EXCEEDED;
		out->code = in->code;
		return REASON_OK;
	case ICMP6_PARAM:
		return param64(in, out);
	default:
		return REASON_ICMP_TYPE;
	}
}

uint8_t icmp_echo46(uint8_t type)
{
	if (type == ICMP4_ECHO)
		return ICMP6_ECHO;
	return type == ICMP4_ECHO_REPLY ? ICMP6_ECHO_REPLY : 0xff;
}

uint8_t icmp_echo64(uint8_t type)
{
	if (type == ICMP6_ECHO)
		return ICMP4_ECHO;
	return type == ICMP6_ECHO_REPLY ? ICMP4_ECHO_REPLY : 0xff;
}

/* SPDX-License-Identifier: MIT */
#include "icmp.h"

#include "core_internal.h"
#include "rfc6052.h"

static bool ends_allowed(const struct pkt_info *info)
{
	const struct pkt_ip *ip = &info->outer;

	if (info->v6)
		return addr6_is_unicast(&ip->src.v6) &&
		       ip->dst.v6.s6_addr[0] != 0xff;
	return addr4_is_unicast(ip->src.v4) && addr4_is_unicast(ip->dst.v4);
}

bool icmp_error_allowed(const struct pkt_info *info)
{
	const struct pkt_ip *ip = &info->outer;

	if (ip->frag_off || !ends_allowed(info))
		return false;
	if (ip->frag_hdr && bad_behind_fragment(ip->proto))
		return false; /* it may be one, out of sight */
	if (info->v6)
		return ip->proto != PROTO_ICMP6 ||
		       icmp_echo64(ip->icmp_type) != 0xff;
	if (ip->proto == PROTO_IGMP)
		return false;
	return ip->proto != PROTO_ICMP4 || icmp_echo46(ip->icmp_type) != 0xff;
}

/* How much of @pkt can be quoted; 0: not even a header fits. */
static uint32_t quote_bytes(const struct pkt *pkt, const struct pkt *reply,
			    uint32_t headers, uint32_t max)
{
	uint32_t room = reply->len + reply->tailroom;

	if (room > max)
		room = max;
	if (room < headers + IP6_BYTES + 8)
		return 0;
	room -= headers;
	return pkt->len < room ? pkt->len : room;
}

static void finish_reply(struct pkt *reply, uint32_t len)
{
	reply->tailroom = reply->len + reply->tailroom - len;
	reply->len = len;
	reply->gso = (struct pkt_gso){0};
}

static void build_icmp(uint8_t *icmp, const struct pkt *pkt, uint32_t quote,
		       const struct icmp_head *head, uint64_t pseudo)
{
	icmp[0] = head->type;
	icmp[1] = head->code;
	raw_put16(icmp + 2, 0);
	put32(icmp + 4, head->rest);
	memcpy(icmp + ICMP_BYTES, pkt->data, quote);
	raw_put16(icmp + 2, (uint16_t)~csum_fold(csum_add(pseudo, icmp,
							  ICMP_BYTES + quote)));
}

bool icmp_build4(const struct pkt *pkt, const struct pkt_info *info,
		 uint8_t type, uint8_t code, uint32_t rest, struct in_addr self,
		 struct pkt *reply)
{
	uint32_t quote =
		quote_bytes(pkt, reply, IP4_BYTES + ICMP_BYTES, ICMP4_MAX);
	uint8_t *ip = reply->data;

	if (!quote)
		return false;
	ip[0] = 0x45;
	/* RFC 1812 section 4.3.2.5: precedence 6, TOS as it was. */
	ip[1] = (uint8_t)(0xc0 | (info->outer.tos & 0x1e));
	put16(ip + 2, IP4_BYTES + ICMP_BYTES + quote);
	put16(ip + 4, info->outer.frag_id);
	put16(ip + 6, 0);
	ip[8] = 64;
	ip[9] = PROTO_ICMP4;
	memcpy(ip + 12, &self, 4);
	memcpy(ip + 16, &info->outer.src.v4, 4);
	ip4_set_csum(ip);
	build_icmp(ip + IP4_BYTES, pkt, quote,
		   &(struct icmp_head){type, code, rest}, 0);
	finish_reply(reply, IP4_BYTES + ICMP_BYTES + quote);
	return true;
}

bool icmp_build6(const struct pkt *pkt, const struct pkt_info *info,
		 uint8_t type, uint8_t code, uint32_t rest,
		 const struct in6_addr *self, struct pkt *reply)
{
	uint32_t quote =
		quote_bytes(pkt, reply, IP6_BYTES + ICMP_BYTES, ICMP6_MAX);
	uint8_t *ip = reply->data;

	if (!quote)
		return false;
	put32(ip, 6u << 28);
	put16(ip + 4, ICMP_BYTES + quote);
	ip[6] = PROTO_ICMP6;
	ip[7] = 64;
	memcpy(ip + 8, self, 16);
	memcpy(ip + 24, &info->outer.src.v6, 16);
	build_icmp(ip + IP6_BYTES, pkt, quote,
		   &(struct icmp_head){type, code, rest},
		   csum_pseudo6(self, &info->outer.src, PROTO_ICMP6,
				ICMP_BYTES + quote));
	finish_reply(reply, IP6_BYTES + ICMP_BYTES + quote);
	return true;
}

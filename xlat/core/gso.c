/* SPDX-License-Identifier: MIT */
#include "core_internal.h"

bool pkt_csum_complete(struct pkt *pkt)
{
	uint32_t start = pkt->gso.csum_start;
	uint32_t field = start + pkt->gso.csum_offset;
	uint64_t sum;
	uint16_t check;

	if (!pkt->gso.needs_csum)
		return true;
	if (start > pkt->len || field + 2 > pkt->len)
		return false;
	sum = csum_add(0, pkt->data + start, pkt->len - start);
	check = (uint16_t)~csum_fold(sum);
	/* As in the kernel: zero would mean "none" in UDP, and 0xffff is the
	 * same number elsewhere. */
	raw_put16(pkt->data + field, check ? check : 0xffff);
	pkt->gso.needs_csum = false;
	pkt->gso.csum_start = 0;
	pkt->gso.csum_offset = 0;
	return true;
}

uint32_t gso_headers(const struct pkt *pkt, const struct pkt_ip *ip)
{
	return ip->proto == PROTO_TCP ? (pkt->data[ip->l4 + 12] >> 4) * 4u : 8;
}

static bool gso_sane(const struct pkt *pkt, const struct pkt_info *info)
{
	const struct pkt_ip *ip = &info->outer;
	uint32_t headers;
	uint8_t proto = PROTO_TCP;

	switch ((enum pkt_gso_type)pkt->gso.type) {
	case PKT_GSO_NONE:
		return true;
	case PKT_GSO_TCP4:
		if (info->v6)
			return false;
		break;
	case PKT_GSO_TCP6:
		if (!info->v6)
			return false;
		break;
	case PKT_GSO_UDP_L4:
		proto = PROTO_UDP;
		break;
	default: /* a number from outside */
		return false;
	}
	if (ip->proto != proto || ip->frag_hdr || pkt_ip_is_frag(ip) ||
	    !pkt->gso.needs_csum || !pkt->gso.gso_size)
		return false;
	headers = gso_headers(pkt, ip);
	return headers >= (proto == PROTO_TCP ? 20u : 8u) &&
	       headers <= ip->end - ip->l4;
}

/* Is the partial checksum the one that l4_update() knows how to update? */
static bool csum_is_ours(const struct pkt *pkt, const struct pkt_ip *ip)
{
	if (pkt->gso.csum_start != ip->l4)
		return false;
	return (ip->proto == PROTO_TCP && pkt->gso.csum_offset == 16) ||
	       (ip->proto == PROTO_UDP && pkt->gso.csum_offset == 6);
}

enum reason pkt_check_gso(struct pkt *pkt, const struct pkt_info *info)
{
	const struct pkt_ip *ip = &info->outer;

	if (!pkt->gso.needs_csum && pkt->gso.type == PKT_GSO_NONE)
		return REASON_OK;
	if (!gso_sane(pkt, info))
		return REASON_BAD_GSO;
	if (csum_is_ours(pkt, ip) && !pkt_ip_is_frag(ip))
		return REASON_OK;
	if (pkt->gso.type != PKT_GSO_NONE || pkt_ip_is_frag(ip) ||
	    pkt->gso.csum_start < ip->l4 || !pkt_csum_complete(pkt))
		return REASON_BAD_GSO;
	return REASON_OK;
}

/* Segments that do not fit can be made smaller in TCP, where bytes are a
 * stream; in UDP, where each is a message, each becomes fragments. */
static enum reason fit_gso(const struct pkt *pkt, const struct pkt_ip *ip,
			   uint32_t l3, bool df, uint32_t limit,
			   struct fit *fit)
{
	uint32_t head = l3 + gso_headers(pkt, ip);

	if (head + pkt->gso.gso_size <= limit ||
	    head + (ip->end - ip->l4) - (head - l3) <= limit)
		return REASON_OK;
	if (df)
		return REASON_TOO_BIG;
	if (pkt->gso.type == PKT_GSO_UDP_L4) {
		fit->cut = true;
		fit->segment = pkt->gso.gso_size;
		return REASON_OK;
	}
	if (head >= limit)
		return REASON_SUPERPACKET_TOO_BIG;
	fit->gso_size = (uint16_t)(limit - head);
	return REASON_OK;
}

enum reason fit_mtu(const struct pkt *pkt, const struct pkt_ip *ip, uint32_t l3,
		    bool df, uint32_t limit, uint32_t cut, struct fit *fit)
{
	uint32_t len = l3 + (ip->end - ip->l4);

	fit->cut = false;
	fit->mtu = cut;
	fit->segment = 0;
	fit->piece = 0;
	fit->gso_size = pkt->gso.gso_size;
	if (len <= cut)
		return REASON_OK;
	if (pkt->gso.type != PKT_GSO_NONE)
		return fit_gso(pkt, ip, l3, df, df ? limit : cut, fit);
	if (df)
		return len <= limit ? REASON_OK : REASON_TOO_BIG;
	fit->cut = true;
	return REASON_OK;
}

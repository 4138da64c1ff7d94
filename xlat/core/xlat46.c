/* SPDX-License-Identifier: MIT */
/* RFC 7915 section 4: IPv4 to IPv6. Decide first, change afterwards. */
#include "core_internal.h"

/* RFC 7915 section 4.5: IPv6 does not do without UDP checksums. */
static enum reason check_udp_zero(const struct pkt *pkt,
				  const struct pkt_ip *ip,
				  const struct xlat_cfg *cfg, bool *compute)
{
	*compute = false;
	if (ip->proto != PROTO_UDP || ip->frag_off || pkt->gso.needs_csum ||
	    raw16(pkt->data + ip->l4 + 6))
		return REASON_OK;
	if (ip->frag_more)
		return REASON_UDP_ZERO_CSUM_FRAG;
	if (cfg->udp_zero == XLAT_UDP_ZERO_DROP)
		return REASON_UDP_ZERO_CSUM;
	*compute = true;
	return REASON_OK;
}

static void compute_udp(uint8_t *l4, const struct xlat_ends *to,
			struct xlat_out *out)
{
	uint32_t len = get16(l4 + 4);
	uint64_t sum = csum_pseudo6(&to->src, &to->dst, PROTO_UDP, len);
	uint16_t check = (uint16_t)~csum_fold(csum_add(sum, l4, len));

	raw_put16(l4 + 6, check ? check : 0xffff);
	out->udp_computed++;
}

static void transport46(struct pkt *pkt, const struct pkt_ip *ip,
			const struct xlat_ends *to, bool compute,
			struct xlat_out *out)
{
	uint8_t *l4 = pkt->data + ip->l4;
	uint32_t avail = ip->end - ip->l4;

	if (ip->frag_off)
		return;
	if (ip->proto == PROTO_ICMP4)
		icmp_update46(l4, avail, to, avail);
	else
		l4_update(l4, avail, ip->proto, sum_ends4(&ip->src, &ip->dst),
			  sum_ends6(&to->src, &to->dst), to,
			  pkt->gso.needs_csum);
	if (compute)
		compute_udp(l4, to, out);
}

/* Offsets count from the start of the packet, which has moved. */
static void gso46(struct pkt *pkt, int32_t grown, uint16_t gso_size)
{
	int32_t hint = pkt->gso.hdr_len + grown;

	if (!pkt->gso.needs_csum)
		return;
	pkt->gso.csum_start = (uint16_t)(pkt->gso.csum_start + grown);
	if (pkt->gso.type == PKT_GSO_NONE)
		return;
	/* behind long options it shrinks, and it came from outside */
	pkt->gso.hdr_len = (uint16_t)(hint > 0 ? hint : 0);
	pkt->gso.gso_size = gso_size;
	if (pkt->gso.type == PKT_GSO_TCP4)
		pkt->gso.type = PKT_GSO_TCP6;
}

static enum verdict cut46(const struct pkt *pkt, const struct pkt_ip *ip,
			  const struct fit *fit, struct xlat_out *out)
{
	out->frag = (struct frag_iter){
		.pkt = pkt,
		.v6 = true,
		.more = ip->frag_more,
		.proto = proto46(ip->proto),
		.id = ip->frag_id,
		.hdr = IP6_BYTES,
		.mtu = fit->mtu,
		.base = ip->frag_off,
		.segment = fit->segment,
	};
	return VERDICT_FRAGMENT;
}

static enum verdict error46(struct pkt *pkt, const struct pkt_info *info,
			    const struct xlat_map *map,
			    const struct xlat_cfg *cfg, struct xlat_out *out)
{
	enum reason reason = icmp_error46(pkt, info, map, cfg);

	if (reason)
		return xlat_refuse4(pkt, info, reason, cfg, out);
	hdr46_write(pkt->data,
		    &(struct hdr46){.ip = &info->outer,
				    .to = &map->outer,
				    .payload = pkt->len - IP6_BYTES,
				    .ttl = left_ttl(&info->outer, cfg),
				    .zero_tc = cfg->zero_tc});
	return VERDICT_FORWARD;
}

/* Whatever stops a packet before its bytes are touched. */
static enum reason check46(const struct pkt *pkt, const struct pkt_info *info,
			   const struct xlat_cfg *cfg, struct fit *fit,
			   bool *compute)
{
	const struct pkt_ip *ip = &info->outer;
	uint32_t cut =
		cfg->lowest_mtu6 < cfg->mtu6 ? cfg->lowest_mtu6 : cfg->mtu6;
	uint32_t hdr = IP6_BYTES;
	enum reason reason;

	if (ip->ttl <= 1 && !cfg->keep_ttl)
		return REASON_TTL_EXPIRED;
	if (ip->proto == PROTO_IGMP)
		return REASON_IGMP;
	if (ip->proto == PROTO_ICMP4 && !info->icmp_error && !ip->has_ports)
		return REASON_ICMP_TYPE;
	if (info->icmp_error)
		return REASON_OK; /* never longer than 1280 bytes */
	if (pkt_ip_is_frag(ip))
		hdr += FH_BYTES;
	reason = fit_mtu(pkt, ip, hdr, ip->df, cfg->mtu6, cut, fit);
	if (reason)
		return reason;
	if (pkt->headroom + ip->l4 < hdr)
		return REASON_NO_HEADROOM;
	return check_udp_zero(pkt, ip, cfg, compute);
}

enum verdict xlat_46(struct pkt *pkt, const struct pkt_info *info,
		     const struct xlat_map *map, const struct xlat_cfg *cfg,
		     struct xlat_out *out)
{
	const struct pkt_ip *ip = &info->outer;
	enum reason reason;
	bool compute, frag;
	uint32_t hdr;
	struct fit fit;

	reason = check46(pkt, info, cfg, &fit, &compute);
	if (reason)
		return xlat_refuse4(pkt, info, reason, cfg, out);
	out->reason = REASON_OK;
	if (info->icmp_error)
		return error46(pkt, info, map, cfg, out);
	frag = pkt_ip_is_frag(ip) && !fit.cut;
	hdr = IP6_BYTES + (frag ? FH_BYTES : 0);
	transport46(pkt, ip, &map->outer, compute, out);
	pkt_move_head(pkt, (int64_t)ip->l4 - hdr);
	gso46(pkt, (int32_t)hdr - (int32_t)ip->l4, fit.gso_size);
	hdr46_write(pkt->data, &(struct hdr46){.ip = ip,
					       .to = &map->outer,
					       .payload = pkt->len - hdr,
					       .ttl = left_ttl(ip, cfg),
					       .frag = frag,
					       .zero_tc = cfg->zero_tc});
	if (!fit.cut)
		return VERDICT_FORWARD;
	if (!fit.segment)
		pkt_csum_complete(pkt);
	return cut46(pkt, ip, &fit, out);
}

/* SPDX-License-Identifier: MIT */
/* RFC 7915 section 5: IPv6 to IPv4. Decide first, change afterwards. */
#include "core_internal.h"

/* RFC 7915 section 5.1: the largest IPv4 packet that leaves without DF. */
#define DF_ABOVE (MIN_MTU6 - 20)

static void transport64(struct pkt *pkt, const struct pkt_ip *ip,
			const struct xlat_ends *to)
{
	uint8_t *l4 = pkt->data + ip->l4;
	uint32_t avail = ip->end - ip->l4;

	if (ip->frag_off)
		return;
	if (ip->proto == PROTO_ICMP6)
		icmp_update64(l4, avail, ip, to, avail);
	else
		l4_update(l4, avail, ip->proto, sum_ends6(&ip->src, &ip->dst),
			  sum_ends4(&to->src, &to->dst), to,
			  pkt->gso.needs_csum);
}

static void gso64(struct pkt *pkt, int32_t grown, uint16_t gso_size)
{
	int32_t hint = pkt->gso.hdr_len + grown;

	if (!pkt->gso.needs_csum)
		return;
	pkt->gso.csum_start = (uint16_t)(pkt->gso.csum_start + grown);
	if (pkt->gso.type == PKT_GSO_NONE)
		return;
	pkt->gso.hdr_len = (uint16_t)(hint > 0 ? hint : 0);
	pkt->gso.gso_size = gso_size;
	if (pkt->gso.type == PKT_GSO_TCP6)
		pkt->gso.type = PKT_GSO_TCP4;
}

/* Does the packet, or a whole segment of it, need DF? */
static bool wants_df(const struct pkt *pkt, const struct pkt_ip *ip)
{
	if (ip->frag_hdr)
		return false;
	if (pkt->gso.type == PKT_GSO_NONE)
		return IP4_BYTES + (ip->end - ip->l4) > DF_ABOVE;
	return IP4_BYTES + gso_headers(pkt, ip) + pkt->gso.gso_size > DF_ABOVE;
}

/* Identification: one for each packet without DF, also inside superpackets. */
static uint16_t take_ident(const struct pkt *pkt, bool df, struct xlat_out *out)
{
	uint16_t ident = out->ident;
	uint32_t n = 1;

	if (df)
		return 0;
	if (pkt->gso.type != PKT_GSO_NONE)
		n = pkt->len / pkt->gso.gso_size + 1;
	out->ident = (uint16_t)(out->ident + n);
	return ident;
}

static enum verdict cut64(const struct pkt *pkt, const struct pkt_ip *ip,
			  const struct fit *fit, struct xlat_out *out)
{
	out->frag = (struct frag_iter){
		.pkt = pkt,
		.more = ip->frag_more,
		.hdr = IP4_BYTES,
		.mtu = fit->mtu,
		.base = ip->frag_off,
		.segment = fit->segment,
		.piece = fit->piece,
	};
	return VERDICT_FRAGMENT;
}

/*
 * IPv6 counts without its header, IPv4 with it: of what fits the one some does
 * not fit the other. A superpacket becomes two.
 */
static enum reason fit_ipv4(const struct pkt *pkt, const struct pkt_ip *ip,
			    struct fit *fit)
{
	uint32_t room;

	if (fit->segment)
		return REASON_OK; /* each datagram for itself */
	if (pkt->gso.type == PKT_GSO_NONE)
		return REASON_TOO_LONG_FOR_IPV4;
	room = 65535 - IP4_BYTES - gso_headers(pkt, ip);
	fit->piece = room - room % fit->gso_size;
	fit->cut = true;
	return REASON_OK;
}

static enum reason check64(const struct pkt *pkt, const struct pkt_info *info,
			   bool df, const struct xlat_cfg *cfg, struct fit *fit)
{
	const struct pkt_ip *ip = &info->outer;
	enum reason reason;

	if (ip->ttl <= 1 && !cfg->keep_ttl)
		return REASON_TTL_EXPIRED;
	if (ip->proto == PROTO_ICMP6 && !info->icmp_error && !ip->has_ports)
		return REASON_ICMP_TYPE;
	if (info->icmp_error)
		return REASON_OK; /* its length is known afterwards */
	reason = fit_mtu(pkt, ip, IP4_BYTES, df, cfg->mtu4, cfg->mtu4, fit);
	/* of a fragment: what it would be part of */
	if (!reason && IP4_BYTES + ip->frag_off + (ip->end - ip->l4) > 65535)
		reason = fit_ipv4(pkt, ip, fit);
	return reason;
}

/* The outer header of an ICMP error, which may itself need fragments. */
static enum verdict error64(struct pkt *pkt, const struct pkt_info *info,
			    const struct xlat_map *map,
			    const struct xlat_cfg *cfg, struct xlat_out *out)
{
	struct fit fit = {.mtu = cfg->mtu4};
	enum reason reason = icmp_error64(pkt, info, map, cfg);

	if (reason)
		return xlat_refuse6(pkt, info, reason, cfg, out);
	hdr64_write(pkt->data, &(struct hdr64){
				       .ip = &info->outer,
				       .to = &map->outer,
				       .payload = pkt->len - IP4_BYTES,
				       .ttl = left_ttl(&info->outer, cfg),
				       .ident = take_ident(pkt, false, out),
				       .cfg = cfg,
			       });
	if (pkt->len > cfg->mtu4)
		return cut64(pkt, &info->outer, &fit, out);
	return VERDICT_FORWARD;
}

enum verdict xlat_64(struct pkt *pkt, const struct pkt_info *info,
		     const struct xlat_map *map, const struct xlat_cfg *cfg,
		     struct xlat_out *out)
{
	const struct pkt_ip *ip = &info->outer;
	bool df = wants_df(pkt, ip);
	enum reason reason;
	struct fit fit;

	reason = check64(pkt, info, df, cfg, &fit);
	if (reason)
		return xlat_refuse6(pkt, info, reason, cfg, out);
	out->reason = REASON_OK;
	if (info->icmp_error)
		return error64(pkt, info, map, cfg, out);
	transport64(pkt, ip, &map->outer);
	pkt_move_head(pkt, (int64_t)ip->l4 - IP4_BYTES);
	gso64(pkt, (int32_t)IP4_BYTES - (int32_t)ip->l4, fit.gso_size);
	hdr64_write(pkt->data, &(struct hdr64){
				       .ip = ip,
				       .to = &map->outer,
				       .payload = pkt->len - IP4_BYTES,
				       .ttl = left_ttl(ip, cfg),
				       .ident = take_ident(pkt, df, out),
				       .df = df,
				       .cfg = cfg,
			       });
	if (!fit.cut)
		return VERDICT_FORWARD;
	if (!fit.segment && !fit.piece)
		pkt_csum_complete(pkt);
	return cut64(pkt, ip, &fit, out);
}

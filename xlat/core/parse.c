/* SPDX-License-Identifier: MIT */
#include "pkt.h"

#include "core_internal.h"

/* More in a row than any sender has a use for. */
#define MAX_EXTENSIONS 16

/* Ports or ICMP type and code; @inner: it may be cut short. */
static enum reason parse_l4(const uint8_t *d, struct pkt_ip *ip, bool inner)
{
	const uint8_t *l4 = d + ip->l4;
	uint32_t avail = ip->end - ip->l4;
	uint32_t need;

	switch (ip->proto) {
	case PROTO_TCP:
		need = 20;
		break;
	case PROTO_UDP:
	case PROTO_UDPLITE:
	case PROTO_ICMP4:
	case PROTO_ICMP6:
		need = 8;
		break;
	case PROTO_SCTP:
	case PROTO_DCCP:
		need = 12;
		break;
	default:
		return REASON_OK;
	}
	if (avail < need && !inner)
		return REASON_TRUNCATED;
	if (ip->proto == PROTO_ICMP4 || ip->proto == PROTO_ICMP6) {
		if (avail < 8)
			return REASON_TRUNCATED;
		ip->icmp_type = l4[0];
		ip->icmp_code = l4[1];
		return REASON_OK;
	}
	if (avail < 4)
		return REASON_OK;
	memcpy(&ip->sport, l4, 2);
	memcpy(&ip->dport, l4 + 2, 2);
	ip->has_ports = true;
	if (ip->proto == PROTO_TCP && avail >= 14)
		ip->tcp_flags = l4[13];
	if (ip->proto == PROTO_UDP && avail >= 6 && get16(l4 + 4) < 8)
		return REASON_BAD_LENGTH;
	if (ip->proto == PROTO_UDP && !inner && !pkt_ip_is_frag(ip) &&
	    get16(l4 + 4) > avail)
		return REASON_BAD_LENGTH;
	return REASON_OK;
}

/* parse_echo - the identifier stands for both ports. */
static void parse_echo(const uint8_t *d, struct pkt_ip *ip)
{
	memcpy(&ip->sport, d + ip->l4 + 4, 2);
	ip->dport = ip->sport;
	ip->has_ports = true;
}

/* The transport header, unless this is a later fragment. */
static enum reason parse_transport(const uint8_t *d, struct pkt_ip *ip, bool v6,
				   bool inner)
{
	uint8_t icmp = v6 ? PROTO_ICMP6 : PROTO_ICMP4;
	enum reason reason;
	bool echo, split;

	ip->sport = 0;
	ip->dport = 0;
	ip->has_ports = false;
	ip->tcp_flags = 0;
	ip->icmp_type = 0;
	ip->icmp_code = 0;
	/* DEPARTS from "forward all protocols" (RFC 7915 section 4.5): the
	 * other family's ICMP, or an extension header, would change meaning. */
	if (ip->proto == (v6 ? PROTO_ICMP4 : PROTO_ICMP6))
		return REASON_BAD_HEADER;
	/* quoted ones: we make such of echoes that are too long */
	split = ip->proto == icmp && pkt_ip_is_frag(ip) && !inner;
	if (ip->frag_off)
		return split ? REASON_FRAG_ICMP : REASON_OK;
	reason = parse_l4(d, ip, inner);
	if (reason || ip->proto != icmp)
		return reason;
	if (split)
		return REASON_FRAG_ICMP;
	echo = v6 ? icmp_echo64(ip->icmp_type) != 0xff
		  : icmp_echo46(ip->icmp_type) != 0xff;
	if (echo)
		parse_echo(d, ip);
	return REASON_OK;
}

/*
 * RFC 791, RFC 8200: what the fields of a fragment may say. @most: payload of
 * the longest datagram.
 */
static enum reason check_fragment(const struct pkt_ip *ip, uint32_t most)
{
	uint32_t payload = ip->len - (ip->l4 - ip->l3);

	if (!payload || (ip->frag_more && payload % 8))
		return REASON_BAD_FRAGMENT;
	if (ip->frag_off + payload > most)
		return REASON_BAD_FRAGMENT;
	return REASON_OK;
}

/* True when a source route option still names hops to visit. */
static bool source_routed(const uint8_t *opt, uint32_t len)
{
	uint32_t i = 0;

	while (i < len && opt[i] != 0) {
		if (opt[i] == 1) {
			i++;
			continue;
		}
		if (len - i < 2 || opt[i + 1] < 2 || opt[i + 1] > len - i)
			return false; /* malformed: options are ignored */
		if ((opt[i] == 131 || opt[i] == 137) && opt[i + 1] >= 3 &&
		    opt[i + 2] <= opt[i + 1])
			return true;
		i += opt[i + 1];
	}
	return false;
}

/* The fixed header and lengths; @end: one past the last byte there is. */
static enum reason parse4_ip(const uint8_t *d, uint32_t l3, uint32_t end,
			     bool inner, struct pkt_ip *ip)
{
	const uint8_t *h = d + l3;
	uint32_t ihl, frag;

	if (end - l3 < IP4_BYTES)
		return REASON_TRUNCATED;
	if (h[0] >> 4 != 4)
		return REASON_BAD_VERSION;
	ihl = (h[0] & 15u) * 4;
	ip->len = get16(h + 2);
	if (ihl < IP4_BYTES || ip->len < ihl)
		return REASON_BAD_HEADER;
	if (end - l3 < ihl || (!inner && end - l3 < ip->len))
		return REASON_TRUNCATED;
	ip->l3 = l3;
	ip->l4 = l3 + ihl;
	ip->end = end - l3 < ip->len ? end : l3 + ip->len;
	frag = get16(h + 6);
	ip->frag_id = get16(h + 4);
	ip->frag_off = (uint16_t)((frag & 0x1fff) * 8);
	ip->frag_hdr = 0;
	ip->frag_more = frag & IP4_MF;
	ip->df = frag & IP4_DF;
	ip->tos = h[1];
	ip->ttl = h[8];
	ip->proto = h[9];
	memcpy(&ip->src.v4, h + 12, 4);
	memcpy(&ip->dst.v4, h + 16, 4);
	if (!pkt_ip_is_frag(ip))
		return REASON_OK;
	return check_fragment(ip, 65535 - IP4_BYTES);
}

static bool ip4_csum_good(const uint8_t *h, uint32_t len)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < len; i += 4)
		sum += sum4(h + i);
	return csum_fold(sum) == 0xffff;
}

static bool has_quote4(const struct pkt_ip *ip)
{
	return ip->proto == PROTO_ICMP4 && (ip->icmp_type == ICMP4_UNREACH ||
					    ip->icmp_type == ICMP4_EXCEEDED ||
					    ip->icmp_type == ICMP4_PARAM);
}

static bool has_quote6(const struct pkt_ip *ip)
{
	return ip->proto == PROTO_ICMP6 && ip->icmp_type >= ICMP6_UNREACH &&
	       ip->icmp_type <= ICMP6_PARAM;
}

/*
 * quote_end - where the original datagram ends: RFC 4884 extensions follow
 * it when the length attribute says so and is possible.
 */
static uint32_t quote_end(const uint8_t *d, const struct pkt_ip *ip, bool v6)
{
	const uint8_t *icmp = d + ip->l4;
	uint32_t bytes;

	if (v6 && ip->icmp_type != ICMP6_UNREACH &&
	    ip->icmp_type != ICMP6_EXCEEDED)
		return ip->end;
	bytes = v6 ? icmp[4] * 8u : icmp[5] * 4u;
	if (bytes < RFC4884_BYTES || bytes > ip->end - ip->l4 - ICMP_BYTES)
		return ip->end;
	return ip->l4 + ICMP_BYTES + bytes;
}

static enum reason parse4_quote(const uint8_t *d, struct pkt_info *info)
{
	struct pkt_ip *in = &info->inner;
	uint32_t l3 = info->outer.l4 + ICMP_BYTES;
	enum reason reason;

	reason = parse4_ip(d, l3, quote_end(d, &info->outer, false), true, in);
	if (reason)
		return reason;
	if (is_extension(in->proto))
		return REASON_BAD_HEADER;
	reason = parse_transport(d, in, false, true);
	if (!reason && !in->frag_off && has_quote4(in))
		return REASON_NESTED_ERROR;
	return reason;
}

/* Bytes behind the length in the IP header are padding of the link. */
static void trim(struct pkt *pkt, uint32_t len)
{
	pkt->tailroom += pkt->len - len;
	pkt->len = len;
}

/*
 * The offload metadata. A checksum that was completed here may have been said
 * to lie anywhere behind the IP header, even in fields already read: @changed.
 */
static enum reason check_offloads(struct pkt *pkt, const struct pkt_info *info,
				  bool *changed)
{
	bool partial = pkt->gso.needs_csum;
	enum reason reason = pkt_check_gso(pkt, info);

	*changed = !reason && partial && !pkt->gso.needs_csum;
	return reason;
}

enum reason pkt_parse4(struct pkt *pkt, struct pkt_info *info)
{
	struct pkt_ip *ip = &info->outer;
	const uint8_t *d = pkt->data;
	enum reason reason;
	bool changed;

	info->v6 = false;
	info->icmp_error = false;
	info->pointer = 0;
	reason = parse4_ip(d, 0, pkt->len, false, ip);
	if (reason)
		return reason;
	if (!ip4_csum_good(d, ip->l4))
		return REASON_BAD_HEADER_CSUM;
	if (is_extension(ip->proto))
		return REASON_BAD_HEADER;
	trim(pkt, ip->end);
	reason = parse_transport(d, ip, false, false);
	if (reason)
		return reason;
	if (has_quote4(ip)) {
		info->icmp_error = true;
		reason = parse4_quote(d, info);
		if (reason)
			return reason;
	}
	if (ip->l4 > IP4_BYTES &&
	    source_routed(d + IP4_BYTES, ip->l4 - IP4_BYTES))
		return REASON_SOURCE_ROUTE;
	reason = check_offloads(pkt, info, &changed);
	return changed ? pkt_parse4(pkt, info) : reason;
}

static void parse_fragment_header(const uint8_t *h, uint32_t at,
				  struct pkt_ip *ip)
{
	uint32_t off = get16(h + 2);

	ip->frag_hdr = at;
	ip->frag_off = (uint16_t)(off & 0xfff8);
	ip->frag_more = off & 1;
	ip->frag_id = get32(h + 4);
}

/* Bytes of an extension header, or of AH, which counts otherwise. */
static uint32_t extension_bytes(uint8_t type, const uint8_t *h)
{
	if (type == PROTO_FRAGMENT)
		return FH_BYTES;
	return type == PROTO_AH ? h[1] * 4u + 8 : h[1] * 8u + 8;
}

/*
 * What a first fragment carries behind headers that ought not to be there:
 * the error about it depends on that (RFC 4443 section 2.4 (e.1)). Stays a
 * header's number where the upper layer is out of sight.
 */
static void find_upper_layer(const uint8_t *d, struct pkt_ip *ip)
{
	int count = 0;

	while (!ip->frag_off && bad_behind_fragment(ip->proto) &&
	       count++ < MAX_EXTENSIONS && ip->end - ip->l4 >= 8) {
		const uint8_t *h = d + ip->l4;
		uint32_t bytes = extension_bytes(ip->proto, h);

		if (ip->end - ip->l4 < bytes)
			return;
		ip->proto = h[0];
		ip->l4 += bytes;
	}
}

/*
 * Step over extension headers. @limit: one past the last byte there is.
 * Segments left: noted in @pointer (0: none), and the walk goes on, for
 * whether an error may be sent depends on what lies behind.
 */
static enum reason skip_extensions(const uint8_t *d, struct pkt_ip *ip,
				   uint32_t limit, uint32_t *pointer)
{
	int count = 0;

	while (is_extension(ip->proto)) {
		const uint8_t *h = d + ip->l4;
		uint32_t bytes;

		if (count++ == MAX_EXTENSIONS ||
		    (ip->proto == PROTO_HOPOPT && ip->l4 != ip->l3 + IP6_BYTES))
			return REASON_BAD_EXTENSION;
		if (limit - ip->l4 < 8)
			return REASON_TRUNCATED;
		bytes = extension_bytes(ip->proto, h);
		if (ip->proto == PROTO_FRAGMENT)
			parse_fragment_header(h, ip->l4, ip);
		if (limit - ip->l4 < bytes)
			return REASON_TRUNCATED;
		if (ip->proto == PROTO_ROUTING && h[3] && !*pointer)
			*pointer = ip->l4 + 3;
		ip->proto = h[0];
		ip->l4 += bytes;
		if (!ip->frag_hdr)
			continue;
		if (!bad_behind_fragment(ip->proto))
			break;
		find_upper_layer(d, ip);
		return REASON_FRAG_EXTENSION;
	}
	return REASON_OK;
}

static enum reason parse6_ip(const uint8_t *d, uint32_t l3, uint32_t end,
			     bool inner, struct pkt_ip *ip, uint32_t *pointer)
{
	const uint8_t *h = d + l3;
	enum reason reason;

	if (end - l3 < IP6_BYTES)
		return REASON_TRUNCATED;
	if (h[0] >> 4 != 6)
		return REASON_BAD_VERSION;
	ip->len = IP6_BYTES + get16(h + 4);
	if (!inner && end - l3 < ip->len)
		return REASON_TRUNCATED;
	ip->l3 = l3;
	ip->l4 = l3 + IP6_BYTES;
	ip->end = end - l3 < ip->len ? end : l3 + ip->len;
	ip->frag_id = 0;
	ip->frag_off = 0;
	ip->frag_hdr = 0;
	ip->frag_more = false;
	ip->df = false;
	ip->tos = (uint8_t)(h[0] << 4 | h[1] >> 4);
	ip->proto = h[6];
	ip->ttl = h[7];
	memcpy(&ip->src.v6, h + 8, 16);
	memcpy(&ip->dst.v6, h + 24, 16);
	if (!is_extension(ip->proto))
		return REASON_OK;
	reason = skip_extensions(d, ip, ip->end, pointer);
	if (!reason && pkt_ip_is_frag(ip))
		reason = check_fragment(ip, 65535);
	return reason;
}

static enum reason parse6_quote(const uint8_t *d, struct pkt_info *info)
{
	struct pkt_ip *in = &info->inner;
	uint32_t l3 = info->outer.l4 + ICMP_BYTES;
	uint32_t ignored = 0;
	enum reason reason;

	reason = parse6_ip(d, l3, quote_end(d, &info->outer, true), true, in,
			   &ignored);
	if (!reason)
		reason = parse_transport(d, in, true, true);
	if (!reason && !in->frag_off && in->proto == PROTO_ICMP6 &&
	    in->icmp_type < ICMP6_ECHO)
		return REASON_NESTED_ERROR;
	return reason;
}

enum reason pkt_parse6(struct pkt *pkt, struct pkt_info *info)
{
	struct pkt_ip *ip = &info->outer;
	const uint8_t *d = pkt->data;
	enum reason reason;
	bool changed;

	info->v6 = true;
	info->icmp_error = false;
	info->pointer = 0;
	reason = parse6_ip(d, 0, pkt->len, false, ip, &info->pointer);
	if (reason && reason != REASON_FRAG_EXTENSION)
		return reason;
	trim(pkt, ip->end);
	if (reason) { /* told, and logged: with what it carries */
		parse_transport(d, ip, true, false);
		return reason;
	}
	reason = parse_transport(d, ip, true, false);
	if (reason)
		return reason;
	if (has_quote6(ip)) {
		info->icmp_error = true;
		reason = parse6_quote(d, info);
		if (reason)
			return reason;
	}
	if (info->pointer)
		return REASON_ROUTING_HEADER;
	reason = check_offloads(pkt, info, &changed);
	return changed ? pkt_parse6(pkt, info) : reason;
}

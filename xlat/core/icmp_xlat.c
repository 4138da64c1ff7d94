/* SPDX-License-Identifier: MIT */
/*
 * ICMP messages: echoes in place, errors with the packet they quote.
 *
 * An error is [ICMP header][quoted packet][extensions, RFC 4884]. The quoted
 * headers change size and so does all in front of them; the quoted payload
 * stays where it is, and extensions move to the next boundary of the new
 * family behind it. Checksums are kept in step by difference, so that a
 * message that came with a wrong one leaves with a wrong one.
 */
#include "core_internal.h"

/* Type and identifier of an echo; returns by how much they differ. */
static void echo_rewrite(uint8_t *l4, uint32_t avail, uint8_t type,
			 const struct xlat_ends *to, uint64_t *old,
			 uint64_t *new)
{
	*old += raw16(l4);
	l4[0] = type;
	*new += raw16(l4);
	if (!to->set_ports || avail < 6)
		return;
	*old += raw16(l4 + 4);
	raw_put16(l4 + 4, to->sport);
	*new += raw16(l4 + 4);
}

void icmp_update46(uint8_t *l4, uint32_t avail, const struct xlat_ends *to,
		   uint32_t l4_len)
{
	uint64_t old = 0;
	uint64_t new = csum_pseudo6(&to->src, &to->dst, PROTO_ICMP6, l4_len);

	echo_rewrite(l4, avail, icmp_echo46(l4[0]), to, &old, &new);
	raw_put16(l4 + 2, csum_update(raw16(l4 + 2), old, new));
}

void icmp_update64(uint8_t *l4, uint32_t avail, const struct pkt_ip *ip,
		   const struct xlat_ends *to, uint32_t l4_len)
{
	uint64_t new = 0;
	uint64_t old = csum_pseudo6(&ip->src, &ip->dst, PROTO_ICMP6, l4_len);

	echo_rewrite(l4, avail, icmp_echo64(l4[0]), to, &old, &new);
	raw_put16(l4 + 2, csum_update(raw16(l4 + 2), old, new));
}

/* Where the parts of the translated message go; offsets in the old packet. */
struct layout {
	uint32_t hdr;	   /* bytes of the new quoted IP header */
	uint32_t body;	   /* offset of the quoted payload: it stays */
	uint32_t body_len; /* how much of it is kept */
	uint32_t pad;	   /* zeros behind it */
	uint32_t ext;	   /* offset of the extensions in the old packet */
	uint32_t ext_len;  /* 0: none, or they cannot be kept */
	uint32_t source;   /* bytes behind them that name the source; or 0 */
	uint32_t quote;	   /* hdr + body_len + pad: for the length attribute */
};

/*
 * RFC 5837 sections 4.1 to 4.3: an Interface Information Object of class 2
 * that holds an IP Address Sub-Object and nothing else. Interface role 0: the
 * one on which the packet arrived.
 */
#define EXT_HEADER   4u
#define OBJECT_BYTES 24u

static void put_object(uint8_t *at, const struct in6_addr *source)
{
	put16(at, OBJECT_BYTES);
	at[2] = 2;
	at[3] = 0x04;
	put16(at + 4, 2); /* address family: IPv6 */
	put16(at + 6, 0);
	memcpy(at + 8, source, 16);
}

/*
 * put_source - name @source behind the extensions at @ext.
 * With @len 0 there are none yet. The checksum of those that are there is
 * kept in step, or kept absent (zero).
 */
static void put_source(uint8_t *ext, uint32_t len,
		       const struct in6_addr *source)
{
	uint8_t *object = ext + (len ? len : EXT_HEADER);

	put_object(object, source);
	if (!len) {
		put32(ext, 0x20000000);
		raw_put16(ext + 2, (uint16_t)~csum_fold(csum_add(
					   0, ext, EXT_HEADER + OBJECT_BYTES)));
	} else if (raw16(ext + 2)) {
		raw_put16(ext + 2,
			  csum_update(raw16(ext + 2), 0,
				      csum_add(0, object, OBJECT_BYTES)));
	}
}

/*
 * layout_error - fit the quote and the extensions into @max bytes of packet.
 * @tell: room for the source's name, too
 * @outer: bytes of outer IP header; @unit: of the length attribute, 0: this
 * type has none in the new family, so extensions must go
 */
static void layout_error(const struct pkt *pkt, const struct pkt_info *info,
			 uint32_t hdr, uint32_t outer, uint32_t max,
			 uint32_t unit, uint32_t ext, bool tell,
			 struct layout *lay)
{
	uint32_t room = max - outer - ICMP_BYTES;
	uint32_t quote;

	*lay = (struct layout){.hdr = hdr, .body = info->inner.l4};
	lay->ext = ext;
	lay->ext_len = unit ? pkt->len - ext : 0;
	/*
	 * DEPARTS: RFC 7915 section 4.2 says to truncate extensions that make
	 * the message too long. They have a checksum of their own, so what
	 * gives way is the quoted packet, down to the 128 bytes that RFC 4884
	 * wants, and then the extensions as a whole.
	 */
	lay->source = tell ? OBJECT_BYTES : 0;
	if (lay->ext_len + lay->source > room - RFC4884_BYTES)
		lay->ext_len = 0;
	if (tell && lay->ext_len < EXT_HEADER) { /* none that is one */
		lay->ext_len = 0;
		lay->source += EXT_HEADER;
	}
	if (lay->ext_len + lay->source)
		room = (room - lay->ext_len - lay->source) / unit * unit;
	quote = hdr + (info->inner.end - info->inner.l4);
	if (quote > room)
		quote = room;
	lay->body_len = quote - hdr;
	if (lay->ext_len + lay->source) {
		if (quote < RFC4884_BYTES)
			lay->pad = RFC4884_BYTES - quote;
		lay->pad += (unit - (quote + lay->pad) % unit) % unit;
	}
	lay->quote = quote + lay->pad;
}

/*
 * layout_apply - put body, padding and extensions in place.
 * Returns false, nothing done, when the rooms are too small.
 */
static bool layout_apply(struct pkt *pkt, const struct layout *lay,
			 uint32_t outer)
{
	uint32_t at = lay->body + lay->body_len + lay->pad;
	uint32_t end = at + lay->ext_len + lay->source;
	uint32_t head = outer + ICMP_BYTES + lay->hdr;
	uint8_t *d = pkt->data;

	if (end > pkt->len + pkt->tailroom)
		return false;
	if (head > lay->body + pkt->headroom)
		return false;
	memmove(d + at, d + lay->ext, lay->ext_len);
	memset(d + lay->body + lay->body_len, 0, lay->pad);
	pkt->tailroom = pkt->len + pkt->tailroom - end;
	pkt->len = end;
	pkt_move_head(pkt, (int64_t)lay->body - head);
	return true;
}

/*
 * Where extensions start: behind a length attribute that is possible (the
 * same test as the parser's), else at the end.
 */
static uint32_t extensions_at(const struct pkt *pkt, const struct pkt_ip *ip,
			      uint32_t bytes)
{
	uint32_t at = ip->l4 + ICMP_BYTES + bytes;

	return bytes < RFC4884_BYTES || at > pkt->len ? pkt->len : at;
}

/* The new checksum is off by as much as the old one was. */
static void set_icmp_csum(uint8_t *icmp, uint64_t old_sum, uint64_t new_sum)
{
	uint64_t sum =
		(uint64_t)csum_fold(old_sum) + (uint16_t)~csum_fold(new_sum);

	raw_put16(icmp + 2, csum_fold(sum) == 0xffff ? 0 : csum_fold(sum));
}

static void put_icmp_head(uint8_t *icmp, const struct icmp_head *head)
{
	icmp[0] = head->type;
	icmp[1] = head->code;
	raw_put16(icmp + 2, 0);
	put32(icmp + 4, head->rest);
}

/* The quoted transport header, which may be cut short. */
static void inner_l4_46(uint8_t *l4, uint32_t avail, const struct pkt_ip *in,
			const struct xlat_ends *to)
{
	if (in->frag_off)
		return;
	if (in->proto == PROTO_ICMP4)
		icmp_update46(l4, avail, to, in->len - (in->l4 - in->l3));
	else
		l4_update(l4, avail, in->proto, sum_ends4(&in->src, &in->dst),
			  sum_ends6(&to->src, &to->dst), to, false);
}

/*
 * Quoted ICMP: only echoes have a form in the other family. Of the first
 * fragment of one the type changes, and the checksum by as much as can be
 * known: the length in the pseudo-header is the fragment's, not the whole's.
 */
static bool inner_ok(const struct pkt_ip *in, bool v6)
{
	if (in->proto == PROTO_IGMP && !v6)
		return false;
	if (in->proto != (v6 ? PROTO_ICMP6 : PROTO_ICMP4) || in->frag_off)
		return true;
	return (v6 ? icmp_echo64(in->icmp_type) : icmp_echo46(in->icmp_type)) !=
	       0xff;
}

enum reason icmp_error46(struct pkt *pkt, const struct pkt_info *info,
			 const struct xlat_map *map, const struct xlat_cfg *cfg)
{
	const struct pkt_ip *ip = &info->outer, *in = &info->inner;
	uint8_t *icmp = pkt->data + ip->l4;
	struct icmp_head old = {icmp[0], icmp[1], get32(icmp + 4)};
	struct icmp_head new;
	bool frag = pkt_ip_is_frag(in);
	struct layout lay;
	uint64_t old_sum;
	uint32_t unit;
	enum reason reason = icmp_map46(&old, info, cfg, &new);

	if (reason)
		return reason;
	if (!inner_ok(in, false))
		return REASON_ICMP_TYPE;
	unit = new.type == ICMP6_UNREACH || new.type == ICMP6_EXCEEDED ? 8 : 0;
	layout_error(pkt, info, IP6_BYTES + (frag ? FH_BYTES : 0), IP6_BYTES,
		     ICMP6_MAX, unit,
		     extensions_at(pkt, ip, (old.rest >> 16 & 0xff) * 4), false,
		     &lay);
	old_sum = csum_add(0, icmp, pkt->len - ip->l4);
	if (!layout_apply(pkt, &lay, IP6_BYTES))
		return REASON_NO_HEADROOM;
	icmp = pkt->data + IP6_BYTES;
	inner_l4_46(icmp + ICMP_BYTES + lay.hdr, lay.body_len, in, &map->inner);
	hdr46_write(icmp + ICMP_BYTES,
		    &(struct hdr46){.ip = in,
				    .to = &map->inner,
				    .payload = in->len - (in->l4 - in->l3),
				    .ttl = in->ttl,
				    .frag = frag,
				    .zero_tc = cfg->zero_tc});
	if (lay.ext_len)
		new.rest |= lay.quote / 8 << 24;
	put_icmp_head(icmp, &new);
	set_icmp_csum(icmp, old_sum,
		      csum_add(csum_pseudo6(&map->outer.src, &map->outer.dst,
					    PROTO_ICMP6, pkt->len - IP6_BYTES),
			       icmp, pkt->len - IP6_BYTES));
	return REASON_OK;
}

static void inner_l4_64(uint8_t *l4, uint32_t avail, const struct pkt_ip *in,
			const struct xlat_ends *to)
{
	if (in->frag_off)
		return;
	if (in->proto == PROTO_ICMP6)
		icmp_update64(l4, avail, in, to, in->len - (in->l4 - in->l3));
	else
		l4_update(l4, avail, in->proto, sum_ends6(&in->src, &in->dst),
			  sum_ends4(&to->src, &to->dst), to, false);
}

static uint32_t length_attribute6(const struct icmp_head *head)
{
	if (head->type != ICMP6_UNREACH && head->type != ICMP6_EXCEEDED)
		return 0;
	return (head->rest >> 24) * 8;
}

enum reason icmp_error64(struct pkt *pkt, const struct pkt_info *info,
			 const struct xlat_map *map, const struct xlat_cfg *cfg)
{
	const struct pkt_ip *ip = &info->outer, *in = &info->inner;
	uint8_t *icmp = pkt->data + ip->l4;
	struct icmp_head old = {icmp[0], icmp[1], get32(icmp + 4)};
	struct icmp_head new;
	struct layout lay;
	uint64_t old_sum;
	uint32_t payload = in->len - (in->l4 - in->l3);
	enum reason reason = icmp_map64(&old, info, cfg, &new);

	if (reason)
		return reason;
	if (!inner_ok(in, true))
		return REASON_ICMP_TYPE;
	if (IP4_BYTES + in->frag_off + payload > 65535)
		return REASON_TOO_LONG_FOR_IPV4;
	layout_error(pkt, info, IP4_BYTES, IP4_BYTES, ICMP4_MAX, 4,
		     extensions_at(pkt, ip, length_attribute6(&old)),
		     cfg->tell_source && map->foreign, &lay);
	old_sum = csum_add(csum_pseudo6(&ip->src, &ip->dst, PROTO_ICMP6,
					pkt->len - ip->l4),
			   icmp, pkt->len - ip->l4);
	if (!layout_apply(pkt, &lay, IP4_BYTES))
		return REASON_NO_TAILROOM;
	icmp = pkt->data + IP4_BYTES;
	inner_l4_64(icmp + ICMP_BYTES + lay.hdr, lay.body_len, in, &map->inner);
	hdr64_write(icmp + ICMP_BYTES,
		    &(struct hdr64){
			    .ip = in,
			    .to = &map->inner,
			    .payload = payload,
			    .ttl = in->ttl,
			    .df = payload + IP4_BYTES > MIN_MTU6 - 20,
			    .cfg = cfg,
		    });
	if (lay.source)
		put_source(icmp + ICMP_BYTES + lay.quote, lay.ext_len,
			   &ip->src.v6);
	if (lay.ext_len + lay.source)
		new.rest |= lay.quote / 4 << 16;
	put_icmp_head(icmp, &new);
	set_icmp_csum(icmp, old_sum, csum_add(0, icmp, pkt->len - IP4_BYTES));
	return REASON_OK;
}

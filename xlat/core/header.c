/* SPDX-License-Identifier: MIT */
#include "core_internal.h"

/*
 * RFC 7915 section 4.1, field by field. Where `at` overlaps the old header
 * nothing is lost: everything needed was copied by the parser.
 */
void hdr46_write(uint8_t *at, const struct hdr46 *h)
{
	const struct pkt_ip *ip = h->ip;
	uint32_t tc = h->zero_tc ? 0 : ip->tos;
	uint8_t proto = proto46(ip->proto);
	uint8_t *fh = at + IP6_BYTES;

	put32(at, 6u << 28 | tc << 20); /* flow label: zero */
	put16(at + 4, h->payload + (h->frag ? FH_BYTES : 0));
	at[6] = h->frag ? PROTO_FRAGMENT : proto;
	at[7] = h->ttl;
	memcpy(at + 8, &h->to->src.v6, 16);
	memcpy(at + 24, &h->to->dst.v6, 16);
	if (!h->frag)
		return;
	fh[0] = proto;
	fh[1] = 0;
	put16(fh + 2, ip->frag_off | (ip->frag_more ? 1u : 0u));
	put32(fh + 4, ip->frag_id);
}

void ip4_set_csum(uint8_t *ip)
{
	uint64_t sum = 0;
	int i;

	raw_put16(ip + 10, 0);
	for (i = 0; i < (int)IP4_BYTES; i += 4)
		sum += sum4(ip + i);
	raw_put16(ip + 10, (uint16_t)~csum_fold(sum));
}

/*
 * RFC 7915 sections 5.1 and 5.1.1. Built as words and summed before they are
 * stored: reading back what was stored in pieces stalls the processor.
 */
void hdr64_write(uint8_t *at, const struct hdr64 *h)
{
	const struct pkt_ip *ip = h->ip;
	uint32_t tos = h->cfg->set_tos ? h->cfg->tos : ip->tos;
	uint32_t ident = h->ident;
	uint32_t flags = h->df ? IP4_DF : 0;
	uint32_t w[5];
	uint16_t check;

	if (ip->frag_hdr) {
		ident = ip->frag_id & 0xffff;
		flags = (ip->frag_more ? IP4_MF : 0) | ip->frag_off / 8u;
	}
	/* of a superpacket that leaves in pieces the length is theirs */
	w[0] = htonl(0x45u << 24 | tos << 16 |
		     ((IP4_BYTES + h->payload) & 0xffff));
	w[1] = htonl(ident << 16 | flags);
	w[2] = htonl((uint32_t)h->ttl << 24 | (uint32_t)proto64(ip->proto)
						      << 16);
	w[3] = h->to->src.v4.s_addr;
	w[4] = h->to->dst.v4.s_addr;
	check = csum_fold((uint64_t)w[0] + w[1] + w[2] + w[3] + w[4]);
	w[2] |= htonl(ntohs((uint16_t)~check));
	memcpy(at, w, sizeof(w));
}

/* Where the checksum lies; 0 for protocols that have none over addresses. */
static uint32_t csum_offset(uint8_t proto)
{
	switch (proto) {
	case PROTO_TCP:
		return 16;
	case PROTO_UDP:
	case PROTO_UDPLITE:
	case PROTO_DCCP:
		return 6;
	default:
		return 0;
	}
}

void l4_update(uint8_t *l4, uint32_t avail, uint8_t proto, uint64_t old,
	       uint64_t new, const struct xlat_ends *ends, bool partial)
{
	uint32_t at = csum_offset(proto);
	uint16_t check;

	if (!at || avail < 4)
		return; /* e.g. SCTP: its CRC does not cover addresses */
	if (ends->set_ports) {
		if (!partial) {
			old += sum4(l4);
			new += (uint64_t)ends->sport + ends->dport;
		}
		raw_put16(l4, ends->sport);
		raw_put16(l4 + 2, ends->dport);
	}
	if (avail < at + 2)
		return;
	check = raw16(l4 + at);
	if (partial) {
		raw_put16(l4 + at, csum_update_partial(check, old, new));
		return;
	}
	if (proto == PROTO_UDP && !check)
		return; /* no checksum: none to keep */
	check = csum_update(check, old, new);
	/* RFC 768, RFC 3828 section 3.1: zero would mean "none" */
	if ((proto == PROTO_UDP || proto == PROTO_UDPLITE) && !check)
		check = 0xffff;
	raw_put16(l4 + at, check);
}

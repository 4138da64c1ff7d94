/* SPDX-License-Identifier: MIT */
#include "frag.h"

#include "core_internal.h"

/* Where a UDP superpacket's payload starts in pkt. */
static uint32_t super_payload(const struct frag_iter *it)
{
	return it->hdr + 8;
}

/* Bytes behind the IP header of the present datagram. */
static uint32_t datagram_bytes(const struct frag_iter *it)
{
	uint32_t left;

	if (!it->segment)
		return it->pkt->len - it->hdr;
	left = it->pkt->len - super_payload(it) - it->segment_at;
	return 8 + (left < it->segment ? left : it->segment);
}

/* The UDP header of the present datagram: length and checksum are its own. */
static void start_segment(struct frag_iter *it)
{
	const uint8_t *d = it->pkt->data;
	uint32_t len = datagram_bytes(it);
	uint64_t sum = it->v6 ? csum_pseudo6(d + 8, d + 24, PROTO_UDP, len)
			      : csum_pseudo4(d + 12, d + 16, PROTO_UDP, len);
	uint16_t check;

	memcpy(it->udp, d + it->hdr, 4);
	put16(it->udp + 4, len);
	put16(it->udp + 6, 0);
	sum = csum_add(sum, it->udp, 8);
	sum = csum_add(sum, d + super_payload(it) + it->segment_at, len - 8);
	check = (uint16_t)~csum_fold(sum);
	raw_put16(it->udp + 6, check ? check : 0xffff);
}

/* Go on to the next datagram; false when there is none. */
static bool next_segment(struct frag_iter *it)
{
	if (!it->segment)
		return false;
	it->segment_at += it->segment;
	it->pos = 0;
	it->id++;
	return super_payload(it) + it->segment_at < it->pkt->len;
}

static void copy_payload(const struct frag_iter *it, uint8_t *to,
			 uint32_t bytes)
{
	const uint8_t *from = it->pkt->data + it->hdr + it->pos;
	uint32_t head = 0;

	if (it->segment) {
		head = it->pos < 8 ? 8 - it->pos : 0; /* never cut in two */
		memcpy(to, it->udp + 8 - head, head);
		from += it->segment_at + head;
	}
	memcpy(to + head, from, bytes - head);
}

static void head6(const struct frag_iter *it, uint8_t *d, uint32_t chunk,
		  bool more)
{
	uint8_t *fh = d + it->hdr;

	put16(d + 4, FH_BYTES + chunk);
	d[6] = PROTO_FRAGMENT;
	fh[0] = it->proto;
	fh[1] = 0;
	put16(fh + 2, (it->base + it->pos) | (more ? 1u : 0u));
	put32(fh + 4, it->id);
}

static void head4(const struct frag_iter *it, uint8_t *d, uint32_t chunk,
		  bool more)
{
	put16(d + 2, it->hdr + chunk);
	if (it->segment)
		put16(d + 4, get16(d + 4) + it->segment_at / it->segment);
	put16(d + 6, (it->base + it->pos) / 8 | (more ? IP4_MF : 0));
	ip4_set_csum(d);
}

/* The headers of a piece, as if it had come like that; @more: not the last. */
static void head_piece(const struct frag_iter *it, uint8_t *d, uint32_t head,
		       uint32_t chunk, bool more)
{
	uint8_t *l4 = d + it->hdr;
	uint32_t len = head - it->hdr + chunk;
	bool tcp = d[9] == PROTO_TCP;

	put16(d + 2, head + chunk);
	if (!(get16(d + 6) & IP4_DF)) /* one for each segment */
		put16(d + 4, get16(d + 4) + it->pos / it->pkt->gso.gso_size);
	ip4_set_csum(d);
	if (tcp) {
		put32(l4 + 4, get32(l4 + 4) + it->pos);
		if (more)
			l4[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
		if (it->pos)
			l4[13] &= (uint8_t)~TCP_CWR;
	} else {
		put16(l4 + 4, len);
	}
	raw_put16(l4 + (tcp ? 16 : 6),
		  csum_fold(csum_pseudo4(d + 12, d + 16, d[9], len)));
}

/* Superpackets out of a longer one: offload metadata stays. */
static bool next_piece(struct frag_iter *it, struct pkt *frag)
{
	const struct pkt *p = it->pkt;
	uint32_t head = it->hdr + (p->data[9] == PROTO_TCP
					   ? (p->data[it->hdr + 12] >> 4) * 4u
					   : 8);
	uint32_t left = p->len - head - it->pos;
	uint32_t chunk = left < it->piece ? left : it->piece;
	uint32_t room = frag->len + frag->tailroom;

	if (!left || room < head + chunk)
		return false;
	memcpy(frag->data, p->data, head);
	memcpy(frag->data + head, p->data + head + it->pos, chunk);
	head_piece(it, frag->data, head, chunk, chunk < left);
	it->pos += chunk;
	frag->len = head + chunk;
	frag->tailroom = room - frag->len;
	frag->gso = p->gso;
	if (chunk <= p->gso.gso_size)
		frag->gso.type = PKT_GSO_NONE;
	return true;
}

bool frag_next(struct frag_iter *it, struct pkt *frag)
{
	uint32_t room = frag->len + frag->tailroom;
	uint32_t head, left, chunk;
	bool more;

	if (it->piece)
		return next_piece(it, frag);
	left = datagram_bytes(it) - it->pos;
	if (!left) {
		if (!next_segment(it))
			return false;
		left = datagram_bytes(it);
	}
	if (room > it->mtu)
		room = it->mtu;
	head = it->hdr + (it->v6 ? FH_BYTES : 0);
	if (it->segment && !it->pos) {
		start_segment(it);
		if (it->hdr + left <= room) /* the last one, perhaps */
			head = it->hdr;
	}
	chunk = left;
	if (room < head + 8)
		return false;
	if (chunk > room - head)
		chunk = (room - head) & ~7u;
	more = it->more || chunk < left;
	memcpy(frag->data, it->pkt->data, it->hdr);
	copy_payload(it, frag->data + head, chunk);
	if (!it->v6)
		head4(it, frag->data, chunk, more);
	else if (head > it->hdr)
		head6(it, frag->data, chunk, more);
	else
		put16(frag->data + 4, chunk);
	it->pos += chunk;
	frag->tailroom = frag->len + frag->tailroom - head - chunk;
	frag->len = head + chunk;
	frag->gso = (struct pkt_gso){0};
	return true;
}

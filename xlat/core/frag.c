/* SPDX-License-Identifier: MIT */
#include "frag.h"

#include "core_internal.h"

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
	put16(d + 6, (it->base + it->pos) / 8 | (more ? IP4_MF : 0));
	ip4_set_csum(d);
}

bool frag_next(struct frag_iter *it, struct pkt *frag)
{
	uint32_t head = it->hdr + (it->v6 ? FH_BYTES : 0);
	uint32_t room = frag->len + frag->tailroom;
	uint32_t left = it->pkt->len - it->hdr - it->pos;
	uint32_t chunk = left;
	bool more;

	if (!left)
		return false;
	if (room > it->mtu)
		room = it->mtu;
	if (room < head + 8)
		return false;
	if (chunk > room - head)
		chunk = (room - head) & ~7u;
	more = it->more || chunk < left;
	memcpy(frag->data, it->pkt->data, it->hdr);
	memcpy(frag->data + head, it->pkt->data + it->hdr + it->pos, chunk);
	if (it->v6)
		head6(it, frag->data, chunk, more);
	else
		head4(it, frag->data, chunk, more);
	it->pos += chunk;
	frag->tailroom = frag->len + frag->tailroom - head - chunk;
	frag->len = head + chunk;
	frag->gso = (struct pkt_gso){0};
	return true;
}

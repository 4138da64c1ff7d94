/* SPDX-License-Identifier: MIT */
#include "vnet.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define SCTP_HEAD 12u
#define SCTP_CSUM 8 /* in it */

int vnet_decode(const struct virtio_net_hdr *h, struct pkt_gso *g)
{
	*g = (struct pkt_gso){0};
	if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		g->needs_csum = true;
		g->csum_start = h->csum_start;
		g->csum_offset = h->csum_offset;
	}
	switch (h->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		return 0;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		g->type = PKT_GSO_TCP4;
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		g->type = PKT_GSO_TCP6;
		break;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		g->type = PKT_GSO_UDP_L4;
		break;
	default:
		return -EOPNOTSUPP;
	}
	g->ecn = h->gso_type & VIRTIO_NET_HDR_GSO_ECN;
	g->gso_size = h->gso_size;
	g->hdr_len = h->hdr_len;
	return 0;
}

/* Four bits at a time: this is rare. */
static uint32_t crc32c(const uint8_t *data, size_t len)
{
	uint32_t table[16], crc = UINT32_MAX;

	for (uint32_t i = 0; i < 16; i++) {
		table[i] = i;
		for (int k = 0; k < 4; k++)
			table[i] =
				table[i] >> 1 ^ (table[i] & 1 ? 0x82f63b78 : 0);
	}
	for (size_t i = 0; i < len; i++) {
		crc ^= data[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

/* No other protocol has its checksum at this place. */
static bool is_partial_sctp(const struct pkt *pkt)
{
	return pkt->gso.needs_csum && pkt->gso.type == PKT_GSO_NONE &&
	       pkt->gso.csum_offset == SCTP_CSUM &&
	       pkt->gso.csum_start + SCTP_HEAD <= pkt->len &&
	       (pkt->data[0] >> 4 == 6 || pkt->data[9] == IPPROTO_SCTP);
}

void vnet_finish_sctp(struct pkt *pkt)
{
	uint8_t *sctp, *sum;
	uint32_t crc;

	if (!is_partial_sctp(pkt))
		return;
	sctp = pkt->data + pkt->gso.csum_start;
	sum = sctp + SCTP_CSUM;
	memset(sum, 0, 4);
	crc = crc32c(sctp, pkt->len - pkt->gso.csum_start);
	for (int i = 0; i < 4; i++) /* the lowest octet comes first */
		sum[i] = (uint8_t)(crc >> 8 * i);
	pkt->gso = (struct pkt_gso){0};
}

static uint8_t gso_type(const struct pkt_gso *g)
{
	switch ((enum pkt_gso_type)g->type) {
	case PKT_GSO_NONE:
		break;
	case PKT_GSO_TCP4:
		return VIRTIO_NET_HDR_GSO_TCPV4;
	case PKT_GSO_TCP6:
		return VIRTIO_NET_HDR_GSO_TCPV6;
	case PKT_GSO_UDP_L4:
		return VIRTIO_NET_HDR_GSO_UDP_L4;
	}
	return VIRTIO_NET_HDR_GSO_NONE;
}

void vnet_encode(const struct pkt_gso *g, struct virtio_net_hdr *h)
{
	memset(h, 0, sizeof(*h));
	if (g->needs_csum) {
		h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		h->csum_start = g->csum_start;
		h->csum_offset = g->csum_offset;
	}
	if (g->type == PKT_GSO_NONE)
		return;
	h->gso_type = gso_type(g);
	if (g->ecn)
		h->gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	h->gso_size = g->gso_size;
	h->hdr_len = g->hdr_len;
}

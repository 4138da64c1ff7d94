/* SPDX-License-Identifier: MIT */
#include "vnet.h"

#include <errno.h>
#include <string.h>

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

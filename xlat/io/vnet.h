/* SPDX-License-Identifier: MIT */
/* Offload metadata: struct virtio_net_hdr on a descriptor, pkt_gso inside. */
#ifndef IO_VNET_H
#define IO_VNET_H

#include <linux/virtio_net.h>

#include "../core/pkt.h"

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4 /* Linux 6.2 */
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

/*
 * vnet_decode - @h, in host byte order, into @g.
 * Returns 0; -EOPNOTSUPP for a segmentation type that we never offer (UFO).
 * What the fields say about the packet is checked by pkt_parse4/6. Pure.
 */
int vnet_decode(const struct virtio_net_hdr *h, struct pkt_gso *g);

/*
 * vnet_finish_sctp - put in the CRC32c that the sender of an SCTP packet left
 * to its card (RFC 9260 appendix A). A TUN device is never given such packets,
 * a packet socket is: "partial checksum" then does not mean the sum that it
 * means elsewhere. It does not cover addresses, so it stays right. Pure.
 */
void vnet_finish_sctp(struct pkt *pkt);

/* vnet_encode - the reverse; all zero when there is nothing to say. Pure. */
void vnet_encode(const struct pkt_gso *g, struct virtio_net_hdr *h);

#endif

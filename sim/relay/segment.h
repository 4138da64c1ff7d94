/* SPDX-License-Identifier: MIT */
/*
 * Cutting a superpacket into the packets it stands for (TCP over IPv4 and
 * IPv6, UDP_SEGMENT over either), as the kernel's own GSO would. PURE.
 */
#ifndef RELAY_SEGMENT_H
#define RELAY_SEGMENT_H

#include <linux/virtio_net.h>
#include <stddef.h>
#include <stdint.h>

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

/* Where things are in a frame that begins with its Ethernet header. */
struct segment_plan {
	size_t l3, l4, payload; /* offsets, bytes */
	size_t mss, total;	/* payload of one packet, and of all */
	unsigned int n;		/* packets to be made */
	uint8_t proto;		/* IPPROTO_TCP or IPPROTO_UDP */
	uint8_t version;	/* 4 or 6 */
};

/*
 * segment_plan_init - understand a superpacket.
 * @head, @head_len: the frame's beginning (all headers)
 * @len: the whole frame, bytes
 * @vnet: as received from the kernel; csum_start counts from the frame's start
 *
 * Returns 0; -EOPNOTSUPP for anything but TCP or UDP with a partial checksum;
 * -EINVAL when the headers contradict themselves.
 */
int segment_plan_init(struct segment_plan *p, const uint8_t *head,
		      size_t head_len, size_t len,
		      const struct virtio_net_hdr *vnet);

/* segment_wire_bytes - of all packets together, at layer 2. */
size_t segment_wire_bytes(const struct segment_plan *p);

/*
 * segment_build - packet @i of @p.
 * @frame: the whole superpacket, linear
 * @out: room for p->payload + p->mss bytes; @vnet_out: its metadata (partial
 * checksum, no GSO)
 * Returns the packet's length.
 */
size_t segment_build(const struct segment_plan *p, const uint8_t *frame,
		     const struct virtio_net_hdr *vnet, unsigned int i,
		     uint8_t *out, struct virtio_net_hdr *vnet_out);

#endif

/* SPDX-License-Identifier: MIT */
#include "segment.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <string.h>

#define TCP_FIN 0x01
#define TCP_PSH 0x08
#define TCP_CWR 0x80
#define IP4_HDR 20
#define IP6_HDR 40
#define UDP_HDR 8
#define TCP_HDR 20

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, (uint16_t)(v >> 16));
	put16(p + 2, (uint16_t)v);
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static int find_l4(struct segment_plan *p, const uint8_t *head, size_t head_len,
		   const struct virtio_net_hdr *vnet)
{
	size_t ip_hdr, l4_hdr;

	p->l3 = ETH_HLEN;
	p->l4 = vnet->csum_start;
	if (head_len < ETH_HLEN + IP4_HDR)
		return -EINVAL;
	p->version = head[p->l3] >> 4;
	if (p->version != 4 && p->version != 6)
		return -EOPNOTSUPP;
	ip_hdr = p->version == 4 ? IP4_HDR : IP6_HDR;
	l4_hdr = p->proto == IPPROTO_TCP ? TCP_HDR : UDP_HDR;
	if (p->version == 4)
		ip_hdr = (size_t)(head[p->l3] & 15) * 4;
	if (ip_hdr < IP4_HDR || p->l4 < p->l3 + ip_hdr ||
	    p->l4 + l4_hdr > head_len ||
	    (p->version == 4 && p->l4 != p->l3 + ip_hdr))
		return -EINVAL;
	if (vnet->csum_offset != (p->proto == IPPROTO_TCP ? 16 : 6))
		return -EINVAL;
	if (p->proto == IPPROTO_TCP)
		l4_hdr = (size_t)(head[p->l4 + 12] >> 4) * 4;
	p->payload = p->l4 + l4_hdr;
	return l4_hdr < (p->proto == IPPROTO_TCP ? TCP_HDR : UDP_HDR) ||
			       p->payload > head_len
		       ? -EINVAL
		       : 0;
}

int segment_plan_init(struct segment_plan *p, const uint8_t *head,
		      size_t head_len, size_t len,
		      const struct virtio_net_hdr *vnet)
{
	int ret;

	switch (vnet->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
	case VIRTIO_NET_HDR_GSO_TCPV6:
		p->proto = IPPROTO_TCP;
		break;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		p->proto = IPPROTO_UDP;
		break;
	default:
		return -EOPNOTSUPP;
	}
	if (!(vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return -EOPNOTSUPP;
	ret = find_l4(p, head, head_len, vnet);
	if (ret)
		return ret;
	if (!vnet->gso_size || p->payload >= len)
		return -EINVAL;
	p->mss = vnet->gso_size;
	p->total = len - p->payload;
	p->n = (unsigned int)((p->total + p->mss - 1) / p->mss);
	return 0;
}

size_t segment_wire_bytes(const struct segment_plan *p)
{
	return p->n * p->payload + p->total;
}

static void fix_ip4(uint8_t *ip, size_t ip_hdr, size_t len, unsigned int i)
{
	uint32_t sum = 0;

	put16(ip + 2, (uint16_t)len);
	put16(ip + 4, (uint16_t)(get16(ip + 4) + i));
	put16(ip + 10, 0);
	for (size_t k = 0; k < ip_hdr; k += 2)
		sum += get16(ip + k);
	put16(ip + 10, (uint16_t)~fold(sum));
}

/* FIN and PSH belong to the last packet, CWR to the first (RFC 3168). */
static void fix_tcp(uint8_t *tcp, const struct segment_plan *p, unsigned int i)
{
	uint8_t drop = 0;

	put32(tcp + 4, get32(tcp + 4) + (uint32_t)(i * p->mss));
	if (i + 1 < p->n)
		drop |= TCP_FIN | TCP_PSH;
	if (i)
		drop |= TCP_CWR;
	tcp[13] &= (uint8_t)~drop;
}

/*
 * The checksum field of a partial checksum is the sum of the pseudo-header,
 * not complemented. Only the length in it changes.
 */
static void fix_checksum(uint8_t *field, size_t old_len, size_t new_len)
{
	uint32_t sum = get16(field);

	sum += (uint16_t)~fold((uint32_t)old_len);
	sum += fold((uint32_t)new_len);
	put16(field, fold(sum));
}

size_t segment_build(const struct segment_plan *p, const uint8_t *frame,
		     const struct virtio_net_hdr *vnet, unsigned int i,
		     uint8_t *out, struct virtio_net_hdr *vnet_out)
{
	size_t from = i * p->mss;
	size_t n = p->total - from < p->mss ? p->total - from : p->mss;
	size_t l4_len = p->payload - p->l4 + n;

	memcpy(out, frame, p->payload);
	memcpy(out + p->payload, frame + p->payload + from, n);
	if (p->version == 4)
		fix_ip4(out + p->l3, (size_t)(out[p->l3] & 15) * 4,
			p->payload + n - p->l3, i);
	else
		put16(out + p->l3 + 4,
		      (uint16_t)(p->payload + n - p->l3 - IP6_HDR));
	if (p->proto == IPPROTO_TCP)
		fix_tcp(out + p->l4, p, i);
	else
		put16(out + p->l4 + 4, (uint16_t)l4_len);
	fix_checksum(out + p->l4 + vnet->csum_offset,
		     p->payload - p->l4 + p->total, l4_len);
	*vnet_out = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.hdr_len = (uint16_t)p->payload,
		.csum_start = vnet->csum_start,
		.csum_offset = vnet->csum_offset,
	};
	return p->payload + n;
}

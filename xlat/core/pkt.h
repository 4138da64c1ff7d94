/* SPDX-License-Identifier: MIT */
/*
 * A packet in memory, and what its headers say.
 *
 * The core moves headers, never payload, and never allocates: whoever reads a
 * packet leaves room in front of it and behind it.
 */
#ifndef CORE_PKT_H
#define CORE_PKT_H

#include <linux/types.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reason.h"

/*
 * Room for the worst case. Front: IPv4 to IPv6 with a fragment header, twice
 * (outer and inner header of an ICMP error). Back: padding of the original
 * datagram for RFC 4884, and an extension of our own (RFC 5837).
 */
#define PKT_HEADROOM 64
#define PKT_TAILROOM 192
/* The largest packet: an IPv6 header and 65535 bytes of payload. */
#define PKT_MAX_BYTES (40 + 65535)

enum pkt_gso_type {
	PKT_GSO_NONE,
	PKT_GSO_TCP4,	/* VIRTIO_NET_HDR_GSO_TCPV4 (1) */
	PKT_GSO_TCP6,	/* VIRTIO_NET_HDR_GSO_TCPV6 (4) */
	PKT_GSO_UDP_L4, /* VIRTIO_NET_HDR_GSO_UDP_L4 (5), either family */
};

/*
 * Offload metadata, as in struct virtio_net_hdr but in host order.
 *
 * needs_csum: the transport checksum field holds the uncomplemented sum of
 * the pseudo-header; somebody later adds the sum from csum_start to the end
 * and stores its complement at csum_start + csum_offset.
 * type != NONE: a superpacket, a head and segments of gso_size payload bytes.
 * Offsets count from pkt.data. hdr_len is a hint (length of all headers).
 */
struct pkt_gso {
	bool needs_csum;
	bool ecn;     /* VIRTIO_NET_HDR_GSO_ECN */
	uint8_t type; /* enum pkt_gso_type */
	uint16_t hdr_len;
	uint16_t gso_size;
	uint16_t csum_start;
	uint16_t csum_offset;
};

struct pkt {
	uint8_t *data;	   /* first byte of the IP header */
	uint32_t len;	   /* bytes from data */
	uint32_t headroom; /* bytes that may be written before data */
	uint32_t tailroom; /* bytes that may be written after data + len */
	struct pkt_gso gso;
};

union pkt_addr {
	struct in_addr v4;
	struct in6_addr v6;
};

/*
 * One IP header (with IPv4 options or IPv6 extension headers) and the start
 * of what it carries. Offsets count from pkt.data.
 */
struct pkt_ip {
	uint32_t l3;  /* the IP header */
	uint32_t l4;  /* the transport header, or the fragment's payload */
	uint32_t end; /* one past the last byte of this datagram in memory */
	uint32_t len; /* what the header claims, header included; equal to
		       * end - l3 but for the inner packet of an ICMP error,
		       * which may be cut short */
	uint32_t frag_id;  /* IPv4: 16 bits */
	uint32_t frag_hdr; /* IPv6: offset of the fragment header; 0: none */
	uint16_t frag_off; /* bytes, a multiple of 8 */
	bool frag_more;
	bool df;	   /* IPv4 */
	uint8_t proto;	   /* as in the header: ICMPv6 is 58, ICMPv4 is 1 */
	uint8_t ttl;	   /* or hop limit */
	uint8_t tos;	   /* or traffic class */
	bool has_ports;	   /* sport and dport were read */
	__be16 sport;	   /* TCP, UDP, UDP-Lite, SCTP, DCCP; ICMP echo: */
	__be16 dport;	   /* both hold the identifier */
	uint8_t tcp_flags; /* byte 13 of the TCP header; 0 when not there */
	uint8_t icmp_type, icmp_code;
	union pkt_addr src, dst; /* network order */
};

struct pkt_info {
	bool v6;
	bool icmp_error; /* outer is an ICMP error and inner is filled in */
	/*
	 * Offset of the byte to point at in a Parameter Problem: set with
	 * REASON_ROUTING_HEADER (the Segments Left field).
	 */
	uint32_t pointer;
	struct pkt_ip outer;
	struct pkt_ip inner;
};

/* pkt_ip_is_frag - true for any fragment that is not the whole datagram. */
static inline bool pkt_ip_is_frag(const struct pkt_ip *ip)
{
	return ip->frag_more || ip->frag_off;
}

/*
 * pkt_parse4 / pkt_parse6 - read and check every header once.
 * @pkt: bytes untouched, but those after the length in the IP header (link
 * padding) are cut off: len and tailroom change
 * @info: filled in; with a reason other than OK only as far as needed by
 *        xlat_refuse4/6
 *
 * Checks: version, lengths, IPv4 header checksum, extension headers, fragment
 * arithmetic, at least the fixed transport header of an unfragmented packet
 * or first fragment (TCP 20, UDP 8, ICMP 8 bytes), offload metadata against
 * the headers. In an ICMP error the inner packet may be cut anywhere behind
 * its IP header, and be a fragment even of ICMP; has_ports says whether enough
 * of it is there.
 *
 * A partial checksum that is not the transport header's own (a tunnel's inner
 * one, say) is completed here.
 *
 * Returns REASON_OK or the reason to hand to xlat_refuse4/6.
 * Context: pure. RFC 7915 sections 4.1 and 5.1, RFC 8200 section 4.
 */
enum reason pkt_parse4(struct pkt *pkt, struct pkt_info *info);
enum reason pkt_parse6(struct pkt *pkt, struct pkt_info *info);

/*
 * pkt_csum_complete - do in software what needs_csum leaves to others.
 *
 * For a packet that goes where offload metadata cannot; never for a
 * superpacket. Returns false, and changes nothing, when csum_start or
 * csum_offset lie outside the packet. Context: pure.
 */
bool pkt_csum_complete(struct pkt *pkt);

#endif

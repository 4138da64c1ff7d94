/* SPDX-License-Identifier: MIT */
/* What the files of the core share with each other, and nobody else. */
#ifndef CORE_INTERNAL_H
#define CORE_INTERNAL_H

#include <string.h>

#include "csum.h"
#include "pkt.h"
#include "xlat.h"

enum {
	PROTO_HOPOPT = 0,
	PROTO_ICMP4 = 1,
	PROTO_IGMP = 2,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_DCCP = 33,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_AH = 51,
	PROTO_ICMP6 = 58,
	PROTO_DSTOPTS = 60,
	PROTO_SCTP = 132,
	PROTO_MOBILITY = 135,
	PROTO_UDPLITE = 136,
	PROTO_HIP = 139,
	PROTO_SHIM6 = 140,
};

enum {
	ICMP4_ECHO_REPLY = 0,
	ICMP4_UNREACH = 3,
	ICMP4_QUENCH = 4,
	ICMP4_REDIRECT = 5,
	ICMP4_ECHO = 8,
	ICMP4_EXCEEDED = 11,
	ICMP4_PARAM = 12,
};

enum {
	ICMP6_UNREACH = 1,
	ICMP6_TOO_BIG = 2,
	ICMP6_EXCEEDED = 3,
	ICMP6_PARAM = 4,
	ICMP6_ECHO = 128,
	ICMP6_ECHO_REPLY = 129,
	ICMP6_REDIRECT = 137,
};

#define TCP_FIN 0x01u
#define TCP_PSH 0x08u
#define TCP_CWR 0x80u

#define IP4_BYTES  20u
#define IP6_BYTES  40u
#define FH_BYTES   8u /* IPv6 fragment header */
#define ICMP_BYTES 8u

#define IP4_DF 0x4000u
#define IP4_MF 0x2000u

#define MIN_MTU4      68u
#define MIN_MTU6      1280u
#define ICMP4_MAX     576u  /* largest ICMPv4 error, RFC 1812 4.3.2.3 */
#define ICMP6_MAX     1280u /* largest ICMPv6 error, RFC 4443 2.4 (c) */
#define RFC4884_BYTES 128u  /* least original datagram before extensions */

static inline uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static inline void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

/* raw16 / raw_put16 - as it lies in memory, for checksums. */
static inline uint16_t raw16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline void raw_put16(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, sizeof(v));
}

static inline uint64_t sum4(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t sum16(const void *p)
{
	uint64_t v[2];

	memcpy(v, p, sizeof(v));
	return (v[0] & 0xffffffff) + (v[0] >> 32) + (v[1] & 0xffffffff) +
	       (v[1] >> 32);
}

/* is_extension - a number that IPv6 takes for an extension header. */
static inline bool is_extension(uint8_t proto)
{
	return proto == PROTO_HOPOPT || proto == PROTO_ROUTING ||
	       proto == PROTO_FRAGMENT || proto == PROTO_DSTOPTS;
}

/* bad_behind_fragment - what may not follow a fragment header (RFC 7915
 * section 5.1.1). */
static inline bool bad_behind_fragment(uint8_t next)
{
	return is_extension(next) || next == PROTO_AH ||
	       next == PROTO_MOBILITY || next == PROTO_HIP ||
	       next == PROTO_SHIM6;
}

/* Sums of both addresses of a header. */
static inline uint64_t sum_ends4(const union pkt_addr *src,
				 const union pkt_addr *dst)
{
	return sum4(src) + sum4(dst);
}

static inline uint64_t sum_ends6(const union pkt_addr *src,
				 const union pkt_addr *dst)
{
	return sum16(src) + sum16(dst);
}

/* pkt_check_gso - the offload metadata against the parsed headers (gso.c). */
enum reason pkt_check_gso(struct pkt *pkt, const struct pkt_info *info);

/*
 * gso_headers - bytes of transport header in front of each segment's payload.
 * Only for superpackets that pkt_check_gso() let through.
 */
uint32_t gso_headers(const struct pkt *pkt, const struct pkt_ip *ip);

/* How a packet gets through the next hop's MTU. cut: as frag_iter knows how. */
struct fit {
	bool cut; /* must leave in fragments of at most mtu */
	uint32_t mtu;
	uint16_t segment; /* of UDP, each cut for itself; 0: not */
	uint32_t piece;	  /* of a superpacket too long for IPv4; 0: it is not */
	uint16_t gso_size; /* of the result */
};

/*
 * fit_mtu - does a packet, or do the segments of a superpacket, fit?
 * @l3: IP header bytes of the result
 * @df: fragments are not allowed
 * @limit: largest packet; @cut: largest fragment
 */
enum reason fit_mtu(const struct pkt *pkt, const struct pkt_ip *ip, uint32_t l3,
		    bool df, uint32_t limit, uint32_t cut, struct fit *fit);

/*
 * l4_update - the transport header after a change of pseudo-header.
 * @l4: the header; @avail: bytes there are (an inner one may be cut short)
 * @proto: its protocol; not ICMP
 * @old, @new: sums of what left and what entered the pseudo-header
 * @partial: needs_csum
 */
void l4_update(uint8_t *l4, uint32_t avail, uint8_t proto, uint64_t old,
	       uint64_t new, const struct xlat_ends *ends, bool partial);

/* hdr46_write - the IPv6 header and, if asked for, fragment header at @at. */
struct hdr46 {
	const struct pkt_ip *ip; /* the IPv4 header */
	const struct xlat_ends *to;
	uint32_t payload; /* bytes behind the headers */
	uint8_t ttl;
	bool frag; /* with a fragment header */
	bool zero_tc;
};

void hdr46_write(uint8_t *at, const struct hdr46 *h);

/* hdr64_write - the same for IPv4. */
struct hdr64 {
	const struct pkt_ip *ip; /* the IPv6 header */
	const struct xlat_ends *to;
	uint32_t payload;
	uint8_t ttl;
	uint16_t ident; /* where there is no fragment header */
	bool df;	/* likewise */
	const struct xlat_cfg *cfg;
};

void hdr64_write(uint8_t *at, const struct hdr64 *h);
void ip4_set_csum(uint8_t *ip);

/* left_ttl - TTL or hop limit of the result. */
static inline uint8_t left_ttl(const struct pkt_ip *ip,
			       const struct xlat_cfg *cfg)
{
	return (uint8_t)(ip->ttl - (cfg->keep_ttl ? 0 : 1));
}

static inline uint8_t proto46(uint8_t proto)
{
	return proto == PROTO_ICMP4 ? PROTO_ICMP6 : proto;
}

static inline uint8_t proto64(uint8_t proto)
{
	return proto == PROTO_ICMP6 ? PROTO_ICMP4 : proto;
}

/* First eight bytes of an ICMP message but for the checksum. */
struct icmp_head {
	uint8_t type, code;
	uint32_t rest; /* host order */
};

/* icmp_map46 / icmp_map64 - RFC 7915 sections 4.2 and 5.2 (icmp_map.c). */
enum reason icmp_map46(const struct icmp_head *in, const struct pkt_info *info,
		       const struct xlat_cfg *cfg, struct icmp_head *out);
enum reason icmp_map64(const struct icmp_head *in, const struct pkt_info *info,
		       const struct xlat_cfg *cfg, struct icmp_head *out);

/* icmp_echo46/64 - type of an echo in the other family, or 0xff. */
uint8_t icmp_echo46(uint8_t type);
uint8_t icmp_echo64(uint8_t type);

/* icmp_update46/64 - an echo message in place, checksum kept in step. */
void icmp_update46(uint8_t *l4, uint32_t avail, const struct xlat_ends *to,
		   uint32_t l4_len);
void icmp_update64(uint8_t *l4, uint32_t avail, const struct pkt_ip *ip,
		   const struct xlat_ends *to, uint32_t l4_len);

/*
 * icmp_error46/64 - everything of an ICMP error from the ICMP header on.
 *
 * On OK data and len cover the outer header, which the caller still has to
 * write, and the translated message behind it; otherwise
 * nothing has changed.
 */
enum reason icmp_error46(struct pkt *pkt, const struct pkt_info *info,
			 const struct xlat_map *map,
			 const struct xlat_cfg *cfg);
enum reason icmp_error64(struct pkt *pkt, const struct pkt_info *info,
			 const struct xlat_map *map,
			 const struct xlat_cfg *cfg);

/* pkt_move_head - the packet now starts at offset @at, perhaps negative. */
static inline void pkt_move_head(struct pkt *pkt, int64_t at)
{
	pkt->data += at;
	pkt->len = (uint32_t)(pkt->len - at);
	pkt->headroom = (uint32_t)(pkt->headroom + at);
}

#endif

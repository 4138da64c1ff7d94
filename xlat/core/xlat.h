/* SPDX-License-Identifier: MIT */
/*
 * RFC 7915: one packet's headers in, the other family's headers out.
 *
 * The caller decides which addresses (and ports) the result carries: addrmap.h
 * for SIIT and CLAT, nat64 for the PLAT.
 *
 *	reason = pkt_parse4(pkt, &info);
 *	if (!reason)
 *		reason = addrmap_46(map, &info, &ends);
 *	verdict = reason ? xlat_refuse4(pkt, &info, reason, cfg, out)
 *			 : xlat_46(pkt, &info, &ends, cfg, out);
 *	switch (verdict) ...
 */
#ifndef CORE_XLAT_H
#define CORE_XLAT_H

#include "frag.h"
#include "pkt.h"
#include "reason.h"

/* New addresses, and ports where set_ports is true, of one IP header. */
struct xlat_ends {
	union pkt_addr src, dst;
	__be16 sport, dport; /* ICMP echo: the identifier, from sport */
	bool set_ports;
};

/* inner is read only for ICMP errors; its source is the inner source. */
struct xlat_map {
	struct xlat_ends outer, inner;
	/* 64: to be translated back at once (RFC 7757 section 4.2.2). */
	bool hairpin;
	/* 64: the source of an ICMP error has no IPv4 form; outer.src is one
	 * of a pool (RFC 6791). */
	bool foreign;
};

enum xlat_udp_zero {
	XLAT_UDP_ZERO_COMPUTE, /* compute a checksum for unfragmented packets */
	XLAT_UDP_ZERO_DROP,
};

struct xlat_cfg {
	uint32_t mtu4; /* MTU of the IPv4 next hop, bytes; at least 68 */
	uint32_t mtu6; /* MTU of the IPv6 next hop, bytes; at least 1280 */
	/*
	 * RFC 7915 section 4: IPv4 packets without DF become fragments no
	 * larger than this. 1280 unless the network is known better; values
	 * above mtu6 count as mtu6.
	 */
	uint32_t lowest_mtu6;
	bool set_tos; /* 6 to 4: TOS is tos, not the traffic class (5.1) */
	uint8_t tos;
	bool zero_tc;	  /* 4 to 6: traffic class is 0, not the TOS (4.1) */
	uint8_t udp_zero; /* enum xlat_udp_zero (4.5) */
	/*
	 * 6 to 4: ICMP errors whose source has no IPv4 form name it in an
	 * extension (RFC 6791 section 4, RFC 5837).
	 */
	bool tell_source;
	/* Second pass of a hairpinned packet: the TTL has been paid already
	 * (RFC 7757 section 4.2.2). */
	bool keep_ttl;
	/* Source of our own ICMP errors; all zero: none are sent. */
	struct in_addr self4;
	struct in6_addr self6;
};

/* xlat_cfg_init - MTU 1500 both sides, lowest 1280, compute, no own address. */
void xlat_cfg_init(struct xlat_cfg *cfg);

/*
 * What a translation leaves behind besides the packet. One per thread, kept
 * from call to call.
 */
struct xlat_out {
	enum reason reason;    /* of the last verdict; OK for FORWARD */
	struct pkt reply;      /* VERDICT_REPLY: the error, in buf */
	struct frag_iter frag; /* VERDICT_FRAGMENT */
	/* UDP checksums that had to be computed, ever: whole packets summed */
	uint64_t udp_computed;
	/* private */
	uint8_t *buf;
	uint32_t buf_bytes;
	uint16_t ident; /* next IPv4 Identification */
};

#define XLAT_REPLY_BYTES 1280

/*
 * xlat_out_init - before the first packet.
 * @buf: where replies are built; owned by the caller; XLAT_REPLY_BYTES or more
 * @ident: any number; where IPv4 Identification values start
 */
void xlat_out_init(struct xlat_out *out, uint8_t *buf, uint32_t buf_bytes,
		   uint16_t ident);

/*
 * xlat_46 / xlat_64 - translate one parsed packet in place.
 * @pkt: FORWARD: data, len, rooms and gso describe the result.
 *       FRAGMENT: the whole datagram, translated, that frag_next() cuts up;
 *       REPLY, DROP: bytes and fields untouched
 * @info: of this packet, straight from pkt_parse4/6
 *
 * Decrements TTL / hop limit, adjusts checksums incrementally (a wrong one
 * stays wrong), translates ICMP errors with what they quote. A superpacket is
 * forwarded whole when its segments fit the MTU. Without DF, TCP gets segments
 * that fit, and UDP leaves as fragments of each segment.
 *
 * Returns FORWARD, FRAGMENT, REPLY or DROP with out->reason set.
 * Context: pure.
 */
enum verdict xlat_46(struct pkt *pkt, const struct pkt_info *info,
		     const struct xlat_map *map, const struct xlat_cfg *cfg,
		     struct xlat_out *out);
enum verdict xlat_64(struct pkt *pkt, const struct pkt_info *info,
		     const struct xlat_map *map, const struct xlat_cfg *cfg,
		     struct xlat_out *out);

/*
 * xlat_refuse4 / xlat_refuse6 - a packet that will not be translated.
 * @reason: any but OK; reason_icmp4/6 say what the sender is told
 *
 * Returns REPLY with the error in out->reply, or DROP where none is due or
 * none may be sent (RFC 1122 section 3.2.2, RFC 4443 section 2.4), nor is any
 * sent to ourselves, for such a source is a forgery. The reason
 * stays the one given. Rate limiting is the caller's (ratelimit.h).
 * Context: pure.
 */
enum verdict xlat_refuse4(const struct pkt *pkt, const struct pkt_info *info,
			  enum reason reason, const struct xlat_cfg *cfg,
			  struct xlat_out *out);
enum verdict xlat_refuse6(const struct pkt *pkt, const struct pkt_info *info,
			  enum reason reason, const struct xlat_cfg *cfg,
			  struct xlat_out *out);

#endif

/* SPDX-License-Identifier: MIT */
/* A translated datagram that must leave in fragments, one at a time. */
#ifndef CORE_FRAG_H
#define CORE_FRAG_H

#include <stdbool.h>
#include <stdint.h>

#include "pkt.h"

struct frag_iter {
	const struct pkt
		*pkt; /* the whole datagram: stays as it is till done */
	bool v6;
	bool more;     /* the last fragment has more behind it (input was
			* a fragment itself) */
	uint8_t proto; /* IPv6: next header of the fragment header */
	uint32_t id;   /* IPv6: Identification, host order */
	uint32_t hdr;  /* bytes of IP header in pkt */
	uint32_t mtu;  /* largest fragment, bytes */
	uint32_t base; /* offset of pkt's payload in its datagram, bytes */
	uint32_t pos;  /* payload bytes already given out */
	/*
	 * A UDP superpacket: payload bytes of each datagram in it, which is
	 * cut for itself; 0: pkt is one datagram.
	 */
	uint16_t segment;
	/*
	 * An IPv4 superpacket longer than IPv4 allows: most payload bytes of
	 * each of the superpackets that it becomes; 0: it is not that.
	 */
	uint32_t piece;
	uint32_t segment_at; /* private: where the present one starts */
	uint8_t udp[8];	     /* private: its header */
};

/*
 * frag_next - build the next fragment.
 * @it: out->frag after VERDICT_FRAGMENT
 * @frag: data, headroom and tailroom say where it may be built: at data, over
 *        at most len + tailroom bytes (mtu is always enough, but for a piece
 *        of a superpacket: 65535); len is set, tailroom is what remains, gso
 *        is cleared, but for such a piece
 *
 * Returns false when all have been given out, or when @frag has no room for
 * even the smallest one. Context: pure. RFC 7915 sections 4, 4.1 and 5.1.1.
 */
bool frag_next(struct frag_iter *it, struct pkt *frag);

#endif

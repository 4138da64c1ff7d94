/* SPDX-License-Identifier: MIT */
/*
 * RFC 6146 section 3.4: UDP over IPv4 in fragments and without a checksum,
 * which IPv6 does not do without. Its fragments are held (held.h) until all are
 * there; here is what has been seen of each such datagram, and its sum. PURE.
 */
#ifndef NAT64_GATHER_H
#define NAT64_GATHER_H

#include "frag.h"

#define NAT64_GATHERED	   64 /* datagrams at a time */
#define NAT64_GATHER_UNITS (65536 / 8)

struct nat64_gather_entry {
	struct nat64_frag_key key;
	struct mono until;
	uint64_t seen[NAT64_GATHER_UNITS / 64]; /* 8 bytes each */
	uint64_t sum;
	uint32_t got, total; /* bytes of UDP; 0: the last is not there yet */
	__be16 sport, dport;
	uint16_t check;	    /* as it lies in memory; once complete */
	bool first, broken; /* first: there, and without a checksum */
	bool complete;
};

struct nat64_gather {
	struct nat64_gather_entry e[NAT64_GATHERED];
};

/* A fragment: where in the datagram, and its bytes. */
struct nat64_piece {
	uint32_t at, len;
	const uint8_t *bytes;
	bool more;
};

/* nat64_gather_init - empty. */
void nat64_gather_init(struct nat64_gather *t);

/*
 * nat64_gather_add - a fragment that is held from now on.
 * @pseudo: sum of the pseudo-header without the length, for the first one if
 *          its checksum is zero; NULL for others
 * Returns the entry when the datagram is complete by it, with its checksum and
 * ports; else NULL. Pieces that overlap, or do not make the length that the
 * UDP header says, never do. What would have ended first makes room.
 * Context: pure; cost: the piece, and NAT64_GATHERED keys.
 */
const struct nat64_gather_entry *
nat64_gather_add(struct nat64_gather *t, const struct nat64_frag_key *key,
		 const struct nat64_piece *piece, const uint64_t *pseudo,
		 struct mono now, int64_t life_ns);

/* nat64_gather_take - the checksum of a datagram that is complete, which is
 * forgotten: another one may have its number next. */
bool nat64_gather_take(struct nat64_gather *t, const struct nat64_frag_key *key,
		       struct mono now, uint16_t *check);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The datagrams with which two PLATs tell each other of their sessions, and
 * which of them to believe. PURE; sealing them is the caller's.
 *
 *	0  "XLS2"                 24 sequence number, from 1
 *	4  records, 16 bit        32 when it is sent, us, the sender's clock
 *	6  walk, 16 bit           40 that of the newest heard, the receiver's
 *	8  epoch of the sender    48 records, SYNC_RECORD_BYTES each
 *	16 epoch that the            then the caller's seal
 *	   receiver is known by
 *
 * All numbers are in network byte order. The walk is the sender's newest, be
 * the records part of it or not.
 */
#ifndef NAT64_SYNC_H
#define NAT64_SYNC_H

#include "nat64.h"

#define SYNC_HEADER_BYTES 48
#define SYNC_RECORD_BYTES 56
#define SYNC_MAX_RECORDS  20 /* 1280 bytes of IPv6 hold them and a seal */
#define SYNC_MAX_BYTES                                                         \
	(SYNC_HEADER_BYTES + SYNC_MAX_RECORDS * SYNC_RECORD_BYTES)

struct sync_header {
	uint64_t from, to, seq;
	uint64_t sent_us, heard_us;
	uint16_t walk;
	unsigned int n; /* records */
};

enum sync_kind {
	SYNC_TELL, /* what I have */
	SYNC_ASK,  /* you have said nothing of it for long: is it so? */
	SYNC_END,  /* I have no such session, nor had a newer one */
	/* Comparing tables, compare.h. Sessions: */
	SYNC_HAVE,  /* in a range that you asked for */
	SYNC_LOOK,  /* have you got this one? */
	SYNC_FOUND, /* yes, so */
	SYNC_LACK,  /* no */
	/* Notes: */
	SYNC_COMPARE, /* let me have your digests */
	SYNC_DIGEST,  /* of a range: sessions, their sum */
	SYNC_RANGES,  /* let me have all in these, a bit each */
	SYNC_LISTED,  /* that was all: so many */
	SYNC_N_KINDS,
};

#define SYNC_N_RANGES 256

struct sync_note {
	uint32_t id; /* of the comparison, by who asks */
	uint32_t range;
	uint64_t words[4];
};

struct sync_record {
	enum sync_kind kind;
	struct nat64_session_info session; /* up to SYNC_LACK */
	struct sync_note note;		   /* from SYNC_COMPARE on */
};

/* sync_encode_header, sync_encode_record - to @at, bytes as above. */
void sync_encode_header(const struct sync_header *h, uint8_t *at);
void sync_encode_record(const struct sync_record *r, uint8_t *at);

/* sync_decode_header - false unless @len is just what the header says. */
bool sync_decode_header(const uint8_t *at, size_t len, struct sync_header *h);
/* sync_is_foreign - is this of another version of this format? */
bool sync_is_foreign(const uint8_t *at, size_t len);
/* sync_decode_record - false when a field is out of range. */
bool sync_decode_record(const uint8_t *at, struct sync_record *r);

/* ---- whom and what to believe ---------------------------------------------
 */

#define SYNC_PAST 16

/* Zeroed, with @epoch set to something never used before and not 0. */
struct sync_peer {
	uint64_t epoch;		  /* ours */
	uint64_t peer;		  /* theirs; 0: not known */
	uint64_t stranger;	  /* epoch of one who does not know us yet */
	uint64_t past[SYNC_PAST]; /* theirs before, a ring */
	unsigned int n_past;
	uint64_t top, seen;	   /* newest number; bit i: top - i was seen */
	uint64_t lost, duplicates; /* datagrams */
};

enum sync_verdict {
	SYNC_FRESH,
	SYNC_NEW_PEER, /* fresh, and the peer has not been heard before */
	SYNC_STRANGER, /* does not know us: answer, believe nothing */
	SYNC_REPLAY,
};

/*
 * sync_accept - judge an authentic datagram.
 * Only who names our epoch heard us in this life: recordings of earlier ones
 * are strangers, and so are the peer's earlier lives (the last SYNC_PAST of
 * them are remembered). What we said ourselves is a replay, whoever sends it
 * back: answered, it would make us our own peer. Within an epoch each number
 * counts once (RFC 4303 3.4.3).
 */
enum sync_verdict sync_accept(struct sync_peer *p, const struct sync_header *h);

#endif

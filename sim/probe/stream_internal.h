/* SPDX-License-Identifier: MIT */
/* What the two halves of the stream probe share: packets and record files. */
#ifndef PROBE_STREAM_INTERNAL_H
#define PROBE_STREAM_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../xlat/base/err.h"
#include "../score/score.h"

/* ---- on the wire ------------------------------------------------------------
 */

#define STREAM_MAGIC	 UINT32_C(0x78735374) /* "xsSt" */
#define STREAM_MIN_BYTES 24
#define STREAM_MAX_BYTES 65000

enum stream_type {
	STREAM_HELLO = 1, /* asks for one in return; not part of the stream */
	STREAM_DATA = 2,
};

struct stream_packet {
	uint32_t session;
	enum stream_type type;
	uint32_t seq;
	int64_t sent_ns; /* CLOCK_MONOTONIC */
};

/* stream_encode - STREAM_MIN_BYTES at @buf, big endian. */
void stream_encode(const struct stream_packet *p, uint8_t *buf);
/* stream_decode - false: not one of ours. */
bool stream_decode(const uint8_t *buf, size_t len, struct stream_packet *p);

/* ---- record files -----------------------------------------------------------
 * One a side, mapped while it is written, so that what was measured is there
 * however the process ended: this header, then arrivals in order of arrival.
 * Host byte order: written and read on one machine.
 */

#define STREAM_RECORD_MAGIC   "xsstream"
#define STREAM_RECORD_VERSION 1

struct stream_record {
	char magic[8];
	uint32_t version, arrival_bytes;
	uint64_t capacity, n; /* arrivals: room for, recorded */
	uint64_t unrecorded;  /* came when there was no room left */
	double rate_pps;
	uint64_t due;	  /* packets that were to be sent */
	uint64_t sent;	  /* sent, or tried: numbers 0..sent-1 */
	int64_t start_ns; /* due time of packet 0; 0: never began */
	/* how late packets were handed to the kernel */
	int64_t late_p50_ns, late_p99_ns, late_max_ns;
	/* sends that failed: the network said no; we had no room */
	uint64_t refused, unreachable, blocked;
	uint64_t overflow; /* arrivals dropped for want of buffer */
	uint64_t moves;	   /* server: the client's address changed */
	uint32_t over;	   /* ended by itself, figures are complete */
	char peer[64];	   /* address and port last sent to */
	char why[160];	   /* what went wrong; "" */
	struct stream_arrival arrivals[];
};

/* stream_record_create - for @due packets each way, all memory in place. */
struct stream_record *stream_record_create(const char *path, uint64_t due,
					   double rate_pps, struct err *e);
void stream_record_add(struct stream_record *r, uint32_t seq, int64_t sent_ns,
		       int64_t received_ns);
/* stream_record_close - write out and cut the file to what is used. */
void stream_record_close(struct stream_record *r, const char *path);

/* stream_record_open - read-only; NULL with @e for what is not a record. */
const struct stream_record *stream_record_open(const char *path, size_t *size,
					       struct err *e);
void stream_record_unmap(const struct stream_record *r, size_t size);

/* ---- judging the testbed ----------------------------------------------------
 */

/*
 * stream_sender_fault - what makes a stream's result the sender's own doing,
 * in words, or NULL. @who: "the client". Pure.
 */
const char *stream_sender_fault(const struct stream_record *r, const char *who,
				char *buf, size_t len);

#endif

/* SPDX-License-Identifier: MIT */
/* DNS messages: one question to the wire, one reply from it. */
#ifndef PROBE_DNS_MSG_H
#define PROBE_DNS_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_MAX_ANSWERS 32
#define DNS_NAME_LEN	256
#define DNS_DATA_LEN	320

struct dns_record {
	char name[DNS_NAME_LEN];
	uint16_t type;
	uint32_t ttl_s;
	char data[DNS_DATA_LEN]; /* as people write it; "\# ..." if unknown */
};

struct dns_reply {
	uint16_t id;
	uint8_t rcode;			      /* of the header */
	bool truncated, authentic, recursive; /* TC, AD, RA */
	struct dns_record answers[DNS_MAX_ANSWERS];
	size_t n_answers; /* the first so many of the answer section */
};

/* dns_type_parse - "AAAA" to its number; 0 when unknown. Pure. */
uint16_t dns_type_parse(const char *word);
/* dns_type_format - the word for @type, or "TYPE123". @buf: 16 bytes. */
const char *dns_type_format(uint16_t type, char *buf);
/* dns_rcode_format - "NOERROR", "NXDOMAIN", ..., or "RCODE11". */
const char *dns_rcode_format(uint8_t rcode, char *buf);

/*
 * dns_encode_query - a recursive query that asks for AD (RFC 6840 5.7).
 * Returns its length, or -EINVAL for a name that is none. Pure.
 */
int dns_encode_query(uint16_t id, const char *name, uint16_t type, uint8_t *buf,
		     size_t len);

/*
 * dns_decode_reply - read a reply to that query.
 * Returns 0; -EBADMSG when it is cut short or no reply; -ESRCH when it answers
 * another question or has another id. Pure.
 */
int dns_decode_reply(const uint8_t *msg, size_t len, uint16_t id,
		     const char *name, uint16_t type, struct dns_reply *out);

#endif

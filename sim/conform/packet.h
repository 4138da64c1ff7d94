/* SPDX-License-Identifier: MIT */
/*
 * The packet language of the conformance cases: layers with fields, as in
 *
 *	ip6 src=2001:db8::1 dst=2001:db8::2 hop=64 / udp sport=7 dport=9 / data
 *8
 *
 * A packet is parsed once; it is then built (lengths, next headers and
 * checksums are worked out unless given) or compared with one that arrived.
 * What may be anything (`id=*`), is remembered (`sport=@p`) or must lie
 * somewhere (`sport=1024..65535`) takes its bits from the packet that arrived
 * before lengths and checksums are worked out: these are right or wrong for
 * the packet as a whole. Context of everything here: pure.
 */
#ifndef CONFORM_PACKET_H
#define CONFORM_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "../../xlat/base/arena.h"
#include "../../xlat/base/diag.h"

#define PACKET_MAX_BYTES 65536

enum layer_kind {
	LAYER_IP,
	LAYER_IP6,
	LAYER_HBH,
	LAYER_DSTOPT,
	LAYER_ROUTING,
	LAYER_FRAG,
	LAYER_UDP,
	LAYER_TCP,
	LAYER_ICMP,
	LAYER_ICMP6,
	LAYER_EXT, /* RFC 4884: extension structure after an ICMP error */
	LAYER_OBJ, /* one object in it */
	/* no headers: */
	LAYER_DATA,  /* bytes */
	LAYER_OPEN,  /* anything may follow */
	LAYER_CUT,   /* of the packet inside an ICMP error only so much */
	LAYER_PAD,   /* zeros after it */
	LAYER_SLICE, /* one fragment of the datagram */
};

enum value_mode {
	VALUE_DEFAULT, /* not given: the default, or worked out */
	VALUE_GIVEN,
	VALUE_ANY,    /* * */
	VALUE_BOUND,  /* @name */
	VALUE_RANGE,  /* lo..hi */
	VALUE_SPOILT, /* csum=bad: the right one and a bit more */
};

struct value {
	enum value_mode mode;
	uint64_t num, hi; /* hi: VALUE_RANGE */
	uint8_t addr[16]; /* network byte order; of addresses */
	int bind;	  /* VALUE_BOUND: index */
	struct pos pos;
};

#define MAX_FIELDS 16
#define MAX_LAYERS 64

struct layer {
	enum layer_kind kind;
	struct pos pos;
	struct value values[MAX_FIELDS]; /* as in the table of the kind */
	const uint8_t *bytes;		 /* options; LAYER_DATA */
	size_t n_bytes;
	/* LAYER_CUT, LAYER_PAD: length; LAYER_SLICE: offset and length */
	size_t at, length;
	bool at_least; /* LAYER_CUT: so much or more */
};

struct packet {
	struct layer *layers;
	size_t n_layers;
	bool expected; /* outermost hop limit is 63 unless given */
};

/* ---- names that are bound while a case is played --------------------------
 */

#define MAX_BINDS 64

struct bind {
	bool set;
	uint8_t bits; /* width of the field; 0: not seen yet */
	uint8_t value[16];
};

/* The names of one case, in the order of appearance. */
struct bind_names {
	const char *names[MAX_BINDS];
	uint8_t bits[MAX_BINDS];
	bool known[MAX_BINDS]; /* some packet that arrives sets it */
	size_t n;
};

/* bind_number - of a field up to 64 bits wide. */
uint64_t bind_number(const struct bind *b);

/* ---- text -> packet -------------------------------------------------------
 */

/* A line of a file with its macros replaced: each character has its place. */
struct text {
	const char *s;
	const struct pos *pos; /* as many as characters, and one more */
};

/*
 * packet_parse - @t from offset @from to its end.
 * @expected: a packet that should arrive, so wildcards may be in it; one that
 *     is sent may only use names that are known by now
 * Returns NULL with something added to @d when it is wrong.
 */
struct packet *packet_parse(const struct text *t, size_t from, bool expected,
			    struct bind_names *names, struct arena *a,
			    struct diags *d);

/* word_next - skip blanks from *@at; the length of the word there (a quoted
 * text is one word), 0 at the end. */
size_t word_next(const char *s, size_t *at);
/* number_parse - decimal or 0x; all of it. */
bool number_parse(const char *s, uint64_t *out);

/* ---- packet <-> bytes -----------------------------------------------------
 */

/*
 * packet_build - write @p to @buf.
 * @binds: of the names; may be NULL when @p has none
 * @actual: where the bits of wildcards and unset names come from, and how
 *     long open ends are; NULL: zeros
 * @starts: filled with the offset of each layer in the result, SIZE_MAX where
 *     a slice or a cut left nothing of it; may be NULL
 * Returns the length; 0 when it is longer than @len.
 */
size_t packet_build(const struct packet *p, const struct bind *binds,
		    const uint8_t *actual, size_t actual_len, uint8_t *buf,
		    size_t len, size_t *starts);

/* packet_is_ip6 - what it begins with. */
bool packet_is_ip6(const struct packet *p);

/*
 * packet_match - is @actual what @want says?
 * Sets names that were not set, if it is.
 * Returns true; else false with @why saying which fields differ.
 */
bool packet_match(const struct packet *want, const uint8_t *actual,
		  size_t actual_len, struct bind *binds, char *why,
		  size_t why_len);

/* packet_print - any bytes in the same language, as far as they are known. */
void packet_print(const uint8_t *b, size_t len, FILE *out);
/* packet_format - the same into @buf, cut where it is too long. */
const char *packet_format(const uint8_t *b, size_t len, char *buf, size_t size);

#endif

/* SPDX-License-Identifier: MIT */
/* Tables of the packet language; nobody outside this folder includes it. */
#ifndef CONFORM_FIELDS_H
#define CONFORM_FIELDS_H

#include "packet.h"

enum field_type { FIELD_NUM, FIELD_ADDR4, FIELD_ADDR6, FIELD_FLAGS };

/* What is worked out when a field is not given. */
enum field_auto {
	AUTO_NO,
	AUTO_LEN,
	AUTO_NEXT,
	AUTO_CSUM,
	AUTO_HEADER /* length of the header */
};

struct field_def {
	const char *name;
	uint16_t bit, bits;
	enum field_type type;
	enum field_auto work_out;
	uint8_t unit; /* in bytes: an offset of fragments; else 0 */
	uint32_t def;
	bool overlay; /* means the same bits as another */
};

struct layer_def {
	const char *name;
	uint16_t size;	     /* of the fixed part */
	int proto;	     /* number in a next header field; -1: none */
	bool options;	     /* opts= */
	uint8_t fallback[8]; /* options when none are given */
	uint8_t n_fallback;
	struct field_def fields[MAX_FIELDS];
};

struct word_value {
	const char *word;
	uint32_t num;
};

#define N_LAYER_KINDS (LAYER_SLICE + 1)

extern const struct layer_def layer_defs[N_LAYER_KINDS];
extern const struct word_value icmp_types[], icmp6_types[];

#define TCP_FLAGS "FSRPAUEC"

/* field_find - index of field @name in the table of @kind, or -1. */
int field_find(enum layer_kind kind, const char *name);
/* field_of_auto - the field of @kind that is worked out so, or -1. */
int field_of_auto(enum layer_kind kind, enum field_auto what);

/* bits_get / bits_put - @bits (up to 64) at bit offset @at. */
uint64_t bits_get(const uint8_t *b, size_t at, unsigned int bits);
void bits_put(uint8_t *b, size_t at, unsigned int bits, uint64_t value);

/* sum16 - one's complement sum of big-endian words, not folded. */
uint64_t sum16(uint64_t sum, const uint8_t *b, size_t len);
uint16_t sum_fold(uint64_t sum);
/* sum_pseudo - of the header at @ip for @proto with @len bytes. */
uint64_t sum_pseudo(const uint8_t *ip, bool ip6, uint8_t proto, size_t len);

#endif

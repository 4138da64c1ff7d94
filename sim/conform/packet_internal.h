/* SPDX-License-Identifier: MIT */
/* Private to packet_parse.c and packet_value.c: a packet on its way from text
 * to layers. */
#ifndef CONFORM_PACKET_INTERNAL_H
#define CONFORM_PACKET_INTERNAL_H

#include "../../xlat/base/yaml.h"
#include "fields.h"
#include "packet.h"

struct reader {
	const struct text *t;
	size_t at; /* behind the current word */
	bool expected;
	struct bind_names *names;
	struct arena *a;
	struct diags *d;
	size_t n_diags;	     /* when we began */
	char word[2048];     /* the current one; "" at the end */
	size_t word_at;	     /* where it begins */
	struct layer *layer; /* the current one */
};

/* @offset: in the current word */
static inline struct pos here(const struct reader *r, size_t offset)
{
	return r->t->pos[r->word_at + offset];
}

/*
 * value_read - what stands behind `=`; mistakes are reported.
 * @s: changed
 * @col: where it begins in the current word
 */
void value_read(struct reader *r, const struct field_def *f, struct value *v,
		char *s, size_t col);

#endif

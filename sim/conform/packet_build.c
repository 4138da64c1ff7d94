/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A packet is written from left to right. An IP header opens a level; inside
 * an ICMP error a second one begins, which ends where it is cut or padded or
 * where extensions begin. At the end of a level what depends on its length is
 * filled in, from the last header to the first, so that each checksum covers
 * bytes that are final. A slice takes one fragment out of the finished
 * datagram, so that the checksum in the first one is that of the whole.
 *
 * Where a packet that arrived is given, fields that may be anything take their
 * bits from it, at the offset where they are being written.
 */
#include "packet.h"

#include <string.h>

#include "fields.h"

#define MAX_HEADERS 24
/* A checksum that is spoilt is off by so much, in one's complement. */
#define SPOILT_BY 0x1234

struct builder {
	const struct packet *p;
	const struct bind *binds;
	const uint8_t *actual;
	size_t actual_len;
	uint8_t *buf;
	size_t cap, len;
	size_t *starts;
	size_t i; /* the next layer */
	bool overflow;
};

struct level {
	size_t ip_layer, ip_at;
	bool ip6;
	size_t inner_at;       /* of the packet inside; 0: none */
	size_t v[MAX_HEADERS]; /* layers with headers, this level's */
	size_t at[MAX_HEADERS];
	size_t n, finished; /* those from finished on are filled in */
	bool closed;	    /* by a cut: all are */
};

static bool room(struct builder *b, size_t n)
{
	if (b->len + n > b->cap)
		b->overflow = true;
	return !b->overflow;
}

static void put_bytes(struct builder *b, const uint8_t *v, size_t n)
{
	if (!room(b, n))
		return;
	if (v)
		memcpy(b->buf + b->len, v, n);
	else
		memset(b->buf + b->len, 0, n);
	b->len += n;
}

/* ---- fields ----------------------------------------------------------------
 */

uint64_t bind_number(const struct bind *b)
{
	return bits_get(b->value, 0, 64);
}

/* @bits at bit offset @at from the packet that arrived; zeros if too short. */
static void copy_actual(struct builder *b, size_t at, unsigned int bits)
{
	for (unsigned int i = 0; i < bits; i++) {
		size_t byte = (at + i) / 8;
		unsigned int bit = 0;

		if (byte < b->actual_len)
			bit = (unsigned int)bits_get(b->actual, at + i, 1);
		bits_put(b->buf, at + i, 1, bit);
	}
}

static void put_value(struct builder *b, const struct field_def *f,
		      const struct value *v, size_t start)
{
	size_t at = start * 8 + f->bit;
	bool address = f->type == FIELD_ADDR4 || f->type == FIELD_ADDR6;
	const struct bind *bind =
		v->mode == VALUE_BOUND && b->binds ? &b->binds[v->bind] : NULL;

	switch (v->mode) {
	case VALUE_DEFAULT:
		if (!f->overlay && !address)
			bits_put(b->buf, at, f->bits, f->def);
		return;
	case VALUE_GIVEN:
		if (address)
			memcpy(b->buf + at / 8, v->addr, f->bits / 8);
		else
			bits_put(b->buf, at, f->bits, v->num);
		return;
	case VALUE_BOUND:
		if (!bind || !bind->set)
			copy_actual(b, at, f->bits);
		else if (address)
			memcpy(b->buf + at / 8, bind->value, f->bits / 8);
		else
			bits_put(b->buf, at, f->bits, bind_number(bind));
		return;
	case VALUE_ANY:
	case VALUE_RANGE:
		copy_actual(b, at, f->bits);
		return;
	case VALUE_SPOILT:
		return; /* when the right one is known */
	}
}

static void put_header(struct builder *b, struct level *lv)
{
	const struct layer *l = &b->p->layers[b->i];
	const struct layer_def *def = &layer_defs[l->kind];
	const uint8_t *opts = l->n_bytes ? l->bytes : def->fallback;
	size_t n = l->n_bytes ? l->n_bytes : def->n_fallback;
	size_t start = b->len, align = l->kind <= LAYER_IP6 ? 4 : 8, size;

	if (l->kind == LAYER_TCP)
		align = 4;
	put_bytes(b, NULL, def->size);
	if (def->options) {
		put_bytes(b, opts, n);
		size = b->len - start;
		put_bytes(b, NULL, (align - size % align) % align);
	}
	if (b->overflow)
		return;
	for (size_t i = 0; i < MAX_FIELDS && def->fields[i].name; i++)
		put_value(b, &def->fields[i], &l->values[i], start);
	if (b->starts)
		b->starts[b->i] = start;
	if (lv->n == MAX_HEADERS) {
		b->overflow = true;
		return;
	}
	lv->v[lv->n] = b->i;
	lv->at[lv->n++] = start;
}

/* ---- what is worked out ----------------------------------------------------
 */

static void put_auto(struct builder *b, const struct level *lv, size_t k,
		     enum field_auto what, uint64_t value)
{
	const struct layer *l = &b->p->layers[lv->v[k]];
	int i = field_of_auto(l->kind, what);

	if (i >= 0 && l->values[i].mode == VALUE_DEFAULT)
		bits_put(b->buf,
			 lv->at[k] * 8 + layer_defs[l->kind].fields[i].bit,
			 layer_defs[l->kind].fields[i].bits, value);
}

static size_t header_end(const struct builder *b, const struct level *lv,
			 size_t k)
{
	const struct layer *l = &b->p->layers[lv->v[k]];
	const struct layer_def *def = &layer_defs[l->kind];
	size_t n = l->n_bytes ? l->n_bytes : def->n_fallback;
	size_t align = l->kind == LAYER_TCP || l->kind == LAYER_IP ? 4 : 8;

	if (!def->options)
		return lv->at[k] + def->size;
	return lv->at[k] + (def->size + n + align - 1) / align * align;
}

static uint8_t proto_after(const struct builder *b, const struct level *lv,
			   size_t k)
{
	size_t behind = lv->v[k] + 1;

	if (behind < b->p->n_layers &&
	    layer_defs[b->p->layers[behind].kind].proto >= 0)
		return (uint8_t)layer_defs[b->p->layers[behind].kind].proto;
	return 59;
}

static void put_csum(struct builder *b, const struct level *lv, size_t k)
{
	const struct layer *l = &b->p->layers[lv->v[k]];
	int i = field_of_auto(l->kind, AUTO_CSUM);
	const struct value *v = i < 0 ? NULL : &l->values[i];
	size_t start = lv->at[k], end = b->len, at;
	uint64_t sum = 0;

	if (!v || (v->mode != VALUE_DEFAULT && v->mode != VALUE_SPOILT))
		return;
	at = start * 8 + layer_defs[l->kind].fields[i].bit;
	bits_put(b->buf, at, 16, 0);
	if (l->kind == LAYER_IP)
		end = header_end(b, lv, k);
	else if (l->kind != LAYER_ICMP && l->kind != LAYER_EXT)
		sum = sum_pseudo(b->buf + lv->ip_at, lv->ip6,
				 (uint8_t)layer_defs[l->kind].proto,
				 end - start);
	sum = sum16(sum, b->buf + start, end - start);
	sum = (uint16_t)~sum_fold(sum);
	if (v->mode == VALUE_SPOILT)
		sum = sum_fold(sum + SPOILT_BY);
	if (!sum && l->kind == LAYER_UDP)
		sum = 0xffff;
	bits_put(b->buf, at, 16, sum);
}

static void finish_header(struct builder *b, const struct level *lv, size_t k)
{
	const struct layer *l = &b->p->layers[lv->v[k]];
	size_t hlen = header_end(b, lv, k) - lv->at[k], end = b->len;

	put_auto(b, lv, k, AUTO_NEXT, proto_after(b, lv, k));
	if (l->kind == LAYER_IP || l->kind == LAYER_TCP)
		put_auto(b, lv, k, AUTO_HEADER, hlen / 4);
	else
		put_auto(b, lv, k, AUTO_HEADER, hlen / 8 - 1);
	if (l->kind == LAYER_OBJ && k + 1 < lv->n)
		end = lv->at[k + 1]; /* the next object */
	if (l->kind == LAYER_IP6)
		put_auto(b, lv, k, AUTO_LEN, end - lv->at[k] - hlen);
	else
		put_auto(b, lv, k, AUTO_LEN, end - lv->at[k]);
	put_csum(b, lv, k);
}

/* All headers from number @from on that are not finished yet. */
static void finish(struct builder *b, struct level *lv, size_t from)
{
	if (b->overflow || lv->closed)
		return;
	for (size_t k = lv->n < lv->finished ? lv->n : lv->finished;
	     k-- > from;)
		finish_header(b, lv, k);
	lv->finished = from;
}

/* ---- slices, cuts, paddings ------------------------------------------------
 */

static void forget_starts(struct builder *b, size_t first, size_t last,
			  size_t from)
{
	for (size_t i = first; b->starts && i < last; i++)
		if (b->starts[i] != SIZE_MAX && b->starts[i] >= from)
			b->starts[i] = SIZE_MAX;
}

/* The header that says which fragment this is, and its two fields. */
static size_t fragment_header(const struct builder *b, const struct level *lv)
{
	for (size_t k = 0; k < lv->n; k++)
		if (b->p->layers[lv->v[k]].kind == LAYER_FRAG)
			return k;
	return 0;
}

static void put_fragment(struct builder *b, const struct level *lv, size_t k,
			 const char *name, uint64_t value)
{
	const struct layer *l = &b->p->layers[lv->v[k]];
	int i = field_find(l->kind, name);

	if (i >= 0 && l->values[i].mode == VALUE_DEFAULT)
		bits_put(b->buf,
			 lv->at[k] * 8 + layer_defs[l->kind].fields[i].bit,
			 layer_defs[l->kind].fields[i].bits, value);
}

static void slice(struct builder *b, struct level *lv)
{
	const struct layer *l = &b->p->layers[b->i];
	size_t k = fragment_header(b, lv), from = header_end(b, lv, k), whole;
	size_t n = l->length;

	finish(b, lv, k + 1);
	if (b->overflow || b->len < from + l->at)
		return;
	whole = b->len - from;
	if (l->at + n > whole)
		n = whole - l->at;
	memmove(b->buf + from, b->buf + from + l->at, n);
	b->len = from + n;
	forget_starts(b, lv->ip_layer + 1, b->i, l->at ? from : b->len);
	put_fragment(b, lv, k, "off", l->at / 8);
	put_fragment(b, lv, k, k ? "m" : "mf", l->at + n < whole);
}

static void cut(struct builder *b, struct level *lv)
{
	const struct layer *l = &b->p->layers[b->i];
	size_t keep = l->length, all = b->len - lv->ip_at;

	if (l->at_least && b->actual_len > lv->ip_at + keep)
		keep = b->actual_len - lv->ip_at;
	if (keep < all) {
		b->len = lv->ip_at + keep;
		forget_starts(b, lv->ip_layer, b->i, b->len);
	}
}

static void pad(struct builder *b, const struct level *lv)
{
	size_t want = b->p->layers[b->i].length;
	size_t from = lv->inner_at ? lv->inner_at : lv->ip_at;

	if (b->len - from < want)
		put_bytes(b, NULL, want - (b->len - from));
}

/* ---- levels ----------------------------------------------------------------
 */

static void build_level(struct builder *b, int depth);

/* One layer behind the IP header. Returns false when the level ends. */
static bool build_layer(struct builder *b, struct level *lv, int depth)
{
	const struct layer *l = &b->p->layers[b->i];

	switch (l->kind) {
	case LAYER_IP:
	case LAYER_IP6:
		lv->inner_at = b->len;
		build_level(b, depth + 1);
		return true;
	case LAYER_DATA:
		if (b->starts)
			b->starts[b->i] = b->len;
		put_bytes(b, l->bytes, l->n_bytes);
		break;
	case LAYER_OPEN:
		if (b->actual_len > b->len)
			put_bytes(b, b->actual + b->len,
				  b->actual_len - b->len);
		break;
	case LAYER_SLICE:
		slice(b, lv);
		break;
	case LAYER_CUT:
		finish(b, lv, 0);
		cut(b, lv);
		lv->closed = true;
		b->i++;
		return false;
	case LAYER_PAD:
		if (depth)
			return false;
		pad(b, lv);
		break;
	case LAYER_EXT:
		if (depth)
			return false;
		put_header(b, lv);
		break;
	case LAYER_HBH:
	case LAYER_DSTOPT:
	case LAYER_ROUTING:
	case LAYER_FRAG:
	case LAYER_UDP:
	case LAYER_TCP:
	case LAYER_ICMP:
	case LAYER_ICMP6:
	case LAYER_OBJ:
		put_header(b, lv);
		break;
	}
	b->i++;
	return true;
}

static void set_expected_hops(struct builder *b, const struct level *lv)
{
	const struct layer *l = &b->p->layers[lv->ip_layer];
	int i = field_find(l->kind, lv->ip6 ? "hop" : "ttl");

	if (l->values[i].mode == VALUE_DEFAULT && !b->overflow)
		b->buf[lv->ip_at + (lv->ip6 ? 7 : 8)] = 63;
}

static void build_level(struct builder *b, int depth)
{
	struct level lv = {
		.ip_layer = b->i, .ip_at = b->len, .finished = SIZE_MAX};

	lv.ip6 = b->p->layers[b->i].kind == LAYER_IP6;
	put_header(b, &lv);
	if (!depth && b->p->expected)
		set_expected_hops(b, &lv);
	b->i++;
	while (b->i < b->p->n_layers && !b->overflow)
		if (!build_layer(b, &lv, depth))
			break;
	finish(b, &lv, 0);
}

bool packet_is_ip6(const struct packet *p)
{
	return p->layers[0].kind == LAYER_IP6;
}

size_t packet_build(const struct packet *p, const struct bind *binds,
		    const uint8_t *actual, size_t actual_len, uint8_t *buf,
		    size_t len, size_t *starts)
{
	struct builder b = {.p = p,
			    .binds = binds,
			    .actual = actual,
			    .actual_len = actual ? actual_len : 0,
			    .buf = buf,
			    .cap = len,
			    .starts = starts};

	for (size_t i = 0; starts && i < p->n_layers; i++)
		starts[i] = SIZE_MAX;
	build_level(&b, 0);
	if (b.i < p->n_layers) /* behind a cut of the outermost packet */
		b.overflow = true;
	return b.overflow ? 0 : b.len;
}

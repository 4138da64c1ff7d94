/* SPDX-License-Identifier: MIT */
/* RFC 1035 as far as one question needs it, for answers that may lie. */
#include <string.h>

#include "pref64.h"

#define HEAD	    12
#define MAX_NAME    255
#define TYPE_CNAME  5
#define TYPE_SOA    6
#define TYPE_AAAA   28
#define MAX_RECORDS 64 /* looked at in one message */
#define UDP_BYTES   1232
#define EARLY_S	    10

/* ipv4only.arpa, IN AAAA */
static const uint8_t question[] = "\10ipv4only\4arpa\0\0\34\0\1";

#define QUESTION_BYTES (sizeof(question) - 1)
#define QNAME_BYTES    (QUESTION_BYTES - 4)

unsigned int pref64_put_query(uint16_t id, bool edns,
			      uint8_t buf[PREF64_QUERY_BYTES])
{
	/* root, OPT, our size, no flags, no options */
	static const uint8_t opt[] = {
		0, 0, 41, UDP_BYTES >> 8, UDP_BYTES & 255, 0, 0, 0, 0, 0, 0};
	unsigned int n = HEAD;

	memset(buf, 0, HEAD);
	buf[0] = (uint8_t)(id >> 8);
	buf[1] = (uint8_t)id;
	buf[2] = 1; /* RD; CD stays 0 (RFC 7050 section 3) */
	buf[5] = 1;
	memcpy(buf + n, question, QUESTION_BYTES);
	n += (unsigned int)QUESTION_BYTES;
	if (edns) {
		buf[11] = 1;
		memcpy(buf + n, opt, sizeof(opt));
		n += (unsigned int)sizeof(opt);
	}
	return n;
}

/* ---- reading ---------------------------------------------------------------
 */

struct reader {
	const uint8_t *msg;
	size_t len, at;
};

struct name {
	uint8_t text[MAX_NAME]; /* labels, lower case, with the root's */
	size_t len;
};

struct record {
	struct name owner;
	unsigned int type, class;
	uint32_t ttl_s;
	size_t data, data_len;
};

static unsigned int get16(const uint8_t *b)
{
	return (unsigned int)(b[0] << 8 | b[1]);
}

static uint32_t get32(const uint8_t *b)
{
	return (uint32_t)get16(b) << 16 | get16(b + 2);
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

/* One label at @at, appended to @n; false when it does not fit. */
static bool read_label(const struct reader *r, size_t at, struct name *n)
{
	size_t bytes = r->msg[at] + 1u;

	if (bytes > 64 || r->len - at < bytes || MAX_NAME - n->len < bytes)
		return false;
	n->text[n->len++] = r->msg[at];
	for (size_t i = 1; i < bytes; i++)
		n->text[n->len++] = lower(r->msg[at + i]);
	return true;
}

/* A name at @*at, which moves behind it. Pointers lead backwards only, so it
 * ends. */
static bool read_name(const struct reader *r, size_t *at, struct name *n)
{
	size_t here = *at, lowest = *at;
	bool jumped = false, root;

	n->len = 0;
	for (;;) {
		if (here >= r->len)
			return false;
		if (r->msg[here] >= 0xc0) {
			if (r->len - here < 2)
				return false;
			if (!jumped)
				*at = here + 2;
			here = get16(r->msg + here) & 0x3fff;
			if (here >= lowest || here < HEAD)
				return false;
			lowest = here;
			jumped = true;
			continue;
		}
		root = r->msg[here] == 0;
		if (!read_label(r, here, n))
			return false;
		here += r->msg[here] + 1u;
		if (root)
			break;
	}
	if (!jumped)
		*at = here;
	return true;
}

static bool read_record(struct reader *r, struct record *out)
{
	const uint8_t *b;

	if (!read_name(r, &r->at, &out->owner) || r->len - r->at < 10)
		return false;
	b = r->msg + r->at;
	out->type = get16(b);
	out->class = get16(b + 2);
	out->ttl_s = get32(b + 4);
	if (out->ttl_s > INT32_MAX)
		out->ttl_s = 0; /* RFC 2181 section 8 */
	out->data = r->at + 10;
	out->data_len = get16(b + 8);
	if (r->len - out->data < out->data_len)
		return false;
	r->at = out->data + out->data_len;
	return true;
}

static bool same_name(const struct name *a, const struct name *b)
{
	return a->len == b->len && !memcmp(a->text, b->text, a->len);
}

/* ---- answers ---------------------------------------------------------------
 */

struct answers {
	struct in6_addr v[MAX_RECORDS];
	unsigned int n;
	uint32_t ttl_s;
};

static void take_answer(const struct reader *r, const struct record *x,
			struct name *wanted, struct answers *a)
{
	size_t at = x->data;
	struct name target;

	if (x->class != 1 || !same_name(&x->owner, wanted))
		return;
	if (x->type == TYPE_CNAME && read_name(r, &at, &target)) {
		*wanted = target;
	} else if (x->type == TYPE_AAAA && x->data_len == 16) {
		memcpy(&a->v[a->n++], r->msg + x->data, 16);
	} else {
		return;
	}
	if (x->ttl_s < a->ttl_s)
		a->ttl_s = x->ttl_s;
}

static bool read_answers(struct reader *r, unsigned int count,
			 struct answers *a)
{
	struct name wanted = {.len = QNAME_BYTES};

	memcpy(wanted.text, question, QNAME_BYTES);
	*a = (struct answers){.ttl_s = UINT32_MAX};
	for (unsigned int i = 0; i < count; i++) {
		struct record x;

		if (i == MAX_RECORDS || !read_record(r, &x))
			return false;
		take_answer(r, &x, &wanted, a);
	}
	return true;
}

/* RFC 2308 section 5: the lesser of the SOA's TTL and its last field. */
static uint32_t negative_ttl(struct reader *r, unsigned int count)
{
	for (unsigned int i = 0; i < count && i < MAX_RECORDS; i++) {
		struct record x;
		uint32_t minimum;

		if (!read_record(r, &x))
			return 0;
		if (x.type != TYPE_SOA || x.data_len < 22)
			continue;
		minimum = get32(r->msg + x.data + x.data_len - 4);
		return minimum < x.ttl_s ? minimum : x.ttl_s;
	}
	return 0;
}

/* Is it a response to our query, and to no other? */
static bool is_ours(const uint8_t *msg, size_t len, uint16_t id)
{
	if (len < HEAD || get16(msg) != id || (msg[2] & 0xf8) != 0x80)
		return false;
	/* servers that cannot read the query may leave the question out */
	if (!get16(msg + 4))
		return (msg[3] & 15) != 0 && (msg[3] & 15) != 3;
	if (get16(msg + 4) != 1 || len < HEAD + QUESTION_BYTES)
		return false;
	for (size_t i = 0; i < QUESTION_BYTES; i++)
		if (lower(msg[HEAD + i]) != question[i])
			return false;
	return true;
}

static enum pref64_answer
read_positive(struct reader *r, struct pref64_list *out, uint32_t *ttl_s)
{
	struct answers a;

	if (!read_answers(r, get16(r->msg + 6), &a))
		return PREF64_FOREIGN;
	if (!a.n) {
		*ttl_s = negative_ttl(r, get16(r->msg + 8));
		return PREF64_NEGATIVE;
	}
	pref64_from_synthetic(a.v, a.n, out);
	*ttl_s = a.ttl_s;
	for (unsigned int i = 0; i < out->n; i++)
		out->v[i].lifetime_s = a.ttl_s;
	return out->n ? PREF64_FOUND : PREF64_UNUSABLE;
}

enum pref64_answer pref64_parse_answer(const uint8_t *msg, size_t len,
				       uint16_t id, struct pref64_list *out,
				       uint32_t *ttl_s)
{
	struct reader r = {msg, len, HEAD + QUESTION_BYTES};
	struct answers a;

	out->n = 0;
	*ttl_s = 0;
	if (!is_ours(msg, len, id))
		return PREF64_FOREIGN;
	if (msg[2] & 2)
		return PREF64_TRUNCATED;
	switch (msg[3] & 15) {
	case 0:
		return read_positive(&r, out, ttl_s);
	case 1:
	case 4:
		return PREF64_NO_EDNS;
	case 3:
		if (!read_answers(&r, get16(msg + 6), &a))
			return PREF64_FOREIGN;
		*ttl_s = negative_ttl(&r, get16(msg + 8));
		return PREF64_NEGATIVE;
	default:
		return PREF64_FAILED;
	}
}

uint32_t pref64_ask_again_s(uint32_t ttl_s)
{
	if (ttl_s > 2 * EARLY_S)
		return ttl_s - EARLY_S;
	return ttl_s > 1 ? ttl_s / 2 : 1;
}

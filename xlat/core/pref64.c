/* SPDX-License-Identifier: MIT */
#include "pref64.h"

#include <arpa/inet.h>
#include <string.h>

static const uint8_t lengths[] = {32, 40, 48, 56, 64, 96};
static const uint8_t well_known[2][4] = {{192, 0, 0, 170}, {192, 0, 0, 171}};

static bool same6(const struct in6_addr *a, const struct in6_addr *b)
{
	return !memcmp(a, b, sizeof(*a));
}

static bool same_prefix(const struct prefix6 *a, const struct prefix6 *b)
{
	return a->len == b->len && same6(&a->addr, &b->addr);
}

static struct prefix6 prefix_of(const struct in6_addr *a, uint8_t len)
{
	struct prefix6 p = {.len = len};

	memcpy(&p.addr, a, len / 8); /* all lengths are whole octets */
	return p;
}

static void add_found(struct pref64_list *l, const struct prefix6 *p,
		      uint32_t lifetime_s)
{
	for (unsigned int i = 0; i < l->n; i++)
		if (same_prefix(&l->v[i].p, p)) {
			l->v[i].lifetime_s = lifetime_s;
			return;
		}
	if (l->n < PREF64_MAX)
		l->v[l->n++] = (struct pref64_found){*p, lifetime_s};
}

/* ---- synthetic addresses ---------------------------------------------------
 */

/* Is @w embedded in @a as RFC 6052 has it for length @len? */
static bool embeds(const struct in6_addr *a, uint8_t len, const uint8_t w[4])
{
	struct prefix6 p = prefix_of(a, len);
	struct in_addr v4;

	return rfc6052_prefix_valid(&p) && rfc6052_decode(&p, a, &v4) &&
	       !memcmp(&v4, w, 4);
}

/*
 * How often @w is in @a, at the places of RFC 6052 and at any other octet;
 * @len: of the prefix before the last one at such a place.
 */
static unsigned int count_in(const struct in6_addr *a, const uint8_t w[4],
			     uint8_t *len)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < sizeof(lengths); i++)
		if (embeds(a, lengths[i], w)) {
			*len = lengths[i];
			n++;
		}
	for (unsigned int i = 0; i <= 12; i++)
		if (!memcmp(&a->s6_addr[i], w, 4) &&
		    !(i == 4 && embeds(a, 32, w)) &&
		    !(i == 9 && embeds(a, 64, w)) &&
		    !(i == 12 && embeds(a, 96, w)))
			n++;
	return n;
}

static bool received(const struct in6_addr *v, unsigned int n,
		     const struct prefix6 *p, const uint8_t w[4])
{
	struct in6_addr want;
	struct in_addr v4;

	memcpy(&v4, w, 4);
	rfc6052_encode(p, v4, &want);
	for (unsigned int i = 0; i < n; i++)
		if (same6(&v[i], &want))
			return true;
	return false;
}

/* The place that both well-known addresses were synthesised at, or 0. */
static uint8_t length_by_twins(const struct in6_addr *v, unsigned int n,
			       const struct in6_addr *a)
{
	for (unsigned int i = 0; i < sizeof(lengths); i++) {
		struct prefix6 p = prefix_of(a, lengths[i]);

		if (rfc6052_prefix_valid(&p) &&
		    received(v, n, &p, well_known[0]) &&
		    received(v, n, &p, well_known[1]))
			return lengths[i];
	}
	return 0;
}

void pref64_from_synthetic(const struct in6_addr *v, unsigned int n,
			   struct pref64_list *out)
{
	out->n = 0;
	for (unsigned int i = 0; i < n; i++) {
		uint8_t len = 0;
		unsigned int hits = count_in(&v[i], well_known[0], &len) +
				    count_in(&v[i], well_known[1], &len);
		struct prefix6 p;

		if (hits > 1)
			len = length_by_twins(v, n, &v[i]);
		if (!hits || !len)
			continue;
		p = prefix_of(&v[i], len);
		add_found(out, &p, 0);
	}
}

/* ---- router advertisements -------------------------------------------------
 */

#define RA_TYPE	      134
#define RA_HEAD	      16
#define OPTION_PREF64 38

static void read_option(const uint8_t *o, struct pref64_list *out)
{
	static const uint8_t by_code[] = {96, 64, 56, 48, 40, 32};
	unsigned int code = o[3] & 7;
	/* 13 bits, in units of 8 seconds: the code's bits are below them */
	uint32_t lifetime_s = (uint32_t)(o[2] << 8 | (o[3] & 0xf8));
	struct in6_addr a = {0};
	struct prefix6 p;

	if (code >= sizeof(by_code))
		return;
	memcpy(&a, o + 4, 12);
	p = prefix_of(&a, by_code[code]);
	if (rfc6052_prefix_valid(&p))
		add_found(out, &p, lifetime_s);
}

bool pref64_parse_ra(const uint8_t *msg, size_t len, int hop_limit,
		     const struct in6_addr *src, struct pref64_list *out)
{
	out->n = 0;
	if (len < RA_HEAD || msg[0] != RA_TYPE || msg[1] || hop_limit != 255 ||
	    !IN6_IS_ADDR_LINKLOCAL(src))
		return false;
	/* all of them have a length before any of them counts */
	for (size_t at = RA_HEAD; at < len; at += msg[at + 1] * 8u)
		if (len - at < 8 || !msg[at + 1] || msg[at + 1] * 8u > len - at)
			return false;
	for (size_t at = RA_HEAD; at < len; at += msg[at + 1] * 8u)
		if (msg[at] == OPTION_PREF64 && msg[at + 1] == 2)
			read_option(msg + at, out);
	return true;
}

/* ---- what is known ---------------------------------------------------------
 */

static void forget(struct pref64_set *s, unsigned int i)
{
	s->n--;
	memmove(&s->v[i], &s->v[i + 1], (s->n - i) * sizeof(s->v[0]));
}

bool pref64_by_dns(const struct pref64_known *k)
{
	return IN6_IS_ADDR_UNSPECIFIED(&k->from);
}

/* Behind those that are as good, in front of those that are not. */
static void insert(struct pref64_set *s, const struct pref64_known *k)
{
	unsigned int at = s->n;

	while (at && !pref64_by_dns(k) && pref64_by_dns(&s->v[at - 1]))
		at--;
	if (s->n == PREF64_MAX) {
		if (at == s->n)
			return;
		s->n--;
	}
	memmove(&s->v[at + 1], &s->v[at], (s->n - at) * sizeof(s->v[0]));
	s->v[at] = *k;
	s->n++;
}

static void learn_one(struct pref64_set *s, const struct pref64_found *f,
		      const struct in6_addr *from, struct mono now)
{
	struct pref64_known k = {
		f->p, *from, mono_add(now, f->lifetime_s * NS_PER_S), false};
	unsigned int i;

	for (i = 0; i < s->n; i++)
		if (same_prefix(&s->v[i].p, &f->p) &&
		    same6(&s->v[i].from, from))
			break;
	if (i < s->n && !f->lifetime_s)
		forget(s, i);
	else if (i < s->n)
		s->v[i].until = k.until;
	else if (f->lifetime_s)
		insert(s, &k);
}

void pref64_learn(struct pref64_set *s, const struct pref64_list *l,
		  const struct in6_addr *from, struct mono now)
{
	for (unsigned int i = 0; i < l->n; i++)
		learn_one(s, &l->v[i], from, now);
}

void pref64_keep_only(struct pref64_set *s, const struct pref64_list *l,
		      const struct in6_addr *from)
{
	for (unsigned int i = s->n; i-- > 0;) {
		bool kept = !same6(&s->v[i].from, from);

		for (unsigned int k = 0; k < l->n; k++)
			kept |= same_prefix(&s->v[i].p, &l->v[k].p);
		if (!kept)
			forget(s, i);
	}
}

void pref64_expire(struct pref64_set *s, struct mono now)
{
	for (unsigned int i = s->n; i-- > 0;)
		if (mono_sub(s->v[i].until, now) <= 0)
			forget(s, i);
}

const struct pref64_known *pref64_find(const struct pref64_set *s,
				       const struct prefix6 *p)
{
	for (unsigned int i = 0; i < s->n; i++)
		if (same_prefix(&s->v[i].p, p))
			return &s->v[i];
	return NULL;
}

bool pref64_by_router(const struct pref64_set *s)
{
	return s->n && !pref64_by_dns(&s->v[0]);
}

void pref64_forget_routers(struct pref64_set *s)
{
	while (pref64_by_router(s))
		forget(s, 0);
}

bool pref64_next_end(const struct pref64_set *s, struct mono *when)
{
	for (unsigned int i = 0; i < s->n; i++)
		if (!i || mono_sub(s->v[i].until, *when) < 0)
			*when = s->v[i].until;
	return s->n > 0;
}

/* SPDX-License-Identifier: MIT */
#include "gather.h"

#include <arpa/inet.h>
#include <string.h>

#include "../core/csum.h"

#define UNIT	   8
#define UDP_HEADER 8

void nat64_gather_init(struct nat64_gather *t)
{
	memset(t, 0, sizeof(*t));
}

static struct nat64_gather_entry *place_of(struct nat64_gather *t,
					   const struct nat64_frag_key *key,
					   struct mono now, int64_t life_ns)
{
	struct nat64_gather_entry *use = &t->e[0];

	for (unsigned int i = 0; i < NAT64_GATHERED; i++) {
		struct nat64_gather_entry *e = &t->e[i];

		if (nat64_frag_same(&e->key, key) && mono_before(now, e->until))
			return e;
		if (mono_before(e->until, use->until))
			use = e;
	}
	memset(use, 0, sizeof(*use));
	use->key = *key;
	use->until = mono_add(now, life_ns);
	return use;
}

/* False when some of it was there before. */
static bool mark(struct nat64_gather_entry *e, uint32_t at, uint32_t len)
{
	for (uint32_t u = at / UNIT; u < (at + len + UNIT - 1) / UNIT; u++) {
		uint64_t bit = UINT64_C(1) << u % 64;

		if (e->seen[u / 64] & bit)
			return false;
		e->seen[u / 64] |= bit;
	}
	return true;
}

/* What the header says, with the sum of what it covers. */
static void begin(struct nat64_gather_entry *e, const struct nat64_piece *p,
		  uint64_t pseudo)
{
	e->first = true;
	memcpy(&e->sport, p->bytes, 2);
	memcpy(&e->dport, p->bytes + 2, 2);
	e->sum += pseudo + htons((uint16_t)(p->bytes[4] << 8 | p->bytes[5]));
	if (!e->total)
		e->total = (uint32_t)(p->bytes[4] << 8 | p->bytes[5]);
	else if (e->total != (uint32_t)(p->bytes[4] << 8 | p->bytes[5]))
		e->broken = true;
}

const struct nat64_gather_entry *
nat64_gather_add(struct nat64_gather *t, const struct nat64_frag_key *key,
		 const struct nat64_piece *p, const uint64_t *pseudo,
		 struct mono now, int64_t life_ns)
{
	struct nat64_gather_entry *e = place_of(t, key, now, life_ns);
	uint32_t end = p->at + p->len;
	uint16_t check;

	if (e->complete)
		return NULL;
	if (p->at % UNIT || (p->more && p->len % UNIT) || !p->len ||
	    end > NAT64_GATHER_UNITS * UNIT || !mark(e, p->at, p->len) ||
	    (pseudo && p->len < UDP_HEADER))
		e->broken = true;
	if (e->broken)
		return NULL;
	e->sum = csum_add(e->sum, p->bytes, p->len);
	e->got += p->len;
	if (pseudo)
		begin(e, p, *pseudo);
	if (!p->more && e->total && e->total != end)
		e->broken = true;
	else if (!p->more)
		e->total = end;
	if (e->broken || !e->first || e->got != e->total)
		return NULL;
	check = (uint16_t)~csum_fold(e->sum);
	e->check = check ? check : 0xffff;
	e->complete = true;
	return e;
}

bool nat64_gather_take(struct nat64_gather *t, const struct nat64_frag_key *key,
		       struct mono now, uint16_t *check)
{
	for (unsigned int i = 0; i < NAT64_GATHERED; i++) {
		struct nat64_gather_entry *e = &t->e[i];

		if (e->complete && nat64_frag_same(&e->key, key) &&
		    mono_before(now, e->until)) {
			*check = e->check;
			memset(e, 0, sizeof(*e));
			return true;
		}
	}
	return false;
}

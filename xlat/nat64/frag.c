/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A set-associative cache: the key's hash names a set of four entries; the
 * one nearest to its end makes room. Nothing is ever freed: an entry past
 * `until` does not count. Cost: four comparisons.
 */
#include "frag.h"

#include <string.h>

void nat64_frags_init(struct nat64_frags *t, uint64_t seed)
{
	memset(t, 0, sizeof(*t));
	t->seed = seed;
	t->life_ns = NAT64_FRAG_LIFE_NS;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	__uint128_t m = (__uint128_t)(a ^ UINT64_C(0x9e3779b97f4a7c15)) *
			(b ^ UINT64_C(0xd6e8feb86659fd93));

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

uint64_t nat64_frag_hash(const struct nat64_frag_key *k, uint64_t seed)
{
	uint64_t w[4], h = seed;

	memcpy(w, &k->src, 16);
	memcpy(w + 2, &k->dst, 16);
	for (int i = 0; i < 4; i++)
		h = mix(h, w[i]);
	h = mix(h, (uint64_t)k->id << 16 | (uint64_t)k->proto << 8 | k->v6);
	return h >> 32;
}

static unsigned int set_of(const struct nat64_frags *t,
			   const struct nat64_frag_key *k)
{
	return (unsigned int)nat64_frag_hash(k, t->seed) % NAT64_FRAG_SETS;
}

bool nat64_frag_same(const struct nat64_frag_key *a,
		     const struct nat64_frag_key *b)
{
	return a->id == b->id && a->proto == b->proto && a->v6 == b->v6 &&
	       !memcmp(&a->src, &b->src, sizeof(a->src)) &&
	       !memcmp(&a->dst, &b->dst, sizeof(a->dst));
}

void nat64_frag_add(struct nat64_frags *t, const struct nat64_frag_key *key,
		    __be16 sport, __be16 dport, struct mono now)
{
	struct nat64_frag_entry *set = t->e[set_of(t, key)], *use = &set[0];

	for (unsigned int i = 0; i < NAT64_FRAG_WAYS; i++) {
		if (nat64_frag_same(&set[i].key, key)) {
			use = &set[i];
			break;
		}
		if (mono_before(set[i].until, use->until))
			use = &set[i];
	}
	use->key = *key;
	use->until = mono_add(now, t->life_ns);
	use->sport = sport;
	use->dport = dport;
}

void nat64_frag_forget(struct nat64_frags *t, const struct nat64_frag_key *key)
{
	struct nat64_frag_entry *set = t->e[set_of(t, key)];

	for (unsigned int i = 0; i < NAT64_FRAG_WAYS; i++)
		if (nat64_frag_same(&set[i].key, key))
			set[i].until = (struct mono){0};
}

bool nat64_frag_find(const struct nat64_frags *t,
		     const struct nat64_frag_key *key, struct mono now,
		     __be16 *sport, __be16 *dport)
{
	const struct nat64_frag_entry *set = t->e[set_of(t, key)];

	for (unsigned int i = 0; i < NAT64_FRAG_WAYS; i++)
		if (nat64_frag_same(&set[i].key, key) &&
		    mono_before(now, set[i].until)) {
			*sport = set[i].sport;
			*dport = set[i].dport;
			return true;
		}
	return false;
}

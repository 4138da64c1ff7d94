/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Two rings that move together: one of entries, one of packet bytes, both in
 * order of arrival, which is the order of their end as well (a lifetime that
 * a reload makes shorter holds for what comes after it). A packet lies in one
 * piece; where the end of the bytes is too near, they go on at the start.
 * A packet that is taken leaves a hole, which goes when all before it is gone.
 *
 * Buckets chain what is held by the datagram's key, in order of arrival. What
 * a chain can cost is bounded by a source's share: one source is one chain.
 * Sources are counted by hash, an IPv6 one by its /64: those that share a
 * place share its limit.
 */
#include "held.h"

#include <string.h>

#define SHARE_BYTES   (NAT64_HELD_BYTES / NAT64_HELD_SHARE)
#define SHARE_PACKETS (NAT64_HELD_PACKETS / NAT64_HELD_SHARE)

void nat64_held_init(struct nat64_held *t, uint64_t seed)
{
	memset(t, 0, sizeof(*t));
	t->seed = seed;
	for (unsigned int i = 0; i < NAT64_HELD_BUCKETS; i++)
		t->bucket[i] = NAT64_HELD_NONE;
}

static uint32_t source_of(const struct nat64_held *t,
			  const struct nat64_frag_key *k)
{
	struct nat64_frag_key source = {.v6 = k->v6};

	memcpy(&source.src, &k->src, k->v6 ? 8 : 16);
	return (uint32_t)(nat64_frag_hash(&source, t->seed) %
			  NAT64_HELD_SOURCES);
}

static uint32_t *bucket_of(struct nat64_held *t, const struct nat64_frag_key *k)
{
	return &t->bucket[nat64_frag_hash(k, t->seed) % NAT64_HELD_BUCKETS];
}

/* Where @len bytes go behind the newest; false when the oldest is in the way.
 */
static bool find_room(const struct nat64_held *t, uint32_t len, uint32_t *at)
{
	const struct nat64_held_entry *first, *last;
	uint32_t end;

	*at = 0;
	if (!t->used)
		return len <= NAT64_HELD_BYTES;
	first = &t->e[t->oldest];
	last = &t->e[(t->oldest + t->used - 1) % NAT64_HELD_PACKETS];
	end = last->at + last->len;
	if (last->at >= first->at) {
		*at = end;
		if (NAT64_HELD_BYTES - end >= len)
			return true;
		*at = 0;
		return len < first->at;
	}
	*at = end;
	return len < first->at - end;
}

bool nat64_held_add(struct nat64_held *t, const struct nat64_frag_key *key,
		    const void *packet, uint32_t len, struct mono now,
		    int64_t life_ns)
{
	uint32_t source = source_of(t, key), at, i, *link = bucket_of(t, key);

	if (t->used == NAT64_HELD_PACKETS || !len ||
	    t->source[source].packets >= SHARE_PACKETS ||
	    t->source[source].bytes + len > SHARE_BYTES ||
	    !find_room(t, len, &at))
		return false;
	while (*link != NAT64_HELD_NONE)
		link = &t->e[*link].next;
	i = (t->oldest + t->used++) % NAT64_HELD_PACKETS;
	*link = i;
	t->e[i] = (struct nat64_held_entry){.key = *key,
					    .until = mono_add(now, life_ns),
					    .at = at,
					    .len = len,
					    .next = NAT64_HELD_NONE,
					    .source = source};
	memcpy(t->data + at, packet, len);
	t->source[source].packets++;
	t->source[source].bytes += len;
	t->n++;
	return true;
}

/* Take entry @i out of its chain and off its source's account. */
static void release(struct nat64_held *t, uint32_t i)
{
	struct nat64_held_entry *e = &t->e[i];
	uint32_t *link = bucket_of(t, &e->key);

	while (*link != i)
		link = &t->e[*link].next;
	*link = e->next;
	t->source[e->source].packets--;
	t->source[e->source].bytes -= e->len;
	e->taken = true;
	t->n--;
}

/* Let the rings begin at what is still held. */
static void drop_taken(struct nat64_held *t)
{
	while (t->used && t->e[t->oldest].taken) {
		t->oldest = (t->oldest + 1) % NAT64_HELD_PACKETS;
		t->used--;
	}
}

uint32_t nat64_held_take(struct nat64_held *t, const struct nat64_frag_key *key,
			 void *packet, uint32_t room)
{
	uint32_t i = *bucket_of(t, key), len;

	while (i != NAT64_HELD_NONE && !nat64_frag_same(&t->e[i].key, key))
		i = t->e[i].next;
	if (i == NAT64_HELD_NONE)
		return 0;
	len = t->e[i].len < room ? t->e[i].len : room;
	memcpy(packet, t->data + t->e[i].at, len);
	release(t, i);
	drop_taken(t);
	return len;
}

uint32_t nat64_held_expire(struct nat64_held *t, struct mono now)
{
	uint32_t n = 0;

	while (t->used && !mono_before(now, t->e[t->oldest].until)) {
		release(t, t->oldest);
		drop_taken(t);
		n++;
	}
	return n;
}

const char *nat64_held_check(const struct nat64_held *t)
{
	uint32_t n = 0, chained = 0, bytes = 0, counted = 0;

	for (uint32_t k = 0; k < t->used; k++) {
		const struct nat64_held_entry *e =
			&t->e[(t->oldest + k) % NAT64_HELD_PACKETS];

		n += !e->taken;
		bytes += e->taken ? 0 : e->len;
		if (e->at + e->len > NAT64_HELD_BYTES)
			return "a held packet lies outside";
	}
	for (uint32_t b = 0; b < NAT64_HELD_BUCKETS; b++)
		for (uint32_t i = t->bucket[b]; i != NAT64_HELD_NONE;
		     i = t->e[i].next)
			chained++;
	for (uint32_t s = 0; s < NAT64_HELD_SOURCES; s++)
		counted += t->source[s].bytes;
	if (n != t->n || chained != t->n)
		return "held packets are miscounted";
	if (counted != bytes)
		return "held bytes are miscounted";
	if (t->used && t->e[t->oldest].taken)
		return "a taken packet is the oldest";
	return NULL;
}

/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A set-associative table like that of fragments, but what is stored stays
 * for its six seconds. A SYN leaves it when the IPv6 side sends its own for
 * the same pair (then both have opened at once), or by its time, and then its
 * sender is told. Memory is fixed: NAT64_SYN_SETS * NAT64_SYN_WAYS packets.
 *
 * One IPv4 host may fill a sixteenth of it. Its SYNs are counted in a slot that
 * a keyed hash of its address names; those whose hosts share a slot share that.
 */
#include "syn.h"

#include <string.h>

void nat64_syns_init(struct nat64_syns *t, uint64_t seed)
{
	memset(t, 0, sizeof(*t));
	t->seed = seed;
}

static unsigned int set_of(const struct nat64_syns *t,
			   const struct nat64_flow *f)
{
	uint64_t a = (uint64_t)f->src4.s_addr << 32 | f->dst4.s_addr;
	uint64_t b = (uint64_t)f->src4_port << 16 | f->dst_port;
	__uint128_t m =
		(__uint128_t)(a ^ t->seed) * (b ^ UINT64_C(0x9e3779b97f4a7c15));

	m = (__uint128_t)((uint64_t)m ^ (uint64_t)(m >> 64)) *
	    UINT64_C(0xd6e8feb86659fd93);
	return (unsigned int)(m >> 60) % NAT64_SYN_SETS;
}

static uint16_t *count_of(struct nat64_syns *t, struct in_addr host)
{
	uint64_t h = (host.s_addr ^ t->seed) * UINT64_C(0x9e3779b97f4a7c15);

	h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return &t->by_host[(h >> 32) % NAT64_SYN_HOSTS];
}

static void forget(struct nat64_syns *t, struct nat64_syn *s)
{
	s->until.ns = 0;
	t->n--;
	--*count_of(t, s->dst4);
}

static bool same(const struct nat64_syn *s, const struct nat64_flow *f)
{
	return s->until.ns && s->src4.s_addr == f->src4.s_addr &&
	       s->dst4.s_addr == f->dst4.s_addr &&
	       s->src4_port == f->src4_port && s->dst_port == f->dst_port;
}

enum reason nat64_syn_store(struct nat64_syns *t, const struct nat64_flow *f,
			    const void *packet, size_t len, struct mono now)
{
	struct nat64_syn *set = t->e[set_of(t, f)], *use = NULL;

	if (len > NAT64_SYN_BYTES)
		return REASON_NAT64_SYN_FULL;
	for (unsigned int i = 0; i < NAT64_SYN_WAYS; i++) {
		if (same(&set[i], f))
			return REASON_NAT64_SYN_QUEUE;
		if (!set[i].until.ns)
			use = &set[i];
	}
	if (!use || *count_of(t, f->dst4) >= NAT64_SYN_SHARE)
		return REASON_NAT64_SYN_FULL;
	*use = (struct nat64_syn){.src4 = f->src4,
				  .dst4 = f->dst4,
				  .src4_port = f->src4_port,
				  .dst_port = f->dst_port,
				  .until = mono_add(now, NAT64_SYN_NS),
				  .len = (uint16_t)len};
	memcpy(use->data, packet, len);
	t->n++;
	++*count_of(t, f->dst4);
	return REASON_NAT64_SYN_QUEUE;
}

bool nat64_syn_take(struct nat64_syns *t, const struct nat64_flow *f,
		    struct mono now)
{
	struct nat64_syn *set = t->e[set_of(t, f)];

	for (unsigned int i = 0; t->n && i < NAT64_SYN_WAYS; i++)
		if (same(&set[i], f) && mono_before(now, set[i].until)) {
			forget(t, &set[i]);
			return true;
		}
	return false;
}

bool nat64_syn_expire(struct nat64_syns *t, struct mono now,
		      unsigned int budget, struct nat64_syn *out)
{
	while (t->n && budget--) {
		struct nat64_syn *s = &t->e[t->cursor / NAT64_SYN_WAYS]
					   [t->cursor % NAT64_SYN_WAYS];

		t->cursor = (t->cursor + 1) % (NAT64_SYN_SETS * NAT64_SYN_WAYS);
		if (!s->until.ns || mono_before(now, s->until))
			continue;
		*out = *s;
		forget(t, s);
		return true;
	}
	return false;
}

/* SPDX-License-Identifier: MIT */
#include "blocks.h"

/* Bits [from, to) of an address; at most 32. */
static uint32_t get_bits(const struct in6_addr *a, unsigned int from,
			 unsigned int to)
{
	uint32_t v = 0;

	for (unsigned int i = from; i < to; i++)
		v = v << 1 | (a->s6_addr[i / 8] >> (7 - i % 8) & 1u);
	return v;
}

static unsigned int bits(const struct nat64_blocks *b)
{
	return (unsigned int)b->subscriber_len - b->subscribers.len;
}

uint32_t nat64_blocks_each(const struct nat64_blocks *b)
{
	return ((uint32_t)b->high - b->low + 1) / b->size;
}

bool nat64_blocks_fit(const struct nat64_blocks *b, uint32_t addresses)
{
	return b->subscriber_len > b->subscribers.len && bits(b) < 32 &&
	       b->high >= b->low &&
	       (uint64_t)addresses * nat64_blocks_each(b) >= UINT64_C(1)
								     << bits(b);
}

bool nat64_blocks_find(const struct nat64_blocks *b,
		       const struct in6_addr *host, uint32_t *addr,
		       uint16_t *low)
{
	uint32_t i, each = nat64_blocks_each(b);

	if (!prefix6_contains(&b->subscribers, host))
		return false;
	i = get_bits(host, b->subscribers.len, b->subscriber_len);
	*addr = i / each;
	*low = (uint16_t)(b->low + i % each * b->size);
	return true;
}

bool nat64_blocks_owner(const struct nat64_blocks *b, uint32_t addr,
			uint16_t port, struct prefix6 *out)
{
	uint32_t each = nat64_blocks_each(b), block, i;

	if (port < b->low || port > b->high)
		return false;
	block = (uint32_t)(port - b->low) / b->size;
	if (block >= each || addr > (UINT32_MAX - block) / each)
		return false;
	i = addr * each + block;
	if (i >> bits(b))
		return false;
	return !prefix6_subnet(&b->subscribers, b->subscriber_len, i, out);
}

/* SPDX-License-Identifier: MIT */
#include "eam.h"

#include <errno.h>
#include <string.h>

void eam_init(struct eam_table *t, struct eam_entry *entries, uint32_t max,
	      struct lpm_node *nodes4, struct lpm_node *nodes6)
{
	*t = (struct eam_table){.entries = entries, .max = max};
	lpm_init(&t->by4, nodes4, (uint32_t)LPM_NODES(max));
	lpm_init(&t->by6, nodes6, (uint32_t)LPM_NODES(max));
}

static void key4(struct in_addr a, uint8_t key[16])
{
	memset(key, 0, 16);
	memcpy(key, &a, 4);
}

/* The low (32 - len) bits of an IPv4 address, host order. */
static uint32_t mask_suffix(uint8_t len)
{
	return len ? (uint32_t)((UINT64_C(1) << (32 - len)) - 1) : UINT32_MAX;
}

static bool host_bits_zero(const uint8_t *addr, unsigned int len,
			   unsigned int bits)
{
	unsigned int i;

	for (i = len; i < bits; i++)
		if (addr[i / 8] >> (7 - i % 8) & 1)
			return false;
	return true;
}

int eam_add(struct eam_table *t, const struct prefix4 *p4,
	    const struct prefix6 *p6)
{
	uint8_t key[16];
	int err;

	key4(p4->addr, key);
	if (p4->len > 32 || p6->len > 128 || 32 - p4->len > 128 - p6->len ||
	    !host_bits_zero(key, p4->len, 32) ||
	    !host_bits_zero(p6->addr.s6_addr, p6->len, 128))
		return -EINVAL;
	if (t->n == t->max)
		return -ENOSPC;
	if (lpm_get(&t->by4, key, p4->len) != LPM_NONE)
		return -EEXIST;
	err = lpm_add(&t->by6, p6->addr.s6_addr, p6->len, t->n);
	if (err)
		return err;
	err = lpm_add(&t->by4, key, p4->len, t->n);
	if (err)
		return err;
	t->entries[t->n].p4 = *p4;
	t->entries[t->n].p6 = *p6;
	t->n++;
	return 0;
}

/* Or the low @n bits of @v into @out from bit @at on; at + n <= 128. */
static void put_bits(struct in6_addr *out, unsigned int at, uint32_t v,
		     unsigned int n)
{
	uint64_t bits = n ? (uint64_t)v << (64 - n) >> at % 8 : 0;
	unsigned int i;

	for (i = at / 8; bits; i++, bits <<= 8)
		out->s6_addr[i] |= (uint8_t)(bits >> 56);
}

static uint32_t get_bits(const struct in6_addr *in, unsigned int at,
			 unsigned int n)
{
	uint64_t bits = 0;
	unsigned int i;

	if (!n)
		return 0;
	for (i = at / 8; i < at / 8 + 5; i++)
		bits = bits << 8 | (i < 16 ? in->s6_addr[i] : 0u);
	return (uint32_t)(bits << (24 + at % 8) >> (64 - n));
}

bool eam_46(const struct eam_table *t, struct in_addr in, struct in6_addr *out)
{
	const struct eam_entry *e;
	uint8_t key[16];
	uint32_t i;

	if (!t->n)
		return false;
	key4(in, key);
	i = lpm_find(&t->by4, key);
	if (i == LPM_NONE)
		return false;
	e = &t->entries[i];
	*out = e->p6.addr;
	put_bits(out, e->p6.len, ntohl(in.s_addr) & mask_suffix(e->p4.len),
		 32u - e->p4.len);
	return true;
}

bool eam_64(const struct eam_table *t, const struct in6_addr *in,
	    struct in_addr *out)
{
	const struct eam_entry *e;
	uint32_t i = t->n ? lpm_find(&t->by6, in->s6_addr) : LPM_NONE;

	if (i == LPM_NONE)
		return false;
	e = &t->entries[i];
	out->s_addr = e->p4.addr.s_addr |
		      htonl(get_bits(in, e->p6.len, 32u - e->p4.len));
	return true;
}

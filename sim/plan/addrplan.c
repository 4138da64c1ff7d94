/* SPDX-License-Identifier: MIT */
#include "addrplan.h"

#include <arpa/inet.h>
#include <errno.h>

#define MIN_BLOCK_BITS 4
#define HOME_LEN       56
#define LINK4_LEN      30

int addrplan_init(struct addrplan *ap, const struct prefix6 *op,
		  const struct prefix4 *infra4, size_t n_towers, struct err *e)
{
	char text[ADDR_TEXT_LEN];

	if (op->len < ADDRPLAN_MIN_LEN || op->len > ADDRPLAN_MAX_LEN)
		return err_set(e, ERANGE,
			       "operator prefix %s: a /%d to /%d is expected",
			       prefix6_format(op, text), ADDRPLAN_MIN_LEN,
			       ADDRPLAN_MAX_LEN);
	*ap = (struct addrplan){.operator_prefix = *op,
				.infra4 = *infra4,
				.block_bits = MIN_BLOCK_BITS};
	while (n_towers >> ap->block_bits)
		ap->block_bits++;
	if (op->len + ap->block_bits >= HOME_LEN)
		return err_set(e, ERANGE,
			       "operator prefix %s: no room for homes on %zu "
			       "towers",
			       prefix6_format(op, text), n_towers);
	return 0;
}

uint64_t addrplan_mirror(uint64_t n, unsigned int bits)
{
	uint64_t out = 0;

	for (unsigned int i = 0; i < bits; i++)
		out = out << 1 | ((n >> i) & 1);
	return out;
}

int addrplan_block(const struct addrplan *ap, uint64_t n, struct prefix6 *out)
{
	if (n >> ap->block_bits)
		return -ERANGE;
	return prefix6_subnet(
		&ap->operator_prefix,
		(uint8_t)(ap->operator_prefix.len + ap->block_bits),
		addrplan_mirror(n, ap->block_bits), out);
}

int addrplan_home(const struct addrplan *ap, uint64_t tower, uint64_t k,
		  struct addrplan_home *out)
{
	struct prefix6 block, own, clat;
	int ret = addrplan_block(ap, tower + 1, &block);

	if (!ret && !k)
		ret = -ERANGE; /* number 0 is the tower's own */
	if (!ret)
		ret = prefix6_subnet(&block, HOME_LEN, 0, &own);
	if (!ret)
		ret = prefix6_subnet(&own, 64, k, &out->wan);
	if (!ret)
		ret = prefix6_subnet(&block, HOME_LEN, k, &out->delegated);
	if (!ret)
		ret = prefix6_subnet(&out->delegated, 64, 1, &out->lan);
	if (!ret)
		ret = prefix6_subnet(&out->delegated, 64, 2, &clat);
	if (!ret)
		ret = prefix6_subnet(&clat, 96, 0, &out->clat);
	return ret;
}

int addrplan_next_loop(struct addrplan *ap, struct in6_addr *loop6,
		       struct in_addr *loop4)
{
	struct prefix6 infra, loops;
	uint64_t n = ap->n_loops + 1;
	int ret = addrplan_block(ap, 0, &infra);

	if (!ret)
		ret = prefix6_subnet(&infra, 64, 0, &loops);
	if (!ret)
		ret = prefix6_host(&loops, n, loop6);
	if (!ret &&
	    (ap->infra4.len > 31 || n >= UINT64_C(1) << (31 - ap->infra4.len)))
		ret = -ERANGE;
	if (!ret)
		ret = prefix4_host(&ap->infra4, (uint32_t)n, loop4);
	if (!ret)
		ap->n_loops = n;
	return ret;
}

int addrplan_next_link6(struct addrplan *ap, struct prefix6 *out)
{
	struct prefix6 infra;
	int ret = addrplan_block(ap, 0, &infra);

	if (!ret)
		ret = prefix6_subnet(&infra, 64, ap->n_links6 + 1, out);
	if (!ret)
		ap->n_links6++;
	return ret;
}

int addrplan_next_link4(struct addrplan *ap, struct prefix4 *out)
{
	const uint32_t size = 1U << (32 - LINK4_LEN);
	uint32_t half;

	if (ap->infra4.len > LINK4_LEN - 1)
		return -ERANGE;
	half = (uint32_t)(UINT64_C(1) << (31 - ap->infra4.len));
	/* the last quarter is the customers' */
	if (ap->n_links4 >= (ap->n_homes4 ? half / 2 : half) / size)
		return -ERANGE;
	out->len = LINK4_LEN;
	if (prefix4_host(&ap->infra4, half + ap->n_links4 * size, &out->addr))
		return -ERANGE;
	ap->n_links4++;
	return 0;
}

int addrplan_customers4(const struct addrplan *ap, struct prefix4 *out)
{
	out->len = (uint8_t)(ap->infra4.len + 2);
	if (out->len > 28)
		return -ERANGE;
	return prefix4_host(&ap->infra4, 3U << (32 - out->len), &out->addr);
}

/* Sixteen addresses each: four for the link, eight for the LAN. */
int addrplan_next_home4(struct addrplan *ap, struct prefix4 *wan,
			struct prefix4 *lan)
{
	struct prefix4 all;
	int ret = addrplan_customers4(ap, &all);

	wan->len = 30;
	lan->len = 29;
	if (!ret)
		ret = prefix4_host(&all, ap->n_homes4 * 16, &wan->addr);
	if (!ret)
		ret = prefix4_host(&all, ap->n_homes4 * 16 + 8, &lan->addr);
	if (!ret)
		ap->n_homes4++;
	return ret;
}

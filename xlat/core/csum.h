/* SPDX-License-Identifier: MIT */
/*
 * Internet checksum arithmetic (RFC 1071, RFC 1624).
 *
 * Sums are 32- or 64-bit accumulators of 16-bit words as they lie in memory:
 * byte order does not matter as long as all stay in memory order.
 */
#ifndef CORE_CSUM_H
#define CORE_CSUM_H

#include <linux/types.h>
#include <stddef.h>
#include <stdint.h>

/* csum_fold - an accumulator as one 16-bit word, not complemented. */
static inline uint16_t csum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* csum_add - sum of @len bytes at any alignment, added to @sum. Pure. */
uint64_t csum_add(uint64_t sum, const void *data, size_t len);

/* csum_pseudo4/6 - sum of a pseudo-header; @len: transport bytes. Pure. */
uint64_t csum_pseudo4(const void *src, const void *dst, uint8_t proto,
		      uint32_t len);
uint64_t csum_pseudo6(const void *src, const void *dst, uint8_t proto,
		      uint32_t len);

/*
 * csum_update - RFC 1624 equation 3: @check after words summing to @old were
 * replaced by words summing to @new. A checksum that was wrong stays wrong.
 */
static inline uint16_t csum_update(uint16_t check, uint64_t old, uint64_t new)
{
	return (uint16_t)~csum_fold((uint64_t)(uint16_t)~check +
				    (uint16_t)~csum_fold(old) + csum_fold(new));
}

/* csum_update_partial - the same for an uncomplemented (needs_csum) sum. */
static inline uint16_t csum_update_partial(uint16_t sum, uint64_t old,
					   uint64_t new)
{
	return csum_fold((uint64_t)sum + (uint16_t)~csum_fold(old) +
			 csum_fold(new));
}

#endif

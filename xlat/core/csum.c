/* SPDX-License-Identifier: MIT */
#include "csum.h"

#include <string.h>

#include "core_internal.h"

uint64_t csum_add(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint8_t last[2];

	for (; len >= 16; len -= 16, p += 16)
		sum += sum16(p);
	for (; len >= 2; len -= 2, p += 2)
		sum += raw16(p);
	if (len) {
		last[0] = *p;
		last[1] = 0;
		sum += raw16(last);
	}
	return sum;
}

static uint64_t pseudo_tail(uint8_t proto, uint32_t len)
{
	uint8_t tail[8] = {0, 0, 0, 0, 0, 0, 0, proto};

	put32(tail, len);
	return sum4(tail) + sum4(tail + 4);
}

uint64_t csum_pseudo4(const void *src, const void *dst, uint8_t proto,
		      uint32_t len)
{
	return sum4(src) + sum4(dst) + pseudo_tail(proto, len);
}

uint64_t csum_pseudo6(const void *src, const void *dst, uint8_t proto,
		      uint32_t len)
{
	return sum16(src) + sum16(dst) + pseudo_tail(proto, len);
}

/* SPDX-License-Identifier: MIT */
/* IPv4 and IPv6 prefixes as text and as arithmetic. */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct prefix4 {
	struct in_addr addr; /* network byte order */
	uint8_t len;	     /* 0..32 */
};

struct prefix6 {
	struct in6_addr addr; /* network byte order */
	uint8_t len;	      /* 0..128 */
};

/* An address of either family; family is AF_INET, AF_INET6 or 0 (none). */
struct addr {
	int family;
	union {
		struct in_addr v4;
		struct in6_addr v6;
	};
};

#define ADDR_TEXT_LEN 64

/* Each parse returns 0, or -EINVAL; prefixes want host bits zero (-ERANGE). */
int prefix4_parse(const char *text, struct prefix4 *out);
int prefix6_parse(const char *text, struct prefix6 *out);
int addr_parse(const char *text, struct addr *out);

/* Each format writes to @buf (ADDR_TEXT_LEN bytes) and returns it. */
const char *prefix4_format(const struct prefix4 *p, char *buf);
const char *prefix6_format(const struct prefix6 *p, char *buf);
const char *addr_format(const struct addr *a, char *buf);
const char *in4_format(struct in_addr a, char *buf);
const char *in6_format(const struct in6_addr *a, char *buf);

bool prefix4_contains(const struct prefix4 *p, struct in_addr a);
bool prefix6_contains(const struct prefix6 *p, const struct in6_addr *a);
bool prefix4_overlaps(const struct prefix4 *a, const struct prefix4 *b);
bool prefix6_overlaps(const struct prefix6 *a, const struct prefix6 *b);
bool addr_equal(const struct addr *a, const struct addr *b);

/*
 * prefix6_subnet - the @index-th prefix of length @len inside @p.
 * Returns 0; -ERANGE when @len is shorter than @p or @index does not fit.
 */
int prefix6_subnet(const struct prefix6 *p, uint8_t len, uint64_t index,
		   struct prefix6 *out);

/* prefix4_host / prefix6_host - @n-th address; -ERANGE when outside @p. */
int prefix4_host(const struct prefix4 *p, uint32_t n, struct in_addr *out);
int prefix6_host(const struct prefix6 *p, uint64_t n, struct in6_addr *out);

#endif

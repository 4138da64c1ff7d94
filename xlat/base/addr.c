/* SPDX-License-Identifier: MIT */
#include "addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The digits after the slash; no sign, no leading zero. */
static int parse_len(const char *text, unsigned int max, uint8_t *out)
{
	unsigned int len = 0;
	size_t digits = strspn(text, "0123456789");

	if (digits < 1 || digits > 3 || text[digits] ||
	    (digits > 1 && text[0] == '0'))
		return -EINVAL;
	for (size_t i = 0; i < digits; i++)
		len = len * 10 + (unsigned int)(text[i] - '0');
	if (len > max)
		return -EINVAL;
	*out = (uint8_t)len;
	return 0;
}

/* Copy the address part of ADDR/LEN to @buf, give the text after the slash. */
static const char *split(const char *text, char *buf)
{
	const char *slash = strchr(text, '/');
	size_t n;

	if (!slash)
		return NULL;
	n = (size_t)(slash - text);
	if (n >= ADDR_TEXT_LEN)
		return NULL;
	memcpy(buf, text, n);
	buf[n] = '\0';
	return slash + 1;
}

static uint32_t mask4(uint8_t len)
{
	return len ? UINT32_MAX << (32 - len) : 0;
}

/* The bits of byte @i that a prefix of @len bits leaves to hosts. */
static uint8_t host_bits(unsigned int i, uint8_t len)
{
	if (len >= (i + 1) * 8)
		return 0;
	if (len <= i * 8)
		return 0xff;
	return (uint8_t)(0xff >> (len - i * 8));
}

int prefix4_parse(const char *text, struct prefix4 *out)
{
	char buf[ADDR_TEXT_LEN];
	const char *len = split(text, buf);
	struct prefix4 p;

	if (!len || parse_len(len, 32, &p.len) ||
	    inet_pton(AF_INET, buf, &p.addr) != 1)
		return -EINVAL;
	if (ntohl(p.addr.s_addr) & ~mask4(p.len))
		return -ERANGE;
	*out = p;
	return 0;
}

int prefix6_parse(const char *text, struct prefix6 *out)
{
	char buf[ADDR_TEXT_LEN];
	const char *len = split(text, buf);
	struct prefix6 p;

	if (!len || parse_len(len, 128, &p.len) ||
	    inet_pton(AF_INET6, buf, &p.addr) != 1)
		return -EINVAL;
	for (unsigned int i = 0; i < 16; i++)
		if (p.addr.s6_addr[i] & host_bits(i, p.len))
			return -ERANGE;
	*out = p;
	return 0;
}

int addr_parse(const char *text, struct addr *out)
{
	struct addr a = {0};

	if (inet_pton(AF_INET, text, &a.v4) == 1)
		a.family = AF_INET;
	else if (inet_pton(AF_INET6, text, &a.v6) == 1)
		a.family = AF_INET6;
	else
		return -EINVAL;
	*out = a;
	return 0;
}

const char *in4_format(struct in_addr a, char *buf)
{
	inet_ntop(AF_INET, &a, buf, ADDR_TEXT_LEN);
	return buf;
}

const char *in6_format(const struct in6_addr *a, char *buf)
{
	inet_ntop(AF_INET6, a, buf, ADDR_TEXT_LEN);
	return buf;
}

const char *prefix4_format(const struct prefix4 *p, char *buf)
{
	size_t n = strlen(in4_format(p->addr, buf));

	snprintf(buf + n, ADDR_TEXT_LEN - n, "/%u", p->len);
	return buf;
}

const char *prefix6_format(const struct prefix6 *p, char *buf)
{
	size_t n = strlen(in6_format(&p->addr, buf));

	snprintf(buf + n, ADDR_TEXT_LEN - n, "/%u", p->len);
	return buf;
}

const char *addr_format(const struct addr *a, char *buf)
{
	if (a->family == AF_INET)
		return in4_format(a->v4, buf);
	if (a->family == AF_INET6)
		return in6_format(&a->v6, buf);
	memcpy(buf, "none", sizeof("none"));
	return buf;
}

bool prefix4_contains(const struct prefix4 *p, struct in_addr a)
{
	return !((ntohl(a.s_addr) ^ ntohl(p->addr.s_addr)) & mask4(p->len));
}

bool prefix6_contains(const struct prefix6 *p, const struct in6_addr *a)
{
	for (unsigned int i = 0; i < 16; i++)
		if ((a->s6_addr[i] ^ p->addr.s6_addr[i]) &
		    (uint8_t)~host_bits(i, p->len))
			return false;
	return true;
}

bool prefix4_overlaps(const struct prefix4 *a, const struct prefix4 *b)
{
	return a->len <= b->len ? prefix4_contains(a, b->addr)
				: prefix4_contains(b, a->addr);
}

bool prefix6_overlaps(const struct prefix6 *a, const struct prefix6 *b)
{
	return a->len <= b->len ? prefix6_contains(a, &b->addr)
				: prefix6_contains(b, &a->addr);
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	if (a->family != b->family)
		return false;
	if (a->family == AF_INET)
		return a->v4.s_addr == b->v4.s_addr;
	if (a->family == AF_INET6)
		return !memcmp(&a->v6, &b->v6, sizeof(a->v6));
	return true;
}

/* Put the low @bits bits of @n into @addr, ending @shift bits from its end. */
static void put_bits(struct in6_addr *addr, uint64_t n, unsigned int shift,
		     unsigned int bits)
{
	for (unsigned int i = 0; i < bits && i < 64; i++) {
		unsigned int bit = 127 - shift - i;

		if ((n >> i) & 1)
			addr->s6_addr[bit / 8] |= (uint8_t)(0x80 >> (bit % 8));
	}
}

int prefix6_subnet(const struct prefix6 *p, uint8_t len, uint64_t index,
		   struct prefix6 *out)
{
	unsigned int bits;

	if (len < p->len || len > 128)
		return -ERANGE;
	bits = (unsigned int)(len - p->len);
	if (bits < 64 && index >> bits)
		return -ERANGE;
	*out = (struct prefix6){.addr = p->addr, .len = len};
	put_bits(&out->addr, index, 128U - len, bits);
	return 0;
}

int prefix4_host(const struct prefix4 *p, uint32_t n, struct in_addr *out)
{
	if (n & mask4(p->len))
		return -ERANGE;
	out->s_addr = htonl(ntohl(p->addr.s_addr) | n);
	return 0;
}

int prefix6_host(const struct prefix6 *p, uint64_t n, struct in6_addr *out)
{
	struct prefix6 host;
	int ret = prefix6_subnet(p, 128, n, &host);

	if (!ret)
		*out = host.addr;
	return ret;
}

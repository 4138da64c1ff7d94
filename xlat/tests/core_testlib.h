/* SPDX-License-Identifier: MIT */
/*
 * Shared by the tests of the core. The checksum here is the plain sum of
 * RFC 1071, two bytes at a time: a second opinion, not the core's own.
 */
#ifndef CORE_TESTLIB_H
#define CORE_TESTLIB_H

#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../core/addrmap.h"
#include "../core/icmp.h"
#include "../core/xlat.h"

struct bytes {
	uint8_t v[66000];
	uint32_t len;
};

static inline uint32_t ref_sum(uint32_t sum, const uint8_t *p, uint32_t len)
{
	uint32_t i;

	for (i = 0; i < len; i++) {
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static inline uint32_t ref_get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static inline void ref_put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* Sum of the pseudo-header of the packet whose IP header is at @ip. */
static inline uint32_t ref_pseudo(const uint8_t *ip, uint8_t proto,
				  uint32_t len)
{
	uint8_t tail[4] = {0, proto};
	uint32_t sum;

	ref_put16(tail + 2, len);
	if (ip[0] >> 4 == 4)
		sum = ref_sum(0, ip + 12, 8);
	else
		sum = ref_sum(0, ip + 8, 32);
	return ref_sum(sum, tail, 4);
}

static inline void ref_ip4_csum(uint8_t *ip)
{
	ref_put16(ip + 10, 0);
	ref_put16(ip + 10, 0xffff ^ ref_sum(0, ip, (ip[0] & 15u) * 4));
}

/* A packet in a malloc'ed buffer of exactly its size and rooms. */
struct room {
	uint8_t *buf;
	uint32_t bytes;
	struct pkt pkt;
};

static inline void room_init(struct room *r, const uint8_t *d, uint32_t len,
			     uint32_t headroom, uint32_t tailroom)
{
	r->bytes = headroom + len + tailroom;
	r->buf = calloc(1, r->bytes ? r->bytes : 1);
	memset(r->buf, 0xa5, r->bytes);
	if (len)
		memcpy(r->buf + headroom, d, len);
	r->pkt = (struct pkt){.data = r->buf + headroom,
			      .len = len,
			      .headroom = headroom,
			      .tailroom = tailroom};
}

static inline void room_fini(struct room *r)
{
	free(r->buf);
}

/* Do data, len and the rooms still describe the buffer? */
static inline int room_consistent(const struct room *r)
{
	return r->pkt.data == r->buf + r->pkt.headroom &&
	       r->pkt.headroom + r->pkt.len + r->pkt.tailroom == r->bytes;
}

static inline struct prefix6 ref_prefix6(const char *text)
{
	struct prefix6 p;

	if (prefix6_parse(text, &p))
		abort();
	return p;
}

static inline struct prefix4 ref_prefix4(const char *text)
{
	struct prefix4 p;

	if (prefix4_parse(text, &p))
		abort();
	return p;
}

static inline struct in_addr ref_in4(const char *text)
{
	struct in_addr a;

	if (inet_pton(AF_INET, text, &a) != 1)
		abort();
	return a;
}

static inline struct in6_addr ref_in6(const char *text)
{
	struct in6_addr a;

	if (inet_pton(AF_INET6, text, &a) != 1)
		abort();
	return a;
}

/* ref_put4 - an IPv4 address, into a packet. */
static inline void ref_put4(uint8_t *at, const char *text)
{
	struct in_addr a = ref_in4(text);

	memcpy(at, &a, sizeof(a));
}

/* SIIT by 2001:db8:64::/96, as the vectors expect. */
static inline void ref_config(struct addrmap *m, struct xlat_cfg *cfg)
{
	addrmap_init(m, ADDRMAP_SIIT);
	m->has_pref64 = true;
	m->pref64 = ref_prefix6("2001:db8:64::/96");
	xlat_cfg_init(cfg);
	cfg->self4 = ref_in4("192.0.2.254");
	cfg->self6 = ref_in6("2001:db8::fe");
}

/* Parse, map, translate or refuse: what an engine does. */
static inline enum verdict ref_run(struct pkt *pkt, int dir,
				   const struct addrmap *m,
				   const struct xlat_cfg *cfg,
				   struct xlat_out *out)
{
	struct pkt_info info;
	struct xlat_map map;
	enum reason r;

	if (dir == 46) {
		r = pkt_parse4(pkt, &info);
		if (!r)
			r = addrmap_46(m, &info, &map);
		return r ? xlat_refuse4(pkt, &info, r, cfg, out)
			 : xlat_46(pkt, &info, &map, cfg, out);
	}
	r = pkt_parse6(pkt, &info);
	if (!r)
		r = addrmap_64(m, &info, &map);
	return r ? xlat_refuse6(pkt, &info, r, cfg, out)
		 : xlat_64(pkt, &info, &map, cfg, out);
}

#endif

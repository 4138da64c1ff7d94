/* SPDX-License-Identifier: MIT */
/*
 * Seeded random packets for the tests of the core, and full checksums to
 * compare with. One file's worth of state: include it in one .c a program.
 */
#ifndef CORE_RANDOM_H
#define CORE_RANDOM_H

#include <check.h>

#include "../base/rng.h"
#include "core_testlib.h"

#define SEED   0x7915
#define ROUNDS 400

static uint8_t reply_buf[XLAT_REPLY_BYTES];
static struct rng rng;
static struct addrmap map;
static struct xlat_cfg cfg;
static struct xlat_out out;

static inline void setup(void)
{
	rng_init(&rng, SEED);
	ref_config(&map, &cfg);
	xlat_out_init(&out, reply_buf, sizeof(reply_buf), 77);
}

static inline uint32_t pick(uint32_t low, uint32_t high)
{
	return low + (uint32_t)rng_below(&rng, high - low + 1);
}

static inline void fill(uint8_t *d, uint32_t len)
{
	while (len--)
		*d++ = (uint8_t)rng_next(&rng);
}

static const uint8_t transports[] = {6, 17, 1, 136, 33};

static inline uint32_t csum_at(uint8_t proto)
{
	return proto == 6 ? 16 : proto == 1 || proto == 58 ? 2 : 6;
}

/* The right checksum of the transport message at @l4. */
static inline uint32_t ref_l4_csum(const uint8_t *ip, const uint8_t *l4,
				   uint32_t len, uint8_t proto)
{
	uint8_t copy[66000];
	uint32_t sum = proto == 1 ? 0 : ref_pseudo(ip, proto, len);
	uint32_t check;

	memcpy(copy, l4, len);
	ref_put16(copy + csum_at(proto), 0);
	if (proto == 136 || proto == 33)
		len = proto == 136 ? 8 : 16; /* covers headers only */
	check = 0xffff ^ ref_sum(sum, copy, len);
	return !check && proto == 17 ? 0xffff : check;
}

/* A transport message with right checksum behind the header at @ip. */
static inline void make_l4(uint8_t *ip, uint8_t *l4, uint32_t len,
			   uint8_t proto)
{
	fill(l4, len);
	if (proto == 6)
		l4[12] = 0x50;
	if (proto == 17)
		ref_put16(l4 + 4, len);
	if (proto == 136)
		ref_put16(l4 + 4, 8);
	if (proto == 33)
		l4[5] = 1;
	if (proto == 1 || proto == 58) {
		l4[0] = (uint8_t)(proto == 1 ? 8 * pick(0, 1) : pick(128, 129));
		l4[1] = 0;
	}
	ref_put16(l4 + csum_at(proto), ref_l4_csum(ip, l4, len, proto));
}

static inline void random_host4(uint8_t *a)
{
	fill(a, 4);
	a[0] = (uint8_t)pick(1, 126);
}

/* An IPv4 packet with @payload transport bytes; DF set. */
static inline void make4(struct bytes *b, uint8_t proto, uint32_t payload)
{
	uint8_t *ip = b->v;

	b->len = 20 + payload;
	memset(ip, 0, 20);
	ip[0] = 0x45;
	ip[1] = (uint8_t)rng_next(&rng);
	ref_put16(ip + 2, b->len);
	ref_put16(ip + 6, 0x4000);
	ip[8] = (uint8_t)pick(3, 255);
	ip[9] = proto;
	random_host4(ip + 12);
	random_host4(ip + 16);
	make_l4(ip, ip + 20, payload, proto);
	ref_ip4_csum(ip);
}

static inline void make6(struct bytes *b, uint8_t proto, uint32_t payload)
{
	uint8_t *ip = b->v;

	b->len = 40 + payload;
	memset(ip, 0, 40);
	ip[0] = (uint8_t)(0x60 | pick(0, 15));
	ip[1] = (uint8_t)(pick(0, 15) << 4);
	ref_put16(ip + 4, payload);
	ip[6] = proto;
	ip[7] = (uint8_t)pick(3, 255);
	memcpy(ip + 8, &map.pref64.addr, 12);
	memcpy(ip + 24, &map.pref64.addr, 12);
	random_host4(ip + 20);
	random_host4(ip + 36);
	make_l4(ip, ip + 40, payload, proto);
}

static inline uint32_t random_len(uint8_t proto)
{
	uint32_t least = proto == 6 ? 20 : proto == 33 ? 16 : 8;

	return least + pick(0, pick(0, 1) ? 40 : 1300);
}

static inline void run(struct room *r, int dir)
{
	ck_assert_int_eq(ref_run(&r->pkt, dir, &map, &cfg, &out),
			 VERDICT_FORWARD);
	ck_assert(room_consistent(r));
}

/* @l3: header bytes of the result. Its checksum is what a full sum gives. */
static inline void expect_right_csum(const struct pkt *p, uint32_t l3,
				     uint8_t proto)
{
	const uint8_t *l4 = p->data + l3;

	ck_assert_uint_eq(ref_get16(l4 + csum_at(proto)),
			  ref_l4_csum(p->data, l4, p->len - l3, proto));
}

/* Leave the checksum to somebody else, as a stack with offloads does. */
static inline void make_partial(struct pkt *p, uint32_t l3, uint8_t proto)
{
	uint8_t *l4 = p->data + l3;

	p->gso.needs_csum = true;
	p->gso.csum_start = (uint16_t)l3;
	p->gso.csum_offset = (uint16_t)csum_at(proto);
	ref_put16(l4 + csum_at(proto), ref_pseudo(p->data, proto, p->len - l3));
}

#endif

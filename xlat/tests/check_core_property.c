/* SPDX-License-Identifier: MIT */
/*
 * What must hold for any packet, tried on seeded random ones: checksums stay
 * right whatever the addresses and ports, there and back is where we started,
 * and offload metadata means the same before and after.
 */
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

static void setup(void)
{
	rng_init(&rng, SEED);
	ref_config(&map, &cfg);
	xlat_out_init(&out, reply_buf, sizeof(reply_buf), 77);
}

static uint32_t pick(uint32_t low, uint32_t high)
{
	return low + (uint32_t)rng_below(&rng, high - low + 1);
}

static void fill(uint8_t *d, uint32_t len)
{
	while (len--)
		*d++ = (uint8_t)rng_next(&rng);
}

static const uint8_t transports[] = {6, 17, 1, 136, 33};

static uint32_t csum_at(uint8_t proto)
{
	return proto == 6 ? 16 : proto == 1 || proto == 58 ? 2 : 6;
}

/* The right checksum of the transport message at @l4. */
static uint32_t ref_l4_csum(const uint8_t *ip, const uint8_t *l4, uint32_t len,
			    uint8_t proto)
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
static void make_l4(uint8_t *ip, uint8_t *l4, uint32_t len, uint8_t proto)
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

static void random_host4(uint8_t *a)
{
	fill(a, 4);
	a[0] = (uint8_t)pick(1, 126);
}

/* An IPv4 packet with @payload transport bytes; DF set. */
static void make4(struct bytes *b, uint8_t proto, uint32_t payload)
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

static void make6(struct bytes *b, uint8_t proto, uint32_t payload)
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

static uint32_t random_len(uint8_t proto)
{
	uint32_t least = proto == 6 ? 20 : proto == 33 ? 16 : 8;

	return least + pick(0, pick(0, 1) ? 40 : 1300);
}

static void run(struct room *r, int dir)
{
	ck_assert_int_eq(ref_run(&r->pkt, dir, &map, &cfg, &out),
			 VERDICT_FORWARD);
	ck_assert(room_consistent(r));
}

/* @l3: header bytes of the result. Its checksum is what a full sum gives. */
static void expect_right_csum(const struct pkt *p, uint32_t l3, uint8_t proto)
{
	const uint8_t *l4 = p->data + l3;

	ck_assert_uint_eq(ref_get16(l4 + csum_at(proto)),
			  ref_l4_csum(p->data, l4, p->len - l3, proto));
}

START_TEST(there_and_back_46)
{
	static struct bytes b;
	uint8_t proto;
	struct room r;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		proto = transports[(unsigned)i % sizeof(transports)];
		make4(&b, proto, random_len(proto));
		room_init(&r, b.v, b.len, PKT_HEADROOM, 0);
		run(&r, 46);
		expect_right_csum(&r.pkt, 40, proto == 1 ? 58 : proto);
		run(&r, 64);
		expect_right_csum(&r.pkt, 20, proto);
		/* TTL fell twice; small packets come back without DF. */
		ck_assert_uint_eq(r.pkt.data[8], b.v[8] - 2u);
		ck_assert_uint_eq(ref_get16(r.pkt.data + 6),
				  b.len > 1260 ? 0x4000u : 0u);
		ck_assert_uint_eq(ref_sum(0, r.pkt.data, 20), 0xffff);
		memcpy(r.pkt.data + 4, b.v + 4, 8);
		ref_put16(r.pkt.data + 10, ref_get16(b.v + 10));
		ck_assert_uint_eq(r.pkt.len, b.len);
		ck_assert(!memcmp(r.pkt.data, b.v, b.len));
		room_fini(&r);
	}
}
END_TEST

START_TEST(there_and_back_64)
{
	static struct bytes b;
	uint8_t proto;
	struct room r;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		proto = transports[(unsigned)i % sizeof(transports)];
		proto = proto == 1 ? 58 : proto;
		make6(&b, proto, random_len(proto));
		room_init(&r, b.v, b.len, 0, 0);
		run(&r, 64);
		expect_right_csum(&r.pkt, 20, proto == 58 ? 1 : proto);
		run(&r, 46);
		ck_assert_uint_eq(r.pkt.data[7], b.v[7] - 2u);
		r.pkt.data[7] = b.v[7];
		ck_assert_uint_eq(r.pkt.len, b.len);
		ck_assert(!memcmp(r.pkt.data, b.v, b.len));
		room_fini(&r);
	}
}
END_TEST

/* Fragments keep offset, M and the low half of the Identification. */
START_TEST(there_and_back_fragment)
{
	static struct bytes b;
	struct room r;
	uint32_t off, more;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		make4(&b, 17, 8 * pick(1, 150));
		off = pick(0, 8000);
		more = off ? pick(0, 1) : 1;
		ref_put16(b.v + 6, more << 13 | off);
		fill(b.v + 4, 2);
		ref_ip4_csum(b.v);
		room_init(&r, b.v, b.len, PKT_HEADROOM, 0);
		run(&r, 46);
		ck_assert_uint_eq(r.pkt.data[6], 44);
		run(&r, 64);
		r.pkt.data[8] = b.v[8];
		ref_ip4_csum(r.pkt.data);
		ck_assert_uint_eq(r.pkt.len, b.len);
		ck_assert(!memcmp(r.pkt.data, b.v, b.len));
		room_fini(&r);
	}
}
END_TEST

/* Sessions change ports too: any addresses, any ports, both directions. */
START_TEST(ports_and_addresses)
{
	static struct bytes b;
	struct pkt_info info;
	struct xlat_map m;
	struct room r;
	uint8_t proto;
	int i, dir;

	for (i = 0; i < 2 * ROUNDS; i++) {
		dir = i % 2 ? 46 : 64;
		proto = transports[(unsigned)(i / 2) % sizeof(transports)];
		if (dir == 46)
			make4(&b, proto, random_len(proto));
		else
			make6(&b, proto == 1 ? 58 : proto, random_len(proto));
		fill((uint8_t *)&m, sizeof(m));
		m.outer.set_ports = true;
		room_init(&r, b.v, b.len, PKT_HEADROOM, 0);
		if (dir == 46) {
			ck_assert(!pkt_parse4(&r.pkt, &info));
			ck_assert(info.outer.has_ports);
			ck_assert_int_eq(xlat_46(&r.pkt, &info, &m, &cfg, &out),
					 VERDICT_FORWARD);
			proto = proto == 1 ? 58 : proto;
		} else {
			ck_assert(!pkt_parse6(&r.pkt, &info));
			ck_assert_int_eq(xlat_64(&r.pkt, &info, &m, &cfg, &out),
					 VERDICT_FORWARD);
		}
		expect_right_csum(&r.pkt, dir == 46 ? 40 : 20, proto);
		if (proto == 1 || proto == 58) {
			ck_assert(!memcmp(r.pkt.data + (dir == 46 ? 44 : 24),
					  &m.outer.sport, 2));
		} else {
			ck_assert(!memcmp(r.pkt.data + (dir == 46 ? 40 : 20),
					  &m.outer.sport, 4));
		}
		room_fini(&r);
	}
}
END_TEST

/* Leave the checksum to somebody else, as a stack with offloads does. */
static void make_partial(struct pkt *p, uint32_t l3, uint8_t proto)
{
	uint8_t *l4 = p->data + l3;

	p->gso.needs_csum = true;
	p->gso.csum_start = (uint16_t)l3;
	p->gso.csum_offset = (uint16_t)csum_at(proto);
	ref_put16(l4 + csum_at(proto), ref_pseudo(p->data, proto, p->len - l3));
}

/* What the somebody else does. */
static void finish_partial(struct pkt *p)
{
	uint8_t *l4 = p->data + p->gso.csum_start;
	uint32_t sum = ref_sum(0, l4, p->len - p->gso.csum_start);

	ck_assert(p->gso.needs_csum);
	sum ^= 0xffff;
	ref_put16(l4 + p->gso.csum_offset, sum ? sum : 0xffff);
}

START_TEST(partial_checksum)
{
	static struct bytes b;
	struct pkt_info info;
	struct xlat_map m;
	struct room r;
	uint8_t proto;
	uint32_t l3;
	int i, dir;

	for (i = 0; i < 2 * ROUNDS; i++) {
		dir = i % 2 ? 46 : 64;
		proto = i & 2 ? 6 : 17;
		l3 = dir == 46 ? 20 : 40;
		if (dir == 46)
			make4(&b, proto, random_len(proto));
		else
			make6(&b, proto, random_len(proto));
		fill((uint8_t *)&m, sizeof(m));
		m.outer.set_ports = i & 4;
		room_init(&r, b.v, b.len, PKT_HEADROOM, 0);
		make_partial(&r.pkt, l3, proto);
		if (dir == 46) {
			ck_assert(!pkt_parse4(&r.pkt, &info));
			ck_assert_int_eq(xlat_46(&r.pkt, &info, &m, &cfg, &out),
					 VERDICT_FORWARD);
		} else {
			ck_assert(!pkt_parse6(&r.pkt, &info));
			ck_assert_int_eq(xlat_64(&r.pkt, &info, &m, &cfg, &out),
					 VERDICT_FORWARD);
		}
		ck_assert_uint_eq(r.pkt.gso.csum_start, 60 - l3);
		ck_assert_uint_eq(r.pkt.gso.csum_offset, csum_at(proto));
		finish_partial(&r.pkt);
		expect_right_csum(&r.pkt, 60 - l3, proto);
		room_fini(&r);
	}
}
END_TEST

/* A datagram that must be fragmented cannot leave its checksum for later. */
START_TEST(partial_checksum_of_fragments)
{
	static struct bytes b;
	static uint8_t whole[2000];
	struct room r, f;
	uint32_t at = 0;

	make4(&b, 17, 1400);
	ref_put16(b.v + 6, 0);
	ref_ip4_csum(b.v);
	room_init(&r, b.v, b.len, PKT_HEADROOM, 0);
	make_partial(&r.pkt, 20, 17);
	ck_assert_int_eq(ref_run(&r.pkt, 46, &map, &cfg, &out),
			 VERDICT_FRAGMENT);
	room_init(&f, NULL, 0, 0, 1280);
	while (frag_next(&out.frag, &f.pkt)) {
		ck_assert(!f.pkt.gso.needs_csum);
		ck_assert_uint_eq(ref_get16(f.pkt.data + 42) & 0xfff8, at);
		memcpy(whole, f.pkt.data, 40);
		memcpy(whole + 40 + at, f.pkt.data + 48, f.pkt.len - 48);
		at += f.pkt.len - 48;
	}
	ck_assert_uint_eq(at, 1400);
	ck_assert(!memcmp(whole + 48, b.v + 28, 1392));
	ck_assert_uint_eq(ref_get16(whole + 46),
			  ref_l4_csum(whole, whole + 40, 1400, 17));
	room_fini(&f);
	room_fini(&r);
}
END_TEST

/* A buffer larger than the MTU is not filled; one too small is refused. */
START_TEST(fragment_room)
{
	static struct bytes b;
	struct room r, f;

	make4(&b, 17, 1400);
	ref_put16(b.v + 6, 0);
	ref_ip4_csum(b.v);
	room_init(&r, b.v, b.len, PKT_HEADROOM, 0);
	ck_assert_int_eq(ref_run(&r.pkt, 46, &map, &cfg, &out),
			 VERDICT_FRAGMENT);
	room_init(&f, NULL, 0, 0, 55);
	ck_assert(!frag_next(&out.frag, &f.pkt));
	ck_assert_uint_eq(f.pkt.len, 0);
	room_fini(&f);
	room_init(&f, NULL, 0, 0, 56);
	ck_assert(frag_next(&out.frag, &f.pkt));
	ck_assert_uint_eq(f.pkt.len, 56);
	room_fini(&f);
	room_init(&f, NULL, 0, 0, 2000);
	ck_assert(frag_next(&out.frag, &f.pkt));
	ck_assert_uint_eq(f.pkt.len, 1280);
	ck_assert_uint_eq(ref_get16(f.pkt.data + 42), 9);
	room_fini(&f);
	room_fini(&r);
}
END_TEST

/* The partial checksum belongs to a packet inside a tunnel: done here. */
START_TEST(partial_checksum_inside_tunnel)
{
	static struct bytes b;
	struct room r;
	uint32_t sum;

	make4(&b, 47, 100);
	room_init(&r, b.v, b.len, PKT_HEADROOM, 0);
	r.pkt.gso.needs_csum = true;
	r.pkt.gso.csum_start = 60;
	r.pkt.gso.csum_offset = 6;
	run(&r, 46);
	ck_assert(!r.pkt.gso.needs_csum);
	sum = ref_sum(ref_get16(b.v + 66), r.pkt.data + 80, r.pkt.len - 80);
	ck_assert_uint_ne(sum, 0);
	ck_assert_uint_eq(ref_get16(r.pkt.data + 86),
			  0xffff ^ ref_sum(0, b.v + 60, b.len - 60));
	room_fini(&r);
}
END_TEST

/* ---- superpackets ---------------------------------------------------------
 */

/* Segment @n of a superpacket, as a network card would cut it. */
static uint32_t ref_segment(const struct pkt *p, uint32_t n, uint8_t *seg)
{
	uint32_t l3 = p->data[0] >> 4 == 4 ? 20 : 40;
	uint8_t proto = p->data[l3 == 20 ? 9 : 6];
	uint32_t head = l3 + (proto == 6 ? 20 : 8);
	uint32_t at = n * p->gso.gso_size;
	uint32_t left = p->len - head - at;
	uint32_t take = left < p->gso.gso_size ? left : p->gso.gso_size;
	uint32_t seq;

	memcpy(seg, p->data, head);
	memcpy(seg + head, p->data + head + at, take);
	if (l3 == 20) {
		ref_put16(seg + 2, head + take);
		ref_put16(seg + 4, ref_get16(seg + 4) + n);
		ref_ip4_csum(seg);
	} else {
		ref_put16(seg + 4, head + take - 40);
	}
	if (proto == 6) {
		memcpy(&seq, seg + l3 + 4, 4);
		seq = htonl(ntohl(seq) + at);
		memcpy(seg + l3 + 4, &seq, 4);
		if (take < left)
			seg[l3 + 13] &= (uint8_t)~0x09; /* FIN, PSH: last */
	} else {
		ref_put16(seg + l3 + 4, 8 + take);
	}
	ref_put16(seg + l3 + csum_at(proto),
		  ref_l4_csum(seg, seg + l3, head - l3 + take, proto));
	return head + take;
}

static uint32_t segments(const struct pkt *p, uint32_t head)
{
	return (p->len - head + p->gso.gso_size - 1) / p->gso.gso_size;
}

static void make_super(struct room *r, int dir, uint8_t proto, uint32_t size)
{
	static struct bytes b;
	uint32_t head = proto == 6 ? 20 : 8;
	uint32_t l3 = dir == 46 ? 20 : 40;
	uint32_t payload =
		pick(size + 1, 40 * size > 60000 ? 60000 : 40 * size);

	if (dir == 46)
		make4(&b, proto, head + payload);
	else
		make6(&b, proto, head + payload);
	room_init(r, b.v, b.len, PKT_HEADROOM, 0);
	make_partial(&r->pkt, l3, proto);
	r->pkt.gso.type = proto == 17 ? PKT_GSO_UDP_L4
			  : dir == 46 ? PKT_GSO_TCP4
				      : PKT_GSO_TCP6;
	r->pkt.gso.ecn = proto == 6;
	r->pkt.gso.gso_size = (uint16_t)size;
	r->pkt.gso.hdr_len = (uint16_t)(l3 + head);
}

/* Translate one segment by itself, in place; returns its new length. */
static uint32_t translate_segment(uint8_t *seg, uint32_t len, int dir)
{
	struct room r;

	room_init(&r, seg, len, PKT_HEADROOM, 0);
	run(&r, dir);
	len = r.pkt.len;
	memcpy(seg, r.pkt.data, len);
	room_fini(&r);
	return len;
}

/* Identification and DF of IPv4 depend on the size of each packet: hide. */
static void hide_ident(uint8_t *ip)
{
	if (ip[0] >> 4 != 4)
		return;
	memset(ip + 4, 0, 4);
	ref_ip4_csum(ip);
}

static void check_super(int dir, uint8_t proto, uint32_t size)
{
	static uint8_t before[64][1600], after[1600];
	uint32_t l3 = dir == 46 ? 20 : 40;
	uint32_t head = proto == 6 ? 20 : 8;
	uint32_t n, i, len[64];
	struct room r;

	make_super(&r, dir, proto, size);
	n = segments(&r.pkt, l3 + head);
	for (i = 0; i < n; i++) {
		len[i] = ref_segment(&r.pkt, i, before[i]);
		len[i] = translate_segment(before[i], len[i], dir);
	}
	run(&r, dir);
	ck_assert_uint_eq(segments(&r.pkt, 60 - l3 + head), n);
	ck_assert_uint_eq(r.pkt.gso.hdr_len, 60 - l3 + head);
	ck_assert(r.pkt.gso.ecn == (proto == 6));
	ck_assert_uint_eq(r.pkt.gso.type, proto == 17 ? PKT_GSO_UDP_L4
					  : dir == 46 ? PKT_GSO_TCP6
						      : PKT_GSO_TCP4);
	for (i = 0; i < n; i++) {
		ck_assert_uint_eq(ref_segment(&r.pkt, i, after), len[i]);
		hide_ident(after);
		hide_ident(before[i]);
		ck_assert_msg(!memcmp(after, before[i], len[i]),
			      "dir %d proto %u size %u segment %u", dir, proto,
			      size, i);
	}
	room_fini(&r);
}

START_TEST(superpacket_is_its_segments)
{
	int i;

	cfg.mtu4 = 1500;
	cfg.mtu6 = 1500;
	for (i = 0; i < 60; i++)
		check_super(_i & 1 ? 46 : 64, _i & 2 ? 6 : 17, pick(500, 1400));
}
END_TEST

START_TEST(superpacket_too_big)
{
	struct room r;

	/* 20 + 40 + 1440 fits, one more does not. */
	make_super(&r, 46, 6, 1440);
	run(&r, 46);
	ck_assert_uint_eq(r.pkt.gso.gso_size, 1440);
	room_fini(&r);
	make_super(&r, 46, 6, 1441);
	ck_assert_int_eq(ref_run(&r.pkt, 46, &map, &cfg, &out), VERDICT_REPLY);
	ck_assert_uint_eq(out.reason, REASON_TOO_BIG);
	ck_assert_uint_eq(ref_get16(out.reply.data + 20), 0x0304);
	ck_assert_uint_eq(ref_get16(out.reply.data + 26), 1480);
	room_fini(&r);
	make_super(&r, 64, 6, 1461);
	ck_assert_int_eq(ref_run(&r.pkt, 64, &map, &cfg, &out), VERDICT_REPLY);
	ck_assert_uint_eq(ref_get16(out.reply.data + 40), 0x0200);
	ck_assert_uint_eq(ref_get16(out.reply.data + 46), 1520);
	room_fini(&r);
	/* A superpacket whose only segment fits after all. */
	make_super(&r, 64, 17, 1000);
	r.pkt.gso.gso_size = 60000;
	r.pkt.len = 40 + 8 + 1000;
	ref_put16(r.pkt.data + 4, 1008);
	ref_put16(r.pkt.data + 44, 1008);
	r.pkt.tailroom = r.bytes - PKT_HEADROOM - r.pkt.len;
	run(&r, 64);
	room_fini(&r);
}
END_TEST

/* Without DF: TCP gets smaller segments, UDP has nowhere to go. */
START_TEST(superpacket_without_df)
{
	struct room r;

	make_super(&r, 46, 6, 1460);
	ref_put16(r.pkt.data + 6, 0);
	ref_ip4_csum(r.pkt.data);
	run(&r, 46);
	ck_assert_uint_eq(r.pkt.gso.gso_size, 1440);
	room_fini(&r);
	make_super(&r, 46, 17, 1472);
	ref_put16(r.pkt.data + 6, 0);
	ref_ip4_csum(r.pkt.data);
	ck_assert_int_eq(ref_run(&r.pkt, 46, &map, &cfg, &out), VERDICT_DROP);
	ck_assert_uint_eq(out.reason, REASON_SUPERPACKET_TOO_BIG);
	room_fini(&r);
}
END_TEST

static enum reason gso_reason(int change)
{
	struct pkt_info info;
	enum reason reason;
	struct room r;

	make_super(&r, 46, 6, 1000);
	switch (change) {
	case 0:
		r.pkt.gso.type = PKT_GSO_TCP6;
		break;
	case 1:
		r.pkt.gso.type = PKT_GSO_UDP_L4;
		break;
	case 2:
		r.pkt.gso.type = 99;
		break;
	case 3:
		r.pkt.gso.gso_size = 0;
		break;
	case 4:
		r.pkt.gso.needs_csum = false;
		break;
	case 5:
		r.pkt.gso.csum_start = 19;
		break;
	case 6:
		r.pkt.gso.csum_offset = 6;
		break;
	case 7:
		r.pkt.data[32] = 0x40; /* TCP header of 16 bytes */
		break;
	case 8:
		r.pkt.gso.type = PKT_GSO_NONE;
		r.pkt.gso.csum_start = 0xffff;
		break;
	case 9:
		r.pkt.gso.type = PKT_GSO_NONE;
		ref_put16(r.pkt.data + 6, 0x2000); /* a fragment */
		ref_ip4_csum(r.pkt.data);
		break;
	}
	reason = pkt_parse4(&r.pkt, &info);
	room_fini(&r);
	return reason;
}

START_TEST(bad_offload_metadata)
{
	ck_assert_uint_eq(gso_reason(-1), REASON_OK);
	/* 9: a first fragment's length must be a multiple of eight, too */
	ck_assert(gso_reason(_i) == REASON_BAD_GSO ||
		  (_i == 9 && gso_reason(_i) == REASON_BAD_FRAGMENT));
}
END_TEST

/* A TCP header that is said to be longer than the packet. */
START_TEST(superpacket_header_beyond_end)
{
	static struct bytes b;
	struct pkt_info info;
	struct room r;

	make4(&b, 6, 40);
	b.v[32] = 0xf0;
	room_init(&r, b.v, b.len, PKT_HEADROOM, 0);
	make_partial(&r.pkt, 20, 6);
	r.pkt.gso.type = PKT_GSO_TCP4;
	r.pkt.gso.gso_size = 10;
	ck_assert_uint_eq(pkt_parse4(&r.pkt, &info), REASON_BAD_GSO);
	r.pkt.data[32] = 0xa0; /* exactly as long */
	ck_assert_uint_eq(pkt_parse4(&r.pkt, &info), REASON_OK);
	room_fini(&r);
}
END_TEST

/* IPv6 counts without its header, IPv4 with it. */
START_TEST(superpacket_longer_than_ipv4)
{
	static struct bytes b;
	struct room r;
	int i;

	for (i = 0; i < 2; i++) {
		make6(&b, 6, 65535 - 20 + (uint32_t)i);
		room_init(&r, b.v, b.len, 0, 0);
		make_partial(&r.pkt, 40, 6);
		r.pkt.gso.type = PKT_GSO_TCP6;
		r.pkt.gso.gso_size = 1400;
		ck_assert_int_eq(ref_run(&r.pkt, 64, &map, &cfg, &out),
				 i ? VERDICT_DROP : VERDICT_FORWARD);
		ck_assert_uint_eq(out.reason,
				  i ? REASON_TOO_LONG_FOR_IPV4 : REASON_OK);
		room_fini(&r);
	}
}
END_TEST

/* Packets without DF get distinct Identifications, also inside one. */
START_TEST(identification)
{
	static struct bytes b;
	struct room r;
	uint32_t first, n;

	make6(&b, 17, 100);
	room_init(&r, b.v, b.len, 0, 0);
	run(&r, 64);
	first = ref_get16(r.pkt.data + 4);
	room_fini(&r);
	make_super(&r, 64, 6, 1000);
	run(&r, 64);
	ck_assert_uint_eq(ref_get16(r.pkt.data + 4), first + 1);
	n = segments(&r.pkt, 40);
	room_fini(&r);
	room_init(&r, b.v, b.len, 0, 0);
	run(&r, 64);
	ck_assert_uint_ge(ref_get16(r.pkt.data + 4), first + 1 + n);
	room_fini(&r);
}
END_TEST

/* ---- ICMP errors ----------------------------------------------------------
 */

/* An ICMPv4 error to the sender of a random packet, quoting some of it. */
static uint32_t make_error4(struct bytes *e, const struct bytes *about)
{
	uint32_t quote = pick(28, about->len < 500 ? about->len : 500);

	memset(e->v, 0, 28);
	e->v[0] = 0x45;
	e->len = 28 + quote;
	ref_put16(e->v + 2, e->len);
	e->v[8] = 64;
	e->v[9] = 1;
	random_host4(e->v + 12);
	memcpy(e->v + 16, about->v + 12, 4);
	e->v[20] = 3;
	e->v[21] = (uint8_t)(pick(0, 1) ? 3 : 13);
	memcpy(e->v + 28, about->v, quote);
	ref_put16(e->v + 22, 0xffff ^ ref_sum(0, e->v + 20, e->len - 20));
	ref_ip4_csum(e->v);
	return quote;
}

START_TEST(error_there_and_back)
{
	static struct bytes b, e;
	uint32_t quote;
	uint8_t proto;
	struct room r;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		proto = transports[(unsigned)i % sizeof(transports)];
		make4(&b, proto, random_len(proto));
		quote = make_error4(&e, &b);
		room_init(&r, e.v, e.len, PKT_HEADROOM, 0);
		run(&r, 46);
		expect_right_csum(&r.pkt, 40, 58);
		ck_assert_uint_eq(r.pkt.len, e.len + 40);
		run(&r, 64);
		expect_right_csum(&r.pkt, 20, 1);
		ck_assert_uint_eq(r.pkt.len, e.len);
		ck_assert_uint_eq(r.pkt.data[20], 3);
		/* quoted header but for Identification, DF and checksum */
		ck_assert(!memcmp(r.pkt.data + 28, b.v, 4));
		ck_assert(!memcmp(r.pkt.data + 36, b.v + 8, 2));
		ck_assert(!memcmp(r.pkt.data + 40, b.v + 12, 8));
		ck_assert_uint_eq(ref_sum(0, r.pkt.data + 28, 20), 0xffff);
		ck_assert(!memcmp(r.pkt.data + 48, b.v + 20, quote - 20));
		room_fini(&r);
	}
}
END_TEST

/* Quoted ports change with a session, as does the checksum beside them. */
START_TEST(error_ports)
{
	static struct bytes b, e;
	struct pkt_info info;
	struct xlat_map m;
	struct room r;
	uint8_t proto;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		proto = i & 1 ? 6 : 17;
		make4(&b, proto, 100);
		make_error4(&e, &b);
		e.len = 28 + 120;
		memcpy(e.v + 28, b.v, 120);
		ref_put16(e.v + 2, e.len);
		ref_ip4_csum(e.v);
		ref_put16(e.v + 22, 0);
		ref_put16(e.v + 22, 0xffff ^ ref_sum(0, e.v + 20, e.len - 20));
		fill((uint8_t *)&m, sizeof(m));
		m.inner.set_ports = true;
		m.outer.set_ports = false;
		room_init(&r, e.v, e.len, PKT_HEADROOM, 0);
		ck_assert(!pkt_parse4(&r.pkt, &info));
		ck_assert(info.icmp_error && info.inner.has_ports);
		ck_assert(!memcmp(&info.inner.sport, b.v + 20, 2));
		ck_assert_int_eq(xlat_46(&r.pkt, &info, &m, &cfg, &out),
				 VERDICT_FORWARD);
		ck_assert(!memcmp(r.pkt.data + 88, &m.inner.sport, 4));
		ck_assert_uint_eq(ref_get16(r.pkt.data + 88 + csum_at(proto)),
				  ref_l4_csum(r.pkt.data + 48, r.pkt.data + 88,
					      100, proto));
		expect_right_csum(&r.pkt, 40, 58);
		room_fini(&r);
	}
}
END_TEST

/* A translated error may be longer than a small IPv4 MTU. */
START_TEST(error_in_fragments)
{
	static struct bytes b;
	struct room r, f;
	uint32_t n = 0;

	make6(&b, 58, 408);
	b.v[40] = 3;
	memset(b.v + 42, 0, 6);
	memset(b.v + 48, 0, 40);
	b.v[48] = 0x60;
	ref_put16(b.v + 52, 360);
	b.v[54] = 17;
	memcpy(b.v + 56, b.v + 24, 16);
	memcpy(b.v + 72, b.v + 8, 16);
	ref_put16(b.v + 42, ref_l4_csum(b.v, b.v + 40, 408, 58));
	cfg.mtu4 = 300;
	room_init(&r, b.v, b.len, 0, 0);
	ck_assert_int_eq(ref_run(&r.pkt, 64, &map, &cfg, &out),
			 VERDICT_FRAGMENT);
	room_init(&f, NULL, 0, 0, 300);
	while (frag_next(&out.frag, &f.pkt)) {
		ck_assert_uint_eq(ref_sum(0, f.pkt.data, 20), 0xffff);
		n += f.pkt.len - 20;
	}
	ck_assert_uint_eq(n, r.pkt.len - 20);
	room_fini(&f);
	room_fini(&r);
}
END_TEST

/* No room: a reason, and the packet as it was. */
START_TEST(no_headroom)
{
	static struct bytes b, e;
	uint32_t need[] = {20, 20 + 20}, room;
	struct room r;

	make4(&b, 17, 100);
	make_error4(&e, &b);
	for (room = 0; room < 50; room++) {
		room_init(&r, _i ? e.v : b.v, _i ? e.len : b.len, room, 0);
		ck_assert_int_eq(ref_run(&r.pkt, 46, &map, &cfg, &out),
				 room < need[_i] ? VERDICT_DROP
						 : VERDICT_FORWARD);
		ck_assert_uint_eq(out.reason, room < need[_i]
						      ? REASON_NO_HEADROOM
						      : REASON_OK);
		room_fini(&r);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("core_property");
	TCase *tc = tcase_create("property");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, there_and_back_46);
	tcase_add_test(tc, there_and_back_64);
	tcase_add_test(tc, there_and_back_fragment);
	tcase_add_test(tc, ports_and_addresses);
	tcase_add_test(tc, partial_checksum);
	tcase_add_test(tc, partial_checksum_of_fragments);
	tcase_add_test(tc, fragment_room);
	tcase_add_test(tc, partial_checksum_inside_tunnel);
	tcase_add_loop_test(tc, superpacket_is_its_segments, 0, 4);
	tcase_add_test(tc, superpacket_too_big);
	tcase_add_test(tc, superpacket_without_df);
	tcase_add_loop_test(tc, bad_offload_metadata, 0, 10);
	tcase_add_test(tc, superpacket_header_beyond_end);
	tcase_add_test(tc, superpacket_longer_than_ipv4);
	tcase_add_test(tc, identification);
	tcase_add_test(tc, error_there_and_back);
	tcase_add_test(tc, error_ports);
	tcase_add_test(tc, error_in_fragments);
	tcase_add_loop_test(tc, no_headroom, 0, 2);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}

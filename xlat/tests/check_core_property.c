/* SPDX-License-Identifier: MIT */
/*
 * What must hold for any packet, tried on seeded random ones: checksums stay
 * right whatever the addresses and ports, there and back is where we started,
 * and offload metadata means the same before and after.
 */
#include "core_random.h"

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
	static uint8_t whole[1000];
	struct room r, f;
	uint32_t n = 0, flags;

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
		ck_assert_uint_le(f.pkt.len, 300);
		ck_assert_mem_eq(f.pkt.data + 4, r.pkt.data + 4, 2);
		ck_assert_uint_eq(f.pkt.data[9], 1);
		ck_assert_mem_eq(f.pkt.data + 12, r.pkt.data + 12, 8);
		memcpy(whole + n, f.pkt.data + 20, f.pkt.len - 20);
		/* no DF, its offset, and more but for the last */
		flags = n + f.pkt.len < r.pkt.len ? 0x2000 : 0;
		ck_assert_uint_eq(ref_get16(f.pkt.data + 6), flags | n / 8);
		n += f.pkt.len - 20;
		room_fini(&f);
		room_init(&f, NULL, 0, 0, 300);
	}
	ck_assert_uint_eq(n, r.pkt.len - 20);
	ck_assert_mem_eq(whole, r.pkt.data + 20, n);
	ck_assert_uint_eq(whole[0], 11);
	ck_assert_uint_eq(ref_sum(0, whole, n), 0xffff);
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

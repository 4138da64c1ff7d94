/* SPDX-License-Identifier: MIT */
/* Superpackets: what becomes of one is what becomes of its segments. */
#include "core_random.h"

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

static void hide_ident_only(uint8_t *ip)
{
	if (ip[0] >> 4 != 4)
		return;
	memset(ip + 4, 0, 2);
	ref_ip4_csum(ip);
}

static void run_verdict(struct room *r, int dir, enum verdict v)
{
	ck_assert_int_eq(ref_run(&r->pkt, dir, &map, &cfg, &out), v);
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
	if (dir == 64) /* the head's are for all of them */
		ck_assert_uint_eq(r.pkt.data[6],
				  20 + head + size > 1260 ? 0x40 : 0);
	for (i = 0; i < n; i++) {
		ck_assert_uint_eq(ref_segment(&r.pkt, i, after), len[i]);
		/* the last one is shorter: by itself it may do without DF */
		(i + 1 < n ? hide_ident_only : hide_ident)(after);
		(i + 1 < n ? hide_ident_only : hide_ident)(before[i]);
		ck_assert_msg(!memcmp(after, before[i], len[i]),
			      "dir %d proto %u size %u segment %u", dir, proto,
			      size, i);
	}
	room_fini(&r);
}

/* The length of all headers is a hint of the sender's, and may be too small
 * to lose what the options do. */
START_TEST(header_hint_below_zero)
{
	static struct bytes b;
	struct room r;

	make4(&b, 6, 40 + 2000);
	b.v[0] = 0x4f;
	memset(b.v + 20, 1, 40); /* options: nothing, forty times */
	memset(b.v + 60, 0, 20);
	b.v[72] = 0x50;
	b.v[9] = 6;
	ref_ip4_csum(b.v);
	room_init(&r, b.v, b.len, PKT_HEADROOM, 0);
	make_partial(&r.pkt, 60, 6);
	r.pkt.gso.type = PKT_GSO_TCP4;
	r.pkt.gso.gso_size = 1000;
	r.pkt.gso.hdr_len = 10;
	run(&r, 46);
	ck_assert_uint_eq(r.pkt.gso.hdr_len, 0);
	ck_assert_uint_eq(r.pkt.gso.csum_start, 40);
	room_fini(&r);
}
END_TEST

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

/* Without DF: TCP gets smaller segments, of at most the lowest IPv6 MTU. */
START_TEST(superpacket_without_df)
{
	struct room r;

	make_super(&r, 46, 6, 1460);
	ref_put16(r.pkt.data + 6, 0);
	ref_ip4_csum(r.pkt.data);
	run(&r, 46);
	ck_assert_uint_eq(r.pkt.gso.gso_size, 1280 - 60);
	room_fini(&r);
	/* the lowest MTU is known to be greater: that of the link counts */
	cfg.lowest_mtu6 = 9000;
	make_super(&r, 46, 6, 1460);
	ref_put16(r.pkt.data + 6, 0);
	ref_ip4_csum(r.pkt.data);
	run(&r, 46);
	ck_assert_uint_eq(r.pkt.gso.gso_size, 1440);
	room_fini(&r);
	/* an MTU that not even the headers fit */
	cfg.mtu4 = 68;
	make_super(&r, 64, 6, 100);
	r.pkt.data[52] = 0xf0;
	run_verdict(&r, 64, VERDICT_DROP);
	ck_assert_uint_eq(out.reason, REASON_SUPERPACKET_TOO_BIG);
	room_fini(&r);
}
END_TEST

static uint8_t pieces[64][4][1600];
static uint32_t piece_len[64][4];

/* Each segment by itself: what must leave for it. */
static uint32_t expect_pieces(const struct room *super, int dir)
{
	static uint8_t seg[1600];
	uint32_t n = segments(&super->pkt, (dir == 46 ? 20 : 40) + 8);
	struct room r, f;

	memset(piece_len, 0, sizeof(piece_len));
	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = 0, len = ref_segment(&super->pkt, i, seg);
		enum verdict v;

		room_init(&r, seg, len, PKT_HEADROOM, 0);
		v = ref_run(&r.pkt, dir, &map, &cfg, &out);
		if (v == VERDICT_FORWARD) {
			memcpy(pieces[i][0], r.pkt.data, r.pkt.len);
			piece_len[i][0] = r.pkt.len;
		}
		room_init(&f, NULL, 0, 0, 1600);
		while (v == VERDICT_FRAGMENT && frag_next(&out.frag, &f.pkt)) {
			memcpy(pieces[i][k], f.pkt.data, f.pkt.len);
			piece_len[i][k++] = f.pkt.len;
			ck_assert_uint_lt(k, 4);
		}
		room_fini(&f);
		room_fini(&r);
	}
	return n;
}

/* Without DF, UDP segments above the MTU leave as fragments of each. */
START_TEST(udp_superpacket_in_fragments)
{
	int dir = _i & 1 ? 46 : 64;
	uint32_t ident;
	struct room r, f;

	for (int round = 0; round < 20; round++) {
		cfg.mtu4 = pick(500, 1000);
		make_super(&r, dir, 17,
			   dir == 46 ? pick(1250, 1472) : pick(1000, 1200));
		if (dir == 46)
			ref_put16(r.pkt.data + 6, 0);
		if (dir == 46)
			ref_ip4_csum(r.pkt.data);
		expect_pieces(&r, dir);
		ident = out.ident;
		run_verdict(&r, dir, VERDICT_FRAGMENT);
		room_init(&f, NULL, 0, 0, 1600);
		for (uint32_t i = 0; i < 64; i++) {
			for (uint32_t k = 0; piece_len[i][k]; k++) {
				uint8_t *got = f.pkt.data;

				ck_assert(frag_next(&out.frag, &f.pkt));
				ck_assert_uint_eq(f.pkt.len, piece_len[i][k]);
				if (dir == 64)
					ck_assert_uint_eq(ref_get16(got + 4),
							  (ident + i) & 0xffff);
				hide_ident_only(got);
				hide_ident_only(pieces[i][k]);
				ck_assert_mem_eq(got, pieces[i][k], f.pkt.len);
			}
		}
		ck_assert(!frag_next(&out.frag, &f.pkt));
		room_fini(&f);
		room_fini(&r);
	}
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

/* Completing a checksum where the UDP length is must not go unnoticed. */
START_TEST(checksum_over_other_fields)
{
	static struct bytes b;
	struct pkt_info info;
	struct room r;

	for (uint32_t six = 0; six < 2; six++) {
		if (six)
			make6(&b, 17, 28);
		else
			make4(&b, 17, 28);
		memset(b.v + b.len - 20, 0, 20);
		for (uint16_t at = 0; at < 7; at++) {
			room_init(&r, b.v, b.len, PKT_HEADROOM, 0);
			r.pkt.gso.needs_csum = true;
			r.pkt.gso.csum_start = six ? 40 : 20;
			r.pkt.gso.csum_offset = at;
			if (six ? pkt_parse6(&r.pkt, &info)
				: pkt_parse4(&r.pkt, &info)) {
				ck_assert_uint_ge(at, 3);
				ck_assert_uint_le(at, 5);
			} else {
				const uint8_t *l4 = r.pkt.data + info.outer.l4;

				ck_assert_mem_eq(&info.outer.sport, l4, 2);
				ck_assert_mem_eq(&info.outer.dport, l4 + 2, 2);
				ck_assert_uint_le(ref_get16(l4 + 4), 28);
			}
			room_fini(&r);
		}
	}
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

/* What one superpacket becomes: their segments are its segments. */
static void expect_two(struct room *r, uint32_t head)
{
	static uint8_t want[66000], got[66000];
	static uint8_t buf[65535];
	struct pkt whole = r->pkt, piece;
	uint32_t n = 0, count = 0;

	for (;; count++) {
		piece = (struct pkt){.data = buf, .tailroom = sizeof(buf)};
		if (!frag_next(&out.frag, &piece))
			break;
		ck_assert_uint_le(piece.len, 65535);
		ck_assert_uint_eq(ref_get16(buf + 2), piece.len);
		ck_assert_uint_eq(ref_sum(0, buf, 20), 0xffff);
		ck_assert(piece.gso.needs_csum);
		ck_assert_uint_eq(piece.gso.csum_start, 20);
		ck_assert_uint_eq(piece.gso.type == PKT_GSO_NONE,
				  piece.len - 20 - head <= piece.gso.gso_size);
		ck_assert_uint_eq(ref_get16(buf + 20 + piece.gso.csum_offset),
				  ref_pseudo(buf, buf[9], piece.len - 20));
		for (uint32_t i = 0; i < segments(&piece, 20 + head); i++) {
			uint32_t len = ref_segment(&piece, i, got);

			ck_assert_uint_eq(ref_segment(&whole, n++, want), len);
			if (want[6] & 0x40) { /* DF: all zero, nobody counts */
				hide_ident_only(want);
				hide_ident_only(got);
			}
			ck_assert_mem_eq(got, want, len);
		}
	}
	ck_assert_uint_eq(n, segments(&whole, 20 + head));
	ck_assert_uint_eq(count, 2);
}

/*
 * IPv6 counts without its header, IPv4 with it: what is too long becomes two.
 * Whole segments in the first, and flags where they belong.
 */
START_TEST(superpacket_longer_than_ipv4)
{
	static const uint32_t sizes[] = {1400, 1000, 65535 - 20 - 20, 536};
	static struct bytes b;
	uint8_t proto = _i & 1 ? 17 : 6;
	uint32_t head = proto == 6 ? 20 : 8;
	struct room r;

	cfg.mtu4 = 65535;
	cfg.mtu6 = 65535;
	for (uint32_t over = 0; over <= 20; over += 5) {
		make6(&b, proto, 65535 - 20 + over);
		room_init(&r, b.v, b.len, 0, 0);
		make_partial(&r.pkt, 40, proto);
		r.pkt.gso.type = proto == 6 ? PKT_GSO_TCP6 : PKT_GSO_UDP_L4;
		r.pkt.gso.gso_size = (uint16_t)sizes[_i / 2];
		if (proto == 6)
			r.pkt.data[53] = 0x19; /* FIN, PSH, ACK */
		run_verdict(&r, 64, over ? VERDICT_FRAGMENT : VERDICT_FORWARD);
		ck_assert_uint_eq(out.reason, REASON_OK);
		if (over)
			expect_two(&r, head);
		room_fini(&r);
	}
}
END_TEST

/* Only the first of the two has what says that the window was reduced. */
START_TEST(superpacket_pieces_tell_cwr_once)
{
	static uint8_t buf[65535];
	static struct bytes b;
	struct pkt piece;
	struct room r;

	make6(&b, 6, 65535);
	room_init(&r, b.v, b.len, 0, 0);
	make_partial(&r.pkt, 40, 6);
	r.pkt.gso.type = PKT_GSO_TCP6;
	r.pkt.gso.ecn = true;
	r.pkt.gso.gso_size = 1400;
	r.pkt.data[53] = 0x98; /* CWR, ACK, PSH */
	run_verdict(&r, 64, VERDICT_FRAGMENT);
	piece = (struct pkt){.data = buf, .tailroom = sizeof(buf)};
	ck_assert(frag_next(&out.frag, &piece));
	ck_assert_uint_eq(buf[33], 0x90);
	piece = (struct pkt){.data = buf, .tailroom = sizeof(buf)};
	ck_assert(frag_next(&out.frag, &piece));
	ck_assert_uint_eq(buf[33], 0x18);
	ck_assert(!frag_next(&out.frag, &piece));
	room_fini(&r);
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

int main(void)
{
	Suite *s = suite_create("core_super");
	TCase *tc = tcase_create("super");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, superpacket_is_its_segments, 0, 4);
	tcase_add_loop_test(tc, bad_offload_metadata, 0, 10);
	tcase_add_loop_test(tc, udp_superpacket_in_fragments, 0, 2);
	tcase_add_test(tc, header_hint_below_zero);
	tcase_add_test(tc, superpacket_too_big);
	tcase_add_test(tc, superpacket_without_df);
	tcase_add_test(tc, checksum_over_other_fields);
	tcase_add_test(tc, superpacket_header_beyond_end);
	tcase_add_loop_test(tc, superpacket_longer_than_ipv4, 0, 8);
	tcase_add_test(tc, superpacket_pieces_tell_cwr_once);
	tcase_add_test(tc, identification);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}

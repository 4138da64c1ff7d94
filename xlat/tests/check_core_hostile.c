/* SPDX-License-Identifier: MIT */
/*
 * Input that was made to hurt: every vector cut at every length, cut with the
 * length fields made to fit, and with bytes changed at random. Buffers are
 * malloc'ed to the byte, so that a sanitizer sees any access outside. What is
 * not forwarded must be left as it was.
 */
#include <check.h>
#include <stdio.h>

#include "../base/rng.h"
#include "core_testlib.h"
#include "core_vectors.h"

#define SEED 7915

/* Each forked test takes every SHARDS-th vector: forks are dear. */
#define SHARDS 8

static struct vectors all;
static uint8_t reply_buf[XLAT_REPLY_BYTES];
static struct addrmap map;
static struct xlat_cfg cfg;

static void configure(const struct vector *v)
{
	ref_config(&map, &cfg);
	vector_config(v, &cfg);
}

/* What an error of our own must look like, whatever it is about. */
static void expect_good_reply(const struct pkt *p, int dir)
{
	uint32_t icmp = dir == 46 ? 20 : 40;
	uint32_t sum = 0;

	ck_assert_uint_le(p->len, dir == 46 ? 576 : 1280);
	ck_assert_uint_gt(p->len, icmp + 8);
	if (dir == 46)
		ck_assert_uint_eq(ref_sum(0, p->data, 20), 0xffff);
	else
		sum = ref_pseudo(p->data, 58, p->len - icmp);
	ck_assert_uint_eq(ref_sum(sum, p->data + icmp, p->len - icmp), 0xffff);
}

/* What a forwarded packet must look like: lengths and header checksum. */
static void expect_good_packet(const struct pkt *p, int dir)
{
	if (dir == 64) {
		ck_assert_uint_eq(p->data[0], 0x45);
		ck_assert_uint_eq(ref_get16(p->data + 2), p->len);
		ck_assert_uint_eq(ref_sum(0, p->data, 20), 0xffff);
	} else {
		ck_assert_uint_eq(p->data[0] >> 4, 6);
		ck_assert_uint_eq(ref_get16(p->data + 4) + 40, p->len);
	}
}

static void expect_good_fragments(struct xlat_out *out, int dir)
{
	struct room r;
	int n = 0;

	for (;;) {
		room_init(&r, NULL, 0, 0, out->frag.mtu);
		if (!frag_next(&out->frag, &r.pkt))
			break;
		expect_good_packet(&r.pkt, dir);
		room_fini(&r);
		ck_assert_int_lt(n++, 2000);
	}
	room_fini(&r);
	ck_assert_int_ge(n, 2);
}

static void attack(const struct vector *v, const uint8_t *d, uint32_t len,
		   uint32_t headroom, uint32_t tailroom)
{
	struct xlat_out out;
	struct room r;
	enum verdict got;

	xlat_out_init(&out, reply_buf, sizeof(reply_buf), 1);
	room_init(&r, d, len, headroom, tailroom);
	got = ref_run(&r.pkt, v->dir, &map, &cfg, &out);
	ck_assert(room_consistent(&r));
	ck_assert_uint_lt(out.reason, REASON_COUNT);
	switch (got) {
	case VERDICT_FORWARD:
		expect_good_packet(&r.pkt, v->dir);
		break;
	case VERDICT_FRAGMENT:
		expect_good_fragments(&out, v->dir);
		break;
	case VERDICT_REPLY:
		expect_good_reply(&out.reply, v->dir);
		__attribute__((fallthrough));
	case VERDICT_DROP:
		ck_assert_uint_ne(out.reason, REASON_OK);
		ck_assert_uint_eq(r.pkt.headroom, headroom);
		ck_assert(!memcmp(r.pkt.data, d, r.pkt.len));
		break;
	case VERDICT_HAIRPIN:
	case VERDICT_HOLD:
		ck_abort_msg("%s from the core", verdict_name(got));
	}
	room_fini(&r);
}

/* Bytes the IP header of a vector speaks of; the rest is link padding. */
static uint32_t claimed(const struct vector *v)
{
	if (v->in.len < 8)
		return v->in.len;
	return v->dir == 46 ? ref_get16(v->in.v + 2)
			    : 40 + ref_get16(v->in.v + 4);
}

static void cut(const struct vector *v)
{
	uint32_t step = v->in.len > 300 ? 61 : 3;
	uint32_t len;
	struct xlat_out out;
	struct room r;

	for (len = 0; len < v->in.len; len += len < 120 ? 1 : step) {
		attack(v, v->in.v, len, PKT_HEADROOM, 0);
		attack(v, v->in.v, len, 0, 0);
		if (len >= claimed(v))
			continue;
		xlat_out_init(&out, reply_buf, sizeof(reply_buf), 1);
		room_init(&r, v->in.v, len, PKT_HEADROOM, 0);
		ck_assert_msg(ref_run(&r.pkt, v->dir, &map, &cfg, &out) ==
				      VERDICT_DROP,
			      "%s cut at %u", v->name, len);
		room_fini(&r);
	}
}

/* The header tells the truth about a packet that was cut. */
static void cut_and_mended(const struct vector *v)
{
	uint32_t least = v->dir == 46 ? 20 : 40;
	uint32_t step = v->in.len > 300 ? 37 : 3;
	uint8_t *d = malloc(v->in.len);
	uint32_t len;

	for (len = least; len < v->in.len; len += len < 120 ? 1 : step) {
		memcpy(d, v->in.v, len);
		if (v->dir == 64) {
			ref_put16(d + 4, len - 40);
		} else if ((d[0] & 15u) * 4 <= len) {
			ref_put16(d + 2, len);
			ref_ip4_csum(d);
		}
		attack(v, d, len, PKT_HEADROOM, 0);
		attack(v, d, len, PKT_HEADROOM, PKT_TAILROOM);
		attack(v, d, len, 0, 0);
	}
	free(d);
}

static void changed_at_random(const struct vector *v, struct rng *rng)
{
	uint64_t near = v->in.len < 120 ? v->in.len : 120;
	uint8_t *d = malloc(v->in.len);
	int round, flips;

	for (round = 0; round < 40; round++) {
		memcpy(d, v->in.v, v->in.len);
		for (flips = 1 + (int)rng_below(rng, 4); flips; flips--)
			d[rng_below(rng, near)] = (uint8_t)rng_next(rng);
		if (v->dir == 46 && v->in.len >= 20 && d[0] >> 4 == 4 &&
		    (d[0] & 15u) * 4 <= v->in.len)
			ref_ip4_csum(d);
		attack(v, d, v->in.len, PKT_HEADROOM, PKT_TAILROOM);
		attack(v, d, v->in.len, 0, 0);
	}
	free(d);
}

START_TEST(every_vector_cut)
{
	int i;

	for (i = _i; i < all.n; i += SHARDS) {
		configure(&all.v[i]);
		cut(&all.v[i]);
	}
}
END_TEST

START_TEST(every_vector_cut_and_mended)
{
	int i;

	for (i = _i; i < all.n; i += SHARDS) {
		configure(&all.v[i]);
		cut_and_mended(&all.v[i]);
	}
}
END_TEST

START_TEST(every_vector_changed)
{
	struct rng rng;
	int i;

	rng_init(&rng, SEED + (uint64_t)_i);
	for (i = _i; i < all.n; i += SHARDS) {
		configure(&all.v[i]);
		changed_at_random(&all.v[i], &rng);
	}
}
END_TEST

START_TEST(random_bytes)
{
	struct vector v = {.dir = _i ? 64 : 46};
	uint8_t d[128];
	struct rng rng;
	int round;
	uint32_t len, i;

	configure(&v);
	rng_init(&rng, SEED);
	for (round = 0; round < 5000; round++) {
		len = (uint32_t)rng_below(&rng, sizeof(d) + 1);
		for (i = 0; i < len; i++)
			d[i] = (uint8_t)rng_next(&rng);
		if (len > 6) {
			d[0] = (uint8_t)(_i ? 0x60 : 0x45);
			ref_put16(d + (_i ? 4 : 2), _i ? len - 40 : len);
			if (!_i && len >= 20)
				ref_ip4_csum(d);
		}
		attack(&v, d, len, PKT_HEADROOM, 0);
	}
}
END_TEST

/* A router without an IPv4 form tells of a datagram that has expired. */
static void put_foreign_error(uint8_t d[40 + 8 + 40 + 8])
{
	const struct in6_addr router = ref_in6("2001:db8:ffff::1"),
			      host = ref_in6("2001:db8:64::c000:201"),
			      server = ref_in6("2001:db8:64::c633:6401");
	uint8_t *icmp = d + 40, *in = icmp + 8;

	memset(d, 0, 96);
	d[0] = in[0] = 0x60;
	d[5] = 56;
	d[6] = 58;
	d[7] = in[7] = 64;
	memcpy(d + 8, &router, 16);
	memcpy(d + 24, &host, 16);
	icmp[0] = 3;
	in[5] = 8;
	in[6] = 17;
	memcpy(in + 8, &host, 16);
	memcpy(in + 24, &server, 16);
	ref_put16(in + 40, 1024);
	ref_put16(in + 42, 53);
	ref_put16(in + 44, 8);
	ref_put16(icmp + 2, 0xffff ^ ref_sum(ref_pseudo(d, 58, 56), icmp, 56));
}

/* Its address is told in an extension, behind 128 octets of quoted packet:
 * the only thing that makes a packet longer at its end. */
START_TEST(no_room_for_an_extension)
{
	static const struct vector tell = {.cfg = "tell=1", .dir = 64};
	const uint32_t more = 128 - 28 + 28; /* padding, extension */
	struct xlat_out out;
	uint8_t d[96];
	struct room r;

	configure(&tell);
	put_foreign_error(d);
	for (uint32_t tailroom = more - 1; tailroom <= more; tailroom++) {
		xlat_out_init(&out, reply_buf, sizeof(reply_buf), 1);
		room_init(&r, d, sizeof(d), PKT_HEADROOM, tailroom);
		ck_assert_int_eq(ref_run(&r.pkt, 64, &map, &cfg, &out),
				 tailroom < more ? VERDICT_DROP
						 : VERDICT_FORWARD);
		ck_assert_int_eq(out.reason, tailroom < more
						     ? REASON_NO_TAILROOM
						     : REASON_OK);
		ck_assert(room_consistent(&r));
		if (tailroom < more)
			ck_assert_mem_eq(r.pkt.data, d, sizeof(d));
		else
			expect_good_packet(&r.pkt, 64);
		room_fini(&r);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("core_hostile");
	TCase *tc = tcase_create("hostile");
	SRunner *sr;
	int failed;

	vectors_load_all(&all, __FILE__);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, every_vector_cut, 0, SHARDS);
	tcase_add_loop_test(tc, every_vector_cut_and_mended, 0, SHARDS);
	tcase_add_loop_test(tc, every_vector_changed, 0, SHARDS);
	tcase_add_loop_test(tc, random_bytes, 0, 2);
	tcase_add_test(tc, no_room_for_an_extension);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}

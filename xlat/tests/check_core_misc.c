/* SPDX-License-Identifier: MIT */
/* Reasons, rate limit, checksum arithmetic, ICMP errors of our own. */
#include <check.h>

#include "../base/rng.h"
#include "../core/csum.h"
#include "../core/ratelimit.h"
#include "core_testlib.h"

#define SECOND INT64_C(1000000000)

START_TEST(reasons_have_names)
{
	int i, j;

	for (i = 0; i < REASON_COUNT; i++) {
		ck_assert(reason_name((enum reason)i)[0]);
		for (j = 0; j < i; j++)
			ck_assert_str_ne(reason_name((enum reason)i),
					 reason_name((enum reason)j));
	}
	ck_assert_str_eq(reason_name(REASON_OK), "ok");
	ck_assert_str_eq(reason_name(REASON_TTL_EXPIRED), "ttl-expired");
	ck_assert_str_eq(reason_name(REASON_COUNT), "unknown");
	ck_assert_str_eq(verdict_name(VERDICT_HAIRPIN), "hairpin");
}
END_TEST

/* Type and code as one number; -1: nothing is said. */
static int told(struct reason_icmp r)
{
	return r.silent ? -1 : r.type << 8 | r.code;
}

#define SAY(t, c) ((t) << 8 | (c))

/* Silence is the rule: exactly these are told to the sender. */
START_TEST(reasons_told)
{
	static const struct {
		enum reason r;
		int v4, v6;
	} said[] = {
		{REASON_SOURCE_ROUTE, SAY(3, 5), -1},
		{REASON_ROUTING_HEADER, -1, SAY(4, 0)},
		{REASON_FRAG_EXTENSION, SAY(3, 13), SAY(1, 1)},
		{REASON_FRAG_ICMP, SAY(3, 13), -1},
		{REASON_NO_MAPPING_SOURCE, SAY(3, 13), SAY(1, 1)},
		{REASON_NO_MAPPING_DESTINATION, SAY(3, 13), SAY(1, 1)},
		{REASON_WKP_NON_GLOBAL, SAY(3, 13), SAY(1, 1)},
		{REASON_TTL_EXPIRED, SAY(11, 0), SAY(3, 0)},
		{REASON_TOO_BIG, SAY(3, 4), SAY(2, 0)},
		{REASON_TOO_LONG_FOR_IPV4, -1, SAY(1, 1)},
		{REASON_UDP_ZERO_CSUM, SAY(3, 13), SAY(1, 1)},
		{REASON_UDP_ZERO_CSUM_FRAG, SAY(3, 13), SAY(1, 1)},
		{REASON_NAT64_FILTERED, SAY(3, 13), SAY(1, 1)},
		{REASON_NAT64_SYN_OVER, SAY(3, 3), -1},
		{REASON_NAT64_NO_PORT, -1, SAY(1, 3)},
		{REASON_NAT64_TABLE_FULL, -1, SAY(1, 3)},
		{REASON_NAT64_HOST_LIMIT, -1, SAY(1, 3)},
		{REASON_NAT64_HOST_PORTS, -1, SAY(1, 3)},
		{REASON_NAT64_HOST_RATE, -1, SAY(1, 3)},
	};
	int want4[REASON_COUNT], want6[REASON_COUNT];
	size_t i;

	for (i = 0; i < REASON_COUNT; i++)
		want4[i] = want6[i] = -1;
	for (i = 0; i < sizeof(said) / sizeof(*said); i++) {
		want4[said[i].r] = said[i].v4;
		want6[said[i].r] = said[i].v6;
	}
	for (i = 0; i < REASON_COUNT; i++) {
		enum reason r = (enum reason)i;

		ck_assert_msg(told(reason_icmp4(r)) == want4[i] &&
				      told(reason_icmp6(r)) == want6[i],
			      "%s: %x, %x", reason_name(r),
			      (unsigned int)told(reason_icmp4(r)),
			      (unsigned int)told(reason_icmp6(r)));
	}
}
END_TEST

START_TEST(ratelimit_burst_and_rate)
{
	struct ratelimit r;
	int64_t now = 5 * SECOND;
	int i, passed = 0;

	ratelimit_init(&r, 10, 3, now);
	for (i = 0; i < 3; i++)
		ck_assert(ratelimit_allow(&r, now));
	ck_assert(!ratelimit_allow(&r, now));
	ck_assert(!ratelimit_allow(&r, now + SECOND / 10 - 1));
	ck_assert(ratelimit_allow(&r, now + SECOND / 10));
	ck_assert(!ratelimit_allow(&r, now + SECOND / 10));
	/* after a pause the burst, not more */
	now += 100 * SECOND;
	for (i = 0; i < 10; i++)
		passed += ratelimit_allow(&r, now);
	ck_assert_int_eq(passed, 3);
	/* ten seconds at 1000 questions a second: 100 and what was left */
	for (i = 1, passed = 0; i <= 10000; i++)
		passed += ratelimit_allow(&r, now + i * (SECOND / 1000));
	ck_assert_int_eq(passed, 100);
}
END_TEST

START_TEST(ratelimit_edges)
{
	struct ratelimit r;

	ratelimit_init(&r, 0, 10, 0);
	ck_assert(!ratelimit_allow(&r, 100 * SECOND));
	ratelimit_init(&r, 1, 0, 0);
	ck_assert(ratelimit_allow(&r, 0));
	ck_assert(!ratelimit_allow(&r, 0));
	ck_assert(!ratelimit_allow(&r, -5 * SECOND)); /* clock went back */
	ck_assert(ratelimit_allow(&r, -4 * SECOND));
	ratelimit_init(&r, UINT32_MAX, UINT32_MAX, 0);
	ck_assert(ratelimit_allow(&r, INT64_MAX));
	ck_assert(ratelimit_allow(&r, INT64_MAX));
}
END_TEST

START_TEST(csum_is_the_plain_sum)
{
	uint8_t d[300];
	struct rng r;
	uint32_t len, at, i;
	uint16_t got;

	rng_init(&r, 1071);
	for (i = 0; i < sizeof(d); i++)
		d[i] = (uint8_t)rng_next(&r);
	for (at = 0; at < 4; at++)
		for (len = 1; len + at <= sizeof(d); len++) {
			got = csum_fold(csum_add(0, d + at, len));
			ck_assert_uint_eq(ntohs(got), ref_sum(0, d + at, len));
		}
	memset(d, 0xff, sizeof(d));
	ck_assert_uint_eq(csum_fold(csum_add(0, d, sizeof(d))), 0xffff);
	ck_assert_uint_eq(csum_fold(csum_add(0, d, 0)), 0);
}
END_TEST

/* RFC 1624 section 4: the example on which equation 2 of RFC 1141 fails. */
START_TEST(csum_rfc1624_example)
{
	ck_assert_uint_eq(
		csum_update(htons(0xdd2f), htons(0x5555), htons(0x3285)),
		htons(0x0000));
}
END_TEST

START_TEST(csum_complete)
{
	uint8_t d[20] = {0};
	struct room r;

	memset(d, 0x11, sizeof(d));
	room_init(&r, d, sizeof(d), 0, 0);
	ck_assert(pkt_csum_complete(&r.pkt)); /* nothing to do */
	r.pkt.gso = (struct pkt_gso){
		.needs_csum = true, .csum_start = 10, .csum_offset = 9};
	ck_assert(!pkt_csum_complete(&r.pkt));
	ck_assert(!memcmp(r.pkt.data, d, sizeof(d)));
	r.pkt.gso.csum_start = 21;
	r.pkt.gso.csum_offset = 0;
	ck_assert(!pkt_csum_complete(&r.pkt));
	r.pkt.gso.csum_start = 10;
	r.pkt.gso.csum_offset = 8;
	ck_assert(pkt_csum_complete(&r.pkt));
	ck_assert(!r.pkt.gso.needs_csum);
	ck_assert_uint_eq(ref_get16(r.pkt.data + 18), 0xffff - 5 * 0x1111);
	/* a sum of 0xffff is stored as 0xffff, never as 0 */
	memset(r.pkt.data, 0xff, sizeof(d));
	r.pkt.gso.needs_csum = true;
	r.pkt.gso.csum_start = 10;
	r.pkt.gso.csum_offset = 0;
	ck_assert(pkt_csum_complete(&r.pkt));
	ck_assert_uint_eq(ref_get16(r.pkt.data + 10), 0xffff);
	room_fini(&r);
}
END_TEST

/* Errors are built in whatever room there is, or not at all. */
START_TEST(error_in_small_room)
{
	uint8_t d[600] = {0x45, 0, 2, 88, 0, 0, 0x40, 0, 1, 17};
	struct pkt_info info;
	struct room r, e;
	uint32_t room;

	ref_put4(d + 12, "192.0.2.1");
	ref_put4(d + 16, "198.51.100.2");
	ref_put16(d + 24, 580);
	ref_ip4_csum(d);
	room_init(&r, d, sizeof(d), 0, 0);
	ck_assert_uint_eq(pkt_parse4(&r.pkt, &info), REASON_OK);
	ck_assert(icmp_error_allowed(&info));
	for (room = 0; room < 700; room++) {
		room_init(&e, NULL, 0, 0, room);
		if (icmp_build4(&r.pkt, &info, 11, 0, 0, ref_in4("192.0.2.9"),
				&e.pkt)) {
			ck_assert(room_consistent(&e));
			ck_assert_uint_eq(e.pkt.len, room < 576 ? room : 576);
			ck_assert_uint_eq(
				ref_sum(0, e.pkt.data + 20, e.pkt.len - 20),
				0xffff);
		} else {
			ck_assert_uint_lt(room, 76);
			ck_assert_uint_eq(e.pkt.len, 0);
		}
		room_fini(&e);
	}
	room_fini(&r);
}
END_TEST

static bool allowed(const char *src, const char *dst)
{
	struct pkt_info info = {.v6 = strchr(src, ':') != NULL};

	if (info.v6) {
		info.outer.src.v6 = ref_in6(src);
		info.outer.dst.v6 = ref_in6(dst);
	} else {
		info.outer.src.v4 = ref_in4(src);
		info.outer.dst.v4 = ref_in4(dst);
	}
	info.outer.proto = 17;
	return icmp_error_allowed(&info);
}

START_TEST(no_error_to_or_about_many)
{
	ck_assert(allowed("192.0.2.1", "192.0.2.2"));
	ck_assert(!allowed("192.0.2.1", "224.0.0.1"));
	ck_assert(!allowed("192.0.2.1", "255.255.255.255"));
	ck_assert(!allowed("0.0.0.0", "192.0.2.2"));
	ck_assert(!allowed("127.0.0.1", "192.0.2.2"));
	ck_assert(!allowed("224.0.0.1", "192.0.2.2"));
	ck_assert(allowed("2001:db8::1", "2001:db8::2"));
	ck_assert(!allowed("2001:db8::1", "ff02::1"));
	ck_assert(!allowed("::", "2001:db8::2"));
	ck_assert(!allowed("ff02::1", "2001:db8::2"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("core_misc");
	TCase *tc = tcase_create("misc");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, reasons_have_names);
	tcase_add_test(tc, reasons_told);
	tcase_add_test(tc, ratelimit_burst_and_rate);
	tcase_add_test(tc, ratelimit_edges);
	tcase_add_test(tc, csum_is_the_plain_sum);
	tcase_add_test(tc, csum_rfc1624_example);
	tcase_add_test(tc, csum_complete);
	tcase_add_test(tc, error_in_small_room);
	tcase_add_test(tc, no_error_to_or_about_many);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}

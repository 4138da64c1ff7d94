/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../plan/addrplan.h"

#define N(v) (sizeof(v) / sizeof(*(v)))

static struct prefix6 p6(const char *text)
{
	struct prefix6 p;

	ck_assert_msg(!prefix6_parse(text, &p), "%s", text);
	return p;
}

static struct prefix4 p4(const char *text)
{
	struct prefix4 p;

	ck_assert_msg(!prefix4_parse(text, &p), "%s", text);
	return p;
}

static struct addrplan begin(const char *op, const char *infra4, size_t towers)
{
	struct prefix6 p = p6(op);
	struct prefix4 i = p4(infra4);
	struct addrplan ap;
	struct err e;

	ck_assert_msg(!addrplan_init(&ap, &p, &i, towers, &e), "%s", e.text);
	return ap;
}

static void assert_prefix6(const struct prefix6 *got, const char *want)
{
	char text[ADDR_TEXT_LEN];

	ck_assert_str_eq(prefix6_format(got, text), want);
}

/* The order of RFC 3531 section 3.1. */
START_TEST(test_leftmost_order)
{
	static const uint64_t order[] = {0, 8, 4, 12, 2, 10, 6, 14,
					 1, 9, 5, 13, 3, 11, 7, 15};

	for (size_t i = 0; i < N(order); i++)
		ck_assert_uint_eq(addrplan_mirror(i, 4), order[i]);
	ck_assert_uint_eq(addrplan_mirror(1, 6), 32);
	ck_assert_uint_eq(addrplan_mirror(0, 0), 0);
	/* only the low bits count, and mirroring twice is the identity */
	ck_assert_uint_eq(addrplan_mirror(0xf1, 4), 8);
	for (uint64_t i = 0; i < 128; i++)
		ck_assert_uint_eq(addrplan_mirror(addrplan_mirror(i, 7), 7), i);
}
END_TEST

START_TEST(test_blocks)
{
	static const char *const want[] = {
		"2001:db8::/40", "2001:db8:800::/40", "2001:db8:400::/40",
		"2001:db8:c00::/40", "2001:db8:200::/40"};
	struct addrplan ap = begin("2001:db8::/36", "100.64.0.0/16", 2);
	struct prefix6 v[16], none;

	for (size_t i = 0; i < N(v); i++) {
		ck_assert_int_eq(addrplan_block(&ap, i, &v[i]), 0);
		if (i < N(want))
			assert_prefix6(&v[i], want[i]);
		ck_assert(prefix6_overlaps(&v[i], &ap.operator_prefix));
		for (size_t k = 0; k < i; k++)
			ck_assert(!prefix6_overlaps(&v[i], &v[k]));
	}
	ck_assert_int_eq(addrplan_block(&ap, 16, &none), -ERANGE);
}
END_TEST

/* 15 towers fit four bits; the sixteenth makes the blocks smaller. */
START_TEST(test_more_towers)
{
	struct addrplan ap = begin("2001:db8::/36", "100.64.0.0/16", 15);
	struct prefix6 block;

	ck_assert_uint_eq(ap.block_bits, 4);
	ap = begin("2001:db8::/36", "100.64.0.0/16", 16);
	ck_assert_uint_eq(ap.block_bits, 5);
	ck_assert_int_eq(addrplan_block(&ap, 1, &block), 0);
	assert_prefix6(&block, "2001:db8:800::/41");
	ck_assert_int_eq(addrplan_block(&ap, 16, &block), 0);
}
END_TEST

START_TEST(test_prefix_lengths)
{
	static const struct {
		const char *op;
		size_t towers;
		int ret;
	} v[] = {
		{"2001:db8::/32", 1, 0},	  {"2001:db8::/44", 1, 0},
		{"2001:db8::/31", 1, -ERANGE},	  {"2001:db8::/45", 1, -ERANGE},
		{"2001:db8::/48", 1, -ERANGE},	  {"2001:db8::/44", 2047, 0},
		{"2001:db8::/44", 2048, -ERANGE},
	};
	struct prefix4 infra4 = p4("100.64.0.0/16");
	struct addrplan ap;
	struct err e;

	for (size_t i = 0; i < N(v); i++) {
		struct prefix6 op;

		if (prefix6_parse(v[i].op, &op)) { /* /31: host bits */
			op = p6("2001:db8::/32");
			op.len = 31;
		}
		e.text[0] = '\0';
		ck_assert_msg(addrplan_init(&ap, &op, &infra4, v[i].towers,
					    &e) == v[i].ret,
			      "%s, %zu towers", v[i].op, v[i].towers);
		if (v[i].ret)
			ck_assert_ptr_nonnull(strstr(e.text, "prefix"));
	}
}
END_TEST

START_TEST(test_home)
{
	struct addrplan ap = begin("2001:db8::/36", "100.64.0.0/16", 2);
	struct addrplan_home h;

	ck_assert_int_eq(addrplan_home(&ap, 0, 1, &h), 0);
	assert_prefix6(&h.wan, "2001:db8:800:1::/64");
	assert_prefix6(&h.delegated, "2001:db8:800:100::/56");
	assert_prefix6(&h.lan, "2001:db8:800:101::/64");
	assert_prefix6(&h.clat, "2001:db8:800:102::/96");
	ck_assert_int_eq(addrplan_home(&ap, 1, 250, &h), 0);
	assert_prefix6(&h.wan, "2001:db8:400:fa::/64");
	assert_prefix6(&h.delegated, "2001:db8:400:fa00::/56");
	ck_assert_int_eq(addrplan_home(&ap, 0, 0, &h), -ERANGE);
	ck_assert_int_eq(addrplan_home(&ap, 15, 1, &h), -ERANGE);
	/* as many links as the tower's own /56 holds */
	ck_assert_int_eq(addrplan_home(&ap, 0, 255, &h), 0);
	ck_assert_int_eq(addrplan_home(&ap, 0, 256, &h), -ERANGE);
}
END_TEST

START_TEST(test_small_block)
{
	struct addrplan ap = begin("2001:db8::/44", "100.64.0.0/16", 40);
	struct addrplan_home h;

	ck_assert_uint_eq(ap.block_bits, 6); /* blocks of a /50: 64 /56s */
	ck_assert_int_eq(addrplan_home(&ap, 0, 63, &h), 0);
	ck_assert_int_eq(addrplan_home(&ap, 0, 64, &h), -ERANGE);
}
END_TEST

/* The infrastructure of a /24: loopbacks in one half, links in the other. */
START_TEST(test_infrastructure)
{
	struct addrplan ap = begin("2001:db8::/36", "100.64.7.0/24", 1);
	struct prefix6 link6;
	struct prefix4 link4, last4 = {.len = 0};
	struct in6_addr loop6;
	struct in_addr loop4;
	char text[ADDR_TEXT_LEN];
	int n;

	ck_assert_int_eq(addrplan_next_loop(&ap, &loop6, &loop4), 0);
	ck_assert_str_eq(in6_format(&loop6, text), "2001:db8::1");
	ck_assert_str_eq(in4_format(loop4, text), "100.64.7.1");
	for (n = 1; !addrplan_next_loop(&ap, &loop6, &loop4); n++)
		;
	ck_assert_int_eq(n, 127);
	ck_assert_int_eq(addrplan_next_link6(&ap, &link6), 0);
	assert_prefix6(&link6, "2001:db8:0:1::/64");
	ck_assert_int_eq(addrplan_next_link6(&ap, &link6), 0);
	assert_prefix6(&link6, "2001:db8:0:2::/64");
	for (n = 0; !addrplan_next_link4(&ap, &link4); n++) {
		ck_assert(prefix4_contains(&ap.infra4, link4.addr));
		ck_assert(!prefix4_contains(&link4, loop4));
		if (n)
			ck_assert(!prefix4_overlaps(&link4, &last4));
		else
			ck_assert_str_eq(prefix4_format(&link4, text),
					 "100.64.7.128/30");
		last4 = link4;
	}
	ck_assert_int_eq(n, 32);
}
END_TEST

/* Homes with IPv4 take the last quarter, which links then leave alone. */
START_TEST(test_homes4)
{
	struct addrplan ap = begin("2001:db8::/36", "100.64.7.0/24", 1);
	struct prefix4 wan, lan, all, link4;
	char text[ADDR_TEXT_LEN];
	int n = 0;

	ck_assert_int_eq(addrplan_customers4(&ap, &all), 0);
	ck_assert_str_eq(prefix4_format(&all, text), "100.64.7.192/26");
	for (; !addrplan_next_home4(&ap, &wan, &lan); n++) {
		ck_assert_uint_eq(wan.len, 30);
		ck_assert_uint_eq(lan.len, 29);
		ck_assert(prefix4_overlaps(&all, &wan));
		ck_assert(prefix4_overlaps(&all, &lan));
		ck_assert(!prefix4_overlaps(&wan, &lan));
	}
	ck_assert_int_eq(n, 4);
	ck_assert_str_eq(prefix4_format(&wan, text), "100.64.7.240/30");
	ck_assert_str_eq(prefix4_format(&lan, text), "100.64.7.248/29");
	for (n = 0; !addrplan_next_link4(&ap, &link4); n++)
		ck_assert(!prefix4_overlaps(&all, &link4));
	ck_assert_int_eq(n, 16);
	ap = begin("2001:db8::/36", "100.64.7.0/27", 1);
	ck_assert_int_eq(addrplan_next_home4(&ap, &wan, &lan), -ERANGE);
}
END_TEST

START_TEST(test_no_room4)
{
	static const char *const v[] = {"100.64.7.0/30", "100.64.7.0/31",
					"100.64.7.0/32"};

	for (size_t i = 0; i < N(v); i++) {
		struct addrplan ap = begin("2001:db8::/36", v[i], 1);
		struct prefix4 link4;

		ck_assert_int_eq(addrplan_next_link4(&ap, &link4), -ERANGE);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("addrplan");
	TCase *t = tcase_create("addrplan");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, test_leftmost_order);
	tcase_add_test(t, test_blocks);
	tcase_add_test(t, test_more_towers);
	tcase_add_test(t, test_prefix_lengths);
	tcase_add_test(t, test_home);
	tcase_add_test(t, test_small_block);
	tcase_add_test(t, test_infrastructure);
	tcase_add_test(t, test_no_room4);
	tcase_add_test(t, test_homes4);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

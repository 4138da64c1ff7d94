/* SPDX-License-Identifier: MIT */
/* RFC 6052 and RFC 7757: single addresses. */
#include <check.h>
#include <errno.h>

#include "../base/rng.h"
#include "../core/lpm.h"
#include "core_maplib.h"

/* ---- RFC 6052 -------------------------------------------------------------
 */

/* Section 2.4: the examples of the RFC. */
static const struct {
	const char *prefix, *v4, *v6;
} rfc6052_examples[] = {
	{"2001:db8::/32", "192.0.2.33", "2001:db8:c000:221::"},
	{"2001:db8:100::/40", "192.0.2.33", "2001:db8:1c0:2:21::"},
	{"2001:db8:122::/48", "192.0.2.33", "2001:db8:122:c000:2:2100::"},
	{"2001:db8:122:300::/56", "192.0.2.33", "2001:db8:122:3c0:0:221::"},
	{"2001:db8:122:344::/64", "192.0.2.33", "2001:db8:122:344:c0:2:2100::"},
	{"2001:db8:122:344::/96", "192.0.2.33", "2001:db8:122:344::192.0.2.33"},
	{"64:ff9b::/96", "192.0.2.33", "64:ff9b::192.0.2.33"},
	{"64:ff9b::/96", "255.255.255.255", "64:ff9b::ffff:ffff"},
};

START_TEST(rfc6052_example)
{
	struct prefix6 p = ref_prefix6(rfc6052_examples[_i].prefix);
	struct in_addr v4 = ref_in4(rfc6052_examples[_i].v4), back;
	struct in6_addr want = ref_in6(rfc6052_examples[_i].v6), got;

	memset(&got, 0xff, sizeof(got));
	ck_assert(rfc6052_prefix_valid(&p));
	rfc6052_encode(&p, v4, &got);
	ck_assert(!memcmp(&got, &want, 16));
	ck_assert(rfc6052_decode(&p, &got, &back));
	ck_assert_uint_eq(back.s_addr, v4.s_addr);
}
END_TEST

START_TEST(rfc6052_lengths)
{
	struct prefix6 p = {.len = (uint8_t)_i};
	bool good = _i == 32 || _i == 40 || _i == 48 || _i == 56 || _i == 64 ||
		    _i == 96;

	ck_assert(rfc6052_prefix_valid(&p) == good);
}
END_TEST

START_TEST(rfc6052_u_octet)
{
	static const uint8_t lens[] = {32, 40, 48, 56, 64};
	struct prefix6 p = ref_prefix6("2001:db8:0:0:100::/96");
	struct in6_addr a;
	struct in_addr v4 = ref_in4("192.0.2.33");
	size_t i;

	/* In a /96 bits 64 to 71 are part of the prefix and must be zero. */
	ck_assert(!rfc6052_prefix_valid(&p));
	p = ref_prefix6("2001:db8:0:0:ff::/96");
	ck_assert(rfc6052_prefix_valid(&p));
	p = ref_prefix6("2001:db8::/32");
	for (i = 0; i < sizeof(lens); i++) {
		p.len = lens[i];
		rfc6052_encode(&p, v4, &a);
		ck_assert_uint_eq(a.s6_addr[8], 0);
		a.s6_addr[8] = 1;
		ck_assert(!rfc6052_decode(&p, &a, &v4));
	}
}
END_TEST

/* Section 2.3: suffix bits are zero when made, ignored when read. */
START_TEST(rfc6052_suffix)
{
	struct prefix6 p = ref_prefix6("2001:db8::/32");
	struct in6_addr a;
	struct in_addr v4 = ref_in4("192.0.2.33"), back;

	rfc6052_encode(&p, v4, &a);
	a.s6_addr[15] = 0xaa;
	ck_assert(rfc6052_decode(&p, &a, &back));
	ck_assert_uint_eq(back.s_addr, v4.s_addr);
	a.s6_addr[3] ^= 1;
	ck_assert(!rfc6052_decode(&p, &a, &back));
}
END_TEST

START_TEST(well_known_prefix)
{
	struct prefix6 p = ref_prefix6("64:ff9b::/96");

	ck_assert(rfc6052_is_wkp(&p));
	p.addr.s6_addr[11] = 1;
	ck_assert(!rfc6052_is_wkp(&p));
	p = ref_prefix6("64:ff9b::/64");
	ck_assert(!rfc6052_is_wkp(&p));
}
END_TEST

static const struct {
	const char *addr;
	bool global, unicast;
} classes[] = {
	{"0.0.0.0", false, false},	   {"0.255.255.255", false, false},
	{"1.0.0.0", true, true},	   {"9.255.255.255", true, true},
	{"10.0.0.0", false, true},	   {"10.255.255.255", false, true},
	{"11.0.0.0", true, true},	   {"100.63.255.255", true, true},
	{"100.64.0.0", false, true},	   {"100.127.255.255", false, true},
	{"100.128.0.0", true, true},	   {"127.0.0.1", false, false},
	{"128.0.0.1", true, true},	   {"169.254.0.1", false, true},
	{"172.15.255.255", true, true},	   {"172.16.0.0", false, true},
	{"172.31.255.255", false, true},   {"172.32.0.0", true, true},
	{"192.0.0.8", false, true},	   {"192.0.1.0", true, true},
	{"192.0.2.1", false, true},	   {"192.168.1.1", false, true},
	{"192.169.0.0", true, true},	   {"198.18.0.1", false, true},
	{"198.19.255.255", false, true},   {"198.20.0.0", true, true},
	{"198.51.100.1", false, true},	   {"203.0.113.1", false, true},
	{"223.255.255.255", true, true},   {"224.0.0.1", false, false},
	{"239.255.255.255", false, false}, {"240.0.0.1", false, false},
	{"255.255.255.255", false, false},
};

START_TEST(address_class)
{
	struct in_addr a = ref_in4(classes[_i].addr);

	ck_assert(addr4_is_global(a) == classes[_i].global);
	ck_assert(addr4_is_unicast(a) == classes[_i].unicast);
}
END_TEST

START_TEST(address_class6)
{
	static const char *const no[] = {"::", "::1", "ff02::1", "ff0e::1"};
	static const char *const yes[] = {"::2", "1::", "2001:db8::1",
					  "fe80::1", "64:ff9b::1"};
	struct in6_addr a;
	size_t i;

	for (i = 0; i < sizeof(no) / sizeof(*no); i++) {
		a = ref_in6(no[i]);
		ck_assert(!addr6_is_unicast(&a));
	}
	for (i = 0; i < sizeof(yes) / sizeof(*yes); i++) {
		a = ref_in6(yes[i]);
		ck_assert(addr6_is_unicast(&a));
	}
}
END_TEST

/* ---- longest prefix match, against the obvious way -------------------------
 */

#define MANY 3000

struct plain {
	uint8_t key[16];
	uint8_t len;
};

static void mask_key(uint8_t *key, unsigned int len)
{
	unsigned int i;

	for (i = len; i < 128; i++)
		key[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
}

static bool covers(const struct plain *p, const uint8_t *key)
{
	uint8_t copy[16];

	memcpy(copy, key, 16);
	mask_key(copy, p->len);
	return !memcmp(copy, p->key, 16);
}

static uint32_t plain_find(const struct plain *p, uint32_t n,
			   const uint8_t *key)
{
	uint32_t i, best = LPM_NONE;

	for (i = 0; i < n; i++)
		if (covers(&p[i], key) &&
		    (best == LPM_NONE || p[i].len > p[best].len))
			best = i;
	return best;
}

/* Few distinct bytes, so that prefixes nest and collide. */
static void random_key(struct rng *r, uint8_t *key)
{
	int i;

	for (i = 0; i < 16; i++)
		key[i] = (uint8_t)(rng_below(r, 3) << (7 * rng_below(r, 2)));
}

START_TEST(lpm_against_search)
{
	static struct plain p[MANY];
	static struct lpm_node nodes[LPM_NODES(MANY)];
	struct lpm l;
	struct rng r;
	uint32_t n = 0, i;
	uint8_t key[16];

	rng_init(&r, 7757);
	lpm_init(&l, nodes, LPM_NODES(MANY));
	ck_assert_uint_eq(lpm_find(&l, p[0].key), LPM_NONE);
	while (n < MANY) {
		random_key(&r, p[n].key);
		p[n].len = (uint8_t)rng_below(&r, 129);
		mask_key(p[n].key, p[n].len);
		for (i = 0; i < n; i++)
			if (p[i].len == p[n].len && covers(&p[i], p[n].key))
				break;
		ck_assert_int_eq(lpm_add(&l, p[n].key, p[n].len, n),
				 i < n ? -EEXIST : 0);
		ck_assert_uint_eq(lpm_get(&l, p[n].key, p[n].len), i);
		if (i == n)
			n++;
	}
	for (i = 0; i < 3000; i++) {
		random_key(&r, key);
		if (i % 3 == 0)
			memcpy(key, p[rng_below(&r, n)].key, 16);
		ck_assert_uint_eq(lpm_find(&l, key), plain_find(p, n, key));
	}
}
END_TEST

START_TEST(lpm_full)
{
	struct lpm_node nodes[2];
	struct lpm l;
	uint8_t a[16] = {0x80}, b[16] = {0x40}, c[16] = {0};

	lpm_init(&l, nodes, 2);
	ck_assert_int_eq(lpm_add(&l, a, 8, 1), 0);
	ck_assert_int_eq(lpm_add(&l, b, 8, 2), -ENOSPC); /* needs a branch */
	ck_assert_int_eq(lpm_add(&l, c, 0, 3), 0);
	ck_assert_int_eq(lpm_add(&l, b, 8, 2), -ENOSPC);
	ck_assert_uint_eq(lpm_find(&l, a), 1);
	ck_assert_uint_eq(lpm_find(&l, b), 3);
}
END_TEST

/* ---- RFC 7757 -------------------------------------------------------------
 */

static const struct {
	const char *v4, *v6;
} eam_examples[] = {
	{"192.0.2.1", "2001:db8:aaaa::"},
	{"192.0.2.2", "2001:db8:bbbb::b"},
	{"192.0.2.16", "2001:db8:cccc::"},
	{"192.0.2.24", "2001:db8:cccc::8"},
	{"192.0.2.31", "2001:db8:cccc::f"},
	{"192.0.2.128", "2001:db8:dddd::"},
	{"192.0.2.152", "2001:db8:dddd:0:6000::"},
	{"192.0.2.183", "2001:db8:dddd:0:dc00::"},
	{"192.0.2.191", "2001:db8:dddd:0:fc00::"},
	{"192.0.2.193", "2001:db8:eeee:8:8000::"},
	{"192.0.2.199", "2001:db8:eeee:b:8000::"},
	{"192.0.2.224", "64:ff9b::"},
	{"192.0.2.225", "64:ff9b::1"},
};

START_TEST(eam_example)
{
	struct in_addr v4 = ref_in4(eam_examples[_i].v4), back;
	struct in6_addr want = ref_in6(eam_examples[_i].v6), got;

	ck_assert(eam_46(&m.eam, v4, &got));
	ck_assert(!memcmp(&got, &want, 16));
	ck_assert(eam_64(&m.eam, &want, &back));
	ck_assert_uint_eq(back.s_addr, v4.s_addr);
}
END_TEST

START_TEST(eam_miss_and_ignored_bits)
{
	struct in6_addr a = ref_in6("2001:db8:dddd:0:6001:2:3:4"), b;
	struct in_addr v4;

	ck_assert(eam_64(&m.eam, &a, &v4));
	ck_assert_uint_eq(v4.s_addr, ref_in4("192.0.2.152").s_addr);
	ck_assert(!eam_46(&m.eam, ref_in4("192.0.2.3"), &b));
	a = ref_in6("2001:db8:aaaa::1");
	ck_assert(!eam_64(&m.eam, &a, &v4));
}
END_TEST

START_TEST(eam_bad)
{
	struct prefix4 p4 = ref_prefix4("192.0.2.0/24");
	struct prefix6 p6 = ref_prefix6("2001:db8::/121");
	struct eam_table *t = &m.eam;

	ck_assert_int_eq(eam_add(t, &p4, &p6), -EINVAL); /* suffix too short */
	p6.len = 129;
	ck_assert_int_eq(eam_add(t, &p4, &p6), -EINVAL);
	p6 = ref_prefix6("2001:db8::/120");
	p4.len = 33;
	ck_assert_int_eq(eam_add(t, &p4, &p6), -EINVAL);
	p4.len = 22;
	ck_assert_int_eq(eam_add(t, &p4, &p6), -EINVAL); /* host bits */
	p4 = ref_prefix4("10.0.0.0/24");
	p6.addr.s6_addr[15] = 1;
	ck_assert_int_eq(eam_add(t, &p4, &p6), -EINVAL);
	ck_assert_int_eq(add(t, "192.0.2.1/32", "2001:db8:1::/128"), -EEXIST);
	ck_assert_int_eq(add(t, "192.0.2.9/32", "2001:db8:aaaa::/128"),
			 -EEXIST);
	/* A refused entry leaves nothing behind. */
	p6 = ref_prefix6("2001:db8:1::/128");
	ck_assert_uint_eq(lpm_get(&t->by6, p6.addr.s6_addr, 128), LPM_NONE);
	ck_assert_int_eq(add(t, "10.0.0.1/32", "2001:db8:1::1/128"), 0);
	ck_assert_int_eq(add(t, "10.0.0.2/32", "2001:db8:1::2/128"), 0);
	ck_assert_int_eq(add(t, "10.0.0.3/32", "2001:db8:1::3/128"), -ENOSPC);
}
END_TEST

/* Everything there is, by one entry, at any bit offset. */
START_TEST(eam_any_length)
{
	static struct eam_entry one;
	static struct lpm_node n4[EAM_NODES(1)], n6[EAM_NODES(1)];
	struct prefix4 p4 = {.len = (uint8_t)_i};
	struct prefix6 p6;
	struct eam_table t;
	struct in6_addr v6;
	struct in_addr v4, back;
	struct rng r;
	unsigned int len6, bit, i;

	rng_init(&r, 1);
	for (len6 = 0; len6 <= 96u + p4.len; len6++) {
		memset(&p6, 0, sizeof(p6));
		p6.len = (uint8_t)len6;
		eam_init(&t, &one, 1, n4, n6);
		ck_assert_int_eq(eam_add(&t, &p4, &p6), 0);
		v4.s_addr = (uint32_t)rng_next(&r);
		if (p4.len)
			v4.s_addr &=
				htonl(p4.len == 32 ? 0 : UINT32_MAX >> p4.len);
		ck_assert(eam_46(&t, v4, &v6));
		for (i = 0; i < 128; i++) {
			bit = v6.s6_addr[i / 8] >> (7 - i % 8) & 1;
			if (i < len6 || i >= len6 + 32u - p4.len)
				ck_assert_uint_eq(bit, 0);
			else
				ck_assert_uint_eq(
					bit, ntohl(v4.s_addr) >> (31 - p4.len -
								  (i - len6)) &
						     1);
		}
		ck_assert(eam_64(&t, &v6, &back));
		ck_assert_uint_eq(back.s_addr, v4.s_addr);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("core_addr");
	TCase *plain = tcase_create("addresses");
	TCase *eam = tcase_create("eam");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(plain, rfc6052_example, 0,
			    sizeof(rfc6052_examples) /
				    sizeof(*rfc6052_examples));
	tcase_add_loop_test(plain, rfc6052_lengths, 0, 129);
	tcase_add_test(plain, rfc6052_u_octet);
	tcase_add_test(plain, rfc6052_suffix);
	tcase_add_test(plain, well_known_prefix);
	tcase_add_loop_test(plain, address_class, 0,
			    sizeof(classes) / sizeof(*classes));
	tcase_add_test(plain, address_class6);
	tcase_add_test(plain, lpm_against_search);
	tcase_add_test(plain, lpm_full);
	suite_add_tcase(s, plain);
	tcase_add_checked_fixture(eam, setup_eam, NULL);
	tcase_add_loop_test(eam, eam_example, 0,
			    sizeof(eam_examples) / sizeof(*eam_examples));
	tcase_add_test(eam, eam_miss_and_ignored_bits);
	tcase_add_test(eam, eam_bad);
	tcase_add_loop_test(eam, eam_any_length, 0, 33);
	suite_add_tcase(s, eam);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}

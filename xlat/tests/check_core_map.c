/* SPDX-License-Identifier: MIT */
/* Addresses of packets: SIIT, CLAT, ICMP errors, hairpinning, neutrality. */
#include <check.h>
#include <errno.h>

#include "../base/rng.h"
#include "core_maplib.h"

/* RFC 7757 section 3.3: EAM first, the prefix for the rest. */
START_TEST(siit_eam_before_prefix)
{
	struct xlat_map x;

	m.has_pref64 = true;
	m.pref64 = ref_prefix6("2001:db8:64::/96");
	ck_assert(!map46("192.0.2.1", "203.0.113.5", &x));
	expect6(&x.outer.src.v6, "2001:db8:aaaa::");
	expect6(&x.outer.dst.v6, "2001:db8:64::203.0.113.5");
	ck_assert(!x.outer.set_ports && !x.inner.set_ports);
	ck_assert(!map64("2001:db8:64::203.0.113.5", "2001:db8:bbbb::b", &x));
	expect4(x.outer.src.v4, "203.0.113.5");
	expect4(x.outer.dst.v4, "192.0.2.2");
}
END_TEST

START_TEST(siit_without_prefix)
{
	struct xlat_map x;

	ck_assert_uint_eq(map46("192.0.2.1", "203.0.113.5", &x),
			  REASON_NO_MAPPING_DESTINATION);
	ck_assert_uint_eq(map46("203.0.113.5", "192.0.2.1", &x),
			  REASON_NO_MAPPING_SOURCE);
	ck_assert(!map46("192.0.2.2", "192.0.2.1", &x));
}
END_TEST

/* RFC 6052 section 3.1. */
START_TEST(wkp_and_private_addresses)
{
	struct xlat_map x;

	addrmap_init(&m, ADDRMAP_SIIT);
	m.has_pref64 = true;
	m.pref64 = ref_prefix6("64:ff9b::/96");
	ck_assert_uint_eq(map46("8.8.8.8", "10.0.0.1", &x),
			  REASON_WKP_NON_GLOBAL);
	ck_assert_uint_eq(map46("192.168.0.1", "8.8.8.8", &x),
			  REASON_WKP_NON_GLOBAL);
	ck_assert_uint_eq(map64("64:ff9b::8.8.8.8", "64:ff9b::10.0.0.1", &x),
			  REASON_WKP_NON_GLOBAL);
	ck_assert_uint_eq(map64("64:ff9b::10.0.0.1", "64:ff9b::8.8.8.8", &x),
			  REASON_WKP_NON_GLOBAL);
	ck_assert(!map46("8.8.4.4", "8.8.8.8", &x));
	m.wkp_strict = false;
	ck_assert(!map46("8.8.8.8", "10.0.0.1", &x));
	m.wkp_strict = true;
	m.pref64 = ref_prefix6("2001:db8:64::/96");
	ck_assert(!map46("192.168.0.1", "10.0.0.1", &x));
}
END_TEST

/* RFC 6877 section 6.3. */
START_TEST(clat)
{
	struct xlat_map x;

	setup_clat();
	ck_assert(!map46("192.168.1.5", "8.8.8.8", &x));
	expect6(&x.outer.src.v6, "2001:db8:c1a7::192.168.1.5");
	expect6(&x.outer.dst.v6, "64:ff9b::8.8.8.8");
	ck_assert(!map64("64:ff9b::8.8.8.8", "2001:db8:c1a7::192.168.1.5", &x));
	expect4(x.outer.src.v4, "8.8.8.8");
	expect4(x.outer.dst.v4, "192.168.1.5");
	/* a foreign source; home as destination; a neighbour's IPv6 */
	ck_assert_uint_eq(map46("192.168.2.5", "8.8.8.8", &x),
			  REASON_NO_MAPPING_SOURCE);
	ck_assert_uint_eq(map46("192.168.1.5", "192.168.1.6", &x),
			  REASON_WKP_NON_GLOBAL);
	ck_assert_uint_eq(map64("2001:db8:c1a7::192.168.1.9",
				"2001:db8:c1a7::192.168.1.5", &x),
			  REASON_NO_MAPPING_SOURCE);
	ck_assert_uint_eq(
		map64("64:ff9b::8.8.8.8", "2001:db8:c1a7::192.168.2.5", &x),
		REASON_NO_MAPPING_DESTINATION);
}
END_TEST

START_TEST(clat_prefix_length)
{
	struct prefix4 lan = ref_prefix4("192.168.1.0/24");
	struct prefix6 p = ref_prefix6("2001:db8::/64");

	setup_clat();
	ck_assert_int_eq(addrmap_add_clat(&m, &lan, &p), -EINVAL);
}
END_TEST

/* RFC 6791 and RFC 7600: routers without an IPv4 address. */
START_TEST(icmp_error_sources)
{
	struct pkt_info info = {.v6 = true, .icmp_error = true};
	struct xlat_map x;
	struct in_addr first;

	setup_clat();
	info.outer.src.v6 = ref_in6("2001:db8::1");
	info.outer.dst.v6 = ref_in6("2001:db8:c1a7::192.168.1.5");
	info.inner.src.v6 = info.outer.dst.v6;
	info.inner.dst.v6 = ref_in6("64:ff9b::8.8.8.8");
	ck_assert(!addrmap_64(&m, &info, &x));
	expect4(x.outer.src.v4, "192.0.0.8");
	expect4(x.inner.src.v4, "192.168.1.5");
	expect4(x.inner.dst.v4, "8.8.8.8");
	m.pool6791 = ref_prefix4("198.51.100.0/24");
	ck_assert(!addrmap_64(&m, &info, &x));
	first = x.outer.src.v4;
	ck_assert(prefix4_contains(&m.pool6791, first));
	ck_assert(!addrmap_64(&m, &info, &x));
	ck_assert_uint_eq(x.outer.src.v4.s_addr, first.s_addr);
	/* an IPv4 form that must not be (RFC 6052 section 3.1) is no excuse */
	info.outer.src.v6 = ref_in6("64:ff9b::10.0.0.1");
	ck_assert_uint_eq(addrmap_64(&m, &info, &x), REASON_WKP_NON_GLOBAL);
	/* not for sources that no router forwards */
	info.outer.src.v6 = ref_in6("fe80::1");
	ck_assert_uint_eq(addrmap_64(&m, &info, &x), REASON_ILLEGAL_SOURCE);
	/* nor for what is no error */
	info.icmp_error = false;
	info.outer.src.v6 = ref_in6("2001:db8::1");
	ck_assert_uint_eq(addrmap_64(&m, &info, &x), REASON_NO_MAPPING_SOURCE);
}
END_TEST

/* An error of the router @from about a packet from the IPv4 host @to. */
static enum reason error46(const char *from, const char *to, const char *about,
			   struct xlat_map *x)
{
	struct pkt_info info = {.icmp_error = true};

	info.outer.src.v4 = ref_in4(from);
	info.outer.dst.v4 = ref_in4(to);
	info.inner.src.v4 = info.outer.dst.v4;
	info.inner.dst.v4 = ref_in4(about);
	return addrmap_46(&m, &info, x);
}

/* The other way: ICMPv4 errors from where IPv6 has no name for. */
START_TEST(icmp_error_sources_46)
{
	struct xlat_map x;

	/* kept out of the Well-Known Prefix: RFC 1918, 6598, loopback */
	addrmap_init(&m, ADDRMAP_SIIT);
	eam_init(&m.eam, entries, EAMS, nodes4, nodes6);
	ck_assert(!add(&m.eam, "8.8.8.1/32", "2001:db8::8/128"));
	m.has_pref64 = true;
	m.pref64 = ref_prefix6("64:ff9b::/96");
	ck_assert_uint_eq(error46("10.0.0.1", "8.8.8.1", "9.9.9.9", &x),
			  REASON_WKP_NON_GLOBAL);
	m.error6 = ref_in6("2001:db8::fe");
	ck_assert(!error46("10.0.0.1", "8.8.8.1", "9.9.9.9", &x));
	expect6(&x.outer.src.v6, "2001:db8::fe");
	expect6(&x.outer.dst.v6, "2001:db8::8");
	expect6(&x.inner.dst.v6, "64:ff9b::9.9.9.9");
	ck_assert(!error46("127.0.0.1", "8.8.8.1", "9.9.9.9", &x));
	expect6(&x.outer.src.v6, "2001:db8::fe");
	/* what can be named is named */
	ck_assert(!error46("9.9.9.1", "8.8.8.1", "9.9.9.9", &x));
	expect6(&x.outer.src.v6, "64:ff9b::9.9.9.1");
	/* what the error is about must have a form all the same */
	ck_assert_uint_eq(error46("10.0.0.1", "8.8.8.1", "10.0.0.2", &x),
			  REASON_WKP_NON_GLOBAL);
	/* only errors: anything else MUST be dropped */
	ck_assert_uint_eq(map46("10.0.0.1", "8.8.8.1", &x),
			  REASON_WKP_NON_GLOBAL);
	/* mappings only, and a router that is in none */
	m.has_pref64 = false;
	ck_assert(!add(&m.eam, "9.9.9.9/32", "2001:db8::9/128"));
	ck_assert(!error46("9.9.9.1", "8.8.8.1", "9.9.9.9", &x));
	expect6(&x.outer.src.v6, "2001:db8::fe");
	expect6(&x.inner.dst.v6, "2001:db8::9");
	ck_assert_uint_eq(map46("9.9.9.1", "8.8.8.1", &x),
			  REASON_NO_MAPPING_SOURCE);
	/* a CLAT: a router behind the LAN, on addresses of its own */
	setup_clat();
	ck_assert_uint_eq(error46("10.9.9.1", "8.8.8.8", "192.168.1.5", &x),
			  REASON_NO_MAPPING_SOURCE);
	m.error6 = ref_in6("2001:db8:c1a7::192.0.0.8");
	ck_assert(!error46("10.9.9.1", "8.8.8.8", "192.168.1.5", &x));
	expect6(&x.outer.src.v6, "2001:db8:c1a7::192.0.0.8");
	expect6(&x.outer.dst.v6, "64:ff9b::8.8.8.8");
	expect6(&x.inner.dst.v6, "2001:db8:c1a7::192.168.1.5");
}
END_TEST

START_TEST(pool_is_spread)
{
	struct pkt_info info = {.v6 = true, .icmp_error = true};
	struct xlat_map x;
	bool seen[256] = {false};
	int i, distinct = 0;

	setup_clat();
	m.pool6791 = ref_prefix4("198.51.100.0/24");
	info.outer.dst.v6 = ref_in6("2001:db8:c1a7::192.168.1.5");
	info.inner.src.v6 = info.outer.dst.v6;
	info.inner.dst.v6 = ref_in6("64:ff9b::8.8.8.8");
	info.outer.src.v6 = ref_in6("2001:db8::");
	for (i = 1; i < 256; i++) {
		info.outer.src.v6.s6_addr[15] = (uint8_t)i;
		ck_assert(!addrmap_64(&m, &info, &x));
		distinct += !seen[ntohl(x.outer.src.v4.s_addr) & 255];
		seen[ntohl(x.outer.src.v4.s_addr) & 255] = true;
	}
	ck_assert_int_gt(distinct, 128);
}
END_TEST

/* ---- hairpinning (RFC 7757 section 4, appendix B.1) ----------------------
 */

static void setup_hairpin(enum addrmap_hairpin mode)
{
	m.has_pref64 = true;
	m.pref64 = ref_prefix6("64:ff9b::/96");
	m.wkp_strict = false; /* the RFC's own example */
	m.pool6791 = ref_prefix4("198.51.100.1/32");
	m.hairpin = (uint8_t)mode;
}

struct ends {
	const char *src, *dst, *inner_src, *inner_dst; /* inner: NULL: none */
};

#define PLAIN(s, d)	    (&(struct ends){s, d, NULL, NULL})
#define ERROR(s, d, is, id) (&(struct ends){s, d, is, id})

/* The IPv6 form @in becomes @mid, is turned round, and ends as @end. */
static void expect_hairpin(const struct ends *in, const struct ends *mid,
			   const struct ends *end)
{
	struct pkt_info i6 = {.v6 = true}, i4 = {0};
	struct xlat_map x, y;

	i6.outer.src.v6 = ref_in6(in->src);
	i6.outer.dst.v6 = ref_in6(in->dst);
	i6.icmp_error = in->inner_src;
	if (in->inner_src) {
		i6.inner.src.v6 = ref_in6(in->inner_src);
		i6.inner.dst.v6 = ref_in6(in->inner_dst);
	}
	ck_assert_uint_eq(addrmap_64(&m, &i6, &x), REASON_OK);
	ck_assert(x.hairpin);
	expect4(x.outer.src.v4, mid->src);
	expect4(x.outer.dst.v4, mid->dst);
	i4.icmp_error = i6.icmp_error;
	i4.outer.src.v4 = x.outer.src.v4;
	i4.outer.dst.v4 = x.outer.dst.v4;
	if (in->inner_src) {
		expect4(x.inner.src.v4, mid->inner_src);
		expect4(x.inner.dst.v4, mid->inner_dst);
		i4.inner.src.v4 = x.inner.src.v4;
		i4.inner.dst.v4 = x.inner.dst.v4;
	}
	ck_assert_uint_eq(addrmap_46_hairpinned(&m, &i4, NULL, &y), REASON_OK);
	expect6(&y.outer.src.v6, end->src);
	expect6(&y.outer.dst.v6, end->dst);
	ck_assert(!y.hairpin);
	if (!in->inner_src)
		return;
	expect6(&y.inner.src.v6, end->inner_src);
	expect6(&y.inner.dst.v6, end->inner_dst);
}

/* Figures 8 to 11. */
START_TEST(hairpin_examples)
{
	setup_hairpin(ADDRMAP_HAIRPIN_INTRINSIC);
	expect_hairpin(PLAIN("2001:db8:aaaa::", "64:ff9b::192.0.2.2"),
		       PLAIN("192.0.2.1", "192.0.2.2"),
		       PLAIN("64:ff9b::192.0.2.1", "2001:db8:bbbb::b"));
	expect_hairpin(
		ERROR("2001:db8::1234", "64:ff9b::192.0.2.1",
		      "64:ff9b::192.0.2.1", "2001:db8:bbbb::b"),
		ERROR("198.51.100.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"),
		ERROR("64:ff9b::198.51.100.1", "2001:db8:aaaa::",
		      "2001:db8:aaaa::", "64:ff9b::192.0.2.2"));
	expect_hairpin(
		ERROR("2001:db8:bbbb::b", "64:ff9b::192.0.2.1",
		      "64:ff9b::192.0.2.1", "2001:db8:bbbb::b"),
		ERROR("192.0.2.2", "192.0.2.1", "192.0.2.1", "192.0.2.2"),
		ERROR("64:ff9b::192.0.2.2", "2001:db8:aaaa::",
		      "2001:db8:aaaa::", "64:ff9b::192.0.2.2"));
	expect_hairpin(PLAIN("2001:db8:bbbb::b", "64:ff9b::192.0.2.1"),
		       PLAIN("192.0.2.2", "192.0.2.1"),
		       PLAIN("64:ff9b::192.0.2.2", "2001:db8:aaaa::"));
}
END_TEST

/* Condition sets A and B are not met. */
START_TEST(hairpin_not)
{
	struct pkt_info info = {.v6 = true, .icmp_error = true};
	struct xlat_map x;

	setup_hairpin(ADDRMAP_HAIRPIN_INTRINSIC);
	/* A2: the destination is translated by an EAM */
	ck_assert(!map64("64:ff9b::8.8.8.8", "2001:db8:bbbb::b", &x));
	ck_assert(!x.hairpin);
	/* A3: it is in no EAM */
	ck_assert(!map64("2001:db8:aaaa::", "64:ff9b::8.8.8.8", &x));
	ck_assert(!x.hairpin);
	/* B2, B3: the quoted source; the outer destination does not count */
	info.outer.src.v6 = ref_in6("2001:db8:bbbb::b");
	info.outer.dst.v6 = ref_in6("64:ff9b::192.0.2.1");
	info.inner.src.v6 = ref_in6("64:ff9b::8.8.8.8");
	info.inner.dst.v6 = ref_in6("2001:db8:bbbb::b");
	ck_assert(!addrmap_64(&m, &info, &x));
	ck_assert(!x.hairpin);
	info.inner.src.v6 = ref_in6("2001:db8:aaaa::");
	ck_assert(!addrmap_64(&m, &info, &x));
	ck_assert(!x.hairpin);
	/* switched off */
	m.hairpin = ADDRMAP_HAIRPIN_OFF;
	ck_assert(!map64("2001:db8:aaaa::", "64:ff9b::192.0.2.2", &x));
	ck_assert(!x.hairpin);
	ck_assert(!map46("192.0.2.1", "192.0.2.2", &x));
	expect6(&x.outer.src.v6, "2001:db8:aaaa::");
}
END_TEST

/* Section 4.2.1, rules 1 to 3, for packets that somebody else turned. */
START_TEST(hairpin_simple)
{
	struct pkt_info info = {.icmp_error = true};
	struct xlat_map x;

	setup_hairpin(ADDRMAP_HAIRPIN_SIMPLE);
	ck_assert(!map64("2001:db8:aaaa::", "64:ff9b::192.0.2.2", &x));
	ck_assert(!x.hairpin);
	ck_assert(!map46("192.0.2.1", "192.0.2.2", &x));
	expect6(&x.outer.src.v6, "64:ff9b::192.0.2.1");
	expect6(&x.outer.dst.v6, "2001:db8:bbbb::b");
	/* 2 and 3 together */
	info.outer.src.v4 = info.inner.dst.v4 = ref_in4("192.0.2.2");
	info.outer.dst.v4 = info.inner.src.v4 = ref_in4("192.0.2.1");
	ck_assert(!addrmap_46(&m, &info, &x));
	expect6(&x.outer.src.v6, "64:ff9b::192.0.2.2");
	expect6(&x.inner.src.v6, "2001:db8:aaaa::");
	expect6(&x.inner.dst.v6, "64:ff9b::192.0.2.2");
	/* 2 without 3: a router on the way that has an EAM keeps it */
	info.outer.src.v4 = ref_in4("192.0.2.16");
	ck_assert(!addrmap_46(&m, &info, &x));
	expect6(&x.outer.src.v6, "2001:db8:cccc::");
	expect6(&x.inner.dst.v6, "64:ff9b::192.0.2.2");
	m.has_pref64 = false;
	ck_assert_uint_eq(map46("192.0.2.1", "192.0.2.2", &x),
			  REASON_NO_MAPPING_SOURCE);
}
END_TEST

/* ---- checksum neutrality (RFC 6296, RFC 6052 section 4.1) ----------------
 */

START_TEST(neutral_word)
{
	struct in6_addr a = ref_in6("fd01:203:405::"), b = a;
	struct in_addr v4 = ref_in4("192.0.0.1");
	struct prefix6 odd = ref_prefix6("2001:db8:122::/48");
	struct prefix6 at32 = ref_prefix6("2001:db8::/32");

	ck_assert(rfc6052_neutral(&a, 7, &v4, NULL));
	/* fd01 + 0203 + 0405 is 030a; c000 + 0001 - 030a is bcf7 */
	expect6(&a, "fd01:203:405::bcf7");
	ck_assert(!rfc6052_neutral(&b, 7, &v4, &odd));
	ck_assert(!rfc6052_neutral(&b, 3, &v4, NULL));
	ck_assert(!rfc6052_neutral(&b, 8, &v4, NULL));
	expect6(&b, "fd01:203:405::");
	ck_assert(rfc6052_neutral(&b, 4, NULL, &at32));
	/* 030a + 2001 + 0db8 is 30c3 */
	expect6(&b, "fd01:203:405:0:cf3c::");
}
END_TEST

START_TEST(neutral_clat_prefix)
{
	struct prefix6 wkp = ref_prefix6("64:ff9b::/96"), out;
	struct prefix6 from = ref_prefix6("2001:db8:c1a7:5::/64");

	ck_assert(rfc6052_neutral_clat(&from, &wkp, &out));
	ck_assert_uint_eq(out.len, 96);
	ck_assert(rfc6052_prefix_valid(&out));
	ck_assert(!memcmp(&out.addr, &from.addr, 10));
	/* 2001 + 0db8 + c1a7 + 0005 is ef65 */
	expect6(&out.addr, "2001:db8:c1a7:5:0:109a::");
	from.len = 63;
	ck_assert(!rfc6052_neutral_clat(&from, &wkp, &out));
	from.len = 81;
	ck_assert(!rfc6052_neutral_clat(&from, &wkp, &out));
	from.len = 80;
	from.addr.s6_addr[8] = 1; /* the reserved octet */
	ck_assert(!rfc6052_neutral_clat(&from, &wkp, &out));
}
END_TEST

/* A TCP segment of a CLAT customer: is its checksum left as it was? */
static void expect_same_checksum(struct rng *rng)
{
	static uint8_t reply[XLAT_REPLY_BYTES];
	uint8_t d[60] = {0x45, 0, 0, 60, 0, 0, 0x40, 0, 64, 6};
	uint8_t check[2];
	struct xlat_cfg cfg;
	struct xlat_out out;
	struct room r;

	xlat_cfg_init(&cfg);
	xlat_out_init(&out, reply, sizeof(reply), 1);
	ref_put4(d + 12, "192.168.1.0");
	d[15] = (uint8_t)rng_next(rng);
	for (int i = 20; i < 60; i++)
		d[i] = (uint8_t)rng_next(rng);
	d[32] = 0x50;
	ref_put4(d + 16, "8.8.0.0");
	memcpy(d + 18, d + 50, 2);
	memcpy(check, d + 36, 2);
	ref_ip4_csum(d);
	room_init(&r, d, sizeof(d), PKT_HEADROOM, 0);
	ck_assert_int_eq(ref_run(&r.pkt, 46, &m, &cfg, &out), VERDICT_FORWARD);
	ck_assert(!memcmp(r.pkt.data + 40 + 16, check, 2));
	room_fini(&r);
}

START_TEST(neutral_for_packets)
{
	static const char *const prefs[] = {"64:ff9b::/96", "2001:db8:64::/96",
					    "2001:db8::/32",
					    "2001:db8:fffe::/96"};
	struct prefix4 lan = ref_prefix4("192.168.1.0/24");
	struct prefix6 from, clat6;
	struct rng rng;

	rng_init(&rng, 6296);
	for (int i = 0; i < 200; i++) {
		setup_clat();
		m.eam.n = 0;
		eam_init(&m.eam, entries, EAMS, nodes4, nodes6);
		m.pref64 = ref_prefix6(prefs[i % 4]);
		from = ref_prefix6("2001:db8::/64");
		for (int k = 4; k < 8; k++)
			from.addr.s6_addr[k] = (uint8_t)rng_next(&rng);
		ck_assert(rfc6052_neutral_clat(&from, &m.pref64, &clat6));
		ck_assert(!addrmap_add_clat(&m, &lan, &clat6));
		expect_same_checksum(&rng);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("core_map");
	TCase *tc = tcase_create("map");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup_eam, NULL);
	tcase_add_test(tc, siit_eam_before_prefix);
	tcase_add_test(tc, siit_without_prefix);
	tcase_add_test(tc, wkp_and_private_addresses);
	tcase_add_test(tc, clat);
	tcase_add_test(tc, clat_prefix_length);
	tcase_add_test(tc, icmp_error_sources);
	tcase_add_test(tc, icmp_error_sources_46);
	tcase_add_test(tc, pool_is_spread);
	tcase_add_test(tc, hairpin_examples);
	tcase_add_test(tc, hairpin_not);
	tcase_add_test(tc, hairpin_simple);
	tcase_add_test(tc, neutral_word);
	tcase_add_test(tc, neutral_clat_prefix);
	tcase_add_test(tc, neutral_for_packets);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}

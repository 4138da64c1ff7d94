/* SPDX-License-Identifier: MIT */
/* Address maps for the tests of the core: the table of RFC 7757, a CLAT. */
#ifndef CORE_MAPLIB_H
#define CORE_MAPLIB_H

#include <check.h>

#include "core_testlib.h"

#define EAMS 8

static struct eam_entry entries[EAMS];
static struct lpm_node nodes4[EAM_NODES(EAMS)], nodes6[EAM_NODES(EAMS)];
static struct addrmap m;

static inline int add(struct eam_table *t, const char *p4, const char *p6)
{
	struct prefix4 a = ref_prefix4(p4);
	struct prefix6 b = ref_prefix6(p6);

	return eam_add(t, &a, &b);
}

/* Section 3.2 and appendix B: the example table of the RFC. */
static inline void setup_eam(void)
{
	struct eam_table *t = &m.eam;

	addrmap_init(&m, ADDRMAP_SIIT);
	eam_init(t, entries, EAMS, nodes4, nodes6);
	ck_assert(!add(t, "192.0.2.1/32", "2001:db8:aaaa::/128"));
	ck_assert(!add(t, "192.0.2.2/32", "2001:db8:bbbb::b/128"));
	ck_assert(!add(t, "192.0.2.16/28", "2001:db8:cccc::/124"));
	ck_assert(!add(t, "192.0.2.128/26", "2001:db8:dddd::/64"));
	ck_assert(!add(t, "192.0.2.192/29", "2001:db8:eeee:8::/62"));
	ck_assert(!add(t, "192.0.2.224/31", "64:ff9b::/127"));
}

static inline enum reason map46(const char *src, const char *dst,
				struct xlat_map *x)
{
	struct pkt_info info = {0};

	info.outer.src.v4 = ref_in4(src);
	info.outer.dst.v4 = ref_in4(dst);
	return addrmap_46(&m, &info, x);
}

static inline enum reason map64(const char *src, const char *dst,
				struct xlat_map *x)
{
	struct pkt_info info = {.v6 = true};

	info.outer.src.v6 = ref_in6(src);
	info.outer.dst.v6 = ref_in6(dst);
	return addrmap_64(&m, &info, x);
}

static inline void expect6(const struct in6_addr *got, const char *want)
{
	struct in6_addr a = ref_in6(want);

	ck_assert(!memcmp(got, &a, 16));
}

static inline void expect4(struct in_addr got, const char *want)
{
	ck_assert_uint_eq(got.s_addr, ref_in4(want).s_addr);
}

static inline void setup_clat(void)
{
	struct prefix4 lan = ref_prefix4("192.168.1.0/24");
	struct prefix6 clat = ref_prefix6("2001:db8:c1a7::/96");

	addrmap_init(&m, ADDRMAP_CLAT);
	eam_init(&m.eam, entries, EAMS, nodes4, nodes6);
	m.has_pref64 = true;
	m.pref64 = ref_prefix6("64:ff9b::/96");
	ck_assert_int_eq(addrmap_add_clat(&m, &lan, &clat), 0);
}

#endif

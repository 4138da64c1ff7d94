/* SPDX-License-Identifier: MIT */
/*
 * Prefix discovery as bytes: synthetic addresses (RFC 7050), DNS answers that
 * may lie, PREF64 options (RFC 8781), and what is made of all that over time.
 */
#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../base/rng.h"
#include "../core/pref64.h"

static struct in6_addr in6(const char *text)
{
	struct in6_addr a;

	ck_assert_int_eq(inet_pton(AF_INET6, text, &a), 1);
	return a;
}

static struct prefix6 prefix(const char *text)
{
	struct prefix6 p;

	ck_assert_int_eq(prefix6_parse(text, &p), 0);
	return p;
}

static void expect(const struct pref64_found *f, const char *text)
{
	char got[ADDR_TEXT_LEN];

	ck_assert_str_eq(prefix6_format(&f->p, got), text);
}

/* ---- synthetic addresses ---------------------------------------------------
 */

static unsigned int learn(struct pref64_list *l, const char *const *text)
{
	struct in6_addr v[8];
	unsigned int n = 0;

	for (; text[n]; n++)
		v[n] = in6(text[n]);
	pref64_from_synthetic(v, n, l);
	return l->n;
}

#define LEARN(l, ...) learn(l, (const char *const[]){__VA_ARGS__, NULL})

START_TEST(every_length)
{
	static const char *const prefixes[] = {
		"2001:db8::/32",	 "2001:db8:100::/40",
		"2001:db8:122::/48",	 "2001:db8:122:300::/56",
		"2001:db8:122:344::/64", "2001:db8:122:344::/96",
		"64:ff9b::/96",		 "2001:db8:122:344:1:2::/96",
	};
	static const uint32_t wka[] = {0xc00000aa, 0xc00000ab};

	for (unsigned int i = 0; i < 8; i++)
		for (unsigned int w = 0; w < 2; w++) {
			struct prefix6 p = prefix(prefixes[i]);
			struct in_addr v4 = {htonl(wka[w])};
			struct pref64_list l;
			struct in6_addr a;

			rfc6052_encode(&p, v4, &a);
			pref64_from_synthetic(&a, 1, &l);
			ck_assert_uint_eq(l.n, 1);
			expect(&l.v[0], prefixes[i]);
		}
}
END_TEST

START_TEST(order_and_repetition)
{
	struct pref64_list l;

	ck_assert_uint_eq(LEARN(&l, "2001:db8:43::c000:aa",
				"2001:db8:42::c000:ab", "64:ff9b::c000:aa",
				"2001:db8:43::c000:ab"),
			  3);
	expect(&l.v[0], "2001:db8:43::/96");
	expect(&l.v[1], "2001:db8:42::/96");
	expect(&l.v[2], "64:ff9b::/96");
}
END_TEST

START_TEST(no_well_known_address)
{
	struct pref64_list l;

	/* hijacked names, other IPv4 addresses, odd places */
	ck_assert_uint_eq(LEARN(&l, "2001:db8::1", "64:ff9b::c000:ac",
				"2001:db8:0:c000:aa::"),
			  0);
	/* at /64 but with something in the u-octet */
	ck_assert_uint_eq(LEARN(&l, "2001:db8:1:1:1c0:0:aa00::"), 0);
	pref64_from_synthetic(NULL, 0, &l);
	ck_assert_uint_eq(l.n, 0);
}
END_TEST

START_TEST(twice_in_an_address)
{
	struct pref64_list l;

	/* the prefix itself looks like one: only both records together tell */
	ck_assert_uint_eq(LEARN(&l, "2001:db8:c000:aa::c000:aa"), 0);
	ck_assert_uint_eq(LEARN(&l, "2001:db8:c000:aa::c000:ab"), 0);
	ck_assert_uint_eq(LEARN(&l, "2001:db8:c000:aa::c000:aa",
				"2001:db8:c000:aa::c000:ab"),
			  1);
	expect(&l.v[0], "2001:db8:c000:aa::/96");
	/* also where the other instance is at no place of RFC 6052 */
	ck_assert_uint_eq(LEARN(&l, "2001:c0:0:aa01::c000:aa"), 0);
}
END_TEST

/* ---- DNS -------------------------------------------------------------------
 */

#define ID 0x4242

static uint8_t msg[1024];
static size_t len;

static void put(const void *data, size_t n)
{
	memcpy(msg + len, data, n);
	len += n;
}

/* A response with the question, @rcode and counts of records. */
static void begin(unsigned int rcode, unsigned int answers,
		  unsigned int authorities)
{
	len = pref64_put_query(ID, false, msg);
	msg[2] |= 0x80;
	msg[3] = (uint8_t)(0x80 | rcode);
	msg[7] = (uint8_t)answers;
	msg[9] = (uint8_t)authorities;
}

static void put_record(unsigned int owner, unsigned int type, uint32_t ttl,
		       const void *data, size_t n)
{
	uint8_t head[12] = {(uint8_t)(0xc0 | owner >> 8),
			    (uint8_t)owner,
			    0,
			    (uint8_t)type,
			    0,
			    1,
			    (uint8_t)(ttl >> 24),
			    (uint8_t)(ttl >> 16),
			    (uint8_t)(ttl >> 8),
			    (uint8_t)ttl,
			    0,
			    (uint8_t)n};

	put(head, sizeof(head));
	put(data, n);
}

static void put_aaaa(const char *text, uint32_t ttl)
{
	struct in6_addr a = in6(text);

	put_record(12, 28, ttl, &a, sizeof(a));
}

static enum pref64_answer parse(struct pref64_list *l, uint32_t *ttl)
{
	return pref64_parse_answer(msg, len, ID, l, ttl);
}

START_TEST(query)
{
	uint8_t q[PREF64_QUERY_BYTES];
	unsigned int n = pref64_put_query(0x1234, true, q);

	ck_assert_uint_eq(n, 12 + 19 + 11);
	ck_assert_uint_eq(q[0] << 8 | q[1], 0x1234);
	ck_assert_uint_eq(q[2], 1);	   /* RD */
	ck_assert_uint_eq(q[3] & 0x10, 0); /* CD */
	ck_assert_mem_eq(q + 12, "\10ipv4only\4arpa\0\0\34\0\1", 19);
	ck_assert_uint_eq(pref64_put_query(1, false, q), 12 + 19);
	ck_assert_uint_eq(q[11], 0);
}
END_TEST

START_TEST(found)
{
	struct pref64_list l;
	uint32_t ttl;

	begin(0, 2, 0);
	put_aaaa("2001:db8:64::c000:aa", 500);
	put_aaaa("2001:db8:64::c000:ab", 300);
	ck_assert_int_eq(parse(&l, &ttl), PREF64_FOUND);
	ck_assert_uint_eq(l.n, 1);
	expect(&l.v[0], "2001:db8:64::/96");
	ck_assert_uint_eq(l.v[0].lifetime_s, 300);
	ck_assert_uint_eq(ttl, 300);
	msg[2] |= 2;
	ck_assert_int_eq(parse(&l, &ttl), PREF64_TRUNCATED);
}
END_TEST

START_TEST(by_way_of_cname)
{
	struct pref64_list l;
	struct in6_addr a = in6("64:ff9b::c000:aa");
	uint32_t ttl;
	unsigned int target;

	begin(0, 2, 0);
	target = (unsigned int)len + 12;
	put_record(12, 5, 20, "\1x\4arpa", 8);
	put_record(target, 28, 60, &a, 16);
	ck_assert_int_eq(parse(&l, &ttl), PREF64_FOUND);
	ck_assert_uint_eq(ttl, 20);
	/* the same, of a name that nobody asked for */
	begin(0, 2, 0);
	put_record(12, 1, 20, "\1x\4arpa", 8);
	put_record(target, 28, 60, &a, 16);
	ck_assert_int_eq(parse(&l, &ttl), PREF64_NEGATIVE);
}
END_TEST

START_TEST(negative)
{
	static const uint8_t soa[] = {0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0,
				      0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 90};
	struct pref64_list l;
	uint32_t ttl;

	begin(3, 0, 1);
	put_record(12, 6, 600, soa, sizeof(soa));
	ck_assert_int_eq(parse(&l, &ttl), PREF64_NEGATIVE);
	ck_assert_uint_eq(ttl, 90);
	begin(0, 0, 1);
	put_record(12, 6, 30, soa, sizeof(soa));
	ck_assert_int_eq(parse(&l, &ttl), PREF64_NEGATIVE);
	ck_assert_uint_eq(ttl, 30);
	begin(0, 1, 0);
	put_aaaa("2001:db8::1", 7);
	ck_assert_int_eq(parse(&l, &ttl), PREF64_UNUSABLE);
	ck_assert_uint_eq(ttl, 7);
	begin(0, 1, 0);
	put_aaaa("64:ff9b::c000:aa", 0x80000001);
	ck_assert_int_eq(parse(&l, &ttl), PREF64_FOUND);
	ck_assert_uint_eq(ttl, 0);
}
END_TEST

START_TEST(refused)
{
	struct pref64_list l;
	uint32_t ttl;

	begin(2, 0, 0);
	ck_assert_int_eq(parse(&l, &ttl), PREF64_FAILED);
	begin(1, 0, 0);
	ck_assert_int_eq(parse(&l, &ttl), PREF64_NO_EDNS);
	/* a FORMERR may come without the question */
	len = 12;
	msg[5] = 0;
	ck_assert_int_eq(parse(&l, &ttl), PREF64_NO_EDNS);
	msg[3] = 0x80;
	ck_assert_int_eq(parse(&l, &ttl), PREF64_FOREIGN);
}
END_TEST

START_TEST(not_ours)
{
	struct pref64_list l;
	uint32_t ttl;

	begin(0, 1, 0);
	put_aaaa("64:ff9b::c000:aa", 60);
	ck_assert_int_eq(pref64_parse_answer(msg, len, ID + 1, &l, &ttl),
			 PREF64_FOREIGN);
	msg[13] = 'I'; /* case does not matter, the name does */
	ck_assert_int_eq(parse(&l, &ttl), PREF64_FOUND);
	msg[13] = 'x';
	ck_assert_int_eq(parse(&l, &ttl), PREF64_FOREIGN);
	begin(0, 1, 0);
	put_aaaa("64:ff9b::c000:aa", 60);
	msg[2] &= 0x7f; /* a query */
	ck_assert_int_eq(parse(&l, &ttl), PREF64_FOREIGN);
	/* every shorter message is refused or has no record */
	msg[2] |= 0x80;
	for (size_t n = 0; n < len; n++)
		ck_assert_int_eq(pref64_parse_answer(msg, n, ID, &l, &ttl),
				 PREF64_FOREIGN);
}
END_TEST

START_TEST(asked_again_in_time)
{
	static const uint32_t v[][2] = {
		{0, 1},
		{1, 1},
		{2, 1},
		{3, 1},
		{4, 2},
		{19, 9},
		{20, 10},
		{21, 11},
		{60, 50},
		{3600, 3590},
		{INT32_MAX, INT32_MAX - 10},
	};

	for (unsigned int i = 0; i < sizeof(v) / sizeof(*v); i++)
		ck_assert_uint_eq(pref64_ask_again_s(v[i][0]), v[i][1]);
}
END_TEST

START_TEST(pointers_that_loop)
{
	static const uint8_t self[] = {0xc0, 31, 0, 28, 0, 1, 0, 0, 0, 9, 0, 0};
	static const uint8_t forth[] = {0xc0, 40, 0, 28, 0, 1,
					0,    0,  0, 9,	 0, 0};
	struct pref64_list l;
	uint32_t ttl;

	begin(0, 1, 0);
	ck_assert_uint_eq(len, 31);
	put(self, sizeof(self));
	ck_assert_int_eq(parse(&l, &ttl), PREF64_FOREIGN);
	begin(0, 1, 0);
	put(forth, sizeof(forth));
	ck_assert_int_eq(parse(&l, &ttl), PREF64_FOREIGN);
}
END_TEST

/* Any bytes: sanitizers watch, and what is found is always a valid prefix. */
START_TEST(random_bytes)
{
	struct rng r;

	rng_init(&r, 7050);
	for (unsigned int i = 0; i < 100000; i++) {
		struct pref64_list l;
		uint32_t ttl;
		struct in6_addr src = in6("fe80::1");
		uint64_t changes = rng_next(&r) % 8;

		begin((unsigned int)rng_next(&r) % 5, 3, 1);
		put_aaaa("2001:db8:c000:aa::c000:aa", 60);
		put_aaaa("2001:db8:c000:aa::c000:ab", 60);
		put_record(12, 5, 20, "\1x\4arpa", 8);
		put_record(12, 6, 20, "\1x\4arpa\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
			   22);
		while (changes-- > 0)
			msg[2 + rng_next(&r) % (len - 2)] =
				(uint8_t)rng_next(&r);
		parse(&l, &ttl);
		for (unsigned int k = 0; k < l.n; k++)
			ck_assert(rfc6052_prefix_valid(&l.v[k].p));
		msg[0] = 134;
		msg[1] = 0;
		pref64_parse_ra(msg, len, 255, &src, &l);
		for (unsigned int k = 0; k < l.n; k++)
			ck_assert(rfc6052_prefix_valid(&l.v[k].p));
	}
}
END_TEST

/* ---- router advertisements -------------------------------------------------
 */

static void begin_ra(void)
{
	memset(msg, 0, 16);
	msg[0] = 134;
	msg[4] = 64;
	len = 16;
}

static void put_option(const char *addr, unsigned int lifetime,
		       unsigned int code)
{
	struct in6_addr a = in6(addr);
	uint8_t head[4] = {38, 2, (uint8_t)(lifetime >> 8),
			   (uint8_t)((lifetime & 0xf8) | code)};

	put(head, 4);
	put(&a, 12);
}

static bool parse_ra(struct pref64_list *l)
{
	struct in6_addr src = in6("fe80::1");

	return pref64_parse_ra(msg, len, 255, &src, l);
}

START_TEST(ra_option)
{
	static const char *const want[] = {
		"64:ff9b::/96",	   "2001:db8:1:2::/64", "2001:db8:1:300::/56",
		"2001:db8:1::/48", "2001:db8:100::/40", "2001:db8::/32"};
	struct pref64_list l;

	begin_ra();
	put_option("64:ff9b::", 65528, 0);
	put_option("2001:db8:1:2:0:5::", 8, 1);
	put_option("2001:db8:1:3ff::", 1800, 2);
	put_option("2001:db8:1:ff::", 0, 3);
	put_option("2001:db8:1ff:ff::", 600, 4);
	put_option("2001:db8:1ff:ff::", 600, 5);
	ck_assert(parse_ra(&l));
	ck_assert_uint_eq(l.n, 6);
	for (unsigned int i = 0; i < 6; i++)
		expect(&l.v[i], want[i]);
	ck_assert_uint_eq(l.v[0].lifetime_s, 65528);
	ck_assert_uint_eq(l.v[1].lifetime_s, 8);
	ck_assert_uint_eq(l.v[3].lifetime_s, 0);
}
END_TEST

START_TEST(ra_option_undefined)
{
	static const uint8_t longer[24] = {38, 3}, shorter[8] = {38, 1};
	struct pref64_list l;

	begin_ra();
	put_option("64:ff9b::", 600, 6);
	put_option("64:ff9b::", 600, 7);
	put_option("2001:db8:0:0:100::", 600, 0); /* u-octet */
	put(longer, sizeof(longer));
	put(shorter, sizeof(shorter));
	put_option("2001:db8:64::", 600, 0);
	ck_assert(parse_ra(&l));
	ck_assert_uint_eq(l.n, 1);
	expect(&l.v[0], "2001:db8:64::/96");
}
END_TEST

START_TEST(ra_discarded)
{
	struct in6_addr global = in6("2001:db8::1"), src = in6("fe80::1");
	struct pref64_list l;

	begin_ra();
	put_option("64:ff9b::", 600, 0);
	ck_assert(!pref64_parse_ra(msg, len, 254, &src, &l));
	ck_assert(!pref64_parse_ra(msg, len, 255, &global, &l));
	for (size_t n = 0; n < len; n++)
		ck_assert_int_eq(pref64_parse_ra(msg, n, 255, &src, &l),
				 n == 16);
	msg[1] = 1;
	ck_assert(!parse_ra(&l));
	msg[1] = 0;
	msg[0] = 133;
	ck_assert(!parse_ra(&l));
	begin_ra();
	put_option("64:ff9b::", 600, 0);
	put("\1\0\0\0\0\0\0", 8); /* no length: nothing of it counts */
	ck_assert(!parse_ra(&l));
	ck_assert_uint_eq(l.n, 0);
}
END_TEST

/* ---- over time -------------------------------------------------------------
 */

static struct pref64_list one(const char *text, uint32_t lifetime)
{
	return (struct pref64_list){{{prefix(text), lifetime}}, 1};
}

/* The first one. */
static void best_is(const struct pref64_set *s, const char *text)
{
	char got[ADDR_TEXT_LEN];

	ck_assert_uint_ge(s->n, 1);
	ck_assert_str_eq(prefix6_format(&s->v[0].p, got), text);
}

START_TEST(withdrawn_and_replaced)
{
	struct in6_addr r1 = in6("fe80::1"), r2 = in6("fe80::2");
	struct mono now = {NS_PER_S}, end;
	struct pref64_list a = one("2001:db8:a::/96", 600),
			   b = one("2001:db8:b::/96", 300),
			   none = one("2001:db8:a::/96", 0);
	struct pref64_set s = {0};

	ck_assert_uint_eq(s.n, 0);
	ck_assert(!pref64_next_end(&s, &end));
	pref64_learn(&s, &a, &r1, now);
	pref64_learn(&s, &b, &r2, now);
	best_is(&s, "2001:db8:a::/96"); /* others do not disturb it */
	ck_assert(pref64_next_end(&s, &end));
	ck_assert_int_eq(mono_sub(end, now), 300 * NS_PER_S);
	pref64_learn(&s, &none, &r2, now); /* not that router's to withdraw */
	best_is(&s, "2001:db8:a::/96");
	pref64_learn(&s, &none, &r1, now);
	best_is(&s, "2001:db8:b::/96");
	pref64_expire(&s, mono_add(now, 299 * NS_PER_S));
	best_is(&s, "2001:db8:b::/96");
	pref64_expire(&s, mono_add(now, 300 * NS_PER_S));
	ck_assert_uint_eq(s.n, 0);
}
END_TEST

START_TEST(refreshed)
{
	struct in6_addr dns = in6addr_any;
	struct mono now = {NS_PER_S};
	struct pref64_list a = one("2001:db8:a::/96", 60),
			   b = one("2001:db8:b::/96", 60);
	struct pref64_set s = {0};

	pref64_learn(&s, &a, &dns, now);
	now = mono_add(now, 50 * NS_PER_S);
	pref64_learn(&s, &a, &dns, now);
	ck_assert_uint_eq(s.n, 1);
	pref64_expire(&s, mono_add(now, 59 * NS_PER_S));
	best_is(&s, "2001:db8:a::/96");
	pref64_learn(&s, &b, &dns, now);
	pref64_keep_only(&s, &b, &dns);
	ck_assert_uint_eq(s.n, 1);
	best_is(&s, "2001:db8:b::/96");
}
END_TEST

START_TEST(routers_before_dns)
{
	struct in6_addr r = in6("fe80::1"), dns = in6addr_any;
	struct mono now = {NS_PER_S};
	struct pref64_list a = one("2001:db8:a::/96", 60),
			   b = one("2001:db8:b::/96", 60),
			   c = one("2001:db8:c::/96", 60);
	struct pref64_set s = {0};

	pref64_learn(&s, &a, &dns, now);
	ck_assert(pref64_by_dns(&s.v[0]));
	pref64_learn(&s, &b, &r, now);
	best_is(&s, "2001:db8:b::/96");
	ck_assert(!pref64_by_dns(&s.v[0]));
	pref64_learn(&s, &c, &r, now); /* no better than the older one */
	best_is(&s, "2001:db8:b::/96");
	ck_assert_ptr_eq(pref64_find(&s, &c.v[0].p), &s.v[1]);
	ck_assert_ptr_eq(pref64_find(&s, &a.v[0].p), &s.v[2]);
	pref64_learn(&s, &a, &r, now);
	ck_assert_ptr_eq(pref64_find(&s, &a.v[0].p), &s.v[2]);
	ck_assert(!pref64_by_dns(&s.v[2]));
	ck_assert_uint_eq(s.n, 4);
	ck_assert_ptr_null(pref64_find(&s, &(struct prefix6){.len = 96}));
}
END_TEST

/* What the caller has noted stays while the prefix does. */
START_TEST(refusal_is_kept)
{
	struct in6_addr r = in6("fe80::1");
	struct mono now = {NS_PER_S};
	struct pref64_list a = one("2001:db8:a::/96", 60),
			   none = one("2001:db8:a::/96", 0);
	struct pref64_set s = {0};

	pref64_learn(&s, &a, &r, now);
	ck_assert(!s.v[0].refused);
	s.v[0].refused = true;
	pref64_learn(&s, &a, &r, mono_add(now, NS_PER_S));
	ck_assert(s.v[0].refused);
	ck_assert_int_eq(mono_sub(s.v[0].until, now), 61 * NS_PER_S);
	pref64_learn(&s, &none, &r, now);
	pref64_learn(&s, &a, &r, now);
	ck_assert(!s.v[0].refused);
}
END_TEST

/* A resolver cannot crowd out the routers. */
START_TEST(table_full_of_dns)
{
	struct in6_addr r = in6("fe80::1"), dns = in6addr_any;
	struct pref64_list b = one("2001:db8:b::/96", 60), l = {.n = 0};
	struct mono now = {NS_PER_S};
	struct pref64_set s = {0};

	for (unsigned int i = 0; i < PREF64_MAX; i++) {
		struct pref64_list x = one("2001:db8:a::/96", 60);

		x.v[0].p.addr.s6_addr[7] = (uint8_t)i;
		l.v[l.n++] = x.v[0];
	}
	pref64_learn(&s, &l, &dns, now);
	ck_assert_uint_eq(s.n, PREF64_MAX);
	pref64_learn(&s, &b, &dns, now);
	ck_assert_ptr_null(pref64_find(&s, &b.v[0].p));
	pref64_learn(&s, &b, &r, now);
	ck_assert_uint_eq(s.n, PREF64_MAX);
	best_is(&s, "2001:db8:b::/96");
	ck_assert_ptr_null(pref64_find(&s, &l.v[PREF64_MAX - 1].p));
}
END_TEST

START_TEST(table_full)
{
	struct pref64_set s = {0};
	struct mono now = {0};

	for (unsigned int i = 0; i < 2 * PREF64_MAX; i++) {
		struct pref64_list l = one("64:ff9b::/96", 60);
		struct in6_addr from = in6("fe80::1");

		from.s6_addr[8] = (uint8_t)i;
		pref64_learn(&s, &l, &from, now);
	}
	ck_assert_uint_eq(s.n, PREF64_MAX);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pref64");
	TCase *t = tcase_create("pref64");
	SRunner *r;
	int failed;

	tcase_add_test(t, every_length);
	tcase_add_test(t, order_and_repetition);
	tcase_add_test(t, no_well_known_address);
	tcase_add_test(t, twice_in_an_address);
	tcase_add_test(t, query);
	tcase_add_test(t, found);
	tcase_add_test(t, by_way_of_cname);
	tcase_add_test(t, negative);
	tcase_add_test(t, refused);
	tcase_add_test(t, not_ours);
	tcase_add_test(t, asked_again_in_time);
	tcase_add_test(t, pointers_that_loop);
	tcase_add_test(t, random_bytes);
	tcase_add_test(t, ra_option);
	tcase_add_test(t, ra_option_undefined);
	tcase_add_test(t, ra_discarded);
	tcase_add_test(t, withdrawn_and_replaced);
	tcase_add_test(t, refreshed);
	tcase_add_test(t, routers_before_dns);
	tcase_add_test(t, refusal_is_kept);
	tcase_add_test(t, table_full);
	tcase_add_test(t, table_full_of_dns);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

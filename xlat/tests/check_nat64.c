/* SPDX-License-Identifier: MIT */
/* RFC 6146 by the letter: mapping, filtering, states, timers, exhaustion. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../nat64/frag.h"
#include "../nat64/nat64.h"
#include "../nat64/syn.h"

#define S(n) ((n)*NS_PER_S)

static void *memory;
static struct nat64 *n;
static struct nat64_pool4 pool[4];
static struct nat64_cfg cfg;

static struct mono at(int64_t ns)
{
	return (struct mono){S(1000) + ns};
}

static void defaults(void)
{
	nat64_cfg_init(&cfg);
	cfg.pool4 = pool;
	cfg.n_pool4 = 1;
	cfg.max_sessions = cfg.max_bibs = 64;
	cfg.seed[0] = 1;
	cfg.seed[1] = 2;
	for (unsigned int i = 0; i < 4; i++) {
		pool[i].addr.s_addr = htonl(0xc0000201 + i);
		for (unsigned int k = 0; k < NAT64_N_PROTOS; k++) {
			pool[i].ports[k].lo = 1024;
			pool[i].ports[k].hi = 65535;
		}
	}
}

static void make(void)
{
	size_t bytes = nat64_memory(&cfg);

	free(memory);
	memory = aligned_alloc(64, (bytes + 63) & ~(size_t)63);
	memset(memory, 0, bytes);
	n = nat64_init(memory, &cfg, at(0));
	ck_assert_ptr_nonnull(n);
}

static void setup(void)
{
	defaults();
	make();
}

static void teardown(void)
{
	const char *wrong = n ? nat64_check(n) : NULL;

	ck_assert_msg(!wrong, "%s", wrong);
	free(memory);
	memory = NULL;
}

/* Host @h's flow to server @z; ports in host order. */
static struct nat64_flow flow6(enum nat64_proto proto, unsigned int h,
			       unsigned int x, unsigned int z, unsigned int y)
{
	struct nat64_flow f = {.proto = proto,
			       .src6_port = htons((uint16_t)x),
			       .dst_port = htons((uint16_t)y)};

	f.dst4.s_addr = htonl(0xc6336400 + z);
	inet_pton(AF_INET6, "2001:db8::", &f.src6);
	inet_pton(AF_INET6, "64:ff9b::", &f.dst6);
	f.src6.s6_addr[7] = (uint8_t)h; /* another /64 each */
	f.src6.s6_addr[15] = 1;
	memcpy(&f.dst6.s6_addr[12], &f.dst4, 4);
	return f;
}

/* The answer to @f from server @z, port @y. */
static struct nat64_flow back(const struct nat64_flow *f, unsigned int z,
			      unsigned int y)
{
	struct nat64_flow b = flow6(f->proto, 0, 0, z, y);

	b.src4 = f->src4;
	b.src4_port = f->src4_port;
	memset(&b.src6, 0, sizeof(b.src6));
	return b;
}

static struct nat64_stats stats(void)
{
	struct nat64_stats st;

	nat64_get_stats(n, &st);
	return st;
}

static void sweep(int64_t ns)
{
	while (nat64_expire(n, at(ns), 16))
		;
}

START_TEST(mapping_is_endpoint_independent)
{
	struct nat64_flow a = flow6(NAT64_UDP, 1, 5000, 1, 53);
	struct nat64_flow b = flow6(NAT64_UDP, 1, 5000, 2, 80), r;

	ck_assert_int_eq(nat64_out(n, &a, at(0)), REASON_OK);
	ck_assert_int_eq(nat64_out(n, &b, at(0)), REASON_OK);
	ck_assert_int_eq(a.src4.s_addr, b.src4.s_addr);
	ck_assert_int_eq(a.src4_port, b.src4_port);
	ck_assert_int_eq(stats().proto[NAT64_UDP].bibs, 1);
	ck_assert_int_eq(stats().proto[NAT64_UDP].sessions, 2);
	/* anybody may answer */
	r = back(&a, 77, 9);
	ck_assert_int_eq(nat64_in(n, &r, at(0)), REASON_OK);
	ck_assert_mem_eq(&r.src6, &a.src6, 16);
	ck_assert_int_eq(r.src6_port, htons(5000));
	ck_assert_int_eq(stats().proto[NAT64_UDP].sessions, 3);
}
END_TEST

START_TEST(filtering_is_address_dependent_when_asked)
{
	struct nat64_flow a = flow6(NAT64_UDP, 1, 5000, 1, 53), r;

	cfg.addr_dependent = true;
	make();
	ck_assert_int_eq(nat64_out(n, &a, at(0)), REASON_OK);
	r = back(&a, 2, 53);
	ck_assert_int_eq(nat64_in(n, &r, at(0)), REASON_NAT64_FILTERED);
	r = back(&a, 1, 9999); /* the address counts, not the port */
	ck_assert_int_eq(nat64_in(n, &r, at(0)), REASON_OK);
	ck_assert_int_eq(stats().filtered, 1);
	/* the permit goes with the last session to that address */
	a = flow6(NAT64_UDP, 1, 5000, 3, 1);
	ck_assert_int_eq(nat64_out(n, &a, at(S(200))), REASON_OK);
	sweep(S(301));
	r = back(&a, 1, 53);
	ck_assert_int_eq(nat64_in(n, &r, at(S(301))), REASON_NAT64_FILTERED);
	r = back(&a, 3, 53);
	ck_assert_int_eq(nat64_in(n, &r, at(S(301))), REASON_OK);
}
END_TEST

START_TEST(port_is_preserved_else_parity_and_range)
{
	struct nat64_flow a = flow6(NAT64_UDP, 1, 5001, 1, 53);
	struct nat64_flow b = flow6(NAT64_UDP, 2, 5001, 1, 53);
	struct nat64_flow c = flow6(NAT64_UDP, 3, 601, 1, 53);

	ck_assert_int_eq(nat64_out(n, &a, at(0)), REASON_OK);
	ck_assert_int_eq(a.src4_port, htons(5001));
	ck_assert_int_eq(nat64_out(n, &b, at(0)), REASON_OK);
	ck_assert_int_ne(b.src4_port, htons(5001));
	ck_assert_int_eq(ntohs(b.src4_port) & 1, 1);
	ck_assert_int_ge(ntohs(b.src4_port), 1024);
	/* no port below 1024 in the pool: parity still holds */
	ck_assert_int_eq(nat64_out(n, &c, at(0)), REASON_OK);
	ck_assert_int_eq(ntohs(c.src4_port) & 1, 1);
}
END_TEST

START_TEST(low_ports_stay_low)
{
	struct nat64_flow f;

	pool[0].ports[NAT64_UDP].lo = 1;
	make();
	for (unsigned int h = 1; h < 60; h++) {
		f = flow6(NAT64_UDP, h, 123, 1, 123);
		ck_assert_int_eq(nat64_out(n, &f, at(0)), REASON_OK);
		ck_assert_int_lt(ntohs(f.src4_port), 1024);
		ck_assert_int_eq(ntohs(f.src4_port) & 1, 1);
	}
}
END_TEST

START_TEST(subscriber_keeps_its_address)
{
	struct nat64_flow f, first;
	unsigned int addresses = 0, seen = 0;

	cfg.n_pool4 = 4;
	cfg.max_sessions = cfg.max_bibs = 1024;
	make();
	for (unsigned int h = 0; h < 40; h++) {
		first = flow6(NAT64_TCP, h, 2000, 1, 80);
		first.tcp_flags = NAT64_SYN;
		ck_assert_int_eq(nat64_out(n, &first, at(0)), REASON_OK);
		for (unsigned int i = 1; i < 10; i++) {
			f = flow6(i & 1 ? NAT64_UDP : NAT64_ICMP, h, 2000 + i,
				  i, 80);
			f.src6.s6_addr[15] = (uint8_t)i; /* same /64 */
			ck_assert_int_eq(nat64_out(n, &f, at(0)), REASON_OK);
			ck_assert_int_eq(f.src4.s_addr, first.src4.s_addr);
		}
		seen |= 1u << (ntohl(first.src4.s_addr) & 7);
	}
	for (; seen; seen >>= 1)
		addresses += seen & 1;
	ck_assert_int_eq(addresses, 4); /* and subscribers are spread */
}
END_TEST

START_TEST(full_address_overflows_to_the_next)
{
	struct nat64_flow f;

	cfg.n_pool4 = 2;
	for (unsigned int i = 0; i < 2; i++) {
		pool[i].ports[NAT64_UDP].lo = 4000;
		pool[i].ports[NAT64_UDP].hi = 4009;
	}
	make();
	for (unsigned int i = 0; i < 20; i++) {
		f = flow6(NAT64_UDP, 1, 1000 + i, 1, 53);
		ck_assert_int_eq(nat64_out(n, &f, at(0)), REASON_OK);
	}
	ck_assert_int_eq(stats().proto[NAT64_UDP].ports_free, 0);
	f = flow6(NAT64_UDP, 1, 2000, 1, 53);
	ck_assert_int_eq(nat64_out(n, &f, at(0)), REASON_NAT64_NO_PORT);
	ck_assert_int_eq(stats().no_port, 1);
	ck_assert_int_eq(stats().proto[NAT64_UDP].sessions, 20);
	/* other protocols have ports of their own */
	f = flow6(NAT64_ICMP, 1, 2000, 1, 0);
	ck_assert_int_eq(nat64_out(n, &f, at(0)), REASON_OK);
	/* and time gives ports back */
	sweep(S(300));
	sweep(S(421));
	f = flow6(NAT64_UDP, 1, 2000, 1, 53);
	ck_assert_int_eq(nat64_out(n, &f, at(S(421))), REASON_OK);
}
END_TEST

START_TEST(full_tables_leave_no_trace)
{
	struct nat64_flow f, r;

	cfg.max_sessions = 8;
	cfg.max_bibs = 4;
	make();
	for (unsigned int i = 0; i < 4; i++) {
		f = flow6(NAT64_UDP, 1, 1024 + i, 1, 53);
		ck_assert_int_eq(nat64_out(n, &f, at(0)), REASON_OK);
	}
	r = flow6(NAT64_UDP, 1, 5000, 1, 53);
	ck_assert_int_eq(nat64_out(n, &r, at(0)), REASON_NAT64_TABLE_FULL);
	ck_assert_int_eq(stats().bibs_full, 1);
	for (unsigned int i = 0; i < 4; i++) {
		f = flow6(NAT64_UDP, 1, 1024, 2 + i, 53);
		ck_assert_int_eq(nat64_out(n, &f, at(0)), REASON_OK);
	}
	f = flow6(NAT64_UDP, 1, 1024, 50, 53);
	ck_assert_int_eq(nat64_out(n, &f, at(0)), REASON_NAT64_TABLE_FULL);
	f = flow6(NAT64_UDP, 1, 1024, 2, 53);
	ck_assert_int_eq(nat64_out(n, &f, at(0)), REASON_OK);
	r = back(&f, 51, 53);
	ck_assert_int_eq(nat64_in(n, &r, at(0)), REASON_NAT64_TABLE_FULL);
	ck_assert_int_eq(stats().sessions_full, 2);
	ck_assert_ptr_null(nat64_check(n));
}
END_TEST

/* RFC 6888 REQ-4: one who opens without end hurts himself alone. */
START_TEST(a_greedy_subscriber_hurts_nobody_else)
{
	struct nat64_flow f, other;

	cfg.max_sessions = cfg.max_bibs = 64;
	cfg.limit_sessions = 20;
	cfg.limit_ports = 10;
	make();
	other = flow6(NAT64_UDP, 2, 1024, 1, 53);
	ck_assert_int_eq(nat64_out(n, &other, at(0)), REASON_OK);
	for (unsigned int i = 0; i < 10; i++) {
		f = flow6(NAT64_UDP, 1, 1024 + i, 1, 53);
		ck_assert_int_eq(nat64_out(n, &f, at(0)), REASON_OK);
	}
	for (unsigned int i = 0; i < 1000; i++) {
		f = flow6(NAT64_TCP, 1, 2000 + i, 1, 80);
		f.tcp_flags = NAT64_SYN;
		ck_assert_int_eq(nat64_out(n, &f, at(0)),
				 REASON_NAT64_HOST_PORTS);
	}
	/* ten more over what is mapped already, and that is all */
	for (unsigned int i = 0; i < 10; i++) {
		f = flow6(NAT64_UDP, 1, 1024, 2 + i, 53);
		ck_assert_int_eq(nat64_out(n, &f, at(0)), REASON_OK);
	}
	f = flow6(NAT64_UDP, 1, 1024, 99, 53);
	ck_assert_int_eq(nat64_out(n, &f, at(0)), REASON_NAT64_HOST_LIMIT);
	ck_assert_uint_eq(stats().limited_ports, 1000);
	ck_assert_uint_eq(stats().limited_sessions, 1);
	ck_assert_uint_eq(stats().subscribers, 2);
	/* what he has goes on, and so do the others */
	f = flow6(NAT64_UDP, 1, 1024, 1, 53);
	ck_assert_int_eq(nat64_out(n, &f, at(S(1))), REASON_OK);
	ck_assert_int_eq(nat64_out(n, &other, at(S(1))), REASON_OK);
	for (unsigned int h = 3; h < 23; h++) {
		f = flow6(NAT64_UDP, h, 1024, 1, 53);
		ck_assert_int_eq(nat64_out(n, &f, at(S(1))), REASON_OK);
	}
	/* time gives back what he may hold */
	sweep(S(302));
	ck_assert_uint_eq(stats().subscribers, 0);
	f = flow6(NAT64_UDP, 1, 9999, 1, 53);
	ck_assert_int_eq(nat64_out(n, &f, at(S(302))), REASON_OK);
}
END_TEST

START_TEST(strangers_fill_half_of_a_limit)
{
	struct nat64_flow f = flow6(NAT64_UDP, 1, 1024, 1, 53), r;

	cfg.limit_sessions = 20;
	make();
	ck_assert_int_eq(nat64_out(n, &f, at(0)), REASON_OK);
	for (unsigned int i = 0; i < 50; i++) {
		r = back(&f, 2 + i, 7);
		ck_assert_int_eq(nat64_in(n, &r, at(0)),
				 i < 10 ? REASON_OK : REASON_NAT64_HOST_LIMIT);
	}
	/* nine are left for the subscriber's own */
	for (unsigned int i = 0; i < 10; i++) {
		f = flow6(NAT64_UDP, 1, 1024, 100 + i, 53);
		ck_assert_int_eq(nat64_out(n, &f, at(0)),
				 i < 9 ? REASON_OK : REASON_NAT64_HOST_LIMIT);
	}
}
END_TEST

START_TEST(limits_are_of_the_prefix_that_is_asked_for)
{
	struct nat64_flow a = flow6(NAT64_UDP, 1, 1024, 1, 53);
	struct nat64_flow b = flow6(NAT64_UDP, 2, 1024, 1, 53);

	cfg.subscriber_len = 56; /* hosts 1 and 2 lie in one */
	cfg.limit_ports = 1;
	make();
	ck_assert_int_eq(nat64_out(n, &a, at(0)), REASON_OK);
	ck_assert_int_eq(nat64_out(n, &b, at(0)), REASON_NAT64_HOST_PORTS);
	/* a larger limit holds at once, a smaller one takes nothing away */
	nat64_set_limits(n, 0, 2, 0);
	ck_assert_int_eq(nat64_out(n, &b, at(0)), REASON_OK);
	nat64_set_limits(n, 1, 1, 0);
	ck_assert_int_eq(nat64_out(n, &a, at(0)), REASON_OK);
	ck_assert_int_eq(nat64_out(n, &b, at(0)), REASON_OK);
	nat64_set_limits(n, 0, 0, 0);
	a = flow6(NAT64_UDP, 1, 1025, 1, 53);
	ck_assert_int_eq(nat64_out(n, &a, at(0)), REASON_OK);
	ck_assert_uint_eq(stats().subscribers, 1);
}
END_TEST

/* RFC 6888 REQ-4c. */
START_TEST(new_mappings_have_a_rate)
{
	struct nat64_flow f = flow6(NAT64_UDP, 2, 5000, 1, 53);
	unsigned int port = 2000, made = 0;

	cfg.max_sessions = cfg.max_bibs = 1024;
	cfg.limit_rate = 5;
	make();
	/* ten seconds' worth at once, and then five a second */
	for (unsigned int i = 0; i < 100; i++) {
		f = flow6(NAT64_UDP, 1, port++, 1, 53);
		made += !nat64_out(n, &f, at(0));
	}
	ck_assert_uint_eq(made, 51);
	ck_assert_uint_eq(stats().limited_rate, 49);
	for (int64_t ms = 0; ms < 4000; ms += 10) {
		f = flow6(NAT64_UDP, 1, port++, 1, 53);
		made += !nat64_out(n, &f, at(ms * NS_PER_MS));
	}
	ck_assert_uint_eq(made, 51 + 19);
	/* what he has goes on, with new destinations; others are free */
	f = flow6(NAT64_UDP, 1, 2000, 9, 53);
	ck_assert_int_eq(nat64_out(n, &f, at(S(4) - 1)), REASON_OK);
	f = flow6(NAT64_UDP, 1, port, 1, 53);
	ck_assert_int_eq(nat64_out(n, &f, at(S(4) - 1)),
			 REASON_NAT64_HOST_RATE);
	f = flow6(NAT64_UDP, 2, 2000, 1, 53);
	ck_assert_int_eq(nat64_out(n, &f, at(S(4) - 1)), REASON_OK);
}
END_TEST

/* Host 1 leaves its port; what may host 2, which wants it, have at @ns? */
static bool next_has_it(enum nat64_proto proto, int64_t left_ns, int64_t ns)
{
	struct nat64_flow f = flow6(proto, 1, 5000, 1, 53);
	uint16_t port = htons(5000);

	make();
	f.tcp_flags = NAT64_SYN;
	ck_assert_int_eq(nat64_out(n, &f, at(0)), REASON_OK);
	ck_assert_int_eq(f.src4_port, port);
	sweep(left_ns);
	ck_assert_int_eq(stats().proto[proto].bibs, 0);
	sweep(ns);
	ck_assert_ptr_null(nat64_check(n));
	f = flow6(proto, 2, 5000, 1, 53);
	f.tcp_flags = NAT64_SYN;
	ck_assert_int_eq(nat64_out(n, &f, at(ns)), REASON_OK);
	return f.src4_port == port;
}

/* RFC 6888 REQ-8. */
START_TEST(a_port_rests_before_the_next_has_it)
{
	const int64_t udp = S(300), icmp = S(60), tcp = S(240);

	ck_assert(!next_has_it(NAT64_UDP, udp, udp + S(1)));
	ck_assert_uint_eq(stats().proto[NAT64_UDP].ports_held, 1);
	ck_assert(!next_has_it(NAT64_UDP, udp, udp + S(119)));
	ck_assert(next_has_it(NAT64_UDP, udp, udp + S(121)));
	ck_assert_uint_eq(stats().proto[NAT64_UDP].ports_held, 0);
	ck_assert(!next_has_it(NAT64_ICMP, icmp, icmp + S(119)));
	ck_assert(next_has_it(NAT64_ICMP, icmp, icmp + S(121)));
	/* the exceptions */
	ck_assert(next_has_it(NAT64_TCP, tcp, tcp + S(1)));
	cfg.addr_dependent = true;
	ck_assert(next_has_it(NAT64_UDP, udp, udp + S(1)));
	cfg.addr_dependent = false;
	cfg.timers.hold_ns = 0;
	ck_assert(next_has_it(NAT64_UDP, udp, udp + S(1)));
}
END_TEST

/* None is left but one that is held: it is not given. A static entry has it. */
START_TEST(a_held_port_is_not_given_for_want_of_others)
{
	struct nat64_flow f = flow6(NAT64_UDP, 1, 5000, 1, 53);

	for (unsigned int k = 0; k < NAT64_N_PROTOS; k++)
		pool[0].ports[k].lo = pool[0].ports[k].hi = 5000;
	make();
	ck_assert_int_eq(nat64_out(n, &f, at(0)), REASON_OK);
	sweep(S(300));
	f = flow6(NAT64_UDP, 2, 5000, 1, 53);
	ck_assert_int_eq(nat64_out(n, &f, at(S(301))), REASON_NAT64_NO_PORT);
	ck_assert_int_eq(nat64_add_static(n, NAT64_UDP, &f.src6, htons(7),
					  pool[0].addr, htons(5000)),
			 0);
	ck_assert_uint_eq(stats().proto[NAT64_UDP].ports_held, 0);
	ck_assert_ptr_null(nat64_check(n));
}
END_TEST

START_TEST(no_bib_no_way_in)
{
	struct nat64_flow f = flow6(NAT64_UDP, 1, 5000, 1, 53), r;

	f.src4.s_addr = pool[0].addr.s_addr;
	f.src4_port = htons(5000);
	r = back(&f, 1, 53);
	ck_assert_int_eq(nat64_in(n, &r, at(0)), REASON_NAT64_NO_BIB);
	ck_assert_int_eq(nat64_peek_in(n, &r, at(0)), REASON_NAT64_NO_SESSION);
	ck_assert_int_eq(nat64_peek_out(n, &f, at(0)), REASON_NAT64_NO_SESSION);
	ck_assert_int_eq(stats().proto[NAT64_UDP].sessions, 0);
}
END_TEST

START_TEST(peeking_neither_creates_nor_refreshes)
{
	struct nat64_flow f = flow6(NAT64_UDP, 1, 5000, 1, 53), r;
	struct nat64_flow again = f;

	ck_assert_int_eq(nat64_out(n, &f, at(0)), REASON_OK);
	r = back(&f, 1, 53);
	ck_assert_int_eq(nat64_peek_in(n, &r, at(S(299))), REASON_OK);
	ck_assert_mem_eq(&r.src6, &f.src6, 16);
	ck_assert_int_eq(nat64_peek_out(n, &again, at(S(299))), REASON_OK);
	ck_assert_int_eq(again.src4_port, f.src4_port);
	/* another port of the same server: no session, though a BIB entry */
	r = back(&f, 1, 54);
	ck_assert_int_eq(nat64_peek_in(n, &r, at(0)), REASON_NAT64_NO_SESSION);
	r = back(&f, 1, 53);
	ck_assert_int_eq(nat64_peek_in(n, &r, at(S(300))),
			 REASON_NAT64_NO_SESSION);
}
END_TEST

START_TEST(lifetimes_of_udp_and_icmp)
{
	static const struct {
		enum nat64_proto proto;
		int64_t life_ns;
	} cases[] = {{NAT64_UDP, S(300)}, {NAT64_ICMP, S(60)}};
	struct nat64_flow f = flow6(cases[_i].proto, 1, 5000, 1, 0), r;
	int64_t life = cases[_i].life_ns;

	ck_assert_int_eq(nat64_out(n, &f, at(0)), REASON_OK);
	/* both directions refresh */
	ck_assert_int_eq(nat64_out(n, &f, at(life - 1)), REASON_OK);
	r = back(&f, 1, 0);
	ck_assert_int_eq(nat64_in(n, &r, at(2 * life - 2)), REASON_OK);
	ck_assert_int_eq(nat64_peek_in(n, &r, at(3 * life - 3)), REASON_OK);
	ck_assert_int_eq(nat64_peek_in(n, &r, at(3 * life - 2)),
			 REASON_NAT64_NO_SESSION);
	/* not swept yet, but over: gone on the next packet */
	ck_assert_int_eq(nat64_in(n, &r, at(3 * life - 2)),
			 REASON_NAT64_NO_BIB);
	ck_assert_int_eq(stats().proto[cases[_i].proto].expired, 1);
	ck_assert_int_eq(stats().proto[cases[_i].proto].bibs, 0);
}
END_TEST

START_TEST(sweeping_is_bounded)
{
	struct nat64_flow f;
	unsigned int calls = 0;

	for (unsigned int i = 0; i < 64; i++) {
		f = flow6(NAT64_UDP, 1, 1024 + i, 1, 53);
		ck_assert_int_eq(nat64_out(n, &f, at(0)), REASON_OK);
	}
	while (nat64_expire(n, at(S(300)), 8)) {
		ck_assert_int_le(++calls, 10000);
		ck_assert_ptr_null(nat64_check(n));
	}
	ck_assert_int_ge(calls, 64 / 8);
	ck_assert_int_eq(stats().proto[NAT64_UDP].sessions, 0);
	/* a jump of years is one turn of the wheel */
	calls = 0;
	while (nat64_expire(n, at(S(1000000000LL)), 1000))
		calls++;
	ck_assert_int_le(calls, 9);
}
END_TEST

/* ---- TCP: section 3.5.2.2 -------------------------------------------------
 */

static void expect_state(enum nat64_state want, int64_t left_s, int64_t now)
{
	struct nat64_session_info v[2];
	uint32_t cursor = 0;

	ck_assert_int_eq(nat64_list_sessions(n, &cursor, 1000, at(now), v, 2),
			 1);
	ck_assert_str_eq(nat64_state_name(v[0].state), nat64_state_name(want));
	ck_assert_int_eq(v[0].left_ns / NS_PER_S, left_s);
}

#define ACK 0x10

START_TEST(tcp_life_of_a_connection)
{
	struct nat64_flow f = flow6(NAT64_TCP, 1, 5000, 1, 80), r;

	f.tcp_flags = NAT64_SYN;
	ck_assert_int_eq(nat64_out(n, &f, at(0)), REASON_OK);
	expect_state(NAT64_V6_INIT, 240, 0);
	r = back(&f, 1, 80);
	r.tcp_flags = NAT64_SYN | ACK;
	ck_assert_int_eq(nat64_in(n, &r, at(S(1))), REASON_OK);
	expect_state(NAT64_ESTABLISHED, 7440, S(1));
	f.tcp_flags = ACK;
	ck_assert_int_eq(nat64_out(n, &f, at(S(7000))), REASON_OK);
	expect_state(NAT64_ESTABLISHED, 7440, S(7000));
	f.tcp_flags = NAT64_FIN | ACK;
	ck_assert_int_eq(nat64_out(n, &f, at(S(7001))), REASON_OK);
	expect_state(NAT64_V6_FIN, 7440, S(7001));
	r.tcp_flags = ACK;
	ck_assert_int_eq(nat64_in(n, &r, at(S(7002))), REASON_OK);
	expect_state(NAT64_V6_FIN, 7440, S(7002));
	r.tcp_flags = NAT64_FIN | ACK;
	ck_assert_int_eq(nat64_in(n, &r, at(S(7003))), REASON_OK);
	expect_state(NAT64_BOTH_FIN, 240, S(7003));
	f.tcp_flags = ACK;
	ck_assert_int_eq(nat64_out(n, &f, at(S(7100))), REASON_OK);
	expect_state(NAT64_BOTH_FIN, 143, S(7100)); /* not refreshed */
	ck_assert_int_eq(nat64_out(n, &f, at(S(7243))), REASON_NAT64_TCP_SYN);
}
END_TEST

START_TEST(tcp_reset_and_revival)
{
	struct nat64_flow f = flow6(NAT64_TCP, 1, 5000, 1, 80), r;

	f.tcp_flags = NAT64_SYN;
	ck_assert_int_eq(nat64_out(n, &f, at(0)), REASON_OK);
	r = back(&f, 1, 80);
	r.tcp_flags = NAT64_SYN | ACK;
	ck_assert_int_eq(nat64_in(n, &r, at(0)), REASON_OK);
	r.tcp_flags = NAT64_RST;
	ck_assert_int_eq(nat64_in(n, &r, at(0)), REASON_OK);
	expect_state(NAT64_TRANS, 240, 0);
	ck_assert_int_eq(nat64_in(n, &r, at(S(10))), REASON_OK);
	expect_state(NAT64_TRANS, 230, S(10));
	/* a forged reset does not end a connection that goes on */
	f.tcp_flags = ACK;
	ck_assert_int_eq(nat64_out(n, &f, at(S(20))), REASON_OK);
	expect_state(NAT64_ESTABLISHED, 7440, S(20));
	f.tcp_flags = NAT64_RST;
	ck_assert_int_eq(nat64_out(n, &f, at(S(30))), REASON_OK);
	sweep(S(269));
	ck_assert_int_eq(stats().proto[NAT64_TCP].sessions, 1);
	sweep(S(270)); /* moved nearer in the wheel */
	ck_assert_int_eq(stats().proto[NAT64_TCP].sessions, 0);
}
END_TEST

/* One host that sends SYNs without end leaves room for others'. */
START_TEST(stored_syns_are_shared)
{
	static struct nat64_syns t;
	struct nat64_syn over;
	struct nat64_flow f;
	unsigned int greedy = 0, others = 0, told = 0;

	nat64_syns_init(&t, 7);
	for (unsigned int i = 0; i < 5000; i++) {
		f = flow6(NAT64_TCP, 1, 1000, 1, 1000 + i);
		greedy += nat64_syn_store(&t, &f, "x", 1, at(0)) ==
			  REASON_NAT64_SYN_QUEUE;
	}
	ck_assert_uint_eq(greedy, NAT64_SYN_SHARE);
	for (unsigned int i = 0; i < 100; i++) {
		f = flow6(NAT64_TCP, 1, 1000, 2 + i, 80);
		others += nat64_syn_store(&t, &f, "x", 1, at(0)) ==
			  REASON_NAT64_SYN_QUEUE;
	}
	ck_assert_uint_ge(others, 98);
	/* taken or told, a place is free again */
	f = flow6(NAT64_TCP, 1, 1000, 101, 80);
	ck_assert(nat64_syn_take(&t, &f, at(S(1))));
	while (nat64_syn_expire(&t, at(S(7)), 100000, &over))
		told++;
	ck_assert_uint_eq(told, greedy + others - 1);
	for (unsigned int i = 0; i < NAT64_SYN_HOSTS; i++)
		ck_assert_uint_eq(t.by_host[i], 0);
	f = flow6(NAT64_TCP, 1, 1000, 1, 1000);
	ck_assert_int_eq(nat64_syn_store(&t, &f, "x", 1, at(S(7))),
			 REASON_NAT64_SYN_QUEUE);
}
END_TEST

START_TEST(tcp_needs_a_syn)
{
	struct nat64_flow f = flow6(NAT64_TCP, 1, 5000, 1, 80);
	struct nat64_flow g = flow6(NAT64_TCP, 1, 5000, 2, 80), r;

	f.tcp_flags = ACK;
	ck_assert_int_eq(nat64_out(n, &f, at(0)), REASON_NAT64_TCP_SYN);
	f.tcp_flags = NAT64_SYN;
	ck_assert_int_eq(nat64_out(n, &f, at(0)), REASON_OK);
	/* with a BIB entry it passes, and no session comes of it */
	g.tcp_flags = ACK;
	ck_assert_int_eq(nat64_out(n, &g, at(0)), REASON_OK);
	ck_assert_int_eq(g.src4_port, f.src4_port);
	r = back(&f, 9, 80);
	r.tcp_flags = ACK;
	ck_assert_int_eq(nat64_in(n, &r, at(0)), REASON_OK);
	ck_assert_int_eq(stats().proto[NAT64_TCP].sessions, 1);
}
END_TEST

START_TEST(tcp_opened_from_the_ipv4_side)
{
	struct nat64_flow f = flow6(NAT64_TCP, 1, 22, 1, 4000), r;

	ck_assert_int_eq(nat64_add_static(n, NAT64_TCP, &f.src6, htons(22),
					  pool[0].addr, htons(2222)),
			 0);
	f.src4 = pool[0].addr;
	f.src4_port = htons(2222);
	r = back(&f, 1, 4000);
	r.tcp_flags = NAT64_SYN;
	ck_assert_int_eq(nat64_in(n, &r, at(0)), REASON_OK);
	ck_assert_mem_eq(&r.src6, &f.src6, 16);
	ck_assert_int_eq(r.src6_port, htons(22));
	expect_state(NAT64_V4_INIT, 240, 0);
	f.tcp_flags = NAT64_SYN | ACK;
	ck_assert_int_eq(nat64_out(n, &f, at(S(1))), REASON_OK);
	expect_state(NAT64_ESTABLISHED, 7440, S(1));
	/* a static entry outlives its sessions */
	sweep(S(7441));
	sweep(S(7441 + 240));
	ck_assert_int_eq(stats().proto[NAT64_TCP].sessions, 0);
	ck_assert_int_eq(stats().proto[NAT64_TCP].bibs, 1);
}
END_TEST

static struct nat64_flow probed;
static unsigned int n_probed;

static void on_probe(void *arg, const struct nat64_flow *f, struct mono now)
{
	(void)now;
	ck_assert_ptr_eq(arg, &probed);
	probed = *f;
	n_probed++;
}

/* A connection from host 1 that is established at 1 s, in the table of now. */
static struct nat64_flow establish(void)
{
	struct nat64_flow f = flow6(NAT64_TCP, 1, 5000, 1, 80), r;

	f.tcp_flags = NAT64_SYN;
	ck_assert_int_eq(nat64_out(n, &f, at(0)), REASON_OK);
	r = back(&f, 1, 80);
	r.tcp_flags = NAT64_SYN | ACK;
	ck_assert_int_eq(nat64_in(n, &r, at(S(1))), REASON_OK);
	nat64_set_probe(n, on_probe, &probed);
	n_probed = 0;
	return f;
}

/* Silent for its whole time: asked once, and it may answer for four minutes. */
START_TEST(tcp_idle_connection_is_probed)
{
	struct nat64_flow f = establish();

	sweep(S(7440));
	ck_assert_uint_eq(n_probed, 0);
	expect_state(NAT64_ESTABLISHED, 1, S(7440));
	sweep(S(7441));
	ck_assert_uint_eq(n_probed, 1);
	ck_assert_mem_eq(&probed.src6, &f.src6, 16);
	ck_assert_mem_eq(&probed.dst6, &f.dst6, 16);
	ck_assert_int_eq(probed.src6_port, f.src6_port);
	ck_assert_int_eq(probed.dst_port, f.dst_port);
	expect_state(NAT64_TRANS, 240, S(7441));
	/* it is there: as new, and asked again after as long a silence */
	f.tcp_flags = ACK;
	ck_assert_int_eq(nat64_out(n, &f, at(S(7500))), REASON_OK);
	expect_state(NAT64_ESTABLISHED, 7440, S(7500));
	sweep(S(7500 + 7440));
	ck_assert_uint_eq(n_probed, 2);
	sweep(S(7500 + 7440 + 239));
	ck_assert_int_eq(stats().proto[NAT64_TCP].sessions, 1);
	ck_assert_int_eq(stats().proto[NAT64_TCP].expired, 0);
	sweep(S(7500 + 7440 + 240));
	ck_assert_uint_eq(n_probed, 2);
	ck_assert_int_eq(stats().proto[NAT64_TCP].sessions, 0);
	ck_assert_int_eq(stats().proto[NAT64_TCP].expired, 1);
}
END_TEST

/* A packet that comes before the sweep has seen the silence breaks it; what
 * is no connection, or half closed, is not asked. */
START_TEST(tcp_probe_is_for_idle_connections_only)
{
	struct nat64_flow f = establish(), g;

	f.tcp_flags = ACK;
	ck_assert_int_eq(nat64_out(n, &f, at(S(8000))), REASON_OK);
	sweep(S(8000));
	ck_assert_uint_eq(n_probed, 0);
	expect_state(NAT64_ESTABLISHED, 7440, S(8000));
	f.tcp_flags = NAT64_FIN | ACK;
	ck_assert_int_eq(nat64_out(n, &f, at(S(8000))), REASON_OK);
	g = flow6(NAT64_UDP, 1, 5000, 1, 53);
	ck_assert_int_eq(nat64_out(n, &g, at(S(8000))), REASON_OK);
	g = flow6(NAT64_TCP, 1, 5001, 1, 80);
	g.tcp_flags = NAT64_SYN;
	ck_assert_int_eq(nat64_out(n, &g, at(S(8000))), REASON_OK);
	sweep(S(8000 + 7440));
	ck_assert_uint_eq(n_probed, 0);
	ck_assert_int_eq(stats().proto[NAT64_TCP].sessions, 0);
}
END_TEST

/* What the peer has packets of is the peer's to ask about. */
START_TEST(tcp_probe_is_not_for_copies)
{
	struct nat64_session_info info = {
		.flow = flow6(NAT64_TCP, 1, 5000, 1, 80),
		.state = NAT64_ESTABLISHED,
		.left_ns = S(100)};

	info.flow.src4 = pool[0].addr;
	info.flow.src4_port = htons(5000);
	nat64_set_probe(n, on_probe, &probed);
	n_probed = 0;
	ck_assert_int_eq(nat64_import(n, &info, 0, at(0)), NAT64_IMPORT_ADDED);
	sweep(S(100));
	expect_state(NAT64_TRANS, 240, S(100));
	/* the peer's word that it was asked finds it there */
	info.state = NAT64_TRANS;
	info.version = 1;
	info.left_ns = S(240);
	ck_assert_int_eq(nat64_import(n, &info, 0, at(S(101))),
			 NAT64_IMPORT_UPDATED);
	expect_state(NAT64_TRANS, 240, S(101));
	sweep(S(341));
	ck_assert_int_eq(stats().proto[NAT64_TCP].sessions, 0);
	ck_assert_uint_eq(n_probed, 0);
}
END_TEST

START_TEST(static_entries_are_checked)
{
	struct nat64_flow f = flow6(NAT64_UDP, 1, 53, 1, 0);
	struct in_addr other = {htonl(0x0a000001)};

	ck_assert_int_eq(nat64_add_static(n, NAT64_UDP, &f.src6, htons(53),
					  other, htons(5353)),
			 -ENOENT);
	ck_assert_int_eq(nat64_add_static(n, NAT64_UDP, &f.src6, htons(53),
					  pool[0].addr, htons(53)),
			 -ENOENT);
	ck_assert_int_eq(nat64_add_static(n, NAT64_UDP, &f.src6, htons(53),
					  pool[0].addr, htons(5353)),
			 0);
	ck_assert_int_eq(nat64_add_static(n, NAT64_UDP, &f.src6, htons(53),
					  pool[0].addr, htons(5354)),
			 -EEXIST);
	ck_assert_int_eq(nat64_add_static(n, NAT64_UDP, &f.src6, htons(54),
					  pool[0].addr, htons(5353)),
			 -EEXIST);
	/* nobody else is given that port */
	f = flow6(NAT64_UDP, 2, 5353, 1, 53);
	ck_assert_int_eq(nat64_out(n, &f, at(0)), REASON_OK);
	ck_assert_int_ne(f.src4_port, htons(5353));
}
END_TEST

START_TEST(bad_configurations_are_refused)
{
	static unsigned char room[1 << 20] __attribute__((aligned(64)));
	struct nat64_cfg c = cfg;

	cfg.n_pool4 = 2;
	pool[1].addr = pool[0].addr;
	ck_assert_ptr_null(nat64_init(room, &cfg, at(0)));
	defaults();
	pool[0].ports[0].lo = 5;
	pool[0].ports[0].hi = 4;
	memset(room, 0, sizeof(room));
	ck_assert_ptr_null(nat64_init(room, &cfg, at(0)));
	c.max_sessions = 0;
	ck_assert_ptr_null(nat64_init(room, &c, at(0)));
}
END_TEST

START_TEST(memory_a_session_stays_small)
{
	size_t small, large;

	cfg.max_sessions = cfg.max_bibs = 1 << 16;
	small = nat64_memory(&cfg);
	cfg.max_sessions = cfg.max_bibs = 1 << 20;
	large = nat64_memory(&cfg);
	ck_assert_int_le((large - small) / ((1 << 20) - (1 << 16)), 128);
}
END_TEST

START_TEST(listings_come_in_pages)
{
	struct nat64_bib_info b[7];
	struct nat64_session_info s[7];
	uint32_t cursor = 0;
	size_t bibs = 0, sessions = 0;
	struct nat64_flow f;

	for (unsigned int i = 0; i < 50; i++) {
		f = flow6(NAT64_UDP, i / 10, 1024 + i / 2, i, 53);
		ck_assert_int_eq(nat64_out(n, &f, at(0)), REASON_OK);
	}
	while (cursor != UINT32_MAX)
		bibs += nat64_list_bibs(n, &cursor, 5, b, 7);
	cursor = 0;
	while (cursor != UINT32_MAX)
		sessions += nat64_list_sessions(n, &cursor, 5, at(0), s, 7);
	ck_assert_int_eq(bibs, 25);
	ck_assert_int_eq(sessions, 50);
}
END_TEST

START_TEST(fragments_find_their_ports)
{
	static struct nat64_frags t;
	struct nat64_frag_key k = {.id = 7, .proto = 17}, other = k;
	__be16 x, y;

	nat64_frags_init(&t, 5);
	other.id = 8;
	nat64_frag_add(&t, &k, htons(1), htons(2), at(0));
	ck_assert(nat64_frag_find(&t, &k, at(NAT64_FRAG_LIFE_NS - 1), &x, &y));
	ck_assert_int_eq(ntohs(x), 1);
	ck_assert_int_eq(ntohs(y), 2);
	ck_assert(!nat64_frag_find(&t, &other, at(0), &x, &y));
	ck_assert(!nat64_frag_find(&t, &k, at(NAT64_FRAG_LIFE_NS), &x, &y));
	/* a flood displaces, but what was just added is there */
	for (uint32_t i = 0; i < 100000; i++) {
		k.id = i;
		nat64_frag_add(&t, &k, (__be16)i, 0, at(i));
		ck_assert(nat64_frag_find(&t, &k, at(i), &x, &y));
		ck_assert_int_eq(x, (__be16)i);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("nat64");
	TCase *t = tcase_create("rfc6146");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, mapping_is_endpoint_independent);
	tcase_add_test(t, filtering_is_address_dependent_when_asked);
	tcase_add_test(t, port_is_preserved_else_parity_and_range);
	tcase_add_test(t, low_ports_stay_low);
	tcase_add_test(t, subscriber_keeps_its_address);
	tcase_add_test(t, full_address_overflows_to_the_next);
	tcase_add_test(t, full_tables_leave_no_trace);
	tcase_add_test(t, a_greedy_subscriber_hurts_nobody_else);
	tcase_add_test(t, strangers_fill_half_of_a_limit);
	tcase_add_test(t, limits_are_of_the_prefix_that_is_asked_for);
	tcase_add_test(t, new_mappings_have_a_rate);
	tcase_add_test(t, a_port_rests_before_the_next_has_it);
	tcase_add_test(t, a_held_port_is_not_given_for_want_of_others);
	tcase_add_test(t, no_bib_no_way_in);
	tcase_add_test(t, peeking_neither_creates_nor_refreshes);
	tcase_add_loop_test(t, lifetimes_of_udp_and_icmp, 0, 2);
	tcase_add_test(t, sweeping_is_bounded);
	tcase_add_test(t, tcp_life_of_a_connection);
	tcase_add_test(t, tcp_reset_and_revival);
	tcase_add_test(t, tcp_needs_a_syn);
	tcase_add_test(t, stored_syns_are_shared);
	tcase_add_test(t, tcp_opened_from_the_ipv4_side);
	tcase_add_test(t, tcp_idle_connection_is_probed);
	tcase_add_test(t, tcp_probe_is_for_idle_connections_only);
	tcase_add_test(t, tcp_probe_is_not_for_copies);
	tcase_add_test(t, static_entries_are_checked);
	tcase_add_test(t, bad_configurations_are_refused);
	tcase_add_test(t, memory_a_session_stays_small);
	tcase_add_test(t, listings_come_in_pages);
	tcase_add_test(t, fragments_find_their_ports);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}

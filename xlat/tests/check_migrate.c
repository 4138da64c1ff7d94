/* SPDX-License-Identifier: MIT */
/* Sessions move to tables of another configuration, as far as they fit. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../nat64/nat64.h"

#define HOSTS 40

static struct nat64_pool4 pool[2];
static struct nat64_cfg cfg;
static void *memory[2];
static struct nat64 *from, *to;
static struct mono now = {1000 * NS_PER_S};
static struct in6_addr server = {
	.s6_addr = {0x20, 1, 0xd, 0xb8, [15] = 9},
};
static unsigned int events[NAT64_BIB_END + 1];

static struct nat64 *make(int i)
{
	size_t bytes = (nat64_memory(&cfg) + 63) & ~(size_t)63;
	struct nat64 *n;

	memory[i] = aligned_alloc(64, bytes);
	ck_assert_ptr_nonnull(memory[i]);
	memset(memory[i], 0, bytes);
	n = nat64_init(memory[i], &cfg, now);
	ck_assert_ptr_nonnull(n);
	return n;
}

static void on_event(void *arg, enum nat64_event ev,
		     const struct nat64_session_info *s)
{
	(void)arg;
	(void)s;
	events[ev]++;
}

static void setup(void)
{
	nat64_cfg_init(&cfg);
	cfg.pool4 = pool;
	cfg.n_pool4 = 2;
	cfg.max_sessions = cfg.max_bibs = 128;
	cfg.seed[0] = 1;
	for (unsigned int i = 0; i < 2; i++) {
		pool[i].addr.s_addr = htonl(0xc0000201 + i);
		for (unsigned int k = 0; k < NAT64_N_PROTOS; k++) {
			pool[i].ports[k].lo = 1024;
			pool[i].ports[k].hi = 65535;
		}
	}
	from = make(0);
	ck_assert(nat64_watch(from, on_event, NULL));
	memset(events, 0, sizeof(events));
}

static void teardown(void)
{
	const char *wrong = nat64_check(to);

	ck_assert_msg(!wrong, "%s", wrong);
	free(memory[0]);
	free(memory[1]);
}

static struct nat64_flow flow(unsigned int host, unsigned int port)
{
	struct nat64_flow f = {.proto = NAT64_UDP,
			       .src6_port = htons((uint16_t)port),
			       .dst_port = htons(53)};

	f.src6.s6_addr[7] = (uint8_t)host;
	f.src6.s6_addr[15] = 1;
	f.dst4.s_addr = htonl(0xc6336401);
	return f;
}

static struct nat64_stats stats(const struct nat64 *n)
{
	struct nat64_stats st;

	nat64_get_stats(n, &st);
	return st;
}

/* Returns how many of them are at the second address. */
static unsigned int open_sessions(struct nat64_flow f[HOSTS])
{
	unsigned int second = 0;

	for (unsigned int i = 0; i < HOSTS; i++) {
		f[i] = flow(i, 5000 + i);
		ck_assert_int_eq(nat64_out(from, &f[i], now), REASON_OK);
		second += f[i].src4.s_addr == pool[1].addr.s_addr;
	}
	return second;
}

START_TEST(what_fits_stays_as_it_is)
{
	struct nat64_flow f[HOSTS];

	open_sessions(f);
	memset(events, 0, sizeof(events));
	cfg.max_sessions = cfg.max_bibs = 64;
	cfg.addr_dependent = true;
	cfg.limit_sessions = 5;
	to = make(1);
	ck_assert_uint_eq(nat64_migrate(to, from, now), 0);
	for (unsigned int i = 0; i < HOSTS; i++) {
		struct nat64_flow again = flow(i, 5000 + i), in = f[i];

		ck_assert_int_eq(nat64_out(to, &again, now), REASON_OK);
		ck_assert_int_eq(again.src4_port, f[i].src4_port);
		ck_assert_int_eq(again.src4.s_addr, f[i].src4.s_addr);
		ck_assert_int_eq(nat64_in(to, &in, now), REASON_OK);
		ck_assert_mem_eq(&in.src6, &f[i].src6, 16);
	}
	ck_assert_uint_eq(stats(to).proto[NAT64_UDP].sessions, HOSTS);
	ck_assert_uint_eq(stats(to).proto[NAT64_UDP].created, HOSTS);
	for (unsigned int i = 0; i <= NAT64_BIB_END; i++)
		ck_assert_uint_eq(events[i], 0);
}
END_TEST

START_TEST(what_left_pool4_ends_and_is_told)
{
	struct nat64_flow f[HOSTS], late = flow(200, 7);
	unsigned int second = open_sessions(f);

	ck_assert_uint_gt(second, 0);
	ck_assert_uint_lt(second, HOSTS);
	memset(events, 0, sizeof(events));
	cfg.n_pool4 = 1;
	to = make(1);
	ck_assert_uint_eq(nat64_migrate(to, from, now), second);
	ck_assert_uint_eq(stats(to).not_moved, second);
	ck_assert_uint_eq(stats(to).proto[NAT64_UDP].sessions, HOSTS - second);
	ck_assert_uint_eq(events[NAT64_SESSION_END], second);
	ck_assert_uint_eq(events[NAT64_BIB_END], second);
	/* the watcher came along */
	ck_assert_int_eq(nat64_out(to, &late, now), REASON_OK);
	ck_assert_uint_eq(events[NAT64_SESSION_NEW], 1);
}
END_TEST

START_TEST(a_smaller_table_takes_what_it_holds)
{
	struct nat64_flow f[HOSTS];

	open_sessions(f);
	cfg.max_sessions = 16;
	cfg.max_bibs = 8;
	to = make(1);
	ck_assert_uint_eq(nat64_migrate(to, from, now), HOSTS - 8);
	ck_assert_uint_eq(stats(to).proto[NAT64_UDP].bibs, 8);
}
END_TEST

START_TEST(what_is_over_does_not_move)
{
	struct nat64_flow f[HOSTS];

	open_sessions(f);
	to = make(1);
	now = mono_add(now, 301 * NS_PER_S);
	ck_assert_uint_eq(nat64_migrate(to, from, now), 0);
	ck_assert_uint_eq(stats(to).proto[NAT64_UDP].sessions, 0);
	ck_assert_uint_eq(stats(to).proto[NAT64_UDP].expired, HOSTS);
}
END_TEST

/* The configured ones come first; those added while running move. */
START_TEST(static_entries_come_first)
{
	struct nat64_flow f = flow(1, 5000), other = flow(2, 6000);

	ck_assert_int_eq(nat64_out(from, &f, now), REASON_OK);
	ck_assert_int_eq(nat64_add_static(from, NAT64_TCP, &server, htons(80),
					  pool[0].addr, htons(8080)),
			 0);
	memset(events, 0, sizeof(events));
	to = make(1);
	ck_assert_int_eq(nat64_add_static(to, NAT64_UDP, &server, htons(53),
					  f.src4, f.src4_port),
			 0);
	ck_assert_uint_eq(nat64_migrate(to, from, now), 1);
	ck_assert_uint_eq(events[NAT64_BIB_END], 1);
	ck_assert_uint_eq(events[NAT64_BIB_NEW], 1);
	ck_assert_int_eq(nat64_del_static(to, NAT64_TCP, &server, htons(80),
					  pool[0].addr, htons(8080)),
			 0);
	ck_assert_uint_eq(events[NAT64_BIB_END], 2);
	ck_assert_int_eq(nat64_out(to, &other, now), REASON_OK);
}
END_TEST

START_TEST(a_deleted_static_entry_goes_with_its_last_session)
{
	struct nat64_flow in = {.proto = NAT64_UDP,
				.src4 = pool[0].addr,
				.src4_port = htons(5353),
				.dst_port = htons(1)};

	to = from;
	in.dst4.s_addr = htonl(0xc6336407);
	ck_assert_int_eq(nat64_add_static(to, NAT64_UDP, &server, htons(53),
					  in.src4, in.src4_port),
			 0);
	ck_assert_int_eq(nat64_in(to, &in, now), REASON_OK);
	ck_assert_int_eq(nat64_del_static(to, NAT64_UDP, &server, htons(54),
					  in.src4, in.src4_port),
			 -ENOENT);
	ck_assert_int_eq(nat64_del_static(to, NAT64_UDP, &server, htons(53),
					  in.src4, in.src4_port),
			 0);
	ck_assert_int_eq(nat64_del_static(to, NAT64_UDP, &server, htons(53),
					  in.src4, in.src4_port),
			 -ENOENT);
	ck_assert_uint_eq(stats(to).proto[NAT64_UDP].bibs, 1);
	now = mono_add(now, 301 * NS_PER_S);
	while (nat64_expire(to, now, 64))
		;
	ck_assert_uint_eq(stats(to).proto[NAT64_UDP].bibs, 0);
	ck_assert_uint_eq(events[NAT64_BIB_END], 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("migrate");
	TCase *t = tcase_create("migrate");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, what_fits_stays_as_it_is);
	tcase_add_test(t, what_left_pool4_ends_and_is_told);
	tcase_add_test(t, a_smaller_table_takes_what_it_holds);
	tcase_add_test(t, what_is_over_does_not_move);
	tcase_add_test(t, static_entries_come_first);
	tcase_add_test(t, a_deleted_static_entry_goes_with_its_last_session);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}

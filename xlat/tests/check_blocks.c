/* SPDX-License-Identifier: MIT */
/* RFC 7422: each subscriber's port block, by arithmetic and in the tables. */
#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../nat64/nat64.h"

static struct nat64_blocks blocks;
static struct mono now = {1000 * NS_PER_S};

static void setup(void)
{
	blocks = (struct nat64_blocks){
		.subscriber_len = 56, .low = 1024, .high = 65535, .size = 1000};
	ck_assert_int_eq(
		prefix6_parse("2001:db8:1200::/49", &blocks.subscribers), 0);
}

static struct in6_addr host(const char *text)
{
	struct in6_addr a;

	ck_assert_int_eq(inet_pton(AF_INET6, text, &a), 1);
	return a;
}

/* 64 blocks an address: 128 subscribers need two. */
START_TEST(they_fit_or_not)
{
	ck_assert_uint_eq(nat64_blocks_each(&blocks), 64);
	ck_assert(!nat64_blocks_fit(&blocks, 1));
	ck_assert(nat64_blocks_fit(&blocks, 2));
	blocks.size = 64513;
	ck_assert(!nat64_blocks_fit(&blocks, 4096));
	blocks.size = 1;
	blocks.subscriber_len = 49;
	ck_assert(!nat64_blocks_fit(&blocks, 4096));
	blocks.subscriber_len = 81;
	ck_assert(!nat64_blocks_fit(&blocks, 4096));
}
END_TEST

START_TEST(known_answers)
{
	struct in6_addr a = host("2001:db8:1200:4155::9"), b;
	struct prefix6 p;
	uint32_t addr;
	uint16_t low;
	char text[ADDR_TEXT_LEN];

	/* subscriber 0x41 = 65: the second block of the second address */
	ck_assert(nat64_blocks_find(&blocks, &a, &addr, &low));
	ck_assert_uint_eq(addr, 1);
	ck_assert_uint_eq(low, 2024);
	ck_assert(nat64_blocks_owner(&blocks, 1, 2024, &p));
	ck_assert_str_eq(prefix6_format(&p, text), "2001:db8:1200:4100::/56");
	ck_assert(nat64_blocks_owner(&blocks, 1, 3023, &p));
	ck_assert_str_eq(prefix6_format(&p, text), "2001:db8:1200:4100::/56");
	ck_assert(!nat64_blocks_owner(&blocks, 1, 1023, &p));
	ck_assert(!nat64_blocks_owner(&blocks, 1, 65024, &p));
	ck_assert(!nat64_blocks_owner(&blocks, 2, 1024, &p));
	b = host("2001:db8:1200:8000::1");
	ck_assert(!nat64_blocks_find(&blocks, &b, &addr, &low));
}
END_TEST

START_TEST(every_subscriber_finds_himself)
{
	for (uint64_t i = 0; i < 128; i++) {
		struct prefix6 p, back;
		uint32_t addr;
		uint16_t low;

		ck_assert_int_eq(prefix6_subnet(&blocks.subscribers, 56, i, &p),
				 0);
		ck_assert(nat64_blocks_find(&blocks, &p.addr, &addr, &low));
		for (unsigned int k = 0; k < 1000; k += 333) {
			ck_assert(nat64_blocks_owner(
				&blocks, addr, (uint16_t)(low + k), &back));
			ck_assert_mem_eq(&back.addr, &p.addr, 16);
		}
	}
}
END_TEST

/* A host takes the ports of his block, all of them, and no other. */
START_TEST(the_table_keeps_to_them)
{
	struct nat64_pool4 pool[2] = {{.addr.s_addr = htonl(0xc0000202)},
				      {.addr.s_addr = htonl(0xc0000201)}};
	struct nat64_flow f = {.proto = NAT64_UDP, .dst_port = htons(53)};
	struct nat64_cfg cfg;
	struct nat64 *n;
	size_t bytes;
	void *mem;

	nat64_cfg_init(&cfg);
	for (unsigned int i = 0; i < 6; i++) {
		pool[i / 3].ports[i % 3].lo = 1024;
		pool[i / 3].ports[i % 3].hi = 65535;
	}
	cfg.pool4 = pool;
	cfg.n_pool4 = 2;
	cfg.subscriber_len = 56;
	cfg.blocks = blocks;
	bytes = (nat64_memory(&cfg) + 63) & ~(size_t)63;
	mem = aligned_alloc(64, bytes);
	ck_assert_ptr_nonnull(mem);
	memset(mem, 0, bytes);
	n = nat64_init(mem, &cfg, now);
	ck_assert_ptr_nonnull(n);
	f.src6 = host("2001:db8:1200:4155::9");
	for (unsigned int i = 0; i <= 1000; i++) {
		f.src6_port = htons((uint16_t)(1500 + i));
		ck_assert_int_eq(nat64_out(n, &f, now),
				 i < 1000 ? REASON_OK
					  : REASON_NAT64_HOST_PORTS);
		ck_assert_uint_eq(ntohl(f.src4.s_addr), 0xc0000202);
		ck_assert_uint_ge(ntohs(f.src4_port), 2024);
		ck_assert_uint_le(ntohs(f.src4_port), 3023);
		if (i < 1000)
			ck_assert(nat64_in_block(n, &f));
	}
	f.src6 = host("2001:db8:1200:4255::9");
	ck_assert_int_eq(nat64_out(n, &f, now), REASON_OK);
	f.src6 = host("2001:db8:ff::9");
	ck_assert_int_eq(nat64_out(n, &f, now), REASON_NAT64_HOST_PORTS);
	ck_assert_ptr_null(nat64_check(n));
	cfg.n_pool4 = 1;
	ck_assert_ptr_null(nat64_init(mem, &cfg, now));
	free(mem);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("blocks");
	TCase *t = tcase_create("blocks");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, they_fit_or_not);
	tcase_add_test(t, known_answers);
	tcase_add_test(t, every_subscriber_finds_himself);
	tcase_add_test(t, the_table_keeps_to_them);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}

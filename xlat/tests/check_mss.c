/* SPDX-License-Identifier: MIT */
/* MSS clamping: what is lowered, what is left alone, and the checksum. */
#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../base/rng.h"
#include "../core/csum.h"
#include "../core/mss.h"

static uint8_t data[256];
static struct pkt pkt;

/* A SYN of @family with these options, a multiple of 4, and a good checksum. */
static void make(int family, const void *options, size_t len)
{
	uint32_t l3 = family == 4 ? 20 : 40;
	uint8_t *tcp = data + l3;
	uint16_t tcp_len = (uint16_t)(20 + len), check;

	memset(data, 0, sizeof(data));
	data[0] = family == 4 ? 0x45 : 0x60;
	data[family == 4 ? 9 : 6] = 6;
	memset(data + (family == 4 ? 12 : 8), 0x5a, l3 == 20 ? 8 : 32);
	tcp[12] = (uint8_t)(tcp_len / 4 << 4);
	tcp[13] = 2;
	memcpy(tcp + 20, options, len);
	check = (uint16_t)~csum_fold(csum_add(
		family == 4 ? csum_pseudo4(data + 12, data + 16, 6, tcp_len)
			    : csum_pseudo6(data + 8, data + 24, 6, tcp_len),
		tcp, tcp_len));
	memcpy(tcp + 16, &check, 2);
	pkt = (struct pkt){.data = data, .len = l3 + tcp_len};
}

static bool sum_good(int family)
{
	uint32_t l3 = family == 4 ? 20 : 40, n = pkt.len - l3;

	return csum_fold(csum_add(
		       family == 4 ? csum_pseudo4(data + 12, data + 16, 6, n)
				   : csum_pseudo6(data + 8, data + 24, 6, n),
		       data + l3, n)) == 0xffff;
}

START_TEST(lowered)
{
	for (int family = 4; family <= 6; family += 2) {
		uint8_t *mss = data + (family == 4 ? 20 : 40) + 22;

		make(family, "\2\4\5\xb4", 4); /* 1460 */
		ck_assert(mss_clamp(&pkt, 1220));
		ck_assert_int_eq(mss[0] << 8 | mss[1], 1220);
		ck_assert(sum_good(family));
		ck_assert(!mss_clamp(&pkt, 1220));
		ck_assert(!mss_clamp(&pkt, 1221));
		/* at an odd offset */
		make(family, "\1\2\4\5\xb4\1\1\0", 8);
		ck_assert(mss_clamp(&pkt, 536));
		ck_assert_int_eq(mss[1] << 8 | mss[2], 536);
		ck_assert(sum_good(family));
		/* behind another option, and an answer */
		make(family, "\3\3\7\1\2\4\xff\xff", 8);
		data[(family == 4 ? 20 : 40) + 13] = 0x12;
		ck_assert(mss_clamp(&pkt, 1220));
	}
}
END_TEST

START_TEST(left_alone)
{
	uint8_t before[sizeof(data)];
	static const struct {
		const char *options;
		size_t len;
	} v[] = {
		{"", 0},
		{"\0\2\4\5\xb4\0\0\0", 8},
		{"\2\3\5\xb4", 4},
		{"\2\5\5\xb4\1\1\1\1", 8},
		{"\3\0\1\1", 4},
		{"\3\11\1\1", 4},
		{"\1\1\1\2", 4},
		{"\1\1\2\4", 4},
		{"\3\3\7\2\4\5\0\0", 8},
	};

	for (unsigned int i = 0; i < sizeof(v) / sizeof(*v); i++) {
		make(6, v[i].options, v[i].len);
		memcpy(before, data, sizeof(data));
		mss_clamp(&pkt, 2000);
		ck_assert_mem_eq(before, data, sizeof(data));
		if (i < 8)
			ck_assert(!mss_clamp(&pkt, 536));
	}
	make(6, "\2\4\5\xb4", 4); /* no SYN */
	data[53] = 0x10;
	ck_assert(!mss_clamp(&pkt, 536));
	make(4, "\2\4\5\xb4", 4); /* a later fragment */
	data[7] = 1;
	ck_assert(!mss_clamp(&pkt, 536));
	make(6, "\2\4\5\xb4", 4); /* not TCP */
	data[6] = 44;
	ck_assert(!mss_clamp(&pkt, 536));
}
END_TEST

START_TEST(unfinished_checksum)
{
	uint8_t before[2];

	make(6, "\2\4\5\xb4", 4);
	pkt.gso.needs_csum = true;
	memcpy(before, data + 56, 2);
	ck_assert(mss_clamp(&pkt, 536));
	ck_assert_mem_eq(before, data + 56, 2);
}
END_TEST

START_TEST(any_bytes)
{
	uint8_t behind[sizeof(data)];
	unsigned int touched = 0;
	struct rng r;

	memset(behind, 0xee, sizeof(behind));
	rng_init(&r, 9293);
	for (unsigned int i = 0; i < 50000; i++) {
		make(i & 1 ? 4 : 6, "\1\2\4\5\xb4\3\3\7\2\4\5\xb4", 12);
		for (unsigned int k = 0; k < 3; k++)
			data[rng_below(&r, pkt.len)] = (uint8_t)rng_next(&r);
		pkt.len = (uint32_t)rng_below(&r, pkt.len + 1);
		/* what lies behind the packet is somebody else's */
		memset(data + pkt.len, 0xee, sizeof(data) - pkt.len);
		mss_clamp(&pkt, 536);
		/* an assertion each time would take a minute */
		touched += memcmp(data + pkt.len, behind,
				  sizeof(data) - pkt.len) != 0;
	}
	ck_assert_uint_eq(touched, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mss");
	TCase *t = tcase_create("mss");
	SRunner *r;
	int failed;

	tcase_add_test(t, lowered);
	tcase_add_test(t, left_alone);
	tcase_add_test(t, unfinished_checksum);
	tcase_add_test(t, any_bytes);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: MIT */
/* The relay's pure parts: shaper and dice, segmentation, histogram, config. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../xlat/base/clock.h"
#include "../relay/hist.h"
#include "../relay/impair.h"
#include "../relay/segment.h"
#include "../relay/slots.h"

#define MS NS_PER_MS

static struct relay_impair none(void)
{
	return (struct relay_impair){.burst_bytes = RELAY_BURST_BYTES,
				     .queue_ns = RELAY_QUEUE_NS};
}

/* ---- impair ----------------------------------------------------------------
 */

START_TEST(impair_nothing)
{
	struct relay_impair c = none();
	struct impair im;
	struct impair_verdict v;

	impair_init(&im, &c, 1);
	ck_assert(!impair_per_packet(&im));
	for (int i = 0; i < 1000; i++) {
		impair_decide(&im, i * 7, 1514, &v);
		ck_assert_int_eq(v.fate, IMPAIR_SEND);
		ck_assert_int_eq(v.release_ns, i * 7);
		ck_assert(!v.duplicate && !v.express);
	}
}
END_TEST

/* 12 Mbit/s: 1500 bytes take 1 ms; a burst of two packets; queue 5 ms. */
START_TEST(impair_rate)
{
	struct relay_impair c = {
		.rate_bps = 12e6, .burst_bytes = 3000, .queue_ns = 5e6};
	const int64_t want[] = {0, 0, 1 * MS, 2 * MS, 3 * MS, 4 * MS, 5 * MS};
	struct impair im;
	struct impair_verdict v;

	impair_init(&im, &c, 1);
	for (int i = 0; i < 7; i++) {
		impair_decide(&im, 0, 1500, &v);
		ck_assert_int_eq(v.fate, IMPAIR_SEND);
		ck_assert_int_eq(v.release_ns, want[i]);
	}
	impair_decide(&im, 0, 1500, &v);
	ck_assert_int_eq(v.fate, IMPAIR_QUEUE_FULL);
	/* a drop leaves no trace: 1 ms later there is room for one again */
	impair_decide(&im, 1 * MS, 1500, &v);
	ck_assert_int_eq(v.fate, IMPAIR_SEND);
	ck_assert_int_eq(v.release_ns, 6 * MS);
	/* idle for long: the bucket is full, not more than full */
	for (int i = 0; i < 3; i++)
		impair_decide(&im, 1000 * MS, 1500, &v);
	ck_assert_int_eq(v.release_ns, 1001 * MS);
}
END_TEST

/* A packet above the burst waits for its tokens and leaves whole. */
START_TEST(impair_rate_superpacket)
{
	struct relay_impair c = {
		.rate_bps = 8e6, .burst_bytes = 2000, .queue_ns = 1e9};
	struct impair im;
	struct impair_verdict v;

	impair_init(&im, &c, 1);
	impair_decide(&im, 0, 62000, &v);
	ck_assert_int_eq(v.release_ns, 60 * MS);
	impair_decide(&im, 0, 1000, &v);
	ck_assert_int_eq(v.release_ns, 61 * MS);
}
END_TEST

START_TEST(impair_delay_jitter_keeps_order)
{
	struct relay_impair c = none();
	struct impair im;
	struct impair_verdict v;
	int64_t last = 0, lo = INT64_MAX, hi = 0;

	c.delay_ns = 10e6;
	c.jitter_ns = 3e6;
	impair_init(&im, &c, 42);
	for (int i = 0; i < 20000; i++) {
		int64_t now = i * 10 * MS;

		impair_decide(&im, now, 100, &v);
		ck_assert(v.release_ns >= last);
		last = v.release_ns;
		lo = v.release_ns - now < lo ? v.release_ns - now : lo;
		hi = v.release_ns - now > hi ? v.release_ns - now : hi;
	}
	ck_assert(lo >= 7 * MS && lo < 7 * MS + MS / 100);
	ck_assert(hi <= 13 * MS && hi > 13 * MS - MS / 100);
	for (int i = 0; i < 20000; i++) { /* closer than the jitter */
		impair_decide(&im, 200000 * MS + i * 1000, 100, &v);
		ck_assert(v.release_ns >= last);
		last = v.release_ns;
	}
}
END_TEST

static unsigned int fates(uint64_t seed, struct relay_impair *c, char *out,
			  unsigned int n, int64_t step)
{
	struct impair im;
	struct impair_verdict v;
	unsigned int lost = 0;

	impair_init(&im, c, seed);
	for (unsigned int i = 0; i < n; i++) {
		impair_decide(&im, i * step, 100, &v);
		out[i] = v.fate == IMPAIR_LOST ? 'x' : v.duplicate ? '2' : '.';
		lost += v.fate == IMPAIR_LOST;
	}
	return lost;
}

START_TEST(impair_same_seed_same_fate)
{
	static char a[100000], b[100000];
	struct relay_impair c = none();
	unsigned int lost;

	c.loss = 0.1;
	c.duplicate = 0.05;
	lost = fates(7, &c, a, sizeof(a), MS);
	ck_assert(lost > 9500 && lost < 10500);
	fates(7, &c, b, sizeof(b), MS);
	ck_assert(!memcmp(a, b, sizeof(a)));
	/* neither time nor the other settings disturb the dice */
	c.jitter_ns = 5e6;
	c.delay_ns = 2e7;
	fates(7, &c, b, sizeof(b), 13);
	ck_assert(!memcmp(a, b, sizeof(a)));
	fates(8, &c, b, sizeof(b), MS);
	ck_assert(memcmp(a, b, sizeof(a)) != 0);
}
END_TEST

START_TEST(impair_all_lost)
{
	static char a[1000];
	struct relay_impair c = none();

	c.loss = 1;
	ck_assert_uint_eq(fates(1, &c, a, sizeof(a), MS), sizeof(a));
}
END_TEST

START_TEST(impair_reorder)
{
	struct relay_impair c = none();
	struct impair im;
	struct impair_verdict v;
	unsigned int express = 0;

	c.delay_ns = 10e6;
	c.reorder = 0.25;
	impair_init(&im, &c, 3);
	ck_assert(impair_per_packet(&im));
	for (int64_t i = 0; i < 10000; i++) {
		impair_decide(&im, i * MS, 100, &v);
		express += v.express;
		ck_assert_int_eq(v.release_ns, (v.express ? i : i + 10) * MS);
	}
	ck_assert(express > 2300 && express < 2700);
	/* without a delay there is nothing to overtake */
	c.delay_ns = 0;
	impair_init(&im, &c, 3);
	for (int64_t i = 0; i < 1000; i++) {
		impair_decide(&im, i * MS, 100, &v);
		ck_assert(!v.express);
	}
}
END_TEST

START_TEST(impair_set_keeps_order)
{
	struct relay_impair c = none();
	struct impair im;
	struct impair_verdict v;

	c.delay_ns = 100e6;
	impair_init(&im, &c, 1);
	impair_decide(&im, 0, 100, &v);
	ck_assert_int_eq(v.release_ns, 100 * MS);
	c.delay_ns = 1e6;
	impair_set(&im, &c, 10 * MS);
	impair_decide(&im, 10 * MS, 100, &v);
	ck_assert_int_eq(v.release_ns, 100 * MS);
	impair_decide(&im, 200 * MS, 100, &v);
	ck_assert_int_eq(v.release_ns, 201 * MS);
	c.loss = 1;
	impair_set(&im, &c, 300 * MS);
	impair_decide(&im, 300 * MS, 100, &v);
	ck_assert_int_eq(v.fate, IMPAIR_LOST);
}
END_TEST

START_TEST(impair_seeds_differ)
{
	ck_assert(impair_seed(1, "a", RELAY_UP) !=
		  impair_seed(1, "a", RELAY_DOWN));
	ck_assert(impair_seed(1, "a", RELAY_UP) !=
		  impair_seed(1, "b", RELAY_UP));
	ck_assert(impair_seed(1, "a", RELAY_UP) !=
		  impair_seed(2, "a", RELAY_UP));
	ck_assert(impair_seed(1, "a", RELAY_UP) ==
		  impair_seed(1, "a", RELAY_UP));
}
END_TEST

/* ---- segment ---------------------------------------------------------------
 */

static uint32_t sum16(const uint8_t *p, size_t n)
{
	uint32_t s = 0;

	for (size_t i = 0; i < n; i++)
		s += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return s;
}

/* What the kernel does with a partial checksum, last of all. */
static void finish_checksum(uint8_t *f, size_t len,
			    const struct virtio_net_hdr *v)
{
	uint32_t s = sum16(f + v->csum_start, len - v->csum_start);

	f[v->csum_start + v->csum_offset] = (uint8_t)(~s >> 8);
	f[v->csum_start + v->csum_offset + 1] = (uint8_t)~s;
}

static uint32_t pseudo(const uint8_t *f, size_t l4, size_t len)
{
	bool v4 = f[14] >> 4 == 4;
	uint32_t s = v4 ? sum16(f + 26, 8) : sum16(f + 22, 32);
	uint8_t tail[] = {0, v4 ? f[23] : f[20], (uint8_t)((len - l4) >> 8),
			  (uint8_t)(len - l4)};

	s += sum16(tail, sizeof(tail));
	return (s & 0xffff) + (s >> 16);
}

static void check_packet(uint8_t *f, size_t len, const struct virtio_net_hdr *v)
{
	size_t l4 = v->csum_start;
	uint32_t s;

	ck_assert_int_eq(v->gso_type, VIRTIO_NET_HDR_GSO_NONE);
	ck_assert_int_eq(v->flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	finish_checksum(f, len, v);
	s = pseudo(f, l4, len) + sum16(f + l4, len - l4);
	ck_assert_uint_eq((s & 0xffff) + (s >> 16), 0xffff);
	if (f[14] >> 4 == 4) {
		ck_assert_uint_eq(sum16(f + 14, 20), 0xffff);
		ck_assert_uint_eq(f[16] << 8 | f[17], len - 14);
	} else {
		ck_assert_uint_eq(f[18] << 8 | f[19], len - 54);
	}
}

/* A superpacket as the stack makes it; returns its length. */
static size_t make_super(uint8_t *f, bool v4, bool tcp, size_t payload,
			 struct virtio_net_hdr *v)
{
	static const uint8_t addresses[] = {192, 0, 2, 1, 198, 51, 100, 45};
	static const uint8_t seq[] = {0xff, 0xff, 0xff, 0}; /* wraps */
	size_t l4 = v4 ? 34 : 54, hdr = tcp ? 32 : 8;
	size_t len = l4 + hdr + payload;
	uint32_t s;

	memset(f, 0, l4 + hdr);
	for (size_t i = 0; i < 12; i++)
		f[i] = (uint8_t)(0x10 + i);
	f[12] = v4 ? 0x08 : 0x86;
	f[13] = v4 ? 0x00 : 0xdd;
	f[14] = v4 ? 0x45 : 0x60;
	if (v4) {
		f[16] = (uint8_t)((len - 14) >> 8);
		f[17] = (uint8_t)(len - 14);
		f[18] = 0xff; /* ID 0xfffe: wraps */
		f[19] = 0xfe;
		f[22] = 64;
		memcpy(f + 26, addresses, sizeof(addresses));
	} else {
		f[18] = (uint8_t)((len - 54) >> 8);
		f[19] = (uint8_t)(len - 54);
		f[21] = 64;
		for (int i = 0; i < 32; i++)
			f[22 + i] = (uint8_t)(i * 17);
	}
	f[v4 ? 23 : 20] = tcp ? 6 : 17;
	f[l4] = 0x12;
	f[l4 + 3] = 0x50;
	if (tcp) {
		memcpy(f + l4 + 4, seq, sizeof(seq));
		f[l4 + 12] = 8 << 4;
		f[l4 + 13] = 0x80 | 0x10 | 0x08 | 0x01; /* CWR ACK PSH FIN */
	} else {
		f[l4 + 4] = (uint8_t)((len - l4) >> 8);
		f[l4 + 5] = (uint8_t)(len - l4);
	}
	for (size_t i = 0; i < payload; i++)
		f[l4 + hdr + i] = (uint8_t)(i * 31 + i / 256);
	s = pseudo(f, l4, len);
	f[l4 + (tcp ? 16 : 6)] = (uint8_t)(s >> 8);
	f[l4 + (tcp ? 16 : 6) + 1] = (uint8_t)s;
	*v = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = !tcp ? VIRTIO_NET_HDR_GSO_UDP_L4
			    : v4 ? VIRTIO_NET_HDR_GSO_TCPV4
				 : VIRTIO_NET_HDR_GSO_TCPV6,
		.gso_size = 1400,
		.hdr_len = (uint16_t)(l4 + hdr),
		.csum_start = (uint16_t)l4,
		.csum_offset = tcp ? 16 : 6,
	};
	return len;
}

static void check_segments(bool v4, bool tcp)
{
	static uint8_t f[70000], out[70000];
	const size_t payload = 1400 * 9 + 123;
	struct virtio_net_hdr v, vo;
	size_t len = make_super(f, v4, tcp, payload, &v), done = 0, wire = 0;
	struct segment_plan p;

	ck_assert_int_eq(segment_plan_init(&p, f, 1984, len, &v), 0);
	ck_assert_uint_eq(p.n, 10);
	for (unsigned int i = 0; i < p.n; i++) {
		size_t n = segment_build(&p, f, &v, i, out, &vo);
		size_t l4 = v4 ? 34 : 54;

		ck_assert_uint_eq(n, p.payload + (i < 9 ? 1400 : 123));
		ck_assert(!memcmp(out + p.payload, f + p.payload + done,
				  n - p.payload));
		if (tcp) {
			uint32_t seq = 0xffffff00u + (uint32_t)done;
			uint8_t flags = 0x10;

			flags |= i ? 0 : 0x80;
			flags |= i == 9 ? 0x09 : 0;
			ck_assert_uint_eq(out[l4 + 4] << 8 | out[l4 + 5],
					  seq >> 16);
			ck_assert_uint_eq(out[l4 + 6] << 8 | out[l4 + 7],
					  seq & 0xffff);
			ck_assert_uint_eq(out[l4 + 13], flags);
		} else {
			ck_assert_uint_eq(out[l4 + 4] << 8 | out[l4 + 5],
					  n - l4);
		}
		if (v4)
			ck_assert_uint_eq(out[18] << 8 | out[19],
					  (0xfffeu + i) & 0xffff);
		check_packet(out, n, &vo);
		done += n - p.payload;
		wire += n;
	}
	ck_assert_uint_eq(done, payload);
	ck_assert_uint_eq(wire, segment_wire_bytes(&p));
}

START_TEST(segment_all_kinds)
{
	check_segments(_i & 1, _i & 2);
}
END_TEST

START_TEST(segment_refuses)
{
	static uint8_t f[70000];
	struct virtio_net_hdr v;
	size_t len = make_super(f, true, true, 5000, &v);
	struct virtio_net_hdr w = v;
	struct segment_plan p;

	w.gso_type = 9;
	ck_assert_int_eq(segment_plan_init(&p, f, 1984, len, &w), -EOPNOTSUPP);
	w = v;
	w.flags = 0;
	ck_assert_int_eq(segment_plan_init(&p, f, 1984, len, &w), -EOPNOTSUPP);
	w = v;
	w.gso_size = 0;
	ck_assert_int_eq(segment_plan_init(&p, f, 1984, len, &w), -EINVAL);
	w = v;
	w.csum_start = 2000;
	ck_assert_int_eq(segment_plan_init(&p, f, 1984, len, &w), -EINVAL);
	w = v;
	w.csum_offset = 6;
	ck_assert_int_eq(segment_plan_init(&p, f, 1984, len, &w), -EINVAL);
	ck_assert_int_eq(segment_plan_init(&p, f, 50, len, &v), -EINVAL);
	ck_assert_int_eq(segment_plan_init(&p, f, 66, 66, &v), -EINVAL);
	f[46] = 4 << 4; /* TCP header of 16 bytes */
	ck_assert_int_eq(segment_plan_init(&p, f, 1984, len, &v), -EINVAL);
	f[46] = 8 << 4;
	f[14] = 0x4f; /* IPv4 header that overlaps TCP's */
	ck_assert_int_eq(segment_plan_init(&p, f, 1984, len, &v), -EINVAL);
}
END_TEST

/* ---- hist ------------------------------------------------------------------
 */

START_TEST(hist_quantiles)
{
	static struct hist h;

	ck_assert_uint_eq(hist_quantile(&h, 0.5), 0);
	for (int i = 1; i <= 1000; i++)
		hist_add(&h, i * 1000);
	hist_add(&h, -5);
	ck_assert_uint_eq(h.max, 1000000);
	ck_assert(hist_quantile(&h, 0.5) >= 500000);
	ck_assert(hist_quantile(&h, 0.5) <= 520000);
	ck_assert(hist_quantile(&h, 0.99) >= 990000);
	ck_assert_uint_eq(hist_quantile(&h, 1), 1000000);
	ck_assert_uint_eq(hist_quantile(&h, 0), 0);
	hist_add(&h, INT64_MAX);
	ck_assert_uint_eq(hist_quantile(&h, 1), INT64_MAX);
	hist_reset(&h);
	ck_assert_uint_eq(h.n, 0);
}
END_TEST

/* A burst counts for the time it takes, not for its packets. */
START_TEST(slots_weigh_time)
{
	static struct slots s;

	slots_reset(&s);
	ck_assert_uint_eq(slots_quantile(&s, 1), 0);
	for (int64_t ms = 0; ms < 2000; ms++)
		slots_add(&s, ms * NS_PER_MS, 1000);
	for (int i = 0; i < 5000; i++)
		slots_add(&s, 2000 * NS_PER_MS + i, 20 * NS_PER_MS);
	/* one slot of 201 */
	ck_assert_uint_le(slots_quantile(&s, 0.99), 1040);
	ck_assert_uint_eq(slots_quantile(&s, 1), 20 * NS_PER_MS);
	slots_add(&s, 2015 * NS_PER_MS, -5);
	slots_add(&s, 2025 * NS_PER_MS, 30 * NS_PER_MS);
	slots_add(&s, 9000 * NS_PER_MS, 15 * NS_PER_MS);
	slots_add(&s, 9010 * NS_PER_MS, 15 * NS_PER_MS);
	/* four of 205 */
	ck_assert_uint_ge(slots_quantile(&s, 0.99), 15 * NS_PER_MS);
	slots_reset(&s);
	ck_assert_uint_eq(slots_quantile(&s, 1), 0);
}
END_TEST

/* ---- config -----------------------------------------------------------------
 */

#define LINK(extra) "{\"name\":\"l\",\"a\":\"x\",\"b\":\"y\"" extra "}"
#define CONF(links) "{\"seed\":5,\"links\":[" links "]}"

START_TEST(config_good)
{
	struct relay_config c;
	struct err e = {""};

	ck_assert_int_eq(
		relay_config_parse("f",
				   CONF(LINK(",\"up\":{\"loss\":0.5,"
					     "\"delay_ns\":10000000}")),
				   &c, &e),
		0);
	ck_assert_uint_eq(c.seed, 5);
	ck_assert_uint_eq(c.n_links, 1);
	ck_assert_str_eq(c.links[0].a, "x");
	ck_assert(c.links[0].impair[RELAY_UP].loss == 0.5);
	ck_assert(c.links[0].impair[RELAY_UP].delay_ns == 1e7);
	ck_assert(c.links[0].impair[RELAY_UP].burst_bytes == 65536);
	ck_assert(c.links[0].impair[RELAY_DOWN].loss == 0);
	relay_config_fini(&c);
}
END_TEST

static const struct {
	const char *text, *says;
} bad_configs[] = {
	{"{", "f:1:1"},
	{"[]", "one object"},
	{"{\"links\":[]}", "seed must be"},
	{"{\"seed\":1,\"links\":[]}", "links must be"},
	{"{\"seed\":1,\"lniks\":[]}", "did you mean 'links'"},
	{CONF("3"), "must be an object"},
	{CONF("{\"name\":\"l\",\"a\":\"x\"}"), "b must be a string"},
	{CONF(LINK(",\"up\":3")), "up must be an object"},
	{CONF(LINK(",\"up\":{\"los\":1}")), "did you mean 'loss'"},
	{CONF(LINK(",\"up\":{\"loss\":1.5}")), "must be 0 to 1"},
	{CONF(LINK(",\"up\":{\"loss\":-1}")), "must be 0 to 1"},
	{CONF(LINK(",\"up\":{\"loss\":\"1\"}")), "must be a number"},
	{CONF(LINK(",\"down\":{\"rate_bps\":7}")), "at least 1000"},
	{CONF(LINK(",\"dwon\":{}")), "did you mean 'down'"},
	{CONF(LINK("") "," LINK("")), "two links are named"},
	{CONF(LINK("") ",{\"name\":\"m\",\"a\":\"y\",\"b\":\"z\"}"),
	 "share an interface"},
	{CONF("{\"name\":\"m\",\"a\":\"y\",\"b\":\"y\"}"), "both ends"},
	{CONF("{\"name\":\"m\",\"a\":\"abcdefghijklmnopq\",\"b\":\"y\"}"),
	 "longer than 15"},
};

START_TEST(config_bad)
{
	struct relay_config c;
	struct err e = {""};

	ck_assert_int_eq(relay_config_parse("f", bad_configs[_i].text, &c, &e),
			 -EINVAL);
	ck_assert_msg(strstr(e.text, bad_configs[_i].says) != NULL,
		      "'%s' does not say '%s'", e.text, bad_configs[_i].says);
	ck_assert_ptr_null(c.links);
}
END_TEST

START_TEST(config_no_file)
{
	struct relay_config c;
	struct err e = {""};

	ck_assert_int_eq(relay_config_load("/nonexistent/x", &c, &e), -ENOENT);
	ck_assert(strstr(e.text, "/nonexistent/x") != NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("relay");
	TCase *tc = tcase_create("pure");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, impair_nothing);
	tcase_add_test(tc, impair_rate);
	tcase_add_test(tc, impair_rate_superpacket);
	tcase_add_test(tc, impair_delay_jitter_keeps_order);
	tcase_add_test(tc, impair_same_seed_same_fate);
	tcase_add_test(tc, impair_all_lost);
	tcase_add_test(tc, impair_reorder);
	tcase_add_test(tc, impair_set_keeps_order);
	tcase_add_test(tc, impair_seeds_differ);
	tcase_add_loop_test(tc, segment_all_kinds, 0, 4);
	tcase_add_test(tc, segment_refuses);
	tcase_add_test(tc, hist_quantiles);
	tcase_add_test(tc, slots_weigh_time);
	tcase_add_test(tc, config_good);
	tcase_add_loop_test(tc, config_bad, 0,
			    sizeof(bad_configs) / sizeof(*bad_configs));
	tcase_add_test(tc, config_no_file);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: MIT */
/*
 * An SIIT as configured, packet by packet: hairpinning there and back, the
 * hostile set (forged, looping, lying packets), and the balance of the
 * counters over thousands of random ones.
 */
#include "core_random.h"

#include "../daemon/config.h"
#include "../daemon/setup.h"
#include "../io/io.h"

#define CONFIG                                                                 \
	"tun: {name: t}\npref64: 64:ff9b::/96\nallow-private: true\n"          \
	"seed: 1\nicmp-source4: 203.0.113.1\n"                                 \
	"icmp-source6: 64:ff9b::203.0.113.1\nicmp-rate: 1000pps\n"             \
	"icmp-pool4: 198.51.100.0/24\n"                                        \
	"eam:\n  - {ipv4: 192.0.2.1, ipv6: \"2001:db8:aaaa::\"}\n"             \
	"  - {ipv4: 192.0.2.2, ipv6: \"2001:db8:bbbb::b\"}\n"

#define MAX_SENT 64

static struct arena *arena;
static struct setup su;
static struct mono now;
static uint8_t buf[IO_BUFFER_BYTES];
static uint8_t sent[MAX_SENT][2048];
static uint32_t sent_len[MAX_SENT];
static unsigned int n_sent;

static int emit(void *arg, const struct pkt *pkt)
{
	(void)arg;
	if (n_sent < MAX_SENT && pkt->len <= sizeof(sent[0])) {
		memcpy(sent[n_sent], pkt->data, pkt->len);
		sent_len[n_sent] = pkt->len;
	}
	n_sent++;
	return 0;
}

static void start(const char *text)
{
	struct diags d;
	struct config *c;
	struct err e;

	rng_init(&rng, SEED);
	ref_config(&map, &cfg);
	now = (struct mono){NS_PER_S};
	diags_init(&d);
	arena = arena_new();
	c = config_load_text("f", text, strlen(text), ROLE_SIIT, arena, &d);
	diags_print(&d, stderr);
	ck_assert_ptr_nonnull(c);
	ck_assert_int_eq(setup_init(&su, c, now, &e), 0);
	su.path.emit = emit;
	diags_fini(&d);
}

static void begin(void)
{
	start(CONFIG);
}

static void finish(void)
{
	ck_assert(path_balanced(&su.path.counters));
	setup_fini(&su);
	arena_free(arena);
}

static enum verdict push_gso(const uint8_t *d, uint32_t len,
			     const struct pkt_gso *gso)
{
	struct pkt p = {.data = buf + PKT_HEADROOM,
			.len = len,
			.headroom = PKT_HEADROOM,
			.tailroom = IO_BUFFER_BYTES - PKT_HEADROOM - len};
	uint64_t emitted;
	enum verdict v;

	memcpy(p.data, d, len);
	if (gso)
		p.gso = *gso;
	n_sent = 0;
	now.ns += NS_PER_MS;
	v = path_run(&su.path, &p, now);
	emitted = n_sent;
	ck_assert(path_balanced(&su.path.counters));
	ck_assert((v == VERDICT_DROP) == !emitted);
	return v;
}

static enum verdict push(const struct bytes *b)
{
	return push_gso(b->v, b->len, NULL);
}

static uint64_t count(enum reason r)
{
	return su.path.counters.reasons.n[r];
}

static void set_ends6(struct bytes *b, const char *src, const char *dst)
{
	struct in6_addr s = ref_in6(src), d = ref_in6(dst);

	memcpy(b->v + 8, &s, 16);
	memcpy(b->v + 24, &d, 16);
}

/* A UDP packet of @payload bytes; its checksum is right. */
static void udp6(struct bytes *b, const char *src, const char *dst,
		 uint32_t payload)
{
	make6(b, 17, 8 + payload);
	set_ends6(b, src, dst);
	b->v[7] = 64;
	make_l4(b->v, b->v + 40, 8 + payload, 17);
}

static void udp4(struct bytes *b, const char *src, const char *dst,
		 uint32_t payload)
{
	struct in_addr s = ref_in4(src), d = ref_in4(dst);

	make4(b, 17, 8 + payload);
	memcpy(b->v + 12, &s, 4);
	memcpy(b->v + 16, &d, 4);
	b->v[8] = 64;
	make_l4(b->v, b->v + 20, 8 + payload, 17);
	ref_ip4_csum(b->v);
}

static void expect_sent6(unsigned int n, const char *src, const char *dst,
			 uint8_t proto)
{
	struct in6_addr s = ref_in6(src), d = ref_in6(dst);
	const uint8_t *p = sent[n];

	ck_assert_uint_lt(n, n_sent);
	ck_assert_mem_eq(p + 8, &s, 16);
	ck_assert_mem_eq(p + 24, &d, 16);
	ck_assert_uint_eq(ref_get16(p + 4) + 40, sent_len[n]);
	ck_assert_uint_eq(ref_get16(p + 40 + csum_at(proto)),
			  ref_l4_csum(p, p + 40, sent_len[n] - 40, proto));
}

/* ---- hairpinning ----------------------------------------------------------
 */

#define A	"2001:db8:aaaa::"
#define B	"2001:db8:bbbb::b"
#define A_BY_V4 "64:ff9b::192.0.2.1"
#define B_BY_V4 "64:ff9b::192.0.2.2"

/* RFC 7757 figures 8 and 11: what A and B see of each other is the same. */
START_TEST(hairpin_there_and_back)
{
	static struct bytes b;

	for (uint32_t payload = 0; payload < 1453; payload += 121) {
		udp6(&b, A, B_BY_V4, payload);
		ck_assert_int_eq(push(&b), VERDICT_HAIRPIN);
		ck_assert_uint_eq(n_sent, 1);
		expect_sent6(0, A_BY_V4, B, 17);
		ck_assert_uint_eq(sent_len[0], b.len);
		ck_assert_uint_eq(sent[0][7], 63); /* one hop, not two */
		ck_assert_mem_eq(sent[0] + 48, b.v + 48, payload);
		udp6(&b, B, A_BY_V4, payload);
		ck_assert_int_eq(push(&b), VERDICT_HAIRPIN);
		expect_sent6(0, B_BY_V4, A, 17);
	}
	/* the last hop is not paid twice */
	udp6(&b, A, B_BY_V4, 10);
	b.v[7] = 2;
	ck_assert_int_eq(push(&b), VERDICT_HAIRPIN);
	ck_assert_uint_eq(sent[0][7], 1);
	b.v[7] = 1;
	ck_assert_int_eq(push(&b), VERDICT_REPLY);
	ck_assert_uint_eq(sent[0][40], 3);
}
END_TEST

/* Figures 9 and 10: the error of a router, and of the host itself. */
START_TEST(hairpin_error)
{
	static const struct {
		const char *from, *as;
	} cases[] = {{"2001:db8::1234", NULL}, {B, B_BY_V4}};
	static struct bytes inner, e;
	struct in6_addr a = ref_in6(A), b4 = ref_in6(B_BY_V4);

	udp6(&inner, A_BY_V4, B, 20);
	for (int i = 0; i < 2; i++) {
		make6(&e, 58, 8 + inner.len);
		set_ends6(&e, cases[i].from, A_BY_V4);
		memcpy(e.v + 40, "\3\0\0\0\0\0\0\0", 8);
		memcpy(e.v + 48, inner.v, inner.len);
		ref_put16(e.v + 42, ref_l4_csum(e.v, e.v + 40, e.len - 40, 58));
		ck_assert_int_eq(push(&e), VERDICT_HAIRPIN);
		ck_assert_uint_eq(sent[0][40], 3);
		if (cases[i].as)
			expect_sent6(0, cases[i].as, A, 58);
		else /* somewhere in the pool of RFC 6791 */
			ck_assert_mem_eq(sent[0] + 8,
					 "\0\x64\xff\x9b\0\0\0\0\0\0\0\0"
					 "\xc6\x33\x64",
					 15);
		ck_assert_mem_eq(sent[0] + 24, &a, 16);
		/* quoted: as A sent it */
		ck_assert_mem_eq(sent[0] + 48 + 8, &a, 16);
		ck_assert_mem_eq(sent[0] + 48 + 24, &b4, 16);
	}
}
END_TEST

/*
 * RFC 6052 section 3.1 in force, and no pool given: the router on the way has
 * an address that A can be told, so no IPv4 form is missed.
 */
START_TEST(hairpin_error_by_the_well_known_prefix)
{
	static struct bytes inner, e;
	struct in6_addr from = ref_in6("2001:db8::1234");

	start("tun: {name: t}\npref64: 64:ff9b::/96\nseed: 1\n"
	      "icmp-source6: 2001:db8:ffff::1\n"
	      "eam:\n  - {ipv4: 8.8.8.1, ipv6: \"2001:db8:aaaa::\"}\n"
	      "  - {ipv4: 8.8.8.2, ipv6: \"2001:db8:bbbb::b\"}\n");
	udp6(&inner, "64:ff9b::8.8.8.1", B, 1232);
	make6(&e, 58, 8 + 1200);
	set_ends6(&e, "2001:db8::1234", "64:ff9b::8.8.8.1");
	memcpy(e.v + 40, "\2\0\0\0\0\0\5\x14", 8);
	memcpy(e.v + 48, inner.v, 1200);
	ref_put16(e.v + 42, ref_l4_csum(e.v, e.v + 40, e.len - 40, 58));
	ck_assert_int_eq(push(&e), VERDICT_HAIRPIN);
	ck_assert_mem_eq(sent[0] + 8, &from, 16);
	ck_assert_uint_eq(sent[0][40], 2);
	ck_assert_uint_eq(ref_get16(sent[0] + 46), 1300);
	finish();
}
END_TEST

/* What the second pass refuses is told to A, about the packet that A sent. */
START_TEST(hairpin_refused)
{
	struct in6_addr a = ref_in6(A);
	static struct bytes b;

	start(CONFIG "udp-zero-checksum: drop\n");
	udp6(&b, A, B_BY_V4, 1400);
	b.v[46] = b.v[47] = 0;
	ck_assert_int_eq(push(&b), VERDICT_REPLY);
	ck_assert_uint_eq(count(REASON_UDP_ZERO_CSUM), 1);
	ck_assert_uint_eq(sent_len[0], 1280);
	ck_assert_mem_eq(sent[0] + 24, &a, 16);
	ck_assert_mem_eq(sent[0] + 40, "\1\1", 2);
	ck_assert_mem_eq(sent[0] + 48, b.v, 1232);
	ck_assert_uint_eq(ref_get16(sent[0] + 42),
			  ref_l4_csum(sent[0], sent[0] + 40, 1240, 58));
	finish();
}
END_TEST

START_TEST(hairpin_superpacket)
{
	static struct bytes b;
	struct pkt_gso g = {.needs_csum = true,
			    .type = PKT_GSO_TCP6,
			    .gso_size = 400,
			    .csum_start = 40,
			    .csum_offset = 16,
			    .hdr_len = 60};

	make6(&b, 6, 20 + 1500);
	set_ends6(&b, A, B_BY_V4);
	b.v[52] = 0x50;
	ck_assert_int_eq(push_gso(b.v, b.len, &g), VERDICT_HAIRPIN);
	ck_assert_uint_eq(n_sent, 1);
	ck_assert_uint_eq(sent_len[0], b.len);
}
END_TEST

START_TEST(hairpin_switched_off)
{
	static struct bytes b;

	start(CONFIG "hairpin: off\n");
	udp6(&b, A, B_BY_V4, 20);
	ck_assert_int_eq(push(&b), VERDICT_FORWARD);
	ck_assert_uint_eq(sent[0][0], 0x45);
	finish();
	start(CONFIG "hairpin: simple\n");
	ck_assert_int_eq(push(&b), VERDICT_FORWARD);
	memcpy(b.v, sent[0], sent_len[0]);
	b.len = sent_len[0];
	ck_assert_int_eq(push(&b), VERDICT_FORWARD);
	expect_sent6(0, A_BY_V4, B, 17);
	finish();
}
END_TEST

/* The sender is told in its own family, and of the IPv6 MTU. */
START_TEST(hairpin_too_big)
{
	static struct bytes b;

	start(CONFIG "mtu6: 1400\nmtu4: 600\n");
	udp6(&b, A, B_BY_V4, 1400 - 48);
	ck_assert_int_eq(push(&b), VERDICT_HAIRPIN);
	ck_assert_uint_eq(sent_len[0], 1400);
	udp6(&b, A, B_BY_V4, 1401 - 48);
	ck_assert_int_eq(push(&b), VERDICT_REPLY);
	expect_sent6(0, "64:ff9b::203.0.113.1", A, 58);
	ck_assert_uint_eq(sent[0][40], 2);
	ck_assert_uint_eq(ref_get16(sent[0] + 46), 1400);
	finish();
}
END_TEST

/* ---- small paths ----------------------------------------------------------
 */

/*
 * RFC 7915 section 5: an IPv4 path of 905 bytes. Its router's error becomes
 * a Packet Too Big of 1280; what the host sends then leaves without DF, so
 * that a small link may cut it up, ours too.
 */
START_TEST(paths_below_1280)
{
	static struct bytes b, e;
	struct in_addr a = ref_in4("192.0.2.1");

	start(CONFIG "mtu4: 905\n");
	udp4(&b, "192.0.2.1", "8.8.8.8", 1372);
	make4(&e, 1, 8 + 28);
	ref_put4(e.v + 12, "9.9.9.9");
	memcpy(e.v + 16, &a, 4);
	memcpy(e.v + 20, "\3\4\0\0\0\0\3\x89", 8); /* 905 */
	memcpy(e.v + 28, b.v, 28);
	ref_put16(e.v + 22, 0xffff ^ ref_sum(0, e.v + 20, 36));
	ref_ip4_csum(e.v);
	ck_assert_int_eq(push(&e), VERDICT_FORWARD);
	expect_sent6(0, "64:ff9b::9.9.9.9", A, 58);
	ck_assert_uint_eq(ref_get16(sent[0] + 46), 1280);
	udp6(&b, A, "64:ff9b::8.8.8.8", 1280 - 48);
	ck_assert_int_eq(push(&b), VERDICT_FRAGMENT);
	ck_assert_uint_eq(n_sent, 2);
	for (unsigned int i = 0; i < n_sent; i++) {
		ck_assert_uint_le(sent_len[i], 905);
		ck_assert_uint_eq(ref_get16(sent[i] + 6) & 0x4000, 0);
	}
	ck_assert_uint_eq(sent_len[0] + sent_len[1], 1280);
	udp6(&b, A, "64:ff9b::8.8.8.8", 1281 - 48);
	ck_assert_int_eq(push(&b), VERDICT_REPLY);
	ck_assert_uint_eq(ref_get16(sent[0] + 46), 1280);
	finish();
}
END_TEST

/* ---- the hostile set ------------------------------------------------------
 */

/* Whatever leaves comes in again, as if every route led back to us. */
static unsigned int loop_back(const struct bytes *first)
{
	static struct bytes b;
	unsigned int rounds = 0;

	b = *first;
	while (push(&b) != VERDICT_DROP) {
		ck_assert_uint_eq(n_sent, 1);
		b.len = sent_len[0];
		memcpy(b.v, sent[0], b.len);
		ck_assert_uint_le(++rounds, 600);
	}
	return rounds;
}

/* A loop ends: by the hop limit, and its error by that of the error. */
START_TEST(loops_end)
{
	static struct bytes b;

	udp6(&b, "64:ff9b::8.8.8.8", "64:ff9b::9.9.9.9", 100);
	b.v[7] = 255;
	ck_assert_uint_le(loop_back(&b), 255 + 65);
	udp4(&b, "8.8.8.8", "9.9.9.9", 100);
	b.v[8] = 255;
	ck_assert_uint_le(loop_back(&b), 255 + 65);
	udp6(&b, A, B_BY_V4, 100);
	loop_back(&b);
	udp4(&b, "192.0.2.1", "192.0.2.2", 100);
	loop_back(&b);
}
END_TEST

/* From and to the same address: translated or not, it harms nobody here. */
START_TEST(land_packets)
{
	static struct bytes b;

	udp4(&b, "8.8.8.8", "8.8.8.8", 40);
	ck_assert_int_eq(push(&b), VERDICT_FORWARD);
	expect_sent6(0, "64:ff9b::8.8.8.8", "64:ff9b::8.8.8.8", 17);
	ck_assert_uint_le(loop_back(&b), 64 + 64);
	udp6(&b, "64:ff9b::8.8.8.8", "64:ff9b::8.8.8.8", 40);
	ck_assert_int_eq(push(&b), VERDICT_FORWARD);
	ck_assert_mem_eq(sent[0] + 12, sent[0] + 16, 4);
	udp6(&b, A, A_BY_V4, 40); /* to oneself, by hairpin */
	ck_assert_int_eq(push(&b), VERDICT_HAIRPIN);
	expect_sent6(0, A_BY_V4, A, 17);
}
END_TEST

/* Who claims to be us is not answered, and starts no loop. */
START_TEST(spoofed_own_address)
{
	static struct bytes b;

	udp4(&b, "203.0.113.1", "8.8.8.8", 40);
	b.v[8] = 1;
	ref_ip4_csum(b.v);
	ck_assert_int_eq(push(&b), VERDICT_DROP);
	udp6(&b, "64:ff9b::203.0.113.1", "64:ff9b::8.8.8.8", 40);
	b.v[7] = 1;
	ck_assert_int_eq(push(&b), VERDICT_DROP);
	ck_assert_uint_eq(count(REASON_TTL_EXPIRED), 2);
	/* the same from somebody else is answered */
	udp6(&b, A, "64:ff9b::8.8.8.8", 40);
	b.v[7] = 1;
	ck_assert_int_eq(push(&b), VERDICT_REPLY);
}
END_TEST

/*
 * A stateless translator must not care: offsets and Identification pass, the
 * receiver decides (RFC 5722 for IPv6).
 */
START_TEST(overlapping_fragments)
{
	static const uint16_t offsets[] = {0, 1, 0, 3, 8187};
	static struct bytes b;
	uint32_t field;

	for (size_t i = 0; i < sizeof(offsets) / sizeof(*offsets); i++) {
		udp4(&b, "8.8.8.8", "192.0.2.1", i < 4 ? 40 : 8);
		field = offsets[i] | (i < 4 ? 0x2000u : 0);
		ref_put16(b.v + 6, field);
		ref_put16(b.v + 4, 0x4242);
		ref_ip4_csum(b.v);
		ck_assert_int_eq(push(&b), VERDICT_FORWARD);
		ck_assert_uint_eq(sent[0][6], 44);
		ck_assert_uint_eq(ref_get16(sent[0] + 42) >> 3, offsets[i]);
		ck_assert_uint_eq(ref_get16(sent[0] + 46), 0x4242);
	}
	/* one more would reach beyond 65535, header and all */
	ref_put16(b.v + 6, 8188);
	ref_ip4_csum(b.v);
	ck_assert_int_eq(push(&b), VERDICT_DROP);
	ck_assert_uint_eq(count(REASON_BAD_FRAGMENT), 1);
}
END_TEST

/* Lengths of IP and UDP that say more than there is, and less. */
START_TEST(lying_lengths)
{
	static struct bytes b;

	udp4(&b, "8.8.8.8", "192.0.2.1", 40);
	ref_put16(b.v + 2, b.len + 1);
	ref_ip4_csum(b.v);
	ck_assert_int_eq(push(&b), VERDICT_DROP);
	udp6(&b, A, "64:ff9b::8.8.8.8", 40);
	ref_put16(b.v + 4, 49);
	ck_assert_int_eq(push(&b), VERDICT_DROP);
	ck_assert_uint_eq(count(REASON_TRUNCATED), 2);
	udp6(&b, A, "64:ff9b::8.8.8.8", 40);
	ref_put16(b.v + 44, 49);
	ck_assert_int_eq(push(&b), VERDICT_DROP);
	ref_put16(b.v + 44, 7);
	ck_assert_int_eq(push(&b), VERDICT_DROP);
	ck_assert_uint_eq(count(REASON_BAD_LENGTH), 2);
	/* less than there is: link padding, cut off */
	udp6(&b, A, "64:ff9b::8.8.8.8", 40);
	b.len += 6;
	ck_assert_int_eq(push(&b), VERDICT_FORWARD);
	ck_assert_uint_eq(sent_len[0], 20 + 48);
}
END_TEST

/* An error that quotes 0 to 80 bytes of a packet. */
START_TEST(truncated_inner_packets)
{
	static struct bytes inner, e;

	udp6(&inner, A, "64:ff9b::8.8.8.8", 40);
	for (uint32_t quote = 0; quote <= inner.len; quote++) {
		make6(&e, 58, 8 + quote);
		set_ends6(&e, "64:ff9b::8.8.8.8", A_BY_V4);
		memcpy(e.v + 40, "\3\0\0\0\0\0\0\0", 8);
		memcpy(e.v + 48, inner.v, quote);
		ref_put16(e.v + 42, ref_l4_csum(e.v, e.v + 40, e.len - 40, 58));
		/* without a whole IP header nobody knows whose it was */
		ck_assert_int_eq(push(&e) == VERDICT_DROP, quote < 40);
	}
	ck_assert_uint_eq(count(REASON_TRUNCATED), 40);
}
END_TEST

/* ---- balance --------------------------------------------------------------
 */

static void random_packet(struct bytes *b)
{
	uint8_t proto = transports[pick(0, sizeof(transports) - 1)];
	bool six = pick(0, 1);

	if (six)
		make6(b, proto == 1 ? 58 : proto, random_len(proto));
	else
		make4(b, proto, random_len(proto));
	if (six && pick(0, 1))
		set_ends6(b, pick(0, 1) ? A : B,
			  pick(0, 1) ? A_BY_V4 : B_BY_V4);
	for (uint32_t n = pick(0, 3); n; n--)
		b->v[pick(0, b->len < 60 ? b->len - 1 : 59)] =
			(uint8_t)rng_next(&rng);
	if (!six && pick(0, 1))
		ref_ip4_csum(b->v);
	if (!pick(0, 9))
		b->len = pick(0, b->len);
}

/* push() checks the balance after each of them. */
START_TEST(everything_is_counted)
{
	const struct path_counters *c = &su.path.counters;
	static struct bytes b;
	struct pkt_gso g = {0};

	for (int i = 0; i < 20000; i++) {
		random_packet(&b);
		if (!pick(0, 3)) {
			g.needs_csum = pick(0, 3);
			g.type = (uint8_t)pick(0, 4);
			g.gso_size = (uint16_t)pick(0, 1500);
			g.csum_start = (uint16_t)pick(0, 60);
			g.csum_offset = (uint16_t)pick(0, 20);
		} else {
			g = (struct pkt_gso){0};
		}
		push_gso(b.v, b.len, &g);
	}
	ck_assert_uint_eq(c->received4 + c->received6, 20000);
	ck_assert_uint_gt(c->forwarded, 1000);
	ck_assert_uint_gt(c->hairpinned, 100);
	ck_assert_uint_gt(c->replied, 10);
	ck_assert_uint_gt(c->dropped, 1000);
}
END_TEST

/* RFC 7915 section 4.5: the administrator hears which packet it was. */
static struct pkt_info told;
static enum reason told_reason;
static unsigned int n_told;

static void on_event(void *arg, enum reason r, const struct pkt_info *info)
{
	(void)arg;
	told = *info;
	told_reason = r;
	n_told++;
}

START_TEST(zero_checksums_are_told)
{
	static struct bytes b;

	start(CONFIG "udp-zero-checksum: drop\n");
	su.path.event = on_event;
	n_told = 0;
	udp4(&b, "8.8.8.8", "192.0.2.1", 40);
	ck_assert_int_eq(push(&b), VERDICT_FORWARD);
	ck_assert_uint_eq(n_told, 0);
	ref_put16(b.v + 26, 0);
	ck_assert_int_eq(push(&b), VERDICT_REPLY);
	ck_assert_uint_eq(n_told, 1);
	ck_assert_uint_eq(told_reason, REASON_UDP_ZERO_CSUM);
	ck_assert_uint_eq(told.outer.src.v4.s_addr, ref_in4("8.8.8.8").s_addr);
	ck_assert_mem_eq(&told.outer.sport, b.v + 20, 2);
	ck_assert_uint_eq(told.outer.dst.v4.s_addr,
			  ref_in4("192.0.2.1").s_addr);
	ck_assert_mem_eq(&told.outer.dport, b.v + 22, 2);
	ref_put16(b.v + 6, 0x2000);
	ref_ip4_csum(b.v);
	ck_assert_int_eq(push(&b), VERDICT_REPLY);
	ck_assert_uint_eq(told_reason, REASON_UDP_ZERO_CSUM_FRAG);
	ck_assert_uint_eq(n_told, 2);
	finish();
}
END_TEST

START_TEST(tos_of_choice)
{
	static struct bytes b;

	start(CONFIG "tos: 184\n");
	udp6(&b, A, "64:ff9b::8.8.8.8", 40);
	ck_assert_int_eq(push(&b), VERDICT_FORWARD);
	ck_assert_uint_eq(sent[0][1], 184);
	finish();
}
END_TEST

/* Nothing configured: an SIIT can still tell of its MTU. */
START_TEST(default_icmp_source)
{
	static struct bytes b;

	start("tun: {name: t}\npref64: 2001:db8:64::/96\n");
	udp4(&b, "8.8.8.8", "9.9.9.9", 1472);
	ck_assert_int_eq(push(&b), VERDICT_REPLY);
	ck_assert_mem_eq(sent[0] + 12, "\xc0\0\0\x08", 4);
	ck_assert_uint_eq(ref_get16(sent[0] + 26), 1480);
	udp6(&b, "2001:db8:64::8.8.8.8", "2001:db8:64::9.9.9.9", 100);
	b.v[7] = 1;
	ck_assert_int_eq(push(&b), VERDICT_REPLY);
	expect_sent6(0, "2001:db8:64::192.0.0.8", "2001:db8:64::8.8.8.8", 58);
	finish();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("siit");
	TCase *tc = tcase_create("siit");
	TCase *other = tcase_create("other configurations");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, begin, finish);
	tcase_add_test(tc, hairpin_there_and_back);
	tcase_add_test(tc, hairpin_error);
	tcase_add_test(tc, hairpin_superpacket);
	tcase_add_test(tc, loops_end);
	tcase_add_test(tc, land_packets);
	tcase_add_test(tc, spoofed_own_address);
	tcase_add_test(tc, overlapping_fragments);
	tcase_add_test(tc, lying_lengths);
	tcase_add_test(tc, truncated_inner_packets);
	tcase_add_test(tc, everything_is_counted);
	tcase_add_test(other, hairpin_switched_off);
	tcase_add_test(other, hairpin_error_by_the_well_known_prefix);
	tcase_add_test(other, hairpin_refused);
	tcase_add_test(other, hairpin_too_big);
	tcase_add_test(other, paths_below_1280);
	tcase_add_test(other, zero_checksums_are_told);
	tcase_add_test(other, tos_of_choice);
	tcase_add_test(other, default_icmp_source);
	suite_add_tcase(s, tc);
	suite_add_tcase(s, other);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * The kernel's half of the fast path by itself: the kernel runs the program on
 * packets of ours, and says what it did. Whatever it translates has to be what
 * the core makes of it, byte for byte, one hop less; and whatever the core
 * would treat in another way it has to leave alone.
 *
 * Needs root and a kernel with BPF; says SKIP and exits with 77 without them.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <unistd.h>

#include "../bpf/fastpath.h"
#include "core_random.h"

#define ETH	  14
#define REDIRECT  7
#define LEFT	  0xffffffffu
#define RUNS	  900  /* fewer than may be offered in a burst */
#define MAX_FRAME 4096 /* what the kernel takes for such a run */

static struct fastpath *fast;
static const struct mono now = {1};

static void rules(void)
{
	fastpath_change(fast,
			&(struct fastpath_rules){.mtu4 = cfg.mtu4,
						 .mtu6 = cfg.mtu6,
						 .lowest_mtu6 = cfg.lowest_mtu6,
						 .set_tos = cfg.set_tos,
						 .tos = cfg.tos,
						 .zero_tc = cfg.zero_tc});
	fastpath_tend(fast, clock_now());
}

static void fast_setup(void)
{
	struct err e = {""};

	setup();
	fast = fastpath_open("lo", NULL, 0, false, now, &e);
	ck_assert_msg(fast, "%s", e.text);
	rules();
}

static void flow_setup(void)
{
	struct err e = {""};

	setup();
	fast = fastpath_open("lo", NULL, 0, true, now, &e);
	ck_assert_msg(fast, "%s", e.text);
	rules();
}

static void fast_teardown(void)
{
	fastpath_close(fast);
}

struct ran {
	uint32_t verdict;
	uint8_t frame[MAX_FRAME];
	uint32_t len;
};

/* @b behind an Ethernet header, and @pad bytes of link padding. */
static void run_program(const struct bytes *b, uint32_t pad, uint32_t gso_size,
			struct ran *r)
{
	static uint8_t in[MAX_FRAME];
	struct __sk_buff ctx = {.gso_size = gso_size};
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = in,
		    .data_size_in = ETH + b->len + pad, .data_out = r->frame,
		    .data_size_out = MAX_FRAME, .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx));
	int ret;

	memset(in, 0, sizeof(in));
	ref_put16(in + 12, b->v[0] >> 4 == 4 ? 0x0800 : 0x86dd);
	memcpy(in + ETH, b->v, b->len);
	ret = bpf_prog_test_run_opts(fastpath_program(fast), &o);
	ck_assert_msg(!ret, "%s", strerror(-ret));
	r->verdict = o.retval;
	r->len = o.data_size_out;
}

/* What the daemon would say once it has translated @b by itself. */
static void offer(const struct bytes *b)
{
	struct pkt pkt;
	struct pkt_info info;
	struct xlat_map to = {0};
	struct room r;
	bool v4 = b->v[0] >> 4 == 4;

	room_init(&r, b->v, b->len, PKT_HEADROOM, PKT_TAILROOM);
	pkt = r.pkt;
	ck_assert(!(v4 ? pkt_parse4(&pkt, &info) : pkt_parse6(&pkt, &info)));
	ck_assert(!(v4 ? addrmap_46(&map, &info, &to)
		       : addrmap_64(&map, &info, &to)));
	if (v4)
		fastpath_offer46(fast, info.outer.src.v4, info.outer.dst.v4,
				 &to.outer.src.v6, &to.outer.dst.v6, now);
	else
		fastpath_offer64(fast, &info.outer.src.v6, &info.outer.dst.v6,
				 to.outer.src.v4, to.outer.dst.v4, now);
	room_fini(&r);
}

/* The hop that the kernel does not forward a second time. */
static void one_hop_less(struct bytes *b)
{
	if (b->v[0] >> 4 == 4) {
		b->v[8]--;
		ref_ip4_csum(b->v);
	} else {
		b->v[7]--;
	}
}

/* What the core makes of it; @to: NULL: as the stateless rules have it. */
static enum verdict core(struct pkt *pkt, int dir, const struct xlat_map *to)
{
	struct pkt_info info;
	enum reason r;

	if (!to)
		return ref_run(pkt, dir, &map, &cfg, &out);
	r = dir == 46 ? pkt_parse4(pkt, &info) : pkt_parse6(pkt, &info);
	out.reason = r;
	if (r)
		return VERDICT_DROP;
	return dir == 46 ? xlat_46(pkt, &info, to, &cfg, &out)
			 : xlat_64(pkt, &info, to, &cfg, &out);
}

/* As the core would have it; @b has been through the program as it is. */
static void expect_mapped(struct bytes *b, struct ran *ran,
			  const struct xlat_map *to)
{
	bool v4 = b->v[0] >> 4 == 4;
	uint8_t *got = ran->frame + ETH;
	struct room r;

	ck_assert_uint_eq(ran->verdict, REDIRECT);
	one_hop_less(b);
	room_init(&r, b->v, b->len, PKT_HEADROOM, PKT_TAILROOM);
	ck_assert_msg(core(&r.pkt, v4 ? 46 : 64, to) == VERDICT_FORWARD,
		      "the core says %s", reason_name(out.reason));
	ck_assert_uint_eq(ref_get16(ran->frame + 12), v4 ? 0x86dd : 0x0800);
	if (!v4 && !(got[6] & 0x40)) { /* Identification is anybody's guess */
		memcpy(got + 4, r.pkt.data + 4, 2);
		ref_ip4_csum(got);
	}
	ck_assert_uint_eq(ran->len, ETH + r.pkt.len);
	ck_assert_mem_eq(got, r.pkt.data, r.pkt.len);
	room_fini(&r);
}

static void expect_as_core(struct bytes *b, struct ran *ran)
{
	expect_mapped(b, ran, NULL);
}

static void make(struct bytes *b, int dir, uint8_t proto, uint32_t len)
{
	if (dir == 46)
		make4(b, proto, len);
	else
		make6(b, proto, len);
	if (b->v[dir == 46 ? 8 : 7] < 5)
		b->v[dir == 46 ? 8 : 7] = 5;
	if (dir == 46)
		ref_ip4_csum(b->v);
	if (proto == 6) { /* no SYN */
		uint8_t *l4 = b->v + (dir == 46 ? 20 : 40);

		l4[13] &= 0xfd;
		ref_put16(l4 + 16, ref_l4_csum(b->v, l4, len, proto));
	}
}

static const int dirs[] = {46, 64};

START_TEST(what_it_translates_is_what_the_core_makes)
{
	static struct bytes b;
	static struct ran ran;
	uint64_t n[2] = {0}, bytes[2] = {0};
	struct fastpath_stats st;

	for (int i = 0; i < RUNS; i++) {
		int dir = dirs[i & 1];
		uint8_t proto = i & 2 ? 6 : 17;
		uint32_t pad = i % 5 ? 0 : pick(1, 18);

		make(&b, dir, proto, random_len(proto));
		if (i % 7 == 0) /* a wrong checksum stays wrong */
			b.v[b.len - 1] ^= 0x55;
		if (dir == 46 && b.len <= 1260 && i % 3 == 0) {
			b.v[6] = 0; /* no DF */
			ref_ip4_csum(b.v);
		}
		run_program(&b, pad, 0, &ran);
		ck_assert_uint_eq(ran.verdict, LEFT); /* nobody knows it */
		offer(&b);
		run_program(&b, pad, 0, &ran);
		n[i & 1]++;
		bytes[i & 1] += b.len;
		expect_as_core(&b, &ran);
	}
	fastpath_get_stats(fast, &st);
	ck_assert_uint_eq(st.v4.packets, n[0]);
	ck_assert_uint_eq(st.v6.packets, n[1]);
	ck_assert_uint_eq(st.v4.bytes, bytes[0]);
	ck_assert_uint_eq(st.v6.bytes, bytes[1]);
	ck_assert_uint_eq(st.offered + st.limited, RUNS);
}
END_TEST

START_TEST(traffic_class_as_configured)
{
	static struct bytes b;
	static struct ran ran;

	cfg.set_tos = true;
	cfg.tos = 0x2e;
	cfg.zero_tc = true;
	rules();
	for (int i = 0; i < 100; i++) {
		make(&b, dirs[i & 1], 6, random_len(6));
		offer(&b);
		run_program(&b, 0, 0, &ran);
		expect_as_core(&b, &ran);
	}
}
END_TEST

/* @b, which is known by its addresses, goes the long way. */
static void expect_left(const struct bytes *b, uint32_t pad, uint32_t gso)
{
	static struct ran ran;

	run_program(b, pad, gso, &ran);
	ck_assert_uint_eq(ran.verdict, LEFT);
	if (!pad && ran.len == ETH + b->len)
		ck_assert_mem_eq(ran.frame + ETH, b->v, b->len);
}

/* Each takes a packet that would pass and changes one thing. */
START_TEST(what_needs_thought_is_left_alone)
{
	static struct bytes good, b;
	int dir = dirs[_i & 1];
	uint8_t proto = _i & 2 ? 6 : 17;
	uint32_t l4 = dir == 46 ? 20 : 40, ttl = dir == 46 ? 8 : 7;
	static struct ran ran;

	make(&good, dir, proto, 100);
	offer(&good);
	run_program(&good, 0, 0, &ran);
	ck_assert_uint_eq(ran.verdict, REDIRECT);
#define BUT(change)                                                            \
	do {                                                                   \
		b = good;                                                      \
		change;                                                        \
		if (dir == 46)                                                 \
			ref_ip4_csum(b.v);                                     \
		expect_left(&b, 0, 0);                                         \
	} while (0)
	BUT(b.v[ttl] = 3);
	BUT(b.v[ttl] = 1);
	BUT(b.v[ttl] = 0);
	BUT(b.v[dir == 46 ? 9 : 6] = dir == 46 ? 1 : 58);
	BUT(b.v[dir == 46 ? 9 : 6] = 132);
	BUT(b.v[dir == 46 ? 9 : 6] = 0);
	BUT(b.v[dir == 46 ? 9 : 6] = 44);
	BUT(b.v[0] = (uint8_t)((b.v[0] & 0xf) | 0x70));
	BUT(ref_put16(b.v + (dir == 46 ? 2 : 4), 3)); /* lying lengths */
	BUT(ref_put16(b.v + (dir == 46 ? 2 : 4), 0));
	BUT(ref_put16(b.v + (dir == 46 ? 2 : 4), 5000));
	BUT(ref_put16(b.v + (dir == 46 ? 2 : 4), 65535));
	BUT(b.v[dir == 46 ? 19 : 39] ^= 1); /* somebody else's */
	if (proto == 6) {
		BUT(b.v[l4 + 13] |= 2);
		BUT(b.v[l4 + 12] = 0x40);
		BUT(b.v[l4 + 12] = 0xf0; b.len = l4 + 40;
		    ref_put16(b.v + (dir == 46 ? 2 : 4), dir == 46 ? 60 : 40));
	} else {
		BUT(ref_put16(b.v + l4 + 6, 0));
		expect_left(&good, 0, 1000);
	}
	if (dir == 46) {
		BUT(b.v[6] |= 0x20);
		BUT(b.v[7] = 1);
		BUT(b.v[0] = 0x46);
		b = good;
		b.v[10] ^= 1; /* the header's own checksum */
		expect_left(&b, 0, 0);
	}
	for (uint32_t len = 0; len < l4 + 20; len++) {
		b = good;
		b.len = len;
		if (len >= l4) /* the kernel wants an IP header */
			expect_left(&b, 0, 0);
	}
#undef BUT
}
END_TEST

static uint32_t verdict_of(int dir, uint32_t payload, bool df, uint32_t gso)
{
	static struct bytes b;
	static struct ran ran;

	make(&b, dir, 6, payload);
	if (!df) {
		b.v[6] = 0;
		ref_ip4_csum(b.v);
	}
	offer(&b);
	run_program(&b, 0, gso, &ran);
	return ran.verdict;
}

START_TEST(what_does_not_fit_is_left_alone)
{
	cfg.mtu4 = 1400;
	cfg.mtu6 = 1500;
	cfg.lowest_mtu6 = 1300;
	rules();
	ck_assert_uint_eq(verdict_of(64, 1380, true, 0), REDIRECT);
	ck_assert_uint_eq(verdict_of(64, 1381, true, 0), LEFT);
	ck_assert_uint_eq(verdict_of(46, 1460, true, 0), REDIRECT);
	ck_assert_uint_eq(verdict_of(46, 1461, true, 0), LEFT);
	ck_assert_uint_eq(verdict_of(46, 1260, false, 0), REDIRECT);
	ck_assert_uint_eq(verdict_of(46, 1261, false, 0), LEFT);
	/* of superpackets, the segments: 20 bytes of TCP and gso_size */
	ck_assert_uint_eq(verdict_of(64, 3000, true, 1360), REDIRECT);
	ck_assert_uint_eq(verdict_of(64, 3000, true, 1361), LEFT);
	ck_assert_uint_eq(verdict_of(46, 3000, true, 1440), REDIRECT);
	ck_assert_uint_eq(verdict_of(46, 3000, true, 1441), LEFT);
	ck_assert_uint_eq(verdict_of(46, 3000, false, 1240), REDIRECT);
	ck_assert_uint_eq(verdict_of(46, 3000, false, 1241), LEFT);
}
END_TEST

/* RFC 7915 section 5.1, also for what leaves in segments. */
START_TEST(df_is_set_by_the_size_of_segments)
{
	static struct bytes b;
	static struct ran ran;
	static const struct {
		uint32_t gso;
		bool df;
	} v[] = {{1220, false}, {1221, true}};

	for (int i = 0; i < 2; i++) {
		make(&b, 64, 6, 3000);
		offer(&b);
		run_program(&b, 0, v[i].gso, &ran);
		ck_assert_uint_eq(ran.verdict, REDIRECT);
		ck_assert_int_eq((ran.frame[ETH + 6] & 0x40) != 0, v[i].df);
	}
}
END_TEST

START_TEST(forgotten_at_once)
{
	static struct bytes b;
	static struct ran ran;

	make(&b, 64, 6, 100);
	offer(&b);
	run_program(&b, 0, 0, &ran);
	ck_assert_uint_eq(ran.verdict, REDIRECT);
	rules();
	expect_left(&b, 0, 0);
	offer(&b); /* told anew, though it was told lately */
	run_program(&b, 0, 0, &ran);
	ck_assert_uint_eq(ran.verdict, REDIRECT);
}
END_TEST

START_TEST(without_the_daemon_it_ends)
{
	static struct bytes b;
	static struct ran ran;
	struct mono long_ago = mono_add(clock_now(), -NS_PER_S);

	make(&b, 46, 17, 100);
	offer(&b);
	run_program(&b, 0, 0, &ran);
	ck_assert_uint_eq(ran.verdict, REDIRECT);
	fastpath_tend(fast, mono_add(long_ago, -20 * NS_PER_MS));
	expect_left(&b, 0, 0);
	fastpath_tend(fast, clock_now());
	run_program(&b, 0, 0, &ran);
	ck_assert_uint_eq(ran.verdict, REDIRECT);
}
END_TEST

START_TEST(offers_have_a_rate)
{
	static struct bytes b;
	struct fastpath_stats st;

	for (int i = 0; i < 3000; i++) {
		make(&b, 64, 17, 30);
		offer(&b);
		offer(&b); /* of no use, and no call */
	}
	fastpath_get_stats(fast, &st);
	ck_assert_uint_eq(st.offered, 1000);
	ck_assert_uint_ge(st.limited, 2000);
}
END_TEST

/* Whatever arrives, the program ends, and never with a packet that is neither
 * the old one nor the core's. */
START_TEST(any_bytes)
{
	static struct bytes b, changed;
	static struct ran ran;
	unsigned int translated = 0;

	for (int i = 0; i < 20000; i++) {
		int dir = dirs[i & 1];
		uint8_t proto = i & 2 ? 6 : 17;

		if (i % 100 < 2) {
			make(&b, dir, proto, random_len(proto));
			offer(&b);
		}
		changed = b;
		for (uint32_t k = pick(0, 3); k; k--)
			changed.v[pick(0, pick(0, 1) ? 59 : b.len - 1)] ^=
				(uint8_t)(1u << pick(0, 7));
		run_program(&changed, 0, 0, &ran);
		if (ran.verdict == REDIRECT)
			expect_as_core(&changed, &ran);
		else
			ck_assert_uint_eq(ran.verdict, LEFT);
		translated += ran.verdict == REDIRECT;
	}
	ck_assert_uint_gt(translated, 1000);
}
END_TEST

/* ---- sessions --------------------------------------------------------------
 */

/* Of a packet from the IPv6 side, or one that comes back. */
static struct fastpath_flow session_of(const struct bytes *b)
{
	struct fastpath_flow f = {0};
	bool v4 = b->v[0] >> 4 == 4;
	const uint8_t *l4 = b->v + (v4 ? 20 : 40);

	f.proto = b->v[v4 ? 9 : 6];
	fill((uint8_t *)&f.src6, 16);
	fill((uint8_t *)&f.dst6, 16);
	fill((uint8_t *)&f.src4, 4);
	fill((uint8_t *)&f.dst4, 4);
	fill((uint8_t *)&f.src6_port, 2);
	fill((uint8_t *)&f.src4_port, 2);
	if (v4) {
		memcpy(&f.dst4, b->v + 12, 4);
		memcpy(&f.src4, b->v + 16, 4);
		memcpy(&f.dst_port, l4, 2);
		memcpy(&f.src4_port, l4 + 2, 2);
	} else {
		memcpy(&f.src6, b->v + 8, 16);
		memcpy(&f.dst6, b->v + 24, 16);
		memcpy(&f.src6_port, l4, 2);
		memcpy(&f.dst_port, l4 + 2, 2);
	}
	return f;
}

static struct xlat_map map_of(const struct fastpath_flow *f, bool from6)
{
	struct xlat_map m = {.outer.set_ports = true};

	m.outer.sport = from6 ? f->src4_port : f->dst_port;
	m.outer.dport = from6 ? f->dst_port : f->src6_port;
	if (from6) {
		m.outer.src.v4 = f->src4;
		m.outer.dst.v4 = f->dst4;
	} else {
		m.outer.src.v6 = f->dst6;
		m.outer.dst.v6 = f->src6;
	}
	return m;
}

/* An established session's: nothing opens or closes it. */
static void make_steady(struct bytes *b, int dir, uint8_t proto, uint32_t len)
{
	uint8_t *l4 = b->v + (dir == 46 ? 20 : 40);

	make(b, dir, proto, len);
	if (proto != 6)
		return;
	l4[13] &= 0xf8;
	ref_put16(l4 + 16, ref_l4_csum(b->v, l4, len, proto));
}

START_TEST(sessions_are_translated_as_the_core_does)
{
	static struct bytes b;
	static struct ran ran;

	for (int i = 0; i < RUNS; i++) {
		int dir = dirs[i & 1];
		uint8_t proto = i & 2 ? 6 : 17;
		struct fastpath_flow f;
		struct xlat_map to;

		make_steady(&b, dir, proto, random_len(proto));
		if (i % 7 == 0) /* a wrong checksum stays wrong */
			b.v[b.len - 1] ^= 0x55;
		f = session_of(&b);
		if (i % 11 == 0) /* the port may stay as it is */
			*(dir == 46 ? &f.src6_port : &f.src4_port) =
				dir == 46 ? f.src4_port : f.src6_port;
		run_program(&b, 0, 0, &ran);
		ck_assert_uint_eq(ran.verdict, LEFT);
		fastpath_tell_flow(fast, &f, dir == 64, now);
		run_program(&b, 0, 0, &ran);
		to = map_of(&f, dir == 64);
		expect_mapped(&b, &ran, &to);
		if (i % 3 == 0)
			fastpath_withdraw_flow(fast, &f);
	}
}
END_TEST

/* One bit elsewhere in what names it, and it is another session. */
START_TEST(only_the_session_itself)
{
	static struct bytes b, other;
	static struct ran ran;
	int dir = dirs[_i & 1];
	uint8_t proto = _i & 2 ? 6 : 17;
	uint32_t l4 = dir == 46 ? 20 : 40, addrs = dir == 46 ? 12 : 8;
	struct fastpath_flow f;

	make_steady(&b, dir, proto, 60);
	f = session_of(&b);
	fastpath_tell_flow(fast, &f, dir == 64, now);
	run_program(&b, 0, 0, &ran);
	ck_assert_uint_eq(ran.verdict, REDIRECT);
	for (uint32_t at = addrs; at < l4 + 4; at++)
		for (int bit = 0; bit < 8; bit++) {
			other = b;
			other.v[at] ^= (uint8_t)(1 << bit);
			if (dir == 46)
				ref_ip4_csum(other.v);
			expect_left(&other, 0, 0);
		}
	other = b; /* TCP as UDP, UDP as TCP */
	other.v[dir == 46 ? 9 : 6] = proto == 6 ? 17 : 6;
	other.v[l4 + 12] = 0x50;
	other.v[l4 + 13] = 0x10;
	ref_put16(other.v + l4 + 4, 60);
	if (dir == 46)
		ref_ip4_csum(other.v);
	expect_left(&other, 0, 0);
	fastpath_withdraw_flow(fast, &f);
	expect_left(&b, 0, 0);
}
END_TEST

START_TEST(what_moves_tcp_is_left_alone)
{
	static struct bytes b, flagged;
	static const uint8_t flags[] = {1, 2, 4, 0x11, 0x12, 0x14, 0x19};
	int dir = dirs[_i];
	struct fastpath_flow f;

	make_steady(&b, dir, 6, 60);
	f = session_of(&b);
	fastpath_tell_flow(fast, &f, dir == 64, now);
	for (size_t i = 0; i < sizeof(flags); i++) {
		flagged = b;
		flagged.v[(dir == 46 ? 20 : 40) + 13] = flags[i];
		expect_left(&flagged, 0, 0);
	}
}
END_TEST

START_TEST(worth_telling)
{
	static struct bytes b;
	struct mono t = now;
	struct fastpath_flow f;
	int n = 0;

	make_steady(&b, 64, 17, 60);
	f = session_of(&b);
	while (!fastpath_wants_flow(fast, &f, true, false, t))
		n++;
	ck_assert_int_eq(n, 7); /* a resolver's answer is over by then */
	fastpath_tell_flow(fast, &f, true, t);
	for (int i = 0; i < 100; i++)
		ck_assert(!fastpath_wants_flow(fast, &f, true, true, t));
	/* the other direction is another matter */
	ck_assert(!fastpath_wants_flow(fast, &f, false, false, t));
	ck_assert(fastpath_wants_flow(fast, &f, false, true, t));
	/* eight in eight seconds are not many */
	f.dst_port ^= 1;
	for (int i = 0; i < 20; i++) {
		t = mono_add(t, NS_PER_S + 1);
		ck_assert(!fastpath_wants_flow(fast, &f, true, false, t));
	}
}
END_TEST

static unsigned int used;
static bool keep = true;

static bool on_used(void *arg, const struct fastpath_flow *f, bool from6)
{
	(void)arg;
	(void)f;
	(void)from6;
	used++;
	return keep;
}

static uint64_t flows_now(void)
{
	struct fastpath_stats st;

	fastpath_get_stats(fast, &st);
	return st.flows;
}

/* All of them have been looked at. */
static void walk(struct mono t)
{
	used = 0;
	for (int i = 0; i < 12; i++)
		fastpath_walk(fast, t, on_used, NULL);
}

START_TEST(use_is_told_once)
{
	static struct bytes b;
	static struct ran ran;
	struct fastpath_flow f;

	make_steady(&b, 64, 17, 60);
	f = session_of(&b);
	fastpath_tell_flow(fast, &f, true, now);
	fastpath_tell_flow(fast, &f, false, now);
	walk(now);
	ck_assert_uint_eq(used, 0);
	run_program(&b, 0, 0, &ran);
	walk(now);
	ck_assert_uint_eq(used, 1);
	walk(now);
	ck_assert_uint_eq(used, 0);
	ck_assert_uint_eq(flows_now(), 2);
	/* idle for a minute: out with it */
	walk(mono_add(now, 61 * NS_PER_S));
	ck_assert_uint_eq(flows_now(), 0);
	expect_left(&b, 0, 0);
	/* the daemon says no */
	fastpath_tell_flow(fast, &f, true, now);
	run_program(&b, 0, 0, &ran);
	ck_assert_uint_eq(ran.verdict, REDIRECT);
	keep = false;
	walk(now);
	keep = true;
	ck_assert_uint_eq(used, 1);
	ck_assert_uint_eq(flows_now(), 0);
	expect_left(&b, 0, 0);
}
END_TEST

START_TEST(all_are_forgotten_at_once)
{
	static struct bytes b;
	static struct ran ran;
	struct fastpath_flow f;

	make_steady(&b, 46, 6, 60);
	f = session_of(&b);
	fastpath_tell_flow(fast, &f, false, now);
	run_program(&b, 0, 0, &ran);
	ck_assert_uint_eq(ran.verdict, REDIRECT);
	rules();
	expect_left(&b, 0, 0);
	ck_assert_uint_eq(flows_now(), 0);
	fastpath_tell_flow(fast, &f, false, now);
	run_program(&b, 0, 0, &ran);
	ck_assert_uint_eq(ran.verdict, REDIRECT);
}
END_TEST

/* Which are there, after any number that came and went: @there against what
 * the program does would take long; against the records it does not. */
START_TEST(records_against_a_list)
{
	enum { N = 4000 };
	static struct fastpath_flow all[N];
	static bool there[N];
	uint64_t n = 0;

	for (int i = 0; i < N; i++) {
		fill((uint8_t *)&all[i], sizeof(all[i]));
		all[i].proto = 17;
	}
	for (int i = 0; i < 60000; i++) {
		uint32_t k = pick(0, N - 1);

		if (pick(0, 99) < 55) {
			n += !there[k];
			there[k] = true;
			fastpath_tell_flow(fast, &all[k], true, now);
		} else {
			n -= there[k];
			there[k] = false;
			fastpath_withdraw_flow(fast, &all[k]);
		}
		ck_assert_uint_eq(flows_now(), n);
	}
	for (int i = 0; i < N; i++)
		ck_assert(fastpath_wants_flow(fast, &all[i], true, true,
					      mono_add(now, i * NS_PER_S)) ==
			  !there[i]);
}
END_TEST

START_TEST(a_full_table_takes_no_more)
{
	struct fastpath_flow f = {.proto = 17};
	struct fastpath_stats st;

	for (uint32_t i = 0; i < 17000; i++) {
		memcpy(&f.src6, &i, sizeof(i));
		fastpath_tell_flow(fast, &f, true, now);
	}
	fastpath_get_stats(fast, &st);
	ck_assert_uint_eq(st.flows, 16384);
	ck_assert_uint_eq(st.full, 17000 - 16384);
	fastpath_withdraw_flow(fast, &f); /* was never there */
	ck_assert_uint_eq(flows_now(), 16384);
	memset(&f.src6, 0, sizeof(f.src6));
	fastpath_withdraw_flow(fast, &f);
	ck_assert_uint_eq(flows_now(), 16383);
}
END_TEST

static bool possible(char *why, size_t len)
{
	struct err e = {""};
	struct fastpath *f;

	if (geteuid() != 0) {
		snprintf(why, len, "needs root");
		return false;
	}
	f = fastpath_open("lo", NULL, 0, false, now, &e);
	snprintf(why, len, "%.200s", e.text);
	fastpath_close(f);
	return f;
}

int main(void)
{
	Suite *s = suite_create("fastpath");
	TCase *t = tcase_create("pairs"), *u = tcase_create("flows");
	char why[256];
	SRunner *r;
	int failed;

	if (!possible(why, sizeof(why))) {
		printf("SKIP: %s\n", why);
		return 77;
	}
	tcase_add_checked_fixture(t, fast_setup, fast_teardown);
	tcase_add_test(t, what_it_translates_is_what_the_core_makes);
	tcase_add_test(t, traffic_class_as_configured);
	tcase_add_loop_test(t, what_needs_thought_is_left_alone, 0, 4);
	tcase_add_test(t, what_does_not_fit_is_left_alone);
	tcase_add_test(t, df_is_set_by_the_size_of_segments);
	tcase_add_test(t, forgotten_at_once);
	tcase_add_test(t, without_the_daemon_it_ends);
	tcase_add_test(t, offers_have_a_rate);
	tcase_add_test(t, any_bytes);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(u, flow_setup, fast_teardown);
	tcase_add_test(u, sessions_are_translated_as_the_core_does);
	tcase_add_loop_test(u, only_the_session_itself, 0, 4);
	tcase_add_loop_test(u, what_moves_tcp_is_left_alone, 0, 2);
	tcase_add_test(u, worth_telling);
	tcase_add_test(u, use_is_told_once);
	tcase_add_test(u, all_are_forgotten_at_once);
	tcase_add_test(u, records_against_a_list);
	tcase_add_test(u, a_full_table_takes_no_more);
	tcase_set_timeout(u, 60);
	suite_add_tcase(s, u);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

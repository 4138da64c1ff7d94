/* SPDX-License-Identifier: MIT */
/*
 * The whole way of a packet, over memory: roles as configured, verdicts and
 * their counters, ICMP errors, hairpinning, fragments, failing writes.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../base/rng.h"
#include "../core/csum.h"
#include "../daemon/config.h"
#include "../daemon/memory.h"
#include "../daemon/setup.h"
#include "../io/io.h"

static struct arena *arena;
static struct setup su;
static struct io *io;
static struct mono now = {1000 * NS_PER_S};
static uint8_t buf[IO_BUFFER_BYTES];
static uint8_t out[PKT_MAX_BYTES];
static struct pkt_gso out_gso;

static int emit(void *arg, const struct pkt *pkt)
{
	return io_write(arg, pkt);
}

static void start(enum role role, const char *text)
{
	struct diags d;
	struct config *c;
	struct err e;

	diags_init(&d);
	arena = arena_new();
	c = config_load_text("f", text, strlen(text), role, arena, &d);
	diags_print(&d, stderr);
	ck_assert_ptr_nonnull(c);
	ck_assert_int_eq(setup_init(&su, c, now, &e), 0);
	io = io_open_memory(64);
	su.path.emit = emit;
	su.path.emit_arg = io;
	diags_fini(&d);
}

static void start_plat(void)
{
	start(ROLE_PLAT, "tun: {name: t}\npool6: 64:ff9b::/96\n"
			 "pool4: [192.0.2.1]\nallow-private: true\n"
			 "seed: 1\n");
}

static void start_clat(void)
{
	start(ROLE_CLAT, "tun: {name: t}\npref64: 64:ff9b::/96\n"
			 "clat: {lan4: 192.168.1.0/24, clat6: "
			 "\"2001:db8:c1::/96\"}\nallow-private: true\n");
}

static void check_sums(void)
{
	const struct path_counters *c = &su.path.counters;
	uint64_t reasons = 0;

	for (unsigned int i = 0; i < REASON_COUNT; i++)
		reasons += c->reasons.n[i];
	ck_assert_uint_eq(c->received4 + c->received6,
			  c->forwarded + c->hairpinned + c->replied +
				  c->dropped + c->held);
	ck_assert_uint_eq(reasons + c->held, c->received4 + c->received6);
	ck_assert(path_balanced(c));
	if (su.path.held) {
		ck_assert_uint_eq(su.path.held->n, c->held);
		ck_assert_ptr_null(nat64_held_check(su.path.held));
	}
}

static void stop(void)
{
	const char *wrong = su.path.nat64 ? nat64_check(su.path.nat64) : NULL;

	ck_assert_msg(!wrong, "%s", wrong);
	check_sums();
	setup_fini(&su);
	io_close(io);
	arena_free(arena);
}

/* ---- packets --------------------------------------------------------------
 */

static void finish_udp(uint8_t *udp, uint16_t len, uint64_t pseudo)
{
	uint16_t check;

	check = (uint16_t)~csum_fold(csum_add(pseudo, udp, len));
	memcpy(udp + 6, &check, 2);
}

static void put16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static size_t udp6(uint8_t *p, const char *src, unsigned int sport,
		   const char *dst, unsigned int dport, size_t data)
{
	uint16_t len = (uint16_t)(8 + data);

	memset(p, 0, 40 + len);
	p[0] = 0x60;
	put16(p + 4, len);
	p[6] = 17;
	p[7] = 64;
	inet_pton(AF_INET6, src, p + 8);
	inet_pton(AF_INET6, dst, p + 24);
	put16(p + 40, sport);
	put16(p + 42, dport);
	put16(p + 44, len);
	for (size_t i = 0; i < data; i++)
		p[48 + i] = (uint8_t)i;
	finish_udp(p + 40, len, csum_pseudo6(p + 8, p + 24, 17, len));
	return 40 + len;
}

static void sum_header4(uint8_t *p)
{
	uint16_t check;

	put16(p + 10, 0);
	check = (uint16_t)~csum_fold(csum_add(0, p, 20));
	memcpy(p + 10, &check, 2);
}

static size_t udp4(uint8_t *p, const char *src, unsigned int sport,
		   const char *dst, unsigned int dport, size_t data, bool df)
{
	uint16_t len = (uint16_t)(8 + data);

	memset(p, 0, 20 + len);
	p[0] = 0x45;
	put16(p + 2, 20 + len);
	p[6] = df ? 0x40 : 0;
	p[8] = 64;
	p[9] = 17;
	inet_pton(AF_INET, src, p + 12);
	inet_pton(AF_INET, dst, p + 16);
	sum_header4(p);
	put16(p + 20, sport);
	put16(p + 22, dport);
	put16(p + 24, len);
	for (size_t i = 0; i < data; i++)
		p[28 + i] = (uint8_t)i;
	finish_udp(p + 20, len, csum_pseudo4(p + 12, p + 16, 17, len));
	return 20 + len;
}

/* Through io and path, as the server does it. */
static enum verdict push(const uint8_t *p, size_t len)
{
	struct pkt_gso none = {0};
	struct pkt pkt;

	ck_assert_int_eq(io_memory_put(io, p, len, &none), 0);
	ck_assert_int_eq(io_read(io, buf, &pkt), 0);
	return path_run(&su.path, &pkt, now);
}

static long pull(void)
{
	return io_memory_get(io, out, &out_gso);
}

static bool csum_good6(const uint8_t *p)
{
	unsigned int len = (unsigned int)(p[4] << 8 | p[5]);

	return csum_fold(csum_add(csum_pseudo6(p + 8, p + 24, p[6], len),
				  p + 40, len)) == 0xffff;
}

static bool csum_good4(const uint8_t *p)
{
	unsigned int len = (unsigned int)(p[2] << 8 | p[3]) - 20;
	uint64_t pseudo =
		p[9] == 1 ? 0 : csum_pseudo4(p + 12, p + 16, p[9], len);

	return csum_fold(csum_add(0, p, 20)) == 0xffff &&
	       csum_fold(csum_add(pseudo, p + 20, len)) == 0xffff;
}

#define REASON_N(r) su.path.counters.reasons.n[REASON_##r]

/* ---- tests ----------------------------------------------------------------
 */

static uint8_t p[PKT_MAX_BYTES];

START_TEST(clat_and_back)
{
	struct in6_addr a;
	size_t len;

	start_clat();
	len = udp4(p, "192.168.1.2", 5000, "198.51.100.1", 53, 100, true);
	ck_assert_int_eq(push(p, len), VERDICT_FORWARD);
	ck_assert_int_eq(pull(), (long)len + 20);
	inet_pton(AF_INET6, "2001:db8:c1::c0a8:102", &a);
	ck_assert_mem_eq(out + 8, &a, 16);
	inet_pton(AF_INET6, "64:ff9b::c633:6401", &a);
	ck_assert_mem_eq(out + 24, &a, 16);
	ck_assert(csum_good6(out));
	len = udp6(p, "64:ff9b::c633:6401", 53, "2001:db8:c1::c0a8:102", 5000,
		   100);
	ck_assert_int_eq(push(p, len), VERDICT_FORWARD);
	ck_assert_int_eq(pull(), (long)len - 20);
	ck_assert(csum_good4(out));
	/* not ours, either way */
	len = udp4(p, "10.0.0.1", 5000, "198.51.100.1", 53, 9, true);
	push(p, len);
	len = udp6(p, "2001:db8::9", 53, "2001:db8:c1::c0a8:102", 5000, 9);
	push(p, len);
	ck_assert_uint_eq(REASON_N(NO_MAPPING_SOURCE), 2);
	stop();
}
END_TEST

/* The transport checksum is the same bytes on both sides (RFC 6296). */
START_TEST(clat_checksum_neutral)
{
	static const char *const pref64s[] = {
		"64:ff9b::/96", "2001:db8:64::/96", "2001:db8::/32"};
	struct prefix6 from;
	struct in6_addr a;

	prefix6_parse("2001:db8:c1:2::/64", &from);
	for (unsigned int i = 0; i < 3; i++) {
		char text[256];
		size_t len;

		snprintf(text, sizeof(text),
			 "tun: {name: t}\npref64: %s\n"
			 "clat: {lan4: 192.168.1.0/24, clat6: "
			 "\"2001:db8:c1:2::/64\", checksum-neutral: true}\n"
			 "allow-private: true\n",
			 pref64s[i]);
		start(ROLE_CLAT, text);
		len = udp4(p, "192.168.1.2", 5000, "198.51.100.1", 53, 100,
			   true);
		ck_assert_int_eq(push(p, len), VERDICT_FORWARD);
		ck_assert_int_eq(pull(), (long)len + 20);
		ck_assert(csum_good6(out));
		ck_assert_mem_eq(out + 46, p + 26, 2);
		memcpy(&a, out + 8, 16);
		ck_assert(prefix6_contains(&from, &a));
		stop();
	}
}
END_TEST

/* Addresses of one's own as somebody else's: counted, dropped, no circle. */
START_TEST(clat_hostile)
{
	static const struct {
		const char *src, *dst;
		enum reason reason;
	} v6[] = {
		/* a neighbour, the home itself, or the CLAT as the world */
		{"64:ff9b::c0a8:105", "2001:db8:c1::c0a8:102",
		 REASON_ILLEGAL_SOURCE},
		{"64:ff9b::c0a8:102", "2001:db8:c1::c0a8:102",
		 REASON_ILLEGAL_SOURCE},
		{"2001:db8:c1::c0a8:102", "2001:db8:c1::c0a8:102",
		 REASON_NO_MAPPING_SOURCE},
		{"2001:db8:c1::c000:8", "2001:db8:c1::c0a8:102",
		 REASON_NO_MAPPING_SOURCE},
		{"64:ff9b::7f00:1", "2001:db8:c1::c0a8:102",
		 REASON_ILLEGAL_SOURCE},
		{"64:ff9b::c633:6401", "64:ff9b::c633:6401",
		 REASON_NO_MAPPING_DESTINATION},
		{"64:ff9b::c633:6401", "2001:db8:c1::c000:8",
		 REASON_NO_MAPPING_DESTINATION},
		{"::1", "2001:db8:c1::c0a8:102", REASON_ILLEGAL_SOURCE},
	};
	static const struct {
		const char *src, *dst;
		enum reason reason;
	} v4[] = {
		{"192.168.1.2", "192.168.1.2", REASON_NO_MAPPING_DESTINATION},
		{"192.168.1.2", "192.168.1.3", REASON_NO_MAPPING_DESTINATION},
		{"192.0.0.8", "198.51.100.1", REASON_NO_MAPPING_SOURCE},
		{"198.51.100.1", "192.168.1.2", REASON_NO_MAPPING_SOURCE},
		{"127.0.0.1", "192.168.1.2", REASON_ILLEGAL_SOURCE},
		{"192.168.1.2", "127.0.0.1", REASON_ILLEGAL_DESTINATION},
	};
	const uint64_t *n;

	start_clat();
	n = su.path.counters.reasons.n;
	for (size_t i = 0; i < sizeof(v6) / sizeof(*v6); i++) {
		uint64_t before = n[v6[i].reason];
		size_t len = udp6(p, v6[i].src, 53, v6[i].dst, 53, 9);

		ck_assert_int_ne(push(p, len), VERDICT_FORWARD);
		ck_assert_msg(n[v6[i].reason] == before + 1, "%s to %s",
			      v6[i].src, v6[i].dst);
	}
	for (size_t i = 0; i < sizeof(v4) / sizeof(*v4); i++) {
		uint64_t before = n[v4[i].reason];
		size_t len = udp4(p, v4[i].src, 53, v4[i].dst, 53, 9, true);

		ck_assert_int_ne(push(p, len), VERDICT_FORWARD);
		ck_assert_msg(n[v4[i].reason] == before + 1, "%s to %s",
			      v4[i].src, v4[i].dst);
	}
	ck_assert_uint_eq(su.path.counters.forwarded, 0);
	stop();
}
END_TEST

START_TEST(plat_there_and_back)
{
	char reply_to[] = "192.0.2.1";
	size_t len;

	start_plat();
	len = udp6(p, "2001:db8::5", 4001, "64:ff9b::c633:6401", 53, 64);
	ck_assert_int_eq(push(p, len), VERDICT_FORWARD);
	ck_assert_int_eq(pull(), (long)len - 20);
	ck_assert(csum_good4(out));
	ck_assert_int_eq(out[20] << 8 | out[21], 4001);
	len = udp4(p, "198.51.100.1", 53, reply_to, 4001, 64, false);
	ck_assert_int_eq(push(p, len), VERDICT_FORWARD);
	ck_assert_int_eq(pull(), (long)len + 20);
	ck_assert(csum_good6(out));
	ck_assert_int_eq(out[42] << 8 | out[43], 4001);
	stop();
}
END_TEST

/* A TCP segment without data. */
static size_t tcp4(uint8_t *at, const char *src, unsigned int sport,
		   const char *dst, unsigned int dport, unsigned int flags)
{
	uint16_t check;

	udp4(at, src, sport, dst, dport, 12, true);
	at[9] = 6;
	sum_header4(at);
	memset(at + 24, 0, 16);
	at[32] = 0x50;
	at[33] = (uint8_t)flags;
	check = (uint16_t)~csum_fold(
		csum_add(csum_pseudo4(at + 12, at + 16, 6, 20), at + 20, 20));
	memcpy(at + 36, &check, 2);
	return 40;
}

static size_t tcp6(uint8_t *at, const char *src, unsigned int sport,
		   const char *dst, unsigned int dport, unsigned int flags)
{
	uint16_t check;

	udp6(at, src, sport, dst, dport, 12);
	at[6] = 6;
	memset(at + 44, 0, 16);
	at[52] = 0x50;
	at[53] = (uint8_t)flags;
	check = (uint16_t)~csum_fold(
		csum_add(csum_pseudo6(at + 8, at + 24, 6, 20), at + 40, 20));
	memcpy(at + 56, &check, 2);
	return 60;
}

#define SYN 0x02
#define ACK 0x10

/* RFC 6146 section 3.5.2.2: a SYN that nobody answers is told, once. */
START_TEST(plat_stored_syn_ends_in_port_unreachable)
{
	struct mono later = mono_add(now, 7 * NS_PER_S);
	size_t len;

	start_plat();
	len = tcp4(p, "198.51.100.1", 80, "192.0.2.1", 4001, SYN);
	ck_assert_int_eq(push(p, len), VERDICT_DROP);
	ck_assert_int_eq(push(p, len), VERDICT_DROP);
	ck_assert_uint_eq(REASON_N(NAT64_SYN_QUEUE), 2);
	ck_assert_uint_eq(su.path.syns->n, 1);
	path_expire(&su.path, mono_add(now, 5 * NS_PER_S));
	ck_assert_int_eq(pull(), -EAGAIN);
	path_expire(&su.path, later);
	ck_assert_uint_eq(su.path.counters.syn_errors, 1);
	pull();
	ck_assert_int_eq(out[9], 1);
	ck_assert_int_eq(out[20] << 8 | out[21], 3 << 8 | 3);
	ck_assert_mem_eq(out + 12, p + 16, 4); /* from whom it was for */
	ck_assert_mem_eq(out + 16, p + 12, 4);
	ck_assert_mem_eq(out + 28, p, 40); /* the SYN itself */
	path_expire(&su.path, later);
	ck_assert_uint_eq(su.path.counters.syn_errors, 1);
	/* what is no SYN alone is not kept */
	len = tcp4(p, "198.51.100.1", 80, "192.0.2.1", 4001, SYN | ACK);
	ck_assert_int_eq(push(p, len), VERDICT_DROP);
	ck_assert_uint_eq(REASON_N(NAT64_NO_BIB), 1);
	stop();
}
END_TEST

/* A BIB entry that does not admit this sender is no reason to refuse either. */
START_TEST(plat_stored_syn_that_is_filtered)
{
	size_t len;

	start(ROLE_PLAT, "tun: {name: t}\npool6: 64:ff9b::/96\n"
			 "pool4: [192.0.2.1]\nallow-private: true\n"
			 "filtering: address-dependent\nseed: 1\n");
	len = tcp6(p, "2001:db8::5", 4001, "64:ff9b::c633:6401", 80, SYN);
	ck_assert_int_eq(push(p, len), VERDICT_FORWARD);
	pull();
	len = tcp4(p, "198.51.100.9", 80, "192.0.2.1", 4001, SYN);
	ck_assert_int_eq(push(p, len), VERDICT_DROP);
	ck_assert_uint_eq(REASON_N(NAT64_SYN_QUEUE), 1);
	len = tcp6(p, "2001:db8::5", 4001, "64:ff9b::c633:6409", 80, SYN);
	ck_assert_int_eq(push(p, len), VERDICT_FORWARD);
	ck_assert_uint_eq(su.path.syns->n, 0);
	len = tcp4(p, "198.51.100.9", 80, "192.0.2.1", 4001, SYN | ACK);
	ck_assert_int_eq(push(p, len), VERDICT_FORWARD);
	stop();
}
END_TEST

/* Both open at once: the session is established, and nobody is told. */
START_TEST(plat_simultaneous_open)
{
	struct nat64_session_info v[4];
	uint32_t cursor = 0;
	size_t len;

	start_plat();
	len = tcp4(p, "198.51.100.1", 80, "192.0.2.1", 4001, SYN);
	ck_assert_int_eq(push(p, len), VERDICT_DROP);
	len = tcp6(p, "2001:db8::5", 4001, "64:ff9b::c633:6401", 80, SYN);
	ck_assert_int_eq(push(p, len), VERDICT_FORWARD);
	pull();
	ck_assert_uint_eq(su.path.syns->n, 0);
	ck_assert_uint_eq(
		nat64_list_sessions(su.path.nat64, &cursor, 1024, now, v, 4),
		1);
	ck_assert_int_eq(v[0].state, NAT64_ESTABLISHED);
	len = tcp4(p, "198.51.100.1", 80, "192.0.2.1", 4001, SYN | ACK);
	ck_assert_int_eq(push(p, len), VERDICT_FORWARD);
	pull();
	path_expire(&su.path, mono_add(now, 60 * NS_PER_S));
	ck_assert_uint_eq(su.path.counters.syn_errors, 0);
	stop();
}
END_TEST

/* A flood fills its table and nothing else. */
static void establish(unsigned int port)
{
	size_t len =
		tcp6(p, "2001:db8::5", port, "64:ff9b::c633:6401", 80, SYN);

	ck_assert_int_eq(push(p, len), VERDICT_FORWARD);
	pull();
	len = tcp4(p, "198.51.100.1", 80, "192.0.2.1", port, SYN | ACK);
	ck_assert_int_eq(push(p, len), VERDICT_FORWARD);
	pull();
}

/* As much silence as that, in the steps of the server. */
static void be_silent(int64_t seconds)
{
	now = mono_add(now, seconds * NS_PER_S);
	path_expire(&su.path, now);
	while (nat64_expire(su.path.nat64, now, 1000))
		;
}

/* RFC 6146 section 3.5.2.2: no data, sequence and acknowledgement zero, all
 * flags but ACK zero; the answer goes on to the other end. */
START_TEST(plat_probes_an_idle_connection)
{
	static const uint8_t zeros[8];
	struct in6_addr a;
	size_t len;

	start_plat();
	establish(4001);
	be_silent(7441);
	ck_assert_int_eq(pull(), 60);
	inet_pton(AF_INET6, "64:ff9b::c633:6401", &a);
	ck_assert_mem_eq(out + 8, &a, 16);
	inet_pton(AF_INET6, "2001:db8::5", &a);
	ck_assert_mem_eq(out + 24, &a, 16);
	ck_assert_int_eq(out[6], 6);
	ck_assert_int_eq(out[40] << 8 | out[41], 80);
	ck_assert_int_eq(out[42] << 8 | out[43], 4001);
	ck_assert_mem_eq(out + 44, zeros, 8);
	ck_assert_int_eq(out[52], 0x50);
	ck_assert_int_eq(out[53], ACK);
	ck_assert(csum_good6(out));
	ck_assert_int_eq(pull(), -EAGAIN);
	ck_assert_uint_eq(su.path.counters.probes, 1);
	len = tcp6(p, "2001:db8::5", 4001, "64:ff9b::c633:6401", 80, ACK);
	ck_assert_int_eq(push(p, len), VERDICT_FORWARD);
	pull();
	be_silent(7000); /* revived: the time has begun anew */
	len = tcp4(p, "198.51.100.1", 80, "192.0.2.1", 4001, ACK);
	ck_assert_int_eq(push(p, len), VERDICT_FORWARD);
	pull();
	be_silent(7441);
	ck_assert_uint_eq(su.path.counters.probes, 2);
	be_silent(241); /* nobody there */
	ck_assert_int_eq(push(p, len), VERDICT_DROP);
	stop();
}
END_TEST

/* Many that fall silent together are asked as fast as allowed, and wait. */
START_TEST(plat_probes_are_limited)
{
	struct nat64_stats st;

	start(ROLE_PLAT, "tun: {name: t}\npool6: 64:ff9b::/96\n"
			 "pool4: [192.0.2.1]\nallow-private: true\n"
			 "probe-rate: 0pps\nseed: 1\n");
	for (unsigned int i = 0; i < 200; i++)
		establish(2000 + i);
	be_silent(7441);
	ck_assert_int_eq(pull(), -EAGAIN);
	ck_assert_uint_eq(su.path.counters.probes, 0);
	ck_assert_uint_eq(su.path.counters.probes_limited, 200);
	nat64_get_stats(su.path.nat64, &st);
	ck_assert_uint_eq(st.proto[NAT64_TCP].sessions, 200);
	stop();
	start_plat();
	for (unsigned int i = 0; i < 200; i++)
		establish(2000 + i);
	be_silent(7441);
	ck_assert_uint_ge(su.path.counters.probes, 1);
	ck_assert_uint_le(su.path.counters.probes, 60);
	ck_assert_uint_eq(
		su.path.counters.probes + su.path.counters.probes_limited, 200);
	stop();
}
END_TEST

START_TEST(plat_syn_flood_is_bounded)
{
	char src[INET_ADDRSTRLEN];
	size_t len;

	start_plat();
	for (unsigned int i = 0; i < 10000; i++) {
		snprintf(src, sizeof(src), "198.51.%u.%u", i >> 8 & 255,
			 i & 255);
		len = tcp4(p, src, 1024 + i % 5, "192.0.2.1", 2000 + i % 999,
			   SYN);
		ck_assert_int_eq(push(p, len), VERDICT_DROP);
	}
	ck_assert_uint_gt(REASON_N(NAT64_SYN_FULL), 8000);
	ck_assert_uint_le(su.path.syns->n, NAT64_SYN_SETS * NAT64_SYN_WAYS);
	ck_assert_uint_ge(su.path.syns->n, 1000);
	len = tcp6(p, "2001:db8::5", 4001, "64:ff9b::c633:6401", 80, SYN);
	ck_assert_int_eq(push(p, len), VERDICT_FORWARD);
	stop();
}
END_TEST

START_TEST(plat_refusals_have_reasons)
{
	size_t len;

	start_plat();
	len = udp6(p, "2001:db8::5", 1, "2001:db8::6", 53, 4);
	ck_assert_int_ne(push(p, len), VERDICT_FORWARD);
	ck_assert_uint_eq(REASON_N(NAT64_NOT_POOL6), 1);
	len = udp6(p, "64:ff9b::1", 1, "64:ff9b::c633:6401", 53, 4);
	ck_assert_int_ne(push(p, len), VERDICT_FORWARD);
	ck_assert_uint_eq(REASON_N(NAT64_LOOP), 1);
	len = udp4(p, "198.51.100.1", 53, "192.0.2.2", 4001, 4, true);
	ck_assert_int_ne(push(p, len), VERDICT_FORWARD);
	ck_assert_uint_eq(REASON_N(NAT64_NOT_POOL4), 1);
	len = udp4(p, "198.51.100.1", 53, "192.0.2.1", 4001, 4, true);
	ck_assert_int_ne(push(p, len), VERDICT_FORWARD);
	ck_assert_uint_eq(REASON_N(NAT64_NO_BIB), 1);
	len = udp6(p, "2001:db8::5", 1, "64:ff9b::c633:6401", 53, 4);
	p[6] = 132; /* SCTP */
	ck_assert_int_ne(push(p, len), VERDICT_FORWARD);
	stop();
}
END_TEST

START_TEST(strict_prefix_refuses_private_addresses)
{
	size_t len;

	start(ROLE_PLAT, "tun: {name: t}\npool6: 64:ff9b::/96\n"
			 "pool4: [192.0.2.1]\n");
	len = udp6(p, "2001:db8::5", 1, "64:ff9b::a00:1", 53, 4);
	ck_assert_int_ne(push(p, len), VERDICT_FORWARD);
	ck_assert_uint_eq(REASON_N(WKP_NON_GLOBAL), 1);
	len = udp6(p, "2001:db8::5", 1, "64:ff9b::808:808", 53, 4);
	ck_assert_int_eq(push(p, len), VERDICT_FORWARD);
	stop();
}
END_TEST

START_TEST(hairpin_reaches_the_other_host)
{
	struct in6_addr a;
	size_t len;

	start_plat();
	/* B opens a port, A sends to it through pool4 */
	len = udp6(p, "2001:db8::b", 4444, "64:ff9b::c633:6401", 53, 4);
	ck_assert_int_eq(push(p, len), VERDICT_FORWARD);
	pull();
	len = udp6(p, "2001:db8::a", 3333, "64:ff9b::c000:201", 4444, 33);
	ck_assert_int_eq(push(p, len), VERDICT_HAIRPIN);
	ck_assert_int_eq(pull(), (long)len);
	inet_pton(AF_INET6, "2001:db8::b", &a);
	ck_assert_mem_eq(out + 24, &a, 16);
	inet_pton(AF_INET6, "64:ff9b::c000:201", &a);
	ck_assert_mem_eq(out + 8, &a, 16);
	ck_assert_int_eq(out[40] << 8 | out[41], 3333);
	ck_assert_int_eq(out[42] << 8 | out[43], 4444);
	ck_assert(csum_good6(out));
	/* and the answer the same way back */
	len = udp6(p, "2001:db8::b", 4444, "64:ff9b::c000:201", 3333, 5);
	ck_assert_int_eq(push(p, len), VERDICT_HAIRPIN);
	ck_assert_int_eq(pull(), (long)len);
	inet_pton(AF_INET6, "2001:db8::a", &a);
	ck_assert_mem_eq(out + 24, &a, 16);
	/* nobody there */
	len = udp6(p, "2001:db8::a", 3333, "64:ff9b::c000:201", 9, 5);
	ck_assert_int_ne(push(p, len), VERDICT_HAIRPIN);
	ck_assert_uint_eq(su.path.counters.hairpinned, 2);
	stop();
}
END_TEST

/* Who is filtered by a host of the same PLAT is told as an IPv6 host. */
START_TEST(hairpin_filtered_is_told)
{
	struct in6_addr a;
	size_t len;

	start(ROLE_PLAT, "tun: {name: t}\npool6: 64:ff9b::/96\n"
			 "pool4: [192.0.2.1]\nallow-private: true\nseed: 1\n"
			 "filtering: address-dependent\n");
	len = udp6(p, "2001:db8::b", 4444, "64:ff9b::c633:6401", 53, 4);
	ck_assert_int_eq(push(p, len), VERDICT_FORWARD);
	pull();
	len = udp6(p, "2001:db8::a", 3333, "64:ff9b::c000:201", 4444, 33);
	ck_assert_int_eq(push(p, len), VERDICT_REPLY);
	ck_assert_uint_eq(REASON_N(NAT64_FILTERED), 1);
	ck_assert_int_eq(pull(), (long)(48 + len));
	ck_assert(csum_good6(out));
	inet_pton(AF_INET6, "2001:db8::a", &a);
	ck_assert_mem_eq(out + 24, &a, 16);
	ck_assert_mem_eq(out + 40, "\1\1", 2);
	ck_assert_mem_eq(out + 48, p, len);
	stop();
}
END_TEST

/* An ICMPv4 error from @from about what lies in out, which we sent. */
static size_t error4(const char *from, uint8_t type, uint8_t code,
		     unsigned int rest)
{
	size_t quoted = 20 + 8;
	uint16_t check;

	memset(p, 0, 28);
	p[0] = 0x45;
	put16(p + 2, (unsigned int)(28 + quoted));
	p[8] = 64;
	p[9] = 1;
	inet_pton(AF_INET, from, p + 12);
	memcpy(p + 16, out + 12, 4);
	sum_header4(p);
	p[20] = type;
	p[21] = code;
	put16(p + 26, rest);
	memcpy(p + 28, out, quoted);
	check = (uint16_t)~csum_fold(csum_add(0, p + 20, 8 + quoted));
	memcpy(p + 22, &check, 2);
	return 28 + quoted;
}

START_TEST(errors_find_their_session)
{
	struct in6_addr a;
	size_t len;

	start_plat();
	/* taken already, so that the ports differ on both sides */
	len = udp6(p, "2001:db8::1", 4001, "64:ff9b::c633:6401", 53, 64);
	push(p, len);
	pull();
	len = udp6(p, "2001:db8::5", 4001, "64:ff9b::c633:6401", 53, 64);
	push(p, len);
	pull();
	ck_assert_int_ne(out[20] << 8 | out[21], 4001);
	len = error4("203.0.113.9", 3, 4, 1400);
	ck_assert_int_eq(push(p, len), VERDICT_FORWARD);
	ck_assert_int_ge(pull(), 40 + 8 + 40 + 8);
	ck_assert(csum_good6(out));
	inet_pton(AF_INET6, "64:ff9b::cb00:7109", &a);
	ck_assert_mem_eq(out + 8, &a, 16);
	inet_pton(AF_INET6, "2001:db8::5", &a);
	ck_assert_mem_eq(out + 24, &a, 16);
	ck_assert_int_eq(out[40], 2);			/* too big */
	ck_assert_int_eq(out[46] << 8 | out[47], 1420); /* RFC 7915 */
	ck_assert_mem_eq(out + 48 + 8, &a, 16);		/* inner source */
	ck_assert_int_eq(out[88] << 8 | out[89], 4001); /* and port */
	/* about nothing that we know */
	len = udp6(p, "2001:db8::5", 4001, "64:ff9b::c633:6401", 53, 64);
	push(p, len);
	pull();
	out[23] ^= 1;
	len = error4("203.0.113.9", 3, 4, 1400);
	ck_assert_int_eq(push(p, len), VERDICT_DROP);
	ck_assert_uint_eq(REASON_N(NAT64_NO_SESSION), 1);
	stop();
}
END_TEST

/* RFC 6052 section 3.1: a router on a private address has no name there. */
START_TEST(errors_from_private_routers_come_from_us)
{
	static const struct {
		const char *router, *as;
	} v[] = {{"10.0.0.1", "2001:db8:ffff::1"},
		 {"100.64.0.1", "2001:db8:ffff::1"},
		 {"9.9.9.1", "64:ff9b::9.9.9.1"},
		 {"192.0.2.1", "64:ff9b::192.0.2.1"}}; /* in pool4 */
	struct in6_addr a;
	size_t len;

	start(ROLE_PLAT, "tun: {name: t}\npool6: 64:ff9b::/96\n"
			 "pool4: [192.0.2.1]\n"
			 "icmp-source6: 2001:db8:ffff::1\n");
	for (unsigned int i = 0; i < sizeof(v) / sizeof(*v); i++) {
		len = udp6(p, "2001:db8::5", 4001, "64:ff9b::808:808", 53, 64);
		push(p, len);
		pull();
		len = error4(v[i].router, 3, 4, 1400);
		ck_assert_int_eq(push(p, len), VERDICT_FORWARD);
		ck_assert_int_gt(pull(), 0);
		ck_assert(csum_good6(out));
		inet_pton(AF_INET6, v[i].as, &a);
		ck_assert_mem_eq(out + 8, &a, 16);
		ck_assert_int_eq(out[40], 2);
	}
	memset(&su.path.xlat.self6, 0, sizeof(su.path.xlat.self6));
	push(p, udp6(p, "2001:db8::5", 4001, "64:ff9b::808:808", 53, 64));
	pull();
	len = error4("10.0.0.1", 3, 4, 1400);
	ck_assert_int_eq(push(p, len), VERDICT_DROP);
	ck_assert_uint_eq(REASON_N(WKP_NON_GLOBAL), 1);
	stop();
}
END_TEST

START_TEST(expired_hop_limit_is_answered_within_the_rate)
{
	unsigned int replied = 0;
	size_t len;

	start_plat();
	ratelimit_init(&su.path.icmp, 10, 50, now.ns);
	for (unsigned int i = 0; i < 200; i++) {
		len = udp6(p, "2001:db8::5", 4001, "64:ff9b::c633:6401", 53, 4);
		p[7] = 1;
		replied += push(p, len) == VERDICT_REPLY;
		if (!pull())
			break;
	}
	ck_assert_uint_ge(replied, 1);
	ck_assert_uint_le(replied, 50);
	ck_assert_uint_eq(su.path.counters.icmp_limited, 200 - replied);
	ck_assert_uint_eq(REASON_N(TTL_EXPIRED), 200);
	stop();
}
END_TEST

static enum verdict push_dying(void)
{
	enum verdict v;
	size_t len = udp6(p, "2001:db8::6", 4001, "64:ff9b::c633:6401", 53, 4);

	p[7] = 1;
	v = push(p, len);
	pull();
	return v;
}

static enum verdict push_too_big(void)
{
	enum verdict v;
	size_t len =
		udp6(p, "2001:db8::5", 4001, "64:ff9b::c633:6401", 53, 1480);

	v = push(p, len);
	if (v == VERDICT_REPLY) {
		ck_assert_int_gt(pull(), 0);
		ck_assert_int_eq(out[40], 2);
	}
	return v;
}

/* Somebody's traceroute does not make black holes of other people's paths. */
START_TEST(mtus_are_told_while_others_flood)
{
	unsigned int i;

	start_plat();
	for (i = 0; i < 1000; i++)
		push_dying();
	ck_assert_uint_gt(su.path.counters.icmp_limited, 900);
	for (i = 0; i < 50; i++)
		ck_assert_int_eq(push_too_big(), VERDICT_REPLY);
	/* they have a rate too, which is not the others' */
	ck_assert_int_eq(push_too_big(), VERDICT_DROP);
	now.ns += NS_PER_S / 1000;
	ck_assert_int_eq(push_too_big(), VERDICT_REPLY);
	ck_assert_int_eq(push_too_big(), VERDICT_DROP);
	ck_assert_int_eq(push_dying(), VERDICT_REPLY);
	stop();
}
END_TEST

/* RFC 7915 sections 4.4 and 5.4: the administrator may want none. */
START_TEST(icmp_rate_of_zero_sends_none)
{
	size_t len;

	start(ROLE_PLAT, "tun: {name: t}\npool6: 64:ff9b::/96\n"
			 "pool4: [192.0.2.1]\nallow-private: true\n"
			 "icmp-rate: 0pps\n");
	ck_assert_int_eq(push_dying(), VERDICT_DROP);
	now.ns += 3600 * NS_PER_S;
	ck_assert_int_eq(push_dying(), VERDICT_DROP);
	ck_assert_int_eq(push_too_big(), VERDICT_DROP);
	len = udp4(p, "198.51.100.1", 53, "192.0.2.1", 4001, 4, true);
	p[8] = 1;
	sum_header4(p);
	ck_assert_int_eq(push(p, len), VERDICT_DROP);
	ck_assert_int_eq(pull(), -EAGAIN);
	ck_assert_uint_eq(su.path.counters.icmp_limited, 3);
	ck_assert_uint_eq(su.path.counters.replied, 0);
	stop();
}
END_TEST

START_TEST(fragments_follow_the_first)
{
	size_t len;

	start_plat();
	su.path.xlat.lowest_mtu6 = 1280;
	len = udp6(p, "2001:db8::5", 4001, "64:ff9b::c633:6401", 53, 4);
	push(p, len);
	pull();
	/* DF clear and too long: cut up by the translator itself */
	len = udp4(p, "198.51.100.1", 53, "192.0.2.1", 4001, 1400, false);
	ck_assert_int_eq(push(p, len), VERDICT_FRAGMENT);
	ck_assert_int_le(pull(), 1280);
	ck_assert_int_eq(out[6], 44);
	ck_assert_int_gt(pull(), 0);
	ck_assert_int_eq(pull(), -EAGAIN);
	ck_assert_uint_eq(su.path.counters.fragments, 2);
	/* fragments already: the second has no ports of its own */
	len = udp4(p, "198.51.100.1", 53, "192.0.2.1", 4001, 64, false);
	p[5] = 77;
	p[6] = 0x20;
	sum_header4(p);
	ck_assert_int_eq(push(p, len), VERDICT_FORWARD);
	ck_assert_int_gt(pull(), 0);
	p[6] = 0;
	p[7] = 9;
	sum_header4(p);
	ck_assert_int_eq(push(p, len), VERDICT_FORWARD);
	ck_assert_int_gt(pull(), 0);
	/* of another datagram, whose first is never seen */
	p[5] = 78;
	sum_header4(p);
	ck_assert_int_eq(push(p, len), VERDICT_HOLD);
	check_sums();
	path_expire(&su.path, mono_add(now, NAT64_FRAG_LIFE_NS - 1));
	ck_assert_uint_eq(su.path.counters.held, 1);
	path_expire(&su.path, mono_add(now, NAT64_FRAG_LIFE_NS));
	ck_assert_uint_eq(REASON_N(NAT64_FRAGMENT), 1);
	ck_assert_int_eq(pull(), -EAGAIN);
	stop();
}
END_TEST

/* A datagram in pieces of 64 bytes, from IPv6: @i says which. */
static size_t piece6(uint8_t *at, const char *src, unsigned int id,
		     unsigned int i, bool more)
{
	uint8_t whole[400];

	udp6(whole, src, 4001, "64:ff9b::c633:6401", 53, 56 + 64 * 4);
	memcpy(at, whole, 40);
	put16(at + 4, 8 + 64);
	at[6] = 44;
	at[40] = 17;
	at[41] = 0;
	put16(at + 42, i * 64 | more);
	put16(at + 44, 0);
	put16(at + 46, id);
	memcpy(at + 48, whole + 40 + 64 * i, 64);
	return 48 + 64;
}

/* What leaves is offset @i of datagram @id, as it came in. */
static void want_piece4(const char *src, unsigned int id, unsigned int i)
{
	uint8_t in[112];

	piece6(in, src, id, i, i < 4);
	ck_assert_int_eq(pull(), 20 + 64);
	ck_assert_int_eq(out[4] << 8 | out[5], (int)id);
	ck_assert_int_eq((out[6] << 8 | out[7]) & 0x1fff, (int)i * 8);
	ck_assert_int_eq(out[6] >> 5 & 1, i < 4);
	ck_assert_mem_eq(out + 20 + (i ? 0 : 8), in + 48 + (i ? 0 : 8),
			 i ? 64 : 56);
}

/* RFC 6146 section 3.4, RFC 4787 REQ-14: in whatever order they come. */
START_TEST(fragments_may_overtake_the_first)
{
	static const unsigned int order[] = {4, 2, 0, 3, 1};
	struct rng r;

	start_plat();
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(push(p, piece6(p, "2001:db8::5", 9, order[i],
						order[i] < 4)),
				 i < 2 ? VERDICT_HOLD : VERDICT_FORWARD);
	want_piece4("2001:db8::5", 9, 0);
	want_piece4("2001:db8::5", 9, 4);
	want_piece4("2001:db8::5", 9, 2);
	want_piece4("2001:db8::5", 9, 3);
	want_piece4("2001:db8::5", 9, 1);
	ck_assert_uint_eq(su.path.counters.held_all, 2);
	ck_assert_uint_eq(su.path.counters.held, 0);
	/* two senders that chose the same identification, interleaved */
	rng_init(&r, 7);
	for (unsigned int n = 0; n < 200; n++) {
		unsigned int i = 1 + (unsigned int)rng_below(&r, 4);

		push(p, piece6(p, "2001:db8::5", 100 + n, i, i < 4));
		push(p, piece6(p, "2001:db8::6", 100 + n, 4, false));
		ck_assert_int_eq(pull(), -EAGAIN);
		push(p, piece6(p, "2001:db8::6", 100 + n, 0, true));
		want_piece4("2001:db8::6", 100 + n, 0);
		want_piece4("2001:db8::6", 100 + n, 4);
		ck_assert_int_eq(pull(), -EAGAIN);
		push(p, piece6(p, "2001:db8::5", 100 + n, 0, true));
		want_piece4("2001:db8::5", 100 + n, 0);
		want_piece4("2001:db8::5", 100 + n, i);
	}
	check_sums();
	stop();
}
END_TEST

/* Those from the IPv4 side, and those whose first one is refused. */
START_TEST(fragments_that_wait_share_the_fate_of_the_first)
{
	size_t len;

	start_plat();
	len = udp4(p, "198.51.100.1", 53, "192.0.2.1", 4001, 64, false);
	put16(p + 4, 77);
	put16(p + 6, 9);
	sum_header4(p);
	ck_assert_int_eq(push(p, len), VERDICT_HOLD);
	/* no session: neither of both passes */
	put16(p + 6, 0x2000);
	sum_header4(p);
	ck_assert_int_eq(push(p, len), VERDICT_DROP);
	ck_assert_uint_eq(REASON_N(NAT64_NO_BIB), 2);
	len = udp6(p, "2001:db8::5", 4001, "64:ff9b::c633:6401", 53, 4);
	push(p, len);
	ck_assert_int_gt(pull(), 0);
	len = udp4(p, "198.51.100.1", 53, "192.0.2.1", 4001, 64, false);
	put16(p + 4, 78);
	put16(p + 6, 9);
	sum_header4(p);
	ck_assert_int_eq(push(p, len), VERDICT_HOLD);
	put16(p + 6, 0x2000);
	sum_header4(p);
	ck_assert_int_eq(push(p, len), VERDICT_FORWARD);
	ck_assert_int_gt(pull(), 0);
	ck_assert_int_eq(out[43] & 1, 1); /* more of it */
	ck_assert_int_gt(pull(), 0);
	ck_assert_int_eq(out[42] << 8 | out[43], 72);
	ck_assert_int_eq(pull(), -EAGAIN);
	stop();
}
END_TEST

/* Piece @i of 5 of a datagram of 320 bytes from IPv4 that has no checksum. */
static size_t piece4(uint8_t *at, unsigned int id, unsigned int i)
{
	uint8_t whole[400];

	udp4(whole, "198.51.100.1", 53, "192.0.2.1", 4001, 312, false);
	put16(whole + 26, 0);
	memcpy(at, whole, 20);
	put16(at + 2, 20 + 64);
	put16(at + 4, id);
	put16(at + 6, (i < 4 ? 0x2000 : 0) | i * 8);
	sum_header4(at);
	memcpy(at + 20, whole + 20 + 64 * i, 64);
	return 20 + 64;
}

static void open_for_pieces(void)
{
	start_plat();
	push(p, udp6(p, "2001:db8::5", 4001, "64:ff9b::c633:6401", 53, 4));
	ck_assert_int_gt(pull(), 0);
}

/* All five leave, and are a datagram with a good checksum. */
static void want_whole6(void)
{
	uint8_t whole[40 + 320];
	unsigned int seen = 0;

	for (int k = 0; k < 5; k++) {
		unsigned int at;

		ck_assert_int_eq(pull(), 48 + 64);
		ck_assert_int_eq(out[6], 44);
		at = (unsigned int)(out[42] << 8 | out[43]) & 0xfff8;
		ck_assert_uint_le(at, 256);
		memcpy(whole, out, 40);
		memcpy(whole + 40 + at, out + 48, 64);
		seen |= 1u << at / 64;
	}
	ck_assert_uint_eq(seen, 31);
	ck_assert_int_eq(pull(), -EAGAIN);
	put16(whole + 4, 320);
	whole[6] = 17;
	ck_assert(csum_good6(whole));
	ck_assert_uint_eq(whole[40 + 8 + 100], 100);
}

/* RFC 6146 section 3.4: the checksum MUST be calculated, in whatever order the
 * fragments come. */
START_TEST(fragments_without_a_checksum_get_one)
{
	unsigned int order[5] = {0, 1, 2, 3, 4};
	struct rng r;

	open_for_pieces();
	rng_init(&r, 3);
	for (unsigned int n = 0; n < 100; n++) {
		for (unsigned int i = 4; i; i--) {
			unsigned int k = (unsigned int)rng_below(&r, i + 1);
			unsigned int x = order[i];

			order[i] = order[k];
			order[k] = x;
		}
		for (int i = 0; i < 5; i++) {
			ck_assert_int_eq(pull(), -EAGAIN);
			/* every second number comes twice */
			ck_assert_int_eq(push(p, piece4(p, n / 2, order[i])),
					 VERDICT_HOLD);
		}
		want_whole6();
		ck_assert_uint_eq(su.path.counters.held, 0);
		check_sums();
		/* until the ports of the first one are forgotten */
		if (n % 2)
			now = mono_add(now, NAT64_FRAG_LIFE_NS);
		else
			nat64_frags_init(su.path.frags, 1);
	}
	stop();
}
END_TEST

/* Never complete: one is missing, comes twice, or is longer than it says. */
START_TEST(fragments_that_make_no_datagram_are_dropped)
{
	open_for_pieces();
	for (unsigned int i = 0; i < 5; i++)
		if (_i || i != 3)
			push(p, piece4(p, 9, i));
		else
			push(p, piece4(p, 9, 2));
	if (_i)
		want_whole6();
	else
		ck_assert_int_eq(pull(), -EAGAIN);
	for (unsigned int i = 0; i < 5; i++) {
		piece4(p, 10, i);
		if (!i)
			put16(p + 24, 328); /* the UDP header's length */
		push(p, 84);
	}
	ck_assert_int_eq(pull(), -EAGAIN);
	check_sums();
	path_expire(&su.path, mono_add(now, NAT64_FRAG_LIFE_NS));
	ck_assert_uint_eq(su.path.counters.held, 0);
	ck_assert_uint_eq(REASON_N(NAT64_FRAGMENT), _i ? 5 : 10);
	/* as the operator wants it */
	su.path.xlat.udp_zero = XLAT_UDP_ZERO_DROP;
	ck_assert_int_eq(push(p, piece4(p, 11, 0)), VERDICT_REPLY);
	ck_assert_uint_eq(REASON_N(UDP_ZERO_CSUM_FRAG), 1);
	stop();
}
END_TEST

/* Two that both say they are the first, one without a checksum: what is held
 * gets its turn, is held again, and that is all. */
START_TEST(two_first_fragments_end)
{
	open_for_pieces();
	ck_assert_int_eq(push(p, piece4(p, 12, 0)), VERDICT_HOLD);
	ck_assert_int_eq(push(p, piece4(p, 12, 3)), VERDICT_HOLD);
	piece4(p, 12, 0);
	put16(p + 26, 0x1234);
	ck_assert_int_eq(push(p, 84), VERDICT_FORWARD);
	ck_assert_int_gt(pull(), 0);
	ck_assert_uint_ge(su.path.counters.held, 1);
	check_sums();
	path_expire(&su.path, mono_add(now, NAT64_FRAG_LIFE_NS));
	ck_assert_uint_eq(su.path.counters.held, 0);
	check_sums();
	stop();
}
END_TEST

/* One that holds all it may leaves room for others. */
START_TEST(fragments_of_a_flood_are_refused)
{
	start_plat();
	for (unsigned int i = 0; i < 5000; i++)
		push(p, piece6(p, "2001:db8:bad::5", i, 3, true));
	ck_assert_uint_eq(su.path.counters.held,
			  NAT64_HELD_PACKETS / NAT64_HELD_SHARE);
	ck_assert_uint_eq(REASON_N(NAT64_FRAG_FULL),
			  5000 - NAT64_HELD_PACKETS / NAT64_HELD_SHARE);
	push(p, piece6(p, "2001:db8::5", 1, 4, false));
	push(p, piece6(p, "2001:db8::5", 1, 0, true));
	want_piece4("2001:db8::5", 1, 0);
	want_piece4("2001:db8::5", 1, 4);
	check_sums();
	stop();
}
END_TEST

START_TEST(failed_writes_are_counted_by_errno)
{
	static const struct {
		int code;
		enum reason reason;
	} cases[] = {{ENOBUFS, REASON_IO_QUEUE_FULL},
		     {EAGAIN, REASON_IO_QUEUE_FULL},
		     {EMSGSIZE, REASON_IO_ERROR},
		     {EIO, REASON_IO_ERROR}};
	size_t len;

	start_clat();
	for (unsigned int i = 0; i < 4; i++) {
		io_memory_fail(io, 1, cases[i].code);
		len = udp4(p, "192.168.1.2", 5000, "198.51.100.1", 53, 9, true);
		ck_assert_int_eq(push(p, len), VERDICT_DROP);
		ck_assert_uint_eq(su.path.counters.write_errors[cases[i].code],
				  1);
	}
	ck_assert_uint_eq(REASON_N(IO_QUEUE_FULL), 2);
	ck_assert_uint_eq(REASON_N(IO_ERROR), 2);
	ck_assert_uint_eq(su.path.counters.dropped, 4);
	stop();
}
END_TEST

/* Whatever comes: no crash, tables whole, counters that add up. */
START_TEST(hostile_packets_are_survived)
{
	struct rng rng;

	rng_init(&rng, (uint64_t)_i + 9);
	if (_i & 1)
		start_clat();
	else
		start_plat();
	for (unsigned int i = 0; i < 40000; i++) {
		size_t len, cut;

		if (rng_below(&rng, 2))
			len = udp6(p, "2001:db8::5",
				   (unsigned int)rng_below(&rng, 65536),
				   "64:ff9b::c000:201",
				   (unsigned int)rng_below(&rng, 65536), 60);
		else
			len = udp4(p, "192.168.1.2", 5,
				   rng_below(&rng, 2) ? "192.0.2.1"
						      : "198.51.100.7",
				   (unsigned int)rng_below(&rng, 65536), 60,
				   rng_below(&rng, 2));
		for (uint64_t k = rng_below(&rng, 6); k; k--)
			p[rng_below(&rng, rng_below(&rng, 2) ? 48 : len)] =
				(uint8_t)rng_next(&rng);
		cut = rng_below(&rng, 8) ? len : rng_below(&rng, len + 1);
		push(p, cut);
		while (pull() >= 0)
			;
		if (i % 64 == 0) {
			now.ns += NS_PER_S;
			if (su.path.nat64)
				nat64_expire(su.path.nat64, now, 100);
		}
	}
	ck_assert_uint_ge(su.path.counters.forwarded, 1000);
	ck_assert_uint_ge(su.path.counters.dropped, 1000);
	stop();
}
END_TEST

#define BURST	     10
#define BURST_ROUNDS 60

/* Of both families, some cut short, some without a session. */
static size_t any_packet(struct rng *r, uint8_t *at)
{
	unsigned int port = 1024 + (unsigned int)rng_below(r, 8);
	size_t len = rng_below(r, 2) ? udp6(at, "2001:db8::1", port,
					    "64:ff9b::c000:264", 53, 20)
				     : udp4(at, "192.0.2.100", 53, "192.0.2.1",
					    port, 20, true);

	return rng_below(r, 4) ? len : rng_below(r, len + 1);
}

/* A hash of all that came out. */
static uint64_t run_bursts(bool together)
{
	static uint8_t room[BURST][1024];
	struct pkt pkts[BURST];
	uint64_t sum = 0;
	struct rng r;
	long len;

	rng_init(&r, 7);
	start_plat();
	for (int round = 0; round < BURST_ROUNDS; round++) {
		for (int i = 0; i < BURST; i++) {
			uint8_t *at = room[i] + PKT_HEADROOM;

			pkts[i] = (struct pkt){
				.data = at,
				.len = (uint32_t)any_packet(&r, at),
				.headroom = PKT_HEADROOM,
				.tailroom = PKT_TAILROOM};
		}
		if (together)
			path_run_burst(&su.path, pkts, BURST, now);
		for (int i = 0; i < BURST && !together; i++)
			path_run(&su.path, &pkts[i], now);
		while ((len = io_memory_get(io, out, &out_gso)) >= 0)
			for (long i = 0; i < len; i++)
				sum = sum * 31 + out[i] + 1;
	}
	ck_assert_uint_gt(su.path.counters.forwarded, BURST_ROUNDS);
	ck_assert_uint_gt(su.path.counters.dropped, BURST_ROUNDS);
	stop();
	return sum;
}

START_TEST(a_burst_is_its_packets)
{
	ck_assert_uint_eq(run_bursts(true), run_bursts(false));
}
END_TEST

START_TEST(table_memory_is_zero_and_aligned)
{
	size_t bytes = (size_t)(5 << 20) + 4097;

	for (int huge = 0; huge < 2; huge++) {
		uint8_t *m = memory_map(bytes, huge);

		ck_assert_ptr_nonnull(m);
		ck_assert_uint_eq(m[0] | m[bytes - 1], 0);
		memset(m, 1, bytes);
		if (huge)
			ck_assert_uint_eq((uintptr_t)m % (2 << 20), 0);
		else
			ck_assert_uint_eq(memory_huge_bytes(m), 0);
		ck_assert_uint_le(memory_huge_bytes(m), bytes);
		memory_unmap(m, bytes);
	}
	memory_unmap(NULL, 0);
	ck_assert_ptr_null(memory_map(SIZE_MAX / 2, true));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("daemon-path");
	TCase *t = tcase_create("path");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, clat_and_back);
	tcase_add_test(t, clat_checksum_neutral);
	tcase_add_test(t, clat_hostile);
	tcase_add_test(t, plat_there_and_back);
	tcase_add_test(t, plat_stored_syn_ends_in_port_unreachable);
	tcase_add_test(t, plat_stored_syn_that_is_filtered);
	tcase_add_test(t, plat_simultaneous_open);
	tcase_add_test(t, plat_probes_an_idle_connection);
	tcase_add_test(t, plat_probes_are_limited);
	tcase_add_test(t, plat_syn_flood_is_bounded);
	tcase_add_test(t, plat_refusals_have_reasons);
	tcase_add_test(t, strict_prefix_refuses_private_addresses);
	tcase_add_test(t, hairpin_reaches_the_other_host);
	tcase_add_test(t, hairpin_filtered_is_told);
	tcase_add_test(t, errors_find_their_session);
	tcase_add_test(t, errors_from_private_routers_come_from_us);
	tcase_add_test(t, expired_hop_limit_is_answered_within_the_rate);
	tcase_add_test(t, mtus_are_told_while_others_flood);
	tcase_add_test(t, icmp_rate_of_zero_sends_none);
	tcase_add_test(t, fragments_follow_the_first);
	tcase_add_test(t, fragments_may_overtake_the_first);
	tcase_add_test(t, fragments_that_wait_share_the_fate_of_the_first);
	tcase_add_test(t, fragments_of_a_flood_are_refused);
	tcase_add_test(t, fragments_without_a_checksum_get_one);
	tcase_add_test(t, two_first_fragments_end);
	tcase_add_loop_test(t, fragments_that_make_no_datagram_are_dropped, 0,
			    2);
	tcase_add_test(t, a_burst_is_its_packets);
	tcase_add_test(t, table_memory_is_zero_and_aligned);
	tcase_add_test(t, failed_writes_are_counted_by_errno);
	tcase_add_loop_test(t, hostile_packets_are_survived, 0, 4);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}

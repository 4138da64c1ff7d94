/* SPDX-License-Identifier: MIT */
/* A PCP server, request by request: RFC 6887 sections 7, 8, 11, 13 and 15. */
#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../nat64/pcp.h"

#define HOST "2001:db8:1::5"

static struct nat64_pool4 pool[2];
static struct nat64_cfg cfg;
static void *tables, *records;
static struct nat64 *n;
static struct pcp *p;
static struct mono now;
static uint8_t request[PCP_MAX_BYTES + 8], out[PCP_MAX_BYTES];
static size_t len, got;

static void *zeroed(size_t bytes)
{
	void *mem = aligned_alloc(64, (bytes + 63) & ~(size_t)63);

	ck_assert_ptr_nonnull(mem);
	return memset(mem, 0, (bytes + 63) & ~(size_t)63);
}

static struct nat64 *make_tables(void **mem)
{
	struct nat64 *t;

	*mem = zeroed(nat64_memory(&cfg));
	t = nat64_init(*mem, &cfg, now);
	ck_assert_ptr_nonnull(t);
	return t;
}

static void setup(void)
{
	struct pcp_cfg c = {.max = 8,
			    .share = 8,
			    .subscriber_len = 64,
			    .life_max = 7200,
			    .seed = {1, 2}};

	now = (struct mono){1000 * NS_PER_S};
	nat64_cfg_init(&cfg);
	cfg.pool4 = pool;
	cfg.n_pool4 = 2;
	cfg.max_sessions = cfg.max_bibs = 64;
	for (unsigned int i = 0; i < 2; i++) {
		pool[i].addr.s_addr = htonl(0xc0000201 + i);
		for (unsigned int k = 0; k < NAT64_N_PROTOS; k++) {
			pool[i].ports[k].lo = 1024;
			pool[i].ports[k].hi = 65535;
		}
	}
	n = make_tables(&tables);
	records = zeroed(pcp_memory(&c));
	p = pcp_init(records, &c, now);
	len = 0;
}

static void teardown(void)
{
	const char *wrong = nat64_check(n);

	ck_assert_msg(!wrong, "%s", wrong);
	wrong = pcp_check(p, n);
	ck_assert_msg(!wrong, "%s", wrong);
	free(tables);
	free(records);
}

/* ---- requests and answers -------------------------------------------------
 */

static void put16(size_t at, unsigned int v)
{
	request[at] = (uint8_t)(v >> 8);
	request[at + 1] = (uint8_t)v;
}

static unsigned int get16(size_t at)
{
	return (unsigned int)(out[at] << 8 | out[at + 1]);
}

static uint32_t get32(size_t at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static void header(unsigned int opcode, uint32_t life_s)
{
	memset(request, 0, sizeof(request));
	request[0] = 2;
	request[1] = (uint8_t)opcode;
	put16(4, life_s >> 16);
	put16(6, life_s & 0xffff);
	ck_assert_int_eq(inet_pton(AF_INET6, HOST, request + 8), 1);
	len = 24;
}

/* Nonce 12 times @nonce; no suggestion. */
static void map(uint8_t nonce, uint8_t proto, unsigned int port,
		uint32_t life_s)
{
	header(1, life_s);
	memset(request + 24, nonce, PCP_NONCE);
	request[36] = proto;
	put16(40, port);
	memset(request + 54, 0xff, 2);
	len = 60;
}

static void suggest(const char *addr, unsigned int port)
{
	put16(42, port);
	if (addr)
		ck_assert_int_eq(inet_pton(AF_INET, addr, request + 56), 1);
}

static void option(unsigned int code, unsigned int bytes)
{
	request[len] = (uint8_t)code;
	put16(len + 2, bytes);
	len += 4 + (bytes + 3) / 4 * 4;
}

static enum pcp_result ask(void)
{
	struct in6_addr from;

	inet_pton(AF_INET6, HOST, &from);
	memset(out, 0xaa, sizeof(out));
	got = pcp_answer(p, n, &from, request, len, now, out);
	ck_assert_uint_ge(got, 24);
	ck_assert_uint_eq(got % 4, 0);
	ck_assert_uint_eq(out[0], 2);
	ck_assert_uint_eq(out[1], request[1] | 0x80);
	ck_assert_uint_eq(out[2], 0);
	return (enum pcp_result)out[3];
}

static struct nat64_flow inbound(uint8_t flags)
{
	struct nat64_flow f = {.proto = request[36] == IPPROTO_TCP ? NAT64_TCP
								   : NAT64_UDP,
			       .tcp_flags = flags,
			       .dst4.s_addr = htonl(0xc6336409),
			       .dst_port = htons(4711)};

	memcpy(&f.src4_port, out + 42, 2);
	memcpy(&f.src4, out + 56, 4);
	return f;
}

static bool reaches(uint8_t flags)
{
	struct nat64_flow f = inbound(flags);
	struct in6_addr host;

	inet_pton(AF_INET6, HOST, &host);
	return nat64_in(n, &f, now) == REASON_OK &&
	       IN6_ARE_ADDR_EQUAL(&f.src6, &host) &&
	       !memcmp(&f.src6_port, out + 40, 2);
}

/* ---- 11: mappings ---------------------------------------------------------
 */

START_TEST(a_mapping_lets_the_world_in)
{
	cfg.addr_dependent = _i;
	free(tables);
	n = make_tables(&tables);
	map(7, IPPROTO_TCP, 8080, 3600);
	ck_assert_int_eq(ask(), PCP_SUCCESS);
	ck_assert_uint_eq(got, 60);
	ck_assert_uint_eq(get32(4), 3600);
	ck_assert_mem_eq(out + 24, request + 24, 18); /* nonce to port */
	ck_assert_uint_ge(get16(42), 1024);
	ck_assert_uint_eq(get16(54), 0xffff);
	ck_assert_uint_eq(get32(56) & 0xffffff00, 0xc0000200);
	ck_assert(reaches(NAT64_SYN));
}
END_TEST

START_TEST(it_lasts_for_its_time_and_no_longer)
{
	map(7, IPPROTO_UDP, 5000, 1000);
	ck_assert_int_eq(ask(), PCP_SUCCESS);
	now = mono_add(now, 999 * NS_PER_S);
	while (nat64_expire(n, now, 100))
		;
	pcp_expire(p, n, now, 100);
	ck_assert(reaches(0));
	now = mono_add(now, 400 * NS_PER_S); /* the session's time too */
	while (nat64_expire(n, now, 100))
		;
	pcp_expire(p, n, now, 100);
	ck_assert(!reaches(0));
}
END_TEST

START_TEST(lifetimes_have_bounds)
{
	map(7, IPPROTO_TCP, 80, 1);
	ck_assert_int_eq(ask(), PCP_SUCCESS);
	ck_assert_uint_eq(get32(4), 120);
	map(7, IPPROTO_TCP, 80, UINT32_MAX);
	ck_assert_int_eq(ask(), PCP_SUCCESS);
	ck_assert_uint_eq(get32(4), 7200);
}
END_TEST

START_TEST(renewing_keeps_the_port)
{
	unsigned int port;

	map(7, IPPROTO_TCP, 80, 600);
	ck_assert_int_eq(ask(), PCP_SUCCESS);
	port = get16(42);
	now = mono_add(now, 500 * NS_PER_S);
	map(7, IPPROTO_TCP, 80, 600);
	suggest("192.0.2.2", port ^ 1);
	ck_assert_int_eq(ask(), PCP_SUCCESS);
	ck_assert_uint_eq(get16(42), port);
	now = mono_add(now, 500 * NS_PER_S);
	pcp_expire(p, n, now, 100);
	ck_assert(reaches(NAT64_SYN));
}
END_TEST

/* Traffic was first: its port becomes the mapping's. */
START_TEST(traffic_gives_its_binding)
{
	struct nat64_flow f = {.proto = NAT64_UDP,
			       .src6_port = htons(5000),
			       .dst4.s_addr = htonl(0xc6336401),
			       .dst_port = htons(53)};

	inet_pton(AF_INET6, HOST, &f.src6);
	ck_assert_int_eq(nat64_out(n, &f, now), REASON_OK);
	map(7, IPPROTO_UDP, 5000, 3600);
	ck_assert_int_eq(ask(), PCP_SUCCESS);
	ck_assert_mem_eq(out + 42, &f.src4_port, 2);
	ck_assert_mem_eq(out + 56, &f.src4, 4);
}
END_TEST

START_TEST(a_suggestion_is_followed_where_it_can_be)
{
	map(7, IPPROTO_TCP, 80, 600);
	suggest("192.0.2.2", 8080);
	ck_assert_int_eq(ask(), PCP_SUCCESS);
	ck_assert_uint_eq(get16(42), 8080);
	ck_assert_uint_eq(get32(56), 0xc0000202);
	map(8, IPPROTO_TCP, 81, 600); /* taken */
	suggest("192.0.2.2", 8080);
	ck_assert_int_eq(ask(), PCP_SUCCESS);
	ck_assert(get16(42) != 8080 || get32(56) != 0xc0000202);
	map(9, IPPROTO_TCP, 82, 600); /* not ours */
	suggest("198.51.100.1", 80);
	ck_assert_int_eq(ask(), PCP_SUCCESS);
	ck_assert_uint_eq(get32(56) & 0xffffff00, 0xc0000200);
}
END_TEST

/* Section 13.2. */
START_TEST(that_or_nothing)
{
	map(7, IPPROTO_TCP, 80, 600);
	suggest("192.0.2.2", 8080);
	option(2, 0);
	ck_assert_int_eq(ask(), PCP_SUCCESS);
	ck_assert_uint_eq(got, 64); /* the option comes back */
	ck_assert_uint_eq(out[60], 2);
	map(8, IPPROTO_TCP, 81, 600);
	suggest("192.0.2.2", 8080);
	option(2, 0);
	ck_assert_int_eq(ask(), PCP_CANNOT_PROVIDE_EXTERNAL);
	ck_assert_mem_eq(out + 24, request + 24, 40); /* as it was asked */
	map(7, IPPROTO_TCP, 80, 600); /* a renewal that would move */
	suggest("192.0.2.2", 8081);
	option(2, 0);
	ck_assert_int_eq(ask(), PCP_CANNOT_PROVIDE_EXTERNAL);
	map(8, IPPROTO_TCP, 81, 600); /* not an IPv4 address */
	memset(request + 44, 0x20, 16);
	option(2, 0);
	ck_assert_int_eq(ask(), PCP_CANNOT_PROVIDE_EXTERNAL);
	option(2, 0);
	ck_assert_int_eq(ask(), PCP_MALFORMED_OPTION); /* twice */
}
END_TEST

/* Section 11.3: only who knows the nonce may change it. */
START_TEST(another_nonce_changes_nothing)
{
	map(7, IPPROTO_TCP, 80, 600);
	ck_assert_int_eq(ask(), PCP_SUCCESS);
	now = mono_add(now, 100 * NS_PER_S);
	map(8, IPPROTO_TCP, 80, 7200);
	ck_assert_int_eq(ask(), PCP_NOT_AUTHORIZED);
	ck_assert_uint_eq(get32(4), 500); /* what it has left */
	map(8, IPPROTO_TCP, 80, 0);
	ck_assert_int_eq(ask(), PCP_NOT_AUTHORIZED);
	map(7, IPPROTO_TCP, 80, 0);
	ck_assert_int_eq(ask(), PCP_SUCCESS);
	ck_assert_uint_eq(get32(4), 0);
}
END_TEST

/* Section 15. */
START_TEST(deleting)
{
	struct nat64_flow f = {.proto = NAT64_TCP, .src6_port = htons(22)};

	map(7, IPPROTO_TCP, 80, 0);
	ck_assert_int_eq(ask(), PCP_SUCCESS); /* there is none: as well */
	inet_pton(AF_INET6, HOST, &f.src6);
	ck_assert_int_eq(nat64_add_static(n, NAT64_TCP, &f.src6, f.src6_port,
					  pool[0].addr, htons(2022)),
			 0);
	map(7, IPPROTO_TCP, 22, 0);
	ck_assert_int_eq(ask(), PCP_NOT_AUTHORIZED); /* not a host's to do */
	map(7, IPPROTO_TCP, 22, 600);
	ck_assert_int_eq(ask(), PCP_SUCCESS);
	ck_assert_uint_eq(get16(42), 2022);
	map(7, IPPROTO_TCP, 22, 0);
	ck_assert_int_eq(ask(), PCP_SUCCESS);
	put16(24 + 18, 0);
	memcpy(out + 42, &(uint16_t){htons(2022)}, 2);
	memcpy(out + 56, &pool[0].addr, 4);
	ck_assert(reaches(NAT64_SYN)); /* still static */
}
END_TEST

/* Deleted under a living session: traffic keeps the binding. */
START_TEST(a_session_outlives_its_mapping)
{
	map(7, IPPROTO_TCP, 80, 600);
	ck_assert_int_eq(ask(), PCP_SUCCESS);
	ck_assert(reaches(NAT64_SYN));
	map(7, IPPROTO_TCP, 80, 0);
	ck_assert_int_eq(ask(), PCP_SUCCESS);
	ck_assert(!nat64_check(n));
	now = mono_add(now, 500 * NS_PER_S);
	while (nat64_expire(n, now, 100))
		;
	ck_assert(!reaches(NAT64_SYN));
}
END_TEST

/* ---- limits ---------------------------------------------------------------
 */

START_TEST(there_is_an_end_to_mappings)
{
	for (unsigned int i = 0; i < 8; i++) {
		map(7, IPPROTO_TCP, 100 + i, 600);
		ck_assert_int_eq(ask(), PCP_SUCCESS);
	}
	map(7, IPPROTO_TCP, 99, 600);
	ck_assert_int_eq(ask(), PCP_NO_RESOURCES);
	ck_assert_uint_eq(get32(4), 30);
	map(7, IPPROTO_TCP, 103, 600); /* those that are there go on */
	ck_assert_int_eq(ask(), PCP_SUCCESS);
	now = mono_add(now, 700 * NS_PER_S);
	pcp_expire(p, n, now, 100);
	map(7, IPPROTO_TCP, 99, 600);
	ck_assert_int_eq(ask(), PCP_SUCCESS);
}
END_TEST

START_TEST(a_subscriber_has_his_share)
{
	cfg.limit_ports = 2;
	free(tables);
	n = make_tables(&tables);
	for (unsigned int i = 0; i < 3; i++) {
		map(7, IPPROTO_UDP, 100 + i, 600);
		ck_assert_int_eq(ask(),
				 i < 2 ? PCP_SUCCESS : PCP_USER_EX_QUOTA);
	}
	ck_assert_uint_eq(get32(4), 30);
}
END_TEST

/* A share of 3; a neighbour in the next /64 has his own. */
START_TEST(nobody_takes_all)
{
	struct pcp_cfg c = {
		.max = 8, .share = 3, .subscriber_len = 64, .life_max = 7200};
	struct in6_addr neighbour;

	free(records);
	records = zeroed(pcp_memory(&c));
	p = pcp_init(records, &c, now);
	for (unsigned int i = 0; i < 4; i++) {
		map(7, IPPROTO_UDP, 100 + i, 600);
		ck_assert_int_eq(ask(),
				 i < 3 ? PCP_SUCCESS : PCP_USER_EX_QUOTA);
	}
	map(7, IPPROTO_UDP, 101, 600); /* a renewal */
	ck_assert_int_eq(ask(), PCP_SUCCESS);
	map(7, IPPROTO_UDP, 100, 600);
	request[8 + 7] ^= 1;
	memcpy(&neighbour, request + 8, sizeof(neighbour));
	ck_assert_uint_eq(pcp_answer(p, n, &neighbour, request, len, now, out),
			  60);
	ck_assert_int_eq(out[3], PCP_SUCCESS);
	map(7, IPPROTO_UDP, 100, 0); /* one less, and there is room again */
	ck_assert_int_eq(ask(), PCP_SUCCESS);
	map(7, IPPROTO_UDP, 104, 600);
	ck_assert_int_eq(ask(), PCP_SUCCESS);
	pcp_moved(p, n, 48, now); /* both are one subscriber now */
	map(7, IPPROTO_UDP, 101, 0);
	ck_assert_int_eq(ask(), PCP_SUCCESS);
	map(7, IPPROTO_UDP, 105, 600);
	ck_assert_int_eq(ask(), PCP_USER_EX_QUOTA);
}
END_TEST

/* ---- 7 and 8: messages ----------------------------------------------------
 */

START_TEST(announce_tells_the_epoch)
{
	now = mono_add(now, 77 * NS_PER_S);
	header(0, 0);
	ck_assert_int_eq(ask(), PCP_SUCCESS);
	ck_assert_uint_eq(got, 24);
	ck_assert_uint_eq(get32(8), 77);
}
END_TEST

static size_t say(const void *data, size_t bytes)
{
	struct in6_addr from;

	inet_pton(AF_INET6, HOST, &from);
	return pcp_answer(p, n, &from, data, bytes, now, out);
}

START_TEST(what_is_no_request_is_not_answered)
{
	map(7, IPPROTO_TCP, 80, 600);
	ck_assert_uint_eq(say(request, 0), 0);
	ck_assert_uint_eq(say(request, 1), 0);
	ck_assert_uint_eq(say(request, 23), 0);
	request[1] |= 0x80; /* an answer: never answered */
	ck_assert_uint_eq(say(request, len), 0);
	request[0] = 9;
	ck_assert_uint_eq(say(request, len), 0);
}
END_TEST

START_TEST(other_versions_learn_ours)
{
	for (unsigned int v = 0; v < 256; v++) {
		map(7, IPPROTO_TCP, 80, 600);
		request[0] = (uint8_t)v;
		if (v == 2)
			continue;
		ck_assert_int_eq(ask(), PCP_UNSUPP_VERSION);
		ck_assert_uint_eq(got, 24);
		ck_assert_uint_eq(get32(4), 1800);
		ck_assert_uint_eq(say(request, 2), 24);
	}
}
END_TEST

START_TEST(malformed_ones_are_told_so)
{
	map(7, IPPROTO_TCP, 80, 600);
	len = 58;
	ck_assert_int_eq(ask(), PCP_MALFORMED_REQUEST);
	len = 56; /* shorter than a MAP */
	ck_assert_int_eq(ask(), PCP_MALFORMED_REQUEST);
	len = PCP_MAX_BYTES + 4;
	ck_assert_int_eq(ask(), PCP_MALFORMED_REQUEST);
	ck_assert_uint_eq(got, PCP_MAX_BYTES);
	map(7, 0, 80, 600); /* all protocols, one port */
	ck_assert_int_eq(ask(), PCP_MALFORMED_REQUEST);
}
END_TEST

START_TEST(what_is_not_supported_is_told_so)
{
	map(7, 0, 0, 600);
	ck_assert_int_eq(ask(), PCP_UNSUPP_PROTOCOL);
	map(7, IPPROTO_TCP, 0, 600);
	ck_assert_int_eq(ask(), PCP_UNSUPP_PROTOCOL);
	map(7, 132, 80, 600);
	ck_assert_int_eq(ask(), PCP_UNSUPP_PROTOCOL);
	map(7, IPPROTO_TCP, 80, 600);
	request[1] = 2; /* PEER */
	ck_assert_int_eq(ask(), PCP_UNSUPP_OPCODE);
	for (unsigned int code = 1; code <= 127; code += 2) {
		map(7, IPPROTO_TCP, 80, 600);
		option(code, code == 3 ? 20 : 16); /* 1, 3: as they should be */
		ck_assert_int_eq(ask(), PCP_UNSUPP_OPTION);
	}
	header(0, 0);
	option(2, 0);
	ck_assert_int_eq(ask(), PCP_UNSUPP_OPTION);
}
END_TEST

START_TEST(options_that_may_be_ignored_are)
{
	map(7, IPPROTO_TCP, 80, 600);
	option(128, 5);
	option(200, 0);
	ck_assert_int_eq(ask(), PCP_SUCCESS);
	ck_assert_uint_eq(got, 60);
	put16(62, 13); /* more than there is */
	ck_assert_int_eq(ask(), PCP_MALFORMED_OPTION);
}
END_TEST

/* Section 8.2: before anything in it is believed. */
START_TEST(a_forged_client_is_told_so)
{
	map(7, IPPROTO_TCP, 80, 600);
	request[23] ^= 1;
	ck_assert_int_eq(ask(), PCP_ADDRESS_MISMATCH);
	request[1] = 99;
	ck_assert_int_eq(ask(), PCP_ADDRESS_MISMATCH);
}
END_TEST

/* ---- other tables ---------------------------------------------------------
 */

START_TEST(mappings_move_or_the_epoch_begins_anew)
{
	unsigned int kept;
	struct nat64 *to;
	void *mem;

	map(7, IPPROTO_TCP, 80, 600);
	suggest("192.0.2.1", 8080);
	ck_assert_int_eq(ask(), PCP_SUCCESS);
	kept = get16(42);
	now = mono_add(now, 100 * NS_PER_S);
	cfg.max_bibs = 32;
	cfg.n_pool4 = _i ? 1 : 2; /* 1: the second address goes */
	map(8, IPPROTO_TCP, 81, 600);
	suggest("192.0.2.2", 9090);
	ck_assert_int_eq(ask(), PCP_SUCCESS);
	to = make_tables(&mem);
	nat64_migrate(to, n, now);
	free(tables);
	tables = mem;
	n = to;
	pcp_moved(p, n, 56, now);
	header(0, 0);
	ck_assert_int_eq(ask(), PCP_SUCCESS);
	ck_assert_uint_eq(get32(8), _i ? 0 : 100);
	map(7, IPPROTO_TCP, 80, 600);
	ck_assert_int_eq(ask(), PCP_SUCCESS);
	ck_assert_uint_eq(get16(42), kept);
	ck_assert(reaches(NAT64_SYN));
}
END_TEST

START_TEST(they_are_listed)
{
	struct pcp_info v[8];
	struct pcp_stats st;
	uint32_t cursor = 0;

	map(7, IPPROTO_TCP, 80, 600);
	ck_assert_int_eq(ask(), PCP_SUCCESS);
	map(7, IPPROTO_UDP, 80, 700);
	ck_assert_int_eq(ask(), PCP_SUCCESS);
	ck_assert_uint_eq(pcp_list(p, n, &cursor, 100, now, v, 8), 2);
	ck_assert_uint_eq(cursor, UINT32_MAX);
	ck_assert_int_eq(v[0].flow.proto, NAT64_TCP);
	ck_assert_int_eq(v[1].left_ns / NS_PER_S, 700);
	ck_assert_mem_eq(&v[1].flow.src4_port, out + 42, 2);
	pcp_get_stats(p, &st);
	ck_assert_uint_eq(st.mappings, 2);
	ck_assert_uint_eq(st.received, 2);
	ck_assert_uint_eq(st.results[PCP_SUCCESS], 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pcp");
	TCase *t = tcase_create("server");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, a_mapping_lets_the_world_in, 0, 2);
	tcase_add_test(t, it_lasts_for_its_time_and_no_longer);
	tcase_add_test(t, lifetimes_have_bounds);
	tcase_add_test(t, renewing_keeps_the_port);
	tcase_add_test(t, traffic_gives_its_binding);
	tcase_add_test(t, a_suggestion_is_followed_where_it_can_be);
	tcase_add_test(t, that_or_nothing);
	tcase_add_test(t, another_nonce_changes_nothing);
	tcase_add_test(t, deleting);
	tcase_add_test(t, a_session_outlives_its_mapping);
	tcase_add_test(t, there_is_an_end_to_mappings);
	tcase_add_test(t, a_subscriber_has_his_share);
	tcase_add_test(t, nobody_takes_all);
	tcase_add_test(t, announce_tells_the_epoch);
	tcase_add_test(t, what_is_no_request_is_not_answered);
	tcase_add_test(t, other_versions_learn_ours);
	tcase_add_test(t, malformed_ones_are_told_so);
	tcase_add_test(t, what_is_not_supported_is_told_so);
	tcase_add_test(t, options_that_may_be_ignored_are);
	tcase_add_test(t, a_forged_client_is_told_so);
	tcase_add_loop_test(t, mappings_move_or_the_epoch_begins_anew, 0, 2);
	tcase_add_test(t, they_are_listed);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * The parts of probes that need no world. Runs from the top of the source
 * tree. The iperf3 files are what iperf3 3.12 wrote: an upload of two streams;
 * a download whose link was down for 0.6 s; an upload whose link went down
 * after 0.8 s and stayed so; a server that was not there.
 */
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../xlat/base/file.h"
#include "../probe/dns.h"
#include "../probe/dns_msg.h"
#include "../probe/node_args.h"
#include "../probe/transfer.h"

#define N(v) (sizeof(v) / sizeof(*(v)))

static struct arena *arena;

static void setup(void)
{
	arena = arena_new();
}

static void teardown(void)
{
	arena_free(arena);
}

/* ---- targets
 * ------------------------------------------------------------------
 */

static const struct plan *pair_plan(void)
{
	struct diags d;
	struct topology *t;
	struct plan *p;
	struct err e;

	diags_init(&d);
	t = spec_load_topology("topologies/wisp-pair.yaml", arena, &d);
	ck_assert_ptr_nonnull(t);
	diags_fini(&d);
	p = plan_new(t, arena, &e);
	ck_assert_msg(p != NULL, "%s", e.text);
	return p;
}

START_TEST(test_resolve)
{
	static const struct {
		const char *to;
		int family;
		const char *node, *text;
		int got_family;
	} v[] = {
		{"slash.example", 0, "slash", "slash.example", 0},
		{"slash.example", 6, "slash", "slash.example", 6},
		{"198.51.100.45", 0, "slash", "198.51.100.45", 4},
		{"2001:db8:f000::66", 0, "six", "2001:db8:f000::66", 6},
		/* inside pool6: the node that the IPv4 address belongs to */
		{"64:ff9b::c633:642e", 0, "both", "64:ff9b::c633:642e", 6},
		{"64:ff9b::808:808", 0, NULL, "64:ff9b::808:808", 6},
		{"192.168.1.2", 0, NULL, "192.168.1.2", 4},
		{"8.8.8.8", 0, NULL, "8.8.8.8", 4},
		{"both", 0, "both", "198.51.100.46", 4},
		{"both", 6, "both", "2001:db8:f000::46", 6},
		{"six", 0, "six", "2001:db8:f000::66", 6},
		{"home1", 0, "home1", "2001:db8:800:101::2", 6},
		{"access", 0, "access", "2001:db8::2", 6},
		{"plat1", 0, "plat1", "100.64.0.3", 4},
		{"cpe1", 0, "cpe1", "2001:db8:800:1::2", 6},
		{"2001:db8:0:2::1", 0, "plat1", "2001:db8:0:2::1", 6},
	};
	const struct plan *p = pair_plan();

	for (size_t i = 0; i < N(v); i++) {
		struct probe_target t;
		struct err e = {""};
		int want = v[i].node ? plan_find_node(p, v[i].node) : -1;

		ck_assert_msg(
			!probe_resolve_family(p, v[i].to, v[i].family, &t, &e),
			"%s: %s", v[i].to, e.text);
		ck_assert_msg(t.node == want, "%s: node %d", v[i].to, t.node);
		ck_assert_str_eq(t.text, v[i].text);
		ck_assert_msg(t.family == v[i].got_family, "%s: family %d",
			      v[i].to, t.family);
	}
}
END_TEST

START_TEST(test_resolve_refuses)
{
	static const struct {
		const char *to;
		int family;
	} v[] = {{"nobody", 0},	       {"nobody.example", 0},
		 {"home1", 4},	       {"access", 4},
		 {"198.51.100.45", 6}, {"2001:db8:f000::66", 4},
		 {"six", 4},	       {"", 0}};
	const struct plan *p = pair_plan();

	for (size_t i = 0; i < N(v); i++) {
		struct probe_target t;
		struct err e = {""};

		ck_assert_msg(probe_resolve_family(p, v[i].to, v[i].family, &t,
						   &e) < 0,
			      "%s", v[i].to);
		ck_assert_str_ne(e.text, "");
	}
}
END_TEST

/* ---- transfers
 * ----------------------------------------------------------------
 */

static json_t *sample(const char *name)
{
	char path[128];
	json_t *j;

	snprintf(path, sizeof(path), "sim/tests/data/iperf3-%s.json", name);
	j = json_load_file(path, 0, NULL);
	ck_assert_msg(j != NULL, "%s", path);
	return j;
}

static void assert_near(double got, double want, double within)
{
	ck_assert_msg(fabs(got - want) <= within, "got %.9g, want %.9g", got,
		      want);
}

START_TEST(test_transfer_up)
{
	json_t *client = sample("up-client"), *server = sample("up-server");
	struct transfer_score s;

	ck_assert_int_eq(transfer_score(client, server, DIR_UP, &s), 0);
	assert_near(s.rate_bps, 20960871.877086442, 1);
	assert_near(s.bytes, 2621440, 0.5);
	assert_near(s.retransmits, 0, 0);
	assert_near(s.longest_stall_ns, 0, 0);
	assert_near(s.cpu_sender, 0.025768, 1e-5);
	ck_assert(s.survived);
	ck_assert_ptr_null(s.error);
	json_decref(client);
	json_decref(server);
}
END_TEST

/* Six intervals of a tenth passed without a byte, then it went on. */
START_TEST(test_transfer_stall)
{
	json_t *client = sample("stall-client");
	json_t *server = sample("stall-server");
	struct transfer_score s;

	ck_assert_int_eq(transfer_score(client, server, DIR_DOWN, &s), 0);
	assert_near(s.longest_stall_ns, 0.6e9, 0.02e9);
	assert_near(s.seconds, 3, 0.05);
	assert_near(s.rate_bps, 20271800.36, 1);
	assert_near(s.cpu_receiver, 0.0014976, 1e-5);
	ck_assert(s.survived);
	/* the sender's side of the same saw a shorter one */
	ck_assert_int_eq(transfer_score(client, server, DIR_UP, &s), 0);
	assert_near(s.longest_stall_ns, 0.4e9, 0.02e9);
	json_decref(client);
	json_decref(server);
}
END_TEST

/* Cut off at 0.8 of 2 s: what the server noted after 2 s does not count. */
START_TEST(test_transfer_dead)
{
	json_t *client = sample("dead-client"), *server = sample("dead-server");
	struct transfer_score s;

	ck_assert_int_eq(transfer_score(client, server, DIR_UP, &s), 0);
	ck_assert(!s.survived);
	ck_assert_ptr_nonnull(s.error);
	assert_near(s.seconds, 2, 0.05);
	assert_near(s.bytes, 7 * 262144 + 131072, 0.5);
	assert_near(s.rate_bps, s.bytes * 8 / s.seconds, 1);
	assert_near(s.longest_stall_ns, 1.2e9, 0.02e9);
	assert_near(s.retransmits, 1, 0);
	ck_assert(isnan(s.cpu_sender));
	json_decref(client);
	json_decref(server);
}
END_TEST

START_TEST(test_transfer_never)
{
	json_t *client = sample("refused-client");
	struct transfer_score s;

	ck_assert_int_eq(transfer_score(client, NULL, DIR_UP, &s), -EINVAL);
	ck_assert_ptr_nonnull(strstr(s.error, "unable to connect"));
	ck_assert(!s.survived && isnan(s.rate_bps));
	ck_assert_int_eq(transfer_score(client, NULL, DIR_DOWN, &s), -EINVAL);
	ck_assert_int_eq(transfer_score(NULL, NULL, DIR_DOWN, &s), -EINVAL);
	json_decref(client);
}
END_TEST

/* A server's word alone gives figures, but no survivor. */
START_TEST(test_transfer_half)
{
	json_t *server = sample("up-server");
	struct transfer_score s;

	ck_assert_int_eq(transfer_score(NULL, server, DIR_UP, &s), 0);
	assert_near(s.bytes, 2621440, 0.5);
	ck_assert(!s.survived);
	ck_assert(isnan(s.retransmits));
	json_decref(server);
}
END_TEST

START_TEST(test_transfer_series)
{
	json_t *client = sample("stall-client");
	struct measurement m = {.name = "web"};

	transfer_series(client, NULL, DIR_DOWN, &m, arena);
	ck_assert_uint_eq(m.n_series, 1);
	ck_assert_uint_eq(m.series[0].n, 30);
	assert_near(m.series[0].x[10], 1.0, 0.02);
	assert_near(m.series[0].y[10], 0, 0);
	assert_near(m.series[0].y[2], 20.97e6, 0.2e6);
	json_decref(client);
}
END_TEST

START_TEST(test_listens)
{
	static const char table[] =
		"  sl  local_address rem_address   st tx_queue rx_queue\n"
		"   0: 0100007F:1451 00000000:0000 01 00000000:00000000\n"
		"   1: 00000000:1452 00000000:0000 0A 00000000:00000000\n"
		"  10: 0100007F:1452 0100007F:8A8A 01 00000000:00000000\n"
		"  11: 0100007F:8A8A 0100007F:1452 01 00000000:00000000\n";
	static const char table6[] =
		"  sl  local_address\n"
		"   0: 00000000000000000000000000000000:1451 "
		"00000000000000000000000000000000:0000 0A 00000000:0\n";
	unsigned int n = 0;

	ck_assert(transfer_listens(table, 0x1452, &n));
	ck_assert_uint_eq(n, 1);
	n = 0;
	ck_assert(!transfer_listens(table, 0x1451, &n));
	ck_assert_uint_eq(n, 1);
	ck_assert(transfer_listens(table6, 0x1451, &n));
	ck_assert(!transfer_listens("", 0x1451, &n));
	ck_assert(!transfer_listens("nonsense\n\n", 0x1451, &n));
}
END_TEST

/* ---- DNS messages
 * -------------------------------------------------------------
 */

/* slash.example AAAA: CNAME www.slash.example (30 s), then its AAAA (5 s) */
static const uint8_t reply[] = {
	0x12, 0x34, 0x81, 0xa0, 0,    1,   0, 2,   0,	0,   0,	  0, /* QR RD,
									RA AD */
	5,    's',  'l',  'a',	's',  'h', 7, 'e', 'x', 'a', 'm', 'p', 'l',
	'e',  0,    0,	  28,	0,    1, /* AAAA IN, ends at 31 */
	0xc0, 12,   0,	  5,	0,    1,   0, 0,   0,	30,  0,	  6, /* CNAME */
	3,    'w',  'w',  'w',	0xc0, 12,			     /* at 43 */
	0xc0, 43,   0,	  28,	0,    1,   0, 0,   0,	5,   0,	  16, /* AAAA */
	0,    0x64, 0xff, 0x9b, 0,    0,   0, 0,   0,	0,   0,	  0,   0xc6,
	0x33, 0x64, 0x2d,
};

START_TEST(test_dns_query)
{
	uint8_t buf[64];
	int n = dns_encode_query(0x1234, "slash.example", 28, buf, sizeof(buf));

	ck_assert_int_eq(n, 31);
	ck_assert_mem_eq(buf + 12, reply + 12, 19); /* the same question */
	ck_assert_uint_eq(buf[2], 0x01);
	ck_assert_uint_eq(buf[3], 0x20);
	ck_assert_int_eq(dns_encode_query(1, "slash.example.", 28, buf, 31),
			 31);
	ck_assert_int_eq(dns_encode_query(1, "slash.example", 28, buf, 30),
			 -EINVAL);
	ck_assert_int_eq(dns_encode_query(1, "a..b", 28, buf, sizeof(buf)),
			 -EINVAL);
}
END_TEST

START_TEST(test_dns_reply)
{
	struct dns_reply r;

	ck_assert_int_eq(dns_decode_reply(reply, sizeof(reply), 0x1234,
					  "SLASH.example.", 28, &r),
			 0);
	ck_assert_uint_eq(r.rcode, 0);
	ck_assert(r.authentic && r.recursive && !r.truncated);
	ck_assert_uint_eq(r.n_answers, 2);
	ck_assert_str_eq(r.answers[0].data, "www.slash.example");
	ck_assert_uint_eq(r.answers[0].type, 5);
	ck_assert_str_eq(r.answers[1].name, "www.slash.example");
	ck_assert_str_eq(r.answers[1].data, "64:ff9b::c633:642d");
	ck_assert_uint_eq(r.answers[1].ttl_s, 5);
}
END_TEST

/* A refusal without a question counts, an answer without one does not. */
START_TEST(test_dns_refused)
{
	uint8_t bare[12] = {0x12, 0x34, 0x80, 5};
	struct dns_reply r;

	ck_assert_int_eq(dns_decode_reply(bare, sizeof(bare), 0x1234,
					  "slash.example", 28, &r),
			 0);
	ck_assert_int_eq(r.rcode, 5);
	bare[3] = 0;
	ck_assert_int_eq(dns_decode_reply(bare, sizeof(bare), 0x1234,
					  "slash.example", 28, &r),
			 -ESRCH);
}
END_TEST

/* Other queries' replies are told apart; cut ones never read too far. */
START_TEST(test_dns_bad)
{
	struct dns_reply r;
	uint8_t query[sizeof(reply)];

	ck_assert_int_eq(dns_decode_reply(reply, sizeof(reply), 0x1235,
					  "slash.example", 28, &r),
			 -ESRCH);
	ck_assert_int_eq(dns_decode_reply(reply, sizeof(reply), 0x1234,
					  "other.example", 28, &r),
			 -ESRCH);
	ck_assert_int_eq(dns_decode_reply(reply, sizeof(reply), 0x1234,
					  "slash.example", 1, &r),
			 -ESRCH);
	memcpy(query, reply, sizeof(reply));
	query[2] &= 0x7f;
	ck_assert_int_eq(dns_decode_reply(query, sizeof(query), 0x1234,
					  "slash.example", 28, &r),
			 -EBADMSG);
	for (size_t n = 0; n < sizeof(reply); n++) {
		uint8_t *cut = malloc(n + 1);

		memcpy(cut, reply, n);
		ck_assert_int_lt(dns_decode_reply(cut, n, 0x1234,
						  "slash.example", 28, &r),
				 0);
		free(cut);
	}
}
END_TEST

/* One record of @type with @data, after the question of `reply`. */
static const char *format(uint16_t type, const void *data, uint16_t len,
			  struct dns_reply *r)
{
	uint8_t msg[512];
	size_t n = 31;

	memcpy(msg, reply, n);
	msg[7] = 1;
	ns_put16(0xc00c, msg + n);
	ns_put16(type, msg + n + 2);
	ns_put16(1, msg + n + 4);
	ns_put32(300, msg + n + 6);
	ns_put16(len, msg + n + 10);
	memcpy(msg + n + 12, data, len);
	ck_assert_int_eq(dns_decode_reply(msg, n + 12 + len, 0x1234,
					  "slash.example", 28, r),
			 0);
	return r->answers[0].data;
}

START_TEST(test_dns_data)
{
	struct dns_reply r;
	char buf[16];

	ck_assert_str_eq(format(1, "\xc6\x33\x64\x2d", 4, &r), "198.51.100.45");
	ck_assert_str_eq(format(15, "\0\x0a\xc0\x0c", 4, &r),
			 "10 slash.example");
	ck_assert_str_eq(format(16, "\3abc\2d\n", 7, &r), "abcd?");
	ck_assert_str_eq(format(33, "\0\1\0\2\0\x35\xc0\x0c", 8, &r),
			 "1 2 53 slash.example");
	ck_assert_str_eq(format(6,
				"\xc0\x0c\xc0\x0c\0\0\0\7\0\0\0\0\0\0\0\0\0"
				"\0\0\0\0\0\0\0",
				24, &r),
			 "slash.example slash.example 7");
	ck_assert_str_eq(format(4711, "\1\2\xff", 3, &r), "\\# 3 0102ff");
	/* data that does not fit its type is shown as it is */
	ck_assert_str_eq(format(1, "\1\2\3", 3, &r), "\\# 3 010203");
	ck_assert_str_eq(format(16, "\x09xy", 3, &r), "\\# 3 097879");
	ck_assert_str_eq(dns_type_format(28, buf), "AAAA");
	ck_assert_str_eq(dns_type_format(4711, buf), "TYPE4711");
	ck_assert_uint_eq(dns_type_parse("AAAA"), 28);
	ck_assert_uint_eq(dns_type_parse("nonsense"), 0);
	ck_assert_str_eq(dns_rcode_format(3, buf), "NXDOMAIN");
	ck_assert_str_eq(dns_rcode_format(11, buf), "RCODE11");
}
END_TEST

/* ---- DNS answers
 * --------------------------------------------------------------
 */

static const struct metric *metric_of(const struct measurement *m,
				      const char *name)
{
	for (size_t i = 0; i < m->n_metrics; i++)
		if (!strcmp(m->metrics[i].def->name, name))
			return &m->metrics[i];
	ck_abort_msg("no metric %s", name);
	return NULL;
}

static struct measurement classify(const char *text)
{
	json_error_t why;
	json_t *j = json_loads(text, 0, &why);
	struct measurement m;
	struct prefix6 pool6;

	ck_assert_msg(j != NULL, "%s", why.text);
	ck_assert(!prefix6_parse("64:ff9b::/96", &pool6));
	score_measurement_init(&m, "name", "dns", spec_metrics(PROBE_DNS),
			       arena);
	dns_classify(j, &pool6, &m, arena);
	json_decref(j);
	return m;
}

#define REPLY(type, answers)                                                   \
	"{\"query\": \"slash.example\", \"type\": \"" type                     \
	"\", \"answered\": true, \"rcode\": \"NOERROR\", \"ad\": true, "       \
	"\"time_ns\": 21000000, \"tries\": [{}], \"answers\": [" answers "]}"

START_TEST(test_classify_synthesised)
{
	struct measurement m =
		classify(REPLY("AAAA", "{\"type\": \"CNAME\", \"ttl_s\": 1, "
				       "\"data\": \"www.slash.example\"},"
				       "{\"type\": \"AAAA\", \"ttl_s\": 60, "
				       "\"data\": \"64:ff9b::c633:642d\"},"
				       "{\"type\": \"AAAA\", \"ttl_s\": 30, "
				       "\"data\": \"64:ff9b::c633:642e\"}"));

	ck_assert_double_eq(metric_of(&m, "answered")->num, 1);
	ck_assert_double_eq(metric_of(&m, "synthesised")->num, 1);
	ck_assert_double_eq(metric_of(&m, "answers")->num, 2);
	ck_assert_double_eq(metric_of(&m, "ttl")->num, 30e9);
	ck_assert_double_eq(metric_of(&m, "time")->num, 21e6);
	ck_assert_double_eq(metric_of(&m, "ad")->num, 1);
	ck_assert_str_eq(metric_of(&m, "answer")->text, "64:ff9b::c633:642d");
	ck_assert_str_eq(metric_of(&m, "rcode")->text, "NOERROR");
	ck_assert_ptr_nonnull(strstr(m.summary, "synthesised"));
}
END_TEST

START_TEST(test_classify_native)
{
	struct measurement m =
		classify(REPLY("AAAA", "{\"type\": \"AAAA\", \"ttl_s\": 60, "
				       "\"data\": \"2001:db8:f000::46\"}"));

	ck_assert(!metric_of(&m, "synthesised")->absent);
	ck_assert_double_eq(metric_of(&m, "synthesised")->num, 0);
	/* of an A query nobody can say */
	m = classify(REPLY("A", "{\"type\": \"A\", \"ttl_s\": 60, "
				"\"data\": \"198.51.100.45\"}"));
	ck_assert(metric_of(&m, "synthesised")->absent);
	ck_assert_str_eq(metric_of(&m, "answer")->text, "198.51.100.45");
}
END_TEST

START_TEST(test_classify_none)
{
	struct measurement m = classify(REPLY("AAAA", ""));

	ck_assert_double_eq(metric_of(&m, "answers")->num, 0);
	ck_assert_double_eq(metric_of(&m, "synthesised")->num, 0);
	ck_assert(metric_of(&m, "answer")->absent);
	ck_assert(metric_of(&m, "ttl")->absent);
	m = classify("{\"type\": \"AAAA\", \"answered\": false, "
		     "\"tries\": [{}, {}]}");
	ck_assert_double_eq(metric_of(&m, "answered")->num, 0);
	ck_assert(metric_of(&m, "synthesised")->absent);
	ck_assert(metric_of(&m, "rcode")->absent);
	ck_assert_str_eq(m.why, "no reply to 2 tries");
}
END_TEST

/* ---- arguments
 * ----------------------------------------------------------------
 */

static int read_args(const char *line, const struct node_arg *v)
{
	char *copy = arena_strdup(arena, line), *save, *argv[8];
	int argc = 0;

	for (char *w = strtok_r(copy, " ", &save); w && argc < 8;
	     w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	return node_args_read(argc, argv, v);
}

START_TEST(test_node_args)
{
	const char *to = NULL;
	int64_t n = 0;
	const struct node_arg v[] = {{.key = "to", .text = &to},
				     {.key = "count", .number = &n},
				     {0}};

	ck_assert_int_eq(read_args("ping count -7 to x", v), 0);
	ck_assert_str_eq(to, "x");
	ck_assert_int_eq(n, -7);
	ck_assert_int_eq(read_args("ping", v), 0);
	(void)!freopen("/dev/null", "w", stderr);
	ck_assert_int_eq(read_args("ping count 7x", v), -EINVAL);
	ck_assert_int_eq(read_args("ping count x", v), -EINVAL);
	ck_assert_int_eq(read_args("ping nothing 7", v), -EINVAL);
	ck_assert_int_eq(read_args("ping to", v), -EINVAL);
	ck_assert_int_eq(read_args("ping count 99999999999999999999", v),
			 -EINVAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("probe");
	TCase *t = tcase_create("probe");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_resolve);
	tcase_add_test(t, test_resolve_refuses);
	tcase_add_test(t, test_transfer_up);
	tcase_add_test(t, test_transfer_stall);
	tcase_add_test(t, test_transfer_dead);
	tcase_add_test(t, test_transfer_never);
	tcase_add_test(t, test_transfer_half);
	tcase_add_test(t, test_transfer_series);
	tcase_add_test(t, test_listens);
	tcase_add_test(t, test_dns_query);
	tcase_add_test(t, test_dns_reply);
	tcase_add_test(t, test_dns_bad);
	tcase_add_test(t, test_dns_refused);
	tcase_add_test(t, test_dns_data);
	tcase_add_test(t, test_classify_synthesised);
	tcase_add_test(t, test_classify_native);
	tcase_add_test(t, test_classify_none);
	tcase_add_test(t, test_node_args);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

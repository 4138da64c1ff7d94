/* SPDX-License-Identifier: MIT */
/*
 * The server without its loop: how much is read in a turn, and what the
 * administrator gets to read about single packets.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/log.h"
#include "../daemon/server.h"
#include "../io/io_internal.h"
#include "core_testlib.h"

#define CONFIG                                                                 \
	"tun: {name: t}\npref64: 2001:db8:64::/96\nseed: 1\n"                  \
	"eam: [{ipv4: 192.0.2.1, ipv6: \"2001:db8::1\"}]\n"

static struct server s;
static struct mono now;
static uint8_t room[IO_BUFFER_BYTES];
static unsigned int emitted;

static int emit(void *arg, const struct pkt *pkt)
{
	(void)arg;
	emitted += pkt->len > 0;
	return 0;
}

static void start(const char *text)
{
	struct diags d;
	struct err e;

	diags_init(&d);
	memset(&s, 0, sizeof(s));
	s.arena = arena_new();
	s.config = config_load_text("f", text, strlen(text), ROLE_SIIT, s.arena,
				    &d);
	diags_print(&d, stderr);
	ck_assert_ptr_nonnull(s.config);
	diags_fini(&d);
	now = (struct mono){1000 * NS_PER_S};
	s.started = now;
	ck_assert_int_eq(setup_init(&s.setup, s.config, now, &e), 0);
	s.setup.path.emit = emit;
	s.setup.path.event = server_tell_event;
	s.setup.path.event_arg = &s;
	ratelimit_init(&s.events, SERVER_EVENT_RATE, SERVER_EVENT_BURST,
		       now.ns);
	s.buf = room;
	s.io = io_open_memory(2);
	emitted = 0;
}

static void stop(void)
{
	ck_assert(path_balanced(&s.setup.path.counters));
	setup_fini(&s.setup);
	io_close(s.io);
	arena_free(s.arena);
}

static enum verdict push(const struct bytes *b)
{
	static uint8_t buf[IO_BUFFER_BYTES];
	struct pkt p = {.data = buf + PKT_HEADROOM,
			.len = b->len,
			.headroom = PKT_HEADROOM,
			.tailroom = IO_BUFFER_BYTES - PKT_HEADROOM - b->len};

	memcpy(p.data, b->v, b->len);
	return path_run(&s.setup.path, &p, now);
}

/* ---- reading --------------------------------------------------------------
 */

static unsigned int reads, unreadable;

/* What has no meaning, and then a packet without end. */
static int read_odd(struct io *io, uint8_t *buf, struct pkt *pkt)
{
	(void)io;
	reads++;
	if (unreadable) {
		unreadable--;
		return -EBADMSG;
	}
	memset(buf + PKT_HEADROOM, 0x40, 40);
	*pkt = (struct pkt){.data = buf + PKT_HEADROOM,
			    .len = 40,
			    .headroom = PKT_HEADROOM,
			    .tailroom = IO_BUFFER_BYTES - PKT_HEADROOM - 40};
	return 0;
}

/* Other things get their turn, whatever somebody floods us with. */
START_TEST(a_turn_ends)
{
	static const struct io_ops ops = {.read = read_odd};
	struct io odd = {.ops = &ops}, *memory;
	const uint64_t *reasons;

	start(CONFIG);
	memory = s.io;
	s.io = &odd;
	reads = 0;
	unreadable = 1000;
	reasons = s.setup.path.counters.reasons.n;
	for (unsigned int i = 1; i <= 10; i++) {
		server_take_packets(&s);
		ck_assert_uint_eq(reads, i * SERVER_BATCH);
		ck_assert_uint_eq(reasons[REASON_BAD_GSO], i * SERVER_BATCH);
	}
	unreadable = 10;
	server_take_packets(&s);
	ck_assert_uint_eq(reads, 11 * SERVER_BATCH);
	ck_assert_uint_eq(reasons[REASON_BAD_GSO], 10 * SERVER_BATCH + 10);
	ck_assert_uint_eq(s.reads, SERVER_BATCH - 10);
	s.io = memory;
	stop();
}
END_TEST

/* ---- messages -------------------------------------------------------------
 */

static FILE *said;
static int stderr_was;

static void listen_to_log(void)
{
	said = tmpfile();
	ck_assert_ptr_nonnull(said);
	stderr_was = dup(STDERR_FILENO);
	ck_assert_int_ge(dup2(fileno(said), STDERR_FILENO), 0);
}

/* How many lines there are of which each is @line. */
static unsigned int lines_said(const char *line)
{
	char got[256];
	unsigned int n = 0;

	ck_assert_int_ge(dup2(stderr_was, STDERR_FILENO), 0);
	close(stderr_was);
	rewind(said);
	while (fgets(got, sizeof(got), said)) {
		ck_assert_str_eq(got, line);
		n++;
	}
	fclose(said);
	return n;
}

/* UDP without a checksum, 8.8.8.8:1000 to 192.0.2.1:53. */
static void udp4(struct bytes *b, uint32_t frag)
{
	static const uint8_t udp[] = {0x03, 0xe8, 0, 53, 0, 16, 0, 0};

	memset(b->v, 0, 44);
	b->len = 36;
	b->v[0] = 0x45;
	ref_put16(b->v + 2, 36);
	ref_put16(b->v + 6, frag);
	b->v[8] = 64;
	b->v[9] = 17;
	ref_put4(b->v + 12, "8.8.8.8");
	ref_put4(b->v + 16, "192.0.2.1");
	ref_ip4_csum(b->v);
	memcpy(b->v + 20, udp, sizeof(udp));
}

/* RFC 7915 section 4.5: both addresses and both ports. */
START_TEST(dropped_checksums_are_logged)
{
	static struct bytes b;

	start(CONFIG "udp-zero-checksum: drop\n");
	udp4(&b, 0);
	listen_to_log();
	push(&b);
	ck_assert_uint_eq(lines_said("check_server: warning: dropped, "
				     "udp-checksum-zero: 8.8.8.8 port 1000 to "
				     "192.0.2.1 port 53\n"),
			  1);
	udp4(&b, 0x2000);
	listen_to_log();
	push(&b);
	ck_assert_uint_eq(lines_said("check_server: warning: dropped, "
				     "udp-checksum-zero-in-fragment: 8.8.8.8 "
				     "port 1000 to 192.0.2.1 port 53\n"),
			  1);
	stop();
}
END_TEST

/* Ten at once, then one a second. */
START_TEST(messages_are_few)
{
	static const char line[] =
		"check_server: warning: dropped, udp-checksum-zero: 8.8.8.8 "
		"port 1000 to 192.0.2.1 port 53\n";
	static struct bytes b;

	start(CONFIG "udp-zero-checksum: drop\n");
	udp4(&b, 0);
	listen_to_log();
	for (int i = 0; i < 100; i++)
		push(&b);
	ck_assert_uint_eq(lines_said(line), SERVER_EVENT_BURST);
	listen_to_log();
	for (int i = 0; i < 100; i++) {
		now.ns += 3 * NS_PER_S / 100;
		push(&b);
	}
	ck_assert_uint_eq(lines_said(line), 3 * SERVER_EVENT_RATE);
	stop();
}
END_TEST

/* Section 5.1.1: with the ports behind it, or what there is instead. */
START_TEST(extension_headers_in_fragments_are_logged)
{
	static const uint8_t first[] = {60, 0,	  0, 1,	 0, 0,	0, 7, /* frag */
					17, 0,	  1, 4,	 0, 0,	0, 0, /* opts */
					3,  0xe8, 0, 53, 0, 16, 1, 2};
	static struct bytes b;
	struct in6_addr src = ref_in6("2001:db8::1");
	struct in6_addr dst = ref_in6("2001:db8:64::8.8.8.8");

	start(CONFIG);
	b.len = 80;
	b.v[0] = 0x60;
	ref_put16(b.v + 4, 40);
	b.v[6] = 44;
	b.v[7] = 64;
	memcpy(b.v + 8, &src, 16);
	memcpy(b.v + 24, &dst, 16);
	memcpy(b.v + 40, first, sizeof(first));
	listen_to_log();
	ck_assert_int_eq(push(&b), VERDICT_REPLY);
	ck_assert_uint_eq(
		lines_said("check_server: warning: dropped, "
			   "extension-header-in-fragment: 2001:db8::1 port "
			   "1000 to 2001:db8:64::808:808 port 53\n"),
		1);
	b.v[43] = 1 | 8; /* a later one: whatever it is of */
	listen_to_log();
	ck_assert_int_eq(push(&b), VERDICT_DROP);
	ck_assert_uint_eq(
		lines_said("check_server: warning: dropped, "
			   "extension-header-in-fragment: 2001:db8::1 to "
			   "2001:db8:64::808:808, protocol 60\n"),
		1);
	stop();
}
END_TEST

/* ---- what ctl tells -------------------------------------------------------
 */

static json_int_t packets(const char *key)
{
	char *text = answer_request(&s, "stats");
	json_t *o = text ? json_loads(text, 0, NULL) : NULL, *v;
	json_int_t n;

	free(text);
	ck_assert_ptr_nonnull(o);
	v = json_object_get(json_object_get(o, "packets"), key);
	ck_assert(json_is_integer(v));
	n = json_integer_value(v);
	json_decref(o);
	return n;
}

START_TEST(computed_checksums_are_counted)
{
	static struct bytes b;

	start(CONFIG);
	udp4(&b, 0);
	ck_assert_int_eq(push(&b), VERDICT_FORWARD);
	ck_assert_int_eq(push(&b), VERDICT_FORWARD);
	ck_assert_int_eq(packets("udp_checksums_computed"), 2);
	b.v[26] = 1; /* one that has a checksum */
	ck_assert_int_eq(push(&b), VERDICT_FORWARD);
	ck_assert_int_eq(packets("udp_checksums_computed"), 2);
	stop();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("server");
	TCase *t = tcase_create("server");
	SRunner *r;
	int failed;

	log_init("check_server", LOG_INFO);
	tcase_add_test(t, a_turn_ends);
	tcase_add_test(t, dropped_checksums_are_logged);
	tcase_add_test(t, messages_are_few);
	tcase_add_test(t, extension_headers_in_fragments_are_logged);
	tcase_add_test(t, computed_checksums_are_counted);
	suite_add_tcase(suite, t);
	r = srunner_create(suite);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

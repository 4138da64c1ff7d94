/* SPDX-License-Identifier: MIT */
/*
 * Requests to a CLAT or SIIT over memory: counters, mappings, and reloads that
 * must never take a running engine down.
 */
#include <arpa/inet.h>
#include <check.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/file.h"
#include "../base/log.h"
#include "../daemon/server.h"

static struct server s;
static char path[] = "/tmp/check-ctl-XXXXXX";
static unsigned int emitted;

static int emit(void *arg, const struct pkt *pkt)
{
	(void)arg;
	emitted += pkt->len > 0;
	return 0;
}

static void write_config(const char *text)
{
	struct err e;

	ck_assert_int_eq(file_write(path, text, strlen(text), &e), 0);
}

static void start(enum role role, const char *text)
{
	struct diags d;
	struct err e;

	diags_init(&d);
	memset(&s, 0, sizeof(s));
	write_config(text);
	s.arena = arena_new();
	s.config_path = path;
	s.config = config_load(path, role, s.arena, &d);
	diags_print(&d, stderr);
	ck_assert_ptr_nonnull(s.config);
	s.started = (struct mono){NS_PER_S};
	s.io = io_open_memory(2);
	ck_assert_int_eq(setup_init(&s.setup, s.config, s.started, &e), 0);
	s.setup.path.emit = emit;
	diags_fini(&d);
	emitted = 0;
}

static void start_siit(void)
{
	start(ROLE_SIIT, "tun: {name: t}\nicmp-source6: 2001:db8::fe\n"
			 "eam:\n"
			 "  - {ipv4: 192.0.2.1, ipv6: \"2001:db8::1\"}\n"
			 "  - {ipv4: 198.51.100.0/24, ipv6: "
			 "\"2001:db8:1::/120\"}\n");
}

static void stop(void)
{
	ck_assert(path_balanced(&s.setup.path.counters));
	setup_fini(&s.setup);
	free(s.eams);
	io_close(s.io);
	arena_free(s.arena);
	unlink(path);
}

/* The answer; the caller's to give back. */
static json_t *ask(const char *request)
{
	char *text = answer_request(&s, request);
	json_t *o = text ? json_loads(text, 0, NULL) : NULL;

	free(text);
	ck_assert_ptr_nonnull(o);
	return o;
}

static void expect_ok(const char *request)
{
	json_t *o = ask(request);

	ck_assert_msg(json_is_true(json_object_get(o, "ok")), "%s: %s", request,
		      json_string_value(json_object_get(o, "error")));
	json_decref(o);
}

static void expect_refusal(const char *request, const char *part)
{
	json_t *o = ask(request);
	const char *error = json_string_value(json_object_get(o, "error"));

	ck_assert_msg(error && strstr(error, part), "%s: %s", request,
		      error ? error : "no error");
	json_decref(o);
}

static size_t count(void)
{
	json_t *o = ask("eam");
	size_t n = json_array_size(json_object_get(o, "entries"));

	json_decref(o);
	return n;
}

/* Does an IPv4 packet between these two pass? */
static bool passes(const char *src, const char *dst)
{
	static uint8_t buf[IO_BUFFER_BYTES];
	uint8_t *p = buf + PKT_HEADROOM;
	struct pkt pkt = {.data = p,
			  .len = 28,
			  .headroom = PKT_HEADROOM,
			  .tailroom = PKT_TAILROOM};
	uint32_t sum = 0;

	memset(p, 0, 28);
	p[0] = 0x45;
	p[3] = 28;
	p[8] = 64;
	p[9] = 17;
	inet_pton(AF_INET, src, p + 12);
	inet_pton(AF_INET, dst, p + 16);
	p[25] = 8;
	p[27] = 1; /* any checksum is passed on as it is */
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	p[10] = (uint8_t)(sum >> 8);
	p[11] = (uint8_t)sum;
	return path_run(&s.setup.path, &pkt, s.started) == VERDICT_FORWARD;
}

START_TEST(eam_listed_added_deleted)
{
	json_t *o;

	start_siit();
	ck_assert_uint_eq(count(), 2);
	o = ask("eam 1");
	ck_assert_str_eq(
		json_string_value(json_object_get(
			json_array_get(json_object_get(o, "entries"), 0),
			"ipv6")),
		"2001:db8:1::/120");
	ck_assert(json_is_null(json_object_get(o, "next")));
	json_decref(o);
	ck_assert(passes("198.51.100.1", "192.0.2.1"));
	ck_assert(!passes("203.0.113.9", "192.0.2.1"));
	expect_ok("eam add 203.0.113.9 2001:db8::9");
	ck_assert(passes("203.0.113.9", "192.0.2.1"));
	ck_assert_uint_eq(count(), 3);
	expect_ok("eam del 192.0.2.1/32");
	ck_assert(!passes("203.0.113.9", "192.0.2.1"));
	ck_assert(passes("198.51.100.1", "203.0.113.9"));
	/* longest prefix first, also when it comes later */
	expect_ok("eam add 198.51.100.7 2001:db8:7::7");
	expect_ok("eam del 198.51.100.0/24");
	ck_assert(passes("198.51.100.7", "203.0.113.9"));
	ck_assert(!passes("198.51.100.1", "203.0.113.9"));
	stop();
}
END_TEST

START_TEST(eam_refusals_change_nothing)
{
	static const char *const requests[][2] = {
		{"eam add 192.0.2.1 2001:db8::77", "mapped already"},
		{"eam add 192.0.2.77 2001:db8::1", "mapped already"},
		{"eam add 192.0.2.1/24 2001:db8::/120", "IPv4"},
		{"eam add 192.0.2.0/24 2001:db8::1/120", "IPv6"},
		{"eam add 192.0.2.0/24 2001:db8::/121", "suffix"},
		{"eam add 192.0.2.77", "expected eam"},
		{"eam add 192.0.2.77 2001:db8::77 more", "expected eam"},
		{"eam add 2001:db8::1 192.0.2.1", "IPv4"},
		{"eam del 192.0.2.2", "not mapped"},
		{"eam del x", "IPv4"},
		{"eam del", "expected eam"},
		{"eam 1x", "expected eam"},
		{"eam -1", "expected eam"},
		{"eams", "unknown request"},
	};

	start_siit();
	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++)
		expect_refusal(requests[i][0], requests[i][1]);
	ck_assert_uint_eq(count(), 2);
	ck_assert(passes("198.51.100.1", "192.0.2.1"));
	stop();
	start(ROLE_PLAT, "tun: {name: t}\npool6: 64:ff9b::/96\n"
			 "pool4: [192.0.2.1]\nsessions: 16\n");
	expect_refusal("eam", "no address mappings");
	stop();
}
END_TEST

/* Thousands, in pages, and away again. */
START_TEST(eam_many)
{
	char line[96];
	size_t seen = 0;
	json_int_t next = 0;

	start_siit();
	for (unsigned int i = 0; i < 600; i++) {
		snprintf(line, sizeof(line),
			 "eam add 10.0.%u.%u 2001:db8:2::%x", i / 256, i % 256,
			 i + 1);
		expect_ok(line);
	}
	do {
		json_t *o;

		snprintf(line, sizeof(line), "eam %lld", (long long)next);
		o = ask(line);
		seen += json_array_size(json_object_get(o, "entries"));
		next = json_integer_value(json_object_get(o, "next"));
		json_decref(o);
	} while (next);
	ck_assert_uint_eq(seen, 602);
	ck_assert(passes("10.0.2.87", "192.0.2.1"));
	for (unsigned int i = 0; i < 600; i++) {
		snprintf(line, sizeof(line), "eam del 10.0.%u.%u", i / 256,
			 i % 256);
		expect_ok(line);
	}
	ck_assert_uint_eq(count(), 2);
	ck_assert(!passes("10.0.2.87", "192.0.2.1"));
	stop();
}
END_TEST

/* RFC 7757 section 3.1: of @n hosts, the first and the last pass. */
static void expect_mappings(unsigned int n)
{
	char last[32];

	snprintf(last, sizeof(last), "10.%u.%u.%u", (n - 1) >> 16,
		 (n - 1) >> 8 & 255, (n - 1) & 255);
	ck_assert(passes("10.0.0.0", last));
	ck_assert(passes(last, "10.0.0.0"));
	snprintf(last, sizeof(last), "10.%u.%u.%u", n >> 16, n >> 8 & 255,
		 n & 255);
	ck_assert(!passes("10.0.0.0", last));
}

static char *many_mappings(unsigned int n)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	fputs("tun: {name: t}\nicmp-source6: 2001:db8::fe\neam:\n", f);
	for (unsigned int i = 0; i < n; i++)
		fprintf(f,
			"  - {ipv4: 10.%u.%u.%u, ipv6: \"2001:db8:2::%x\"}\n",
			i >> 16, i >> 8 & 255, i & 255, i + 1);
	fclose(f);
	return text;
}

/* From a file, another while it runs (4096 is what a list can have), and one
 * more. */
START_TEST(eam_thousands)
{
	char *text = many_mappings(3000);

	start(ROLE_SIIT, text);
	free(text);
	expect_mappings(3000);
	text = many_mappings(4096);
	write_config(text);
	free(text);
	expect_ok("reload");
	expect_mappings(4096);
	expect_ok("eam add 10.0.16.0 2001:db8:3::1");
	expect_mappings(4097);
	stop();
}
END_TEST

START_TEST(reload_takes_the_file)
{
	start_siit();
	expect_ok("eam add 203.0.113.9 2001:db8::9");
	write_config("tun: {name: t}\nicmp-source6: 2001:db8::fe\n"
		     "eam: [{ipv4: 192.0.2.8, ipv6: \"2001:db8::8\"}]\n");
	expect_ok("reload");
	ck_assert_uint_eq(count(), 1);
	ck_assert(!passes("203.0.113.9", "192.0.2.8"));
	expect_ok("eam add 203.0.113.9 2001:db8::9");
	ck_assert(passes("203.0.113.9", "192.0.2.8"));
	stop();
}
END_TEST

START_TEST(bad_reloads_change_nothing)
{
	static const char *const bad[][2] = {
		{"tun: {name: t}\neam: [{ipv4: 192.0.2.8, ipv6: x}]\n",
		 ":2:31: "},
		{"tun: {name: t}\npref64: 64:ff9b::/95\n", ":2:9: "},
		{"tun: {name: t, mtu: 5}\npref64: 64:ff9b::/96\nmtu4: 5\n",
		 ":1:21: "},
		{"tun: {name: other}\npref64: 2001:db8:64::/96\n",
		 "`tun` cannot change"},
		{"tun: [\n", ":2:1: "},
		{"", "the file is empty"},
		{"tun: {name: t}\neam:\n"
		 "  - {ipv4: 192.0.2.8, ipv6: \"2001:db8::8\"}\n"
		 "  - {ipv4: 192.0.2.8, ipv6: \"2001:db8::9\"}\n",
		 ":4:5: 192.0.2.8/32 is mapped twice"},
	};

	start_siit();
	expect_ok("eam add 203.0.113.9 2001:db8::9");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		write_config(bad[i][0]);
		expect_refusal("reload", bad[i][1]);
		ck_assert(passes("203.0.113.9", "192.0.2.1"));
	}
	unlink(path);
	expect_refusal("reload", path);
	ck_assert(passes("203.0.113.9", "192.0.2.1"));
	ck_assert_uint_eq(count(), 3);
	stop();
}
END_TEST

START_TEST(clat_counters_and_mappings)
{
	json_t *o, *p;

	start(ROLE_CLAT,
	      "tun: {name: t}\npref64: 64:ff9b::/96\n"
	      "clamp-mss: auto\nallow-private: true\nclat:\n"
	      "  - {lan4: 192.168.1.0/24, clat6: "
	      "\"2001:db8:c1::/64\", checksum-neutral: true}\n"
	      "  - {lan4: 10.0.0.0/8, clat6: \"2001:db8:c2::/96\"}\n");
	ck_assert(passes("192.168.1.2", "198.51.100.1"));
	ck_assert(passes("10.1.2.3", "198.51.100.1"));
	expect_refusal("eam del 192.168.1.0/24", "neutral");
	expect_ok("eam add 172.16.0.0/12 2001:db8:c3::/104");
	ck_assert(passes("172.16.0.1", "198.51.100.1"));
	expect_ok("eam del 10.0.0.0/8");
	ck_assert(!passes("10.1.2.3", "198.51.100.1"));
	ck_assert(passes("192.168.1.2", "198.51.100.1"));
	o = ask("stats");
	p = json_object_get(o, "packets");
	ck_assert_int_eq(json_integer_value(json_object_get(p, "received")), 5);
	ck_assert_int_eq(json_integer_value(json_object_get(p, "forwarded")),
			 4);
	ck_assert_str_eq(json_string_value(json_object_get(
				 json_object_get(o, "pref64"), "prefix")),
			 "64:ff9b::/96");
	json_decref(o);
	stop();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl");
	TCase *t = tcase_create("ctl");
	int fd = mkstemp(path), failed;
	SRunner *r;

	if (fd < 0)
		return EXIT_FAILURE;
	close(fd);
	log_init("check_ctl", LOG_ERR);
	tcase_add_test(t, eam_listed_added_deleted);
	tcase_add_test(t, eam_refusals_change_nothing);
	tcase_add_test(t, eam_many);
	tcase_add_test(t, eam_thousands);
	tcase_add_test(t, reload_takes_the_file);
	tcase_add_test(t, bad_reloads_change_nothing);
	tcase_add_test(t, clat_counters_and_mappings);
	tcase_set_timeout(t, 60);
	suite_add_tcase(suite, t);
	r = srunner_create(suite);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	unlink(path);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: MIT */
#include "../../xlat/base/addr.h"
#include "../../xlat/base/arena.h"
#include "../../xlat/base/clock.h"
#include "../../xlat/base/diag.h"
#include "../../xlat/base/err.h"
#include "../../xlat/base/file.h"
#include "../../xlat/base/log.h"
#include "../../xlat/base/rng.h"
#include "../../xlat/base/units.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- addr --------------------------------------------------------------- */

START_TEST(prefixes_parse_and_format)
{
	static const char *const good4[] = {"0.0.0.0/0", "10.0.0.0/8",
					    "192.0.2.16/28", "1.2.3.4/32"};
	static const char *const good6[] = {"::/0", "2001:db8::/36",
					    "64:ff9b::/96", "::1/128",
					    "2001:db8:f000::/36"};
	char buf[ADDR_TEXT_LEN];

	for (size_t i = 0; i < sizeof(good4) / sizeof(*good4); i++) {
		struct prefix4 p;

		ck_assert_int_eq(prefix4_parse(good4[i], &p), 0);
		ck_assert_str_eq(prefix4_format(&p, buf), good4[i]);
	}
	for (size_t i = 0; i < sizeof(good6) / sizeof(*good6); i++) {
		struct prefix6 p;

		ck_assert_int_eq(prefix6_parse(good6[i], &p), 0);
		ck_assert_str_eq(prefix6_format(&p, buf), good6[i]);
	}
}
END_TEST

START_TEST(prefixes_refuse)
{
	static const char *const bad4[] = {"",
					   "10.0.0.0",
					   "10.0.0.0/",
					   "10.0.0.0/33",
					   "10.0.0.0/-1",
					   "10.0.0.0/08",
					   "10.0.0/8",
					   "10.0.0.0/8 ",
					   "::/8",
					   "10.0.0.0/8/8",
					   "10.0.0.0/1e1",
					   "/8"};
	static const char *const bad6[] = {
		"",	      "::",	      "::/129",	   "::/0x",
		"10.0.0.0/8", "fe80::%lo/64", "1::2::3/64"};
	struct prefix4 p4;
	struct prefix6 p6;

	for (size_t i = 0; i < sizeof(bad4) / sizeof(*bad4); i++)
		ck_assert_msg(prefix4_parse(bad4[i], &p4) == -EINVAL, "%s",
			      bad4[i]);
	for (size_t i = 0; i < sizeof(bad6) / sizeof(*bad6); i++)
		ck_assert_msg(prefix6_parse(bad6[i], &p6) == -EINVAL, "%s",
			      bad6[i]);
	ck_assert_int_eq(prefix4_parse("10.0.0.1/8", &p4), -ERANGE);
	ck_assert_int_eq(prefix4_parse("192.0.2.8/28", &p4), -ERANGE);
	ck_assert_int_eq(prefix6_parse("2001:db8:0800::/36", &p6), -ERANGE);
	ck_assert_int_eq(prefix6_parse("::1/127", &p6), -ERANGE);
}
END_TEST

static struct prefix4 p4(const char *text)
{
	struct prefix4 p;

	ck_assert_int_eq(prefix4_parse(text, &p), 0);
	return p;
}

static struct prefix6 p6(const char *text)
{
	struct prefix6 p;

	ck_assert_int_eq(prefix6_parse(text, &p), 0);
	return p;
}

static struct addr addr(const char *text)
{
	struct addr a;

	ck_assert_int_eq(addr_parse(text, &a), 0);
	return a;
}

START_TEST(prefixes_contain_and_overlap)
{
	struct prefix4 a = p4("192.0.2.0/28"), b = p4("192.0.2.0/24"),
		       c = p4("192.0.3.0/24"), all = p4("0.0.0.0/0");
	struct prefix6 x = p6("2001:db8::/36"), y = p6("2001:db8:f000::/36"),
		       z = p6("2001:db8:1::/48");
	struct in6_addr in6 = addr("2001:db8:fff::1").v6;
	struct in6_addr out6 = addr("2001:db8:1000::").v6;

	ck_assert(prefix4_contains(&a, addr("192.0.2.15").v4));
	ck_assert(!prefix4_contains(&a, addr("192.0.2.16").v4));
	ck_assert(prefix4_contains(&all, addr("255.255.255.255").v4));
	ck_assert(prefix4_overlaps(&a, &b) && prefix4_overlaps(&b, &a));
	ck_assert(!prefix4_overlaps(&b, &c));
	ck_assert(prefix6_contains(&x, &in6));
	ck_assert(!prefix6_contains(&x, &out6));
	ck_assert(!prefix6_overlaps(&x, &y));
	ck_assert(prefix6_overlaps(&x, &z) && prefix6_overlaps(&z, &x));
}
END_TEST

START_TEST(subnets_and_hosts)
{
	struct prefix6 op = p6("2001:db8::/36"), out;
	struct prefix4 pool = p4("192.0.2.0/28");
	struct in6_addr h6;
	struct in_addr h4;
	char buf[ADDR_TEXT_LEN];

	ck_assert_int_eq(prefix6_subnet(&op, 56, 0x12345, &out), 0);
	ck_assert_str_eq(prefix6_format(&out, buf), "2001:db8:123:4500::/56");
	ck_assert_int_eq(prefix6_subnet(&op, 56, (1 << 20) - 1, &out), 0);
	ck_assert_str_eq(prefix6_format(&out, buf), "2001:db8:fff:ff00::/56");
	ck_assert_int_eq(prefix6_subnet(&op, 56, 1 << 20, &out), -ERANGE);
	ck_assert_int_eq(prefix6_subnet(&op, 35, 0, &out), -ERANGE);
	ck_assert_int_eq(prefix6_subnet(&op, 36, 0, &out), 0);
	ck_assert_int_eq(prefix6_subnet(&op, 36, 1, &out), -ERANGE);
	ck_assert_int_eq(prefix6_subnet(&op, 128, UINT64_MAX, &out), 0);
	ck_assert_str_eq(prefix6_format(&out, buf),
			 "2001:db8::ffff:ffff:ffff:ffff/128");
	ck_assert_int_eq(prefix6_host(&op, 0x2e, &h6), 0);
	ck_assert_str_eq(in6_format(&h6, buf), "2001:db8::2e");
	ck_assert_int_eq(prefix4_host(&pool, 15, &h4), 0);
	ck_assert_str_eq(in4_format(h4, buf), "192.0.2.15");
	ck_assert_int_eq(prefix4_host(&pool, 16, &h4), -ERANGE);
	pool = p4("192.0.2.1/32");
	ck_assert_int_eq(prefix4_host(&pool, 0, &h4), 0);
	ck_assert_int_eq(prefix4_host(&pool, 1, &h4), -ERANGE);
}
END_TEST

START_TEST(addresses)
{
	struct addr a = addr("198.51.100.45"), b = addr("2001:db8::1"), none;
	char buf[ADDR_TEXT_LEN];

	ck_assert_int_eq(a.family, AF_INET);
	ck_assert_int_eq(b.family, AF_INET6);
	ck_assert_str_eq(addr_format(&a, buf), "198.51.100.45");
	ck_assert_str_eq(addr_format(&b, buf), "2001:db8::1");
	ck_assert(!addr_equal(&a, &b));
	ck_assert(
		addr_equal(&a, &(struct addr){.family = AF_INET, .v4 = a.v4}));
	ck_assert_int_eq(addr_parse("1.2.3", &none), -EINVAL);
	ck_assert_int_eq(addr_parse("slash", &none), -EINVAL);
	ck_assert_int_eq(addr_parse("", &none), -EINVAL);
}
END_TEST

/* ---- arena -------------------------------------------------------------- */

START_TEST(arena_gives_zeroed_aligned_memory)
{
	struct arena *a = arena_new();
	struct rng r;

	rng_init(&r, 1);
	for (int i = 0; i < 3000; i++) {
		size_t size = rng_below(&r, i % 100 ? 300 : 60000);
		unsigned char *p = arena_alloc(a, size);

		ck_assert_uint_eq((uintptr_t)p % alignof(max_align_t), 0);
		for (size_t k = 0; k < size; k++)
			ck_assert_uint_eq(p[k], 0);
		memset(p, 0xa5, size);
	}
	ck_assert_str_eq(arena_strdup(a, "home1"), "home1");
	ck_assert_str_eq(arena_printf(a, "%s-%d", "cpe", 7), "cpe-7");
	arena_free(a);
	arena_free(NULL);
}
END_TEST

START_TEST(arena_arrays_grow)
{
	struct arena *a = arena_new();
	int *v = NULL;
	size_t n = 0;

	for (int i = 0; i < 5000; i++) {
		int *slot = ARENA_APPEND(a, v, n);

		ck_assert_int_eq(*slot, 0);
		*slot = i;
		arena_alloc(a, 24);
	}
	for (int i = 0; i < 5000; i++)
		ck_assert_int_eq(v[i], i);
	arena_free(a);
}
END_TEST

/* ---- diag --------------------------------------------------------------- */

START_TEST(diags_print_by_place)
{
	struct diags d;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	char file[] = "b.yaml";

	diags_init(&d);
	diags_add(&d, (struct pos){file, 12, 3}, "third %d", 3);
	diags_add(&d, (struct pos){file, 2, 9}, "second");
	diags_add(&d, (struct pos){file, 2, 1}, "first");
	diags_add(&d, (struct pos){file, 0, 0}, "whole");
	diags_add(&d, (struct pos){"a.yaml", 99, 1}, "other");
	file[0] = 'z'; /* it keeps a copy */
	diags_print(&d, f);
	fclose(f);
	ck_assert_str_eq(text, "a.yaml:99:1: other\n"
			       "b.yaml: whole\n"
			       "b.yaml:2:1: first\n"
			       "b.yaml:2:9: second\n"
			       "b.yaml:12:3: third 3\n");
	free(text);
	diags_fini(&d);
	ck_assert_uint_eq(d.n, 0);
}
END_TEST

START_TEST(suggestions)
{
	static const char *const words[] = {
		"plat1",     "plat2",	  "access", "literal-again",
		"link-down", "ospf-cost", NULL};
	static const struct {
		const char *word, *nearest;
	} cases[] = {{"plta1", "plat1"},
		     {"PLAT2", "plat2"},
		     {"acces", "access"},
		     {"linkdown", "link-down"},
		     {"ospf_cost", "ospf-cost"},
		     {"literal", "literal-again"},
		     {"zebra", NULL},
		     {"", NULL},
		     {"x", NULL},
		     {"delay", NULL}};
	char long_word[500];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *got = diag_suggest(cases[i].word, words);

		ck_assert_pstr_eq(got, cases[i].nearest);
	}
	memset(long_word, 'p', sizeof(long_word));
	long_word[sizeof(long_word) - 1] = '\0';
	ck_assert_ptr_null(diag_suggest(long_word, words));
}
END_TEST

/* ---- err ---------------------------------------------------------------- */

START_TEST(errors)
{
	struct err e;
	char big[2000];

	ck_assert_int_eq(err_set(&e, ENOENT, "%s: gone", "x"), -ENOENT);
	ck_assert_str_eq(e.text, "x: gone");
	err_set(&e, EIO, "again: %s", e.text);
	ck_assert_str_eq(e.text, "again: x: gone");
	err_prefix(&e, "node %d", 4);
	ck_assert_str_eq(e.text, "node 4: again: x: gone");
	memset(big, 'y', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	err_set(&e, EIO, "%s", big);
	ck_assert_uint_eq(strlen(e.text), sizeof(e.text) - 1);
	err_prefix(&e, "%s", big);
	ck_assert_uint_eq(strlen(e.text), sizeof(e.text) - 1);
	ck_assert_int_eq(err_set(NULL, EPERM, "dropped"), -EPERM);
	err_prefix(NULL, "dropped");
}
END_TEST

/* ---- file --------------------------------------------------------------- */

static char dir[64];

static void make_dir(void)
{
	snprintf(dir, sizeof(dir), "/tmp/check_base.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void remove_dir(void)
{
	struct err e;

	ck_assert_msg(file_rmtree(dir, &e) == 0, "%s", e.text);
	ck_assert_int_eq(access(dir, F_OK), -1);
}

static const char *in_dir(const char *name)
{
	static char path[4][128];
	static int next;

	next = (next + 1) % 4;
	snprintf(path[next], sizeof(path[next]), "%s/%s", dir, name);
	return path[next];
}

START_TEST(files_written_and_read)
{
	struct err e;
	size_t len = 0, size = 100000;
	char *data = malloc(size), *back;
	struct stat st;

	for (size_t i = 0; i < size; i++)
		data[i] = (char)(i * 7);
	ck_assert_int_eq(file_write(in_dir("f"), data, size, &e), 0);
	back = file_read(in_dir("f"), &len, &e);
	ck_assert_ptr_nonnull(back);
	ck_assert_uint_eq(len, size);
	ck_assert_mem_eq(back, data, size);
	ck_assert_int_eq(back[len], '\0');
	free(back);
	ck_assert_int_eq(file_write(in_dir("f"), "short", 5, &e), 0);
	back = file_read(in_dir("f"), &len, &e);
	ck_assert_str_eq(back, "short");
	free(back);
	ck_assert_int_eq(file_put(in_dir("f"), "1\n", &e), 0);
	back = file_read(in_dir("f"), NULL, &e);
	ck_assert_str_eq(back, "1\n");
	free(back);
	free(data);
	/* no temporary file stays: the directory holds one entry */
	ck_assert_int_eq(unlink(in_dir("f")), 0);
	ck_assert_int_eq(rmdir(dir), 0);
	ck_assert_int_eq(mkdir(dir, 0700), 0);
	ck_assert_int_eq(stat(dir, &st), 0);
}
END_TEST

static void refuses_secret(const char *why)
{
	struct err e;
	size_t len;

	ck_assert_ptr_null(file_read_secret(in_dir("key"), 32, &len, &e));
	ck_assert_msg(strstr(e.text, why), "%s", e.text);
}

START_TEST(secrets_are_their_owners)
{
	char bytes[33] = "0123456789abcdef0123456789abcdef";
	struct err e;
	size_t len;
	char *back;

	refuses_secret("No such file");
	ck_assert_int_eq(file_write(in_dir("key"), bytes, 32, &e), 0);
	for (mode_t bit = 1; bit <= 040; bit <<= 1) {
		ck_assert_int_eq(chmod(in_dir("key"), 0600 | bit), 0);
		refuses_secret("chmod 600");
	}
	ck_assert_int_eq(chmod(in_dir("key"), 0600), 0);
	back = file_read_secret(in_dir("key"), 32, &len, &e);
	ck_assert_ptr_nonnull(back);
	ck_assert_uint_eq(len, 32);
	ck_assert_mem_eq(back, bytes, 32);
	free(back);
	if (!geteuid()) {
		ck_assert_int_eq(chown(in_dir("key"), 1, 0), 0);
		refuses_secret("belongs to user 1");
		ck_assert_int_eq(chown(in_dir("key"), 0, 0), 0);
	}
	ck_assert_int_eq(truncate(in_dir("key"), 33), 0);
	refuses_secret("at most 32 bytes");
	ck_assert_int_eq(unlink(in_dir("key")), 0);
	/* nobody writes to it, and still nobody waits */
	ck_assert_int_eq(mkfifo(in_dir("key"), 0600), 0);
	refuses_secret("regular file");
	ck_assert_int_eq(unlink(in_dir("key")), 0);
}
END_TEST

START_TEST(files_fail_with_a_reason)
{
	struct err e;

	ck_assert_ptr_null(file_read(in_dir("none"), NULL, &e));
	ck_assert_ptr_nonnull(strstr(e.text, "none"));
	ck_assert_ptr_nonnull(strstr(e.text, "No such file"));
	ck_assert_ptr_null(file_read(dir, NULL, &e));
	ck_assert_int_eq(file_put(in_dir("none"), "1", &e), -ENOENT);
	ck_assert_int_eq(access(in_dir("none"), F_OK), -1);
	ck_assert_int_eq(file_write(in_dir("no/where"), "x", 1, &e), -ENOENT);
	ck_assert_int_eq(file_write(dir, "x", 1, &e), -EISDIR);
	ck_assert_int_eq(mkdir(in_dir("d"), 0755), 0);
	ck_assert_int_eq(file_write(in_dir("d"), "x", 1, &e), -EISDIR);
	ck_assert_int_eq(rmdir(in_dir("d")), 0);
}
END_TEST

START_TEST(files_of_proc)
{
	struct err e;
	size_t len;
	char *text = file_read("/proc/self/status", &len, &e);

	ck_assert_ptr_nonnull(text);
	ck_assert_uint_gt(len, 100);
	free(text);
}
END_TEST

START_TEST(directories)
{
	struct err e;
	struct stat st;

	ck_assert_int_eq(file_mkdirs(in_dir("a/b//c/"), &e), 0);
	ck_assert_int_eq(file_mkdirs(in_dir("a/b/c"), &e), 0);
	ck_assert_int_eq(stat(in_dir("a/b/c"), &st), 0);
	ck_assert(S_ISDIR(st.st_mode));
	ck_assert_int_eq(file_write(in_dir("a/f"), "x", 1, &e), 0);
	ck_assert_int_eq(file_mkdirs(in_dir("a/f"), &e), -ENOTDIR);
	ck_assert_int_eq(file_mkdirs(in_dir("a/f/g"), &e), -ENOTDIR);
	ck_assert_int_eq(file_rmtree(in_dir("never"), &e), 0);
}
END_TEST

START_TEST(trees_are_removed_but_links_are_not_followed)
{
	struct err e;

	ck_assert_int_eq(file_mkdirs(in_dir("kept"), &e), 0);
	ck_assert_int_eq(file_write(in_dir("kept/f"), "x", 1, &e), 0);
	ck_assert_int_eq(file_mkdirs(in_dir("t/u/v"), &e), 0);
	ck_assert_int_eq(file_write(in_dir("t/u/f"), "x", 1, &e), 0);
	ck_assert_int_eq(symlink(in_dir("kept"), in_dir("t/u/l")), 0);
	ck_assert_int_eq(symlink(in_dir("kept"), in_dir("l")), 0);
	ck_assert_msg(file_rmtree(in_dir("t"), &e) == 0, "%s", e.text);
	ck_assert_int_eq(access(in_dir("t"), F_OK), -1);
	ck_assert_int_eq(access(in_dir("kept/f"), F_OK), 0);
	ck_assert_int_ne(file_rmtree(in_dir("l"), &e), 0);
	ck_assert_int_eq(access(in_dir("kept/f"), F_OK), 0);
}
END_TEST

/* Needs root: without it there is no mount to stumble over. */
START_TEST(trees_end_at_mounts)
{
	struct err e;

	ck_assert_int_eq(file_mkdirs(in_dir("t/m"), &e), 0);
	ck_assert_int_eq(file_mkdirs(in_dir("kept"), &e), 0);
	ck_assert_int_eq(file_write(in_dir("kept/f"), "x", 1, &e), 0);
	ck_assert_int_eq(
		mount(in_dir("kept"), in_dir("t/m"), NULL, MS_BIND, NULL), 0);
	ck_assert_int_eq(file_rmtree(in_dir("t"), &e), -EBUSY);
	ck_assert_ptr_nonnull(strstr(e.text, "mount"));
	ck_assert_int_eq(access(in_dir("kept/f"), F_OK), 0);
	ck_assert_int_eq(umount(in_dir("t/m")), 0);
}
END_TEST

/* ---- log ---------------------------------------------------------------- */

START_TEST(log_lines)
{
	int fds[2], kept = dup(STDERR_FILENO);
	char text[4000] = "", big[3000];
	ssize_t n;

	ck_assert_int_eq(pipe(fds), 0);
	dup2(fds[1], STDERR_FILENO);
	log_init("xlatd", LOG_INFO);
	log_info("up on %s", "tun0");
	log_debug("not seen");
	log_err("broken: %d", 5);
	memset(big, 'z', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	log_warn("%s", big);
	dup2(kept, STDERR_FILENO);
	n = read(fds[0], text, sizeof(text) - 1);
	ck_assert_int_gt(n, 100);
	ck_assert_int_eq(strncmp(text,
				 "xlatd: up on tun0\n"
				 "xlatd: error: broken: 5\n"
				 "xlatd: warning: zzz",
				 60),
			 0);
	ck_assert_int_eq(text[n - 1], '\n');
	close(fds[0]);
	close(fds[1]);
	close(kept);
}
END_TEST

/* ---- rng ---------------------------------------------------------------- */

START_TEST(rng_repeats)
{
	struct rng a, b, c;

	rng_init(&a, 5);
	rng_init(&b, 5);
	rng_init(&c, 6);
	for (int i = 0; i < 100; i++) {
		uint64_t x = rng_next(&a);

		ck_assert_uint_eq(x, rng_next(&b));
		ck_assert_uint_ne(x, rng_next(&c));
	}
}
END_TEST

/* The reference generator, from the state 1, 2, 3, 4. */
START_TEST(rng_is_xoshiro)
{
	struct rng r = {{1, 2, 3, 4}};
	static const uint64_t want[] = {UINT64_C(11520), UINT64_C(0),
					UINT64_C(1509978240),
					UINT64_C(1215971899390074240)};

	for (size_t i = 0; i < 4; i++)
		ck_assert_uint_eq(rng_next(&r), want[i]);
}
END_TEST

START_TEST(rng_is_even)
{
	unsigned int count[7] = {0};
	double sum = 0;
	struct rng r;

	rng_init(&r, 99);
	for (int i = 0; i < 70000; i++) {
		double u = rng_unit(&r);

		count[rng_below(&r, 7)]++;
		ck_assert(u >= 0 && u < 1);
		sum += u;
	}
	for (int i = 0; i < 7; i++)
		ck_assert(count[i] > 9600 && count[i] < 10400);
	ck_assert(fabs(sum / 70000 - 0.5) < 0.01);
	ck_assert_uint_eq(rng_below(&r, 1), 0);
}
END_TEST

/* ---- units -------------------------------------------------------------- */

START_TEST(units_good)
{
	static const struct {
		const char *text;
		enum unit unit;
		double want;
	} cases[] = {
		{"5ms", UNIT_TIME, 5e6},
		{"1.5s", UNIT_TIME, 1.5e9},
		{"250us", UNIT_TIME, 2.5e5},
		{"1ns", UNIT_TIME, 1},
		{"2m", UNIT_TIME, 1.2e11},
		{"1h", UNIT_TIME, 3.6e12},
		{"0", UNIT_TIME, 0},
		{"0", UNIT_RATE, 0},
		{"150mbit", UNIT_RATE, 150e6},
		{"1.5gbit", UNIT_RATE, 1.5e9},
		{"64kbit", UNIT_RATE, 64e3},
		{"9bit", UNIT_RATE, 9},
		{"1000pps", UNIT_PPS, 1000},
		{"1.5kpps", UNIT_PPS, 1500},
		{"1mpps", UNIT_PPS, 1e6},
		{"64KiB", UNIT_SIZE, 65536},
		{"1500B", UNIT_SIZE, 1500},
		{"1MiB", UNIT_SIZE, 1048576},
		{"1GiB", UNIT_SIZE, 1073741824},
		{"0.1%", UNIT_RATIO, 0.001},
		{"100%", UNIT_RATIO, 1},
		{"0", UNIT_RATIO, 0},
		{"4", UNIT_NONE, 4},
		{"0.9", UNIT_NONE, 0.9},
		{"true", UNIT_BOOL, 1},
		{"false", UNIT_BOOL, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		double v = -1;

		ck_assert_msg(units_parse(cases[i].text, cases[i].unit, &v) ==
				      0,
			      "%s", cases[i].text);
		ck_assert_msg(fabs(v - cases[i].want) <= 1e-12 * cases[i].want,
			      "%s: %g", cases[i].text, v);
	}
}
END_TEST

START_TEST(units_bad)
{
	static const struct {
		const char *text;
		enum unit unit;
		int want;
	} cases[] = {
		{"", UNIT_TIME, -EINVAL},
		{"5", UNIT_TIME, -EINVAL},
		{"ms", UNIT_TIME, -EINVAL},
		{"5 ms", UNIT_TIME, -EINVAL},
		{"5msx", UNIT_TIME, -EINVAL},
		{"5MS", UNIT_TIME, -EINVAL},
		{"5mbit", UNIT_TIME, -EINVAL},
		{"1e3ms", UNIT_TIME, -EINVAL},
		{"0x5ms", UNIT_TIME, -EINVAL},
		{".5s", UNIT_TIME, -EINVAL},
		{"5.s", UNIT_TIME, -EINVAL},
		{"+5s", UNIT_TIME, -EINVAL},
		{"infs", UNIT_TIME, -EINVAL},
		{"nan", UNIT_NONE, -EINVAL},
		{" 5ms", UNIT_TIME, -EINVAL},
		{"-5ms", UNIT_TIME, -ERANGE},
		{"-5", UNIT_NONE, -ERANGE},
		{"9999999h", UNIT_TIME, -ERANGE},
		{"150Mbit", UNIT_RATE, -EINVAL},
		{"150mbps", UNIT_RATE, -EINVAL},
		{"99999gbit", UNIT_RATE, -ERANGE},
		{"64KB", UNIT_SIZE, -EINVAL},
		{"64kib", UNIT_SIZE, -EINVAL},
		{"0.1", UNIT_RATIO, -EINVAL},
		{"1", UNIT_RATIO, -EINVAL},
		{"yes", UNIT_BOOL, -EINVAL},
		{"True", UNIT_BOOL, -EINVAL},
		{"1", UNIT_BOOL, -EINVAL},
		{"x", UNIT_TEXT, -EINVAL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		double v = 17;

		ck_assert_msg(units_parse(cases[i].text, cases[i].unit, &v) ==
				      cases[i].want,
			      "%s", cases[i].text);
		ck_assert(v == 17);
	}
}
END_TEST

START_TEST(units_as_people_write)
{
	static const struct {
		double v;
		enum unit unit;
		const char *want;
	} cases[] = {
		{0, UNIT_TIME, "0"},
		{5e6, UNIT_TIME, "5ms"},
		{1.5e9, UNIT_TIME, "1.5s"},
		{83.4e6, UNIT_TIME, "83.4ms"},
		{123456789, UNIT_TIME, "123ms"},
		{90e9, UNIT_TIME, "90s"},
		{120e9, UNIT_TIME, "2m"},
		{999.7e6, UNIT_TIME, "1s"},
		{-2e6, UNIT_TIME, "-2ms"},
		{1234e9, UNIT_TIME, "1234s"},
		{150e6, UNIT_RATE, "150mbit"},
		{94.13e6, UNIT_RATE, "94.1mbit"},
		{0, UNIT_RATE, "0"},
		{1000, UNIT_PPS, "1000pps"},
		{20000, UNIT_PPS, "20kpps"},
		{65536, UNIT_SIZE, "64KiB"},
		{1500, UNIT_SIZE, "1500B"},
		{0.001, UNIT_RATIO, "0.1%"},
		{0.9995, UNIT_RATIO, "99.95%"},
		{0, UNIT_RATIO, "0%"},
		{1e-8, UNIT_RATIO, "0.000001%"},
		{3, UNIT_NONE, "3"},
		{0.874, UNIT_NONE, "0.874"},
		{1234567, UNIT_NONE, "1234567"},
		{1, UNIT_BOOL, "true"},
		{0, UNIT_BOOL, "false"},
		{NAN, UNIT_TIME, "-"},
	};
	char buf[64];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		ck_assert_str_eq(units_format(cases[i].v, cases[i].unit, buf,
					      sizeof(buf)),
				 cases[i].want);
	for (int u = UNIT_NONE; u <= UNIT_TEXT; u++)
		ck_assert_uint_gt(strlen(units_expect((enum unit)u)), 3);
	units_format(123e6, UNIT_TIME, buf, 3);
	ck_assert_uint_lt(strlen(buf), 3);
}
END_TEST

/* ------------------------------------------------------------------------- */

static void add_case(Suite *s, const char *name, const TTest *const *tests,
		     void (*setup)(void), void (*teardown)(void))
{
	TCase *tc = tcase_create(name);

	if (setup)
		tcase_add_checked_fixture(tc, setup, teardown);
	for (; *tests; tests++)
		tcase_add_test(tc, *tests);
	suite_add_tcase(s, tc);
}

#define ADD(name, setup, teardown, ...)                                        \
	add_case(s, name, (const TTest *const[]){__VA_ARGS__, NULL}, setup,    \
		 teardown)

int main(void)
{
	Suite *s = suite_create("base");
	SRunner *sr = srunner_create(s);
	int failed;

	ADD("addr", NULL, NULL, prefixes_parse_and_format, prefixes_refuse,
	    prefixes_contain_and_overlap, subnets_and_hosts, addresses);
	ADD("arena", NULL, NULL, arena_gives_zeroed_aligned_memory,
	    arena_arrays_grow);
	ADD("diag", NULL, NULL, diags_print_by_place, suggestions, errors);
	ADD("file", make_dir, remove_dir, files_written_and_read,
	    secrets_are_their_owners, files_fail_with_a_reason, files_of_proc,
	    directories, trees_are_removed_but_links_are_not_followed);
	if (geteuid() == 0)
		ADD("mounts", make_dir, remove_dir, trees_end_at_mounts);
	ADD("log", NULL, NULL, log_lines);
	ADD("rng", NULL, NULL, rng_repeats, rng_is_xoshiro, rng_is_even);
	ADD("units", NULL, NULL, units_good, units_bad, units_as_people_write);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

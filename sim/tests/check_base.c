/* SPDX-License-Identifier: MIT */
#include "../../xlat/base/addr.h"
#include "../../xlat/base/arena.h"
#include "../../xlat/base/clock.h"
#include "../../xlat/base/diag.h"
#include "../../xlat/base/err.h"
#include "../../xlat/base/file.h"
#include "../../xlat/base/log.h"
#include "../../xlat/base/loop.h"
#include "../../xlat/base/rng.h"
#include "../../xlat/base/units.h"
#include "../../xlat/base/yaml.h"

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
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- addr ------------------------------------------------------------------
 */

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

/* ---- arena -----------------------------------------------------------------
 */

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

/* ---- diag ------------------------------------------------------------------
 */

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

/* ---- err -------------------------------------------------------------------
 */

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

/* ---- file ------------------------------------------------------------------
 */

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

/* ---- log -------------------------------------------------------------------
 */

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

/* ---- loop ------------------------------------------------------------------
 */

struct seen {
	struct loop *l;
	int order[100], n, want;
	struct loop_source *victim, *self;
	int fd;
};

static struct mono in_ms(int64_t ms)
{
	return mono_add(clock_now(), ms * NS_PER_MS);
}

static bool enough(void *arg)
{
	struct seen *s = arg;

	return s->n >= s->want;
}

struct tick {
	struct seen *s;
	int number;
	struct mono due;
};

static void on_tick(void *arg, struct mono due)
{
	struct tick *t = arg;

	ck_assert(!mono_before(clock_now(), t->due));
	ck_assert_int_eq(due.ns, t->due.ns);
	t->s->order[t->s->n++] = t->number;
}

START_TEST(timers_fire_in_order)
{
	struct loop *l = loop_new();
	struct seen s = {.l = l, .want = 50};
	struct tick t[50];
	struct mono base = in_ms(5);
	struct rng r;

	rng_init(&r, 7);
	for (int i = 0; i < 50; i++) {
		/* pairs share a time: they keep the order of adding */
		t[i] = (struct tick){&s, i,
				     mono_add(base, (i * 7 % 25) * 100000)};
		ck_assert_ptr_nonnull(
			loop_add_timer(l, t[i].due, on_tick, &t[i]));
	}
	ck_assert_int_eq(loop_run_until(l, enough, &s, in_ms(2000)), 0);
	for (int i = 1; i < 50; i++) {
		const struct tick *a = &t[s.order[i - 1]];
		const struct tick *b = &t[s.order[i]];

		ck_assert(a->due.ns < b->due.ns ||
			  (a->due.ns == b->due.ns && a->number < b->number));
	}
	loop_free(l);
}
END_TEST

START_TEST(deleted_timers_do_not_fire)
{
	struct loop *l = loop_new();
	struct seen s = {.l = l, .want = 100};
	struct loop_source *src[40];
	struct tick t[40];

	for (int i = 0; i < 40; i++) {
		t[i] = (struct tick){&s, i, in_ms(1 + i * 13 % 40 / 10)};
		src[i] = loop_add_timer(l, t[i].due, on_tick, &t[i]);
	}
	for (int i = 0; i < 40; i += 2)
		loop_del(l, src[i]);
	loop_del(l, NULL);
	ck_assert_int_eq(loop_run_until(l, enough, &s, in_ms(20)), -ETIMEDOUT);
	ck_assert_int_eq(s.n, 20);
	for (int i = 0; i < s.n; i++)
		ck_assert_int_eq(s.order[i] % 2, 1);
	loop_free(l);
}
END_TEST

static void on_byte(void *arg, uint32_t events)
{
	struct seen *s = arg;
	char c;

	ck_assert(events & EPOLLIN);
	ck_assert_int_eq(read(s->fd, &c, 1), 1);
	s->order[s->n++] = c;
}

START_TEST(descriptors_are_level_triggered)
{
	struct loop *l = loop_new();
	struct seen s = {.l = l, .want = 3};
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	s.fd = fds[0];
	ck_assert_int_eq(write(fds[1], "abc", 3), 3);
	ck_assert_ptr_nonnull(loop_add_fd(l, fds[0], EPOLLIN, on_byte, &s));
	ck_assert_ptr_null(loop_add_fd(l, fds[0], EPOLLIN, on_byte, &s));
	ck_assert_int_eq(errno, EEXIST);
	ck_assert_ptr_null(loop_add_fd(l, -1, EPOLLIN, on_byte, &s));
	ck_assert_int_eq(errno, EBADF);
	ck_assert_int_eq(loop_run_until(l, enough, &s, in_ms(1000)), 0);
	ck_assert_int_eq(s.order[0], 'a');
	ck_assert_int_eq(s.order[2], 'c');
	ck_assert_int_eq(loop_run_until(l, NULL, NULL, in_ms(5)), -ETIMEDOUT);
	loop_free(l);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

/* Deletes another ready source and itself, twice. */
static void on_delete(void *arg, uint32_t events)
{
	struct seen *s = arg;

	(void)events;
	s->n++;
	loop_del(s->l, s->victim);
	s->victim = NULL;
	loop_del(s->l, s->self);
	loop_del(s->l, s->self);
}

START_TEST(sources_deleted_inside_callbacks)
{
	struct loop *l = loop_new();
	struct seen a = {.l = l}, b = {.l = l};
	int x[2], y[2];

	ck_assert_int_eq(pipe(x) | pipe(y), 0);
	ck_assert_int_eq(write(x[1], "1", 1) + write(y[1], "2", 1), 2);
	a.self = b.victim = loop_add_fd(l, x[0], EPOLLIN, on_delete, &a);
	b.self = a.victim = loop_add_fd(l, y[0], EPOLLIN, on_delete, &b);
	/* whichever comes first ends the other */
	ck_assert_int_eq(loop_run_until(l, NULL, NULL, in_ms(10)), -ETIMEDOUT);
	ck_assert_int_eq(a.n + b.n, 1);
	loop_free(l);
	close(x[0]);
	close(x[1]);
	close(y[0]);
	close(y[1]);
}
END_TEST

/* A descriptor closed too early, alive in a copy, reaches no stale source. */
START_TEST(closed_descriptors_reach_nobody)
{
	struct loop *l = loop_new();
	struct seen s = {.l = l, .want = 1};
	struct loop_source *src;
	int fds[2], copy;

	ck_assert_int_eq(pipe(fds), 0);
	copy = dup(fds[0]);
	src = loop_add_fd(l, fds[0], EPOLLIN, on_byte, &s);
	close(fds[0]);
	loop_del(l, src);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	ck_assert_int_eq(loop_run_until(l, enough, &s, in_ms(5)), -ETIMEDOUT);
	ck_assert_int_eq(s.n, 0);
	loop_free(l);
	close(copy);
	close(fds[1]);
}
END_TEST

static void on_nested(void *arg, struct mono due)
{
	struct seen *s = arg;

	(void)due;
	s->order[0] = loop_run_until(s->l, enough, s, in_ms(1000));
}

START_TEST(loops_nest)
{
	struct loop *l = loop_new();
	struct seen s = {.l = l, .want = 1};
	struct tick t = {&s, 42, in_ms(3)};

	loop_add_timer(l, in_ms(1), on_nested, &s);
	loop_add_timer(l, t.due, on_tick, &t);
	ck_assert_int_eq(loop_run_until(l, enough, &s, in_ms(1000)), 0);
	ck_assert_int_eq(s.order[0], 0);
	loop_free(l);
}
END_TEST

static void on_stop(void *arg, struct mono due)
{
	(void)due;
	loop_stop(arg);
}

START_TEST(a_stopped_loop_stays_stopped)
{
	struct loop *l = loop_new();

	loop_add_timer(l, in_ms(1), on_stop, l);
	ck_assert_int_eq(loop_run(l), -EINTR);
	ck_assert_int_eq(loop_run_until(l, NULL, NULL, in_ms(1000)), -EINTR);
	loop_resume(l);
	ck_assert_int_eq(loop_run_until(l, NULL, NULL, in_ms(1)), -ETIMEDOUT);
	loop_free(l);
}
END_TEST

static void on_again(void *arg, struct mono due)
{
	struct seen *s = arg;

	loop_add_timer(s->l, due, on_again, s);
}

START_TEST(due_timers_do_not_starve_descriptors)
{
	struct loop *l = loop_new();
	struct seen s = {.l = l, .want = 3};
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	s.fd = fds[0];
	ck_assert_int_eq(write(fds[1], "abc", 3), 3);
	loop_add_fd(l, fds[0], EPOLLIN, on_byte, &s);
	loop_add_timer(l, clock_now(), on_again, &s);
	ck_assert_int_eq(loop_run_until(l, enough, &s, in_ms(1000)), 0);
	loop_free(l);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

/* ---- rng -------------------------------------------------------------------
 */

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

/* ---- units -----------------------------------------------------------------
 */

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

/* ---- yaml ------------------------------------------------------------------
 */

static struct arena *ya;
static struct diags yd;

static void yaml_setup(void)
{
	ya = arena_new();
	diags_init(&yd);
}

static void yaml_teardown(void)
{
	diags_fini(&yd);
	arena_free(ya);
}

static struct ynode *load(const char *text)
{
	return yaml_load_text("t.yaml", text, strlen(text), ya, &yd);
}

static void assert_diags(const char *want)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	diags_print(&yd, f);
	fclose(f);
	ck_assert_str_eq(text, want);
	free(text);
}

START_TEST(yaml_tree)
{
	struct ynode *root = load("# comment\n"
				  "a: 5ms\n"
				  "b: [x, \"y z\", {c: d}]\n"
				  "empty:\n");
	struct ynode *b;

	assert_diags("");
	ck_assert_ptr_nonnull(root);
	ck_assert_int_eq(root->kind, YNODE_MAP);
	ck_assert_uint_eq(root->n, 3);
	ck_assert_str_eq(yaml_get(root, "a")->text, "5ms");
	ck_assert_uint_eq(yaml_get(root, "a")->pos.line, 2);
	ck_assert_uint_eq(yaml_get(root, "a")->pos.column, 4);
	ck_assert(!yaml_get(root, "a")->quoted);
	b = yaml_get(root, "b");
	ck_assert_int_eq(b->kind, YNODE_LIST);
	ck_assert_uint_eq(b->n, 3);
	ck_assert(b->items[1]->quoted);
	ck_assert_str_eq(yaml_get(b->items[2], "c")->text, "d");
	ck_assert_str_eq(yaml_get(root, "empty")->text, "");
	ck_assert_ptr_null(yaml_get(root, "none"));
	ck_assert_ptr_null(yaml_get(b, "c"));
}
END_TEST

START_TEST(yaml_refuses_but_goes_on)
{
	struct ynode *root = load("a: 1\n"
				  "b: &x 2\n"
				  "a: 3\n"
				  "c: !!int 4\n"
				  "[k]: 5\n");

	ck_assert_ptr_nonnull(root);
	ck_assert_str_eq(yaml_get(root, "a")->text, "1");
	assert_diags("t.yaml:2:4: anchors are not supported: &x\n"
		     "t.yaml:3:1: `a` is given twice; first at line 1\n"
		     "t.yaml:4:4: tags are not supported: "
		     "tag:yaml.org,2002:int\n"
		     "t.yaml:5:1: a key must be a word\n");
}
END_TEST

START_TEST(yaml_gives_up)
{
	static const struct {
		const char *text, *diag;
	} cases[] = {
		{"", "t.yaml: the file is empty\n"},
		{"# only this\n", "t.yaml: the file is empty\n"},
		{"a: &x 1\nb: *x\n",
		 "t.yaml:1:4: anchors are not supported: &x\n"
		 "t.yaml:2:4: aliases are not supported: *x\n"},
		{"a: [1, 2\n",
		 "t.yaml:2:1: did not find expected ',' or ']', while "
		 "parsing a flow sequence that starts at line 1\n"},
		{"a: b\nc: 'd\n",
		 "t.yaml:3:1: found unexpected end of stream, while scanning a "
		 "quoted scalar that starts at line 2\n"},
		{"a: \x01\n",
		 "t.yaml:1:4: not a text file: control characters are not "
		 "allowed\n"},
		{"ab: \xff\n",
		 "t.yaml:1:5: not a text file: invalid leading UTF-8 octet\n"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		ck_assert_ptr_null(load(cases[i].text));
		assert_diags(cases[i].diag);
		diags_fini(&yd);
		diags_init(&yd);
	}
}
END_TEST

START_TEST(yaml_one_document)
{
	ck_assert_ptr_nonnull(load("---\na: 1\n---\nb: 2\n"));
	assert_diags("t.yaml:4:1: a second document begins here; a file holds "
		     "one\n");
}
END_TEST

START_TEST(yaml_limits)
{
	char deep[100], *big = malloc((1 << 20) + 2);
	char *many = malloc(4097 * 2 + 3);

	memset(deep, '[', sizeof(deep));
	deep[sizeof(deep) - 1] = '\0';
	ck_assert_ptr_null(load(deep));
	assert_diags("t.yaml:1:33: nested deeper than 32\n");
	diags_fini(&yd);
	diags_init(&yd);
	memset(big, 'x', (1 << 20) + 1);
	big[(1 << 20) + 1] = '\0';
	ck_assert_ptr_null(load(big));
	assert_diags("t.yaml: longer than 1 MiB\n");
	diags_fini(&yd);
	diags_init(&yd);
	strcpy(many, "[");
	for (int i = 0; i < 4097; i++)
		memcpy(many + 1 + 2 * i, "1,", 3);
	memcpy(many + 1 + 2 * 4097, "]", 2);
	ck_assert_ptr_null(load(many));
	assert_diags("t.yaml:1:1: more than 4096 entries\n");
	free(big);
	free(many);
}
END_TEST

START_TEST(yaml_files)
{
	struct err e;

	ck_assert_int_eq(file_write(in_dir("x.yaml"), "a: 1\n", 5, &e), 0);
	ck_assert_ptr_nonnull(yaml_load_file(in_dir("x.yaml"), ya, &yd));
	ck_assert_uint_eq(yd.n, 0);
	ck_assert_ptr_null(yaml_load_file(in_dir("none.yaml"), ya, &yd));
	ck_assert_ptr_nonnull(strstr(yd.v[0].text, "No such file"));
	ck_assert_ptr_null(yaml_load_file(dir, ya, &yd));
	ck_assert_ptr_nonnull(strstr(yd.v[1].text, "is a directory"));
	ck_assert_ptr_null(yaml_load_file("/dev/zero", ya, &yd));
	ck_assert_ptr_nonnull(strstr(yd.v[2].text, "not a regular file"));
}
END_TEST

struct sample {
	const char *text, *name;
	int64_t whole;
	double delay, share;
	bool flag;
	int word;
	struct prefix4 p4;
	struct prefix6 p6;
	struct addr addr;
	struct ynode *node;
};

static const char *const words[] = {"on", "off", NULL};

#define AT(member) .offset = offsetof(struct sample, member)

static const struct yfield sample_fields[] = {
	{.key = "text", .type = YF_STRING, AT(text), .required = true},
	{.key = "name", .type = YF_NAME, AT(name)},
	{.key = "whole", .type = YF_INT, AT(whole), .min = 1, .max = 250},
	{.key = "delay", .type = YF_QUANTITY, AT(delay), .unit = UNIT_TIME},
	{.key = "share",
	 .type = YF_QUANTITY,
	 AT(share),
	 .unit = UNIT_RATIO,
	 .min = 0,
	 .max = 1},
	{.key = "flag", .type = YF_BOOL, AT(flag)},
	{.key = "word", .type = YF_ENUM, AT(word), .words = words},
	{.key = "p4", .type = YF_PREFIX4, AT(p4)},
	{.key = "p6", .type = YF_PREFIX6, AT(p6)},
	{.key = "addr", .type = YF_ADDR, AT(addr)},
	{.key = "node", .type = YF_NODE, AT(node)},
	{0},
};

START_TEST(yaml_maps_become_structs)
{
	struct sample s = {.whole = 7};
	struct ynode *m = load("{text: \"a b\", name: plat-1, delay: 3ms, "
			       "share: 0.1%, flag: true, word: off,\n"
			       " p4: 192.0.2.0/28, p6: 2001:db8::/36, "
			       "addr: 2001:db8::1, node: [1]}\n");

	ck_assert_uint_eq(
		yaml_read_map(m, "sample", sample_fields, &s, ya, &yd), 0);
	ck_assert_str_eq(s.text, "a b");
	ck_assert_str_eq(s.name, "plat-1");
	ck_assert_int_eq(s.whole, 7);
	ck_assert(s.delay == 3e6 && s.share == 0.001 && s.flag);
	ck_assert_int_eq(s.word, 1);
	ck_assert_uint_eq(s.p4.len, 28);
	ck_assert_uint_eq(s.p6.len, 36);
	ck_assert_int_eq(s.addr.family, AF_INET6);
	ck_assert_int_eq(s.node->kind, YNODE_LIST);
}
END_TEST

START_TEST(yaml_maps_with_every_fault)
{
	struct sample s = {0};
	struct ynode *m = load("name: Plat\n"
			       "whole: 251\n"
			       "delay: 3\n"
			       "share: 101%\n"
			       "flag: yes\n"
			       "word: offf\n"
			       "p4: 192.0.2.1/28\n"
			       "p6: 192.0.2.0/28\n"
			       "addr: nowhere\n"
			       "nmae: x\n"
			       "zzzzz: x\n");
	size_t n = yaml_read_map(m, "sample", sample_fields, &s, ya, &yd);

	ck_assert_uint_eq(n, 12);
	assert_diags(
		"t.yaml:1:1: sample lacks `text`\n"
		"t.yaml:1:7: `name: Plat`: a name of up to 11 lower-case "
		"letters, digits and hyphens, letter first, is expected\n"
		"t.yaml:2:8: `whole: 251`: a whole number from 1 to 250 is "
		"expected\n"
		"t.yaml:3:8: `delay: 3`: a time such as 5ms is expected\n"
		"t.yaml:4:8: `share: 101%`: a share such as 0.1% from 0% to "
		"100% is expected\n"
		"t.yaml:5:7: `flag: yes`: true or false is expected\n"
		"t.yaml:6:7: unknown value of `word`: `offf`; did you mean "
		"`off`?\n"
		"t.yaml:7:5: `p4: 192.0.2.1/28`: a prefix without host bits "
		"is expected\n"
		"t.yaml:8:5: `p6: 192.0.2.0/28`: an IPv6 prefix such as "
		"2001:db8::/36 is expected\n"
		"t.yaml:9:7: `addr: nowhere`: an IPv4 or IPv6 address is "
		"expected\n"
		"t.yaml:10:1: unknown key in sample: `nmae`; did you mean "
		"`name`?\n"
		"t.yaml:11:1: unknown key in sample: `zzzzz`; expected text, "
		"name, whole, delay, share, flag, word, p4, p6, addr or "
		"node\n");
}
END_TEST

START_TEST(yaml_wrong_shapes)
{
	struct sample s = {0};

	yaml_read_map(load("[1]"), "sample", sample_fields, &s, ya, &yd);
	yaml_read_map(load("text: [1]\nname:\nwhole: -0x1"), "sample",
		      sample_fields, &s, ya, &yd);
	assert_diags("t.yaml:1:1: sample is a list; a map of keys is "
		     "expected\n"
		     "t.yaml:1:7: `text` is a list; a word is expected\n"
		     "t.yaml:2:6: `name` has no value\n"
		     "t.yaml:3:8: `whole: -0x1`: a whole number from 1 to 250 "
		     "is expected\n");
}
END_TEST

START_TEST(names)
{
	ck_assert(yaml_is_name("plat1", 11));
	ck_assert(yaml_is_name("a", 11));
	ck_assert(yaml_is_name("abcdefghijk", 11));
	ck_assert(!yaml_is_name("abcdefghijkl", 11));
	ck_assert(!yaml_is_name("", 11));
	ck_assert(!yaml_is_name("1a", 11));
	ck_assert(!yaml_is_name("a_b", 11));
	ck_assert(!yaml_is_name("a-", 11));
	ck_assert(!yaml_is_name("Plat", 11));
}
END_TEST

/* ----------------------------------------------------------------------------
 */

static void add_case(Suite *s, const char *name, const TTest *const *tests,
		     size_t n, void (*setup)(void), void (*teardown)(void))
{
	TCase *tc = tcase_create(name);

	if (setup)
		tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < n; i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
}

#define ADD(name, setup, teardown, ...)                                        \
	do {                                                                   \
		const TTest *const tests_[] = {__VA_ARGS__};                   \
		add_case(s, name, tests_, sizeof(tests_) / sizeof(*tests_),    \
			 setup, teardown);                                     \
	} while (0)

static void setup_both(void)
{
	make_dir();
	yaml_setup();
}

static void teardown_both(void)
{
	yaml_teardown();
	remove_dir();
}

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
	    files_fail_with_a_reason, files_of_proc, directories,
	    trees_are_removed_but_links_are_not_followed);
	if (geteuid() == 0)
		ADD("mounts", make_dir, remove_dir, trees_end_at_mounts);
	ADD("log", NULL, NULL, log_lines);
	ADD("loop", NULL, NULL, timers_fire_in_order,
	    deleted_timers_do_not_fire, descriptors_are_level_triggered,
	    sources_deleted_inside_callbacks, closed_descriptors_reach_nobody,
	    loops_nest, a_stopped_loop_stays_stopped,
	    due_timers_do_not_starve_descriptors);
	ADD("rng", NULL, NULL, rng_repeats, rng_is_xoshiro, rng_is_even);
	ADD("units", NULL, NULL, units_good, units_bad, units_as_people_write);
	ADD("yaml", yaml_setup, yaml_teardown, yaml_tree,
	    yaml_refuses_but_goes_on, yaml_gives_up, yaml_one_document,
	    yaml_limits, yaml_maps_become_structs, yaml_maps_with_every_fault,
	    yaml_wrong_shapes, names);
	ADD("yaml files", setup_both, teardown_both, yaml_files);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

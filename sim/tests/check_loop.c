/* SPDX-License-Identifier: MIT */
#include "../../xlat/base/loop.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "../../xlat/base/rng.h"

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
	s->order[s->n++] = (unsigned char)c;
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

int main(void)
{
	Suite *s = suite_create("loop");
	TCase *tc = tcase_create("loop");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(tc, timers_fire_in_order);
	tcase_add_test(tc, deleted_timers_do_not_fire);
	tcase_add_test(tc, descriptors_are_level_triggered);
	tcase_add_test(tc, sources_deleted_inside_callbacks);
	tcase_add_test(tc, closed_descriptors_reach_nobody);
	tcase_add_test(tc, loops_nest);
	tcase_add_test(tc, a_stopped_loop_stays_stopped);
	tcase_add_test(tc, due_timers_do_not_starve_descriptors);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

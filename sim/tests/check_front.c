/* SPDX-License-Identifier: MIT */
/* How a command is stopped: by signals that arrive through its loop. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "../cmd/front.h"

static struct loop *loop;

static void setup(void)
{
	loop = loop_new();
	ck_assert_ptr_nonnull(loop);
}

static void teardown(void)
{
	loop_free(loop);
}

static bool never(void *arg)
{
	(void)arg;
	return false;
}

static int wait_for_signal(void)
{
	return loop_run_until(loop, never, NULL,
			      mono_add(clock_now(), 10 * NS_PER_S));
}

START_TEST(each_signal_stops_the_loop)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct front f;

	ck_assert_int_eq(front_open(&f, "test", loop, true), 0);
	raise(signals[_i]);
	ck_assert_int_eq(wait_for_signal(), -EINTR);
	ck_assert_int_eq(f.caught, signals[_i]);
	/* and ends every later wait, until it is told otherwise */
	ck_assert_int_eq(wait_for_signal(), -EINTR);
	front_close(&f);
}
END_TEST

/* Nobody waits: a second one must not end us after all is done. */
START_TEST(an_impatient_one_is_swallowed)
{
	sigset_t pending;
	struct front f;

	ck_assert_int_eq(front_open(&f, "test", loop, true), 0);
	raise(SIGINT);
	ck_assert_int_eq(wait_for_signal(), -EINTR);
	raise(SIGINT);
	raise(SIGTERM);
	front_close(&f);
	ck_assert(!sigpending(&pending));
	ck_assert(!sigismember(&pending, SIGINT));
	ck_assert(!sigismember(&pending, SIGTERM));
}
END_TEST

/* Afterwards they end a program as they do any other. */
START_TEST(signals_are_given_back)
{
	struct front f;
	sigset_t now;

	ck_assert_int_eq(front_open(&f, "test", loop, true), 0);
	ck_assert(!sigprocmask(SIG_BLOCK, NULL, &now));
	ck_assert(sigismember(&now, SIGTERM));
	front_close(&f);
	ck_assert(!sigprocmask(SIG_BLOCK, NULL, &now));
	ck_assert(!sigismember(&now, SIGTERM));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("front");
	TCase *t = tcase_create("signals");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, each_signal_stops_the_loop, 0, 3);
	tcase_add_test(t, an_impatient_one_is_swallowed);
	tcase_add_test(t, signals_are_given_back);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

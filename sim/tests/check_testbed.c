/* SPDX-License-Identifier: MIT */
/* Was the testbed good enough? By what the relay says, or does not. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../cmd/testbed.h"
#include "../engine/engine_internal.h"

static json_t *answer; /* of the relay */

static json_t *counters(struct engine *en)
{
	(void)en;
	return json_incref(answer);
}

static const struct engine_ops ops = {.name = "relay", .counters = counters};
static const struct plan_daemon daemons[] = {{.role = DAEMON_RELAY}};
static struct engine engines[] = {{.ops = &ops, .daemon = daemons}};
static struct engines all = {.v = engines, .n = 1};
static const struct scenario scenario = {.max_late_ns = 1e9};
static struct arena *arena;
static struct loop *loop;
static struct testbed testbed;
static struct result result;

static void setup(void)
{
	arena = arena_new();
	loop = loop_new();
	ck_assert_ptr_nonnull(loop);
}

static void teardown(void)
{
	loop_free(loop);
	arena_free(arena);
}

static const char *limit(struct engines *es, double late_ns, const char *fault)
{
	testbed_begin(&testbed, es, loop);
	testbed_end(&testbed, es, late_ns);
	return testbed_record(&testbed, fault, &result, &scenario, arena);
}

START_TEST(a_world_without_relay)
{
	const struct measurement *m;

	ck_assert_ptr_null(limit(NULL, 1e6, NULL));
	m = score_find(&result, "testbed");
	ck_assert_ptr_nonnull(m);
	ck_assert(!m->invalid);
}
END_TEST

/* It is started, and ended before it could be asked. */
START_TEST(a_relay_that_does_not_answer)
{
	const char *why = limit(&all, 0, NULL);

	ck_assert_ptr_nonnull(why);
	ck_assert_ptr_nonnull(strstr(why, "the link relay did not answer"));
	ck_assert(score_find(&result, "testbed")->invalid);
}
END_TEST

START_TEST(a_relay_that_ended)
{
	ck_assert_str_eq(limit(&all, 5e9, "it ended"), "it ended");
}
END_TEST

START_TEST(events_that_came_late)
{
	ck_assert_ptr_nonnull(
		strstr(limit(NULL, 2e9, NULL), "an event came 2s late"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("testbed");
	TCase *t = tcase_create("limits");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_world_without_relay);
	tcase_add_test(t, a_relay_that_does_not_answer);
	tcase_add_test(t, a_relay_that_ended);
	tcase_add_test(t, events_that_came_late);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

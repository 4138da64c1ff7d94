/* SPDX-License-Identifier: MIT */
/* Fragments that overtook their first one: kept, bounded, given back. */
#include <arpa/inet.h>
#include <check.h>
#include <string.h>

#include "../base/rng.h"
#include "../nat64/held.h"

#define LIFE (2 * NS_PER_S)

static struct nat64_held t;
static uint8_t packet[65575], got[65575];

static void setup(void)
{
	nat64_held_init(&t, 42);
}

static struct nat64_frag_key key(uint32_t source, uint32_t id)
{
	struct nat64_frag_key k = {.id = id, .proto = 17};

	source = htonl(source);
	memcpy(&k.src.s6_addr[12], &source, 4);
	return k;
}

static struct mono at(int64_t ns)
{
	return (struct mono){NS_PER_S + ns};
}

static bool add(const struct nat64_frag_key *k, uint32_t len, int64_t ns)
{
	return nat64_held_add(&t, k, packet, len, at(ns), LIFE);
}

static uint32_t take(const struct nat64_frag_key *k)
{
	return nat64_held_take(&t, k, got, sizeof(got));
}

static void sound(void)
{
	const char *wrong = nat64_held_check(&t);

	ck_assert_msg(!wrong, "%s", wrong);
}

START_TEST(in_order_of_arrival)
{
	struct nat64_frag_key a = key(1, 7), b = key(1, 8), c = key(2, 7);

	for (uint8_t i = 0; i < 5; i++) {
		memset(packet, i, 100);
		ck_assert(add(i % 2 ? &b : &a, 100U + i, i));
	}
	ck_assert_uint_eq(t.n, 5);
	ck_assert_uint_eq(take(&c), 0);
	for (uint8_t i = 0; i < 5; i += 2) {
		ck_assert_uint_eq(take(&a), 100U + i);
		ck_assert_uint_eq(got[99], i);
	}
	ck_assert_uint_eq(take(&a), 0);
	sound();
	ck_assert_uint_eq(take(&b), 101);
	ck_assert_uint_eq(take(&b), 103);
	ck_assert_uint_eq(t.n, 0);
	sound();
}
END_TEST

START_TEST(they_end_when_their_time_is_over)
{
	struct nat64_frag_key a = key(1, 7), b = key(1, 8);

	ck_assert(add(&a, 50, 0));
	ck_assert(add(&b, 50, 10));
	ck_assert_uint_eq(nat64_held_expire(&t, at(LIFE - 1)), 0);
	ck_assert_uint_eq(nat64_held_expire(&t, at(LIFE)), 1);
	ck_assert_uint_eq(take(&a), 0);
	sound();
	ck_assert_uint_eq(nat64_held_expire(&t, at(LIFE + 9)), 0);
	ck_assert_uint_eq(nat64_held_expire(&t, at(LIFE + 10)), 1);
	ck_assert_uint_eq(t.n, 0);
	sound();
}
END_TEST

/* A flood of one source fills its share; of all, all; and it passes. */
START_TEST(a_flood_is_bounded)
{
	struct nat64_frag_key honest = key(2, 1);
	uint32_t n = 0;

	for (uint32_t i = 0; i < 100000; i++) {
		struct nat64_frag_key k = key(1, i);

		n += add(&k, 28, 0);
	}
	ck_assert_uint_eq(n, NAT64_HELD_PACKETS / NAT64_HELD_SHARE);
	ck_assert(add(&honest, 1500, 0));
	for (uint32_t i = 0; i < 100000; i++) {
		struct nat64_frag_key k = key(i, 9);

		n += add(&k, 1500, 0);
	}
	ck_assert_uint_gt(n, 1000);
	ck_assert(!add(&honest, 1500, 0));
	sound();
	ck_assert_uint_eq(take(&honest), 1500);
	ck_assert_uint_eq(nat64_held_expire(&t, at(LIFE)), n);
	ck_assert(add(&honest, 1500, LIFE));
	sound();
}
END_TEST

START_TEST(large_ones_and_ones_too_large)
{
	struct nat64_frag_key a = key(1, 7);

	packet[65574] = 0x5a;
	ck_assert(add(&a, 65575, 0));
	ck_assert(add(&a, 65000, 0));
	ck_assert(!add(&a, 65000, 0)); /* above its share */
	ck_assert(!add(&a, 0, 0));
	ck_assert_uint_eq(take(&a), 65575);
	ck_assert_uint_eq(got[65574], 0x5a);
	ck_assert_uint_eq(nat64_held_take(&t, &a, got, 10), 10);
	sound();
}
END_TEST

/* Against a list that has no limits, in whatever order things happen. */
#define MODEL 8192

static struct {
	struct nat64_frag_key key;
	uint32_t len, mark;
	int64_t until;
} model[MODEL];
static uint32_t n_model;

static void model_remove(uint32_t i)
{
	memmove(&model[i], &model[i + 1], (--n_model - i) * sizeof(*model));
}

static void random_take(struct rng *r)
{
	struct nat64_frag_key k =
		key((uint32_t)rng_below(r, 40), (uint32_t)rng_below(r, 9));
	uint32_t i = 0, len = take(&k), mark;

	while (i < n_model && !nat64_frag_same(&model[i].key, &k))
		i++;
	ck_assert_uint_eq(len, i < n_model ? model[i].len : 0);
	if (!len)
		return;
	memcpy(&mark, got, 4);
	ck_assert_uint_eq(mark, model[i].mark);
	model_remove(i);
}

static void random_add(struct rng *r, uint32_t mark, int64_t ns)
{
	struct nat64_frag_key k =
		key((uint32_t)rng_below(r, 40), (uint32_t)rng_below(r, 9));
	uint32_t len = 4 + (uint32_t)rng_below(r, mark % 50 ? 3000 : 60000);

	memcpy(packet, &mark, 4);
	if (!add(&k, len, ns))
		return;
	ck_assert_uint_lt(n_model, MODEL);
	model[n_model].key = k;
	model[n_model].len = len;
	model[n_model].mark = mark;
	model[n_model++].until = ns + LIFE;
}

START_TEST(as_a_plain_list_would)
{
	struct rng r;
	int64_t ns = 0;
	uint32_t over;

	rng_init(&r, 1000 + (uint64_t)_i);
	n_model = 0;
	for (uint32_t i = 0; i < 20000; i++) {
		ns += (int64_t)rng_below(&r, 4 * NS_PER_MS);
		for (over = 0; n_model && model[0].until <= ns; over++)
			model_remove(0);
		ck_assert_uint_eq(nat64_held_expire(&t, at(ns)), over);
		if (rng_below(&r, 3))
			random_add(&r, i, ns);
		else
			random_take(&r);
		if (t.n != n_model || i % 1000 == 0)
			sound();
		ck_assert_uint_eq(t.n, n_model);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("held");
	TCase *c = tcase_create("rfc6146");
	SRunner *r = srunner_create(s);
	int failed;

	suite_add_tcase(s, c);
	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, in_order_of_arrival);
	tcase_add_test(c, they_end_when_their_time_is_over);
	tcase_add_test(c, a_flood_is_bounded);
	tcase_add_test(c, large_ones_and_ones_too_large);
	tcase_add_loop_test(c, as_a_plain_list_would, 0, 4);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}

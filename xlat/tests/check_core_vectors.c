/* SPDX-License-Identifier: MIT */
/*
 * The packets of vectors/ (format: core_vectors.h): each goes through parser,
 * address mapping and translation, and verdict, reason and every byte of the
 * answer must be as written there.
 */
#include <check.h>
#include <stdio.h>

#include "core_testlib.h"
#include "core_vectors.h"

#define IDENT 0x100

static struct vectors all;
static uint8_t reply_buf[XLAT_REPLY_BYTES];

static void expect_bytes(const struct vector *v, int n, const struct pkt *got)
{
	const struct vector_bytes *want = &v->out[n];
	uint32_t i;

	ck_assert_msg(n < v->outs, "%s: more packets than expected", v->name);
	ck_assert_msg(got->len == want->len, "%s: %u bytes, expected %u",
		      v->name, got->len, want->len);
	for (i = 0; i < want->len; i++)
		ck_assert_msg(want->ignore[i] || got->data[i] == want->v[i],
			      "%s: out %d byte %u is %02x, expected %02x",
			      v->name, n, i, got->data[i], want->v[i]);
}

/* Fragments are built into a buffer of exactly the size that is allowed. */
static void expect_fragments(const struct vector *v, struct xlat_out *out)
{
	struct room r;
	int n = 0;

	for (;; n++) {
		room_init(&r, NULL, 0, 0, out->frag.mtu);
		if (!frag_next(&out->frag, &r.pkt))
			break;
		ck_assert(room_consistent(&r));
		expect_bytes(v, n, &r.pkt);
		room_fini(&r);
	}
	room_fini(&r);
	ck_assert_msg(n == v->outs, "%s: %d fragments, expected %d", v->name, n,
		      v->outs);
}

static void expect_untouched(const struct vector *v, const struct room *r)
{
	ck_assert_msg(r->pkt.headroom == PKT_HEADROOM &&
			      !memcmp(r->pkt.data, v->in.v, r->pkt.len),
		      "%s: touched", v->name);
}

START_TEST(vector)
{
	const struct vector *v = &all.v[_i];
	struct addrmap m;
	struct xlat_cfg cfg;
	struct xlat_out out;
	struct room r;
	enum verdict got;

	ref_config(&m, &cfg);
	vector_config(v, &cfg);
	xlat_out_init(&out, reply_buf, sizeof(reply_buf), IDENT);
	room_init(&r, v->in.v, v->in.len, PKT_HEADROOM, PKT_TAILROOM);
	got = ref_run(&r.pkt, v->dir, &m, &cfg, &out);
	ck_assert_msg(!strcmp(verdict_name(got), v->verdict) &&
			      !strcmp(reason_name(out.reason), v->reason),
		      "%s: %s (%s), expected %s (%s)", v->name,
		      verdict_name(got), reason_name(out.reason), v->verdict,
		      v->reason);
	ck_assert(room_consistent(&r));
	if (got == VERDICT_FORWARD)
		expect_bytes(v, 0, &r.pkt);
	if (got == VERDICT_FRAGMENT)
		expect_fragments(v, &out);
	if (got == VERDICT_REPLY)
		expect_bytes(v, 0, &out.reply);
	if (got == VERDICT_REPLY || got == VERDICT_DROP)
		expect_untouched(v, &r);
	ck_assert_int_eq(v->outs > 0, got != VERDICT_DROP);
	room_fini(&r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("core_vectors");
	TCase *tc = tcase_create("vectors");
	SRunner *sr;
	int failed;

	vectors_load_all(&all, __FILE__);
	tcase_add_loop_test(tc, vector, 0, all.n);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}

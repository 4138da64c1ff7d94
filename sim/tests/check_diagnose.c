/* SPDX-License-Identifier: MIT */
/*
 * Evidence, and the verdict that it has to get: of collapses, cures, needless
 * errors and partial checksums as real runs left it (xlatd behind a raw socket,
 * Jool in a virtual machine; 150 Mbit/s radio), of the others as reasoned. And
 * a whole matrix as it was played: data/offload-matrix.json.
 */
#include "../score/diagnose.h"

#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RADIO 150e6

static const struct {
	const char *name;
	struct diagnose_evidence e;
	enum diagnosis is;
	const char *limit;
} recorded[] = {
	{"xlatd, GRO off, down",
	 {.rate_bps = 134.4e6,
	  .link_bps = RADIO,
	  .retransmits = 87,
	  .icmp_too_big = 5,
	  .packets = 38000,
	  .cpe_cpu = .11,
	  .plat_cpu = .11},
	 DIAGNOSIS_LINK,
	 "radio"},
	{"xlatd, GRO on, down",
	 {.rate_bps = 411e3,
	  .link_bps = RADIO,
	  .retransmits = 42,
	  .timeouts = 5,
	  .packets = 400,
	  .oversize = 22,
	  .told_too_big = 22,
	  .icmp_too_big = 22,
	  .armed = true},
	 DIAGNOSIS_NEEDLESS_PTB,
	 "offload"},
	{"xlatd, GRO on, up",
	 {.rate_bps = 406e3,
	  .link_bps = RADIO,
	  .retransmits = 42,
	  .timeouts = 4,
	  .packets = 400,
	  .oversize = 22,
	  .send_refused = 22,
	  .armed = true},
	 DIAGNOSIS_BLACK_HOLE,
	 "offload"},
	{"Jool, GRO on, up: it does not count large frames",
	 {.rate_bps = 407e3,
	  .link_bps = RADIO,
	  .retransmits = 43,
	  .timeouts = 5,
	  .packets = 400,
	  .oversize = NAN,
	  .fragments = NAN,
	  .send_refused = 22,
	  .armed = true},
	 DIAGNOSIS_BLACK_HOLE,
	 "offload"},
	{"Jool, GRO off inside its virtual machine, down",
	 {.rate_bps = 488e3,
	  .link_bps = RADIO,
	  .retransmits = 63,
	  .timeouts = 4,
	  .packets = 190,
	  .told_too_big = 1,
	  .truncated = 29},
	 DIAGNOSIS_TRUNCATED,
	 "offload"},
	{"tx checksum left to a card",
	 {.rate_bps = NAN,
	  .link_bps = RADIO,
	  .retransmits = 2,
	  .timeouts = 2,
	  .bad_checksums = 3},
	 DIAGNOSIS_CHECKSUM,
	 "offload"},
	{"errors that nobody gets",
	 {.rate_bps = 0,
	  .link_bps = RADIO,
	  .timeouts = 6,
	  .packets = 60,
	  .told_too_big = 12},
	 DIAGNOSIS_PMTU,
	 "path MTU"},
	{"no DF: every superpacket in pieces",
	 {.rate_bps = 90e6,
	  .link_bps = NAN,
	  .packets = 9000,
	  .fragments = 18000},
	 DIAGNOSIS_FRAGMENTS,
	 "offload"},
	{"a CPE of a tenth of a core",
	 {.rate_bps = 60e6,
	  .link_bps = RADIO,
	  .packets = 38000,
	  .cpe_cpu = .99,
	  .plat_cpu = .05},
	 DIAGNOSIS_CPU,
	 "CPE CPU"},
	{"a PLAT that is full, no link in the way",
	 {.rate_bps = 900e6,
	  .link_bps = NAN,
	  .packets = 380000,
	  .cpe_cpu = .6,
	  .plat_cpu = 1.0},
	 DIAGNOSIS_CPU,
	 "PLAT CPU"},
	{"GRO on, but nothing was merged",
	 {.rate_bps = 141e6,
	  .link_bps = RADIO,
	  .packets = 38000,
	  .armed = true},
	 DIAGNOSIS_HIDDEN,
	 "radio"},
	{"no link in the way, nothing wrong",
	 {.rate_bps = 900e6, .link_bps = NAN, .packets = 380000},
	 DIAGNOSIS_HEALTHY,
	 "none"},
	{"a window of 6 MB and 20 ms on a link of 10 Gbit/s",
	 {.rate_bps = 2.05e9,
	  .link_bps = 10e9,
	  .native_bps = 2.09e9,
	  .retransmits = 30,
	  .packets = 380000,
	  .cpe_cpu = .4,
	  .plat_cpu = .4},
	 DIAGNOSIS_NATIVE,
	 "ends or path"},
	{"the same, but native has four times as much",
	 {.rate_bps = 614e6,
	  .link_bps = 10e9,
	  .native_bps = 2.09e9,
	  .retransmits = 1189,
	  .packets = 380000},
	 DIAGNOSIS_UNEXPLAINED,
	 "unknown"},
	{"losses on the radio",
	 {.rate_bps = 9e6,
	  .link_bps = RADIO,
	  .retransmits = 900,
	  .timeouts = 2,
	  .packets = 8000},
	 DIAGNOSIS_UNEXPLAINED,
	 "unknown"},
};

#define N_RECORDED (int)(sizeof(recorded) / sizeof(*recorded))

START_TEST(recorded_evidence)
{
	struct diagnose_result r = diagnose(&recorded[_i].e);

	ck_assert_msg(r.is == recorded[_i].is, "%s: %s instead of %s",
		      recorded[_i].name, diagnosis_word(r.is),
		      diagnosis_word(recorded[_i].is));
	ck_assert_str_eq(r.limit, recorded[_i].limit);
	ck_assert(r.cure && *r.cure);
}
END_TEST

START_TEST(every_verdict_has_evidence_above)
{
	bool seen[DIAGNOSIS_COUNT] = {false};

	for (int i = 0; i < N_RECORDED; i++)
		seen[recorded[i].is] = true;
	for (int d = 0; d < DIAGNOSIS_COUNT; d++) {
		ck_assert_msg(seen[d], "%s", diagnosis_word(d));
		for (int k = 0; k < d; k++)
			ck_assert_str_ne(diagnosis_word(d), diagnosis_word(k));
	}
}
END_TEST

/* ---- a whole matrix, as it was played --------------------------------------
 */

static double number(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return json_is_number(v) ? json_number_value(v) : NAN;
}

static struct diagnose_evidence evidence_of(const json_t *cell)
{
	const json_t *o = json_object_get(cell, "evidence");

	return (struct diagnose_evidence){
		.rate_bps = number(o, "rate"),
		.link_bps = number(o, "rate") / number(o, "link-share"),
		.native_bps = number(o, "native-rate"),
		.retransmits = number(o, "retransmits"),
		.timeouts = number(o, "timeouts"),
		.icmp_too_big = number(o, "too-big-received"),
		.bad_checksums = number(o, "bad-checksums"),
		.packets = number(o, "packets"),
		.oversize = number(o, "oversize"),
		.told_too_big = number(o, "told-too-big"),
		.send_refused = number(o, "send-refused"),
		.fragments = number(o, "fragments"),
		.truncated = number(o, "truncated"),
		.cpe_cpu = number(o, "cpe-cpu"),
		.plat_cpu = number(o, "plat-cpu"),
		.armed = json_is_true(json_object_get(cell, "armed")),
	};
}

/* The settings decide whether there is a fault, and of which kind. */
START_TEST(a_recorded_matrix_is_judged_by_its_settings)
{
	json_error_t why;
	json_t *cells = json_load_file("sim/tests/data/offload-matrix.json", 0,
				       &why),
	       *cell;
	size_t i;

	ck_assert_msg(json_array_size(cells) >= 30, "%s", why.text);
	json_array_foreach(cells, i, cell)
	{
		struct diagnose_evidence e = evidence_of(cell);
		struct diagnose_result r = diagnose(&e);
		const char *name =
			json_string_value(json_object_get(cell, "cell"));
		const char *fault =
			json_string_value(json_object_get(cell, "fault"));

		ck_assert_msg(diagnosis_is_fault(r.is) == (fault != NULL),
			      "%s: %s", name, diagnosis_word(r.is));
		if (fault)
			ck_assert_msg(strstr(fault, diagnosis_word(r.is)),
				      "%s: %s", name, diagnosis_word(r.is));
	}
	json_decref(cells);
}
END_TEST

/* As fast as its link, or unhindered: whatever else is counted a little. */
START_TEST(a_healthy_run_is_never_a_fault)
{
	for (int i = 0; i < 2000; i++) {
		unsigned int x = (unsigned int)i * 2654435761u;
		struct diagnose_evidence e = {
			.rate_bps = RADIO * (.75 + (x % 20) / 100.0),
			.link_bps = i % 3 ? RADIO : NAN,
			.retransmits = x >> 8 & 511,
			.timeouts = x >> 17 & 3,
			.icmp_too_big = x >> 19 & 7,
			.packets = 30000,
			.oversize = x >> 22 & 1 ? NAN : 0,
			.told_too_big = x >> 19 & 7,
			.send_refused = x >> 23 & 3,
			.bad_checksums = x >> 25 & 3,
			.fragments = x >> 27 & 31,
			.cpe_cpu = (x % 100) / 100.0,
			.plat_cpu = (x % 90) / 100.0,
			.armed = x >> 30 & 1,
		};
		struct diagnose_result r = diagnose(&e);

		ck_assert_msg(!diagnosis_is_fault(r.is), "%d: %s", i,
			      diagnosis_word(r.is));
	}
}
END_TEST

/* What nobody counted is no reason. */
START_TEST(nothing_known_is_unexplained)
{
	struct diagnose_evidence e = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN,
				      NAN, NAN, NAN, NAN, NAN, NAN, NAN, false};

	ck_assert(!diagnosis_is_fault(diagnose(&e).is));
	e.rate_bps = 1e5;
	e.link_bps = RADIO;
	ck_assert_int_eq(diagnose(&e).is, DIAGNOSIS_UNEXPLAINED);
}
END_TEST

/* A few errors are path MTU discovery at work, however slow the rest is. */
START_TEST(path_mtu_discovery_is_no_fault)
{
	struct diagnose_evidence e = {.rate_bps = 5e6,
				      .link_bps = RADIO,
				      .timeouts = 3,
				      .told_too_big = 2,
				      .icmp_too_big = 2};

	ck_assert_int_eq(diagnose(&e).is, DIAGNOSIS_UNEXPLAINED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("diagnose");
	TCase *t = tcase_create("diagnose");
	SRunner *r = srunner_create(suite);
	int failed;

	tcase_add_loop_test(t, recorded_evidence, 0, N_RECORDED);
	tcase_add_test(t, every_verdict_has_evidence_above);
	tcase_add_test(t, a_recorded_matrix_is_judged_by_its_settings);
	tcase_add_test(t, a_healthy_run_is_never_a_fault);
	tcase_add_test(t, nothing_known_is_unexplained);
	tcase_add_test(t, path_mtu_discovery_is_no_fault);
	suite_add_tcase(suite, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

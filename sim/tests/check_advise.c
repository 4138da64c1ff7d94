/* SPDX-License-Identifier: MIT */
/* From what was measured to what is advised. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../advise/advise.h"

/* attach {vnet, lossy} x gro {off, on} x rtt {near, far}; rtt sets nothing */
enum { ATTACH, GRO, RTT, N_AXES };

static struct arena *arena;
static struct advise_value values[N_AXES][2] = {
	{{.name = "vnet"}, {.name = "lossy"}},
	{{.name = "off"}, {.name = "on"}},
	{{.name = "near"}, {.name = "far"}},
};
static struct advise_axis axes[N_AXES];
static struct advise_cell cells[16];
static struct advise_input in;
static struct advice_group *groups;
static size_t n_groups;

static void setup(void)
{
	arena = arena_new();
	axes[ATTACH] =
		(struct advise_axis){"attach", values[ATTACH], 2, true, true};
	axes[GRO] = (struct advise_axis){"gro", values[GRO], 2, true, true};
	axes[RTT] = (struct advise_axis){"rtt", values[RTT], 2, true, false};
	in = (struct advise_input){.name = "t",
				   .path = "matrix.json",
				   .started = "then",
				   .kernel = "6",
				   .axes = axes,
				   .n_axes = N_AXES,
				   .cells = cells};
}

static void teardown(void)
{
	arena_free(arena);
}

static struct advise_cell *cell(size_t attach, size_t gro, size_t rtt,
				double mbit)
{
	struct advise_cell *c = &cells[in.n_cells++];
	size_t *v = arena_alloc(arena, N_AXES * sizeof(*v));

	v[ATTACH] = attach;
	v[GRO] = gro;
	v[RTT] = rtt;
	*c = (struct advise_cell){
		.name = arena_printf(
			arena, "%s.%s.%s", values[ATTACH][attach].name,
			values[GRO][gro].name, values[RTT][rtt].name),
		.value = v,
		.plats = "jool",
		.clats = "xlatd"};
	*ARENA_APPEND(arena, c->rates, c->n_rates) =
		(struct advise_rate){.measure = "down", .bps = mbit * 1e6};
	return c;
}

static const struct advice *derive(size_t axis)
{
	groups = advise_derive(&in, arena, &n_groups);
	ck_assert_uint_ge(n_groups, 1);
	ck_assert_uint_eq(groups[0].n_advice, 2);
	for (size_t i = 0; i < groups[0].n_advice; i++)
		if (groups[0].advice[i].axis == axis)
			return &groups[0].advice[i];
	ck_abort_msg("no advice for axis %zu", axis);
	return NULL;
}

START_TEST(test_clear)
{
	const struct advice *v;
	const struct comparison *c;

	cell(0, 0, 0, 140);
	cell(0, 1, 0, 0.5);
	cell(0, 0, 1, 130);
	cell(0, 1, 1, 60)->rates[0].diagnosis = "slow";
	cells[1].rates[0].diagnosis = "black hole";
	cells[1].rates[0].cure = "gro off";
	v = derive(GRO);
	ck_assert_int_eq(v->kind, ADVICE_CLEAR);
	ck_assert_uint_eq(v->n_cases, 1);
	ck_assert_uint_eq(v->cases[0].best, 0);
	ck_assert_uint_eq(v->cases[0].when_axis, N_AXES);
	ck_assert_double_eq(v->cases[0].worst, 1);
	ck_assert_uint_eq(v->cases[0].n_against, 1);
	c = &v->cases[0].against[0]; /* the worse of both */
	ck_assert_uint_eq(c->value, 1);
	ck_assert_str_eq(c->measure, "down");
	ck_assert_str_eq(c->good->name, "vnet.off.near");
	ck_assert_str_eq(c->bad->name, "vnet.on.near");
	ck_assert_double_eq(c->good_bps, 140e6);
	ck_assert_double_eq(c->bad_bps, 0.5e6);
	ck_assert_ptr_null(c->good_diagnosis);
	ck_assert_str_eq(c->bad_diagnosis, "black hole");
	ck_assert_str_eq(c->cure, "gro off");
	ck_assert_ptr_null(v->cases[0].cost.good);
}
END_TEST

/* GRO is the cure behind one wire and the disease behind the other. */
START_TEST(test_cases)
{
	const struct advice *v;

	cell(0, 0, 0, 700);
	cell(0, 1, 0, 8000);
	cell(1, 0, 0, 2000);
	cell(1, 1, 0, 0.27);
	v = derive(GRO);
	ck_assert_int_eq(v->kind, ADVICE_CASES);
	ck_assert_uint_eq(v->n_cases, 2);
	ck_assert_uint_eq(v->cases[0].when_axis, ATTACH);
	ck_assert_uint_eq(v->cases[0].when_value, 0);
	ck_assert_uint_eq(v->cases[0].best, 1);
	ck_assert_uint_eq(v->cases[1].when_value, 1);
	ck_assert_uint_eq(v->cases[1].best, 0);
	ck_assert_double_eq(v->cases[1].against[0].bad_bps, 0.27e6);
}
END_TEST

/* A hair's breadth is no reason to attach an engine as nobody does. */
START_TEST(test_usual)
{
	static struct setting vnet = {
		.kind = SETTING_ATTACH_PLAT, .node = "plat1", .value = "vnet"};
	const struct advice *v;

	values[ATTACH][0].set = &vnet;
	values[ATTACH][0].n_set = 1;
	cell(0, 0, 0, 135);
	cell(1, 0, 0, 136);
	cell(0, 1, 0, 136);
	cell(1, 1, 0, _i ? 136 : 0.5);
	v = derive(ATTACH);
	ck_assert_uint_eq(v->cases[0].best, 0);
	vnet.value = "lossy-merge"; /* not how it is by itself */
	v = derive(ATTACH);
	ck_assert_uint_eq(v->cases[0].best, _i ? 1 : 0);
	vnet.value = "vnet";
	values[ATTACH][0].n_set = 0;
}
END_TEST

START_TEST(test_same)
{
	cell(0, 0, 0, 140);
	cell(0, 1, 0, 130);
	cell(0, 0, 1, 110);
	cell(0, 1, 1, 131);
	ck_assert_int_eq(derive(GRO)->kind, ADVICE_SAME);
}
END_TEST

START_TEST(test_unplayed)
{
	cell(0, 0, 0, 140);
	cell(0, 1, 0, 1);
	ck_assert_int_eq(derive(ATTACH)->kind, ADVICE_UNPLAYED);
	ck_assert_uint_eq(derive(ATTACH)->n_cases, 0);
}
END_TEST

/* What stalls whatever GRO does says nothing about GRO. */
START_TEST(test_dead_context)
{
	cell(0, 0, 0, 140);
	cell(0, 1, 0, 139);
	cell(1, 0, 0, 0.5);
	cell(1, 1, 0, 0.2);
	ck_assert_int_eq(derive(GRO)->kind, ADVICE_SAME);
	ck_assert_int_eq(derive(ATTACH)->kind, ADVICE_CLEAR);
	ck_assert_uint_eq(derive(ATTACH)->cases[0].best, 0);
}
END_TEST

/* Up and down want the opposite: the lesser evil, and its price. */
START_TEST(test_trade)
{
	struct advise_cell *off = cell(0, 0, 0, 100), *on = cell(0, 1, 0, 40);
	const struct advice *v;

	*ARENA_APPEND(arena, off->rates, off->n_rates) =
		(struct advise_rate){.measure = "up", .bps = 50e6};
	*ARENA_APPEND(arena, on->rates, on->n_rates) =
		(struct advise_rate){.measure = "up", .bps = 100e6};
	v = derive(GRO);
	ck_assert_int_eq(v->kind, ADVICE_TRADE);
	ck_assert_uint_eq(v->cases[0].best, 0);
	ck_assert_double_eq(v->cases[0].worst, 0.5);
	ck_assert_str_eq(v->cases[0].against[0].measure, "down");
	ck_assert_ptr_nonnull(v->cases[0].cost.good);
	ck_assert_str_eq(v->cases[0].cost.measure, "up");
	ck_assert_double_eq(v->cases[0].cost.bad_bps, 100e6);
}
END_TEST

/* Engines are not compared with each other. */
START_TEST(test_engines)
{
	cell(0, 0, 0, 140);
	cell(0, 1, 0, 1);
	cell(0, 0, 0, 10)->plats = "tayga";
	cell(0, 1, 0, 11)->plats = "tayga";
	ck_assert_int_eq(derive(GRO)->kind, ADVICE_CLEAR);
	ck_assert_uint_eq(n_groups, 2);
	ck_assert_str_eq(groups[1].plats, "tayga");
	ck_assert_uint_eq(groups[1].n_cells, 2);
	ck_assert_int_eq(groups[1].advice[1].kind, ADVICE_SAME);
}
END_TEST

/* A rate of nothing at all is evidence, and divides nothing. */
START_TEST(test_zero)
{
	const struct advice *v;

	cell(0, 0, 0, 0);
	cell(0, 1, 0, 20);
	v = derive(GRO);
	ck_assert_int_eq(v->kind, ADVICE_CLEAR);
	ck_assert_uint_eq(v->cases[0].best, 1);
	ck_assert_double_eq(v->cases[0].against[0].bad_bps, 0);
	in.n_cells = 0;
	cell(0, 0, 0, 0);
	cell(0, 1, 0, 0);
	ck_assert_int_eq(derive(GRO)->kind, ADVICE_UNPLAYED);
}
END_TEST

/* A value that the axes do not list (the file was edited) is no value. */
START_TEST(test_stranger)
{
	cell(0, 0, 0, 140);
	cell(0, 1, 0, 139);
	cell(0, 0, 0, 1)->value[GRO] = 2;
	ck_assert_int_eq(derive(GRO)->kind, ADVICE_SAME);
}
END_TEST

/* ---- settings --------------------------------------------------------------
 */

static struct setting *settings;
static size_t n_settings;

static void read_overlay(const char *text)
{
	json_t *o = json_loads(text, 0, NULL);

	ck_assert_ptr_nonnull(o);
	settings = NULL;
	n_settings = 0;
	settings_read(o, arena, &settings, &n_settings);
	json_decref(o);
}

START_TEST(test_read_settings)
{
	read_overlay("{\"topology\": {\"plats\": {\"plat1\": {\"attach\": "
		     "\"vnet\", \"engine\": \"jool\"}}, \"links\": "
		     "{\"access-plat-a\": {\"mtu\": \"1500\", \"offloads\": "
		     "{\"tx-checksum\": \"off\", \"gro\": \"keep\"}}}, "
		     "\"towers\": {\"north\": {\"homes\": {\"attach\": "
		     "\"tun\"}}}}}");
	ck_assert_uint_eq(n_settings, 4);
	ck_assert_str_eq(setting_do(&settings[0], arena),
			 "plat1: give its machine a NIC that keeps offload "
			 "metadata (virtio-net on a tap with vnet headers; no "
			 "LRO below); attach: vnet");
	ck_assert_int_eq(settings[1].kind, SETTING_ATTACH_CLAT);
	ck_assert_str_eq(settings[1].node, "north");
	ck_assert_str_eq(setting_do(&settings[2], arena),
			 "access, the interface towards plat-a: "
			 "ethtool -K IFACE tx off");
	ck_assert_str_eq(setting_do(&settings[3], arena),
			 "plat-a, the interface towards access: "
			 "ethtool -K IFACE tx off");
	read_overlay("{\"topology\": null, \"scenario\": {\"events+\": [{\"do\""
		     ": \"offload\", \"node\": \"plat1\", \"interface\": "
		     "\"vm\", \"set\": {\"gro\": \"on\", \"tso\": \"off\"}}, "
		     "{\"do\": \"link-down\", \"link\": \"a-b\"}]}}");
	ck_assert_uint_eq(n_settings, 2);
	ck_assert_str_eq(setting_do(&settings[0], arena),
			 "hypervisor, the port that feeds plat1: ethtool -K "
			 "PORT gro on");
	read_overlay("{\"topology\": {\"internet\": {\"rtt\": \"20ms\"}}, "
		     "\"scenario\": {\"measure\": {}}}");
	ck_assert_uint_eq(n_settings, 0);
	read_overlay("{\"topology\": {\"links\": {\"x\": {\"offloads\": "
		     "{\"gro\": \"on\"}}, \"a-b\": {\"offloads\": \"named\"}},"
		     "\"plats\": [1]}, \"scenario\": {\"events\": [3, {}]}}");
	ck_assert_uint_eq(n_settings, 0);
}
END_TEST

START_TEST(test_setting_in)
{
	struct plat_spec plats[] = {{.name = "a", .engine = "jool"},
				    {.name = "b", .engine = "jool"}};
	struct link_spec link = {.a = "access",
				 .b = "a",
				 .profile = {.offloads.gro = OFFLOAD_ON}};
	struct topology t = {
		.plats = plats, .n_plats = 2, .links = &link, .n_links = 1};
	struct setting attach = {.kind = SETTING_ATTACH_PLAT,
				 .node = "plat1",
				 .value = "vnet"},
		       gro = {.kind = SETTING_OFFLOAD,
			      .node = "a",
			      .device = "access",
			      .feature = "gro",
			      .value = "off"};

	ck_assert_int_eq(setting_in(&attach, &t), STATE_HOLDS); /* default */
	plats[1].attach = "lossy-merge";
	ck_assert_int_eq(setting_in(&attach, &t), STATE_DIFFERS);
	ck_assert_int_eq(setting_in(&gro, &t), STATE_DIFFERS);
	gro.value = "on";
	ck_assert_int_eq(setting_in(&gro, &t), STATE_HOLDS);
	gro.feature = "tso";
	ck_assert_int_eq(setting_in(&gro, &t), STATE_UNKNOWN);
	gro.device = "vm";
	gro.feature = "gro";
	ck_assert_int_eq(setting_in(&gro, &t), STATE_UNKNOWN);
	ck_assert_str_eq(advise_plats(&t, arena), "jool");
	plats[0].engine = "xlatd";
	ck_assert_str_eq(advise_plats(&t, arena), "xlatd+jool");
}
END_TEST

/* What a host does is a circumstance; a virtual machine's GRO is a setting. */
START_TEST(test_operators_settings)
{
	const char *text =
		"{\"topology\": {\"plats\": {\"p\": {\"guest-gro\": "
		"\"false\"}}}, \"scenario\": {\"events\": ["
		"{\"do\": \"offload\", \"node\": \"both\", "
		"\"interface\": \"inet\", \"set\": {\"tso\": \"off\"}},"
		"{\"do\": \"offload\", \"node\": \"home1\", "
		"\"interface\": \"cpe1\", \"set\": {\"tso\": \"off\"}},"
		"{\"do\": \"offload\", \"node\": \"border\", "
		"\"interface\": \"inet\", \"set\": {\"gro\": \"on\"}}]}}";
	json_t *o = json_loads(text, 0, NULL);
	struct topology t = {.n_plats = 1};
	struct plat_spec plat = {.guest_gro = true};
	struct arena *mem = arena_new();
	struct setting *v = NULL;
	size_t n = 0;

	ck_assert_ptr_nonnull(o);
	settings_read(o, mem, &v, &n);
	ck_assert_uint_eq(n, 2);
	ck_assert_str_eq(setting_do(&v[0], mem),
			 "p, inside its virtual machine: ethtool -K NIC gro "
			 "off");
	ck_assert_str_eq(v[1].node, "border");
	t.plats = &plat;
	ck_assert_int_eq(setting_in(&v[0], &t), STATE_DIFFERS);
	plat.guest_gro = false;
	ck_assert_int_eq(setting_in(&v[0], &t), STATE_HOLDS);
	json_decref(o);
	arena_free(mem);
}
END_TEST

static Suite *advise_suite(void)
{
	Suite *s = suite_create("advise");
	TCase *tc = tcase_create("advise");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_clear);
	tcase_add_test(tc, test_cases);
	tcase_add_test(tc, test_same);
	tcase_add_loop_test(tc, test_usual, 0, 2);
	tcase_add_test(tc, test_unplayed);
	tcase_add_test(tc, test_dead_context);
	tcase_add_test(tc, test_trade);
	tcase_add_test(tc, test_engines);
	tcase_add_test(tc, test_zero);
	tcase_add_test(tc, test_stranger);
	tcase_add_test(tc, test_read_settings);
	tcase_add_test(tc, test_setting_in);
	tcase_add_test(tc, test_operators_settings);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(advise_suite());
	int failed;

	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

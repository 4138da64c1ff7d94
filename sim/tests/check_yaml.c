/* SPDX-License-Identifier: MIT */
#include "../../xlat/base/yaml.h"

#include <check.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../xlat/base/addr.h"
#include "../../xlat/base/file.h"

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
	many[0] = '[';
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
	char path[64];
	struct err e;

	snprintf(path, sizeof(path), "/tmp/check_yaml.%d", (int)getpid());
	ck_assert_int_eq(file_write(path, "a: 1\n", 5, &e), 0);
	ck_assert_ptr_nonnull(yaml_load_file(path, ya, &yd));
	ck_assert_uint_eq(yd.n, 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_ptr_null(yaml_load_file(path, ya, &yd));
	ck_assert_ptr_nonnull(strstr(yd.v[0].text, "No such file"));
	ck_assert_ptr_null(yaml_load_file("/tmp", ya, &yd));
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

int main(void)
{
	Suite *s = suite_create("yaml");
	TCase *tc = tcase_create("yaml");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, yaml_setup, yaml_teardown);
	tcase_add_test(tc, yaml_tree);
	tcase_add_test(tc, yaml_refuses_but_goes_on);
	tcase_add_test(tc, yaml_gives_up);
	tcase_add_test(tc, yaml_one_document);
	tcase_add_test(tc, yaml_limits);
	tcase_add_test(tc, yaml_files);
	tcase_add_test(tc, yaml_maps_become_structs);
	tcase_add_test(tc, yaml_maps_with_every_fault);
	tcase_add_test(tc, yaml_wrong_shapes);
	tcase_add_test(tc, names);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

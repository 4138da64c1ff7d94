/* SPDX-License-Identifier: MIT */
/* xlatsim engines: which programs can play which role, and which are here. */
#include "cmd.h"

#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../engine/engine.h"

static const char usage[] =
	"Usage: xlatsim engines [--json]\n"
	"List the engines that a topology may name: their roles, the ways to\n"
	"attach them (the default first), and their versions, or why this "
	"host\n"
	"cannot run them. Exit status 0.\n";

static const struct option options[] = {
	{"json", no_argument, NULL, 'j'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* Those that a topology may name; the others come by themselves. */
static const enum daemon_role roles[] = {DAEMON_CLAT, DAEMON_PLAT, DAEMON_DNS64,
					 DAEMON_ROUTING};
#define N_ROLES (sizeof(roles) / sizeof(*roles))

static json_t *describe(const struct engine_ops *ops)
{
	const char *const *attach = spec_attach_words(ops->name);
	char version[128] = "";
	struct err why = {0};
	int ret = ops->available(version, sizeof(version), &why);
	json_t *o = json_object(), *list = json_array();

	json_object_set_new(o, "engine", json_string(ops->name));
	for (size_t i = 0; i < N_ROLES; i++)
		if (ops->roles & 1u << roles[i])
			json_array_append_new(
				list, json_string(plan_role_word(roles[i])));
	json_object_set_new(o, "roles", list);
	list = json_array();
	for (; attach && *attach; attach++)
		json_array_append_new(list, json_string(*attach));
	json_object_set_new(o, "attach", list);
	json_object_set_new(o, "available", json_boolean(!ret));
	json_object_set_new(o, ret ? "why_not" : "version",
			    json_string(ret ? why.text : version));
	return o;
}

static void put_words(const json_t *list, char *buf, size_t len)
{
	const json_t *item;
	size_t i;

	buf[0] = '\0';
	json_array_foreach(list, i, item)
		snprintf(buf + strlen(buf), len - strlen(buf), "%s%s",
			 i ? " " : "", json_string_value(item));
	if (!buf[0])
		snprintf(buf, len, "-");
}

static void print_line(const json_t *o)
{
	bool here = json_is_true(json_object_get(o, "available"));
	char words[64], attach[64];

	put_words(json_object_get(o, "roles"), words, sizeof(words));
	put_words(json_object_get(o, "attach"), attach, sizeof(attach));
	printf("%-10s  %-9s  %-22s  %s%s\n",
	       json_string_value(json_object_get(o, "engine")), words, attach,
	       here ? "" : "not here: ",
	       json_string_value(
		       json_object_get(o, here ? "version" : "why_not")));
}

static void list_engines(bool as_json)
{
	json_t *all = json_array(), *o;
	size_t i;

	for (const struct engine_ops *const *ops = engine_all(); *ops; ops++) {
		o = describe(*ops);
		if (json_array_size(json_object_get(o, "roles")))
			json_array_append_new(all, o);
		else
			json_decref(o);
	}
	if (as_json) {
		json_dumpf(all, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		printf("%-10s  %-9s  %-22s  %s\n", "engine", "roles", "attach",
		       "on this host");
		json_array_foreach(all, i, o) print_line(o);
	}
	json_decref(all);
}

int cmd_engines(int argc, char **argv)
{
	bool as_json = false;
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		switch (opt) {
		case 'j':
			as_json = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_PASSED;
		default:
			return cmd_bad_option("engines", options,
					      argv[optind - 1], opt);
		}
	}
	if (optind < argc)
		return cmd_usage_error("engines", "unexpected '%s'",
				       argv[optind]);
	list_engines(as_json);
	return EXIT_PASSED;
}

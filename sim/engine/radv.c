/* SPDX-License-Identifier: MIT */
/*
 * The router advertisements of a tower with the PREF64 option (RFC 8781), for
 * CLATs that learn the PLATs' prefix from them: this very program, `xlatsim
 * advertise`, in the tower's node, because radvd has the option from 2.20 on
 * only, and FRR does not have it. What it does is in radv_main.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine_internal.h"

#define SOCKET_PATH "/run/radv.sock"
#define CONFIG_FILE "radv.json"

static int radv_available(char *version, size_t len, struct err *why)
{
	(void)why;
	snprintf(version, len, "xlatsim " XLATSIM_VERSION);
	return 0;
}

/* Where the homes are. */
static json_t *interfaces_json(const struct engine *en)
{
	const struct plan *p = world_plan(en->world);
	json_t *list = json_array();

	for (size_t i = 0; i < p->n_links; i++) {
		const struct plan_link *l = &p->links[i];

		if (l->b.node == en->daemon->node &&
		    p->nodes[l->a.node].role == NODE_CPE)
			json_array_append_new(list, json_string(l->b.name));
	}
	return list;
}

static int radv_configure(struct engine *en, struct err *e)
{
	char path[4096], prefix[ADDR_TEXT_LEN];
	json_t *o = json_pack(
		"{s:o, s:s, s:s}", "interfaces", interfaces_json(en), "prefix",
		prefix6_format(&world_plan(en->world)->topology->pool6, prefix),
		"control", SOCKET_PATH);
	int ret;

	snprintf(path, sizeof(path), "%s/" CONFIG_FILE, engine_dir(en));
	ret = o ? json_dump_file(o, path, JSON_INDENT(2)) : -1;
	json_decref(o);
	return ret ? err_set(e, EIO, "%s: cannot be written", path) : 0;
}

static json_t *radv_counters(struct engine *en)
{
	return engine_ask(en, SOCKET_PATH, "stats", NULL);
}

static bool radv_step(struct engine *en)
{
	json_t *o = radv_counters(en);

	json_decref(o);
	return o != NULL;
}

static int radv_start(struct engine *en, struct err *e)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *argv[] = {self, "advertise", CONFIG_FILE, NULL};
	int ret;

	if (n < 0)
		return err_set(e, errno, "/proc/self/exe: %s", strerror(errno));
	self[n] = '\0';
	ret = engine_spawn(en, argv, "radv.log", e);
	return ret ? ret : engine_poll(en, radv_step, e);
}

int engine_advertise(struct engine *en, const struct prefix6 *p, struct err *e)
{
	char line[96], text[ADDR_TEXT_LEN];
	json_t *o;
	int ret;

	snprintf(line, sizeof(line), "advertise %s",
		 p ? prefix6_format(p, text) : "none");
	o = engine_ask(en, SOCKET_PATH, line, e);
	if (!o)
		return -EPROTO;
	ret = json_is_true(json_object_get(o, "ok"))
		      ? 0
		      : err_set(e, EPROTO, "%s: refused", line);
	json_decref(o);
	return ret;
}

const struct engine_ops radv_ops = {
	.name = "radv",
	.roles = 1u << DAEMON_RADV,
	.available = radv_available,
	.configure = radv_configure,
	.start = radv_start,
	.counters = radv_counters,
};

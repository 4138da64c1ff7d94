/* SPDX-License-Identifier: MIT */
/*
 * The health check beside a PLAT, as an operator would deploy it: this very
 * program, `xlatsim health`, in the PLAT's own node. What it does is in
 * health_main.c; here is what it is told.
 *
 * It pings the PLAT's own IPv4 address through pool6: the packet goes through
 * the engine twice and comes back, whichever PLAT the network prefers for
 * pool4. And it asks the PLAT's own resolver, where there is one. A failing
 * PLAT stays announced, but as the last resort: when all PLATs fail, none of
 * them is worse off, and a check that is wrong takes nothing down.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine_internal.h"

#define SOCKET_PATH "/run/health.sock"
#define CONFIG_FILE "health.json"

static int health_available(char *version, size_t len, struct err *why)
{
	(void)why;
	snprintf(version, len, "xlatsim " XLATSIM_VERSION);
	return 0;
}

/* What each routing daemon is told: pools as a last resort, or as usual. */
static json_t *routing_json(void)
{
	return json_pack(
		"[{s:s, s:[s, s], s:[s, s]}, {s:s, s:[s, s], s:[s, s]}]",
		"socket", "/run/frr/ospf6d.vty", "worst", "router ospf6",
		"redistribute kernel route-map " FRR_MAP_WORST, "usual",
		"router ospf6", "redistribute kernel route-map " FRR_MAP_OWN,
		"socket", "/run/frr/ospfd.vty", "worst",
		"interface " ENGINE_PLAT_TUN, "ip ospf cost 60000", "usual",
		"interface " ENGINE_PLAT_TUN, "ip ospf cost 1");
}

static json_t *config_json(const struct engine *en)
{
	const struct plan *p = world_plan(en->world);
	const struct health_spec *h = &p->topology->health;
	const struct plan_node *n = engine_node(en);
	struct in6_addr to = p->topology->pool6.addr;
	char self[ADDR_TEXT_LEN], target[ADDR_TEXT_LEN];
	bool dns = h->dns &&
		   plan_find_daemon(p, en->daemon->node, DAEMON_DNS64) >= 0;

	memcpy(&to.s6_addr[12], &n->loop4, 4); /* RFC 6052: a /96 */
	in6_format(&n->loop6, self);
	in6_format(&to, target);
	return json_pack("{s:I, s:I, s:I, s:s, s:s, s:b, s:s, s:o}",
			 "interval_ns", (json_int_t)h->interval_ns,
			 "fail_after", (json_int_t)h->fail_after, "rise",
			 (json_int_t)h->rise, "self", self, "target", target,
			 "dns", dns, "control", SOCKET_PATH, "routing",
			 routing_json());
}

static int health_configure(struct engine *en, struct err *e)
{
	json_t *o = config_json(en);
	char path[4096];
	int ret;

	snprintf(path, sizeof(path), "%s/" CONFIG_FILE, engine_dir(en));
	ret = o ? json_dump_file(o, path, JSON_INDENT(2)) : -1;
	json_decref(o);
	return ret ? err_set(e, EIO, "%s: cannot be written", path) : 0;
}

static json_t *health_counters(struct engine *en)
{
	return engine_ask(en, SOCKET_PATH, "stats", NULL);
}

/* It serves when a check has succeeded for the first time. */
static bool health_step(struct engine *en)
{
	int fd = engine_connect(en->procs[0], SOCKET_PATH);
	json_t *o;
	bool seen;

	if (fd < 0)
		return false;
	close(fd);
	o = health_counters(en);
	seen = json_is_true(json_object_get(o, "healthy"));
	json_decref(o);
	return seen;
}

static int health_start(struct engine *en, struct err *e)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *argv[] = {self, "health", CONFIG_FILE, NULL};
	int ret;

	if (n < 0)
		return err_set(e, errno, "/proc/self/exe: %s", strerror(errno));
	self[n] = '\0';
	ret = engine_spawn(en, argv, "health.log", e);
	return ret ? ret : engine_poll(en, health_step, e);
}

const struct engine_ops health_ops = {
	.name = "health-check",
	.roles = 1u << DAEMON_HEALTH,
	.available = health_available,
	.configure = health_configure,
	.start = health_start,
	.counters = health_counters,
};

/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Jool, the kernel's translator: stateful as a PLAT (jool), stateless as a CLAT
 * (jool_siit). Where the host's kernel can load its modules, an instance in the
 * node translates (see jool_module.c). Elsewhere a User Mode Linux kernel runs
 * as a process of the node, as operators run Jool in a virtual machine beside a
 * router: the router is the node, with FRR and all its links, and the machine
 * hangs on it by one wire.
 *
 *	access --- plat1 --- border		pool6, pool4: via fe80::2 dev
 *nat64 | nat64  fe80::1 | vec0   fe80::2		everything else: via
 *fe80::1 guest (jool)
 *
 * attach vnet: the wire is a tap with virtio headers; a superpacket crosses it
 * whole, with its segment size. It vanishes with the guest's process, and the
 * routes with it. attach lossy-merge: the wire is a veth pair, nat64 and vm.
 *The guest reads vm through a packet socket that tells nothing of segments,
 *while vm merges what arrives (GRO, on at the start): frames larger than the
 *MTU whose segment size is lost, as an LRO card or a hypervisor's switch
 *delivers them. `vm` stays when the guest's process ends, and is taken away
 *then.
 *
 * A start is a script of commands for the guest (a file of the node's directory
 * shows it), each awaited before the next: modules and addresses; then the
 * node's end of the wire, which only now exists; then the instance. It serves
 * when a ping of the node to itself has come back through the translator.
 */
#include "jool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../xlat/base/file.h"
#include "../../xlat/base/log.h"
#include "../world/procnet.h"
#include "guest.h"
#include "jool_node.h"

/* A CLAT's end of the wire, and its own address (RFC 7335). */
#define DEV_CLAT  "clat"
#define CLAT_SELF "192.0.0.1"
/* Answers for the node itself while readiness is tried. */
#define CLAT_TRY "192.0.0.8"

/* Tables of more sessions are not written down. */
#define TABLE_MAX 2000

static bool is_plat(const struct engine *en)
{
	return en->daemon->role == DAEMON_PLAT;
}

static const char *tool_of(const struct engine *en)
{
	return is_plat(en) ? "jool" : "jool_siit";
}

static const struct topology *topology_of(const struct engine *en)
{
	return world_plan(en->world)->topology;
}

/* RFC 6052 section 2.2 for a /96. */
static struct in6_addr embed(const struct prefix6 *p, struct in_addr a)
{
	struct in6_addr out = p->addr;

	memcpy(&out.s6_addr[12], &a, 4);
	return out;
}

static int jool_available(char *version, size_t len, struct err *why)
{
	struct jool_host h;
	int ret = jool_host_find("jool", &h, why);

	if (!ret)
		snprintf(version, len, "Jool %s, %s %s", h.version,
			 h.backend == JOOL_HOST ? "module of kernel"
						: "User Mode Linux",
			 h.release);
	return ret;
}

/* ---- what a PLAT is told ---------------------------------------------------
 */

static void script_plat(struct jool *j)
{
	const struct topology *t = topology_of(j->en);
	const char *tool = j->tool_path;
	static const char *const protocols[] = {"tcp", "udp", "icmp"};
	char p4[ADDR_TEXT_LEN], p6[ADDR_TEXT_LEN], self[ADDR_TEXT_LEN];
	struct in_addr own = t->pool4.addr;
	struct in6_addr own6;

	/* it speaks for itself (ICMP errors) as the pool's first host */
	prefix4_host(&t->pool4, t->pool4.len < 31, &own);
	own6 = embed(&t->pool6, own);
	jool_say(j, "addr lo %s 32", in4_format(own, self));
	jool_say(j, "addr lo %s 128", in6_format(&own6, self));
	jool_say(j, "run %s instance add plat --netfilter --pool6 %s", tool,
		 prefix6_format(&t->pool6, p6));
	for (size_t i = 0; i < sizeof(protocols) / sizeof(*protocols); i++)
		jool_say(j, "run %s -i plat pool4 add --force --%s %s 1-65535",
			 tool, protocols[i], prefix4_format(&t->pool4, p4));
}

/* The node asks its own IPv4 address, by way of pool6, from its IPv6 one. */
static int try_plat(struct jool *j, struct err *e)
{
	const struct plan_node *n = engine_node(j->en);
	const struct topology *t = topology_of(j->en);
	struct addr src = {.family = AF_INET6, .v6 = n->loop6};
	struct addr dst = {.family = AF_INET6,
			   .v6 = embed(&t->pool6, n->loop4)};
	struct addr pool4 = {.family = AF_INET, .v4 = t->pool4.addr};
	int ret = nlroute_set_via(j->routes, true, &dst, 128, &j->guest_ll,
				  j->dev, 0, e);

	/* pool4 is not announced by that; see announce.c */
	if (!ret)
		ret = nlroute_set_via(j->routes, true, &pool4, t->pool4.len,
				      &j->guest_ll, j->dev, 0, e);
	return ret ? ret
		   : jool_net_ping(j->en->world, j->en->daemon->node, &src,
				   &dst, e);
}

static int tried_plat(struct jool *j, struct err *e)
{
	const struct plan_node *n = engine_node(j->en);
	const struct topology *t = topology_of(j->en);
	struct addr dst = {.family = AF_INET6,
			   .v6 = embed(&t->pool6, n->loop4)};
	struct addr pool4 = {.family = AF_INET, .v4 = t->pool4.addr};
	int ret = nlroute_set_via(j->routes, false, &dst, 128, &j->guest_ll,
				  j->dev, 0, e);

	if (!ret)
		ret = nlroute_set_via(j->routes, false, &pool4, t->pool4.len,
				      &j->guest_ll, j->dev, 0, e);
	j->en->serving = true;
	announce_update(j->announce);
	return ret;
}

/* ---- what a CLAT is told ---------------------------------------------------
 */

/* RFC 6877: the LAN's IPv4 addresses stand for addresses of a prefix of its
 * own, by RFC 7757; all others are embedded in pool6. */
static void script_clat(struct jool *j)
{
	const struct topology *t = topology_of(j->en);
	const struct plan_node *n = engine_node(j->en);
	const char *tool = j->tool_path;
	char a4[ADDR_TEXT_LEN], a6[ADDR_TEXT_LEN];
	struct in6_addr lan = embed(&n->clat6, t->lan4.addr), own6;
	struct in_addr own;

	inet_pton(AF_INET, CLAT_SELF, &own);
	own6 = embed(&n->clat6, own);
	jool_say(j, "addr lo %s 32", CLAT_SELF);
	jool_say(j, "addr lo %s 128", in6_format(&own6, a6));
	jool_say(j, "run %s instance add clat --netfilter --pool6 %s", tool,
		 prefix6_format(&t->pool6, a6));
	jool_say(j, "run %s -i clat eamt add %s %s/%u", tool,
		 prefix4_format(&t->lan4, a4), in6_format(&lan, a6),
		 96u + t->lan4.len);
	jool_say(j, "run %s -i clat eamt add " CLAT_SELF "/32 %s/128", tool,
		 in6_format(&own6, a6));
	if (j->host.backend == JOOL_UML) /* the other is not tried out */
		jool_say(j, "run %s -i clat eamt add " CLAT_TRY "/32 %s/128",
			 tool, in6_format(&j->lan6, a6));
}

/* The node asks its own IPv6 address, as an IPv4 one, from its LAN's. */
static int try_clat(struct jool *j, struct err *e)
{
	struct addr src = {.family = AF_INET, .v4 = j->lan4};
	struct addr dst = {.family = AF_INET};
	struct addr clat6 = {.family = AF_INET6,
			     .v6 = engine_node(j->en)->clat6.addr};
	struct addr all = {.family = AF_INET};
	int ret = nlroute_set_via(j->routes, true, &clat6, 96, &j->guest_ll,
				  j->dev, 0, e);

	inet_pton(AF_INET, CLAT_TRY, &dst.v4);
	if (!ret)
		ret = nlroute_set_via(j->routes, true, &all, 0, &j->guest_ll,
				      j->dev, 0, e);
	return ret ? ret
		   : jool_net_ping(j->en->world, j->en->daemon->node, &src,
				   &dst, e);
}

static int tried_clat(struct jool *j, struct err *e)
{
	char a6[ADDR_TEXT_LEN], line[256];
	const char *done;

	snprintf(line, sizeof(line),
		 "run %s -i clat eamt remove " CLAT_TRY "/32 %s/128",
		 j->tool_path, in6_format(&j->lan6, a6));
	done = guest_ask(j->guest, line, e);
	j->en->serving = done != NULL;
	return done ? 0 : -EIO;
}

/* ---- life ------------------------------------------------------------------
 */

static const struct jool_role as_plat = {
	.script = script_plat, .attempt = try_plat, .attempted = tried_plat};
static const struct jool_role as_clat = {
	.script = script_clat, .attempt = try_clat, .attempted = tried_clat};

/* A CPE's own addresses on its LAN. */
static void find_lan(struct jool *j)
{
	const struct plan *p = world_plan(j->en->world);

	for (size_t i = 0; i < p->n_links; i++) {
		const struct plan_iface *f = &p->links[i].b;

		if (f->node == j->en->daemon->node && f->has4 && f->has6) {
			j->lan4 = f->addr4;
			j->lan6 = f->addr6;
		}
	}
}

static int jool_configure(struct engine *en, struct err *e)
{
	struct jool *j = jool_node_new(en, e);
	const char *attach = plan_attach(world_plan(en->world), en->daemon);
	int ret;

	if (!j)
		return -ENOMEM;
	j->role = is_plat(en) ? &as_plat : &as_clat;
	j->name = is_plat(en) ? "plat" : "clat";
	j->dev = is_plat(en) ? ENGINE_PLAT_TUN : DEV_CLAT;
	j->lossy = attach && !strcmp(attach, "lossy-merge");
	ret = jool_host_find(tool_of(en), &j->host, e);
	if (!ret)
		ret = host_find(tool_of(en), j->tool_path,
				sizeof(j->tool_path));
	if (ret)
		return ret;
	if (is_plat(en) && !engine_node(en)->plat->guest_gro &&
	    j->host.backend == JOOL_HOST)
		return err_set(e, EINVAL,
			       "`guest-gro: false`: Jool is a module of this "
			       "kernel, and has no virtual machine");
	find_lan(j);
	if (is_plat(en)) {
		j->peer = jool_sync_find(en);
		j->announce = announce_open(en, &j->guest_ll.v6, 0, e);
		if (!j->announce)
			return -EIO;
	}
	return j->host.backend == JOOL_HOST ? jool_module_configure(j, e)
					    : jool_node_configure(j, e);
}

static void jool_fini(struct engine *en)
{
	jool_node_free(en->state);
	en->state = NULL;
}

static int jool_start(struct engine *en, struct err *e)
{
	struct jool *j = en->state;

	if (j->announce)
		announce_update(j->announce); /* nothing is, at present */
	return j->host.backend == JOOL_HOST ? jool_module_start(j, e)
					    : jool_node_start(j, e);
}

static int jool_ready(struct engine *en, struct mono deadline, struct err *e)
{
	struct jool *j = en->state;

	return j->host.backend == JOOL_HOST
		       ? engine_await_serving(en, deadline, e)
		       : jool_node_ready(j, deadline, e);
}

/* ---- counters --------------------------------------------------------------
 */

/* "NAME,NUMBER" lines after a heading. */
static json_t *parse_stats(const char *csv)
{
	json_t *o = json_object();
	const char *line = strchr(csv, '\n');
	long long value;
	char name[64];

	while (line && *++line) {
		if (sscanf(line, "%63[^,],%lld", name, &value) == 2)
			json_object_set_new(o, name, json_integer(value));
		line = strchr(line, '\n');
	}
	return o;
}

/* What the tool prints, wherever it runs; free it. */
static char *ask_tool(struct jool *j, const char *line, struct err *e)
{
	const char *text;

	if (j->host.backend == JOOL_HOST)
		return jool_module_ask(j, line, e);
	text = guest_ask(j->guest, line, e);
	return text ? strdup(text) : NULL;
}

/* A table as the tool prints it, as a file of the node's directory. */
static void keep_table(struct jool *j, const char *table, const char *protocol)
{
	char line[256], path[4096], *text;
	struct err e;

	snprintf(line, sizeof(line),
		 "run %s -i %s %s display --csv --numeric --%s", j->tool_path,
		 j->name, table, protocol);
	text = ask_tool(j, line, &e);
	if (!text)
		return; /* the counters say that it went, or hangs */
	snprintf(path, sizeof(path), "%s/jool-%s-%s.csv", engine_dir(j->en),
		 table, protocol);
	if (file_write(path, text, strlen(text), &e))
		log_warn("%s", e.text);
	free(text);
}

static void jool_keep_tables(struct engine *en)
{
	struct jool *j = en->state;
	static const char *const protocols[] = {"tcp", "udp", "icmp"};

	/* it does not answer; or more than anybody would wait for */
	if (!is_plat(en) || j->sessions < 0 || j->sessions > TABLE_MAX)
		return;
	for (size_t i = 0; i < sizeof(protocols) / sizeof(*protocols); i++) {
		keep_table(j, "bib", protocols[i]);
		keep_table(j, "session", protocols[i]);
	}
}

/*
 * What came cut off into the virtual machine: its driver has small buffers
 * while GRO is off there, and does not say so to the node.
 */
static void add_truncated(struct jool *j, json_t *o)
{
	const char *text;
	double v4, v6;
	struct err e;

	if (j->host.backend != JOOL_UML)
		return;
	text = guest_ask(j->guest, "run /bin/cat /proc/net/netstat", &e);
	v4 = text ? procnet_field(text, "IpExt:", "InTruncatedPkts") : NAN;
	text = guest_ask(j->guest, "run /bin/cat /proc/net/snmp6", &e);
	v6 = text ? procnet_line(text, "Ip6InTruncatedPkts") : NAN;
	if (isfinite(v4) && isfinite(v6))
		json_object_set_new(o, "GUEST_TRUNCATED",
				    json_integer((json_int_t)(v4 + v6)));
}

static json_t *jool_counters(struct engine *en)
{
	struct jool *j = en->state;
	char line[256], *text;
	struct err e;
	json_t *o;

	snprintf(line, sizeof(line), "run %s -i %s stats display --csv --all",
		 j->tool_path, j->name);
	text = ask_tool(j, line, &e);
	j->sessions = -1;
	if (!text)
		return json_pack("{s:s}", "unavailable", e.text);
	o = parse_stats(text);
	free(text);
	j->sessions = json_integer_value(json_object_get(o, "JSTAT_SESSIONS"));
	add_truncated(j, o);
	if (j->peer)
		json_object_set_new(o, "joold",
				    json_string(jool_sync_state(j, &e)));
	return o;
}

static void jool_stop(struct engine *en)
{
	struct jool *j = en->state;

	if (j && j->host.backend == JOOL_HOST)
		proc_signal(en->procs[0], SIGTERM);
	else
		jool_node_stop(j);
}

static void jool_ended(struct engine *en)
{
	jool_node_ended(en->state);
}

const struct engine_ops jool_ops = {
	.name = "jool",
	.roles = 1u << DAEMON_CLAT | 1u << DAEMON_PLAT,
	.spare = true,
	.available = jool_available,
	.configure = jool_configure,
	.start = jool_start,
	.ready = jool_ready,
	.counters = jool_counters,
	.keep_tables = jool_keep_tables,
	.stop = jool_stop,
	.ended = jool_ended,
	.fini = jool_fini,
};

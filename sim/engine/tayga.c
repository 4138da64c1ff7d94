/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * TAYGA translates statelessly between its device and itself. As CLAT that is
 * all that is needed: the LAN's addresses are mapped to as many IPv6 addresses.
 * As PLAT it gives each IPv6 host a private IPv4 address of its own, out of a
 * pool that nobody else sees, and the kernel's NAT44 behind it (nftables)
 * puts them all behind pool4: what most who run it do.
 *
 * Under 64:ff9b::/96 it refuses addresses that are not global, and the
 * simulated internet has documentation addresses. There it is given a private
 * prefix instead, and the kernel puts the one in the place of the other on the
 * way in and out.
 *
 * The process and the one that holds the kernel's rules are one engine: a kill
 * ends both. Sessions outlive them in the kernel's connection tracking.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine_internal.h"

#define TUN_CLAT "clat"
/* IPv4 grows by 20 bytes. */
#define MTU4 1480
/* Of a PLAT's hosts, between TAYGA and the NAT44; and TAYGA's own. */
#define INSIDE6	   "fd64:ff9b::/96"
#define INSIDE4	   "10.64.0.0/12"
#define SELF4	   "10.64.0.1"
#define WELL_KNOWN "64:ff9b::/96"
#define TABLE	   "tayga"

struct tayga {
	struct nlroute *routes;
	struct announce *announce; /* PLAT */
	char rules[1024];	   /* of the kernel's tables; "": none */
};

static bool is_plat(const struct engine *en)
{
	return en->daemon->role == DAEMON_PLAT;
}

static const char *device(const struct engine *en)
{
	return is_plat(en) ? ENGINE_PLAT_TUN : TUN_CLAT;
}

static int tayga_available(char *version, size_t len, struct err *why)
{
	char path[128], text[1024], number[32];
	const char *query[] = {path, "-W", "-f", "${Version}", "tayga", NULL};

	if (host_find("tayga", path, sizeof(path)))
		return err_set(why, ENOENT,
			       "tayga not found: install Debian package "
			       "tayga");
	if (host_find("nft", path, sizeof(path)))
		return err_set(why, ENOENT,
			       "nft not found, which TAYGA as PLAT needs: "
			       "install Debian package nftables");
	/* it does not tell its version itself */
	if (host_find("dpkg-query", path, sizeof(path)) ||
	    host_read(query, text, sizeof(text)) ||
	    sscanf(text, "%31s", number) != 1)
		snprintf(version, len, "TAYGA");
	else
		snprintf(version, len, "TAYGA %s", number);
	return 0;
}

/* ---- configuration ---------------------------------------------------------
 */

static bool is_well_known(const struct prefix6 *p)
{
	struct in6_addr known;

	inet_pton(AF_INET6, "64:ff9b::", &known);
	return p->len == 96 && !memcmp(&known, &p->addr, sizeof(known));
}

/* The prefix that TAYGA itself is given. */
static void put_pool6(FILE *f, const struct engine *en)
{
	const struct prefix6 *pool6 = &world_plan(en->world)->topology->pool6;
	char text[ADDR_TEXT_LEN];

	fprintf(f, "prefix %s\n",
		is_well_known(pool6) ? INSIDE6 : prefix6_format(pool6, text));
}

static void put_clat(FILE *f, const struct engine *en)
{
	const struct plan_node *n = engine_node(en);
	const struct topology *t = world_plan(en->world)->topology;
	struct in6_addr self = n->clat6.addr;
	char text[ADDR_TEXT_LEN], lan[ADDR_TEXT_LEN];

	/* no host of the LAN has it: 192.0.0.8 in the same prefix */
	inet_pton(AF_INET, "192.0.0.8", self.s6_addr + 12);
	fprintf(f,
		"tun-device " TUN_CLAT "\nipv4-addr 192.0.0.8\n"
		"ipv6-addr %s\n",
		in6_format(&self, text));
	/* the same bits at the end of both, as many as the LAN has */
	self = n->clat6.addr;
	memcpy(self.s6_addr + 12, &t->lan4.addr, 4);
	fprintf(f, "map %s %s/%u\n", prefix4_format(&t->lan4, lan),
		in6_format(&self, text), 96u + t->lan4.len);
	put_pool6(f, en);
}

static void put_plat(FILE *f, const struct engine *en)
{
	char text[ADDR_TEXT_LEN];

	fprintf(f,
		"tun-device " ENGINE_PLAT_TUN "\nipv4-addr " SELF4 "\n"
		"ipv6-addr %s\ndynamic-pool " INSIDE4 "\n",
		in6_format(&engine_node(en)->loop6, text));
	put_pool6(f, en);
}

static const char *iface_to_border(const struct engine *en)
{
	const struct plan *p = world_plan(en->world);

	for (size_t i = 0; i < p->n_links; i++)
		if (p->links[i].a.node == en->daemon->node &&
		    p->nodes[p->links[i].b.node].role == NODE_BORDER)
			return p->links[i].a.name;
	return NULL;
}

/* Behind TAYGA, from its hosts' private addresses to pool4. */
static int put_nat44(const struct engine *en, FILE *f, struct err *e)
{
	const struct prefix4 *pool4 = &engine_node(en)->plat->pool4;
	const char *out = iface_to_border(en);
	char first[ADDR_TEXT_LEN], last[ADDR_TEXT_LEN];
	struct in_addr end = pool4->addr;
	struct prefix4 inside;

	if (!out)
		return err_set(e, ENOENT, "no link leads to the border");
	prefix4_parse(INSIDE4, &inside);
	if (prefix4_overlaps(&inside, &world_plan(en->world)->topology->infra4))
		return err_set(e, EINVAL,
			       "infra4 overlaps " INSIDE4
			       ", which TAYGA's hosts have inside the PLAT");
	if (pool4->len < 32)
		end.s_addr |= htonl(UINT32_MAX >> pool4->len);
	fprintf(f,
		"table ip " TABLE " { flags owner ; chain post { type nat hook "
		"postrouting priority 100 ; oifname \"%s\" ip saddr " INSIDE4
		" snat to %s-%s persistent ; } ; }\n",
		out, in4_format(pool4->addr, first), in4_format(end, last));
	return 0;
}

/* From the well-known prefix to the private one; a CPE only for what it has
 * translated: its IPv6 hosts talk to the well-known prefix themselves. */
static void put_prefixes(const struct engine *en, FILE *f)
{
	const char *who = is_plat(en) ? "" : "iifname \"" TUN_CLAT "\" ";
	const char *from = is_plat(en) ? WELL_KNOWN : INSIDE6;
	const char *to = is_plat(en) ? INSIDE6 : WELL_KNOWN;

	fprintf(f,
		"table ip6 " TABLE " { flags owner ; chain pre { type nat hook "
		"prerouting priority -100 ; %sip6 daddr %s dnat prefix to %s ; "
		"} ; chain out { type nat hook output priority -100 ; ip6 "
		"daddr %s dnat prefix to %s ; } ; }\n",
		who, from, to, from, to);
}

static int put_rules(const struct engine *en, struct tayga *x, struct err *e)
{
	FILE *f = fmemopen(x->rules, sizeof(x->rules), "w");
	int ret = 0;

	if (!f)
		return err_set(e, ENOMEM, "out of memory");
	if (is_plat(en))
		ret = put_nat44(en, f, e);
	if (is_well_known(&world_plan(en->world)->topology->pool6))
		put_prefixes(en, f);
	return fclose(f) ? err_set(e, ENOSPC, "too many rules") : ret;
}

static int open_state(struct engine *en, struct err *e)
{
	struct tayga *x = calloc(1, sizeof(*x));

	if (!x)
		return err_set(e, ENOMEM, "out of memory");
	en->state = x;
	x->routes = nlroute_open(en->world, en->daemon->node, e);
	if (!x->routes)
		return -EIO;
	if (is_plat(en))
		x->announce = announce_open(en, NULL, MTU4, e);
	return x->announce || !is_plat(en) ? put_rules(en, x, e) : -EIO;
}

static int tayga_configure(struct engine *en, struct err *e)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int ret;

	if (f && is_plat(en))
		put_plat(f, en);
	else if (f)
		put_clat(f, en);
	ret = engine_put(en,
			 is_plat(en) ? "tayga-plat.conf" : "tayga-clat.conf", f,
			 &text, &len, e);
	return ret ? ret : open_state(en, e);
}

static void tayga_fini(struct engine *en)
{
	struct tayga *x = en->state;

	if (x) {
		nlroute_close(x->routes);
		announce_close(x->announce);
	}
	free(x);
	en->state = NULL;
}

/* ---- life ------------------------------------------------------------------
 */

static int route(struct engine *en, const char *text, uint32_t mtu,
		 struct err *e)
{
	struct tayga *x = en->state;
	struct prefix4 p4;
	struct addr dst = {.family = AF_INET};

	if (prefix4_parse(text, &p4))
		return err_set(e, EINVAL, "%s is no prefix", text);
	dst.v4 = p4.addr;
	return nlroute_set(x->routes, true, &dst, p4.len, device(en), mtu, e);
}

static int route6(struct engine *en, const char *text, struct err *e)
{
	struct tayga *x = en->state;
	struct prefix6 p6;
	struct addr dst = {.family = AF_INET6};

	if (prefix6_parse(text, &p6))
		return err_set(e, EINVAL, "%s is no prefix", text);
	dst.v6 = p6.addr;
	return nlroute_set(x->routes, true, &dst, p6.len, device(en), 0, e);
}

static int add_routes(struct engine *en, struct err *e)
{
	struct tayga *x = en->state;
	const struct prefix6 *clat6 = &engine_node(en)->clat6;
	struct addr p6 = {.family = AF_INET6, .v6 = clat6->addr};
	int ret;

	if (is_plat(en)) {
		ret = route6(en, INSIDE6, e);
		return ret ? ret : route(en, INSIDE4, MTU4, e);
	}
	ret = nlroute_set(x->routes, true, &p6, clat6->len, TUN_CLAT, 0, e);
	return ret ? ret : route(en, "0.0.0.0/0", MTU4, e);
}

static bool tayga_step(struct engine *en)
{
	struct tayga *x = en->state;
	struct err e;

	if (!world_iface_exists(en->world, en->daemon->node, device(en)))
		return false;
	if (engine_raise_tun(en->world, en->daemon->node, device(en), &e) ||
	    add_routes(en, &e)) {
		engine_fault(en, "%.150s", e.text);
		return true;
	}
	en->serving = true;
	if (x->announce)
		announce_update(x->announce);
	return true;
}

static int hold_rules(struct engine *en, struct err *e)
{
	struct tayga *x = en->state;
	char self[4096];
	const char *argv[] = {self, "hold", "--nft", x->rules, NULL};

	if (host_find_own("xlatsim", self, sizeof(self)))
		return err_set(e, ENOENT, "xlatsim is not found");
	return engine_spawn(en, argv,
			    is_plat(en) ? "hold-plat.log" : "hold-clat.log", e);
}

static int tayga_start(struct engine *en, struct err *e)
{
	const char *argv[] = {
		"tayga", "--nodetach", "-c",
		is_plat(en) ? "tayga-plat.conf" : "tayga-clat.conf", NULL};
	struct tayga *x = en->state;
	int ret;

	if (x->announce)
		announce_update(x->announce); /* nothing is, at present */
	ret = engine_spawn(
		en, argv, is_plat(en) ? "tayga-plat.log" : "tayga-clat.log", e);
	if (!ret && x->rules[0])
		ret = hold_rules(en, e);
	return ret ? ret : engine_poll(en, tayga_step, e);
}

const struct engine_ops tayga_ops = {
	.name = "tayga",
	.roles = 1u << DAEMON_CLAT | 1u << DAEMON_PLAT,
	.spare = true,
	.available = tayga_available,
	.configure = tayga_configure,
	.start = tayga_start,
	.fini = tayga_fini,
};

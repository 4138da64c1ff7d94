/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Real Jool on the bench: a User Mode Linux kernel as a process of the engine's
 * node, on one wire (a tap) by which everything comes and goes. Its kernel
 * takes packets from the wire before it looks at them as a router, and sends
 * what it translated to the node, which drops it: the bench has captured it by
 * then.
 *
 * configure() writes the commands for the guest, a line each; start() boots it,
 * and asks them one after the other.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../xlat/base/file.h"
#include "../engine/jool_bench.h"
#include "bench.h"
#include "bench_internal.h"

#define BOOT_NS	 (20 * NS_PER_S)
#define INSTANCE "-i conform"

static enum bench_attach jool_attach(enum conform_role role)
{
	(void)role;
	return ATTACH_TAP;
}

/* ---- configuration ---------------------------------------------------------
 */

static const struct fixed_knob fixed[] = {
	{"mtu4", "1500", "Jool takes MTUs from routes, which are not set here"},
	{"mtu6", "1500", "Jool takes MTUs from routes, which are not set here"},
	{"well-known", "lab", "Jool has no such rule about 64:ff9b::/96"},
	{"icmp-name-source", "no", "Jool does not name ICMP sources"},
	{"clamp-mss", NULL, "Jool does not touch the MSS"},
	{"sessions", NULL, "Jool's tables have no size"},
	{"subscriber-length", NULL, "Jool knows no subscribers"},
};

/* Lines begin with the name of the tool; start() puts its path there. */
static void put_globals(const struct setup *s, FILE *f)
{
	static const struct {
		const char *knob, *word, *key, *value; /* word NULL: its own */
	} keys[] = {
		{"lowest-ipv6-mtu", NULL, "lowest-ipv6-mtu", NULL},
		{"traffic-class", "ignore", "zeroize-traffic-class", "true"},
		{"traffic-class", "ignore", "override-tos", "true"},
		{"tos", NULL, "tos", NULL},
		{"udp-zero", "compute", "amend-udp-checksum-zero", "true"},
		{"udp-zero", "drop", "amend-udp-checksum-zero", "false"},
		{"icmp-pool4", NULL, "rfc6791v4-prefix", NULL},
		{"hairpin", "intrinsic", "eam-hairpin-mode", "intrinsic"},
		{"hairpin", "simple", "eam-hairpin-mode", "simple"},
		{"hairpin", "off", "eam-hairpin-mode", "off"},
		{"filtering", "address-dependent",
		 "address-dependent-filtering", "true"},
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		const char *word = setup_get(s, keys[i].knob, NULL);

		if (word && (!keys[i].word || !strcmp(word, keys[i].word)))
			fprintf(f, INSTANCE " global update %s %s\n",
				keys[i].key,
				keys[i].value ? keys[i].value : word);
	}
}

static void put_siit(const struct setup *s, FILE *f)
{
	const struct knob *k;
	struct prefix4 lan4;
	struct prefix6 clat6;
	size_t from = 0;
	char text[ADDR_TEXT_LEN];

	while ((k = setup_knob(s, "eam", &from)))
		fprintf(f, INSTANCE " eamt add --force %s %s\n", k->argv[0],
			k->argv[1]);
	from = 0;
	while ((k = setup_knob(s, "clat", &from))) {
		if (prefix4_parse(k->argv[0], &lan4) ||
		    prefix6_parse(k->argv[1], &clat6))
			continue;
		memcpy(clat6.addr.s6_addr + 12, &lan4.addr, 4);
		fprintf(f, INSTANCE " eamt add --force %s %s/%d\n", k->argv[0],
			in6_format(&clat6.addr, text), 96 + lan4.len);
	}
}

static void put_plat(const struct setup *s, FILE *f)
{
	static const char *const protocols[] = {"tcp", "udp", "icmp"};
	const struct knob *k;
	size_t from = 0;

	while ((k = setup_knob(s, "pool4", &from)))
		for (size_t i = 0; i < 3; i++)
			fprintf(f, INSTANCE " pool4 add --force --%s %s %s\n",
				protocols[i], k->argv[0],
				i == 2	   ? "0-65535"
				: k->n > 1 ? k->argv[1]
					   : "1024-65535");
	from = 0;
	while ((k = setup_knob(s, "static", &from)))
		fprintf(f, INSTANCE " bib add --%s %s#%s %s#%s\n", k->argv[0],
			k->argv[1], k->argv[2], k->argv[3], k->argv[4]);
}

static int put_timers(const struct setup *s, FILE *f, struct err *why)
{
	static const struct {
		const char *word, *key;
	} timers[] = {{"tcp-established", "tcp-est-timeout"},
		      {"tcp-transitory", "tcp-trans-timeout"},
		      {"udp", "udp-timeout"},
		      {"icmp", "icmp-timeout"}};
	const struct knob *k;
	size_t from = 0;
	double ns;

	while ((k = setup_knob(s, "timer", &from))) {
		size_t i = 0;

		while (i < 4 && strcmp(timers[i].word, k->argv[0]) != 0)
			i++;
		if (i == 4 || units_parse(k->argv[1], UNIT_TIME, &ns))
			return err_set(why, ENOTSUP, "Jool has no timer %s",
				       k->argv[0]);
		fprintf(f, INSTANCE " global update %s 0:0:%.3f\n",
			timers[i].key, ns / NS_PER_S);
	}
	return 0;
}

static int jool_configure(const struct setup *s, FILE *f, struct err *why)
{
	bool plat = s->role == ROLE_PLAT;
	const char *prefix = setup_get(s, plat ? "pool6" : "pref64", NULL);
	int ret = setup_check_fixed(s, fixed, sizeof(fixed) / sizeof(*fixed),
				    why);

	if (ret)
		return ret;
	fprintf(f, "instance add conform --netfilter%s%s\n",
		prefix ? " --pool6 " : "", prefix ? prefix : "");
	if (plat)
		put_plat(s, f);
	else
		put_siit(s, f);
	put_globals(s, f);
	return plat ? put_timers(s, f, why) : 0;
}

/* ---- start -----------------------------------------------------------------
 */

struct boot {
	struct bench *b;
	struct guest *g;
	const char *channel;
	int ret, status;
	const char *text;
};

static bool has_booted(void *arg)
{
	struct boot *t = arg;

	if (t->b->ended)
		return true;
	t->ret = guest_open(t->g, t->b->proc, t->channel);
	if (t->ret == -EAGAIN)
		return false;
	if (t->ret && t->ret != -EALREADY)
		return true;
	t->ret = guest_poll(t->g, &t->status, &t->text);
	return t->ret != 0;
}

static int await_boot(struct bench *b, struct guest *g, const char *channel,
		      struct err *e)
{
	struct boot t = {.b = b, .g = g, .channel = channel};
	int ret = bench_await(b, has_booted, &t, BOOT_NS);

	if (ret == -EINTR)
		return err_set(e, EINTR, "interrupted");
	if (b->ended)
		return err_set(e, ECHILD, "%s", b->fault);
	if (ret || t.ret < 0 || t.status)
		return err_set(e, ETIMEDOUT, "the guest does not boot%s%s",
			       t.ret > 0 ? ": " : "", t.ret > 0 ? t.text : "");
	return 0;
}

static int ask(struct guest *g, const char *line, struct err *e)
{
	return guest_ask(g, line, e) ? 0 : -EIO;
}

static int ask_file(struct guest *g, const char *tool, const char *file,
		    struct err *e)
{
	char line[512], *text = file_read(file, NULL, e), *save = NULL;
	int ret = text ? 0 : -EIO;

	for (char *p = text ? strtok_r(text, "\n", &save) : NULL; p && !ret;
	     p = strtok_r(NULL, "\n", &save)) {
		snprintf(line, sizeof(line), "run %s %s", tool, p);
		ret = ask(g, line, e);
		/* it has no such switch, or not with this value */
		if (ret)
			ret = err_set(e, ENOTSUP, "Jool refuses '%s'", p);
	}
	free(text);
	return ret;
}

static int ask_addresses(const struct setup *s, struct guest *g, struct err *e)
{
	const char *self4 = setup_get(s, "self4", NULL);
	const char *self6 = setup_get(s, "self6", NULL);
	char line[128];
	int ret = 0;

	if (self4) {
		snprintf(line, sizeof(line), "addr lo %s 32", self4);
		ret = ask(g, line, e);
	}
	if (self6 && !ret) {
		snprintf(line, sizeof(line), "addr lo %s 128", self6);
		ret = ask(g, line, e);
	}
	return ret;
}

static int tell(struct bench *b, const struct setup *s,
		const struct jool_bench *j, struct guest *g, const char *file,
		struct err *e)
{
	static const char *const routes[] = {"addr vec0 fe80::2 64",
					     "route :: 0 vec0 fe80::1",
					     "route 0.0.0.0 0 vec0 fe80::1"};
	int ret = await_boot(b, g, j->channel, e);

	for (size_t i = 0; i < j->n_script && !ret; i++)
		ret = ask(g, j->script[i], e);
	if (!ret)
		ret = jool_bench_wire(b->world, BENCH_ENGINE, BENCH_TUN, e);
	for (size_t i = 0; i < 3 && !ret; i++)
		ret = ask(g, routes[i], e);
	if (!ret)
		ret = ask_addresses(s, g, e);
	return ret ? ret : ask_file(g, j->tool, file, e);
}

static int jool_start(struct bench *b, const struct setup *s, const char *file,
		      struct err *e)
{
	static unsigned int starts; /* one before may have left its channel */
	struct guest *g = guest_new();
	struct arena *a = arena_new();
	struct jool_bench j;
	int ret = jool_bench_prepare(
		s->role == ROLE_PLAT ? "jool" : "jool_siit", BENCH_TUN,
		arena_printf(a, "conform%u", ++starts), a, &j, e);

	if (!ret && !g)
		ret = err_set(e, ENOMEM, "out of memory");
	if (!ret)
		ret = bench_spawn(b, j.argv, e);
	if (!ret)
		ret = tell(b, s, &j, g, file, e);
	guest_free(g);
	arena_free(a);
	return ret;
}

const struct player jool_player = {
	.name = "jool",
	.roles = 1u << ROLE_SIIT | 1u << ROLE_CLAT | 1u << ROLE_PLAT,
	.attach = jool_attach,
	.configure = jool_configure,
	.start = jool_start,
};

/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * xlatd as CLAT and as PLAT. Its TUN device and the routes into it belong to
 * the process: both vanish when it ends, however it ends, and the PLAT's
 * prefixes with them from OSPF. When it listens again, its routes come back
 * from a step (see util.c and announce.c).
 *
 * attach packet: a raw socket at the far end of a wire instead, as a specimen
 * of a translator that loses offload metadata. The wire outlives a process
 * that is killed, so it is taken away when that has ended. Like many of its
 * kind it asks the IPv6 MTU but leaves IPv4's to the interface, so that the
 * trap has the same two faces as with Jool: needless errors towards IPv4,
 * silence towards IPv6. packet-vnet is the same with metadata.
 *
 * attach tun-bpf: the TUN device, and xlatd's fast path at all links of the
 * node but the standby's.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "engine_internal.h"
#include "pair.h"

#define SOCKET_CLAT "/run/xlatd-clat.sock"
#define SOCKET_PLAT "/run/xlatd-plat.sock"
#define TUN_CLAT    "clat"
#define TUN_PLAT    ENGINE_PLAT_TUN
/* IPv4 grows by 20 bytes: what fits into 1500 bytes of IPv6 (RFC 7915 6). */
#define MTU4 1480

/* RFC 7335: for the inner side of a CLAT that has a single address. */
#define CLAT_ADDRESS "192.0.0.1"
#define NAT44_FILE   "clat-nat44.nft"

#define SYNC_KEY  "standby.key"
#define SYNC_PORT "7146"

struct xlatd {
	struct nlroute *routes;	   /* of a CLAT */
	struct announce *announce; /* of a PLAT */
};

/* How it is attached; NULL: by a TUN device, with a fast path or without. */
static const char *packet_attach(const struct engine *en)
{
	const char *attach = plan_attach(world_plan(en->world), en->daemon);

	return attach && strncmp(attach, "tun", 3) != 0 ? attach : NULL;
}

static bool has_fast_path(const struct engine *en)
{
	const char *attach = plan_attach(world_plan(en->world), en->daemon);

	return attach && !strcmp(attach, "tun-bpf");
}

static bool is_plat(const struct engine *en)
{
	return en->daemon->role == DAEMON_PLAT;
}

static const char *socket_of(const struct engine *en)
{
	return is_plat(en) ? SOCKET_PLAT : SOCKET_CLAT;
}

static int xlatd_available(char *version, size_t len, struct err *why)
{
	char path[PATH_MAX + 16];
	const char *argv[] = {path, "--version", NULL};

	if (access("/dev/net/tun", R_OK | W_OK))
		return err_set(why, ENODEV,
			       "/dev/net/tun: %s (try: modprobe tun, as root)",
			       strerror(errno));
	if (host_find_own("xlatd", path, sizeof(path)))
		return err_set(why, ENOENT,
			       "xlatd is neither beside xlatsim nor installed: "
			       "run make");
	if (host_read(argv, version, len))
		return err_set(why, ENOEXEC, "%s does not run", path);
	version[strcspn(version, "\n")] = '\0';
	return 0;
}

/* ---- configuration ---------------------------------------------------------
 */

/*
 * allow-private: the simulated internet has documentation addresses and
 * router links of RFC 6598, which RFC 6052 section 3.1 would not let pass
 * under the well-known prefix.
 */
#define COMMON "allow-private: true\n"

static void put_tuning(FILE *f, const struct tuning *t)
{
	if (t->mtu6)
		fprintf(f, "mtu6: %d\n", (int)t->mtu6);
	if (t->lowest_mtu6)
		fprintf(f, "lowest-ipv6-mtu: %d\n", (int)t->lowest_mtu6);
	if (t->clamp_mss)
		fprintf(f, "clamp-mss: auto\n");
}

static void put_icmp(FILE *f, const struct icmp_spec *i)
{
	char text[ADDR_TEXT_LEN];

	if (i->pool4.len)
		fprintf(f, "icmp-pool4: %s\n", prefix4_format(&i->pool4, text));
	if (i->name_source)
		fprintf(f, "icmp-name-source: true\n");
}

static const struct homes_spec *homes_of(const struct engine *en)
{
	return &engine_node(en)->tower->homes;
}

static void put_pref64(FILE *f, const struct engine *en)
{
	const struct plan *p = world_plan(en->world);
	char text[ADDR_TEXT_LEN];

	switch ((enum pref64_from)homes_of(en)->pref64) {
	case PREF64_CONFIGURED:
		fprintf(f, "pref64: %s\n",
			prefix6_format(&p->topology->pool6, text));
		break;
	case PREF64_DNS: /* the node's resolv.conf names them */
		fprintf(f, "pref64: {from: dns}\n");
		break;
	case PREF64_RA:
		fprintf(f, "pref64: {from: ra, interface: %s}\n",
			engine_node(en)->tower->name);
		break;
	}
}

static const char *tun_of(const struct engine *en)
{
	return is_plat(en) ? TUN_PLAT : TUN_CLAT;
}

/* Wherever customers' packets come in. */
static void put_fast_path(FILE *f, const struct engine *en)
{
	const struct plan *p = world_plan(en->world);
	int node = en->daemon->node;
	size_t n = 0;

	for (size_t i = 0; i < p->n_links; i++) {
		const struct plan_link *l = &p->links[i];

		if (l->standby || (l->a.node != node && l->b.node != node))
			continue;
		fprintf(f, "%s%s", n++ ? ", " : "fast-path: [",
			l->a.node == node ? l->a.name : l->b.name);
	}
	if (n)
		fputs("]\n", f);
}

static void put_io(FILE *f, const struct engine *en)
{
	const char *attach = packet_attach(en);

	fprintf(f, "tun: {name: %s}\n", attach ? PAIR_FAR : tun_of(en));
	if (attach)
		fprintf(f, "io: %s\n", attach);
	if (attach && !strcmp(attach, "packet"))
		fprintf(f, "mtu4: 65535\n");
	if (has_fast_path(en))
		put_fast_path(f, en);
}

static void put_clat(FILE *f, const struct engine *en)
{
	const struct topology *t = world_plan(en->world)->topology;
	char lan4[ADDR_TEXT_LEN], clat6[ADDR_TEXT_LEN];
	bool one = homes_of(en)->clat_mode == CLAT_MODE_ADDRESS;

	fprintf(f,
		COMMON "control: " SOCKET_CLAT "\n"
		       "clat: {lan4: %s, clat6: \"%s\"}\n",
		one ? CLAT_ADDRESS "/32" : prefix4_format(&t->lan4, lan4),
		prefix6_format(&engine_node(en)->clat6, clat6));
	put_pref64(f, en);
	put_icmp(f, &homes_of(en)->icmp);
	put_tuning(f, &homes_of(en)->tuning);
}

/* The LAN behind the one address of the CLAT (RFC 6877 section 6.3). */
static int put_nat44(struct engine *en, struct err *e)
{
	char nft[PATH_MAX], from[ADDR_TEXT_LEN], *text = NULL;
	const char *argv[] = {nft, "-f", NAT44_FILE, NULL};
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int ret;

	if (f)
		fprintf(f,
			"table ip clat {\n\tchain nat {\n"
			"\t\ttype nat hook postrouting priority 100\n"
			"\t\toifname \"" TUN_CLAT
			"\" ip saddr %s snat to " CLAT_ADDRESS "\n\t}\n}\n",
			prefix4_format(&engine_node(en)->lan4, from));
	ret = engine_put(en, NAT44_FILE, f, &text, &len, e);
	if (ret)
		return ret;
	if (host_find("nft", nft, sizeof(nft)))
		return err_set(e, ENOENT,
			       "`clat-mode: address` takes nft: install Debian "
			       "package nftables");
	return engine_run(en->world, en->daemon->node, argv, NULL, e);
}

static void put_sizes(FILE *f, const struct plat_spec *plat)
{
	if (plat->sessions)
		fprintf(f, "sessions: %d\n", (int)plat->sessions);
	if (!plat->subscriber_sessions && !plat->subscriber_ports)
		return;
	fprintf(f, "subscriber-limits:\n");
	if (plat->subscriber_sessions)
		fprintf(f, "  sessions: %d\n", (int)plat->subscriber_sessions);
	if (plat->subscriber_ports)
		fprintf(f, "  ports: %d\n", (int)plat->subscriber_ports);
}

/* A host behind a CLAT has its LAN address in the prefix of that. */
static struct in6_addr host_behind(const struct plan *p, const char *home)
{
	const struct plan_node *h = &p->nodes[plan_find_node(p, home)];
	char cpe[32];
	struct in6_addr a;

	snprintf(cpe, sizeof(cpe), "cpe%s", home + strlen("home"));
	a = p->nodes[plan_find_node(p, cpe)].clat6.addr;
	memcpy(&a.s6_addr[12], &h->host4, 4);
	return a;
}

static void put_statics(FILE *f, const struct engine *en)
{
	const struct plat_spec *v = engine_node(en)->plat;
	char v6[ADDR_TEXT_LEN], v4[ADDR_TEXT_LEN];

	if (v->n_statics)
		fprintf(f, "static:\n");
	for (size_t i = 0; i < 2 * v->n_statics; i++) {
		const struct static_spec *s = &v->statics[i / 2];
		struct in6_addr host =
			host_behind(world_plan(en->world), s->home);

		fprintf(f,
			"  - {proto: %s, ipv6: \"%s\", port6: %d, ipv4: %s, "
			"port4: %d}\n",
			i % 2 ? "udp" : "tcp", in6_format(&host, v6),
			(int)s->port, addr_format(&s->address, v4),
			(int)s->port);
	}
}

static void put_plat(FILE *f, const struct engine *en)
{
	const struct topology *t = world_plan(en->world)->topology;
	char pool4[ADDR_TEXT_LEN], pool6[ADDR_TEXT_LEN], self[ADDR_TEXT_LEN];

	fprintf(f,
		COMMON "control: " SOCKET_PLAT "\n"
		       "pool6: %s\npool4: %s\nicmp-source6: \"%s\"\n"
		       "seed: %llu\n",
		prefix6_format(&t->pool6, pool6),
		prefix4_format(&engine_node(en)->plat->pool4, pool4),
		in6_format(&engine_node(en)->loop6, self),
		(unsigned long long)(world_seed(en->world) & INT32_MAX));
	put_sizes(f, engine_node(en)->plat);
	put_statics(f, en);
	put_tuning(f, &engine_node(en)->plat->tuning);
}

/* ---- warm standby ----------------------------------------------------------
 */

/* The key is the first PLAT's to make, for this run alone. */
static int make_key(char *path, size_t len, const struct engine *en,
		    struct err *e)
{
	uint8_t key[32];
	FILE *f;
	int fd, ret = 0;

	snprintf(path, len, "%s/" SYNC_KEY,
		 world_node_dir(en->world, plan_node_of(world_plan(en->world),
							NODE_PLAT)));
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST)
		return 0;
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!f || getrandom(key, sizeof(key), 0) != sizeof(key) ||
	    fwrite(key, sizeof(key), 1, f) != 1)
		ret = errno;
	if (f ? fclose(f) : fd >= 0 && close(fd))
		ret = errno;
	return ret ? err_set(e, ret, "%s: %s", path, strerror(ret)) : 0;
}

static int put_sync(FILE *f, const struct engine *en, struct err *e)
{
	const struct plan *p = world_plan(en->world);
	int node = en->daemon->node;

	for (size_t i = 0; i < p->n_links; i++) {
		const struct plan_link *l = &p->links[i];
		bool first = l->a.node == node;
		char self[ADDR_TEXT_LEN], peer[ADDR_TEXT_LEN], key[PATH_MAX];

		if (!l->standby || make_key(key, sizeof(key), en, e))
			continue;
		fprintf(f,
			"sync:\n  listen: \"[%s]:" SYNC_PORT "\"\n"
			"  peer: \"[%s]:" SYNC_PORT "\"\n"
			"  key-file: \"%s\"\n",
			in6_format(first ? &l->a.addr6 : &l->b.addr6, self),
			in6_format(first ? &l->b.addr6 : &l->a.addr6, peer),
			key);
		return 0;
	}
	return -EIO;
}

static int open_state(struct engine *en, struct err *e)
{
	struct xlatd *x = calloc(1, sizeof(*x));

	if (!x)
		return err_set(e, ENOMEM, "out of memory");
	en->state = x;
	if (is_plat(en))
		x->announce = announce_open(en, NULL, MTU4, e);
	else
		x->routes = nlroute_open(en->world, en->daemon->node, e);
	return x->routes || x->announce ? 0 : -EIO;
}

static int xlatd_configure(struct engine *en, struct err *e)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int ret;

	if (f)
		put_io(f, en);
	if (f && is_plat(en))
		put_plat(f, en);
	else if (f)
		put_clat(f, en);
	if (f && is_plat(en) && world_plan(en->world)->topology->standby &&
	    put_sync(f, en, e)) {
		fclose(f);
		free(text);
		return -EIO;
	}
	ret = engine_put(en,
			 is_plat(en) ? "xlatd-plat.yaml" : "xlatd-clat.yaml", f,
			 &text, &len, e);
	if (!ret && !is_plat(en) &&
	    homes_of(en)->clat_mode == CLAT_MODE_ADDRESS)
		ret = put_nat44(en, e);
	return ret ? ret : open_state(en, e);
}

static void xlatd_fini(struct engine *en)
{
	struct xlatd *x = en->state;

	if (x) {
		nlroute_close(x->routes);
		announce_close(x->announce);
	}
	free(x);
	en->state = NULL;
}

/* ---- routes ----------------------------------------------------------------
 */

static struct addr addr_of4(struct in_addr a)
{
	return (struct addr){.family = AF_INET, .v4 = a};
}

static struct addr addr_of6(struct in6_addr a)
{
	return (struct addr){.family = AF_INET6, .v6 = a};
}

static int add_clat_routes(const struct engine *en, struct err *e)
{
	struct xlatd *x = en->state;
	const struct prefix6 *clat6 = &engine_node(en)->clat6;
	struct addr p6 = addr_of6(clat6->addr);
	struct addr all = addr_of4((struct in_addr){0});
	int ret = nlroute_set(x->routes, true, &p6, clat6->len, TUN_CLAT, 0, e);

	return ret ? ret
		   : nlroute_set(x->routes, true, &all, 0, TUN_CLAT, MTU4, e);
}

/* ---- life ------------------------------------------------------------------
 */

/* A CLAT that learns the prefix of the PLATs serves when it has it. */
static bool knows_prefix(struct engine *en)
{
	json_t *o;
	bool known;

	if (homes_of(en)->pref64 == PREF64_CONFIGURED)
		return true;
	o = engine_ask(en, SOCKET_CLAT, "stats", NULL);
	known = json_is_string(
		json_object_get(json_object_get(o, "pref64"), "prefix"));
	json_decref(o);
	return known;
}

static bool xlatd_step(struct engine *en)
{
	struct xlatd *x = en->state;
	int fd = engine_connect(en->procs[0], socket_of(en));
	struct err e;

	if (fd < 0)
		return false;
	close(fd);
	if (!is_plat(en) && !knows_prefix(en))
		return false;
	if (is_plat(en)) {
		en->serving = true;
		announce_update(x->announce);
	} else if (add_clat_routes(en, &e)) {
		engine_fault(en, "%.150s", e.text);
	}
	return true;
}

static int add_wire(struct engine *en, struct err *e)
{
	const char *attach = packet_attach(en);
	unsigned int kind = PAIR_NOARP | PAIR_RAISED;

	if (!attach)
		return 0;
	if (!strcmp(attach, "packet"))
		kind |= PAIR_LOSSY;
	return pair_add(en->world, en->daemon->node, tun_of(en), kind, e);
}

static void xlatd_ended(struct engine *en)
{
	if (packet_attach(en))
		pair_del(en->world, en->daemon->node, tun_of(en));
}

static int xlatd_start(struct engine *en, struct err *e)
{
	char path[PATH_MAX + 16];
	const char *role = is_plat(en) ? "plat" : "clat";
	const char *argv[] = {
		path, role, "--config",
		is_plat(en) ? "xlatd-plat.yaml" : "xlatd-clat.yaml", NULL};
	struct xlatd *x = en->state;
	int ret;

	if (host_find_own("xlatd", path, sizeof(path)))
		return err_set(e, ENOENT, "xlatd is not found");
	if (is_plat(en))
		announce_update(x->announce); /* nothing is, at present */
	ret = add_wire(en, e);
	if (ret)
		return ret;
	ret = engine_spawn(
		en, argv, is_plat(en) ? "xlatd-plat.log" : "xlatd-clat.log", e);
	return ret ? ret : engine_poll(en, xlatd_step, e);
}

static json_t *xlatd_counters(struct engine *en)
{
	return engine_ask(en, socket_of(en), "stats", NULL);
}

static int xlatd_inquire(struct engine *en, const char *question)
{
	return engine_inquire(en, socket_of(en), question);
}

static int xlatd_ready(struct engine *en, struct mono deadline, struct err *e)
{
	int ret = engine_await_serving(en, deadline, e);
	json_t *o = ret ? NULL : engine_ask(en, socket_of(en), "stats", e);

	json_decref(o);
	return ret || o ? ret : -EPROTO;
}

const struct engine_ops xlatd_ops = {
	.name = "xlatd",
	.roles = 1u << DAEMON_CLAT | 1u << DAEMON_PLAT,
	.available = xlatd_available,
	.configure = xlatd_configure,
	.start = xlatd_start,
	.ready = xlatd_ready,
	.counters = xlatd_counters,
	.inquire = xlatd_inquire,
	.ended = xlatd_ended,
	.fini = xlatd_fini,
};

/* SPDX-License-Identifier: MIT */
/* The namespaces of the bench: six -- engine -- four. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../xlat/base/file.h"
#include "bench_internal.h"

#define LINK_MTU 1500

static struct plan_iface make_iface(int node, const char *name, const char *v4,
				    const char *v6)
{
	struct plan_iface i = {.node = node,
			       .name = name,
			       .has4 = v4,
			       .has6 = true,
			       .linklocal = true};

	i.net4.len = 24;
	i.net6.len = 64;
	if (v4)
		inet_pton(AF_INET, v4, &i.addr4);
	inet_pton(AF_INET6, v6, &i.addr6);
	return i;
}

static void add_link(struct plan *p, struct arena *a, const char *name,
		     struct plan_iface x, struct plan_iface y)
{
	struct plan_link *l = ARENA_APPEND(a, p->links, p->n_links);

	*l = (struct plan_link){.name = name, .a = x, .b = y};
	l->profile =
		(struct link_profile){.mtu = LINK_MTU,
				      .offloads = {.tso = OFFLOAD_OFF,
						   .gso = OFFLOAD_OFF,
						   .gro = OFFLOAD_OFF,
						   .tx_checksum = OFFLOAD_OFF}};
}

static void add_sysctl(struct plan *p, struct arena *a, int node,
		       const char *key, const char *value)
{
	*ARENA_APPEND(a, p->sysctls, p->n_sysctls) =
		(struct plan_sysctl){node, key, value};
}

static void add_steps(struct plan *p, struct arena *a, enum plan_step_kind kind,
		      size_t n)
{
	for (size_t i = 0; i < n; i++)
		*ARENA_APPEND(a, p->steps, p->n_steps) =
			(struct plan_step){kind, (int)i};
}

/* Where the kernel is part of an engine, all of IPv4 is behind that link. */
static void add_default4(struct plan *p, struct arena *a)
{
	struct plan_route *r = ARENA_APPEND(a, p->routes, p->n_routes);

	*r = (struct plan_route){.node = BENCH_ENGINE,
				 .family = AF_INET,
				 .dst.family = AF_INET,
				 .has_via = true,
				 .dev = BENCH_LINK4};
	addr_parse("100.64.4.2", &r->via);
}

static struct plan *make_plan(struct arena *a)
{
	static const char *const names[] = {"six", "engine", "four"};
	struct plan *p = ARENA_NEW(a, struct plan);

	p->nodes = arena_alloc(a, BENCH_NODES * sizeof(*p->nodes));
	p->n_nodes = BENCH_NODES;
	for (int i = 0; i < BENCH_NODES; i++) {
		p->nodes[i] = (struct plan_node){.name = names[i],
						 .role = NODE_SERVER};
		/* nothing is said that was not asked for */
		add_sysctl(p, a, i, "net/ipv6/conf/default/accept_dad", "0");
		add_sysctl(p, a, i,
			   "net/ipv6/conf/default/router_solicitations", "0");
	}
	add_link(p, a, "six-engine",
		 make_iface(BENCH_SIX, "engine", NULL, "2001:db8:ffff:6::2"),
		 make_iface(BENCH_ENGINE, "six", NULL, "2001:db8:ffff:6::1"));
	add_link(p, a, "engine-four",
		 make_iface(BENCH_ENGINE, BENCH_LINK4, "100.64.4.1",
			    "2001:db8:ffff:4::1"),
		 make_iface(BENCH_FOUR, "engine", "100.64.4.2",
			    "2001:db8:ffff:4::2"));
	add_default4(p, a);
	add_steps(p, a, STEP_NODE, p->n_nodes);
	add_steps(p, a, STEP_SYSCTL, p->n_sysctls);
	add_steps(p, a, STEP_LINK, p->n_links);
	add_steps(p, a, STEP_OFFLOAD, p->n_links);
	add_steps(p, a, STEP_ADDR, p->n_links);
	add_steps(p, a, STEP_LOOP, p->n_nodes);
	add_steps(p, a, STEP_UP, p->n_links);
	add_steps(p, a, STEP_ROUTE, p->n_routes);
	add_steps(p, a, STEP_FILE, p->n_nodes);
	return p;
}

struct bench *bench_new(struct loop *loop, struct err *e)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct world_opts o = {.seed = 1, .loop = loop};
	const char *tmp;
	int ret;

	if (!b) {
		err_set(e, ENOMEM, "out of memory");
		return NULL;
	}
	b->loop = loop;
	b->arena = arena_new();
	b->packets = arena_new();
	b->ports[0].fd = b->ports[1].fd = -1;
	tmp = getenv("TMPDIR");
	snprintf(b->dir, sizeof(b->dir), "%s/" WORLD_SCRATCH "XXXXXX",
		 tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(b->dir)) {
		err_set(e, errno, "%s: %s", b->dir, strerror(errno));
		b->dir[0] = '\0';
		bench_free(b);
		return NULL;
	}
	ret = world_new_run_id(b->run_id);
	if (ret) {
		b->run_id[0] = '\0';
		err_set(e, -ret, "/run/xlatsim: %s", strerror(-ret));
	} else {
		o.run_id = b->run_id;
		o.dir = b->dir;
		ret = world_build(make_plan(b->arena), &o, &b->world, e);
	}
	if (!ret)
		return b;
	bench_free(b);
	return NULL;
}

void bench_free(struct bench *b)
{
	struct err e;

	if (!b)
		return;
	if (b->world)
		bench_stop(b);
	world_teardown(b->world);
	if (b->run_id[0])
		world_drop_run_id(b->run_id);
	if (b->dir[0])
		file_rmtree(b->dir, &e);
	arena_free(b->packets);
	arena_free(b->arena);
	free(b);
}

/* ---- what players change ---------------------------------------------------
 */

struct sysctl {
	bool on;
	struct err *e;
};

static int put_forward(void *arg)
{
	const struct sysctl *s = arg;

	return file_put("/proc/sys/net/ipv4/ip_forward", s->on ? "1" : "0",
			s->e);
}

int bench_forward4(struct bench *b, bool on, struct err *e)
{
	struct sysctl s = {.on = on, .e = e};

	return world_enter(b->world, BENCH_ENGINE, put_forward, &s, e);
}

int bench_route_tun(struct bench *b, const char *dst, struct err *e)
{
	struct prefix4 p;
	struct plan_route r = {
		.node = BENCH_ENGINE, .family = AF_INET, .dev = BENCH_TUN};

	if (prefix4_parse(dst, &p))
		return err_set(e, EINVAL, "'%s' is no prefix", dst);
	r.dst = (struct addr){.family = AF_INET, .v4 = p.addr};
	r.len = p.len;
	return world_route_add(b->world, &r, e);
}

const char *bench_file(struct bench *b, const char *name, char *buf, size_t len)
{
	snprintf(buf, len, "%s/%s", world_node_dir(b->world, BENCH_ENGINE),
		 name);
	return buf;
}

/* ---- a link as a port ------------------------------------------------------
 */

static int read_mac(void *arg)
{
	struct port *p = arg;
	struct ifreq r = {.ifr_name = BENCH_LINK4};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret;

	ret = ioctl(fd, SIOCGIFHWADDR, &r) ? -errno : 0;
	close(fd);
	memcpy(p->mac, r.ifr_hwaddr.sa_data, 6);
	return ret;
}

int bench_attach_four(struct bench *b, struct err *e)
{
	struct port *p = &b->ports[1];
	int ret = bench_port_attach(b, p, 4, BENCH_FOUR, "engine", 1, e);

	if (!ret)
		ret = world_enter(b->world, BENCH_ENGINE, read_mac, p, e);
	p->has_mac = p->wire = true;
	return ret;
}

/* ---- a wire as a port ------------------------------------------------------
 */

/* A packet that the node's kernel can only send when it has been answered. */
static int poke(void *arg)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6,
				  .sin6_port = htons(9),
				  .sin6_scope_id =
					  ((struct port *)arg)->ifindex};
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET6, "fe80::2", &to.sin6_addr);
	sendto(fd, "", 0, 0, (struct sockaddr *)&to, sizeof(to));
	close(fd);
	return 0;
}

void bench_poke_guest(struct bench *b)
{
	world_enter(b->world, BENCH_ENGINE, poke, &b->ports[0], NULL);
}

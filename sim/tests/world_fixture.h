/* SPDX-License-Identifier: MIT */
/*
 * A small plan made by hand, for the tests of the world:
 *
 *   left --- mid --- right	192.0.2.0/30 and 198.51.100.0/30, and IPv6
 *   left ~~~ relay ~~~ far	two veth pairs; nothing forwards between them
 *
 * Implemented here, because each test program is one source file.
 */
#ifndef TESTS_WORLD_FIXTURE_H
#define TESTS_WORLD_FIXTURE_H

#include <arpa/inet.h>
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../xlat/base/arena.h"
#include "../../xlat/base/file.h"
#include "../../xlat/base/log.h"
#include "../world/world.h"

enum { LEFT, MID, RIGHT, FAR, RELAY, N_NODES };
enum { LEFT_MID, MID_RIGHT, LEFT_FAR, N_LINKS };
#define N_SYSCTLS 6

#define PATIENCE_NS (20 * NS_PER_S)
#define RUN(f, node, ...)                                                      \
	fixture_run(f, node, (const char *const[]){__VA_ARGS__, NULL})
#define OUTPUT(f, node, ...)                                                   \
	fixture_output(f, node, (const char *const[]){__VA_ARGS__, NULL})

struct fixture {
	struct arena *arena;
	struct plan *plan;
	struct loop *loop;
	struct world *world;
	char dir[64], id[5];
};

/* Why this host can't run these tests; NULL if it can. */
static inline const char *fixture_skip(void)
{
	static char text[128];
	char id[5];
	int ret;

	if (geteuid() != 0)
		return "namespaces need root";
	ret = world_new_run_id(id);
	if (ret) {
		snprintf(text, sizeof(text), "/run/xlatsim: %s",
			 strerror(-ret));
		return text;
	}
	world_drop_run_id(id);
	return NULL;
}

static inline struct plan_iface fixture_iface(int node, const char *name,
					      const char *v4, const char *v6)
{
	struct plan_iface i = {.node = node, .name = name, .linklocal = false};

	if (v4) {
		i.has4 = i.has6 = true;
		i.net4.len = 30;
		i.net6.len = 64;
		ck_assert_int_eq(inet_pton(AF_INET, v4, &i.addr4), 1);
		ck_assert_int_eq(inet_pton(AF_INET6, v6, &i.addr6), 1);
	}
	return i;
}

static inline void fixture_links(struct plan *p)
{
	static const struct impairment down = {
		.rate_bps = 80e6, .burst_bytes = 65536, .queue_ns = 50e6};
	static const struct impairment up = {.rate_bps = 20e6};

	p->links[LEFT_MID] = (struct plan_link){
		.name = "left-mid",
		.a = fixture_iface(LEFT, "mid", "192.0.2.1", "2001:db8:1::1"),
		.b = fixture_iface(MID, "left", "192.0.2.2", "2001:db8:1::2"),
		.profile = {
			.mtu = 1480,
			.down = down,
			.up = up,
			.offloads = {.tso = OFFLOAD_OFF, .gro = OFFLOAD_ON}}};
	p->links[MID_RIGHT] = (struct plan_link){
		.name = "mid-right",
		.a = fixture_iface(MID, "right", "198.51.100.1",
				   "2001:db8:2::1"),
		.b = fixture_iface(RIGHT, "mid", "198.51.100.2",
				   "2001:db8:2::2"),
		.profile = {.mtu = 1500}};
	/* a router asks for neighbours from there */
	p->links[MID_RIGHT].a.linklocal = true;
	p->links[LEFT_MID].b.linklocal = true;
	p->links[LEFT_FAR] = (struct plan_link){
		.name = "left-far",
		.a = fixture_iface(LEFT, "far", "203.0.113.1", "2001:db8:3::1"),
		.b = fixture_iface(FAR, "left", "203.0.113.2", "2001:db8:3::2"),
		.profile = {.mtu = 1500},
		.relayed = true,
		.relay_a = "left-far.a",
		.relay_b = "left-far.b"};
}

static inline struct plan_route fixture_route(int node, const char *dst,
					      uint8_t len, const char *via,
					      const char *dev)
{
	struct plan_route r = {.node = node, .len = len, .dev = dev};

	ck_assert_int_eq(addr_parse(dst, &r.dst), 0);
	r.family = r.dst.family;
	r.has_via = via != NULL;
	if (via)
		ck_assert_int_eq(addr_parse(via, &r.via), 0);
	return r;
}

static inline void fixture_routes(struct plan *p)
{
	const struct plan_route routes[] = {
		fixture_route(LEFT, "0.0.0.0", 0, "192.0.2.2", "mid"),
		fixture_route(LEFT, "::", 0, "2001:db8:1::2", "mid"),
		fixture_route(RIGHT, "192.0.2.0", 30, "198.51.100.1", "mid"),
		fixture_route(RIGHT, "2001:db8:1::", 64, "2001:db8:2::1",
			      "mid"),
		fixture_route(MID, "2001:db8:dead::", 48, NULL, "lo"),
		fixture_route(MID, "10.9.0.0", 16, "192.0.2.1", "left"),
	};

	p->n_routes = sizeof(routes) / sizeof(*routes);
	memcpy(p->routes, routes, sizeof(routes));
	p->routes[4].blackhole = true;
	p->routes[5].mtu = 1300;
	p->routes[5].metric = 77;
}

static inline void fixture_sysctls(struct plan *p)
{
	static const struct {
		const char *key, *value;
	} all[] = {
		{"net/ipv6/conf/all/keep_addr_on_down", "1"},
		{"net/ipv6/conf/default/keep_addr_on_down", "1"},
		{"net/ipv6/conf/all/forwarding", "1"},
		{"net/ipv4/ip_forward", "1"},
		{"net/ipv6/conf/all/accept_dad", "0"},
		{"net/ipv6/conf/default/accept_dad", "0"},
	};

	for (int node = 0; node < N_NODES; node++)
		for (int i = 0; i < N_SYSCTLS; i++)
			p->sysctls[p->n_sysctls++] = (struct plan_sysctl){
				node, all[i].key, all[i].value};
}

static inline void fixture_steps(struct plan *p)
{
	static const struct {
		enum plan_step_kind kind;
		int n;
	} all[] = {{STEP_NODE, N_NODES}, {STEP_SYSCTL, N_SYSCTLS * N_NODES},
		   {STEP_LINK, N_LINKS}, {STEP_OFFLOAD, N_LINKS},
		   {STEP_ADDR, N_LINKS}, {STEP_LOOP, N_NODES},
		   {STEP_UP, N_LINKS},	 {STEP_TBF, 1},
		   {STEP_ROUTE, 6},	 {STEP_FILE, N_NODES}};

	for (size_t k = 0; k < sizeof(all) / sizeof(*all); k++)
		for (int i = 0; i < all[k].n; i++)
			p->steps[p->n_steps++] =
				(struct plan_step){all[k].kind, i};
}

static inline struct plan *fixture_plan(struct arena *a)
{
	static const char *const names[] = {"left", "mid", "right", "far",
					    "relay"};
	struct plan *p = ARENA_NEW(a, struct plan);
	char text[256];

	p->nodes = arena_alloc(a, N_NODES * sizeof(*p->nodes));
	p->links = arena_alloc(a, N_LINKS * sizeof(*p->links));
	p->routes = arena_alloc(a, 16 * sizeof(*p->routes));
	p->sysctls = arena_alloc(a, 64 * sizeof(*p->sysctls));
	p->steps = arena_alloc(a, 128 * sizeof(*p->steps));
	p->n_nodes = N_NODES;
	p->n_links = N_LINKS;
	for (int i = 0; i < N_NODES; i++)
		p->nodes[i] = (struct plan_node){.name = names[i],
						 .role = NODE_SERVER};
	p->nodes[MID].role = NODE_BORDER;
	p->nodes[RELAY].role = NODE_RELAY;
	if (!world_quota_find(text, sizeof(text)))
		p->nodes[FAR].cpu = 0.2;
	p->nodes[LEFT].resolv_conf = "nameserver 198.51.100.2\n";
	inet_pton(AF_INET, "192.0.2.129", &p->nodes[MID].loop4);
	inet_pton(AF_INET6, "2001:db8:ff::1", &p->nodes[MID].loop6);
	fixture_links(p);
	fixture_routes(p);
	fixture_sysctls(p);
	fixture_steps(p);
	return p;
}

static inline void fixture_init(struct fixture *f)
{
	*f = (struct fixture){.arena = arena_new(), .loop = loop_new()};
	ck_assert_ptr_nonnull(f->loop);
	f->plan = fixture_plan(f->arena);
	strcpy(f->dir, "/tmp/check-world-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(f->dir));
	ck_assert_int_eq(world_new_run_id(f->id), 0);
}

static inline int fixture_try(struct fixture *f, struct err *e)
{
	struct world_opts o = {
		.run_id = f->id, .dir = f->dir, .seed = 1, .loop = f->loop};

	return world_build(f->plan, &o, &f->world, e);
}

static inline void fixture_build(struct fixture *f)
{
	struct err e = {""};
	int ret = fixture_try(f, &e);

	ck_assert_msg(ret == 0, "%d: %s", ret, e.text);
}

static inline void fixture_fini(struct fixture *f)
{
	struct err e;

	world_teardown(f->world);
	world_drop_run_id(f->id);
	ck_assert_int_eq(file_rmtree(f->dir, &e), 0);
	loop_free(f->loop);
	arena_free(f->arena);
}

/* ---- programs -------------------------------------------------------------
 */

static inline int fixture_run(struct fixture *f, int node,
			      const char *const *argv)
{
	struct spawn s = {
		.node = node, .argv = argv, .log = "log", .out = "out"};
	struct proc *p;
	struct err e = {""};
	int status;

	ck_assert_msg(!world_spawn(f->world, &s, &p, &e), "%s", e.text);
	ck_assert_int_eq(proc_wait(p, mono_add(clock_now(), PATIENCE_NS)), 0);
	status = proc_status(p);
	proc_free(p);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static inline char *fixture_output(struct fixture *f, int node,
				   const char *const *argv)
{
	char path[256];
	struct err e = {""};
	char *text;
	int status = fixture_run(f, node, argv);

	snprintf(path, sizeof(path), "%s/out", world_node_dir(f->world, node));
	text = file_read(path, NULL, &e);
	ck_assert_msg(text != NULL, "%s", e.text);
	ck_assert_msg(status == 0, "%s: status %d: %s", argv[0], status, text);
	return text;
}

#define assert_has(text, part)                                                 \
	ck_assert_msg(strstr(text, part) != NULL, "no '%s' in: %s", part, text)
#define assert_has_not(text, part)                                             \
	ck_assert_msg(strstr(text, part) == NULL, "'%s' in: %s", part, text)

/* ---- packets ---------------------------------------------------------------
 */

struct fixture_socket {
	const struct sockaddr *addr;
	socklen_t len;
	bool bind;
	int fd;
};

static inline int fixture_open(void *arg)
{
	struct fixture_socket *s = arg;
	int ret;

	s->fd = socket(s->addr->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(s->fd, 0);
	ret = s->bind ? bind(s->fd, s->addr, s->len)
		      : connect(s->fd, s->addr, s->len);
	return ret ? -errno : 0;
}

/*
 * Send datagrams from a node to address @to of another until one arrives, or
 * for @wait_ms: right after a link comes up, the kernel drops packets until it
 * has seen the carrier. Without a route nothing arrives either.
 */
static inline bool fixture_reaches(struct fixture *f, int from, int to_node,
				   const char *to, int wait_ms)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET,
				 .sin_port = htons(4711)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
				  .sin6_port = htons(4711)};
	bool is4 = inet_pton(AF_INET, to, &v4.sin_addr) == 1;
	struct fixture_socket rx = {.addr = is4 ? (struct sockaddr *)&v4
						: (struct sockaddr *)&v6,
				    .len = is4 ? sizeof(v4) : sizeof(v6),
				    .bind = true};
	struct fixture_socket tx = rx;
	struct pollfd p;
	struct err e = {""};
	struct mono end = mono_add(clock_now(), wait_ms * NS_PER_MS);
	bool got = false;

	tx.bind = false;
	if (!is4)
		ck_assert_int_eq(inet_pton(AF_INET6, to, &v6.sin6_addr), 1);
	ck_assert_int_eq(world_enter(f->world, to_node, fixture_open, &rx, &e),
			 0);
	p = (struct pollfd){.fd = rx.fd, .events = POLLIN};
	tx.fd = -1;
	while (!got && mono_before(clock_now(), end)) {
		if (tx.fd < 0 &&
		    world_enter(f->world, from, fixture_open, &tx, &e)) {
			close(tx.fd);
			tx.fd = -1;
		}
		if (tx.fd >= 0)
			send(tx.fd, "hello", 5, 0);
		got = poll(&p, 1, 5) == 1;
	}
	close(rx.fd);
	if (tx.fd >= 0)
		close(tx.fd);
	return got;
}

/* ---- what a run left behind ------------------------------------------------
 */

struct trace {
	char text[1024];
	const char *id;
};

static inline void trace_dir(struct trace *t, const char *dir,
			     const char *start)
{
	DIR *d = opendir(dir);
	struct dirent *de;

	while (d && (de = readdir(d))) {
		size_t len = strlen(t->text);

		if (!strncmp(de->d_name, start, strlen(start)))
			snprintf(t->text + len, sizeof(t->text) - len,
				 "%s/%s\n", dir, de->d_name);
	}
	if (d)
		closedir(d);
}

/* Names, mounts and the run directory of @id; "" when there is nothing. */
static inline const char *fixture_trace(const char *id)
{
	static struct trace t;
	char start[16];
	char *mounts;
	struct err e;

	t = (struct trace){.id = id};
	snprintf(start, sizeof(start), "xs-%s-", id);
	trace_dir(&t, "/run/netns", start);
	trace_dir(&t, "/run/xlatsim", id);
	trace_dir(&t, "/sys/fs/cgroup", start);
	trace_dir(&t, "/sys/fs/cgroup/cpu", start);
	mounts = file_read("/proc/self/mountinfo", NULL, &e);
	ck_assert_ptr_nonnull(mounts);
	if (strstr(mounts, start))
		strcat(t.text, "a mount\n");
	free(mounts);
	return t.text;
}

/* Is any process in a mount namespace, other than ours, that mounts @dir? */
static inline int fixture_processes(const char *dir)
{
	DIR *d = opendir("/proc");
	struct dirent *de;
	int n = 0;

	while (d && (de = readdir(d))) {
		char path[300];
		char *mounts;
		struct err e;

		if (de->d_name[0] < '0' || de->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/mountinfo", de->d_name);
		mounts = file_read(path, NULL, &e);
		if (mounts && strstr(mounts, dir))
			n++;
		free(mounts);
	}
	if (d)
		closedir(d);
	return n;
}

#endif

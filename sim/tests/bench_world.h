/* SPDX-License-Identifier: MIT */
/*
 * The plan of the engine's bench: client, engine and server in a row, with
 * IPv6 on the left and both families on the right.
 */
#ifndef TESTS_BENCH_WORLD_H
#define TESTS_BENCH_WORLD_H

#include <arpa/inet.h>
#include <stdlib.h>

#include "../../xlat/base/arena.h"
#include "../plan/plan.h"

enum { CLIENT, ENGINE, SERVER, N_NODES };
enum { LEFT, RIGHT, N_LINKS };

static inline struct plan_iface iface(int node, const char *name,
				      const char *v4, const char *v6)
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

static inline void add_sysctls(struct plan *p)
{
	static const char *const ones[] = {"net/ipv6/conf/all/forwarding",
					   "net/ipv4/ip_forward"};
	static const char *const zeros[] = {"net/ipv6/conf/all/accept_dad",
					    "net/ipv6/conf/default/accept_dad"};

	for (int node = 0; node < N_NODES; node++) {
		/* else iperf3's cubic may be paced: sim/plan/steps.c */
		p->sysctls[p->n_sysctls++] = (struct plan_sysctl){
			node, "net/ipv4/tcp_congestion_control", "reno"};
		for (int i = 0; i < 2; i++) {
			if (node == ENGINE)
				p->sysctls[p->n_sysctls++] =
					(struct plan_sysctl){node, ones[i],
							     "1"};
			p->sysctls[p->n_sysctls++] =
				(struct plan_sysctl){node, zeros[i], "0"};
		}
	}
}

static inline struct plan_route route(int node, const char *dst, uint8_t len,
				      const char *via, const char *dev)
{
	struct plan_route r = {.node = node, .len = len, .dev = dev};

	if (addr_parse(dst, &r.dst) || (via && addr_parse(via, &r.via)))
		abort(); /* all of them are written below */
	r.family = r.dst.family;
	r.has_via = via;
	return r;
}

static inline void add_steps(struct plan *p, enum plan_step_kind kind, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p->steps[p->n_steps++] = (struct plan_step){kind, (int)i};
}

static inline struct plan *make_plan(struct arena *arena, bool offloads)
{
	static const char *const names[] = {"client", "engine", "server"};
	struct plan *p = ARENA_NEW(arena, struct plan);
	struct link_profile profile = {.mtu = 1500};

	if (!offloads)
		profile.offloads =
			(struct offloads){.tso = OFFLOAD_OFF,
					  .gso = OFFLOAD_OFF,
					  .gro = OFFLOAD_ON,
					  .tx_checksum = OFFLOAD_OFF};
	p->nodes = arena_alloc(arena, N_NODES * sizeof(*p->nodes));
	p->links = arena_alloc(arena, N_LINKS * sizeof(*p->links));
	p->routes = arena_alloc(arena, 4 * sizeof(*p->routes));
	p->sysctls = arena_alloc(arena, 16 * sizeof(*p->sysctls));
	p->steps = arena_alloc(arena, 64 * sizeof(*p->steps));
	p->n_nodes = N_NODES;
	p->n_links = N_LINKS;
	for (int i = 0; i < N_NODES; i++)
		p->nodes[i] = (struct plan_node){.name = names[i],
						 .role = NODE_SERVER};
	p->nodes[ENGINE].role = NODE_BORDER;
	p->links[LEFT] = (struct plan_link){
		.name = "client-engine",
		.a = iface(CLIENT, "engine", NULL, "2001:db8:1::2"),
		.b = iface(ENGINE, "client", NULL, "2001:db8:1::1"),
		.profile = profile};
	p->links[RIGHT] = (struct plan_link){
		.name = "engine-server",
		.a = iface(ENGINE, "server", "198.51.100.1", "2001:db8:2::1"),
		.b = iface(SERVER, "engine", "198.51.100.2", "2001:db8:2::2"),
		.profile = profile};
	p->routes[0] = route(CLIENT, "::", 0, "2001:db8:1::1", "engine");
	p->routes[1] = route(SERVER, "::", 0, "2001:db8:2::1", "engine");
	p->routes[2] = route(SERVER, "0.0.0.0", 0, "198.51.100.1", "engine");
	p->n_routes = 3;
	add_sysctls(p);
	add_steps(p, STEP_NODE, N_NODES);
	add_steps(p, STEP_SYSCTL, p->n_sysctls);
	add_steps(p, STEP_LINK, N_LINKS);
	add_steps(p, STEP_OFFLOAD, N_LINKS);
	add_steps(p, STEP_ADDR, N_LINKS);
	add_steps(p, STEP_LOOP, N_NODES);
	add_steps(p, STEP_UP, N_LINKS);
	add_steps(p, STEP_ROUTE, p->n_routes);
	add_steps(p, STEP_FILE, N_NODES);
	return p;
}

#endif

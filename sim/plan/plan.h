/* SPDX-License-Identifier: MIT */
/*
 * A topology worked out to the last address: what exists, and the steps that
 * bring it to life, in order, each with its undo. PURE: no system calls.
 *
 * Conventions: an interface carries the name of the node at its other end
 * (`plat1:access`); a link is named after both ends, the one nearer to the
 * homes first (`access-plat1`).
 */
#ifndef PLAN_PLAN_H
#define PLAN_PLAN_H

#include <stdio.h>

#include "../../xlat/base/err.h"
#include "../spec/spec.h"

enum node_role {
	NODE_HOME,
	NODE_CPE,
	NODE_TOWER,
	NODE_ACCESS,
	NODE_PLAT,
	NODE_BORDER,
	NODE_INET, /* the internet's router */
	NODE_DNS,  /* root and all zones */
	NODE_SERVER,
	NODE_RELAY, /* where the link relay lives; no addresses */
};

struct plan_node {
	const char *name;
	enum node_role role;
	const struct plat_spec *plat;	/* NODE_PLAT */
	const struct tower_spec *tower; /* NODE_CPE, NODE_HOME, NODE_TOWER */
	double cpu; /* of one core, for its programs; 0: no quota */
	const struct name_spec *server; /* NODE_SERVER */
	struct in6_addr loop6;		/* router's own address; :: if none */
	struct in_addr loop4;		/* 0 if none */
	struct prefix6 delegated;	/* NODE_CPE: its /56 */
	struct prefix6 lan6;		/* NODE_CPE, NODE_HOME: /64 */
	struct prefix6 clat6;		/* NODE_CPE: /96 that embeds the LAN */
	struct prefix4 lan4;		/* NODE_CPE, NODE_HOME */
	struct prefix4 wan4;		/* NODE_CPE, where access has IPv4 */
	struct in_addr host4;		/* NODE_HOME, NODE_SERVER, NODE_DNS */
	struct in6_addr host6;
	const char *resolv_conf; /* text; NULL: leave empty */
};

/* One end of a link, or of a veth pair. */
struct plan_iface {
	int node; /* index into nodes */
	const char *name;
	bool has4, has6;
	struct prefix4 net4; /* len only; addr4 is the address */
	struct prefix6 net6;
	struct in_addr addr4;
	struct in6_addr addr6;
	bool linklocal; /* wants an automatic fe80:: address */
};

struct plan_link {
	const char *name;	/* "access-plat1" */
	struct plan_iface a, b; /* a is nearer to the homes */
	struct link_profile profile;
	bool standby;		       /* between the PLATs, not routed */
	bool relayed;		       /* through the relay: two veth pairs */
	const char *relay_a, *relay_b; /* interface names in the relay node */
};

struct plan_route {
	int node;
	int family; /* AF_INET, AF_INET6 */
	struct addr dst;
	uint8_t len;
	bool has_via;
	struct addr via;
	const char *dev; /* interface name; "lo" with blackhole unset */
	bool onlink;
	bool blackhole;
	uint32_t mtu;	 /* 0: the interface's */
	uint32_t advmss; /* that TCP announces; 0: by the interface */
	uint32_t metric; /* 0: the kernel's default */
};

enum daemon_role {
	DAEMON_AUTH_DNS,
	DAEMON_DNS64,
	DAEMON_ROUTING,
	DAEMON_CLAT,
	DAEMON_PLAT,
	DAEMON_RELAY,
	DAEMON_HEALTH, /* checks a PLAT from within */
	DAEMON_RADV,   /* PREF64 advertisements of a tower */
	N_DAEMON_ROLES
};

struct plan_daemon {
	int node;
	enum daemon_role role;
	const char *engine; /* "bind9", "frr", "xlatd", "relay" */
};

enum plan_step_kind {
	STEP_NODE,    /* namespaces and node supervisor; index: node */
	STEP_SYSCTL,  /* index: sysctls */
	STEP_LINK,    /* veth pair(s); index: links */
	STEP_OFFLOAD, /* both ends of a link; index: links */
	STEP_ADDR,    /* addresses of both ends of a link; index: links */
	STEP_LOOP,    /* lo up and loopback addresses; index: node */
	STEP_UP,      /* both ends of a link up; index: links */
	STEP_TBF,     /* shapers of a link; index: links */
	STEP_ROUTE,   /* index: routes */
	STEP_FILE,    /* resolv.conf, hosts of a node; index: node */
	STEP_DAEMON,  /* index: daemons */
};

struct plan_sysctl {
	int node;
	const char *key; /* "net/ipv6/conf/all/forwarding" */
	const char *value;
};

struct plan_step {
	enum plan_step_kind kind;
	int index;
};

struct plan {
	const struct topology *topology;
	struct prefix4 customers4; /* homes' IPv4; len 0: they have none */
	struct plan_node *nodes;
	size_t n_nodes;
	struct plan_link *links;
	size_t n_links;
	struct plan_route *routes;
	size_t n_routes;
	struct plan_sysctl *sysctls;
	size_t n_sysctls;
	struct plan_daemon *daemons; /* in the order of starting */
	size_t n_daemons;
	struct plan_step *steps;
	size_t n_steps;
};

/*
 * plan_new - work out @t. Everything is allocated in @a.
 * Returns NULL with @e set when the address plan does not fit (too many homes
 * for the prefix, pool4 empty, two nodes of one name).
 */
struct plan *plan_new(const struct topology *t, struct arena *a, struct err *e);

/* plan_print - text for people and for golden tests. */
void plan_print(const struct plan *p, FILE *out);

/* plan_step_text / plan_undo_text - one step, and what takes it back. */
const char *plan_step_text(const struct plan *p, size_t step, char *buf,
			   size_t len);
const char *plan_undo_text(const struct plan *p, size_t step, char *buf,
			   size_t len);

/* Lookups by name; -1 when there is none. */
int plan_find_node(const struct plan *p, const char *name);
/* plan_node_of - the first node of @role, or -1. */
int plan_node_of(const struct plan *p, enum node_role role);
/* plan_find_link - either order of the two node names. */
int plan_find_link(const struct plan *p, const char *a, const char *b);
/* plan_find_iface - the link end @node:@iface, or NULL. */
const struct plan_iface *plan_find_iface(const struct plan *p, const char *node,
					 const char *iface);
/* plan_find_daemon - index of the daemon of @role at @node, or -1. */
int plan_find_daemon(const struct plan *p, int node, enum daemon_role role);
/* plan_attach - what the topology says of how it is attached, or NULL. */
const char *plan_attach(const struct plan *p, const struct plan_daemon *d);
/* plan_role_word - "clat", "plat", "dns64", "routing", ... */
const char *plan_role_word(enum daemon_role role);

#endif

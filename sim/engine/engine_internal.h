/* SPDX-License-Identifier: MIT */
/* What the engines share; nobody outside this folder includes it. */
#ifndef ENGINE_ENGINE_INTERNAL_H
#define ENGINE_ENGINE_INTERNAL_H

#include <stdio.h>

#include "../../xlat/base/arena.h"
#include "engine.h"

struct engines {
	struct world *world;
	struct arena *arena;
	struct engine *v;
	size_t n;
	void (*on_fault)(void *arg, const struct engine *en); /* or NULL */
	void *on_fault_arg;
};

extern const struct engine_ops bind9_ops, frr_ops, jool_ops, relay_ops,
	unbound_ops, xlatd_ops, health_ops, nft_nat44_ops, native_ops,
	tayga_ops, radv_ops;

/* engines_new - one for each daemon of the plan, none started. */
struct engines *engines_new(struct world *w, struct err *e);

/* ---- util.c: processes of an engine ---------------------------------------
 */

const struct plan_node *engine_node(const struct engine *en);
const char *engine_dir(const struct engine *en);

/*
 * engine_fault - @en failed by itself, and this is how. Nothing when an event
 * ended it, or when that is known already; the first one of all is kept.
 */
void engine_fault(struct engine *en, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * engine_spawn - start @argv as the engine's next process.
 * @log: file in the node's directory
 */
int engine_spawn(struct engine *en, const char *const *argv, const char *log,
		 struct err *e);
/*
 * engine_spawn_at - the same, at place @at: that of a process that has ended,
 * or n_procs.
 */
int engine_spawn_at(struct engine *en, size_t at, const char *const *argv,
		    const char *log, struct err *e);
/* engine_end_one - tell one process to end; that it does is no fault. */
int engine_end_one(struct engine *en, size_t at, struct err *e);

/*
 * engine_run - run a helper of @node to its end; it must exit with status 0.
 * @out: file in the node's directory for its standard output, or NULL
 */
int engine_run(struct world *w, int node, const char *const *argv,
	       const char *out, struct err *e);

/*
 * engine_poll - call @step now and again from the loop until it returns true
 * (then the engine is serving) or the engine has ended.
 */
int engine_poll(struct engine *en, bool (*step)(struct engine *en),
		struct err *e);
/* engine_await_serving - run the loop until then. */
int engine_await_serving(struct engine *en, struct mono deadline,
			 struct err *e);
/* engine_drop - forget all processes (SIGKILL) and what was being polled. */
void engine_drop(struct engine *en);

/* engine_put - write and close @f, an open_memstream on @text, as a file of
 * the node's directory; frees @text. */
int engine_put(const struct engine *en, const char *name, FILE *f, char **text,
	       size_t *len, struct err *e);

/*
 * engine_connect - to unix socket @path of process @proc as that sees it.
 * Returns a blocking descriptor with a time limit of two seconds, or -errno.
 */
int engine_connect(const struct proc *p, const char *path);
/* engine_listen - inside a node, the other end: a descriptor that does not
 * block, or -errno. */
int engine_listen(const char *path);
/*
 * engine_inquire - send @line to the main process's socket @path. Returns a
 * descriptor as engine_connect() does; the answer is not waited for.
 */
int engine_inquire(struct engine *en, const char *path, const char *line);
/*
 * engine_ask - send @line to the main process's socket @path, read one line.
 * Returns parsed JSON, or NULL with @e set.
 */
json_t *engine_ask(struct engine *en, const char *path, const char *line,
		   struct err *e);

/*
 * host_read - run @argv on the host itself, keep what it prints (both
 * streams). Returns its exit status, or -errno when it can't be started.
 */
int host_read(const char *const *argv, char *buf, size_t len);
/* host_find - full path of @program; -ENOENT when it is not installed. */
int host_find(const char *program, char *path, size_t len);

/* ---- nlroute.c: routes that engines bring and take -------------------------
 */

struct nlroute;

/* nlroute_open - a netlink socket inside @node. */
struct nlroute *nlroute_open(struct world *w, int node, struct err *e);
void nlroute_close(struct nlroute *nr);
/*
 * nlroute_set - add or delete a route out of interface @dev.
 * @mtu: 0: the interface's. There already, or gone already, is no error.
 */
int nlroute_set(struct nlroute *nr, bool add, const struct addr *dst,
		uint8_t len, const char *dev, uint32_t mtu, struct err *e);
/*
 * nlroute_set_via - the same, by way of @via: NULL, or an IPv6 address out of
 * @dev, also for an IPv4 destination (RFC 5549).
 */
int nlroute_set_via(struct nlroute *nr, bool add, const struct addr *dst,
		    uint8_t len, const struct addr *via, const char *dev,
		    uint32_t mtu, struct err *e);
/*
 * nlroute_attach - give interface @dev an address that makes @net its own
 * network, without taking any address of it: for OSPF, which announces at
 * once what is attached. Routes to @net are for nlroute_set.
 */
int nlroute_attach(struct nlroute *nr, bool add, const struct prefix4 *net,
		   const char *dev, struct err *e);
/* nlroute_leads - is there a route to exactly @dst/@len out of @dev? */
bool nlroute_leads(struct nlroute *nr, const struct addr *dst, uint8_t len,
		   const char *dev);
/* nlroute_watch - call @fn after changes of routes in that node. */
int nlroute_watch(struct nlroute *nr, void (*fn)(void *arg), void *arg,
		  struct err *e);

/* ---- announce.c: what a PLAT tells the routers around it ------------------
 */

struct announce;

/*
 * announce_open - for PLAT @en, whose device is ENGINE_PLAT_TUN.
 * @via: the translator's address beyond that device; NULL: it is the device
 * @mtu4: of the route to pool4; 0: the device's
 */
struct announce *announce_open(struct engine *en, const struct in6_addr *via,
			       uint32_t mtu4, struct err *e);
void announce_close(struct announce *a);
/* announce_update - the engine began to serve, or is started anew. */
void announce_update(struct announce *a);

/* ---- ask.c: what a subscriber would try ------------------------------------
 */

/* ask_type - of ipv4only.arpa: synthesised, or where nothing is, A. */
uint16_t ask_type(const struct plan *p);
/* ask_dns - until the server answers NOERROR with at least one record. */
int ask_dns(struct world *w, int node, const struct in6_addr *server,
	    const char *name, uint16_t type, struct mono deadline,
	    struct err *e);
/* ask_put_query - a recursive query; its length, or -errno. @len: 272 do. */
int ask_put_query(uint16_t id, const char *name, uint16_t type, uint8_t *buf,
		  size_t len);
/* ask_echo - until @dst has answered an ICMP echo from each of @nodes, which
 * all ask at once. */
int ask_echo(struct world *w, const int *nodes, size_t n,
	     const struct addr *dst, struct mono deadline, struct err *e);

/* ---- bind9_auth.c, bind9_dns64.c ------------------------------------------
 */

int bind9_auth_configure(struct engine *en, struct err *e);
int bind9_dns64_configure(struct engine *en, struct err *e);
/* bind9_put_hints - where @dns, the root's server, is found: file @name. */
int bind9_put_hints(const struct engine *en, const char *name,
		    const struct plan_node *dns, struct err *e);
/* BIND9_ANCHOR: written by the name server's node, read by the resolvers. */
#define BIND9_ANCHOR "zones/anchor"
#define BIND9_NS     "a.root-servers.net."

/* The device into a PLAT's engine; takes part in OSPF. */
#define ENGINE_PLAT_TUN "nat64"

/* Route maps of a PLAT's ospf6d: its pools as usual, and as a last resort. */
#define FRR_MAP_OWN   "OWN"
#define FRR_MAP_WORST "WORST"

#endif

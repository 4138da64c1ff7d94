/* SPDX-License-Identifier: MIT */
/*
 * An engine is a program or kernel module that plays a role in a node:
 * clat, plat, dns64, routing, the internet's name server, the link relay.
 * One file per engine fills in a struct engine_ops; the table in engine.c
 * lists them all.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <jansson.h>

#include "../world/world.h"

struct engine; /* an engine at work in a node */

struct engine_ops {
	const char *name;   /* "bind9" */
	unsigned int roles; /* bits 1 << enum daemon_role */
	bool spare; /* there is another for each role: a host can do without */

	/*
	 * available - can this host run it?
	 * Fills @version (e.g. "BIND 9.18.49") or @why (what is missing and
	 * how to get it). Returns 0 or -errno.
	 */
	int (*available)(char *version, size_t len, struct err *why);

	/* configure - write its configuration into the node's directory. */
	int (*configure)(struct engine *en, struct err *e);
	/* start - spawn. The engine need not be ready on return. */
	int (*start)(struct engine *en, struct err *e);
	/* ready - wait (on observations, never on time) until it serves.
	 * NULL: as soon as what start() set going has come to its end. */
	int (*ready)(struct engine *en, struct mono deadline, struct err *e);
	/* counters - a JSON object, or NULL when it has none. New reference. */
	json_t *(*counters)(struct engine *en);
	/* keep_tables - as files of the node's directory, at the end of a run
	 * and after counters(); may take a while. NULL: it has none. */
	void (*keep_tables)(struct engine *en);
	/* inquire - put @question without waiting for the answer, which is a
	 * line of JSON. Returns a descriptor to read it from and to close, or
	 * -errno. NULL: it cannot be asked. */
	int (*inquire)(struct engine *en, const char *question);
	/* stop - ask it to end, without waiting for that. SIGTERM follows
	 * after a grace. NULL: SIGTERM at once. */
	void (*stop)(struct engine *en);
	/* ended - its main process is gone, however that came: take away what
	 * outlives it. Not called at teardown; may be NULL. */
	void (*ended)(struct engine *en);
	/* fini - free what configure() put into @state; may be NULL. */
	void (*fini)(struct engine *en);
	/*
	 * set_cost - routing only: OSPF cost of an interface, for @family 4
	 * or 6, or both (0). Lasts: an engine that an event ended begins with
	 * it when it is started again.
	 */
	int (*set_cost)(struct engine *en, const char *iface, int family,
			int64_t cost, struct err *e);
	/* renew - routing only: a graceful restart, without waiting for its
	 * end. */
	int (*renew)(struct engine *en, struct err *e);
};

#define ENGINE_MAX_PROCS 5

struct engine {
	const struct engine_ops *ops;
	struct world *world;
	const struct plan_daemon *daemon;
	struct proc *procs[ENGINE_MAX_PROCS]; /* [0] is the main one */
	size_t n_procs;
	bool expected_down;    /* an event ended it; else an exit is a fault */
	char fault[160];       /* how it ended unexpectedly; "" if it did not */
	char first_fault[160]; /* the same, and no restart takes it away */
	struct mono first_fault_at;
	/* of this folder: see engine_internal.h */
	char programs[ENGINE_MAX_PROCS][16]; /* names of procs */
	bool ending[ENGINE_MAX_PROCS];	     /* told to, by itself */
	struct engines *all;
	struct loop_source *timer;
	bool (*step)(struct engine *en);
	bool serving;
	void *state;
};

/* engine_find - by name and role; NULL when there is none. */
const struct engine_ops *engine_find(const char *name, enum daemon_role role);
/* engine_all - every engine; ends with NULL. For doctor and for spec. */
const struct engine_ops *const *engine_all(void);

/* host_find_own - a program of ours: beside xlatsim when that is run from a
 * build folder, else installed. 0, or -ENOENT. */
int host_find_own(const char *program, char *path, size_t len);

/* engine_raise_tun - a device that its program leaves down: up, with a queue
 * as xlatd's. */
int engine_raise_tun(struct world *w, int node, const char *dev, struct err *e);

/*
 * engine_check_host - every engine that @p names must be available.
 * Returns 0, or -ENOENT with the first that is not, and why.
 */
int engine_check_host(const struct plan *p, struct err *e);

/*
 * engine_advertise - from now on radv @en advertises @p as the NAT64 prefix,
 * and withdraws the one before; NULL: none.
 */
int engine_advertise(struct engine *en, const struct prefix6 *p, struct err *e);
/* radv_main - what advertises inside a tower; argv[0] is "advertise". */
int radv_main(int argc, char **argv);
/* health_main - what checks a PLAT inside its node; argv[0] is "health". */
int health_main(int argc, char **argv);

struct engines; /* all daemons of a world */

/*
 * engines_start - configure and start every daemon of the plan in order;
 * then wait until each is ready and the whole world has converged (pool4 and
 * pool6 at access and border, DNS answers at a home).
 * @on_step: progress, may be NULL. On failure everything is stopped again.
 */
int engines_start(struct world *w, void (*on_step)(void *arg, const char *text),
		  void *arg, struct mono deadline, struct engines **out,
		  struct err *e);
/* engines_stop - in reverse order. NULL is fine. Call before teardown. */
void engines_stop(struct engines *es);
/* engines_get - the engine of @role at @node, or NULL. */
struct engine *engines_get(struct engines *es, int node, enum daemon_role role);
/* engines_on_fault - from now on @fn hears of each engine that ended by itself,
 * or could not go on; NULL: nobody. */
void engines_on_fault(struct engines *es,
		      void (*fn)(void *arg, const struct engine *en),
		      void *arg);
size_t engines_count(const struct engines *es);
struct engine *engines_at(struct engines *es, size_t i);

/* engine_kill - SIGKILL, as a crash. engine_freeze - SIGSTOP / SIGCONT. */
int engine_kill(struct engine *en, struct err *e);
int engine_freeze(struct engine *en, bool stop, struct err *e);
/* engine_end - SIGTERM: it says goodbye, as when an operator stops it. */
int engine_end(struct engine *en, struct err *e);
/* engine_restart - start again after a kill; does not wait for readiness. */
int engine_restart(struct engine *en, struct err *e);
/* engines_restart_node - all daemons of a node that came back (node-up). */
int engines_restart_node(struct engines *es, int node, struct err *e);
/* engine_shape - relay: new settings for relayed link @link. */
int engine_shape(struct engines *es, int link, const struct link_profile *p,
		 struct err *e);

#endif

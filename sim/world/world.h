/* SPDX-License-Identifier: MIT */
/*
 * A plan brought to life: namespaces, links, addresses, routes, processes.
 * The only part of the simulator that needs root.
 */
#ifndef WORLD_WORLD_H
#define WORLD_WORLD_H

#include <signal.h>
#include <sys/types.h>

#include "../../xlat/base/clock.h"
#include "../../xlat/base/err.h"
#include "../../xlat/base/loop.h"
#include "../plan/plan.h"

struct world;
struct proc;

struct world_opts {
	const char *run_id; /* [0-9a-f]{4}: namespaces are xs-RUNID-NODE */
	const char *dir;    /* result directory; nodes/NODE/ is made in it */
	uint64_t seed;
	struct loop *loop; /* child exits and route news arrive here */
	/* progress: called before each step; may be NULL */
	void (*on_step)(void *arg, size_t step, size_t n_steps,
			const char *text);
	void *arg;
};

/*
 * world_new_run_id - reserve a run id that nobody uses; world_build takes it
 * over, world_drop_run_id gives it back if that is never called (after
 * world_build it does nothing). 0 or -errno. Context: root.
 */
int world_new_run_id(char out[5]);
void world_drop_run_id(const char *id);

/*
 * world_build - carry out every step of @p but STEP_DAEMON.
 * On failure all that was done is undone before it returns.
 * Returns 0 or -errno: -EPERM without root, -EINTR when the loop was stopped.
 * Context: root.
 */
int world_build(const struct plan *p, const struct world_opts *o,
		struct world **out, struct err *e);

/*
 * world_teardown - end every process, undo every step in reverse, free.
 * Never fails; what could not be undone is logged. NULL is fine.
 */
void world_teardown(struct world *w);

const struct plan *world_plan(const struct world *w);
struct loop *world_loop(const struct world *w);
uint64_t world_seed(const struct world *w);
/* Where programs are looked for, on the host and in nodes. */
#define WORLD_PATH                                                             \
	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:"        \
	"/usr/lib/frr"

/* world_node_dir - RESULT/nodes/NODE: configuration and logs of its daemons.
 * Inside the node /run and /var/tmp are private and /etc/resolv.conf its own.
 */
const char *world_node_dir(const struct world *w, int node);

/* ---- processes ---------------------------------------------------------- */

struct spawn {
	int node;		 /* -1: in xlatsim's own namespaces */
	const char *const *argv; /* ends with NULL; argv[0] found in PATH with
				    /usr/sbin and /usr/lib/frr added */
	const char *log;	 /* stdout+stderr go to NODE_DIR/log; NULL:
				    /dev/null */
	const char *out;	 /* stdout alone to NODE_DIR/out, emptied first;
				    may be NULL. Both may be full paths. */
	/* exited: called once, from the loop, from proc_stop or from
	 * world_node_down, not at teardown; must not free it; may be NULL */
	void (*on_exit)(void *arg, struct proc *p, int wstatus);
	void *arg;
};

/*
 * world_spawn - start a program in a node.
 * It belongs to the node's PID namespace: it dies with the node, and with
 * xlatsim, however that ends. Freed by proc_free or at teardown.
 */
int world_spawn(struct world *w, const struct spawn *s, struct proc **out,
		struct err *e);

bool proc_running(const struct proc *p);
/* proc_status - wait status once it has ended; -1 before. */
int proc_status(const struct proc *p);
pid_t proc_pid(const struct proc *p);
int proc_signal(struct proc *p, int sig);
/* proc_wait - run the loop until it ends. 0, -ETIMEDOUT, -EINTR. */
int proc_wait(struct proc *p, struct mono deadline);
/* proc_stop - SIGTERM, then SIGKILL after @grace_ns. Waits for the end. */
void proc_stop(struct proc *p, int64_t grace_ns);
/* proc_cpu_ns - CPU time used so far (and after the end), all threads. */
int64_t proc_cpu_ns(const struct proc *p);
/* proc_free - kills it first if it runs. NULL is fine. */
void proc_free(struct proc *p);

/* proc_describe_end - "exited with status 1", "killed by signal 9". */
const char *proc_describe_end(const struct proc *p, char *buf, size_t len);

/* world_enter - fork-free visit: run @fn with this thread in the node's
 * network namespace, e.g. to open a socket there; returns what @fn returns. */
int world_enter(struct world *w, int node, int (*fn)(void *arg), void *arg,
		struct err *e);

/* ---- changes while it lives --------------------------------------------- */

/* world_link_set - both ends of link @link administratively up or down. */
int world_link_set(struct world *w, int link, bool up, struct err *e);
/* world_link_shape - replace a link's tbf shapers (relayed links: see relay) */
int world_link_shape(struct world *w, int link, const struct link_profile *p,
		     struct err *e);
/*
 * world_link_hole - lose every packet that link @link carries down (towards
 * the homes) or up, or let it pass again. Carrier, queues and counters of the
 * sender stay as they are. Twice the same is no error.
 */
int world_link_hole(struct world *w, int link, bool down, bool up,
		    struct err *e);
int world_route_add(struct world *w, const struct plan_route *r, struct err *e);
/* world_node_down - kill all its processes, links down (peers lose carrier). */
int world_node_down(struct world *w, int node, struct err *e);
/* world_node_up - new supervisor, links up, routes that went with them. */
int world_node_up(struct world *w, int node, struct err *e);
bool world_node_alive(const struct world *w, int node);
/* world_node_pid - of the process that is in all its namespaces, as we see it;
 * 0 while it is down. */
pid_t world_node_pid(const struct world *w, int node);
/*
 * world_quota_find - can a node's `cpu` be limited here? 0 with what does it in
 * @text, or -errno.
 */
int world_quota_find(char *text, size_t len);
/* world_freeze - SIGSTOP (or SIGCONT) to every process of the node. */
int world_freeze(struct world *w, int node, bool stop, struct err *e);

/* world_offload_get - settings of node:iface as read back from the kernel. */
int world_offload_get(struct world *w, int node, const char *iface,
		      struct offloads *out, struct err *e);

/* world_offload_set - change settings of node:iface; read back and compared. */
int world_offload_set(struct world *w, int node, const char *iface,
		      const struct offloads *o, struct err *e);

struct iface_stats {
	uint64_t rx_pkts, rx_bytes, rx_dropped, tx_pkts, tx_bytes, tx_dropped;
};
int world_iface_stats(struct world *w, int node, const char *iface,
		      struct iface_stats *out, struct err *e);
bool world_iface_exists(struct world *w, int node, const char *iface);

/* ---- routes, as the kernel announces them -------------------------------- */

struct route_news {
	struct mono when;
	int node;
	bool added;
	struct addr dst;
	uint8_t len;
	struct addr via; /* family 0: none */
	const char *dev; /* interface name; valid during the call */
};

typedef void route_news_fn(void *arg, const struct route_news *n);
/* world_watch_routes - tell @fn of changes in @node (main table only). */
int world_watch_routes(struct world *w, int node, route_news_fn *fn, void *arg,
		       struct err *e);

/*
 * world_await_route - run the loop until @node has a route to exactly
 * @dst/@len (and, if @dev is not NULL, out of that interface), as seen over
 * netlink, without polling. 0, -ETIMEDOUT, -EINTR.
 */
int world_await_route(struct world *w, int node, const struct addr *dst,
		      uint8_t len, const char *dev, struct mono deadline,
		      struct err *e);

/* ---- leftovers of killed runs ------------------------------------------- */

/* A result directory of such a name is removed with what is left of its run. */
#define WORLD_SCRATCH "xlatsim-conform-"

/*
 * world_clean - find, and unless @dry_run remove, what runs that are no
 * longer alive left behind (a live run holds a lock in /run/xlatsim/RUNID).
 * @each: called for every leftover ("namespace xs-7f3a-plat1", "process 4711
 * (named)"); may be NULL. Returns how many, or -errno. Context: root.
 */
int world_clean(bool dry_run, void (*each)(void *arg, const char *what),
		void *arg, struct err *e);

#endif

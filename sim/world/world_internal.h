/* SPDX-License-Identifier: MIT */
/* What the files of this folder share; nobody else includes it. */
#ifndef WORLD_WORLD_INTERNAL_H
#define WORLD_WORLD_INTERNAL_H

#include <linux/if.h>
#include <linux/if_link.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdint.h>

#include "world.h"

/* How long an end that has been ordered (SIGKILL) may take. */
#define KILL_PATIENCE_NS (10 * NS_PER_S)

struct node {
	struct world *w;
	int index;
	const char *name;
	const char *dir;       /* RESULT/nodes/NODE */
	int net_fd;	       /* network namespace; -1: not built */
	bool named;	       /* /run/netns/xs-RUNID-NODE is mounted */
	struct nl_sock *route; /* NETLINK_ROUTE, opened inside */
	struct nl_sock *genl;  /* NETLINK_GENERIC, at first use */
	pid_t pid;	       /* of the supervisor; 0: none */
	int pidfd;
	bool down;	   /* by world_node_down */
	const char *group; /* control group with its quota; NULL: none */
	int group_fd;	   /* its cgroup.procs; -1 */
};

/* One end of a veth pair, as it was made. */
struct veth_end {
	int node;
	const char *name;
	int ifindex;
};

struct watch;

struct world {
	const struct plan *plan;
	char run_id[5];
	const char *dir;
	uint64_t seed;
	struct loop *loop;
	struct arena *arena;
	int lock_fd;		/* /run/xlatsim/RUNID/lock */
	int self_net, self_pid; /* xlatsim's own namespaces */
	int life[2];		/* supervisors read [0]; we hold [1] */
	int ethtool_family;	/* generic netlink id; 0: not asked yet */
	struct node *nodes;
	bool *link_down; /* by world_link_set; index: plan links */
	size_t steps_done;
	struct proc *procs;
	struct watch *watches;
	struct plan_route *added; /* by world_route_add */
	size_t n_added;
};

/* ---- netlink.c ------------------------------------------------------------
 */

typedef int nlm_fn(void *arg, struct nlmsghdr *h);

struct nl_sock *nlm_open(int protocol, struct err *e);
/* nlm_new - a request of @type with its fixed header; NULL: no memory. */
struct nl_msg *nlm_new(int type, int flags, const void *head, size_t len);
/*
 * nlm_talk - send @m (and free it; NULL is -ENOMEM), hand replies to @fn until
 * the kernel says it is done. -errno with the kernel's own words in @e;
 * -EAGAIN: a dump was disturbed by a change.
 */
int nlm_talk(struct nl_sock *sk, struct nl_msg *m, nlm_fn *fn, void *arg,
	     struct err *e);
/* nlm_dump - a dump of @type, repeated until undisturbed; @reset: before each
 * attempt, may be NULL. */
int nlm_dump(struct nl_sock *sk, int type, const void *head, size_t len,
	     void (*reset)(void *arg), nlm_fn *fn, void *arg, struct err *e);

/* ---- node.c ---------------------------------------------------------------
 */

int node_build(struct node *n, struct err *e);
/* node_kill - SIGKILL the supervisor: every process of the node goes. */
void node_kill(struct node *n);
/* node_reap - wait for the end after node_kill. @tell: call on_exit. */
void node_reap(struct node *n, bool tell);
void node_teardown(struct node *n);
int node_start(struct node *n, struct err *e); /* a supervisor */
bool node_running(const struct node *n);
int node_signal_all(struct node *n, int sig, struct err *e);

/* child_reset_signals - in a new child: no handler, nothing ignored or blocked
 */
void child_reset_signals(void);
int node_put_sysctl(struct node *n, const char *key, const char *value,
		    struct err *e);
/* wait_pidfd - until the process has ended; false at @deadline. */
bool wait_pidfd(int pidfd, struct mono deadline);
/* fork_with - clone3(@flags | CLONE_PIDFD); like fork. */
pid_t fork_with(uint64_t flags, int *pidfd);

/* ---- quota.c --------------------------------------------------------------
 */

struct quota_root {
	char path[4096];
	bool v2;
};

/* quota_find - where groups with a share of the processor can be made. */
bool quota_find(struct quota_root *r);
/* quota_has_word - is @word one of those in @text, between blanks? Pure. */
bool quota_has_word(const char *text, const char *word);
/* quota_build - programs of @n have @share of one processor from now on. */
int quota_build(struct node *n, double share, struct err *e);
/* quota_teardown - after its processes have ended; without a quota: nothing */
void quota_teardown(struct node *n);
/* quota_enter - in a new child. Returns 0 or -errno. */
int quota_enter(int group_fd);

/* ---- mounts.c -------------------------------------------------------------
 */

/* mounts_setup - in the supervisor: this node's view of /proc, /run, /etc. */
int mounts_setup(const struct node *n, struct err *e);
/* mounts_write_etc - the files that will be seen as /etc/...; @resolv_conf
 * may be NULL. In place: they may be mounted already. */
int mounts_write_etc(const struct node *n, const char *resolv_conf,
		     struct err *e);

/* ---- names.c: run ids, locks, /run/netns ----------------------------------
 */

#define RUNS_DIR  "/run/xlatsim"
#define NETNS_DIR "/run/netns"

/* lock_take - own @w->run_id from now on. */
int lock_take(struct world *w, struct err *e);
/* lock_note - write into the lock who we are. */
int lock_note(struct world *w, struct err *e);
void lock_drop(struct world *w);
/* own_pid_namespace - "pid:[4026531836]"; 64 bytes do. 0 or -errno. */
int own_pid_namespace(char *buf, size_t len);
/* runs_lock - nobody else makes or removes runs until it is closed. */
int runs_lock(struct err *e);
int netns_name_add(const struct node *n, struct err *e);
void netns_name_del(const struct node *n);

/* ---- proc.c ---------------------------------------------------------------
 */

/* procs_reap - of @node, or of all (-2), after they were killed. */
void procs_reap(struct world *w, int node, bool tell);
void procs_free(struct world *w);

/* ---- link.c ---------------------------------------------------------------
 */

/* link_ends - the ends of both veth pairs of a link, relay's too; returns how
 * many: 2, or 4 when it is relayed. [0] and the last are the outer ones. */
size_t link_ends(const struct world *w, int link, struct veth_end ends[4]);
int link_build(struct world *w, int link, struct err *e);
int link_raise(struct world *w, int link, struct err *e);
/* link_block_icmp - from now on ICMP errors that arrive over @link are lost. */
int link_block_icmp(struct world *w, int link, struct err *e);
int link_end_set(struct world *w, const struct veth_end *end, bool up,
		 struct err *e);
int iface_set(struct node *n, int ifindex, bool up, struct err *e);
struct iface_facts {
	bool found;
	int index;
	uint32_t mtu, flags;
	char name[IFNAMSIZ];
	struct rtnl_link_stats64 stats;
};
/* iface_get - by @name, or by @ifindex where that is NULL. */
int iface_get(struct node *n, const char *name, int ifindex,
	      struct iface_facts *f, struct err *e);
/* iface_name - of @ifindex in @n, as the kernel knows it; "?" when gone. */
void iface_name(struct node *n, int ifindex, char *name);
int iface_index(struct node *n, const char *name, struct err *e);

/* ---- addr.c ---------------------------------------------------------------
 */

int addr_build_link(struct world *w, int link, struct err *e);
int addr_build_loop(struct node *n, struct err *e);

/* ---- verify.c -------------------------------------------------------------
 */

/* world_verify - every link and address of the plan is there as planned. */
int world_verify(struct world *w, struct err *e);

/* ---- route.c --------------------------------------------------------------
 */

int route_build(struct world *w, const struct plan_route *r, struct err *e);
/* routes_restore - static routes of @node out of @dev (NULL: all of them) that
 * went when the interface went down. */
int routes_restore(struct world *w, int node, const char *dev, struct err *e);
/* routes_flush - routes that daemons put there: they died with the node. */
int routes_flush(struct node *n, struct err *e);

/* A route message taken apart; one for each next hop. */
struct route_info {
	struct addr dst, via;
	uint8_t len, protocol;
	int ifindex;
	uint32_t metric;
};
typedef void route_info_fn(void *arg, const struct route_info *ri);
void route_parse(struct nlmsghdr *h, route_info_fn *fn, void *arg);

/* ---- offload.c, tbf.c, watch.c --------------------------------------------
 */

int offload_build(struct world *w, int link, struct err *e);
int tbf_build(struct world *w, int link, const struct link_profile *p,
	      struct err *e);
void watches_free(struct world *w);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * world_build() carries out the plan's steps in order and counts them; what is
 * taken back is the same count of steps in exact reverse. Only a node's undo
 * does anything: it ends the node's processes and drops the last references to
 * its network namespace, with which the kernel removes links, addresses,
 * routes, shapers and settings by itself, in the background. Deleting links
 * one by one would take 16 ms each.
 *
 * Before the first step, and taken back after the last undo: the lock that
 * says this run is alive, descriptors of our own namespaces, and the pipe
 * whose end tells supervisors that xlatsim has ended.
 */
#include "world_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../../xlat/base/arena.h"
#include "../../xlat/base/file.h"
#include "../../xlat/base/log.h"

/* ---- before the first step -------------------------------------------------
 */

static struct world *world_new(const struct plan *p, const struct world_opts *o)
{
	struct arena *a = arena_new();
	struct world *w = ARENA_NEW(a, struct world);

	*w = (struct world){.plan = p,
			    .seed = o->seed,
			    .loop = o->loop,
			    .arena = a,
			    .lock_fd = -1,
			    .self_net = -1,
			    .self_pid = -1,
			    .life = {-1, -1}};
	snprintf(w->run_id, sizeof(w->run_id), "%s", o->run_id);
	w->link_down = arena_alloc(a, (p->n_links + 1) * sizeof(bool));
	w->nodes = arena_alloc(a, (p->n_nodes + 1) * sizeof(*w->nodes));
	for (size_t i = 0; i < p->n_nodes; i++)
		w->nodes[i] = (struct node){.w = w,
					    .index = (int)i,
					    .name = p->nodes[i].name,
					    .net_fd = -1,
					    .group_fd = -1,
					    .pidfd = -1};
	return w;
}

/* The result directory by its full name: nodes have another working
 * directory. */
static int find_dir(struct world *w, const char *dir, struct err *e)
{
	char *full;
	int ret = file_mkdirs(dir, e);

	if (ret)
		return ret;
	full = realpath(dir, NULL);
	if (!full)
		return err_set(e, errno, "%s: %s", dir, strerror(errno));
	w->dir = arena_strdup(w->arena, full);
	free(full);
	for (size_t i = 0; i < w->plan->n_nodes; i++)
		w->nodes[i].dir = arena_printf(w->arena, "%s/nodes/%s", w->dir,
					       w->nodes[i].name);
	return 0;
}

/* A node takes four descriptors, a process one. */
static int raise_fd_limit(const struct world *w, struct err *e)
{
	rlim_t need = 256 + 8 * (rlim_t)w->plan->n_nodes;
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r))
		return err_set(e, errno, "RLIMIT_NOFILE: %s", strerror(errno));
	if (r.rlim_cur >= need)
		return 0;
	r.rlim_cur = need;
	if (r.rlim_max < need)
		r.rlim_max = need;
	if (setrlimit(RLIMIT_NOFILE, &r))
		return err_set(e, errno,
			       "%zu nodes need %llu open files (ulimit -n): %s",
			       w->plan->n_nodes, (unsigned long long)need,
			       strerror(errno));
	return 0;
}

static int world_open(struct world *w, const struct world_opts *o,
		      struct err *e)
{
	int ret;

	if (geteuid() != 0)
		return err_set(e, EPERM, "network namespaces need root: sudo");
	ret = raise_fd_limit(w, e);
	if (!ret)
		ret = lock_take(w, e);
	if (!ret)
		ret = find_dir(w, o->dir, e);
	if (!ret)
		ret = lock_note(w, e);
	if (ret)
		return ret;
	w->self_net = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	w->self_pid = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	if (w->self_net < 0 || w->self_pid < 0 || pipe2(w->life, O_CLOEXEC))
		return err_set(e, errno, "namespaces: %s", strerror(errno));
	return 0;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void world_close(struct world *w)
{
	close_fd(w->life[0]);
	close_fd(w->life[1]);
	close_fd(w->self_net);
	close_fd(w->self_pid);
	lock_drop(w);
	arena_free(w->arena);
}

/* ---- steps -----------------------------------------------------------------
 */

static int build_sysctl(struct world *w, int index, struct err *e)
{
	const struct plan_sysctl *s = &w->plan->sysctls[index];

	return node_put_sysctl(&w->nodes[s->node], s->key, s->value, e);
}

static int build_step(struct world *w, const struct plan_step *s, struct err *e)
{
	switch (s->kind) {
	case STEP_NODE:
		return node_build(&w->nodes[s->index], e);
	case STEP_SYSCTL:
		return build_sysctl(w, s->index, e);
	case STEP_LINK:
		return link_build(w, s->index, e);
	case STEP_OFFLOAD:
		return offload_build(w, s->index, e);
	case STEP_ADDR:
		return addr_build_link(w, s->index, e);
	case STEP_LOOP:
		return addr_build_loop(&w->nodes[s->index], e);
	case STEP_UP:
		return link_raise(w, s->index, e);
	case STEP_TBF:
		return tbf_build(w, s->index, &w->plan->links[s->index].profile,
				 e);
	case STEP_ROUTE:
		return route_build(w, &w->plan->routes[s->index], e);
	case STEP_FILE:
		return mounts_write_etc(&w->nodes[s->index],
					w->plan->nodes[s->index].resolv_conf,
					e);
	case STEP_DAEMON:
		return 0; /* engines are started by the engine folder */
	}
	return err_set(e, EINVAL, "unknown step %d", (int)s->kind);
}

/* Everything else goes with the namespaces. */
static void undo_step(struct world *w, const struct plan_step *s)
{
	if (s->kind == STEP_NODE)
		node_teardown(&w->nodes[s->index]);
}

/* True the second time it is asked: one turn of the loop. */
static bool second_time(void *arg)
{
	bool *asked = arg, was = *asked;

	*asked = true;
	return was;
}

/* Let an interrupt be noticed while building. */
static int breathe(struct world *w)
{
	bool asked = false;
	int ret = loop_run_until(w->loop, second_time, &asked,
				 mono_add(clock_now(), 50 * NS_PER_US));

	return ret == -EINTR ? ret : 0;
}

static int build_steps(struct world *w, const struct world_opts *o,
		       struct err *e)
{
	const struct plan *p = w->plan;
	char text[256];
	int ret;

	for (size_t i = 0; i < p->n_steps; i++) {
		if (p->steps[i].kind == STEP_NODE && breathe(w))
			return err_set(e, EINTR, "interrupted");
		if (o->on_step && p->steps[i].kind != STEP_DAEMON)
			o->on_step(o->arg, i, p->n_steps,
				   plan_step_text(p, i, text, sizeof(text)));
		ret = build_step(w, &p->steps[i], e);
		if (ret)
			return ret;
		w->steps_done = i + 1;
	}
	if (breathe(w))
		return err_set(e, EINTR, "interrupted");
	return world_verify(w, e);
}

int world_build(const struct plan *p, const struct world_opts *o,
		struct world **out, struct err *e)
{
	struct world *w = world_new(p, o);
	int ret;

	*out = NULL;
	ret = world_open(w, o, e);
	if (!ret)
		ret = build_steps(w, o, e);
	if (ret)
		world_teardown(w);
	else
		*out = w;
	return ret;
}

void world_teardown(struct world *w)
{
	if (!w)
		return;
	watches_free(w);
	/* all at once; the undo of each node then waits for its end */
	for (size_t i = 0; i < w->plan->n_nodes; i++)
		node_kill(&w->nodes[i]);
	procs_free(w);
	for (size_t i = w->steps_done; i > 0; i--)
		undo_step(w, &w->plan->steps[i - 1]);
	world_close(w);
}

/* ---- a node's life ---------------------------------------------------------
 */

/* Calls @fn for each outer end of a link at @node. */
static int each_end(struct world *w, int node,
		    int (*fn)(struct world *w, int link,
			      const struct veth_end *end, struct err *e),
		    struct err *e)
{
	int ret = 0;

	for (size_t i = 0; i < w->plan->n_links && !ret; i++) {
		struct veth_end ends[4];
		size_t n = link_ends(w, (int)i, ends);

		for (size_t k = 0; k < n && !ret; k++)
			if (ends[k].node == node)
				ret = fn(w, (int)i, &ends[k], e);
	}
	return ret;
}

static int end_down(struct world *w, int link, const struct veth_end *end,
		    struct err *e)
{
	(void)link;
	return link_end_set(w, end, false, e);
}

static int end_up(struct world *w, int link, const struct veth_end *end,
		  struct err *e)
{
	return w->link_down[link] ? 0 : link_end_set(w, end, true, e);
}

int world_node_down(struct world *w, int node, struct err *e)
{
	struct node *n = &w->nodes[node];
	int ret;

	if (n->down)
		return err_set(e, EALREADY, "node %s is down already", n->name);
	n->down = true;
	/* carrier goes first: a machine that loses its power says no goodbye */
	ret = each_end(w, node, end_down, e);
	node_kill(n);
	node_reap(n, true);
	return ret ? ret : routes_flush(n, e);
}

int world_node_up(struct world *w, int node, struct err *e)
{
	struct node *n = &w->nodes[node];
	int ret;

	if (!n->down)
		return err_set(e, EALREADY, "node %s is up already", n->name);
	ret = node_start(n, e);
	if (ret)
		return ret;
	n->down = false;
	ret = each_end(w, node, end_up, e);
	return ret ? ret : routes_restore(w, node, NULL, e);
}

bool world_node_alive(const struct world *w, int node)
{
	const struct node *n = &w->nodes[node];

	return !n->down && node_running(n);
}

pid_t world_node_pid(const struct world *w, int node)
{
	return world_node_alive(w, node) ? w->nodes[node].pid : 0;
}

int world_freeze(struct world *w, int node, bool stop, struct err *e)
{
	struct node *n = &w->nodes[node];

	if (!node_running(n))
		return err_set(e, EHOSTDOWN, "node %s is down", n->name);
	return node_signal_all(n, stop ? SIGSTOP : SIGCONT, e);
}

/* ---- access ----------------------------------------------------------------
 */

int world_enter(struct world *w, int node, int (*fn)(void *arg), void *arg,
		struct err *e)
{
	int ret;

	if (setns(w->nodes[node].net_fd, CLONE_NEWNET))
		return err_set(e, errno, "node %s: cannot be entered: %s",
			       w->nodes[node].name, strerror(errno));
	ret = fn(arg);
	if (setns(w->self_net, CLONE_NEWNET)) {
		log_err("cannot return to the own network namespace: %s",
			strerror(errno));
		abort();
	}
	return ret;
}

const struct plan *world_plan(const struct world *w)
{
	return w->plan;
}

struct loop *world_loop(const struct world *w)
{
	return w->loop;
}

uint64_t world_seed(const struct world *w)
{
	return w->seed;
}

const char *world_node_dir(const struct world *w, int node)
{
	return node < 0 ? w->dir : w->nodes[node].dir;
}

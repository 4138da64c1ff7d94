/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * zebra, ospf6d and (where a link to another router has IPv4) ospfd. The
 * OSPF daemons start once zebra listens: one that comes too early tries again
 * only after ten seconds. FRR runs as its own user, which may not look into
 * the result directory: configurations are copied to the node's /run/frr.
 *
 * A link costs what the PLAT at one of its ends costs, on both sides, so that
 * both directions prefer the same PLAT. External routes carry metric type 1
 * (link costs count) and all the same metric: the links decide.
 *
 * Who announces what: the access router its towers' prefixes, a PLAT pool6
 * and pool4 as long as the kernel has them (see xlatd.c), the border the
 * default routes. Loopback addresses take part as they are.
 *
 * In OSPFv2 the PLATs are a stub area: pool4 is an attached network, the
 * default route the area border's summary. ospfd computes external routes only
 * one second after a change of topology, and FRR 8.4 was seen to lose the
 * default for good when a link came back within that second.
 *
 * Timers come from the topology. Three of FRR's own are in the way of a
 * second event soon after the first and are turned off: the 5 s between two
 * versions of an LSA (`throttle lsa`), the 1 s between two accepted ones
 * (`min-arrival`), and the 5 s before an unacknowledged one is repeated.
 *
 * With `graceful-restart:` routers help each other (RFC 3623, RFC 5187), and an
 * event restarts the two OSPF daemons of one: told to prepare, they say so to
 * their neighbours, and leave their routes with zebra; those that come back
 * learn from the neighbours what they had said. They must not end before every
 * neighbour has acknowledged that: ospfd does not wait by itself.
 *
 * With `bfd: true` both OSPFs have bfdd watch their neighbours. A routing
 * engine serves when all its sessions are up: they begin at one packet a
 * second, and until then only the dead interval detects anything.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frr.h"
#include "vty.h"

#define ZSERV_SOCKET "/run/frr/zserv.api"

enum { PROC_ZEBRA, PROC_OSPF6D, PROC_OSPFD };

/* The daemons that a graceful restart restarts, each in its place. */
static const struct ospf_daemon {
	const char *name, *conf, *socket, *prepare;
	const char *neighbours, *unacknowledged; /* LSAs, by neighbour */
} ospf_daemons[] = {
	[PROC_OSPF6D] = {"ospf6d", "/run/frr/ospf6d.conf",
			 "/run/frr/ospf6d.vty",
			 "graceful-restart prepare ipv6 ospf",
			 "show ipv6 ospf6 neighbor detail json",
			 "reTransListCount"},
	[PROC_OSPFD] = {"ospfd", "/run/frr/ospfd.conf", "/run/frr/ospfd.vty",
			"graceful-restart prepare ip ospf",
			"show ip ospf neighbor json",
			"linkStateRetransmissionListCounter"},
};

static int frr_available(char *version, size_t len, struct err *why)
{
	static const char *const daemons[] = {"bfdd", "ospf6d", "ospfd",
					      "zebra"};
	char path[128], text[512];
	const char *argv[] = {path, "--version", NULL};

	for (size_t i = 0; i < sizeof(daemons) / sizeof(*daemons); i++)
		if (host_find(daemons[i], path, sizeof(path)))
			return err_set(why, ENOENT,
				       "%s not found: install Debian package "
				       "frr",
				       daemons[i]);
	if (host_read(argv, text, sizeof(text)) ||
	    sscanf(text, "zebra version %63s", path) != 1)
		return err_set(why, ENOEXEC,
			       "zebra --version does not tell a version");
	snprintf(version, len, "FRR %s", path);
	return 0;
}

static void frr_fini(struct engine *en)
{
	struct frr *x = en->state;

	if (!x)
		return;
	free(x->cost4);
	free(x->cost6);
	free(x);
	en->state = NULL;
}

static int open_state(struct engine *en, struct err *e)
{
	const struct plan *p = world_plan(en->world);
	struct frr *x = calloc(1, sizeof(*x));

	en->state = x;
	if (x) {
		x->cost4 = calloc(p->n_links + 1, sizeof(*x->cost4));
		x->cost6 = calloc(p->n_links + 1, sizeof(*x->cost6));
	}
	if (!x || !x->cost4 || !x->cost6) {
		frr_fini(en);
		return err_set(e, ENOMEM, "out of memory");
	}
	for (size_t i = 0; i < p->n_links; i++)
		x->cost4[i] = x->cost6[i] = frr_cost_of(p, &p->links[i]);
	return 0;
}

static int frr_configure(struct engine *en, struct err *e)
{
	int ret = open_state(en, e);

	return ret ? ret : frr_write(en, e);
}

/* ---- life ------------------------------------------------------------------
 */

/* @at: the place of one that has ended, or n_procs: one more. */
static int spawn_daemon(struct engine *en, size_t at, const char *name,
			const char *conf, const char *extra, struct err *e)
{
	char log[32];
	const char *argv[] = {name,	"-P",	       "0",
			      "-f",	conf,	       "--log",
			      "stdout", "--log-level", "informational",
			      extra,	NULL};

	snprintf(log, sizeof(log), "%s.log", name);
	return engine_spawn_at(en, at, argv, log, e);
}

/* What the daemon at @at prints to @line. */
static int ask_daemon(struct engine *en, size_t at, const char *socket,
		      const char *line, char *text, size_t len, struct err *e)
{
	int fd = at < en->n_procs ? engine_connect(en->procs[at], socket)
				  : -ESRCH;
	int ret;

	if (fd < 0)
		return err_set(e, -fd, "%s: %s", socket, strerror(-fd));
	ret = vty_run(fd, "enable", text, len, e);
	if (!ret)
		ret = vty_run(fd, line, text, len, e);
	close(fd);
	return ret;
}

/* How many BFD sessions bfdd has to bring up. */
static size_t count_sessions(const struct engine *en)
{
	const struct plan *p = world_plan(en->world);
	struct ospf_link l;
	size_t n = 0;

	for (size_t i = 0; i < p->n_links; i++)
		if (frr_link(p, en->daemon->node, i, &l))
			n += l.has4 ? 2 : 1;
	return n;
}

static bool bfd_is_up(struct engine *en)
{
	size_t up = 0, i;
	char text[65536];
	json_t *list, *one;
	struct err e;

	list = ask_daemon(en, en->n_procs - 1, "/run/frr/bfdd.vty",
			  "show bfd peers json", text, sizeof(text), &e)
		       ? NULL
		       : json_loads(text, 0, NULL);
	json_array_foreach(list, i, one)
	{
		const char *s =
			json_string_value(json_object_get(one, "status"));

		up += s && !strcmp(s, "up");
	}
	json_decref(list);
	return up >= count_sessions(en);
}

/*
 * A session takes its time, a packet a second, until it is up; only then does
 * it detect anything.
 */
static bool bfd_step(struct engine *en)
{
	struct frr *x = en->state;

	return !frr_has_bfd(en) || (x->asked++ % 20 == 0 && bfd_is_up(en));
}

/* The last of those that are in ospf_daemons. */
static size_t last_ospf(const struct engine *en)
{
	return frr_has_ospf4(en) ? PROC_OSPFD : PROC_OSPF6D;
}

static int spawn_ospf(struct engine *en, struct err *e)
{
	int ret = 0;

	for (size_t i = PROC_OSPF6D; i <= last_ospf(en) && !ret; i++)
		ret = spawn_daemon(en, i, ospf_daemons[i].name,
				   ospf_daemons[i].conf, NULL, e);
	return ret;
}

static bool frr_step(struct engine *en)
{
	struct frr *x = en->state;
	int fd = engine_connect(en->procs[PROC_ZEBRA], ZSERV_SOCKET);
	struct err e;
	int ret;

	if (fd < 0)
		return false;
	close(fd);
	if (x->spawned)
		return bfd_step(en);
	x->spawned = true;
	ret = spawn_ospf(en, &e);
	if (!ret && frr_has_static(en))
		ret = spawn_daemon(en, en->n_procs, "staticd",
				   "/run/frr/staticd.conf", NULL, &e);
	if (!ret && frr_has_bfd(en))
		ret = spawn_daemon(en, en->n_procs, "bfdd",
				   "/run/frr/bfdd.conf", NULL, &e);
	if (ret)
		engine_fault(en, "%.150s", e.text);
	return ret || !frr_has_bfd(en);
}

static int frr_start(struct engine *en, struct err *e)
{
	struct frr *x = en->state;
	bool v4 = frr_has_ospf4(en);
	const char *argv[] = {
		"install",    "-o",	     "frr", "-g", "frr", "-m", "640",
		"zebra.conf", "ospf6d.conf", NULL,  NULL, NULL,	 NULL, NULL};
	size_t n = 9;
	int ret = frr_write(en, e); /* costs may have changed meanwhile */

	x->spawned = false;
	if (v4)
		argv[n++] = "ospfd.conf";
	if (frr_has_static(en))
		argv[n++] = "staticd.conf";
	if (frr_has_bfd(en))
		argv[n++] = "bfdd.conf";
	argv[n] = "/run/frr";
	if (!ret)
		ret = engine_run(en->world, en->daemon->node, argv, NULL, e);
	/* a changed IPv6 route is replaced in one step, not deleted first */
	if (!ret)
		ret = spawn_daemon(en, PROC_ZEBRA, "zebra",
				   "/run/frr/zebra.conf", "--v6-rr-semantics",
				   e);
	return ret ? ret : engine_poll(en, frr_step, e);
}

static int await_neighbour(struct engine *en, const struct ospf_link *l,
			   struct mono deadline, struct err *e)
{
	const struct plan_node *far =
		&world_plan(en->world)->nodes[l->far->node];
	struct addr a6 = {.family = AF_INET6, .v6 = far->loop6};
	struct addr a4 = {.family = AF_INET, .v4 = far->loop4};
	int ret = world_await_route(en->world, en->daemon->node, &a6, 128, NULL,
				    deadline, e);

	if (!ret && l->has4 && far->loop4.s_addr)
		ret = world_await_route(en->world, en->daemon->node, &a4, 32,
					NULL, deadline, e);
	if (ret == -ETIMEDOUT)
		err_prefix(e, "OSPF does not reach %s", far->name);
	return ret;
}

/* Ready when every neighbour's own address has been learnt. */
static int frr_ready(struct engine *en, struct mono deadline, struct err *e)
{
	const struct plan *p = world_plan(en->world);
	int ret = engine_await_serving(en, deadline, e);
	struct ospf_link l;

	for (size_t i = 0; i < p->n_links && !ret; i++)
		if (frr_link(p, en->daemon->node, i, &l))
			ret = await_neighbour(en, &l, deadline, e);
	return en->fault[0] ? err_set(e, ECHILD, "%s", en->fault) : ret;
}

/* ---- a graceful restart ----------------------------------------------------
 */

static int prepare(struct engine *en, size_t at, struct err *e)
{
	const struct ospf_daemon *d = &ospf_daemons[at];
	char said[4096];
	int ret = ask_daemon(en, at, d->socket, d->prepare, said, sizeof(said),
			     e);

	if (ret)
		err_prefix(e, "FRR at %s", engine_node(en)->name);
	return ret;
}

/* The sum of all numbers named @key, however deep. */
static json_int_t add_up(const json_t *j, const char *key)
{
	json_t *list = (json_t *)(uintptr_t)j, *v;
	json_int_t sum = 0;
	const char *name;
	size_t i;

	json_object_foreach(list, name, v)
	{
		sum += strcmp(name, key) ? add_up(v, key)
					 : json_integer_value(v);
	}
	json_array_foreach(list, i, v)
	{
		sum += add_up(v, key);
	}
	return sum;
}

/* Every neighbour has acknowledged what it was told. */
static bool is_heard(struct engine *en, size_t at)
{
	const struct ospf_daemon *d = &ospf_daemons[at];
	char text[65536];
	struct err e;
	json_t *j = ask_daemon(en, at, d->socket, d->neighbours, text,
			       sizeof(text), &e)
			    ? NULL
			    : json_loads(text, 0, NULL);
	bool heard = j && !add_up(j, d->unacknowledged);

	json_decref(j);
	return heard;
}

static bool has_ended(struct engine *en, size_t at)
{
	return !proc_running(en->procs[at]);
}

static bool listens(struct engine *en, size_t at)
{
	int fd = engine_connect(en->procs[at], ospf_daemons[at].socket);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int end_ospf(struct engine *en, struct err *e)
{
	int ret = 0;

	for (size_t i = PROC_OSPF6D; i <= last_ospf(en) && !ret; i++)
		ret = engine_end_one(en, i, e);
	return ret;
}

static bool renew_step(struct engine *en)
{
	static const struct {
		bool (*over)(struct engine *en, size_t at);
		int (*next)(struct engine *en, struct err *e);
	} stages[] = {
		{is_heard, end_ospf}, {has_ended, spawn_ospf}, {listens, NULL}};
	struct frr *x = en->state;
	struct err e;

	for (size_t i = PROC_OSPF6D; i <= last_ospf(en); i++)
		if (!stages[x->renewing].over(en, i))
			return false;
	if (!stages[x->renewing].next)
		return true;
	if (!stages[x->renewing++].next(en, &e))
		return false;
	engine_fault(en, "%.150s", e.text);
	return true;
}

static int frr_renew(struct engine *en, struct err *e)
{
	struct frr *x = en->state;
	int ret = 0;

	if (!en->serving)
		return err_set(e, EBUSY, "FRR at %s does not serve",
			       engine_node(en)->name);
	for (size_t i = PROC_OSPF6D; i <= last_ospf(en) && !ret; i++)
		ret = prepare(en, i, e);
	x->renewing = 0;
	en->serving = false;
	return ret ? ret : engine_poll(en, renew_step, e);
}

/* ---- changes ---------------------------------------------------------------
 */

static int vty_set_cost(struct engine *en, size_t proc, const char *socket,
			const char *iface, const char *command, struct err *e)
{
	char select[64];
	const char *lines[] = {select, command, NULL};
	int fd = proc < en->n_procs ? engine_connect(en->procs[proc], socket)
				    : -ESRCH;
	int ret;

	if (fd < 0)
		return err_set(e, -fd, "FRR at %s: %s: %s",
			       engine_node(en)->name, socket, strerror(-fd));
	snprintf(select, sizeof(select), "interface %s", iface);
	ret = vty_configure(fd, lines, e);
	close(fd);
	if (ret)
		err_prefix(e, "FRR at %s", engine_node(en)->name);
	return ret;
}

static int set_cost6(struct engine *en, const struct ospf_link *l, int64_t cost,
		     struct err *e)
{
	char command[64];

	snprintf(command, sizeof(command), "ipv6 ospf6 cost %lld",
		 (long long)cost);
	return vty_set_cost(en, PROC_OSPF6D, ospf_daemons[PROC_OSPF6D].socket,
			    l->near->name, command, e);
}

static int set_cost4(struct engine *en, const struct ospf_link *l, int64_t cost,
		     struct err *e)
{
	char command[64];

	snprintf(command, sizeof(command), "ip ospf cost %lld",
		 (long long)cost);
	return vty_set_cost(en, PROC_OSPFD, ospf_daemons[PROC_OSPFD].socket,
			    l->near->name, command, e);
}

static int frr_set_cost(struct engine *en, const char *iface, int family,
			int64_t cost, struct err *e)
{
	const struct plan *p = world_plan(en->world);
	bool live = !en->expected_down, found = false;
	struct frr *x = en->state;
	struct ospf_link l = {0};
	int ret = 0;

	for (size_t i = 0; i < p->n_links && !found; i++)
		found = frr_link(p, en->daemon->node, i, &l) &&
			!strcmp(l.near->name, iface);
	if (!found)
		return err_set(e, ENOENT, "%s:%s takes no part in OSPF",
			       engine_node(en)->name, iface);
	/* one that is down will begin with it */
	if (live && family != 4)
		ret = set_cost6(en, &l, cost, e);
	if (!ret && family != 4)
		x->cost6[l.index] = cost;
	if (!ret && live && family != 6 && l.has4)
		ret = set_cost4(en, &l, cost, e);
	if (!ret && family != 6)
		x->cost4[l.index] = cost;
	return ret;
}

const struct engine_ops frr_ops = {
	.name = "frr",
	.roles = 1u << DAEMON_ROUTING,
	.available = frr_available,
	.configure = frr_configure,
	.start = frr_start,
	.ready = frr_ready,
	.fini = frr_fini,
	.set_cost = frr_set_cost,
	.renew = frr_renew,
};

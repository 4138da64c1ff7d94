/* SPDX-License-Identifier: MIT */
/* What each `do:` word does to the world. */
#include "timeline_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int role_of(const struct event_spec *ev)
{
	static const enum daemon_role roles[] = {DAEMON_PLAT, DAEMON_CLAT,
						 DAEMON_DNS64, DAEMON_ROUTING,
						 DAEMON_HEALTH};

	if (!ev->role)
		return DAEMON_PLAT;
	for (size_t i = 0; i < sizeof(roles) / sizeof(*roles); i++)
		if (!strcmp(ev->role, plan_role_word(roles[i])))
			return (int)roles[i];
	return -1;
}

static int find_engine(struct timeline *t, const struct event_spec *ev,
		       struct engine **out, struct err *e)
{
	const struct plan *p = world_plan(t->world);
	int role = role_of(ev), node = plan_find_node(p, ev->node);

	*out = role < 0 || node < 0
		       ? NULL
		       : engines_get(t->engines, node, (enum daemon_role)role);
	if (!*out)
		return err_set(e, ENOENT, "no %s engine runs on %s",
			       ev->role ? ev->role : "plat", ev->node);
	return 0;
}

static int run_engine_event(struct timeline *t, const struct event_spec *ev,
			    struct err *e)
{
	struct engine *en;
	int ret = find_engine(t, ev, &en, e);

	if (ret)
		return ret;
	if (ev->kind == EVENT_ENGINE_KILL)
		return engine_kill(en, e);
	if (ev->kind == EVENT_ENGINE_END)
		return engine_end(en, e);
	return engine_restart(en, e);
}

static int run_engine_freeze(struct timeline *t, const struct event_spec *ev,
			     struct err *e)
{
	struct engine *en;
	int ret = find_engine(t, ev, &en, e);

	return ret ? ret : engine_freeze(en, ev->kind == EVENT_ENGINE_STOP, e);
}

/* ---- links -----------------------------------------------------------------
 */

static int find_link(struct timeline *t, const struct event_spec *ev,
		     struct err *e)
{
	int link = plan_find_link(world_plan(t->world), ev->link_a, ev->link_b);

	if (link < 0)
		return err_set(e, ENOENT, "there is no link %s-%s", ev->link_a,
			       ev->link_b);
	return link;
}

static int run_link_set(struct timeline *t, const struct event_spec *ev,
			struct err *e)
{
	int link = find_link(t, ev, e);

	if (link < 0)
		return link;
	return world_link_set(t->world, link, ev->kind == EVENT_LINK_UP, e);
}

static int run_shape(struct timeline *t, const struct event_spec *ev,
		     struct err *e)
{
	int link = find_link(t, ev, e);

	if (link < 0)
		return link;
	if (world_plan(t->world)->links[link].relayed)
		return engine_shape(t->engines, link, &ev->shape, e);
	return world_link_shape(t->world, link, &ev->shape, e);
}

static int run_hole(struct timeline *t, const struct event_spec *ev,
		    struct err *e)
{
	int link = find_link(t, ev, e);

	if (link < 0)
		return link;
	return world_link_hole(t->world, link, ev->hole_down, ev->hole_up, e);
}

/* ---- nodes -----------------------------------------------------------------
 */

static int find_node(struct timeline *t, const struct event_spec *ev,
		     struct err *e)
{
	int node = plan_find_node(world_plan(t->world), ev->node);

	if (node < 0)
		return err_set(e, ENOENT, "there is no node %s", ev->node);
	return node;
}

static int node_down(struct timeline *t, int node, struct err *e)
{
	for (size_t i = 0; i < engines_count(t->engines); i++) {
		struct engine *en = engines_at(t->engines, i);

		if (en->daemon->node == node)
			en->expected_down = true;
	}
	return world_node_down(t->world, node, e);
}

static int node_up(struct timeline *t, int node, struct err *e)
{
	int ret = world_node_up(t->world, node, e);

	return ret ? ret : engines_restart_node(t->engines, node, e);
}

static int run_node_down(struct timeline *t, const struct event_spec *ev,
			 struct err *e)
{
	int node = find_node(t, ev, e);

	return node < 0 ? node : node_down(t, node, e);
}

static int run_node_up(struct timeline *t, const struct event_spec *ev,
		       struct err *e)
{
	int node = find_node(t, ev, e);

	return node < 0 ? node : node_up(t, node, e);
}

static int run_node_freeze(struct timeline *t, const struct event_spec *ev,
			   struct err *e)
{
	int node = find_node(t, ev, e);

	if (node < 0)
		return node;
	return world_freeze(t->world, node, ev->kind == EVENT_NODE_FREEZE, e);
}

static int run_offload(struct timeline *t, const struct event_spec *ev,
		       struct err *e)
{
	int node = find_node(t, ev, e);

	return node < 0 ? node
			: world_offload_set(t->world, node, ev->iface,
					    &ev->offloads, e);
}

/* ---- machines of the cluster -----------------------------------------------
 */

/* A node waits for the cluster to start it elsewhere. */
struct revival {
	struct timeline *t;
	int node;
	const char *on;		   /* NULL: a machine without a name */
	struct loop_source *timer; /* NULL: it has been */
	struct revival *next;
};

static void revive(void *arg, struct mono due)
{
	struct revival *r = arg;
	struct timeline *t = r->t;
	const char *name = world_plan(t->world)->nodes[r->node].name;
	struct err e;

	(void)due;
	r->timer = NULL;
	if (t->over || world_node_alive(t->world, r->node))
		return; /* someone started it by hand */
	timeline_happened(t, t->zero, clock_now(), 0, "event",
			  "the cluster starts %s%s%s", name,
			  r->on ? " on " : "", r->on ? r->on : "");
	if (node_up(t, r->node, &e))
		t->broken = arena_printf(t->arena, "%s: %s", name, e.text);
}

/* Where @node runs by now: the cluster may have moved it. */
static const char *host_of(struct timeline *t, int node)
{
	const struct plan *p = world_plan(t->world);

	if (!t->hosts) {
		t->hosts = arena_alloc(t->arena,
				       (p->n_nodes + 1) * sizeof(*t->hosts));
		for (size_t i = 0; i < p->n_nodes; i++)
			t->hosts[i] = p->nodes[i].plat ? p->nodes[i].plat->host
						       : NULL;
	}
	return t->hosts[node];
}

static int node_dies_with_host(struct timeline *t, int node,
			       const struct host_spec *h, struct err *e)
{
	struct revival *r = ARENA_NEW(t->arena, struct revival);
	struct mono at = mono_add(clock_now(), (int64_t)h->restart_after_ns);
	int ret = node_down(t, node, e);

	if (ret)
		return ret;
	*r = (struct revival){
		.t = t, .node = node, .on = h->restart_on, .next = t->revivals};
	t->revivals = r;
	t->hosts[node] = h->restart_on;
	r->timer = loop_add_timer(world_loop(t->world), at, revive, r);
	return r->timer ? 0 : err_set(e, errno, "loop: %s", strerror(errno));
}

void events_forget(struct timeline *t)
{
	for (struct revival *r = t->revivals; r; r = r->next)
		loop_del(world_loop(t->world), r->timer);
	t->revivals = NULL;
}

static int run_host_down(struct timeline *t, const struct event_spec *ev,
			 struct err *e)
{
	const struct topology *topo = t->scenario->topology;
	const struct plan *p = world_plan(t->world);
	const struct host_spec *h = NULL;
	int hit = 0;

	for (size_t i = 0; i < topo->n_hosts; i++)
		if (!strcmp(topo->hosts[i].name, ev->host))
			h = &topo->hosts[i];
	for (int i = 0; h && i < (int)p->n_nodes; i++) {
		const char *on = host_of(t, i);
		int ret;

		if (!on || strcmp(on, ev->host) != 0 ||
		    !world_node_alive(t->world, i))
			continue;
		ret = node_dies_with_host(t, i, h, e);
		if (ret)
			return ret;
		hit++;
	}
	if (!hit)
		return err_set(e, ENOENT, "nothing runs on host %s", ev->host);
	return 0;
}

/* ---- costs -----------------------------------------------------------------
 */

/* The cost of a node: of its routed links, at both ends, in both families. */
static int run_set_cost(struct timeline *t, const struct event_spec *ev,
			struct err *e)
{
	const struct plan *p = world_plan(t->world);
	int node = plan_find_node(p, ev->node), changed = 0;

	for (size_t i = 0; i < p->n_links; i++) {
		const struct plan_iface *ends[] = {&p->links[i].a,
						   &p->links[i].b};
		struct engine *en[2];

		if (p->links[i].standby ||
		    (ends[0]->node != node && ends[1]->node != node))
			continue;
		for (int k = 0; k < 2; k++)
			en[k] = engines_get(t->engines, ends[k]->node,
					    DAEMON_ROUTING);
		if (!en[0] || !en[1])
			continue;
		for (int k = 0; k < 2; k++) {
			int ret = en[k]->ops->set_cost(en[k], ends[k]->name,
						       ev->family, ev->cost, e);

			if (ret)
				return ret;
		}
		changed++;
	}
	if (!changed)
		return err_set(e, ENOENT,
			       "%s has no routed link whose "
			       "cost could be set",
			       ev->node);
	return 0;
}

/* ---- all of them, by kind --------------------------------------------------
 */

static int run_advertise(struct timeline *t, const struct event_spec *ev,
			 struct err *e)
{
	int node = find_node(t, ev, e);
	struct engine *en;

	if (node < 0)
		return node;
	en = engines_get(t->engines, node, DAEMON_RADV);
	if (!en)
		return err_set(e, ENOENT, "%s does not advertise", ev->node);
	return engine_advertise(en, ev->prefix.len ? &ev->prefix : NULL, e);
}

static int run_renew(struct timeline *t, const struct event_spec *ev,
		     struct err *e)
{
	int node = find_node(t, ev, e);
	struct engine *en;

	if (node < 0)
		return node;
	en = engines_get(t->engines, node, DAEMON_ROUTING);
	if (!en)
		return err_set(e, ENOENT, "no routing engine runs on %s",
			       ev->node);
	return en->ops->renew(en, e);
}

enum named_by { BY_LINK, BY_NODE, BY_HOST, BY_AWAIT };

static const struct {
	int (*run)(struct timeline *t, const struct event_spec *ev,
		   struct err *e); /* NULL: not carried out by itself */
	enum named_by named;
} table[] = {
	[EVENT_LINK_DOWN] = {run_link_set, BY_LINK},
	[EVENT_LINK_UP] = {run_link_set, BY_LINK},
	[EVENT_ENGINE_KILL] = {run_engine_event, BY_NODE},
	[EVENT_ENGINE_START] = {run_engine_event, BY_NODE},
	[EVENT_ENGINE_STOP] = {run_engine_freeze, BY_NODE},
	[EVENT_ENGINE_CONT] = {run_engine_freeze, BY_NODE},
	[EVENT_NODE_DOWN] = {run_node_down, BY_NODE},
	[EVENT_NODE_UP] = {run_node_up, BY_NODE},
	[EVENT_SET_COST] = {run_set_cost, BY_NODE},
	[EVENT_SHAPE] = {run_shape, BY_LINK},
	[EVENT_BLACK_HOLE] = {run_hole, BY_LINK},
	[EVENT_BLACK_HOLE_END] = {run_hole, BY_LINK},
	[EVENT_NODE_FREEZE] = {run_node_freeze, BY_NODE},
	[EVENT_NODE_THAW] = {run_node_freeze, BY_NODE},
	[EVENT_ENGINE_END] = {run_engine_event, BY_NODE},
	[EVENT_HOST_DOWN] = {run_host_down, BY_HOST},
	[EVENT_OFFLOAD] = {run_offload, BY_NODE},
	[EVENT_ADVERTISE] = {run_advertise, BY_NODE},
	[EVENT_RENEW] = {run_renew, BY_NODE},
	[EVENT_FLAP] = {NULL, BY_LINK}, /* played as downs and ups */
	[EVENT_AWAIT_ROUTE] = {NULL, BY_AWAIT},
	[EVENT_AWAIT_PING] = {NULL, BY_AWAIT},
};

int event_run(struct timeline *t, const struct event_spec *ev, struct err *e)
{
	int ret;

	if (table[ev->kind].run)
		ret = table[ev->kind].run(t, ev, e);
	else
		ret = err_set(e, EINVAL, "%s is not carried out by itself",
			      event_words[ev->kind]);
	if (ret)
		err_prefix(e, "%s:%u", ev->pos.file ? ev->pos.file : "?",
			   ev->pos.line);
	return ret;
}

static void link_text(const struct event_spec *ev, char *buf, size_t len)
{
	snprintf(buf, len, "%s %s-%s%s", event_words[ev->kind], ev->link_a,
		 ev->link_b,
		 ev->hole_down == ev->hole_up ? ""
		 : ev->hole_down	      ? ", down only"
					      : ", up only");
}

static void offload_text(const struct event_spec *ev, char *buf, size_t len)
{
	const struct {
		const char *word;
		enum offload_state state;
	} v[] = {{"tso", ev->offloads.tso},
		 {"gso", ev->offloads.gso},
		 {"gro", ev->offloads.gro},
		 {"tx-checksum", ev->offloads.tx_checksum},
		 {"rx-checksum", ev->offloads.rx_checksum}};
	size_t n = (size_t)snprintf(buf, len, "%s %s:%s", event_words[ev->kind],
				    ev->node, ev->iface);

	for (size_t i = 0; i < sizeof(v) / sizeof(*v) && n < len; i++)
		if (v[i].state != OFFLOAD_KEEP)
			n += (size_t)snprintf(
				buf + n, len - n, " %s %s", v[i].word,
				v[i].state == OFFLOAD_ON ? "on" : "off");
}

static void node_text(const struct event_spec *ev, char *buf, size_t len)
{
	char prefix[ADDR_TEXT_LEN];

	if (ev->kind == EVENT_SET_COST)
		snprintf(buf, len, "%s %s to %lld%s", event_words[ev->kind],
			 ev->node, (long long)ev->cost,
			 ev->family == 4   ? " (IPv4)"
			 : ev->family == 6 ? " (IPv6)"
					   : "");
	else if (ev->kind == EVENT_OFFLOAD)
		offload_text(ev, buf, len);
	else if (ev->kind == EVENT_ADVERTISE)
		snprintf(buf, len, "%s %s: %s", event_words[ev->kind], ev->node,
			 ev->prefix.len ? prefix6_format(&ev->prefix, prefix)
					: "none");
	else
		snprintf(buf, len, "%s %s%s%s", event_words[ev->kind], ev->node,
			 ev->role ? " " : "", ev->role ? ev->role : "");
}

static void await_text(const struct event_spec *ev, char *buf, size_t len)
{
	const char *name = ev->name ? ev->name : "await";

	if (ev->kind == EVENT_AWAIT_PING)
		snprintf(buf, len, "%s: %s answers %s", name, ev->to, ev->node);
	else
		snprintf(buf, len, "%s: %s routes %s via %s", name, ev->node,
			 ev->to, ev->via ? ev->via : "anyone");
}

const char *event_text(const struct event_spec *ev, char *buf, size_t len)
{
	switch (table[ev->kind].named) {
	case BY_LINK:
		link_text(ev, buf, len);
		break;
	case BY_NODE:
		node_text(ev, buf, len);
		break;
	case BY_HOST:
		snprintf(buf, len, "%s %s", event_words[ev->kind], ev->host);
		break;
	case BY_AWAIT:
		await_text(ev, buf, len);
		break;
	}
	return buf;
}

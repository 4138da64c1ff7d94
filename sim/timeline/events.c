/* SPDX-License-Identifier: MIT */
/* What each `do:` word does to the world. */
#include "timeline_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int role_of(const struct event_spec *ev)
{
	static const enum daemon_role roles[] = {DAEMON_PLAT, DAEMON_CLAT,
						 DAEMON_DNS64, DAEMON_ROUTING};

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
		return err_set(e, ENOENT, "%s:%u: no %s engine runs on %s",
			       ev->pos.file, ev->pos.line,
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
	if (ev->kind == EVENT_ENGINE_START)
		return engine_restart(en, e);
	return engine_freeze(en, ev->kind == EVENT_ENGINE_STOP, e);
}

static int run_link_event(struct timeline *t, const struct event_spec *ev,
			  struct err *e)
{
	const struct plan *p = world_plan(t->world);
	int link = plan_find_link(p, ev->link_a, ev->link_b);

	if (link < 0)
		return err_set(e, ENOENT, "%s:%u: there is no link %s-%s",
			       ev->pos.file, ev->pos.line, ev->link_a,
			       ev->link_b);
	if (ev->kind != EVENT_SHAPE)
		return world_link_set(t->world, link, ev->kind == EVENT_LINK_UP,
				      e);
	if (p->links[link].relayed)
		return engine_shape(t->engines, link, &ev->shape, e);
	return world_link_shape(t->world, link, &ev->shape, e);
}

static int run_node_event(struct timeline *t, const struct event_spec *ev,
			  struct err *e)
{
	int node = plan_find_node(world_plan(t->world), ev->node);
	int ret;

	if (node < 0)
		return err_set(e, ENOENT, "%s:%u: there is no node %s",
			       ev->pos.file, ev->pos.line, ev->node);
	if (ev->kind == EVENT_NODE_UP) {
		ret = world_node_up(t->world, node, e);
		return ret ? ret : engines_restart_node(t->engines, node, e);
	}
	for (size_t i = 0; i < engines_count(t->engines); i++) {
		struct engine *en = engines_at(t->engines, i);

		if (en->daemon->node == node)
			en->expected_down = true;
	}
	return world_node_down(t->world, node, e);
}

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

		if (ends[0]->node != node && ends[1]->node != node)
			continue;
		for (int k = 0; k < 2; k++)
			en[k] = engines_get(t->engines, ends[k]->node,
					    DAEMON_ROUTING);
		if (!en[0] || !en[1])
			continue;
		for (int k = 0; k < 2; k++) {
			int ret = en[k]->ops->set_cost(en[k], ends[k]->name,
						       ev->cost, e);

			if (ret)
				return ret;
		}
		changed++;
	}
	if (!changed)
		return err_set(e, ENOENT,
			       "%s:%u: %s has no routed link whose "
			       "cost could be set",
			       ev->pos.file, ev->pos.line, ev->node);
	return 0;
}

int event_run(struct timeline *t, const struct event_spec *ev, struct err *e)
{
	switch (ev->kind) {
	case EVENT_LINK_DOWN:
	case EVENT_LINK_UP:
	case EVENT_SHAPE:
		return run_link_event(t, ev, e);
	case EVENT_ENGINE_KILL:
	case EVENT_ENGINE_START:
	case EVENT_ENGINE_STOP:
	case EVENT_ENGINE_CONT:
		return run_engine_event(t, ev, e);
	case EVENT_NODE_DOWN:
	case EVENT_NODE_UP:
		return run_node_event(t, ev, e);
	case EVENT_SET_COST:
		return run_set_cost(t, ev, e);
	case EVENT_AWAIT_ROUTE:
	case EVENT_AWAIT_PING:
		break;
	}
	return err_set(e, EINVAL, "%s:%u: an await is not carried out",
		       ev->pos.file, ev->pos.line);
}

const char *event_text(const struct event_spec *ev, char *buf, size_t len)
{
	const char *word = event_words[ev->kind];

	switch (ev->kind) {
	case EVENT_LINK_DOWN:
	case EVENT_LINK_UP:
	case EVENT_SHAPE:
		snprintf(buf, len, "%s %s-%s", word, ev->link_a, ev->link_b);
		break;
	case EVENT_SET_COST:
		snprintf(buf, len, "%s %s to %lld", word, ev->node,
			 (long long)ev->cost);
		break;
	case EVENT_AWAIT_ROUTE:
		snprintf(buf, len, "%s: %s routes %s via %s",
			 ev->name ? ev->name : "await", ev->node, ev->to,
			 ev->via ? ev->via : "anyone");
		break;
	case EVENT_AWAIT_PING:
		snprintf(buf, len, "%s: %s answers %s",
			 ev->name ? ev->name : "await", ev->to, ev->node);
		break;
	default:
		snprintf(buf, len, "%s %s%s%s", word, ev->node,
			 ev->role ? " " : "", ev->role ? ev->role : "");
		break;
	}
	return buf;
}

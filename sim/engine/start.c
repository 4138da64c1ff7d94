/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Everything is started in the plan's order but the DNS64 resolvers and who
 * asks them: a resolver that finds no route to the root at its first question
 * holds that against the root for a while. They follow once OSPF is ready.
 *
 * Then the world is waited for from the inside out: routing, the pools at both
 * ends of the PLATs, the way back to the subscribers, and at last what a
 * subscriber does: a name, and an IPv4 literal through CLAT and PLAT. Each
 * wait ends by an observation or by the one deadline of all.
 */
#include <errno.h>
#include <string.h>

#include "engine_internal.h"

struct starting {
	struct engines *es;
	const struct plan *p;
	void (*on_step)(void *arg, const char *text);
	void *arg;
	struct mono deadline;
};

static void tell(const struct starting *s, const char *verb,
		 const struct engine *en)
{
	char text[128];

	if (!s->on_step)
		return;
	snprintf(text, sizeof(text), "%s %s (%s) at %s", verb, en->ops->name,
		 plan_role_word(en->daemon->role), engine_node(en)->name);
	s->on_step(s->arg, text);
}

static int blame(int ret, const struct engine *en, struct err *e)
{
	if (ret)
		err_prefix(e, "%s (%s) at %s", en->ops->name,
			   plan_role_word(en->daemon->role),
			   engine_node(en)->name);
	return ret;
}

/* CLATs that learn the PLATs' prefix by DNS need the resolvers. */
static bool is_late(const struct engine *en)
{
	if (en->daemon->role == DAEMON_CLAT)
		return engine_node(en)->tower->homes.pref64 == PREF64_DNS;
	return en->daemon->role == DAEMON_DNS64 ||
	       en->daemon->role == DAEMON_HEALTH;
}

static int start_all(struct starting *s, bool late, struct err *e)
{
	for (size_t i = 0; i < s->es->n; i++) {
		struct engine *en = &s->es->v[i];
		int ret;

		if (is_late(en) != late)
			continue;
		tell(s, "starting", en);
		ret = en->ops->configure(en, e);
		if (!ret)
			ret = en->ops->start(en, e);
		if (ret)
			return blame(ret, en, e);
	}
	return 0;
}

static int await_all(struct starting *s, bool late, struct err *e)
{
	for (size_t i = 0; i < s->es->n; i++) {
		struct engine *en = &s->es->v[i];
		int ret;

		if (is_late(en) != late)
			continue;
		tell(s, "waiting for", en);
		ret = en->ops->ready ? en->ops->ready(en, s->deadline, e)
				     : engine_await_serving(en, s->deadline, e);
		if (ret)
			return blame(ret, en, e);
	}
	return 0;
}

/* ---- convergence -----------------------------------------------------------
 */

/* The name of the interface at @node towards the PLAT that OSPF prefers. */
static const char *best_plat(const struct plan *p, int node)
{
	const struct plat_spec *best = NULL;
	const char *dev = NULL;

	for (size_t i = 0; i < p->n_links; i++) {
		const struct plan_link *l = &p->links[i];
		const struct plan_iface *near =
			l->a.node == node ? &l->a : &l->b;
		const struct plan_iface *far =
			l->a.node == node ? &l->b : &l->a;
		const struct plat_spec *plat = p->nodes[far->node].plat;

		if (near->node != node || !plat ||
		    plan_find_daemon(p, far->node, DAEMON_PLAT) < 0)
			continue;
		if (best && plat->ospf_cost == best->ospf_cost)
			return NULL; /* either will do */
		if (best && plat->ospf_cost > best->ospf_cost)
			continue;
		best = plat;
		dev = near->name;
	}
	return dev;
}

/* What access has static routes for, the border must have learnt. */
static int await_way_back(struct starting *s, int access, int border,
			  struct err *e)
{
	int ret = 0;

	for (size_t i = 0; i < s->p->n_routes && !ret; i++) {
		const struct plan_route *r = &s->p->routes[i];

		if (r->node == access && r->family == AF_INET6 && r->len)
			ret = world_await_route(s->es->world, border, &r->dst,
						r->len, NULL, s->deadline, e);
	}
	return ret;
}

static int await_routes(struct starting *s, struct err *e)
{
	const struct topology *t = s->p->topology;
	struct world *w = s->es->world;
	int access = plan_node_of(s->p, NODE_ACCESS);
	int border = plan_node_of(s->p, NODE_BORDER);
	struct addr pool6 = {.family = AF_INET6, .v6 = t->pool6.addr};
	struct addr pool4 = {.family = AF_INET, .v4 = t->pool4.addr};
	struct addr all6 = {.family = AF_INET6};
	int ret;

	if (access < 0 || border < 0)
		return 0;
	if (s->on_step)
		s->on_step(s->arg, "waiting for routes");
	ret = world_await_route(w, access, &pool6, t->pool6.len,
				best_plat(s->p, access), s->deadline, e);
	if (!ret)
		ret = world_await_route(w, border, &pool4, t->pool4.len,
					best_plat(s->p, border), s->deadline,
					e);
	if (!ret)
		ret = world_await_route(w, access, &all6, 0, NULL, s->deadline,
					e);
	return ret ? ret : await_way_back(s, access, border, e);
}

static const struct name_spec *first_v4(const struct topology *t)
{
	for (size_t i = 0; i < t->internet.n_names; i++)
		if (t->internet.names[i].has4)
			return &t->internet.names[i];
	return NULL;
}

/* The CPE that @home is connected to has a CLAT. */
static bool has_clat(const struct plan *p, int home)
{
	for (size_t i = 0; i < p->n_links; i++)
		if (p->links[i].a.node == home &&
		    plan_find_daemon(p, p->links[i].b.node, DAEMON_CLAT) >= 0)
			return true;
	return false;
}

/* A name from the first home, of every resolver. */
static int await_names(struct starting *s, int home, struct err *e)
{
	int ret = 0;

	for (size_t k = 0; k < s->es->n && !ret; k++)
		if (s->es->v[k].daemon->role == DAEMON_DNS64)
			ret = ask_dns(s->es->world, home,
				      &engine_node(&s->es->v[k])->loop6,
				      "ipv4only.arpa", ask_type(s->p),
				      s->deadline, e);
	return ret;
}

/* Then an IPv4 literal from every home, all at once. */
static int await_homes(struct starting *s, struct err *e)
{
	const struct name_spec *server = first_v4(s->p->topology);
	struct addr literal = {.family = AF_INET};
	int first = plan_node_of(s->p, NODE_HOME);
	int *homes = NULL;
	size_t n = 0;
	int ret;

	if (s->on_step)
		s->on_step(s->arg, "waiting for names and sessions");
	ret = first < 0 ? 0 : await_names(s, first, e);
	if (ret || !server)
		return ret;
	literal.v4 = server->v4;
	for (size_t i = 0; i < s->p->n_nodes; i++)
		if (s->p->nodes[i].role == NODE_HOME && has_clat(s->p, (int)i))
			*ARENA_APPEND(s->es->arena, homes, n) = (int)i;
	return ask_echo(s->es->world, homes, n, &literal, s->deadline, e);
}

/* One that ended meanwhile explains more than what is missing since. */
static int prefer_fault(struct starting *s, int ret, struct err *e)
{
	for (size_t i = 0; i < s->es->n; i++)
		if (s->es->v[i].fault[0] && ret != -EINTR)
			return blame(
				err_set(e, ECHILD, "%s", s->es->v[i].fault),
				&s->es->v[i], e);
	return ret;
}

int engines_start(struct world *w, void (*on_step)(void *arg, const char *text),
		  void *arg, struct mono deadline, struct engines **out,
		  struct err *e)
{
	struct starting s = {.es = engines_new(w, e),
			     .p = world_plan(w),
			     .on_step = on_step,
			     .arg = arg,
			     .deadline = deadline};
	int ret;

	*out = NULL;
	if (!s.es)
		return -ENOENT;
	ret = start_all(&s, false, e);
	if (!ret)
		ret = await_all(&s, false, e);
	if (!ret)
		ret = start_all(&s, true, e);
	if (!ret)
		ret = await_routes(&s, e);
	if (!ret)
		ret = await_all(&s, true, e);
	if (!ret)
		ret = await_homes(&s, e);
	ret = prefer_fault(&s, ret, e);
	if (ret)
		engines_stop(s.es);
	else
		*out = s.es;
	return ret;
}

/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A probe is started, lives on callbacks of the loop, says when it is done,
 * and is finished once: there its processes that still run are ended, and only
 * then is their output read. Between start and finish nothing here waits.
 *
 * Processes stand in a small fixed table. A callback may not free the process
 * it is about, so one that is released keeps its place until that is needed
 * again or the probe is finished.
 *
 * A node that is down, a network that does not answer: such a probe breaks,
 * with the reason, and its run goes on. A server that does not start or a
 * helper that crashes say nothing about the network: they spoil the
 * measurement. Only what is wrong with the measure itself is an error of
 * probe_start.
 */
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "probe_internal.h"

#define END_GRACE_NS (1 * NS_PER_S)

/* ---- targets
 * ------------------------------------------------------------------
 */

static bool has6(const struct in6_addr *a)
{
	return !IN6_IS_ADDR_UNSPECIFIED(a);
}

static bool node_owns(const struct plan_node *n, const struct addr *a)
{
	if (a->family == AF_INET)
		return a->v4.s_addr && (n->host4.s_addr == a->v4.s_addr ||
					n->loop4.s_addr == a->v4.s_addr);
	return has6(&a->v6) && (!memcmp(&n->host6, &a->v6, 16) ||
				!memcmp(&n->loop6, &a->v6, 16));
}

static bool end_owns(const struct plan_iface *i, const struct addr *a)
{
	if (a->family == AF_INET)
		return i->has4 && i->addr4.s_addr == a->v4.s_addr;
	return i->has6 && !memcmp(&i->addr6, &a->v6, 16);
}

/* The node with address @a; that of every home's LAN is nobody's. */
static int find_owner(const struct plan *p, const struct addr *a)
{
	if (a->family == AF_INET && prefix4_contains(&p->topology->lan4, a->v4))
		return -1;
	for (size_t i = 0; i < p->n_nodes; i++)
		if (node_owns(&p->nodes[i], a))
			return (int)i;
	for (size_t i = 0; i < p->n_links; i++) {
		if (end_owns(&p->links[i].a, a))
			return p->links[i].a.node;
		if (end_owns(&p->links[i].b, a))
			return p->links[i].b.node;
	}
	return -1;
}

static int resolve_literal(const struct plan *p, const char *to, struct addr a,
			   struct probe_target *t)
{
	const struct prefix6 *pool6 = &p->topology->pool6;

	*t = (struct probe_target){.text = to,
				   .family = a.family == AF_INET ? 4 : 6};
	/* RFC 6052: the last 32 bits of a /96 are the IPv4 address */
	if (a.family == AF_INET6 && pool6->len == 96 &&
	    prefix6_contains(pool6, &a.v6)) {
		struct addr v4 = {.family = AF_INET};

		memcpy(&v4.v4, &a.v6.s6_addr[12], 4);
		a = v4;
	}
	t->node = find_owner(p, &a);
	return 0;
}

static int resolve_name(const struct plan *p, const char *to, int family,
			struct probe_target *t)
{
	for (size_t i = 0; i < p->n_nodes; i++)
		if (p->nodes[i].server &&
		    !strcmp(p->nodes[i].server->name, to)) {
			*t = (struct probe_target){
				.node = (int)i, .text = to, .family = family};
			return 0;
		}
	return -ENOENT;
}

/* An address by which other nodes reach @node: its own, or of a link. */
static bool node_address(const struct plan *p, int node, int family,
			 struct addr *out)
{
	const struct plan_node *n = &p->nodes[node];
	const bool private4 = n->role == NODE_HOME;

	memset(out, 0, sizeof(*out));
	out->family = family == 4 ? AF_INET : AF_INET6;
	if (family == 4) {
		out->v4 = n->host4.s_addr && !private4 ? n->host4 : n->loop4;
		return out->v4.s_addr != 0;
	}
	out->v6 = has6(&n->host6) ? n->host6 : n->loop6;
	for (size_t i = 0; !has6(&out->v6) && i < p->n_links; i++)
		if (p->links[i].a.node == node && p->links[i].a.has6)
			out->v6 = p->links[i].a.addr6;
	return has6(&out->v6);
}

static int resolve_node(const struct plan *p, const char *to, int family,
			struct probe_target *t, char *text, struct err *e)
{
	int node = plan_find_node(p, to);
	int first = family ? family : 4;
	struct addr a;

	if (node < 0)
		return err_set(e, ENOENT,
			       "%s is no address, internet name or node", to);
	if (!node_address(p, node, first, &a)) {
		first = 6;
		if (family || !node_address(p, node, first, &a))
			return err_set(e, ENOENT,
				       "%s has no IPv%d address that others "
				       "could reach",
				       to, first);
	}
	*t = (struct probe_target){
		.node = node, .text = addr_format(&a, text), .family = first};
	return 0;
}

/* @text: ADDR_TEXT_LEN bytes that live as long as @t. */
static int resolve(const struct plan *p, const char *to, int family,
		   struct probe_target *t, char *text, struct err *e)
{
	struct addr a;

	if (addr_parse(to, &a) == 0) {
		if (family && family != (a.family == AF_INET ? 4 : 6))
			return err_set(e, EINVAL, "%s is no IPv%d address", to,
				       family);
		return resolve_literal(p, to, a, t);
	}
	if (resolve_name(p, to, family, t) == 0)
		return 0;
	return resolve_node(p, to, family, t, text, e);
}

int probe_resolve(const struct plan *p, const char *to, struct probe_target *t,
		  struct err *e)
{
	return probe_resolve_family(p, to, 0, t, e);
}

int probe_resolve_family(const struct plan *p, const char *to, int family,
			 struct probe_target *t, struct err *e)
{
	/* texts of nodes' addresses: a few per plan, as long as the process */
	static struct arena *texts;
	char text[ADDR_TEXT_LEN];
	int ret = resolve(p, to, family, t, text, e);

	if (!ret && t->text == text) {
		if (!texts)
			texts = arena_new();
		t->text = arena_strdup(texts, text);
	}
	return ret;
}

const char *probe_family_word(const struct probe *p)
{
	return p->target.family == 4 ? "4" : p->target.family == 6 ? "6" : "0";
}

/* ---- processes
 * ----------------------------------------------------------------
 */

static void end_with(struct probe *p, bool spoilt, const char *fmt, va_list ap)
{
	char text[400];

	vsnprintf(text, sizeof(text), fmt, ap);
	if (!p->why) {
		p->why = arena_strdup(p->arena, text);
		p->spoilt = spoilt;
	}
	p->done = true;
}

void probe_break(struct probe *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	end_with(p, false, fmt, ap);
	va_end(ap);
}

void probe_spoil(struct probe *p, int node, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	end_with(p, world_node_alive(p->world, node), fmt, ap);
	va_end(ap);
}

bool probe_crashed(int wstatus)
{
	return !WIFEXITED(wstatus) || WEXITSTATUS(wstatus) > 1;
}

static void on_exit_of(void *arg, struct proc *proc, int wstatus)
{
	struct probe_child *c = arg;
	struct probe *p = c->probe;
	char how[64];

	if (p->over)
		return;
	if (c->ended) {
		c->in_callback = true;
		c->ended(p, c, wstatus);
		c->in_callback = false;
		return;
	}
	proc_describe_end(proc, how, sizeof(how));
	if (probe_crashed(wstatus))
		probe_spoil(p, c->node, "the measuring process %s; see %s", how,
			    probe_raw_file(p, c->log));
	else if (wstatus)
		probe_break(p, "the measuring process %s; see %s", how,
			    probe_raw_file(p, c->log));
	p->done = true;
}

void probe_release(struct probe_child *c)
{
	c->released = true;
}

static struct probe_child *free_place(struct probe *p)
{
	for (size_t i = 0; i < p->n_children; i++) {
		struct probe_child *c = &p->children[i];

		if (c->released && !c->in_callback && c->proc &&
		    !proc_running(c->proc)) {
			proc_free(c->proc);
			c->proc = NULL;
		}
		if (!c->proc)
			return c;
	}
	if (p->n_children == PROBE_MAX_CHILDREN)
		return NULL;
	return &p->children[p->n_children++];
}

struct probe_child *
probe_spawn(struct probe *p, int node, const char *const *argv, const char *tag,
	    void (*ended)(struct probe *p, struct probe_child *c, int wstatus),
	    struct err *e)
{
	struct probe_child *c = free_place(p);
	const char *base = arena_printf(p->arena, "%s/probe-%s%s%s",
					world_node_dir(p->world, node),
					p->m->name, *tag ? "-" : "", tag);
	struct spawn s = {
		.node = node, .argv = argv, .on_exit = on_exit_of, .arg = c};

	if (!c) {
		err_set(e, EMFILE, "%s: more than %d processes", p->m->name,
			PROBE_MAX_CHILDREN);
		return NULL;
	}
	*c = (struct probe_child){.probe = p, .node = node, .ended = ended};
	c->out = s.out = arena_printf(p->arena, "%s.json", base);
	c->log = s.log = arena_printf(p->arena, "%s.log", base);
	if (world_spawn(p->world, &s, &c->proc, e)) {
		c->proc = NULL;
		return NULL;
	}
	return c;
}

json_t *probe_take_result(struct probe *p, const struct probe_child *c,
			  struct measurement *m)
{
	json_error_t why;
	json_t *j;

	m->raw_file = probe_raw_file(p, c->out);
	if (p->why)
		return NULL;
	j = json_load_file(c->out, 0, &why);
	if (!j)
		probe_spoil(p, c->node, "%s: %s", m->raw_file, why.text);
	return j;
}

const char *probe_raw_file(const struct probe *p, const char *path)
{
	size_t n = strlen(p->dir);

	if (strncmp(path, p->dir, n) || path[n] != '/')
		return path;
	return path + n + 1;
}

int64_t probe_length_ns(const struct probe *p)
{
	int64_t left = mono_sub(p->stop_at, clock_now());

	if (p->m->for_ns > 0)
		return (int64_t)p->m->for_ns;
	return left > 0 ? left : 0;
}

/* ---- life
 * ---------------------------------------------------------------------
 */

static const struct probe_ops *find_ops(enum probe_kind kind)
{
	switch (kind) {
	case PROBE_DNS:
		return &probe_dns_ops;
	case PROBE_PING:
		return &probe_ping_ops;
	case PROBE_IPERF3:
	case PROBE_DIAGNOSIS: /* the time line counts around it */
		return &probe_iperf3_ops;
	case PROBE_THROUGHPUT:
		return &probe_throughput_ops;
	case PROBE_STREAM:
		return &probe_stream_ops;
	case PROBE_SESSIONS:
		return &probe_sessions_ops;
	case PROBE_RESOLVER:
		return &probe_resolver_ops;
	case PROBE_TLS:
		return &probe_tls_ops;
	case PROBE_FLOOD:
		return &probe_flood_ops;
	case PROBE_CONNECTIONS:
		return &probe_connections_ops;
	case PROBE_TRACEROUTE:
		return &probe_traceroute_ops;
	}
	return NULL;
}

static int set_places(struct probe *p, struct err *e)
{
	const struct measure_spec *m = p->m;

	p->from = plan_find_node(p->plan, m->from);
	if (p->from < 0)
		return err_set(e, ENOENT, "%s: there is no node %s", m->name,
			       m->from);
	p->target.node = -1;
	if (m->kind == PROBE_DNS || m->kind == PROBE_RESOLVER)
		return 0;
	return probe_resolve_family(p->plan, m->to, m->family, &p->target, e);
}

/* A node without which @p cannot begin, and which is down; -1: none. */
static int find_down(const struct probe *p)
{
	struct probe_target native = {.node = -1};
	struct err ignored;
	int nodes[] = {p->from, p->target.node, -1};

	if (p->m->kind == PROBE_PING || p->m->kind == PROBE_TRACEROUTE)
		nodes[1] = -1;
	if (p->m->native &&
	    !probe_resolve(p->plan, p->m->native, &native, &ignored))
		nodes[2] = native.node;
	for (size_t i = 0; i < 3; i++)
		if (nodes[i] >= 0 && !world_node_alive(p->world, nodes[i]))
			return nodes[i];
	return -1;
}

static void begin(struct probe *p)
{
	int down = find_down(p);
	struct err why = {""};

	if (down >= 0)
		probe_break(p, "node %s is down", p->plan->nodes[down].name);
	else if (p->ops->start(p, &why))
		probe_spoil(p, p->from, "%s", why.text);
}

int probe_start(struct world *w, const struct measure_spec *m,
		struct mono stop_at, const char *dir, struct arena *a,
		struct probe **out, struct err *e)
{
	struct probe *p = ARENA_NEW(a, struct probe);
	int ret;

	*p = (struct probe){.ops = find_ops(m->kind),
			    .world = w,
			    .plan = world_plan(w),
			    .m = m,
			    .arena = a,
			    .dir = dir,
			    .started = clock_now(),
			    .stop_at = stop_at};
	p->deadline = p->started;
	ret = set_places(p, e);
	if (ret) {
		err_prefix(e, "%s:%u: %s", m->pos.file ? m->pos.file : "?",
			   m->pos.line, m->name);
		return ret;
	}
	begin(p);
	*out = p;
	return 0;
}

bool probe_flowing(const struct probe *p)
{
	if (!p->ops->flowing)
		return true;
	return p->priv && p->ops->flowing(p);
}

bool probe_done(const struct probe *p)
{
	return p->done;
}

bool probe_counted(const struct probe *p)
{
	return p->done || (p->ops->counted && p->priv && p->ops->counted(p));
}

struct mono probe_started(const struct probe *p)
{
	return p->started;
}

struct mono probe_deadline(const struct probe *p)
{
	return p->deadline;
}

static void end_children(struct probe *p)
{
	for (size_t i = 0; i < p->n_children; i++)
		if (p->children[i].proc)
			proc_signal(p->children[i].proc, SIGTERM);
	for (size_t i = 0; i < p->n_children; i++)
		if (p->children[i].proc)
			proc_stop(p->children[i].proc, END_GRACE_NS);
}

void probe_finish(struct probe *p, struct measurement *m)
{
	p->over = true;
	end_children(p);
	score_measurement_init(m, p->m->name, spec_probe_word(p->m->kind),
			       spec_metrics(p->m->kind), p->arena);
	if (!p->done)
		probe_break(p, "not over by its deadline");
	p->ops->finish(p, m);
	for (size_t i = 0; i < p->n_children; i++) {
		proc_free(p->children[i].proc);
		p->children[i].proc = NULL;
	}
	if (!m->why)
		m->why = p->why;
	m->invalid = m->invalid || p->spoilt;
	if (!m->summary)
		m->summary = m->why ? m->why : "nothing to tell";
}

/* ---- inside nodes
 * ---------------------------------------------------------------
 */

int probe_main(int argc, char **argv)
{
	static const struct {
		const char *kind;
		int (*run)(int argc, char **argv);
	} kinds[] = {
		{"dns", probe_dns_main},
		{"ping", probe_ping_main},
		{"stream", probe_stream_main},
		{"sessions", probe_sessions_main},
		{"resolver", probe_resolver_main},
		{"tls", probe_tls_main},
		{"flood", probe_flood_main},
		{"connections", probe_connections_main},
		{"traceroute", probe_traceroute_main},
		{"capture", probe_capture_main},
	};

	/* main.c leaves "probe" in front; a caller may have taken it off */
	if (argc > 0 && !strcmp(argv[0], "probe")) {
		argc--;
		argv++;
	}
	for (size_t i = 0; argc > 0 && i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strcmp(argv[0], kinds[i].kind))
			return kinds[i].run(argc, argv);
	fputs("xlatsim probe: for xlatsim's own use inside nodes\n", stderr);
	return 2;
}

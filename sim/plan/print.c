/* SPDX-License-Identifier: MIT */
/* A plan as text: the same for people, for results and for golden tests. */
#include "plan_internal.h"

#include <arpa/inet.h>
#include <string.h>

/* Text that grows at the end of a buffer and is cut when it is full. */
struct text {
	char *buf;
	size_t len, used;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *t,
						      const char *fmt, ...)
{
	va_list ap;
	int n;

	if (t->used + 1 >= t->len)
		return;
	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->used, t->len - t->used, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->used += (size_t)n;
	if (t->used >= t->len)
		t->used = t->len - 1;
}

static struct text text_on(char *buf, size_t len)
{
	if (len)
		buf[0] = '\0';
	return (struct text){buf, len, 0};
}

/* ---- links
 * --------------------------------------------------------------------
 */

static void put_quantity(struct text *t, const char *word, double v, double no,
			 enum unit unit)
{
	char buf[32];

	if (v > no || v < no)
		put(t, "%s%s %s", t->used ? " " : "", word,
		    units_format(v, unit, buf, sizeof(buf)));
}

const char *plan_impairment_text(const struct impairment *i, char *buf,
				 size_t len)
{
	struct text t = text_on(buf, len);

	put_quantity(&t, "rate", i->rate_bps, 0, UNIT_RATE);
	if (i->rate_bps > 0) {
		put_quantity(&t, "burst", i->burst_bytes, 0, UNIT_SIZE);
		put_quantity(&t, "queue", i->queue_ns, 0, UNIT_TIME);
	}
	put_quantity(&t, "delay", i->delay_ns, 0, UNIT_TIME);
	put_quantity(&t, "jitter", i->jitter_ns, 0, UNIT_TIME);
	put_quantity(&t, "loss", i->loss, 0, UNIT_RATIO);
	put_quantity(&t, "reorder", i->reorder, 0, UNIT_RATIO);
	put_quantity(&t, "duplicate", i->duplicate, 0, UNIT_RATIO);
	return buf;
}

static void put_offload(struct text *t, const char *word,
			enum offload_state state)
{
	if (state != OFFLOAD_KEEP)
		put(t, " %s %s", word, state == OFFLOAD_ON ? "on" : "off");
}

static void put_offloads(struct text *t, const struct offloads *o)
{
	put_offload(t, "tso", o->tso);
	put_offload(t, "gso", o->gso);
	put_offload(t, "gro", o->gro);
	put_offload(t, "tx-checksum", o->tx_checksum);
	put_offload(t, "rx-checksum", o->rx_checksum);
}

static void put_end(struct text *t, const struct plan *p,
		    const struct plan_iface *i)
{
	char buf[ADDR_TEXT_LEN];

	put(t, "%s:%s", p->nodes[i->node].name, i->name);
	if (i->has4)
		put(t, " %s/%u", in4_format(i->addr4, buf), i->net4.len);
	if (i->has6)
		put(t, " %s/%u", in6_format(&i->addr6, buf), i->net6.len);
}

static void put_shape(struct text *t, const struct plan *p,
		      const struct plan_iface *i, const struct impairment *im)
{
	char buf[160];

	if (im->rate_bps > 0)
		put(t, "%s%s:%s %s", t->used ? "; " : "",
		    p->nodes[i->node].name, i->name,
		    plan_impairment_text(im, buf, sizeof(buf)));
}

/* ---- steps
 * --------------------------------------------------------------------
 */

static void put_route(struct text *t, const struct plan *p,
		      const struct plan_route *r)
{
	char buf[ADDR_TEXT_LEN];

	put(t, "%s: %s%s/%u", p->nodes[r->node].name,
	    r->blackhole ? "discard " : "", addr_format(&r->dst, buf), r->len);
	if (r->has_via)
		put(t, " via %s", addr_format(&r->via, buf));
	if (r->dev)
		put(t, " dev %s", r->dev);
	if (r->onlink)
		put(t, " onlink");
	if (r->mtu)
		put(t, " mtu %u", r->mtu);
	if (r->advmss)
		put(t, " advmss %u", r->advmss);
	if (r->metric)
		put(t, " metric %u", r->metric);
}

static void put_loop(struct text *t, const struct plan_node *n)
{
	char buf[ADDR_TEXT_LEN];

	put(t, "%s:lo", n->name);
	if (n->loop4.s_addr)
		put(t, " %s/32", in4_format(n->loop4, buf));
	if (!IN6_IS_ADDR_UNSPECIFIED(&n->loop6))
		put(t, " %s/128", in6_format(&n->loop6, buf));
}

static void put_daemon(struct text *t, const struct plan *p,
		       const struct plan_daemon *d)
{
	const char *attach = plan_attach(p, d);

	put(t, "%s as %s at %s", d->engine, plan_role_word(d->role),
	    p->nodes[d->node].name);
	if (attach)
		put(t, ", attached by %s", attach);
}

static void put_link(struct text *t, const struct plan_link *l)
{
	put(t, "%s mtu %d%s", l->name, (int)l->profile.mtu,
	    l->profile.block_icmp ? " without ICMP errors" : "");
	if (l->relayed)
		put(t, " through relay:%s and relay:%s", l->relay_a,
		    l->relay_b);
}

static void put_link_step(struct text *t, const struct plan *p,
			  enum plan_step_kind kind, const struct plan_link *l)
{
	switch (kind) {
	case STEP_LINK:
		put(t, "link ");
		put_link(t, l);
		break;
	case STEP_OFFLOAD:
		put(t, "offloads of %s:", l->name);
		put_offloads(t, &l->profile.offloads);
		break;
	case STEP_ADDR:
		put(t, "addresses ");
		put_end(t, p, &l->a);
		put(t, ", ");
		put_end(t, p, &l->b);
		break;
	case STEP_UP:
		put(t, "link %s up", l->name);
		break;
	case STEP_TBF: {
		char buf[400];
		struct text ends = text_on(buf, sizeof(buf));

		put_shape(&ends, p, &l->a, &l->profile.up);
		put_shape(&ends, p, &l->b, &l->profile.down);
		put(t, "shape %s", buf);
		break;
	}
	case STEP_NODE:
	case STEP_SYSCTL:
	case STEP_LOOP:
	case STEP_ROUTE:
	case STEP_FILE:
	case STEP_DAEMON:
		break; /* no link's */
	}
}

const char *plan_step_text(const struct plan *p, size_t step, char *buf,
			   size_t len)
{
	const struct plan_step *s = &p->steps[step];
	struct text t = text_on(buf, len);

	switch (s->kind) {
	case STEP_NODE:
		put(&t, "node %s", p->nodes[s->index].name);
		break;
	case STEP_SYSCTL:
		put(&t, "sysctl %s: %s = %s",
		    p->nodes[p->sysctls[s->index].node].name,
		    p->sysctls[s->index].key, p->sysctls[s->index].value);
		break;
	case STEP_LINK:
	case STEP_OFFLOAD:
	case STEP_ADDR:
	case STEP_UP:
	case STEP_TBF:
		put_link_step(&t, p, s->kind, &p->links[s->index]);
		break;
	case STEP_LOOP:
		put(&t, "loopback ");
		put_loop(&t, &p->nodes[s->index]);
		break;
	case STEP_ROUTE:
		put(&t, "route ");
		put_route(&t, p, &p->routes[s->index]);
		break;
	case STEP_FILE:
		put(&t, "resolv.conf of %s%s", p->nodes[s->index].name,
		    p->nodes[s->index].resolv_conf ? "" : ", empty");
		break;
	case STEP_DAEMON:
		put(&t, "start ");
		put_daemon(&t, p, &p->daemons[s->index]);
		break;
	}
	return buf;
}

const char *plan_undo_text(const struct plan *p, size_t step, char *buf,
			   size_t len)
{
	const struct plan_step *s = &p->steps[step];
	struct text t = text_on(buf, len);

	switch (s->kind) {
	case STEP_NODE:
		put(&t, "end every process of %s, drop its namespaces",
		    p->nodes[s->index].name);
		break;
	case STEP_SYSCTL:
		put(&t, "gone with node %s",
		    p->nodes[p->sysctls[s->index].node].name);
		break;
	case STEP_LOOP:
	case STEP_FILE:
		put(&t, "gone with node %s", p->nodes[s->index].name);
		break;
	case STEP_ROUTE:
		put(&t, "gone with node %s",
		    p->nodes[p->routes[s->index].node].name);
		break;
	case STEP_LINK:
		put(&t, "gone with nodes %s and %s",
		    p->nodes[p->links[s->index].a.node].name,
		    p->nodes[p->links[s->index].b.node].name);
		break;
	case STEP_OFFLOAD:
	case STEP_ADDR:
	case STEP_UP:
	case STEP_TBF:
		put(&t, "gone with link %s", p->links[s->index].name);
		break;
	case STEP_DAEMON:
		put(&t, "stop ");
		put_daemon(&t, p, &p->daemons[s->index]);
		break;
	}
	return buf;
}

/* ---- the whole
 * ------------------------------------------------------------------
 */

static void print_node(const struct plan_node *n, FILE *out)
{
	static const char *const words[] = {
		[NODE_HOME] = "home",	  [NODE_CPE] = "cpe",
		[NODE_TOWER] = "tower",	  [NODE_ACCESS] = "access",
		[NODE_PLAT] = "plat",	  [NODE_BORDER] = "border",
		[NODE_INET] = "internet", [NODE_DNS] = "dns",
		[NODE_SERVER] = "server", [NODE_RELAY] = "relay",
	};
	char buf[ADDR_TEXT_LEN];

	fprintf(out, "  %-11s %s", n->name, words[n->role]);
	if (n->loop4.s_addr)
		fprintf(out, " %s", in4_format(n->loop4, buf));
	if (!IN6_IS_ADDR_UNSPECIFIED(&n->loop6))
		fprintf(out, " %s", in6_format(&n->loop6, buf));
	if (n->host4.s_addr)
		fprintf(out, " %s", in4_format(n->host4, buf));
	if (!IN6_IS_ADDR_UNSPECIFIED(&n->host6))
		fprintf(out, " %s", in6_format(&n->host6, buf));
	if (n->delegated.len)
		fprintf(out, " delegated %s",
			prefix6_format(&n->delegated, buf));
	if (n->clat6.len)
		fprintf(out, " clat %s", prefix6_format(&n->clat6, buf));
	if (n->cpu > 0)
		fprintf(out, " cpu %.0f%%", n->cpu * 100);
	if (n->plat) {
		fprintf(out, " engine %s ospf-cost %d", n->plat->engine,
			(int)n->plat->ospf_cost);
		if (n->plat->host)
			fprintf(out, " host %s", n->plat->host);
	}
	if (n->server)
		fprintf(out, " %s", n->server->name);
	fputc('\n', out);
}

static void print_link(const struct plan *p, const struct plan_link *l,
		       FILE *out)
{
	char buf[240], im[160];
	struct text t = text_on(buf, sizeof(buf));

	put_end(&t, p, &l->a);
	put(&t, ", ");
	put_end(&t, p, &l->b);
	fprintf(out, "  %-16s %s\n", l->name, buf);
	t = text_on(buf, sizeof(buf));
	put_offloads(&t, &l->profile.offloads);
	if (*plan_impairment_text(&l->profile.down, im, sizeof(im)))
		fprintf(out, "  %16s down %s\n", "", im);
	if (*plan_impairment_text(&l->profile.up, im, sizeof(im)))
		fprintf(out, "  %16s up %s\n", "", im);
	if (l->profile.mtu != 1500 || *buf || l->relayed ||
	    l->profile.block_icmp)
		fprintf(out, "  %16s mtu %d%s%s%s\n", "", (int)l->profile.mtu,
			l->relayed ? " relayed" : "",
			l->profile.block_icmp ? " without ICMP errors" : "",
			buf);
}

static void print_routes(const struct plan *p, FILE *out)
{
	char buf[240];

	fprintf(out, "\nroutes (%zu), besides OSPF's and the engines'\n",
		p->n_routes);
	for (size_t i = 0; i < p->n_routes; i++) {
		struct text t = text_on(buf, sizeof(buf));

		put_route(&t, p, &p->routes[i]);
		fprintf(out, "  %s\n", buf);
	}
}

static void print_daemons(const struct plan *p, FILE *out)
{
	char buf[160];

	fprintf(out, "\ndaemons (%zu), in the order of starting\n",
		p->n_daemons);
	for (size_t i = 0; i < p->n_daemons; i++) {
		struct text t = text_on(buf, sizeof(buf));

		put_daemon(&t, p, &p->daemons[i]);
		fprintf(out, "  %s\n", buf);
	}
}

void plan_print(const struct plan *p, FILE *out)
{
	const struct topology *t = p->topology;
	char a[ADDR_TEXT_LEN], b[ADDR_TEXT_LEN], c[ADDR_TEXT_LEN];
	char step[240], undo[240];

	fprintf(out, "topology %s: operator %s, pool6 %s, pool4 %s\n", t->name,
		prefix6_format(&t->operator_prefix, a),
		prefix6_format(&t->pool6, b), prefix4_format(&t->pool4, c));
	fprintf(out, "\nnodes (%zu)\n", p->n_nodes);
	for (size_t i = 0; i < p->n_nodes; i++)
		print_node(&p->nodes[i], out);
	fprintf(out, "\nlinks (%zu), the end nearer to the homes first\n",
		p->n_links);
	for (size_t i = 0; i < p->n_links; i++)
		print_link(p, &p->links[i], out);
	print_routes(p, out);
	print_daemons(p, out);
	fprintf(out, "\nsteps (%zu), each with its undo; undone in reverse\n",
		p->n_steps);
	for (size_t i = 0; i < p->n_steps; i++)
		fprintf(out, "  %4zu  %s\n        undo: %s\n", i + 1,
			plan_step_text(p, i, step, sizeof(step)),
			plan_undo_text(p, i, undo, sizeof(undo)));
}

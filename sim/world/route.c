/* SPDX-License-Identifier: MIT */
/*
 * Static routes, put there, put back after their interface was down, and
 * route messages taken apart.
 */
#include "world_internal.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <string.h>
#include <sys/socket.h>

#include "../../xlat/base/arena.h"

static int addr_size(int family)
{
	return family == AF_INET ? 4 : 16;
}

static int put_gateway(struct nl_msg *m, const struct plan_route *r)
{
	struct {
		uint16_t family;
		uint8_t addr[16];
	} __attribute__((packed)) via = {.family = (uint16_t)r->via.family};

	if (r->via.family == r->family)
		return nla_put(m, RTA_GATEWAY, addr_size(r->family),
			       &r->via.v6);
	memcpy(via.addr, &r->via.v6, (size_t)addr_size(r->via.family));
	return nla_put(m, RTA_VIA, 2 + addr_size(r->via.family), &via);
}

static int put_metrics(struct nl_msg *m, const struct plan_route *r)
{
	struct nlattr *metrics = nla_nest_start(m, RTA_METRICS);

	if (!metrics || (r->mtu && nla_put_u32(m, RTAX_MTU, r->mtu)) ||
	    (r->advmss && nla_put_u32(m, RTAX_ADVMSS, r->advmss)))
		return -ENOMEM;
	nla_nest_end(m, metrics);
	return 0;
}

static struct nl_msg *route_msg(const struct plan_route *r, int ifindex)
{
	struct rtmsg head = {
		.rtm_family = (uint8_t)r->family,
		.rtm_dst_len = r->len,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_STATIC,
		.rtm_scope = r->has_via || r->blackhole || r->family == AF_INET6
				     ? RT_SCOPE_UNIVERSE
				     : RT_SCOPE_LINK,
		.rtm_type = r->blackhole ? RTN_BLACKHOLE : RTN_UNICAST,
		.rtm_flags = r->onlink ? RTNH_F_ONLINK : 0,
	};
	struct nl_msg *m = nlm_new(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL,
				   &head, sizeof(head));

	if (!m)
		return NULL;
	if ((r->len && nla_put(m, RTA_DST, addr_size(r->family), &r->dst.v6)) ||
	    (r->has_via && put_gateway(m, r)) ||
	    (ifindex && nla_put_u32(m, RTA_OIF, (uint32_t)ifindex)) ||
	    (r->metric && nla_put_u32(m, RTA_PRIORITY, r->metric)) ||
	    ((r->mtu || r->advmss) && put_metrics(m, r))) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

int route_build(struct world *w, const struct plan_route *r, struct err *e)
{
	struct node *n = &w->nodes[r->node];
	char text[ADDR_TEXT_LEN];
	int ifindex = 0, ret;

	if (r->dev && !r->blackhole) {
		ifindex = iface_index(n, r->dev, e);
		if (ifindex < 0)
			return ifindex;
	}
	ret = nlm_talk(n->route, route_msg(r, ifindex), NULL, NULL, e);
	if (ret)
		err_prefix(e, "%s: route %s/%u%s%s", n->name,
			   addr_format(&r->dst, text), r->len,
			   r->dev ? " dev " : "", r->dev ? r->dev : "");
	return ret;
}

int world_route_add(struct world *w, const struct plan_route *r, struct err *e)
{
	struct plan_route *kept;
	int ret = route_build(w, r, e);

	if (ret)
		return ret;
	kept = ARENA_APPEND(w->arena, w->added, w->n_added);
	*kept = *r;
	kept->dev = r->dev ? arena_strdup(w->arena, r->dev) : NULL;
	return 0;
}

/* ---- put back --------------------------------------------------------------
 */

static int restore_one(struct world *w, const struct plan_route *r, int node,
		       const char *dev, struct err *e)
{
	int ret;

	if (r->node != node || (dev && r->dev && strcmp(dev, r->dev) != 0))
		return 0;
	ret = route_build(w, r, e);
	if (ret == -EEXIST)
		return 0;
	/* its interface is still down, or it leads over another that is */
	if (ret == -ENETDOWN || ret == -ENETUNREACH || ret == -EHOSTUNREACH)
		return dev && r->dev ? ret : 0;
	return ret;
}

int routes_restore(struct world *w, int node, const char *dev, struct err *e)
{
	int ret = 0;

	for (size_t i = 0; i < w->plan->n_steps && !ret; i++)
		if (w->plan->steps[i].kind == STEP_ROUTE)
			ret = restore_one(
				w, &w->plan->routes[w->plan->steps[i].index],
				node, dev, e);
	for (size_t i = 0; i < w->n_added && !ret; i++)
		ret = restore_one(w, &w->added[i], node, dev, e);
	return ret;
}

/* ---- route messages --------------------------------------------------------
 */

static void read_addr(struct addr *out, int family, const void *data, int len)
{
	if (len != addr_size(family))
		return;
	out->family = family;
	memcpy(&out->v6, data, (size_t)len);
}

static void read_via(struct addr *out, const struct nlattr *a)
{
	uint16_t family;

	if (nla_len(a) < 2)
		return;
	memcpy(&family, nla_data(a), 2);
	read_addr(out, family, (const char *)nla_data(a) + 2, nla_len(a) - 2);
}

static void parse_hops(struct nlattr *multi, int family, struct route_info ri,
		       route_info_fn *fn, void *arg)
{
	struct rtnexthop *hop = nla_data(multi);
	int left = nla_len(multi);

	for (; RTNH_OK(hop, left);
	     left -= NLMSG_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop)) {
		struct nlattr *attrs = (struct nlattr *)(void *)RTNH_DATA(hop);
		int len = hop->rtnh_len - (int)sizeof(*hop);
		struct nlattr *a = nla_find(attrs, len, RTA_GATEWAY);

		ri.via.family = 0;
		ri.ifindex = hop->rtnh_ifindex;
		if (a)
			read_addr(&ri.via, family, nla_data(a), nla_len(a));
		a = nla_find(attrs, len, RTA_VIA);
		if (a)
			read_via(&ri.via, a);
		fn(arg, &ri);
	}
}

void route_parse(struct nlmsghdr *h, route_info_fn *fn, void *arg)
{
	struct rtmsg *rt = nlmsg_data(h);
	struct route_info ri = {.len = rt->rtm_dst_len,
				.protocol = rt->rtm_protocol,
				.dst.family = rt->rtm_family};
	struct nlattr *tb[RTA_MAX + 1];

	if (nlmsg_parse(h, sizeof(*rt), tb, RTA_MAX, NULL) < 0 ||
	    (rt->rtm_family != AF_INET && rt->rtm_family != AF_INET6) ||
	    rt->rtm_table != RT_TABLE_MAIN || rt->rtm_flags & RTM_F_CLONED)
		return;
	if (tb[RTA_DST])
		read_addr(&ri.dst, rt->rtm_family, nla_data(tb[RTA_DST]),
			  nla_len(tb[RTA_DST]));
	if (tb[RTA_PRIORITY])
		ri.metric = nla_get_u32(tb[RTA_PRIORITY]);
	if (tb[RTA_MULTIPATH]) {
		parse_hops(tb[RTA_MULTIPATH], rt->rtm_family, ri, fn, arg);
		return;
	}
	if (tb[RTA_OIF])
		ri.ifindex = (int)nla_get_u32(tb[RTA_OIF]);
	if (tb[RTA_GATEWAY])
		read_addr(&ri.via, rt->rtm_family, nla_data(tb[RTA_GATEWAY]),
			  nla_len(tb[RTA_GATEWAY]));
	if (tb[RTA_VIA])
		read_via(&ri.via, tb[RTA_VIA]);
	fn(arg, &ri);
}

/* ---- routes of daemons that died -------------------------------------------
 */

struct doomed {
	struct node *n;
	struct nlmsghdr **msgs;
	size_t n_msgs;
	struct arena *arena;
};

static void forget_doomed(void *arg)
{
	((struct doomed *)arg)->n_msgs = 0;
}

/* Those of the kernel, of `ip` and of the plan are not a daemon's. */
static int collect_doomed(void *arg, struct nlmsghdr *h)
{
	struct doomed *d = arg;
	struct rtmsg *rt = nlmsg_data(h);
	struct nlmsghdr *copy;

	if (h->nlmsg_type != RTM_NEWROUTE || rt->rtm_table != RT_TABLE_MAIN ||
	    rt->rtm_protocol <= RTPROT_RA || rt->rtm_flags & RTM_F_CLONED)
		return 0;
	copy = arena_alloc(d->arena, h->nlmsg_len);
	memcpy(copy, h, h->nlmsg_len);
	*ARENA_APPEND(d->arena, d->msgs, d->n_msgs) = copy;
	return 0;
}

static int delete_route(struct node *n, struct nlmsghdr *h, struct err *e)
{
	struct rtmsg head = *(struct rtmsg *)nlmsg_data(h);
	struct nl_msg *m;
	struct nlattr *a;
	int ret;

	head.rtm_flags = 0;
	m = nlm_new(RTM_DELROUTE, 0, &head, sizeof(head));
	for (int type = RTA_DST; m && type <= RTA_PRIORITY; type++) {
		if (type != RTA_DST && type != RTA_PRIORITY)
			continue;
		a = nlmsg_find_attr(h, sizeof(head), type);
		if (a && nla_put(m, type, nla_len(a), nla_data(a))) {
			nlmsg_free(m);
			m = NULL;
		}
	}
	ret = nlm_talk(n->route, m, NULL, NULL, e);
	/* several next hops go with the first */
	return ret == -ESRCH ? 0 : ret;
}

static int flush_family(struct node *n, int family, struct arena *arena,
			struct err *e)
{
	struct rtmsg head = {.rtm_family = (uint8_t)family};
	struct doomed d = {.n = n, .arena = arena};
	int ret = nlm_dump(n->route, RTM_GETROUTE, &head, sizeof(head),
			   forget_doomed, collect_doomed, &d, e);

	for (size_t i = 0; i < d.n_msgs && !ret; i++)
		ret = delete_route(n, d.msgs[i], e);
	return ret;
}

int routes_flush(struct node *n, struct err *e)
{
	struct arena *arena = arena_new();
	int ret = flush_family(n, AF_INET, arena, e);

	if (!ret)
		ret = flush_family(n, AF_INET6, arena, e);
	if (ret)
		err_prefix(e, "node %s: routes", n->name);
	arena_free(arena);
	return ret;
}

/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Two netlink sockets inside one node: one asks and sets, the other is told of
 * changes. Reading the news only notes that there was some: whoever watches
 * then looks at the table, which is small in a router of ours.
 */
#include "engine_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "../../xlat/base/file.h"

struct nlroute {
	struct world *world;
	int node;
	struct nl_sock *sk, *news;
	struct loop_source *source;
	void (*fn)(void *arg);
	void *arg;
};

static struct nl_sock *nl_open(void)
{
	struct nl_sock *sk = nl_socket_alloc();

	if (sk && nl_connect(sk, NETLINK_ROUTE)) {
		nl_socket_free(sk);
		return NULL;
	}
	return sk;
}

static int open_inside(void *arg)
{
	struct nlroute *nr = arg;

	nr->sk = nl_open();
	nr->news = nl_open();
	return nr->sk && nr->news ? 0 : -EIO;
}

struct nlroute *nlroute_open(struct world *w, int node, struct err *e)
{
	struct nlroute *nr = calloc(1, sizeof(*nr));

	if (!nr) {
		err_set(e, ENOMEM, "out of memory");
		return NULL;
	}
	nr->world = w;
	nr->node = node;
	if (!world_enter(w, node, open_inside, nr, e))
		return nr;
	err_set(e, EIO, "node %s: netlink cannot be opened",
		world_plan(w)->nodes[node].name);
	nlroute_close(nr);
	return NULL;
}

void nlroute_close(struct nlroute *nr)
{
	if (!nr)
		return;
	loop_del(world_loop(nr->world), nr->source);
	nl_socket_free(nr->sk);
	nl_socket_free(nr->news);
	free(nr);
}

/* ---- set -------------------------------------------------------------------
 */

static int addr_size(const struct addr *a)
{
	return a->family == AF_INET ? 4 : 16;
}

/* An interface of that name as the node has it; 0 when there is none. */
struct lookup {
	const char *dev;
	unsigned int index;
};

static int find_index(void *arg)
{
	struct lookup *l = arg;

	l->index = if_nametoindex(l->dev);
	return 0;
}

static unsigned int index_of(struct nlroute *nr, const char *dev)
{
	struct lookup l = {.dev = dev};

	return world_enter(nr->world, nr->node, find_index, &l, NULL) ? 0
								      : l.index;
}

/* An IPv4 route by way of an IPv6 address names the family (RTA_VIA). */
static int put_via(struct nl_msg *m, const struct addr *dst,
		   const struct addr *via)
{
	uint8_t other[2 + 16]; /* struct rtvia */
	const uint16_t family = AF_INET6;

	if (via->family == dst->family)
		return nla_put(m, RTA_GATEWAY, addr_size(via), &via->v6);
	memcpy(other, &family, 2);
	memcpy(other + 2, &via->v6, 16);
	return nla_put(m, RTA_VIA, sizeof(other), other);
}

static struct nl_msg *route_msg(bool add, const struct addr *dst, uint8_t len,
				const struct addr *via, unsigned int ifindex,
				uint32_t mtu)
{
	struct rtmsg head = {
		.rtm_family = (uint8_t)dst->family,
		.rtm_dst_len = len,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_STATIC,
		.rtm_scope = dst->family == AF_INET6 || via ? RT_SCOPE_UNIVERSE
							    : RT_SCOPE_LINK,
		.rtm_type = RTN_UNICAST,
	};
	struct nl_msg *m = nlmsg_alloc_simple(
		add ? RTM_NEWROUTE : RTM_DELROUTE,
		NLM_F_REQUEST | NLM_F_ACK |
			(add ? NLM_F_CREATE | NLM_F_REPLACE : 0));
	struct nlattr *metrics;

	if (!m || nlmsg_append(m, &head, sizeof(head), NLMSG_ALIGNTO) ||
	    (len && nla_put(m, RTA_DST, addr_size(dst), &dst->v6)) ||
	    nla_put_u32(m, RTA_OIF, ifindex) || (via && put_via(m, dst, via)))
		goto failed;
	/* ahead of the same network learnt by OSPF, with the first packet */
	if (add && dst->family == AF_INET6 && nla_put_u32(m, RTA_PRIORITY, 1))
		goto failed;
	if (add && mtu) {
		metrics = nla_nest_start(m, RTA_METRICS);
		if (!metrics || nla_put_u32(m, RTAX_MTU, mtu))
			goto failed;
		nla_nest_end(m, metrics);
	}
	return m;
failed:
	nlmsg_free(m);
	return NULL;
}

int nlroute_set(struct nlroute *nr, bool add, const struct addr *dst,
		uint8_t len, const char *dev, uint32_t mtu, struct err *e)
{
	return nlroute_set_via(nr, add, dst, len, NULL, dev, mtu, e);
}

int nlroute_set_via(struct nlroute *nr, bool add, const struct addr *dst,
		    uint8_t len, const struct addr *via, const char *dev,
		    uint32_t mtu, struct err *e)
{
	unsigned int ifindex = index_of(nr, dev);
	const char *node = world_plan(nr->world)->nodes[nr->node].name;
	char text[ADDR_TEXT_LEN];
	struct nl_msg *m;
	int ret;

	if (!ifindex)
		return add ? err_set(e, ENODEV, "node %s has no interface %s",
				     node, dev)
			   : 0;
	m = route_msg(add, dst, len, via, ifindex, mtu);
	if (!m)
		return err_set(e, ENOMEM, "out of memory");
	ret = nl_send_sync(nr->sk, m); /* frees it */
	if (!ret || (!add && ret == -NLE_OBJ_NOTFOUND))
		return 0;
	return err_set(e, EIO, "node %s: route %s/%u dev %s: %s", node,
		       addr_format(dst, text), len, dev, nl_geterror(ret));
}

/* ---- attach ----------------------------------------------------------------
 */

static struct nl_msg *addr_msg(bool add, const struct prefix4 *net,
			       unsigned int ifindex)
{
	struct ifaddrmsg head = {.ifa_family = AF_INET,
				 .ifa_prefixlen = net->len,
				 .ifa_index = ifindex};
	struct nl_msg *m = nlmsg_alloc_simple(
		add ? RTM_NEWADDR : RTM_DELADDR,
		NLM_F_REQUEST | NLM_F_ACK |
			(add ? NLM_F_CREATE | NLM_F_REPLACE : 0));

	if (m && !nlmsg_append(m, &head, sizeof(head), NLMSG_ALIGNTO) &&
	    !nla_put(m, IFA_LOCAL, 4, &net->addr) &&
	    !nla_put(m, IFA_ADDRESS, 4, &net->addr) &&
	    !nla_put_u32(m, IFA_FLAGS, IFA_F_NOPREFIXROUTE))
		return m;
	nlmsg_free(m);
	return NULL;
}

/* The kernel would deliver @a here: with that entry goes the address. */
static void disown(struct nlroute *nr, struct in_addr a, uint8_t type,
		   unsigned int ifindex)
{
	struct rtmsg head = {.rtm_family = AF_INET,
			     .rtm_dst_len = 32,
			     .rtm_table = RT_TABLE_LOCAL,
			     .rtm_scope = RT_SCOPE_NOWHERE,
			     .rtm_type = type};
	struct nl_msg *m =
		nlmsg_alloc_simple(RTM_DELROUTE, NLM_F_REQUEST | NLM_F_ACK);

	if (m && !nlmsg_append(m, &head, sizeof(head), NLMSG_ALIGNTO) &&
	    !nla_put(m, RTA_DST, 4, &a) && !nla_put_u32(m, RTA_OIF, ifindex))
		nl_send_sync(nr->sk, m); /* none of that type: as well */
	else
		nlmsg_free(m);
}

static int accept_local(void *arg)
{
	return file_put("/proc/sys/net/ipv4/conf/all/accept_local", "1", arg);
}

int nlroute_attach(struct nlroute *nr, bool add, const struct prefix4 *net,
		   const char *dev, struct err *e)
{
	const char *node = world_plan(nr->world)->nodes[nr->node].name;
	unsigned int ifindex = index_of(nr, dev);
	struct in_addr last = net->addr;
	struct nl_msg *m;
	int ret;

	if (!ifindex)
		return add ? err_set(e, ENODEV, "node %s has no interface %s",
				     node, dev)
			   : 0;
	/* else a packet from the first address would count as forged */
	ret = add ? world_enter(nr->world, nr->node, accept_local, e, e) : 0;
	m = ret ? NULL : addr_msg(add, net, ifindex);
	if (!m)
		return ret ? ret : err_set(e, ENOMEM, "out of memory");
	ret = nl_send_sync(nr->sk, m);
	if (ret && (add || ret != -NLE_NOADDR))
		return err_set(e, EIO, "node %s: address of %s: %s", node, dev,
			       nl_geterror(ret));
	if (net->len < 32)
		last.s_addr |= htonl(UINT32_MAX >> net->len);
	disown(nr, net->addr, RTN_LOCAL, ifindex);
	disown(nr, net->addr, RTN_BROADCAST, ifindex);
	disown(nr, last, RTN_BROADCAST, ifindex);
	return 0;
}

/* ---- look ------------------------------------------------------------------
 */

struct look {
	const struct addr *dst;
	uint8_t len;
	unsigned int ifindex;
	bool found;
};

static int match(struct nl_msg *m, void *arg)
{
	struct look *lk = arg;
	struct nlmsghdr *h = nlmsg_hdr(m);
	struct rtmsg *rt = nlmsg_data(h);
	struct nlattr *dst, *oif;

	if (h->nlmsg_type != RTM_NEWROUTE || rt->rtm_table != RT_TABLE_MAIN ||
	    rt->rtm_dst_len != lk->len || rt->rtm_type != RTN_UNICAST ||
	    rt->rtm_flags & (RTM_F_CLONED | RTNH_F_DEAD | RTNH_F_LINKDOWN))
		return NL_OK;
	dst = nlmsg_find_attr(h, sizeof(*rt), RTA_DST);
	oif = nlmsg_find_attr(h, sizeof(*rt), RTA_OIF);
	if (lk->len && (!dst || nla_len(dst) != addr_size(lk->dst) ||
			memcmp(nla_data(dst), &lk->dst->v6,
			       (size_t)addr_size(lk->dst)) != 0))
		return NL_OK;
	if (oif && nla_get_u32(oif) == lk->ifindex)
		lk->found = true;
	return NL_OK;
}

bool nlroute_leads(struct nlroute *nr, const struct addr *dst, uint8_t len,
		   const char *dev)
{
	struct rtmsg head = {.rtm_family = (uint8_t)dst->family};
	struct look lk = {.dst = dst, .len = len, .ifindex = index_of(nr, dev)};

	nl_socket_modify_cb(nr->sk, NL_CB_VALID, NL_CB_CUSTOM, match, &lk);
	/* a dump that a change disturbed is repeated at the news of it */
	if (lk.ifindex && nl_send_simple(nr->sk, RTM_GETROUTE, NLM_F_DUMP,
					 &head, sizeof(head)) >= 0)
		nl_recvmsgs_default(nr->sk);
	nl_socket_modify_cb(nr->sk, NL_CB_VALID, NL_CB_DEFAULT, NULL, NULL);
	return lk.found;
}

/* ---- watch -----------------------------------------------------------------
 */

static void on_news(void *arg, uint32_t events)
{
	struct nlroute *nr = arg;
	char buf[32768];

	(void)events;
	/* an overflow is news as well */
	while (recv(nl_socket_get_fd(nr->news), buf, sizeof(buf),
		    MSG_DONTWAIT) > 0)
		;
	nr->fn(nr->arg);
}

int nlroute_watch(struct nlroute *nr, void (*fn)(void *arg), void *arg,
		  struct err *e)
{
	nr->fn = fn;
	nr->arg = arg;
	if (nl_socket_add_memberships(nr->news, RTNLGRP_IPV4_ROUTE,
				      RTNLGRP_IPV6_ROUTE, 0))
		return err_set(e, EIO, "netlink: route groups");
	nr->source =
		loop_add_fd(world_loop(nr->world), nl_socket_get_fd(nr->news),
			    EPOLLIN, on_news, nr);
	if (!nr->source)
		return err_set(e, errno, "loop: %s", strerror(errno));
	return 0;
}

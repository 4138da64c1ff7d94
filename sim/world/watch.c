/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A watch is a netlink socket inside the node that has joined the multicast
 * groups of IPv4 and IPv6 routes, read from the loop. Waiting for a route
 * subscribes first and reads the table second, so nothing falls in between.
 * When the socket overflows, messages are lost: a wait then reads the table
 * again; a watcher is told in the log.
 */
#include "world_internal.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "../../xlat/base/log.h"

#define RCVBUF_BYTES (4 << 20)

struct watch {
	struct world *w;
	int node;
	struct nl_sock *sk;
	struct loop_source *source;
	route_news_fn *fn;
	void *arg;
	bool lost; /* messages, since last looked */
	struct watch *next;
};

/* ---- reading ---------------------------------------------------------------
 */

struct message {
	struct watch *watch;
	bool added;
	struct mono when;
};

static void tell(void *arg, const struct route_info *ri)
{
	struct message *msg = arg;
	char dev[IFNAMSIZ] = "";
	struct route_news news = {.when = msg->when,
				  .node = msg->watch->node,
				  .added = msg->added,
				  .dst = ri->dst,
				  .len = ri->len,
				  .via = ri->via,
				  .dev = dev};

	if (ri->ifindex)
		iface_name(&msg->watch->w->nodes[msg->watch->node], ri->ifindex,
			   dev);
	msg->watch->fn(msg->watch->arg, &news);
}

static void on_news(void *arg, uint32_t events)
{
	struct watch *watch = arg;
	struct message msg = {.watch = watch, .when = clock_now()};
	char buf[32768] __attribute__((aligned(NLMSG_ALIGNTO)));
	ssize_t got;
	int n;

	(void)events;
	got = recv(nl_socket_get_fd(watch->sk), buf, sizeof(buf), MSG_DONTWAIT);
	if (got < 0 && errno == ENOBUFS) {
		watch->lost = true;
		log_warn("node %s: routes change faster than they are read",
			 watch->w->nodes[watch->node].name);
	}
	n = (int)got;
	for (struct nlmsghdr *h = (struct nlmsghdr *)(void *)buf;
	     got > 0 && nlmsg_ok(h, n); h = nlmsg_next(h, &n)) {
		if (h->nlmsg_type != RTM_NEWROUTE &&
		    h->nlmsg_type != RTM_DELROUTE)
			continue;
		msg.added = h->nlmsg_type == RTM_NEWROUTE;
		route_parse(h, tell, &msg);
	}
}

/* ---- life ------------------------------------------------------------------
 */

static void watch_free(struct watch *watch)
{
	struct watch **at = &watch->w->watches;

	for (; *at; at = &(*at)->next)
		if (*at == watch) {
			*at = watch->next;
			break;
		}
	loop_del(watch->w->loop, watch->source);
	nl_socket_free(watch->sk);
	free(watch);
}

void watches_free(struct world *w)
{
	while (w->watches)
		watch_free(w->watches);
}

static int open_socket(void *arg)
{
	struct watch *watch = arg;
	struct err ignored;

	watch->sk = nlm_open(NETLINK_ROUTE, &ignored);
	return watch->sk ? 0 : -EIO;
}

static int subscribe(struct watch *watch, struct err *e)
{
	int size = RCVBUF_BYTES;
	int ret = world_enter(watch->w, watch->node, open_socket, watch, e);

	if (ret)
		return err_set(e, -ret, "netlink: %s", strerror(-ret));
	setsockopt(nl_socket_get_fd(watch->sk), SOL_SOCKET, SO_RCVBUFFORCE,
		   &size, sizeof(size));
	if (nl_socket_add_memberships(watch->sk, RTNLGRP_IPV4_ROUTE,
				      RTNLGRP_IPV6_ROUTE, 0))
		return err_set(e, EIO, "netlink: route groups");
	watch->source = loop_add_fd(watch->w->loop, nl_socket_get_fd(watch->sk),
				    EPOLLIN, on_news, watch);
	if (!watch->source)
		return err_set(e, errno, "loop: %s", strerror(errno));
	return 0;
}

static struct watch *watch_new(struct world *w, int node, route_news_fn *fn,
			       void *arg, struct err *e)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch) {
		err_set(e, ENOMEM, "out of memory");
		return NULL;
	}
	*watch = (struct watch){
		.w = w, .node = node, .fn = fn, .arg = arg, .next = w->watches};
	w->watches = watch;
	if (subscribe(watch, e)) {
		err_prefix(e, "node %s", w->nodes[node].name);
		watch_free(watch);
		return NULL;
	}
	return watch;
}

int world_watch_routes(struct world *w, int node, route_news_fn *fn, void *arg,
		       struct err *e)
{
	return watch_new(w, node, fn, arg, e) ? 0 : -EIO;
}

/* ---- waiting for one route -------------------------------------------------
 */

struct await {
	struct watch *watch;
	struct node *n;
	struct addr dst;
	uint8_t len;
	const char *dev;
	int ifindex; /* of dev */
	bool there;
	int ret; /* of reading the table */
	struct err *e;
};

static void look_for_route(void *arg, const struct route_news *news)
{
	struct await *aw = arg;

	if (news->len != aw->len || !addr_equal(&news->dst, &aw->dst) ||
	    (aw->dev && strcmp(news->dev, aw->dev) != 0))
		return;
	aw->there = news->added;
}

static void match_route(void *arg, const struct route_info *ri)
{
	struct await *aw = arg;

	if (ri->len == aw->len && addr_equal(&ri->dst, &aw->dst) &&
	    (!aw->dev || ri->ifindex == aw->ifindex))
		aw->there = true;
}

static int match_message(void *arg, struct nlmsghdr *h)
{
	if (h->nlmsg_type == RTM_NEWROUTE)
		route_parse(h, match_route, arg);
	return 0;
}

static void read_table(struct await *aw)
{
	struct rtmsg head = {.rtm_family = (uint8_t)aw->dst.family};

	/* an interface that is not there yet has no routes: its news will come
	 */
	aw->ifindex = aw->dev ? iface_index(aw->n, aw->dev, NULL) : 0;
	aw->ret = nlm_dump(aw->n->route, RTM_GETROUTE, &head, sizeof(head),
			   NULL, match_message, aw, aw->e);
}

static bool route_there(void *arg)
{
	struct await *aw = arg;

	if (aw->watch->lost) {
		aw->watch->lost = false;
		read_table(aw);
	}
	return aw->there || aw->ret;
}

int world_await_route(struct world *w, int node, const struct addr *dst,
		      uint8_t len, const char *dev, struct mono deadline,
		      struct err *e)
{
	struct await aw = {.n = &w->nodes[node],
			   .dst = *dst,
			   .len = len,
			   .dev = dev,
			   .e = e};
	char text[ADDR_TEXT_LEN];
	int ret;

	aw.watch = watch_new(w, node, look_for_route, &aw, e);
	if (!aw.watch)
		return -EIO;
	read_table(&aw);
	ret = loop_run_until(w->loop, route_there, &aw, deadline);
	if (aw.ret && !aw.there)
		ret = aw.ret;
	else if (ret == -ETIMEDOUT)
		err_set(e, ETIMEDOUT, "node %s has no route to %s/%u%s%s",
			aw.n->name, addr_format(dst, text), len,
			dev ? " out of " : "", dev ? dev : "");
	else if (ret == -EINTR)
		err_set(e, EINTR, "interrupted");
	watch_free(aw.watch);
	return ret;
}

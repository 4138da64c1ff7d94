/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * What was built is read back and compared with the plan: interfaces, their
 * MTU, addresses. Two things come by themselves a moment after an interface is
 * up, in tasks of the kernel: it is "running" (until then it drops what is
 * sent) and it has its link-local address (until then a router can't ask for
 * neighbours). They are waited for, woken by the kernel's announcements; the
 * subscription is made first and the state read second.
 */
#include "world_internal.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <string.h>
#include <sys/socket.h>

#include "../../xlat/base/arena.h"

#define READY_PATIENCE_NS (5 * NS_PER_S)
#define MTU_MIN6	  1280 /* RFC 8200: IPv6 needs as much */

/* ---- addresses -------------------------------------------------------------
 */

/* An address looked for; len 0: any link-local one. */
struct wanted {
	int family, ifindex;
	const void *addr;
	uint8_t len;
	bool found;
};

static bool is_wanted(const struct wanted *want, const struct nlattr *a)
{
	int size = want->family == AF_INET ? 4 : 16;

	if (!a || nla_len(a) != size)
		return false;
	if (!want->len)
		return IN6_IS_ADDR_LINKLOCAL(
			(const struct in6_addr *)nla_data(a));
	return !memcmp(nla_data(a), want->addr, (size_t)size);
}

static int match_addr(void *arg, struct nlmsghdr *h)
{
	struct wanted *want = arg;
	struct ifaddrmsg *ifa = nlmsg_data(h);
	struct nlattr *a, *flags;

	if (h->nlmsg_type != RTM_NEWADDR || ifa->ifa_family != want->family ||
	    (int)ifa->ifa_index != want->ifindex ||
	    (want->len && ifa->ifa_prefixlen != want->len))
		return 0;
	flags = nlmsg_find_attr(h, sizeof(*ifa), IFA_FLAGS);
	if (flags && nla_get_u32(flags) & (IFA_F_TENTATIVE | IFA_F_DADFAILED))
		return 0;
	a = nlmsg_find_attr(h, sizeof(*ifa), IFA_LOCAL);
	if (!a)
		a = nlmsg_find_attr(h, sizeof(*ifa), IFA_ADDRESS);
	if (is_wanted(want, a))
		want->found = true;
	return 0;
}

static int find_addr(struct node *n, struct wanted *want, struct err *e)
{
	struct ifaddrmsg head = {.ifa_family = (uint8_t)want->family,
				 .ifa_index = (uint32_t)want->ifindex};

	return nlm_dump(n->route, RTM_GETADDR, &head, sizeof(head), NULL,
			match_addr, want, e);
}

static int verify_addr(struct node *n, const char *iface, struct wanted want,
		       struct err *e)
{
	struct addr a = {.family = want.family};
	char text[ADDR_TEXT_LEN];
	int ret = find_addr(n, &want, e);

	if (ret || want.found)
		return ret;
	memcpy(&a.v6, want.addr, want.family == AF_INET ? 4 : 16);
	return err_set(e, EIO, "%s:%s lacks the address %s/%u", n->name, iface,
		       addr_format(&a, text), want.len);
}

static int verify_addrs(struct node *n, const struct plan_iface *i, int ifindex,
			struct err *e)
{
	struct wanted v4 = {AF_INET, ifindex, &i->addr4, i->net4.len, false};
	struct wanted v6 = {AF_INET6, ifindex, &i->addr6, i->net6.len, false};
	int ret = i->has4 ? verify_addr(n, i->name, v4, e) : 0;

	return ret || !i->has6 ? ret : verify_addr(n, i->name, v6, e);
}

/* ---- what comes by itself --------------------------------------------------
 */

struct coming {
	const struct veth_end *end;
	bool linklocal;
};

/* 1: all is there; 0: not yet. */
static int has_come(struct node *n, const struct coming *c, struct err *e)
{
	struct wanted ll = {.family = AF_INET6, .ifindex = c->end->ifindex};
	struct iface_facts f;
	int ret = iface_get(n, NULL, c->end->ifindex, &f, e);

	if (ret)
		return ret;
	if (!(f.flags & IFF_RUNNING))
		return err_set(e, 0, "%s:%s has no carrier", n->name,
			       c->end->name);
	if (!c->linklocal)
		return 1;
	ret = find_addr(n, &ll, e);
	if (!ret && !ll.found)
		return err_set(e, 0, "%s:%s has no link-local address", n->name,
			       c->end->name);
	return ret ? ret : 1;
}

static int open_announcements(void *arg)
{
	struct nl_sock **sk = arg;

	*sk = nlm_open(NETLINK_ROUTE, NULL);
	if (!*sk || nl_socket_add_memberships(*sk, RTNLGRP_LINK,
					      RTNLGRP_IPV6_IFADDR, 0))
		return -EIO;
	return 0;
}

static int await_coming(struct node *n, const struct coming *c, struct err *e)
{
	struct mono deadline = mono_add(clock_now(), READY_PATIENCE_NS);
	struct nl_sock *sk = NULL;
	char buf[8192];
	int ret = world_enter(n->w, n->index, open_announcements, &sk, e);

	if (ret)
		err_set(e, -ret, "node %s: netlink announcements: %s", n->name,
			strerror(-ret));
	while (!ret) {
		ret = has_come(n, c, e);
		if (ret)
			break;
		if (!wait_pidfd(nl_socket_get_fd(sk), deadline))
			ret = -ETIMEDOUT; /* has_come() said what is missing */
		else if (recv(nl_socket_get_fd(sk), buf, sizeof(buf), 0) < 0 &&
			 errno != ENOBUFS && errno != EINTR)
			ret = err_set(e, errno, "netlink: %s", strerror(errno));
	}
	nl_socket_free(sk);
	return ret < 0 ? ret : 0;
}

/* ---- links -----------------------------------------------------------------
 */

static int verify_end(struct node *n, const struct coming *c, int64_t mtu,
		      bool up, struct err *e)
{
	struct iface_facts f;
	int ret = iface_get(n, c->end->name, 0, &f, e);

	if (ret)
		return ret;
	if (f.index != c->end->ifindex)
		return err_set(e, EEXIST, "%s:%s is interface %d, not %d",
			       n->name, c->end->name, f.index, c->end->ifindex);
	if (f.mtu != mtu)
		return err_set(e, EIO, "%s:%s has MTU %u, not %lld", n->name,
			       c->end->name, f.mtu, (long long)mtu);
	ret = up ? has_come(n, c, e) : 1;
	if (!ret)
		ret = await_coming(n, c, e);
	return ret < 0 ? ret : 0;
}

/* Which links the plan brings as far as @kind. */
static bool *links_after(const struct world *w, enum plan_step_kind kind)
{
	bool *done =
		arena_alloc(w->arena, (w->plan->n_links + 1) * sizeof(*done));

	for (size_t i = 0; i < w->plan->n_steps; i++)
		if (w->plan->steps[i].kind == kind)
			done[w->plan->steps[i].index] = true;
	return done;
}

static int verify_link(struct world *w, int link, bool up, bool addressed,
		       struct err *e)
{
	const struct plan_link *l = &w->plan->links[link];
	struct veth_end ends[4];
	size_t n = link_ends(w, link, ends);
	int ret = 0;

	for (size_t k = 0; k < n && !ret; k++) {
		const struct plan_iface *i = k == n - 1 ? &l->b : &l->a;
		bool outer = k == 0 || k == n - 1;
		struct coming c = {.end = &ends[k],
				   .linklocal = outer && i->linklocal &&
						l->profile.mtu >= MTU_MIN6};
		struct node *at = &w->nodes[ends[k].node];

		ret = verify_end(at, &c, l->profile.mtu, up, e);
		if (!ret && outer && addressed)
			ret = verify_addrs(at, i, ends[k].ifindex, e);
	}
	return ret;
}

int world_verify(struct world *w, struct err *e)
{
	bool *made = links_after(w, STEP_LINK), *up = links_after(w, STEP_UP);
	bool *addressed = links_after(w, STEP_ADDR);
	int ret = 0;

	for (size_t i = 0; i < w->plan->n_links && !ret; i++)
		if (made[i])
			ret = verify_link(w, (int)i, up[i], addressed[i], e);
	if (ret)
		err_prefix(e, "what was built is not what was planned");
	return ret;
}

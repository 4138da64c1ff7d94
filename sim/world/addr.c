/* SPDX-License-Identifier: MIT */
/* Addresses of links and loopbacks, put there and read back. */
#include "world_internal.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <string.h>
#include <sys/socket.h>

#define LOOPBACK_IFINDEX 1

static int addr_add(struct node *n, int ifindex, int family, const void *addr,
		    uint8_t len, struct err *e)
{
	size_t size = family == AF_INET ? sizeof(struct in_addr)
					: sizeof(struct in6_addr);
	struct ifaddrmsg head = {.ifa_family = (uint8_t)family,
				 .ifa_prefixlen = len,
				 .ifa_index = (uint32_t)ifindex};
	struct nl_msg *m;
	int ret;

	/* nobody else can have it: it is valid at once */
	if (family == AF_INET6)
		head.ifa_flags = IFA_F_NODAD;
	m = nlm_new(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &head,
		    sizeof(head));
	if (m && (nla_put(m, IFA_LOCAL, (int)size, addr) ||
		  nla_put(m, IFA_ADDRESS, (int)size, addr))) {
		nlmsg_free(m);
		m = NULL;
	}
	ret = nlm_talk(n->route, m, NULL, NULL, e);
	if (ret) {
		char text[ADDR_TEXT_LEN];
		struct addr a = {.family = family};

		memcpy(&a.v6, addr, size);
		err_prefix(e, "address %s/%u", addr_format(&a, text), len);
	}
	return ret;
}

static int build_end(struct world *w, const struct plan_iface *i, int ifindex,
		     struct err *e)
{
	struct node *n = &w->nodes[i->node];
	int ret = 0;

	if (i->has4)
		ret = addr_add(n, ifindex, AF_INET, &i->addr4, i->net4.len, e);
	if (!ret && i->has6)
		ret = addr_add(n, ifindex, AF_INET6, &i->addr6, i->net6.len, e);
	if (ret)
		err_prefix(e, "%s:%s", n->name, i->name);
	return ret;
}

int addr_build_link(struct world *w, int link, struct err *e)
{
	const struct plan_link *l = &w->plan->links[link];
	struct veth_end ends[4];
	size_t n = link_ends(w, link, ends);
	int ret = build_end(w, &l->a, ends[0].ifindex, e);

	return ret ? ret : build_end(w, &l->b, ends[n - 1].ifindex, e);
}

int addr_build_loop(struct node *n, struct err *e)
{
	const struct plan_node *p = &n->w->plan->nodes[n->index];
	int ret = iface_set(n, LOOPBACK_IFINDEX, true, e);

	if (!ret && p->loop4.s_addr)
		ret = addr_add(n, LOOPBACK_IFINDEX, AF_INET, &p->loop4, 32, e);
	if (!ret && !IN6_IS_ADDR_UNSPECIFIED(&p->loop6))
		ret = addr_add(n, LOOPBACK_IFINDEX, AF_INET6, &p->loop6, 128,
			       e);
	if (ret)
		err_prefix(e, "%s:lo", n->name);
	return ret;
}

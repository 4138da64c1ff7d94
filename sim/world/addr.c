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

/* ---- verifying -------------------------------------------------------------
 */

struct wanted {
	int family, ifindex;
	const void *addr;
	uint8_t len;
	bool found;
};

static int match_addr(void *arg, struct nlmsghdr *h)
{
	struct wanted *want = arg;
	struct ifaddrmsg *ifa = nlmsg_data(h);
	struct nlattr *a, *flags;
	size_t size = want->family == AF_INET ? 4 : 16;
	uint32_t bad = IFA_F_TENTATIVE | IFA_F_DADFAILED;

	if (h->nlmsg_type != RTM_NEWADDR || ifa->ifa_family != want->family ||
	    (int)ifa->ifa_index != want->ifindex ||
	    ifa->ifa_prefixlen != want->len)
		return 0;
	flags = nlmsg_find_attr(h, sizeof(*ifa), IFA_FLAGS);
	if (flags && nla_get_u32(flags) & bad)
		return 0;
	a = nlmsg_find_attr(h, sizeof(*ifa), IFA_LOCAL);
	if (!a)
		a = nlmsg_find_attr(h, sizeof(*ifa), IFA_ADDRESS);
	if (a && (size_t)nla_len(a) == size &&
	    !memcmp(nla_data(a), want->addr, size))
		want->found = true;
	return 0;
}

static int verify_addr(struct node *n, const char *iface, struct wanted want,
		       struct err *e)
{
	struct ifaddrmsg head = {.ifa_family = (uint8_t)want.family};
	char text[ADDR_TEXT_LEN];
	struct addr a = {.family = want.family};
	int ret = nlm_dump(n->route, RTM_GETADDR, &head, sizeof(head), NULL,
			   match_addr, &want, e);

	if (ret || want.found)
		return ret;
	memcpy(&a.v6, want.addr, want.family == AF_INET ? 4 : 16);
	return err_set(e, EIO, "%s:%s lacks the address %s/%u", n->name, iface,
		       addr_format(&a, text), want.len);
}

int addrs_verify(struct world *w, struct node *n, const bool *links_done,
		 struct err *e)
{
	int ret = 0;

	for (size_t i = 0; i < w->plan->n_links && !ret; i++) {
		const struct plan_link *l = &w->plan->links[i];
		const struct plan_iface *ends[2] = {&l->a, &l->b};
		struct veth_end veth[4];
		size_t last = link_ends(w, (int)i, veth) - 1;

		for (int k = 0; k < 2 && !ret && links_done[i]; k++) {
			int ifindex = veth[k ? last : 0].ifindex;

			if (ends[k]->node != n->index)
				continue;
			if (ends[k]->has4)
				ret = verify_addr(
					n, ends[k]->name,
					(struct wanted){AF_INET, ifindex,
							&ends[k]->addr4,
							ends[k]->net4.len,
							false},
					e);
			if (!ret && ends[k]->has6)
				ret = verify_addr(
					n, ends[k]->name,
					(struct wanted){AF_INET6, ifindex,
							&ends[k]->addr6,
							ends[k]->net6.len,
							false},
					e);
		}
	}
	return ret;
}

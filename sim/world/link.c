/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A veth pair is made by one message that puts both ends into their final
 * namespaces under their final names: the outer end where the socket lives,
 * the peer through IFLA_NET_NS_FD. Nothing is moved or renamed later, for each
 * move costs a grace period of the kernel (16 ms). Ends are made down: a peer
 * can't be raised in that message.
 *
 * Interface indexes and MAC addresses follow from the link's place in the
 * plan. The indexes of two ends differ, so that the kernel reports carrier at
 * once (linkwatch takes equal ones for no peer and may wait a second); equal
 * MAC addresses in every run make link-local addresses and captures
 * comparable.
 */
#include "world_internal.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <netlink/attr.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define FIRST_IFINDEX 100

static int relay_node(const struct world *w)
{
	for (size_t i = 0; i < w->plan->n_nodes; i++)
		if (w->plan->nodes[i].role == NODE_RELAY)
			return (int)i;
	return -1;
}

size_t link_ends(const struct world *w, int link, struct veth_end ends[4])
{
	const struct plan_link *l = &w->plan->links[link];
	int first = FIRST_IFINDEX + 4 * link, relay;

	ends[0] = (struct veth_end){l->a.node, l->a.name, first};
	if (!l->relayed) {
		ends[1] = (struct veth_end){l->b.node, l->b.name, first + 1};
		return 2;
	}
	relay = relay_node(w);
	ends[1] = (struct veth_end){relay, l->relay_a, first + 1};
	ends[2] = (struct veth_end){relay, l->relay_b, first + 2};
	ends[3] = (struct veth_end){l->b.node, l->b.name, first + 3};
	return 4;
}

/* ---- making ----------------------------------------------------------------
 */

static int put_end(struct nl_msg *m, const struct veth_end *end, uint32_t mtu)
{
	/* locally administered */
	uint8_t mac[6] = {2,
			  0,
			  (uint8_t)(end->ifindex >> 24),
			  (uint8_t)(end->ifindex >> 16),
			  (uint8_t)(end->ifindex >> 8),
			  (uint8_t)end->ifindex};
	int ret = nla_put_string(m, IFLA_IFNAME, end->name);

	if (!ret)
		ret = nla_put_u32(m, IFLA_MTU, mtu);
	if (!ret)
		ret = nla_put(m, IFLA_ADDRESS, sizeof(mac), mac);
	return ret;
}

static struct nl_msg *veth_msg(const struct veth_end *outer,
			       const struct veth_end *peer, int peer_ns,
			       uint32_t mtu)
{
	struct ifinfomsg outer_head = {.ifi_index = outer->ifindex};
	struct ifinfomsg peer_head = {.ifi_index = peer->ifindex};
	struct nl_msg *m = nlm_new(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
				   &outer_head, sizeof(outer_head));
	struct nlattr *info, *data, *inner;

	if (!m || put_end(m, outer, mtu))
		goto fail;
	info = nla_nest_start(m, IFLA_LINKINFO);
	if (!info || nla_put_string(m, IFLA_INFO_KIND, "veth"))
		goto fail;
	data = nla_nest_start(m, IFLA_INFO_DATA);
	inner = data ? nla_nest_start(m, VETH_INFO_PEER) : NULL;
	if (!inner ||
	    nlmsg_append(m, &peer_head, sizeof(peer_head), NLMSG_ALIGNTO) ||
	    put_end(m, peer, mtu) ||
	    nla_put_u32(m, IFLA_NET_NS_FD, (uint32_t)peer_ns))
		goto fail;
	nla_nest_end(m, inner);
	nla_nest_end(m, data);
	nla_nest_end(m, info);
	return m;
fail:
	nlmsg_free(m);
	return NULL;
}

/* Only routers that speak OSPF want an automatic link-local address. */
static int no_linklocal(struct node *n, int ifindex, struct err *e)
{
	struct ifinfomsg head = {.ifi_index = ifindex};
	struct nl_msg *m = nlm_new(RTM_SETLINK, 0, &head, sizeof(head));
	struct nlattr *spec, *inet6;

	if (!m)
		return err_set(e, ENOMEM, "out of memory");
	spec = nla_nest_start(m, IFLA_AF_SPEC);
	inet6 = spec ? nla_nest_start(m, AF_INET6) : NULL;
	if (!inet6 ||
	    nla_put_u8(m, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE)) {
		nlmsg_free(m);
		return err_set(e, ENOMEM, "out of memory");
	}
	nla_nest_end(m, inet6);
	nla_nest_end(m, spec);
	return nlm_talk(n->route, m, NULL, NULL, e);
}

int link_build(struct world *w, int link, struct err *e)
{
	const struct plan_link *l = &w->plan->links[link];
	const struct plan_iface *ifaces[2] = {&l->a, &l->b};
	struct veth_end ends[4];
	size_t n = link_ends(w, link, ends);
	int ret = 0;

	for (size_t i = 0; i < n && !ret; i += 2) {
		if (ends[i].node < 0 || ends[i + 1].node < 0)
			return err_set(e, EINVAL,
				       "link %s: the plan has no relay node",
				       l->name);
		ret = nlm_talk(w->nodes[ends[i].node].route,
			       veth_msg(&ends[i], &ends[i + 1],
					w->nodes[ends[i + 1].node].net_fd,
					(uint32_t)l->profile.mtu),
			       NULL, NULL, e);
	}
	for (int i = 0; i < 2 && !ret; i++) {
		const struct veth_end *end = i ? &ends[n - 1] : &ends[0];

		if (!ifaces[i]->linklocal)
			ret = no_linklocal(&w->nodes[end->node], end->ifindex,
					   e);
	}
	if (ret)
		err_prefix(e, "link %s", l->name);
	return ret;
}

/* ---- up and down -----------------------------------------------------------
 */

int iface_set(struct node *n, int ifindex, bool up, struct err *e)
{
	struct ifinfomsg head = {.ifi_index = ifindex,
				 .ifi_flags = up ? IFF_UP : 0,
				 .ifi_change = IFF_UP};

	return nlm_talk(n->route, nlm_new(RTM_SETLINK, 0, &head, sizeof(head)),
			NULL, NULL, e);
}

int link_end_set(struct world *w, const struct veth_end *end, bool up,
		 struct err *e)
{
	struct node *n = &w->nodes[end->node];
	int ret = iface_set(n, end->ifindex, up, e);

	if (ret)
		err_prefix(e, "%s:%s", n->name, end->name);
	return ret;
}

int link_raise(struct world *w, int link, struct err *e)
{
	struct veth_end ends[4];
	size_t n = link_ends(w, link, ends);
	int ret = 0;

	for (size_t i = 0; i < n && !ret; i++)
		ret = link_end_set(w, &ends[i], true, e);
	if (!ret && w->plan->links[link].profile.block_icmp)
		ret = link_block_icmp(w, link, e);
	return ret;
}

/* A dead node's end stays down; it comes up with the node. */
int world_link_set(struct world *w, int link, bool up, struct err *e)
{
	struct veth_end ends[4];
	size_t n = link_ends(w, link, ends);
	const struct veth_end *outer[2] = {&ends[0], &ends[n - 1]};
	int ret = 0;

	w->link_down[link] = !up;
	for (int i = 0; i < 2 && !ret; i++)
		if (!w->nodes[outer[i]->node].down)
			ret = link_end_set(w, outer[i], up, e);
	for (int i = 0; i < 2 && !ret && up; i++)
		if (!w->nodes[outer[i]->node].down)
			ret = routes_restore(w, outer[i]->node, outer[i]->name,
					     e);
	return ret;
}

/* ---- asking ----------------------------------------------------------------
 */

static int read_iface(void *arg, struct nlmsghdr *h)
{
	struct iface_facts *f = arg;
	struct ifinfomsg *ifi = nlmsg_data(h);
	struct nlattr *a;

	if (h->nlmsg_type != RTM_NEWLINK)
		return 0;
	f->found = true;
	f->index = ifi->ifi_index;
	f->flags = ifi->ifi_flags;
	a = nlmsg_find_attr(h, sizeof(*ifi), IFLA_MTU);
	if (a)
		f->mtu = nla_get_u32(a);
	a = nlmsg_find_attr(h, sizeof(*ifi), IFLA_IFNAME);
	if (a)
		nla_strlcpy(f->name, a, sizeof(f->name));
	a = nlmsg_find_attr(h, sizeof(*ifi), IFLA_STATS64);
	if (a)
		nla_memcpy(&f->stats, a, sizeof(f->stats));
	return 0;
}

int iface_get(struct node *n, const char *name, int ifindex,
	      struct iface_facts *f, struct err *e)
{
	struct ifinfomsg head = {.ifi_index = ifindex};
	struct nl_msg *m = nlm_new(RTM_GETLINK, 0, &head, sizeof(head));
	int ret;

	*f = (struct iface_facts){0};
	if (m && name && nla_put_string(m, IFLA_IFNAME, name)) {
		nlmsg_free(m);
		m = NULL;
	}
	ret = nlm_talk(n->route, m, read_iface, f, e);
	if (ret)
		err_prefix(e, "%s:%s", n->name, name ? name : "?");
	return ret;
}

int iface_index(struct node *n, const char *name, struct err *e)
{
	struct iface_facts f;
	int ret = iface_get(n, name, 0, &f, e);

	return ret ? ret : f.index;
}

void iface_name(struct node *n, int ifindex, char *name)
{
	struct iface_facts f;

	int ret = iface_get(n, NULL, ifindex, &f, NULL);

	snprintf(name, IFNAMSIZ, "%s", ret ? "?" : f.name);
}

bool world_iface_exists(struct world *w, int node, const char *iface)
{
	struct iface_facts f;

	return !iface_get(&w->nodes[node], iface, 0, &f, NULL);
}

int world_iface_stats(struct world *w, int node, const char *iface,
		      struct iface_stats *out, struct err *e)
{
	struct iface_facts f;
	int ret = iface_get(&w->nodes[node], iface, 0, &f, e);

	if (ret)
		return ret;
	*out = (struct iface_stats){
		.rx_pkts = f.stats.rx_packets,
		.rx_bytes = f.stats.rx_bytes,
		.rx_dropped = f.stats.rx_dropped,
		.tx_pkts = f.stats.tx_packets,
		.tx_bytes = f.stats.tx_bytes,
		.tx_dropped = f.stats.tx_dropped,
	};
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "pair.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/veth.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../xlat/base/file.h"

struct visit {
	const char *near;
	unsigned int kind;
	struct err *e;
};

/* Send @m (which may be NULL), free it. */
static int talk(struct nl_msg *m, const char *what, struct err *e)
{
	struct nl_sock *sk = m ? nl_socket_alloc() : NULL;
	int ret;

	if (!sk || nl_connect(sk, NETLINK_ROUTE)) {
		nl_socket_free(sk);
		nlmsg_free(m);
		return err_set(e, ENOMEM, "%s: netlink cannot be opened", what);
	}
	ret = nl_send_sync(sk, m);
	nl_socket_free(sk);
	return ret ? err_set(e, EIO, "%s: %s", what, nl_geterror(ret)) : 0;
}

int pair_raise(const char *dev, int flags, struct err *e)
{
	struct ifreq ifr = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret;

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", dev);
	ret = ioctl(fd, SIOCGIFFLAGS, &ifr);
	ifr.ifr_flags = (short)(ifr.ifr_flags | IFF_UP | flags);
	if (!ret)
		ret = ioctl(fd, SIOCSIFFLAGS, &ifr);
	ret = ret ? err_set(e, errno, "%s: %s", dev, strerror(errno)) : 0;
	close(fd);
	return ret;
}

static struct nl_msg *veth_msg(const char *a, const char *b)
{
	struct ifinfomsg head = {.ifi_family = AF_UNSPEC};
	struct nl_msg *m = nlmsg_alloc_simple(
		RTM_NEWLINK,
		NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	struct nlattr *info, *data, *peer;

	if (!m || nlmsg_append(m, &head, sizeof(head), NLMSG_ALIGNTO) ||
	    nla_put_string(m, IFLA_IFNAME, a))
		goto failed;
	info = nla_nest_start(m, IFLA_LINKINFO);
	if (!info || nla_put_string(m, IFLA_INFO_KIND, "veth"))
		goto failed;
	data = nla_nest_start(m, IFLA_INFO_DATA);
	peer = data ? nla_nest_start(m, VETH_INFO_PEER) : NULL;
	if (!peer || nlmsg_append(m, &head, sizeof(head), NLMSG_ALIGNTO) ||
	    nla_put_string(m, IFLA_IFNAME, b))
		goto failed;
	nla_nest_end(m, peer);
	nla_nest_end(m, data);
	nla_nest_end(m, info);
	return m;
failed:
	nlmsg_free(m);
	return NULL;
}

static int set_offload(const char *dev, uint32_t command, bool on,
		       struct err *e)
{
	struct ethtool_value v = {.cmd = command, .data = on};
	struct ifreq ifr = {.ifr_data = (void *)&v};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret;

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", dev);
	ret = ioctl(fd, SIOCETHTOOL, &ifr)
		      ? err_set(e, errno, "%s: offloads: %s", dev,
				strerror(errno))
		      : 0;
	close(fd);
	return ret;
}

static int add(void *arg)
{
	struct visit *v = arg;
	int ret = talk(veth_msg(v->near, PAIR_FAR), v->near, v->e);

	/* the kernel has nothing to say at that end */
	if (!ret)
		ret = file_put("/proc/sys/net/ipv6/conf/" PAIR_FAR
			       "/disable_ipv6",
			       "1", v->e);
	if (!ret && v->kind & PAIR_LOSSY)
		ret = set_offload(v->near, ETHTOOL_STXCSUM, false, v->e);
	if (!ret && v->kind & PAIR_LOSSY)
		ret = set_offload(PAIR_FAR, ETHTOOL_SGRO, true, v->e);
	if (!ret)
		ret = pair_raise(PAIR_FAR, 0, v->e);
	if (!ret && v->kind & PAIR_RAISED)
		ret = pair_raise(v->near, v->kind & PAIR_NOARP ? IFF_NOARP : 0,
				 v->e);
	return ret;
}

int pair_add(struct world *w, int node, const char *near, unsigned int kind,
	     struct err *e)
{
	struct visit v = {.near = near, .kind = kind, .e = e};

	return world_enter(w, node, add, &v, e);
}

static int del(void *arg)
{
	struct visit *v = arg;
	struct ifinfomsg head = {.ifi_family = AF_UNSPEC,
				 .ifi_index = (int)if_nametoindex(v->near)};
	struct nl_msg *m;

	if (!head.ifi_index)
		return 0;
	m = nlmsg_alloc_simple(RTM_DELLINK, NLM_F_REQUEST | NLM_F_ACK);
	if (m && nlmsg_append(m, &head, sizeof(head), NLMSG_ALIGNTO)) {
		nlmsg_free(m);
		m = NULL;
	}
	return talk(m, v->near, v->e);
}

void pair_del(struct world *w, int node, const char *near)
{
	struct visit v = {.near = near};

	world_enter(w, node, del, &v, NULL); /* else it goes with it */
}

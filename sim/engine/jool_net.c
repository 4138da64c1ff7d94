/* SPDX-License-Identifier: MIT */
/*
 * The node's side of a Jool node: a device towards it, an address on that, and
 * a ping through the translator.
 */
#include "jool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pair.h"

#define AGAIN_NS (50 * NS_PER_MS)

struct visit {
	const char *dev;
	struct err *e;
	const struct addr *src, *dst;
	int fd;
	bool found;
};

static struct nl_sock *open_route(void)
{
	struct nl_sock *sk = nl_socket_alloc();

	if (sk && nl_connect(sk, NETLINK_ROUTE)) {
		nl_socket_free(sk);
		return NULL;
	}
	return sk;
}

/* Send @m (which may be NULL), free it. */
static int talk(struct nl_msg *m, const char *what, struct err *e)
{
	struct nl_sock *sk = m ? open_route() : NULL;
	int ret;

	if (!sk) {
		nlmsg_free(m);
		return err_set(e, ENOMEM, "%s: netlink cannot be opened", what);
	}
	ret = nl_send_sync(sk, m);
	nl_socket_free(sk);
	return ret ? err_set(e, EIO, "%s: %s", what, nl_geterror(ret)) : 0;
}

/* ---- up --------------------------------------------------------------------
 */

static int bring_up(void *arg)
{
	struct visit *v = arg;
	struct ifaddrmsg head = {.ifa_family = AF_INET6,
				 .ifa_prefixlen = 64,
				 .ifa_flags = IFA_F_NODAD,
				 .ifa_index = if_nametoindex(v->dev)};
	struct nl_msg *m = nlmsg_alloc_simple(
		RTM_NEWADDR,
		NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE);
	struct in6_addr a;

	inet_pton(AF_INET6, JOOL_NODE_LL, &a);
	if (m && (nlmsg_append(m, &head, sizeof(head), NLMSG_ALIGNTO) ||
		  nla_put(m, IFA_LOCAL, 16, &a) ||
		  nla_put(m, IFA_ADDRESS, 16, &a))) {
		nlmsg_free(m);
		m = NULL;
	}
	if (pair_raise(v->dev, 0, v->e)) {
		nlmsg_free(m);
		return -EIO;
	}
	return talk(m, v->dev, v->e);
}

int jool_net_up(struct world *w, int node, const char *dev, struct err *e)
{
	struct visit v = {.dev = dev, .e = e};

	return world_enter(w, node, bring_up, &v, e);
}

static int look_for(void *arg)
{
	struct visit *v = arg;
	struct ifreq ifr = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", v->dev);
	v->found = !ioctl(fd, SIOCGIFFLAGS, &ifr) && ifr.ifr_flags & IFF_UP;
	close(fd);
	return 0;
}

bool jool_net_has(struct world *w, int node, const char *dev)
{
	struct visit v = {.dev = dev};

	return !world_enter(w, node, look_for, &v, NULL) && v.found;
}

/* ---- ping ------------------------------------------------------------------
 */

union sock {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static socklen_t put_sock(union sock *s, const struct addr *a)
{
	*s = (union sock){.sa.sa_family = (sa_family_t)a->family};
	if (a->family == AF_INET)
		s->in.sin_addr = a->v4;
	else
		s->in6.sin6_addr = a->v6;
	return a->family == AF_INET ? sizeof(s->in) : sizeof(s->in6);
}

static int open_ping(void *arg)
{
	struct visit *v = arg;
	bool v4 = v->dst->family == AF_INET;
	union sock s;
	socklen_t len = put_sock(&s, v->src);

	v->fd = socket(v->dst->family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
		       v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	if (v->fd < 0 || bind(v->fd, &s.sa, len))
		return err_set(v->e, errno, "ping: %s", strerror(errno));
	len = put_sock(&s, v->dst);
	if (connect(v->fd, &s.sa, len))
		return err_set(v->e, errno, "ping: %s", strerror(errno));
	return 0;
}

int jool_net_ping(struct world *w, int node, const struct addr *src,
		  const struct addr *dst, struct err *e)
{
	struct visit v = {.src = src, .dst = dst, .fd = -1, .e = e};
	int ret = world_enter(w, node, open_ping, &v, e);

	if (ret && v.fd >= 0)
		close(v.fd);
	return ret ? ret : v.fd;
}

static uint16_t sum16(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

bool jool_net_pong(int fd, int family, struct mono *next)
{
	uint8_t request[16] = {family == AF_INET ? ICMP_ECHO
						 : ICMP6_ECHO_REQUEST};
	uint8_t buf[512];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0) {
		/* an IPv4 raw socket gives the IP header as well */
		size_t at = family == AF_INET ? (buf[0] & 15u) * 4 : 0;

		if ((size_t)n > at &&
		    buf[at] == (family == AF_INET ? ICMP_ECHOREPLY
						  : ICMP6_ECHO_REPLY))
			return true;
	}
	if (mono_before(clock_now(), *next))
		return false;
	*next = mono_add(clock_now(), AGAIN_NS);
	request[5] = 1; /* identifier: not 0, which some ranges leave out */
	if (family == AF_INET) { /* of ICMPv6 the kernel computes it */
		uint16_t sum = sum16(request, sizeof(request));

		request[2] = (uint8_t)(sum >> 8);
		request[3] = (uint8_t)sum;
	}
	(void)!send(fd, request, sizeof(request), 0); /* again in a while */
	return false;
}

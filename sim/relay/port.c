/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Two packet sockets an interface. The one that receives is bound to all
 * protocols, ignores what we send ourselves and stamps arrivals; the one that
 * sends has protocol 0, so that nothing is ever queued on it. Both carry the
 * virtio_net_hdr, so a superpacket passes whole and a partial checksum stays
 * partial. An interface that goes down reports ENETDOWN once; both sockets
 * stay bound and go on when it comes up again.
 *
 * Without carrier the kernel takes frames without complaint and throws them
 * away (its noop queue), after a first second of ENOBUFS. So that they are
 * counted for what they are, `carrier` is kept: read again whenever rtnetlink
 * has news of any link, and when a frame is refused.
 *
 * The relay's own stack sees the frames as well. It has no addresses there;
 * IPv6 is switched off on the interface, else the kernel would announce a
 * link-local address into the emulated link.
 */
#include "relay_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../xlat/base/file.h"

/* Enough for a few full windows of unpaced TCP while we are not running. */
#define RX_BUFFER_BYTES (48 << 20)
#define TX_BUFFER_BYTES (16 << 20)

static int set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value));
}

static int open_socket(unsigned int ifindex, int protocol)
{
	struct sockaddr_ll ll = {.sll_family = AF_PACKET,
				 .sll_protocol = htons((uint16_t)protocol),
				 .sll_ifindex = (int)ifindex};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (set_int(fd, SOL_PACKET, PACKET_VNET_HDR, 1) ||
	    set_int(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1) ||
	    set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, RX_BUFFER_BYTES) ||
	    set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, TX_BUFFER_BYTES) ||
	    set_int(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1) ||
	    bind(fd, (struct sockaddr *)&ll, sizeof(ll))) {
		int code = errno;

		close(fd);
		return -code;
	}
	return fd;
}

static int silence_ipv6(const char *name, struct err *e)
{
	char path[96];

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6",
		 name);
	if (access(path, F_OK) && errno == ENOENT)
		return 0; /* a kernel without IPv6 */
	return file_put(path, "1", e);
}

int port_open(struct port *p, const char *name, struct err *e)
{
	int ret;

	*p = (struct port){.rx_fd = -1, .tx_fd = -1};
	snprintf(p->name, sizeof(p->name), "%s", name);
	p->ifindex = if_nametoindex(name);
	if (!p->ifindex)
		return err_set(e, ENODEV, "there is no interface '%s' here",
			       name);
	ret = silence_ipv6(name, e);
	if (ret)
		return ret;
	p->tx_fd = open_socket(p->ifindex, 0);
	if (p->tx_fd < 0)
		return err_set(e, -p->tx_fd, "packet socket on %s: %s", name,
			       strerror(-p->tx_fd));
	p->rx_fd = open_socket(p->ifindex, ETH_P_ALL);
	if (p->rx_fd < 0)
		return err_set(e, -p->rx_fd, "packet socket on %s: %s", name,
			       strerror(-p->rx_fd));
	port_read_carrier(p);
	return 0;
}

void port_close(struct port *p)
{
	if (p->rx_fd >= 0)
		close(p->rx_fd);
	if (p->tx_fd >= 0)
		close(p->tx_fd);
	p->rx_fd = p->tx_fd = -1;
}

void port_read_carrier(struct port *p)
{
	/* IFF_RUNNING would do, but lags by up to a second */
	struct ethtool_value link = {.cmd = ETHTOOL_GLINK};
	struct ifreq req = {.ifr_data = (void *)&link};

	memcpy(req.ifr_name, p->name, sizeof(req.ifr_name));
	p->carrier = ioctl(p->tx_fd, SIOCETHTOOL, &req) == 0 && link.data;
	req.ifr_data = NULL;
	p->carrier = p->carrier && ioctl(p->tx_fd, SIOCGIFFLAGS, &req) == 0 &&
		     (req.ifr_flags & IFF_UP);
}

int port_open_news(void)
{
	struct sockaddr_nl nl = {.nl_family = AF_NETLINK,
				 .nl_groups = RTMGRP_LINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			NETLINK_ROUTE);

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&nl, sizeof(nl))) {
		int code = errno;

		close(fd);
		return -code;
	}
	return fd;
}

void port_drain_news(int fd)
{
	char buf[8192];

	/* ENOBUFS: some got lost; that there is news is all we want to know */
	while (recv(fd, buf, sizeof(buf), 0) > 0 || errno == ENOBUFS)
		;
}

void port_read_overruns(struct port *p)
{
	struct tpacket_stats st;
	socklen_t len = sizeof(st);

	/* The kernel counts from zero again after each reading. */
	if (!getsockopt(p->rx_fd, SOL_PACKET, PACKET_STATISTICS, &st, &len))
		p->overruns += st.tp_drops;
}

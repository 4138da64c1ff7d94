/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * RFC 8781: every router advertisement of one interface is read from a raw
 * socket, beside the kernel, which does with it what it is configured to.
 * Until a prefix is known routers are solicited: at once, then after 4
 * seconds, doubled up to an hour (RFC 7559). Lifetimes are the routers'; one
 * that falls silent is believed until they are over.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../base/log.h"
#include "discover_internal.h"

#define FIRST_NS (4 * NS_PER_S)
#define LAST_NS	 (3600 * NS_PER_S)
#define RA_BYTES 65536

static void on_solicit(void *arg, struct mono due)
{
	struct discover *d = arg;
	struct nd_router_solicit rs = {.nd_rs_type = ND_ROUTER_SOLICIT};
	struct sockaddr_in6 to = {.sin6_family = AF_INET6};
	unsigned int ifindex = if_nametoindex(d->server->config->ra_interface);

	(void)due;
	d->retry = NULL;
	if (d->set.n)
		return;
	inet_pton(AF_INET6, "ff02::2", &to.sin6_addr);
	to.sin6_scope_id = ifindex;
	if (!ifindex || sendto(d->fd, &rs, sizeof(rs), MSG_NOSIGNAL,
			       (const struct sockaddr *)&to, sizeof(to)) < 0) {
		/* down, or without an address yet */
		discover_retry(d, NS_PER_S, on_solicit);
		return;
	}
	d->stats.sent++;
	/* 90 to 110 percent, so that not all customers ask at once */
	discover_retry(d,
		       d->interval_ns / 10 * 9 +
			       (int64_t)rng_below(&d->rng,
						  (uint64_t)d->interval_ns / 5),
		       on_solicit);
	d->interval_ns =
		d->interval_ns * 2 < LAST_NS ? d->interval_ns * 2 : LAST_NS;
}

void discover_ra_lost(struct discover *d)
{
	if (d->retry)
		return;
	d->interval_ns = FIRST_NS;
	discover_retry(d, FIRST_NS, on_solicit);
}

static void take_ra(struct discover *d, const uint8_t *msg, size_t len,
		    int hop_limit, const struct in6_addr *src)
{
	struct pref64_list l;
	bool had = d->set.n > 0;

	if (!pref64_parse_ra(msg, len, hop_limit, src, &l)) {
		d->stats.ignored++;
		return;
	}
	d->stats.answers++;
	for (unsigned int i = 0; i < l.n; i++)
		d->stats.negative += l.v[i].lifetime_s == 0;
	pref64_learn(&d->set, &l, src, clock_now());
	discover_update(d);
	if (had && !d->set.n)
		discover_ra_lost(d);
}

static int hop_limit_of(struct msghdr *m)
{
	int hops = -1;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == IPPROTO_IPV6 &&
		    c->cmsg_type == IPV6_HOPLIMIT)
			memcpy(&hops, CMSG_DATA(c), sizeof(hops));
	return hops;
}

static void on_ra(void *arg, uint32_t events)
{
	static uint8_t buf[RA_BYTES];
	struct discover *d = arg;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct sockaddr_in6 from;
	struct iovec iov = {buf, sizeof(buf)};
	struct msghdr m = {.msg_name = &from,
			   .msg_namelen = sizeof(from),
			   .msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.bytes,
			   .msg_controllen = sizeof(control.bytes)};
	ssize_t n = recvmsg(d->fd, &m, MSG_DONTWAIT);

	(void)events;
	if (n < 0) /* nothing after all, or the interface went down */
		return;
	take_ra(d, buf, (size_t)n, hop_limit_of(&m), &from.sin6_addr);
}

static int set_options(int fd, const char *interface)
{
	struct icmp6_filter only;
	int on = 1, hops = 255;

	ICMP6_FILTER_SETBLOCKALL(&only);
	ICMP6_FILTER_SETPASS(ND_ROUTER_ADVERT, &only);
	return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface,
			  (socklen_t)strlen(interface)) ||
	       setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &only,
			  sizeof(only)) ||
	       setsockopt(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &on,
			  sizeof(on)) ||
	       setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops,
			  sizeof(hops));
}

int discover_ra_open(struct discover *d, struct err *e)
{
	const char *interface = d->server->config->ra_interface;
	int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			IPPROTO_ICMPV6);

	if (fd < 0 || set_options(fd, interface)) {
		int code = errno;

		if (fd >= 0)
			close(fd);
		return err_set(e, code, "router advertisements of %s: %s",
			       interface, strerror(code));
	}
	if (discover_watch(d, fd, on_ra))
		return err_set(e, ENOMEM,
			       "router advertisements of %s: out "
			       "of memory",
			       interface);
	d->interval_ns = FIRST_NS;
	discover_retry(d, 0, on_solicit);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * RFC 8781: every router advertisement of one interface is read from a raw
 * socket, beside the kernel, which does with it what it is configured to.
 * Until a router's prefix is known routers are solicited: at once, then after
 * 4 seconds, doubled up to an hour (RFC 7559), and again from the beginning
 * when the last prefix is lost. Lifetimes are the routers'; one that falls
 * silent is believed until they are over.
 *
 * The interface is found by its name, and may come, go and come again: a
 * session of PPPoE that is dialled anew is another interface. A socket is
 * bound to one of them, so whenever rtnetlink says that any interface has
 * changed, the name is looked up again. What was learned goes with the
 * interface (RFC 8781 section 5.1). One that gets a carrier is solicited on as
 * if it were new.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../base/log.h"
#include "discover_internal.h"

#ifndef SO_BINDTOIFINDEX /* Linux 5.1 */
#define SO_BINDTOIFINDEX 62
#endif

#define FIRST_NS (4 * NS_PER_S)
#define LAST_NS	 (3600 * NS_PER_S)
#define DELAY_NS NS_PER_S /* RFC 4861: MAX_RTR_SOLICITATION_DELAY */
#define RA_BYTES 65536

/* ---- solicitations ---------------------------------------------------------
 */

static void on_solicit(void *arg, struct mono due)
{
	struct discover *d = arg;
	struct nd_router_solicit rs = {.nd_rs_type = ND_ROUTER_SOLICIT};
	struct sockaddr_in6 to = {.sin6_family = AF_INET6};

	(void)due;
	d->routers.timer = NULL;
	if (pref64_by_router(&d->set))
		return;
	inet_pton(AF_INET6, "ff02::2", &to.sin6_addr);
	to.sin6_scope_id = d->ifindex;
	if (sendto(d->routers.fd, &rs, sizeof(rs), MSG_NOSIGNAL,
		   (const struct sockaddr *)&to, sizeof(to)) < 0) {
		/* down, or without an address yet */
		discover_in(d, &d->routers, NS_PER_S, on_solicit);
		return;
	}
	d->stats.sent++;
	/* 90 to 110 percent, so that not all customers ask at once */
	discover_in(d, &d->routers,
		    d->interval_ns / 10 * 9 +
			    (int64_t)rng_below(&d->rng,
					       (uint64_t)d->interval_ns / 5),
		    on_solicit);
	d->interval_ns =
		d->interval_ns * 2 < LAST_NS ? d->interval_ns * 2 : LAST_NS;
}

/* From the beginning, after up to @within_ns: others may have the same cause
 * to ask (RFC 4861 section 6.3.7). */
static void solicit_anew(struct discover *d, int64_t within_ns)
{
	d->interval_ns = FIRST_NS;
	discover_in(d, &d->routers,
		    (int64_t)rng_below(&d->rng, (uint64_t)within_ns + 1),
		    on_solicit);
}

void discover_ra_check(struct discover *d, bool had)
{
	if (d->ifindex && had && !pref64_by_router(&d->set))
		solicit_anew(d, DELAY_NS);
}

/* ---- advertisements --------------------------------------------------------
 */

static void take_ra(struct discover *d, const uint8_t *msg, size_t len,
		    int hop_limit, const struct in6_addr *src)
{
	bool had = pref64_by_router(&d->set);
	struct pref64_list l;

	if (!pref64_parse_ra(msg, len, hop_limit, src, &l)) {
		d->stats.ignored++;
		return;
	}
	d->stats.answers++;
	for (unsigned int i = 0; i < l.n; i++)
		d->stats.negative += l.v[i].lifetime_s == 0;
	pref64_learn(&d->set, &l, src, clock_now());
	discover_update(d);
	discover_ra_check(d, had);
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
	ssize_t n = recvmsg(d->routers.fd, &m, MSG_DONTWAIT);

	(void)events;
	if (n < 0) /* nothing after all, or the interface went down */
		return;
	take_ra(d, buf, (size_t)n, hop_limit_of(&m), &from.sin6_addr);
}

/* @ifindex: 0 is every interface */
static int set_options(int fd, unsigned int ifindex)
{
	int on = 1, hops = 255, index = (int)ifindex;
	struct icmp6_filter only;

	ICMP6_FILTER_SETBLOCKALL(&only);
	ICMP6_FILTER_SETPASS(ND_ROUTER_ADVERT, &only);
	return setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &index,
			  sizeof(index)) ||
	       setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &only,
			  sizeof(only)) ||
	       setsockopt(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &on,
			  sizeof(on)) ||
	       setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops,
			  sizeof(hops));
}

/* ---- the interface ---------------------------------------------------------
 */

/* A descriptor, or -errno with @e set. */
static int open_raw(const char *name, unsigned int ifindex, struct err *e)
{
	int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			IPPROTO_ICMPV6);
	int code;

	if (fd >= 0 && !set_options(fd, ifindex))
		return fd;
	code = errno;
	if (fd >= 0)
		close(fd);
	return err_set(e, code, "router advertisements of %s: %s", name,
		       strerror(code));
}

static bool is_running(int fd, const char *name)
{
	struct ifreq r = {0};

	strncpy(r.ifr_name, name, IFNAMSIZ - 1);
	return !ioctl(fd, SIOCGIFFLAGS, &r) && r.ifr_flags & IFF_RUNNING;
}

static void leave(struct discover *d)
{
	loop_del(d->server->loop, d->routers.timer);
	d->routers.timer = NULL;
	discover_unwatch(d, &d->routers);
	d->ifindex = 0;
	d->running = false;
	pref64_forget_routers(&d->set);
	discover_update(d);
}

/* Returns 0, or -errno with @e set. */
static int enter(struct discover *d, unsigned int ifindex, struct err *e)
{
	const char *name = d->server->config->ra_interface;
	int fd = open_raw(name, ifindex, e);

	if (fd < 0)
		return fd;
	if (discover_watch(d, &d->routers, fd, EPOLLIN, on_ra))
		return err_set(e, ENOMEM,
			       "router advertisements of %s: out of memory",
			       name);
	d->ifindex = ifindex;
	return 0;
}

static void on_retry(void *arg, struct mono due);

void discover_ra_follow(struct discover *d)
{
	const char *name = d->server->config->ra_interface;
	unsigned int ifindex = if_nametoindex(name);
	bool was_running = d->running;
	struct err e;

	if (ifindex != d->ifindex) {
		if (d->ifindex)
			log_warn("interface %s is gone", name);
		leave(d);
		was_running = false;
		if (ifindex && enter(d, ifindex, &e)) {
			log_err("%s", e.text);
			discover_in(d, &d->routers, NS_PER_S, on_retry);
		} else if (ifindex) {
			log_info("interface %s is there", name);
		}
	}
	if (!d->ifindex)
		return;
	d->running = is_running(d->routers.fd, name);
	if (d->running && !was_running && !pref64_by_router(&d->set))
		solicit_anew(d, DELAY_NS);
}

static void on_retry(void *arg, struct mono due)
{
	struct discover *d = arg;

	(void)due;
	d->routers.timer = NULL;
	discover_ra_follow(d);
}

int discover_ra_open(struct discover *d, struct err *e)
{
	const char *name = d->server->config->ra_interface;
	unsigned int ifindex;
	int fd, ret;

	/* what is forbidden is said now, not when the interface comes */
	fd = open_raw(name, 0, e);
	if (fd < 0)
		return fd;
	close(fd);
	ifindex = if_nametoindex(name);
	if (!ifindex) {
		log_warn("there is no interface %s yet", name);
		return 0;
	}
	ret = enter(d, ifindex, e);
	if (ret)
		return ret;
	d->running = is_running(d->routers.fd, name);
	solicit_anew(d, 0);
	return 0;
}

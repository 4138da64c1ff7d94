/* SPDX-License-Identifier: MIT */
/*
 * Router advertisements inside a tower's node: `xlatsim advertise FILE`.
 *
 * Theory of operation
 *
 * One raw socket hears all solicitations; each is answered at once on its
 * interface, to all nodes. Unasked, every interface gets an advertisement at
 * the start, every INTERVAL, and when the prefix changes. A prefix that was
 * advertised before goes on being mentioned, with a lifetime of 0: whoever
 * missed the change learns of it from the next one. The router lifetime is 0,
 * for homes have their default routes already.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../xlat/base/loop.h"
#include "engine_internal.h"

#define INTERVAL_NS    (10 * NS_PER_S)
#define LIFETIME_S     1800 /* a multiple of 8 */
#define MAX_INTERFACES 256
#define OPTION_PREF64  38
#define OPTION_BYTES   16
#define MAX_OLD	       4

struct radv {
	struct loop *loop;
	int fd, listen_fd;
	unsigned int interfaces[MAX_INTERFACES];
	size_t n_interfaces;
	struct prefix6 now, old[MAX_OLD];
	bool none;
	size_t n_old;
	long long sent, solicited, failed;
};

/* RFC 8781 section 4: the codes of the prefix lengths. */
static int code_of(uint8_t len)
{
	static const uint8_t lengths[] = {96, 64, 56, 48, 40, 32};

	for (int i = 0; i < 6; i++)
		if (lengths[i] == len)
			return i;
	return -1;
}

static size_t put_option(uint8_t *b, const struct prefix6 *p,
			 unsigned int lifetime_s)
{
	b[0] = OPTION_PREF64;
	b[1] = OPTION_BYTES / 8;
	b[2] = (uint8_t)(lifetime_s >> 8);
	b[3] = (uint8_t)((lifetime_s & 0xf8) | (unsigned int)code_of(p->len));
	memcpy(b + 4, &p->addr, 12);
	return OPTION_BYTES;
}

static void advertise(struct radv *r, unsigned int interface)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6,
				  .sin6_scope_id = interface};
	uint8_t b[sizeof(struct nd_router_advert) +
		  OPTION_BYTES * (MAX_OLD + 1)] = {0};
	struct nd_router_advert *ra = (struct nd_router_advert *)(void *)b;
	size_t len = sizeof(*ra);

	ra->nd_ra_type = ND_ROUTER_ADVERT;
	ra->nd_ra_curhoplimit = 64;
	if (!r->none)
		len += put_option(b + len, &r->now, LIFETIME_S);
	for (size_t i = 0; i < r->n_old; i++)
		len += put_option(b + len, &r->old[i], 0);
	inet_pton(AF_INET6, "ff02::1", &to.sin6_addr);
	if (sendto(r->fd, b, len, 0, (const struct sockaddr *)&to, sizeof(to)) <
	    0) {
		r->failed++; /* the link is down; the next one will do */
		return;
	}
	r->sent++;
}

static void advertise_all(struct radv *r)
{
	for (size_t i = 0; i < r->n_interfaces; i++)
		advertise(r, r->interfaces[i]);
}

static void on_interval(void *arg, struct mono due)
{
	struct radv *r = arg;

	advertise_all(r);
	if (!loop_add_timer(r->loop, mono_add(due, INTERVAL_NS), on_interval,
			    r)) {
		fprintf(stderr, "timer: %s\n", strerror(errno));
		loop_stop(r->loop);
	}
}

/* ---- solicitations ---------------------------------------------------------
 */

static void on_solicitation(void *arg, uint32_t events)
{
	struct radv *r = arg;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) +
			   CMSG_SPACE(sizeof(int))];
	} control;
	uint8_t b[1500];
	struct iovec iov = {b, sizeof(b)};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = control.bytes,
			   .msg_controllen = sizeof(control.bytes)};
	struct in6_pktinfo info = {.ipi6_ifindex = 0};
	int hops = 0;

	(void)events;
	if (recvmsg(r->fd, &m, MSG_DONTWAIT) < 8)
		return;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level != IPPROTO_IPV6)
			continue;
		if (c->cmsg_type == IPV6_PKTINFO)
			memcpy(&info, CMSG_DATA(c), sizeof(info));
		if (c->cmsg_type == IPV6_HOPLIMIT)
			memcpy(&hops, CMSG_DATA(c), sizeof(hops));
	}
	for (size_t i = 0; i < r->n_interfaces && hops == 255; i++)
		if (r->interfaces[i] == info.ipi6_ifindex) {
			r->solicited++;
			advertise(r, info.ipi6_ifindex);
		}
}

/* ---- who asks --------------------------------------------------------------
 */

static void retire(struct radv *r)
{
	if (r->none)
		return;
	if (r->n_old == MAX_OLD)
		memmove(r->old, r->old + 1, --r->n_old * sizeof(r->old[0]));
	r->old[r->n_old++] = r->now;
}

static bool same(const struct prefix6 *a, const struct prefix6 *b)
{
	return a->len == b->len && !memcmp(&a->addr, &b->addr, 16);
}

/* A prefix, or "none"; false when it is neither. */
static bool change(struct radv *r, const char *text)
{
	struct prefix6 next;
	bool none = !strcmp(text, "none");

	if (!none && (prefix6_parse(text, &next) || code_of(next.len) < 0))
		return false;
	retire(r);
	r->none = none;
	if (!none) {
		r->now = next;
		for (size_t i = r->n_old; i-- > 0;)
			if (same(&r->old[i], &next)) {
				r->n_old--;
				memmove(&r->old[i], &r->old[i + 1],
					(r->n_old - i) * sizeof(r->old[0]));
			}
	}
	advertise_all(r);
	return true;
}

static json_t *answer(struct radv *r, const char *line)
{
	if (!strncmp(line, "advertise ", 10))
		return json_pack("{s:b}", "ok", change(r, line + 10));
	return json_pack("{s:I, s:I, s:I}", "sent", (json_int_t)r->sent,
			 "solicited", (json_int_t)r->solicited, "failed",
			 (json_int_t)r->failed);
}

static void on_client(void *arg, uint32_t events)
{
	struct radv *r = arg;
	struct timeval limit = {.tv_usec = 200000};
	int fd = accept4(r->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	char line[128], *text = NULL;
	json_t *o;
	ssize_t n;

	(void)events;
	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	n = recv(fd, line, sizeof(line) - 1, 0);
	if (n > 0) {
		line[n] = '\0';
		line[strcspn(line, "\n")] = '\0';
		o = answer(r, line);
		text = o ? json_dumps(o, JSON_COMPACT) : NULL;
		json_decref(o);
	}
	if (text && dprintf(fd, "%s\n", text) < 0)
		fprintf(stderr, "control: %s\n", strerror(errno));
	free(text);
	close(fd);
}

/* ---- beginning -------------------------------------------------------------
 */

static int open_raw(void)
{
	struct icmp6_filter only;
	int on = 1, hops = 255;
	int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			IPPROTO_ICMPV6);

	ICMP6_FILTER_SETBLOCKALL(&only);
	ICMP6_FILTER_SETPASS(ND_ROUTER_SOLICIT, &only);
	if (fd < 0 ||
	    setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &only, sizeof(only)) ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &on, sizeof(on)) ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)) ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops,
		       sizeof(hops)))
		return -1;
	return fd;
}

/* Solicitations go to all routers: be one, on this interface. */
static int join(struct radv *r, const char *name)
{
	struct ipv6_mreq mreq = {.ipv6mr_interface = if_nametoindex(name)};

	inet_pton(AF_INET6, "ff02::2", &mreq.ipv6mr_multiaddr);
	if (!mreq.ipv6mr_interface || r->n_interfaces == MAX_INTERFACES ||
	    setsockopt(r->fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &mreq,
		       sizeof(mreq)))
		return -1;
	r->interfaces[r->n_interfaces++] = mreq.ipv6mr_interface;
	return 0;
}

static int start(struct radv *r, const json_t *config)
{
	const json_t *list = json_object_get(config, "interfaces");
	const char *control =
		json_string_value(json_object_get(config, "control"));
	const char *prefix =
		json_string_value(json_object_get(config, "prefix"));

	r->none = !prefix;
	if (prefix &&
	    (prefix6_parse(prefix, &r->now) || code_of(r->now.len) < 0))
		return -1;
	r->fd = open_raw();
	r->listen_fd = control ? engine_listen(control) : -1;
	r->loop = loop_new();
	if (r->fd < 0 || r->listen_fd < 0 || !r->loop ||
	    !loop_add_fd(r->loop, r->fd, EPOLLIN, on_solicitation, r) ||
	    !loop_add_fd(r->loop, r->listen_fd, EPOLLIN, on_client, r))
		return -1;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *name = json_string_value(json_array_get(list, i));

		if (!name || join(r, name))
			return -1;
	}
	return 0;
}

int radv_main(int argc, char **argv)
{
	struct radv r = {.fd = -1, .listen_fd = -1};
	json_t *config = argc == 2 ? json_load_file(argv[1], 0, NULL) : NULL;

	if (!config) {
		fputs("xlatsim advertise: for xlatsim's own use inside nodes\n",
		      stderr);
		return 2;
	}
	if (start(&r, config)) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
	} else {
		on_interval(&r, clock_now());
		loop_run(r.loop); /* until it is killed */
	}
	loop_free(r.loop);
	json_decref(config);
	return 1;
}

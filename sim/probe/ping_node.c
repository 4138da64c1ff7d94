/* SPDX-License-Identifier: MIT */
/*
 * Echo requests of either family, from inside a node.
 *
 * Theory of operation
 *
 * A ping socket (SOCK_DGRAM, IPPROTO_ICMP): the kernel chooses the identifier,
 * fills in checksums, and gives us replies to our own requests alone. Requests
 * leave on a fixed schedule, whatever comes back; a request that cannot even
 * be sent counts as lost. When a reply came is the kernel's receive timestamp,
 * when its request left is read just before sendto(); both are CLOCK_REALTIME,
 * since that is what the kernel stamps with. After the last request one second
 * remains for what is under way. Who waits for a path to open wants the first
 * reply alone, and whatever was sent before it is not waited for.
 *
 * ICMP errors come over the socket's error queue; the last one is reported.
 */
#include "probe_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "node_args.h"

#define WAIT_NS	 (1 * NS_PER_S)
#define MAX_SIZE 65000

struct pinger {
	int fd;
	struct node_peer to;
	int64_t count, interval_ns, size;
	int64_t first;	  /* over with the first reply */
	int64_t *sent_ns; /* CLOCK_REALTIME, by sequence number */
	double *rtt_ns;	  /* below 0: no reply yet */
	int64_t n_sent, n_received, duplicates;
	char error[200];
	uint8_t *packet;
};

static int64_t real_ns(const struct timespec *ts)
{
	return ts->tv_sec * NS_PER_S + ts->tv_nsec;
}

static int64_t real_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return real_ns(&ts);
}

/* ---- one packet
 * -----------------------------------------------------------------
 */

/* Type, code, checksum, identifier, sequence number: alike in both families. */
static void send_one(struct pinger *g)
{
	uint16_t seq = (uint16_t)g->n_sent;
	ssize_t n;

	memset(g->packet, 0, 8);
	g->packet[0] = g->to.family == AF_INET ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
	g->packet[6] = (uint8_t)(seq >> 8);
	g->packet[7] = (uint8_t)seq;
	g->rtt_ns[g->n_sent] = -1;
	g->sent_ns[g->n_sent] = real_now();
	g->n_sent++;
	n = sendto(g->fd, g->packet, (size_t)g->size + 8, 0,
		   (struct sockaddr *)&g->to.addr, g->to.len);
	/* an earlier packet's ICMP error is reported here, once */
	if (n < 0)
		n = sendto(g->fd, g->packet, (size_t)g->size + 8, 0,
			   (struct sockaddr *)&g->to.addr, g->to.len);
	if (n < 0)
		snprintf(g->error, sizeof(g->error), "%s: %s", g->to.text,
			 strerror(errno));
}

static int64_t stamp_of(struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c))
		if (c->cmsg_level == SOL_SOCKET &&
		    c->cmsg_type == SCM_TIMESTAMPNS) {
			struct timespec ts;

			memcpy(&ts, CMSG_DATA(c), sizeof(ts));
			return real_ns(&ts);
		}
	return real_now();
}

/* Sequence numbers are 16 bits; the latest request with that number counts. */
static void note_reply(struct pinger *g, uint16_t seq, int64_t when)
{
	int64_t i = (g->n_sent - 1) - (uint16_t)((g->n_sent - 1) - seq);

	if (i < 0)
		return;
	if (g->rtt_ns[i] >= 0) {
		g->duplicates++;
		return;
	}
	g->rtt_ns[i] =
		when > g->sent_ns[i] ? (double)(when - g->sent_ns[i]) : 0;
	g->n_received++;
}

static void receive_replies(struct pinger *g)
{
	uint8_t data[64] = {0};
	char control[256];

	for (;;) {
		struct iovec iov = {data, sizeof(data)};
		struct msghdr msg = {.msg_iov = &iov,
				     .msg_iovlen = 1,
				     .msg_control = control,
				     .msg_controllen = sizeof(control)};
		ssize_t n = recvmsg(g->fd, &msg, MSG_DONTWAIT);
		uint8_t reply = g->to.family == AF_INET ? ICMP_ECHOREPLY
							: ICMP6_ECHO_REPLY;

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n >= 8 && data[0] == reply && g->n_sent)
			note_reply(g, (uint16_t)(data[6] << 8 | data[7]),
				   stamp_of(&msg));
	}
}

static void note_icmp_error(struct pinger *g, struct cmsghdr *c)
{
	struct sock_extended_err ee;
	const struct sockaddr *from;
	char text[ADDR_TEXT_LEN] = "?";

	memcpy(&ee, CMSG_DATA(c), sizeof(ee));
	from = SO_EE_OFFENDER((struct sock_extended_err *)CMSG_DATA(c));
	if (from->sa_family == AF_INET)
		inet_ntop(AF_INET,
			  &((const struct sockaddr_in *)from)->sin_addr, text,
			  sizeof(text));
	else if (from->sa_family == AF_INET6)
		inet_ntop(AF_INET6,
			  &((const struct sockaddr_in6 *)from)->sin6_addr, text,
			  sizeof(text));
	snprintf(g->error, sizeof(g->error),
		 "%s: ICMP type %d code %d from %s: %s", g->to.text, ee.ee_type,
		 ee.ee_code, text, strerror((int)ee.ee_errno));
}

static void receive_errors(struct pinger *g)
{
	uint8_t data[64] = {0};
	char control[512];

	for (;;) {
		struct iovec iov = {data, sizeof(data)};
		struct msghdr msg = {.msg_iov = &iov,
				     .msg_iovlen = 1,
				     .msg_control = control,
				     .msg_controllen = sizeof(control)};

		if (recvmsg(g->fd, &msg, MSG_DONTWAIT | MSG_ERRQUEUE) < 0)
			return;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c;
		     c = CMSG_NXTHDR(&msg, c))
			if ((c->cmsg_level == SOL_IP &&
			     c->cmsg_type == IP_RECVERR) ||
			    (c->cmsg_level == SOL_IPV6 &&
			     c->cmsg_type == IPV6_RECVERR))
				note_icmp_error(g, c);
	}
}

/* ---- the schedule
 * ---------------------------------------------------------------
 */

static bool is_enough(const struct pinger *g)
{
	return g->first && g->n_received;
}

static void wait_until(struct pinger *g, struct mono until, bool for_all)
{
	for (;;) {
		int64_t left = mono_sub(until, clock_now());
		struct timespec ts = {left / NS_PER_S, left % NS_PER_S};
		struct pollfd pfd = {.fd = g->fd, .events = POLLIN};

		if (left <= 0 || (for_all && g->n_received == g->n_sent) ||
		    is_enough(g))
			return;
		if (ppoll(&pfd, 1, &ts, NULL) <= 0)
			continue;
		if (pfd.revents & POLLERR)
			receive_errors(g);
		receive_replies(g);
	}
}

static void ping(struct pinger *g)
{
	struct mono due = clock_now();

	for (int64_t i = 0; i < g->count && !is_enough(g); i++) {
		send_one(g);
		due = mono_add(due, g->interval_ns);
		if (i + 1 < g->count)
			wait_until(g, due, false);
	}
	wait_until(g, mono_add(clock_now(), WAIT_NS), true);
}

/* ---- beginning and end
 * ----------------------------------------------------------
 */

static int open_socket(struct pinger *g)
{
	const int one = 1, room = 1 << 20;
	const bool v4 = g->to.family == AF_INET;

	g->fd = socket(g->to.family, SOCK_DGRAM | SOCK_CLOEXEC,
		       v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	if (g->fd < 0 ||
	    setsockopt(g->fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one)) ||
	    setsockopt(g->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)) ||
	    setsockopt(g->fd, v4 ? SOL_IP : SOL_IPV6,
		       v4 ? IP_RECVERR : IPV6_RECVERR, &one, sizeof(one))) {
		snprintf(g->error, sizeof(g->error), "no ping socket: %s",
			 strerror(errno));
		return -errno;
	}
	return 0;
}

static json_t *describe(const struct pinger *g)
{
	json_t *j = json_object(), *rtt = json_array();

	for (int64_t i = 0; i < g->n_sent; i++)
		json_array_append_new(rtt, g->rtt_ns[i] < 0
						   ? json_null()
						   : json_real(g->rtt_ns[i]));
	json_object_set_new(j, "address", json_string(g->to.text));
	json_object_set_new(j, "duplicates", json_integer(g->duplicates));
	json_object_set_new(j, "rtt_ns", rtt);
	if (g->error[0])
		json_object_set_new(j, "error", json_string(g->error));
	return j;
}

int probe_ping_main(int argc, char **argv)
{
	struct pinger g = {
		.fd = -1, .count = 1, .interval_ns = NS_PER_S, .size = 56};
	const char *to = NULL;
	int64_t family = 0;
	const struct node_arg args[] = {
		{.key = "to", .text = &to},
		{.key = "family", .number = &family},
		{.key = "count", .number = &g.count},
		{.key = "interval-ns", .number = &g.interval_ns},
		{.key = "size", .number = &g.size},
		{.key = "first", .number = &g.first},
		{0},
	};
	json_t *j;
	int ret;

	if (node_args_read(argc, argv, args) || !to || g.count < 1 ||
	    g.interval_ns < 0 || g.size < 0 || g.size > MAX_SIZE)
		return 2;
	g.sent_ns = calloc((size_t)g.count, sizeof(*g.sent_ns));
	g.rtt_ns = calloc((size_t)g.count, sizeof(*g.rtt_ns));
	g.packet = calloc(1, (size_t)g.size + 8);
	if (!g.sent_ns || !g.rtt_ns || !g.packet)
		snprintf(g.error, sizeof(g.error), "out of memory");
	else if (!node_peer_find(&g.to, to, family, g.error, sizeof(g.error)) &&
		 !open_socket(&g))
		ping(&g);
	j = describe(&g);
	ret = json_dumpf(j, stdout, JSON_INDENT(1)) || fflush(stdout);
	json_decref(j);
	if (g.fd >= 0)
		close(g.fd);
	free(g.sent_ns);
	free(g.rtt_ns);
	free(g.packet);
	return ret ? 1 : 0;
}

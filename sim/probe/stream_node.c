/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Both sides are one loop over one socket. The client says hello until a hello
 * comes back: now both directions work, which it tells through the FIFO, and
 * the stream proper begins one interval later. The server's own stream, of the
 * same rate and number, begins with the first data packet it sees, and goes to
 * wherever the newest of the client's packets came from: behind a NAT64 that
 * changes at a failover. A side ends when it has sent all and has the other's
 * last packet, or DRAIN_NS after its own last.
 *
 * Packet k is due at start + k / rate, an absolute time, so lateness does not
 * add up. Each goes out by itself; after a stall the ones that are overdue
 * follow at once, each as late as it is. What is late is on record, and a
 * sender that was too late makes the measurement invalid.
 *
 * Time of sending is taken just before the packet is handed to the kernel. Time
 * of arrival is the kernel's receive stamp: a receiver that does not get the
 * processor reads late, but that must not look like a gap in the network. The
 * stamps are on CLOCK_REALTIME; the difference to CLOCK_MONOTONIC is taken with
 * each batch, and a batch during which someone set the clock gets the time of
 * reading instead.
 *
 * Nothing is allocated after the start; the record is mapped and touched
 * beforehand. Errors that the network hands back are counted and change
 * nothing else: they are what an outage looks like from inside.
 */
#include "stream_side.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../../xlat/base/clock.h"

#define HELLO_EVERY_NS (20 * NS_PER_MS)
#define DRAIN_NS       (1500 * NS_PER_MS)
#define CLOCK_STEP_NS  NS_PER_MS
#define BUFFER_BYTES   (8 << 20)
#define BATCH	       32

int side_fail(struct side *s, const char *what, const char *why)
{
	snprintf(s->rec->why, sizeof(s->rec->why), "%s: %s", what, why);
	fprintf(stderr, "stream: %s\n", s->rec->why);
	return -1;
}

/* ---- sockets ----------------------------------------------------------------
 */

static int set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value));
}

static int open_socket(struct side *s, int family)
{
	s->fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0 ||
	    set_int(s->fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES) ||
	    set_int(s->fd, SOL_SOCKET, SO_SNDBUFFORCE, BUFFER_BYTES) ||
	    set_int(s->fd, SOL_SOCKET, SO_TIMESTAMPNS, 1) ||
	    set_int(s->fd, SOL_SOCKET, SO_RXQ_OVFL, 1))
		return side_fail(s, "socket", strerror(errno));
	return 0;
}

int side_open_server(struct side *s)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6,
				 .sin6_port = htons((uint16_t)s->opt.port)};

	if (open_socket(s, AF_INET6))
		return -1;
	if (set_int(s->fd, IPPROTO_IPV6, IPV6_V6ONLY, 0) ||
	    set_int(s->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) ||
	    bind(s->fd, (struct sockaddr *)&a, sizeof(a)))
		return side_fail(s, "server socket", strerror(errno));
	return 0;
}

int side_open_client(struct side *s)
{
	struct addrinfo hints = {.ai_socktype = SOCK_DGRAM};
	struct addrinfo *list = NULL;
	char port[16], host[64] = "?";
	int ret;

	hints.ai_family = s->opt.family == 4   ? AF_INET
			  : s->opt.family == 6 ? AF_INET6
					       : AF_UNSPEC;
	snprintf(port, sizeof(port), "%d", s->opt.port);
	ret = getaddrinfo(s->opt.to, port, &hints, &list);
	if (ret)
		return side_fail(s, s->opt.to, gai_strerror(ret));
	ret = open_socket(s, list->ai_family);
	if (!ret && connect(s->fd, list->ai_addr, list->ai_addrlen))
		ret = side_fail(s, s->opt.to, strerror(errno));
	getnameinfo(list->ai_addr, list->ai_addrlen, host, sizeof(host), NULL,
		    0, NI_NUMERICHOST);
	snprintf(s->rec->peer, sizeof(s->rec->peer), "%.45s %.8s", host, port);
	freeaddrinfo(list);
	return ret;
}

/* ---- sending ----------------------------------------------------------------
 */

static int64_t data_due_ns(const struct side *s, uint64_t seq)
{
	return s->rec->start_ns +
	       (int64_t)((double)seq * ((double)NS_PER_S / s->opt.rate_pps));
}

static ssize_t send_raw(struct side *s)
{
	union {
		char buf[CMSG_SPACE(sizeof(struct in6_pktinfo))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {s->buf, s->opt.size};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *c;

	if (s->opt.client)
		return send(s->fd, s->buf, s->opt.size, MSG_NOSIGNAL);
	memset(&control, 0, sizeof(control));
	m.msg_name = &s->peer;
	m.msg_namelen = sizeof(s->peer);
	m.msg_control = control.buf;
	m.msg_controllen = sizeof(control.buf);
	c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = IPPROTO_IPV6;
	c->cmsg_type = IPV6_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(s->local));
	memcpy(CMSG_DATA(c), &s->local, sizeof(s->local));
	return sendmsg(s->fd, &m, MSG_NOSIGNAL);
}

static void send_packet(struct side *s, enum stream_type type, uint32_t seq,
			int64_t now_ns)
{
	const struct stream_packet p = {.session = s->opt.session,
					.type = type,
					.seq = seq,
					.sent_ns = now_ns};
	struct stream_record *r = s->rec;

	stream_encode(&p, s->buf);
	if (send_raw(s) >= 0)
		return;
	/* An error of an earlier packet is told instead of sending this one. */
	if (errno == ECONNREFUSED) {
		r->refused++;
		if (send_raw(s) >= 0)
			return;
	}
	if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)
		r->blocked++;
	else if (errno == ECONNREFUSED)
		r->refused++;
	else
		r->unreachable++;
}

static void send_data(struct side *s)
{
	struct stream_record *r = s->rec;
	int64_t now_ns = clock_now().ns;
	int64_t late = now_ns - data_due_ns(s, r->sent);

	s->late[r->sent] = late > INT32_MAX ? INT32_MAX : (int32_t)late;
	if (late > r->late_max_ns)
		r->late_max_ns = late;
	send_packet(s, STREAM_DATA, (uint32_t)r->sent, now_ns);
	r->sent++;
	if (r->sent < s->opt.count)
		return;
	s->phase = s->seen_last ? PHASE_OVER : PHASE_DRAIN;
	s->drain_until_ns = now_ns + DRAIN_NS;
}

/* ---- receiving --------------------------------------------------------------
 */

static void tell_flowing(struct side *s)
{
	char line[64];
	int fd = s->opt.flow
			 ? open(s->opt.flow, O_WRONLY | O_NONBLOCK | O_CLOEXEC)
			 : -1;
	int n = snprintf(line, sizeof(line), "flowing %lld\n",
			 (long long)s->rec->start_ns);

	if (!s->opt.flow)
		return;
	if (fd < 0 || write(fd, line, (size_t)n) != n)
		fprintf(stderr, "stream: %s: %s\n", s->opt.flow,
			strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void begin_data(struct side *s)
{
	s->phase = PHASE_DATA;
	s->rec->start_ns =
		clock_now().ns + (int64_t)((double)NS_PER_S / s->opt.rate_pps);
	if (s->opt.client)
		tell_flowing(s);
}

/* The newest packet tells where the client is; late ones tell where it was. */
static void follow(struct side *s, const struct stream_packet *p,
		   const struct sockaddr_in6 *from,
		   const struct in6_pktinfo *to)
{
	bool moved =
		!IN6_ARE_ADDR_EQUAL(&s->peer.sin6_addr, &from->sin6_addr) ||
		s->peer.sin6_port != from->sin6_port;
	char text[INET6_ADDRSTRLEN];

	if (s->opt.client ||
	    (p->type == STREAM_DATA && s->seen_any && p->seq < s->newest_seq))
		return;
	s->local = *to;
	/* the routing table decides, unless the address has a link scope */
	if (!IN6_IS_ADDR_LINKLOCAL(&to->ipi6_addr))
		s->local.ipi6_ifindex = 0;
	if (!moved)
		return;
	s->rec->moves += s->peer.sin6_port != 0;
	s->peer = *from;
	inet_ntop(AF_INET6, &from->sin6_addr, text, sizeof(text));
	snprintf(s->rec->peer, sizeof(s->rec->peer), "%s %u", text,
		 ntohs(from->sin6_port));
}

static void take_packet(struct side *s, const struct stream_packet *p,
			int64_t received_ns)
{
	if (p->type == STREAM_HELLO) {
		if (!s->opt.client)
			send_packet(s, STREAM_HELLO, 0, clock_now().ns);
		else if (s->phase == PHASE_HELLO)
			begin_data(s);
		return;
	}
	stream_record_add(s->rec, p->seq, p->sent_ns, received_ns);
	if (!s->seen_any || p->seq > s->newest_seq)
		s->newest_seq = p->seq;
	s->seen_any = true;
	if (s->phase == PHASE_HELLO)
		begin_data(s);
	if ((uint64_t)p->seq + 1 >= s->opt.count) {
		s->seen_last = true;
		if (s->phase == PHASE_DRAIN)
			s->phase = PHASE_OVER;
	}
}

struct ancillary {
	int64_t received_ns;
	struct in6_pktinfo local;
};

static void read_ancillary(struct side *s, struct msghdr *m, int64_t now_ns,
			   struct ancillary *a)
{
	*a = (struct ancillary){.received_ns = now_ns};
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == SOL_SOCKET &&
		    c->cmsg_type == SCM_TIMESTAMPNS && !s->clock_stepped) {
			struct timespec ts;
			int64_t at;

			memcpy(&ts, CMSG_DATA(c), sizeof(ts));
			at = ts.tv_sec * NS_PER_S + ts.tv_nsec -
			     s->realtime_offset_ns;
			a->received_ns = at < now_ns ? at : now_ns;
		} else if (c->cmsg_level == SOL_SOCKET &&
			   c->cmsg_type == SO_RXQ_OVFL) {
			uint32_t n;

			memcpy(&n, CMSG_DATA(c), sizeof(n));
			s->rec->overflow = n;
		} else if (c->cmsg_level == IPPROTO_IPV6 &&
			   c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&a->local, CMSG_DATA(c), sizeof(a->local));
		}
	}
}

static void read_offset(struct side *s)
{
	struct timespec ts;
	int64_t before = clock_now().ns, after, offset, step;

	clock_gettime(CLOCK_REALTIME, &ts);
	after = clock_now().ns;
	offset = ts.tv_sec * NS_PER_S + ts.tv_nsec -
		 (before + (after - before) / 2);
	step = offset - s->realtime_offset_ns;
	s->clock_stepped = s->realtime_offset_ns &&
			   (step > CLOCK_STEP_NS || step < -CLOCK_STEP_NS) &&
			   after - before < CLOCK_STEP_NS;
	/* interrupted between the readings: the old one is the better one */
	if (!s->realtime_offset_ns || after - before < CLOCK_STEP_NS)
		s->realtime_offset_ns = offset;
}

struct rx_slot {
	struct sockaddr_in6 from;
	struct iovec iov;
	uint8_t head[STREAM_MIN_BYTES]; /* the rest is padding */
	union {
		char buf[256];
		struct cmsghdr align;
	} control;
};

static void receive(struct side *s)
{
	struct rx_slot slots[BATCH];
	struct mmsghdr msgs[BATCH];
	int64_t now_ns;
	int n;

	for (int i = 0; i < BATCH; i++) {
		slots[i].iov =
			(struct iovec){slots[i].head, sizeof(slots[i].head)};
		msgs[i].msg_hdr = (struct msghdr){
			.msg_name = &slots[i].from,
			.msg_namelen = sizeof(slots[i].from),
			.msg_iov = &slots[i].iov,
			.msg_iovlen = 1,
			.msg_control = slots[i].control.buf,
			.msg_controllen = sizeof(slots[i].control.buf),
		};
	}
	n = recvmmsg(s->fd, msgs, BATCH, MSG_DONTWAIT, NULL);
	if (n < 0) { /* an ICMP error: poll would wake for it for ever */
		s->rec->refused += errno == ECONNREFUSED;
		s->rec->unreachable += errno != ECONNREFUSED &&
				       errno != EAGAIN && errno != EINTR;
		return;
	}
	read_offset(s);
	now_ns = clock_now().ns;
	for (int i = 0; i < n; i++) {
		struct stream_packet p;
		struct ancillary a;

		read_ancillary(s, &msgs[i].msg_hdr, now_ns, &a);
		if (!stream_decode(slots[i].head, msgs[i].msg_len, &p) ||
		    p.session != s->opt.session)
			continue;
		follow(s, &p, &slots[i].from, &a.local);
		take_packet(s, &p, a.received_ns);
	}
}

/* ---- the loop ---------------------------------------------------------------
 */

/* When something has to be done next. */
static int64_t next_ns(const struct side *s)
{
	switch (s->phase) {
	case PHASE_HELLO:
		return s->opt.client ? s->hello_due_ns : s->give_up_ns;
	case PHASE_DATA:
		return data_due_ns(s, s->rec->sent);
	case PHASE_DRAIN:
		return s->drain_until_ns;
	case PHASE_OVER:
		break;
	}
	return 0;
}

static int act(struct side *s, int64_t now_ns)
{
	switch (s->phase) {
	case PHASE_HELLO:
		if (now_ns >= s->give_up_ns) {
			char text[48];

			snprintf(text, sizeof(text), "nothing within %.0f s",
				 (double)s->opt.patience_ns / NS_PER_S);
			return side_fail(s,
					 s->opt.client ? s->rec->peer
						       : "from the client",
					 text);
		}
		send_packet(s, STREAM_HELLO, 0, now_ns);
		s->hello_due_ns += HELLO_EVERY_NS;
		break;
	case PHASE_DATA:
		send_data(s);
		break;
	case PHASE_DRAIN:
		s->phase = PHASE_OVER;
		break;
	case PHASE_OVER:
		break;
	}
	return 0;
}

int side_run(struct side *s)
{
	struct pollfd fds[2] = {{.fd = s->fd, .events = POLLIN},
				{.fd = s->signal_fd, .events = POLLIN}};

	s->hello_due_ns = clock_now().ns;
	s->give_up_ns = s->hello_due_ns + s->opt.patience_ns;
	while (s->phase != PHASE_OVER) {
		int64_t wait = next_ns(s) - clock_now().ns;
		struct timespec ts = {0};

		if (wait > 0)
			ts = (struct timespec){wait / NS_PER_S,
					       wait % NS_PER_S};
		if (ppoll(fds, 2, &ts, NULL) < 0 && errno != EINTR)
			return side_fail(s, "ppoll", strerror(errno));
		if (fds[1].revents)
			return 1; /* told to stop */
		if (fds[0].revents)
			receive(s);
		if (s->phase != PHASE_OVER && clock_now().ns >= next_ns(s) &&
		    act(s, clock_now().ns))
			return -1;
	}
	return 0;
}

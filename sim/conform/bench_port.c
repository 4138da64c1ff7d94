/* SPDX-License-Identifier: MIT */
/* Ports of the bench: packet sockets, what arrives and what is sent there. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench_internal.h"
#include "fields.h"

#define RECEIVE_BUFFER (8 << 20)

static int port_open(void *arg)
{
	struct port *p = arg;
	struct sockaddr_ll sll = {.sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_ALL)};
	int size = RECEIVE_BUFFER, on = 1;

	p->fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->fd < 0)
		return -errno;
	setsockopt(p->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(p->fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on));
	p->ifindex = if_nametoindex(p->dev);
	sll.sll_ifindex = (int)p->ifindex;
	return bind(p->fd, (struct sockaddr *)&sll, sizeof(sll)) ? -errno : 0;
}

void bench_port_close(struct bench *b, struct port *p)
{
	loop_del(b->loop, p->source);
	p->source = NULL;
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

/* Hops that the kernel takes or took: in the header, and in its checksum. */
static void change_hops(uint8_t *v, size_t len, int by)
{
	uint32_t sum;

	if (!by || len < 20)
		return;
	if (v[0] >> 4 == 6) {
		v[7] = (uint8_t)(v[7] + by);
		return;
	}
	v[8] = (uint8_t)(v[8] + by);
	sum = (uint32_t)bits_get(v, 80, 16);
	sum += by > 0 ? 0xffffu - ((uint32_t)by << 8) : (uint32_t)-by << 8;
	bits_put(v, 80, 16, sum_fold(sum));
}

/* Router and neighbour discovery and the like of the link's own kernels. */
static bool is_noise(const uint8_t *v, size_t len)
{
	size_t at = 40;

	if (v[0] >> 4 != 6 || len < 48)
		return v[0] >> 4 != 4 && v[0] >> 4 != 6;
	if (v[6] == 0)
		at += (size_t)(v[41] + 1) * 8;
	else if (v[6] != 58)
		return false;
	return at < len && v[at] >= 130 && v[at] <= 143 &&
	       (v[7] == 1 || v[7] == 255);
}

static uint64_t marker_of(const uint8_t *v, size_t len)
{
	const uint8_t *at = memmem(v, len, MARKER_TEXT, strlen(MARKER_TEXT));
	char text[16] = "";

	if (!at || len - (size_t)(at - v) < strlen(MARKER_TEXT) + 8)
		return 0;
	memcpy(text, at + strlen(MARKER_TEXT), 8);
	return strtoull(text, NULL, 10);
}

static void capture(struct bench *b, const struct port *p, uint8_t *v,
		    size_t len)
{
	int side = p->side ? p->side : v[0] >> 4;
	struct captured *c;
	uint64_t marker;

	if (p->wire && is_noise(v, len))
		return;
	/* between the engine and its kernel */
	if (b->attach == ATTACH_TUN_AND_LINK && p->side == 6 && v[0] >> 4 == 4)
		return;
	change_hops(v, len, p->hops);
	marker = marker_of(v, len);
	/* one that is quoted in an ICMP error is none */
	if (marker && ((v[0] >> 4 == 4 && v[9] == 17) ||
		       (v[0] >> 4 == 6 && v[6] == 17))) {
		if (marker >= b->marker_oldest && side == b->marker_side) {
			b->marker_back = true;
			b->marker_len = len < sizeof(b->marker_bytes)
						? len
						: sizeof(b->marker_bytes);
			memcpy(b->marker_bytes, v, b->marker_len);
		}
		return;
	}
	c = ARENA_APPEND(b->packets, b->captured, b->n_captured);
	c->side = side;
	c->len = len;
	c->bytes = arena_alloc(b->packets, len);
	memcpy(c->bytes, v, len);
}

static void learn(struct port *p, const struct sockaddr_ll *from)
{
	if (!p->learns || from->sll_halen != 6)
		return;
	memcpy(p->mac, from->sll_addr, 6);
	p->has_mac = true;
}

/* Where the checksum of the transport header is; 0: unknown. */
static size_t transport_of(const uint8_t *v, size_t len, size_t *csum)
{
	size_t at = 40;
	uint8_t proto;

	if (v[0] >> 4 == 4) {
		at = (size_t)(v[0] & 15) * 4;
		proto = v[9];
	} else {
		proto = v[6];
	}
	*csum = at + (proto == 6 ? 16 : 6);
	if ((proto != 6 && proto != 17) || *csum + 2 > len)
		return 0;
	return at;
}

/* A checksum that was left to the hardware: what that would have put there. */
static void complete(uint8_t *v, size_t len)
{
	size_t csum, at = transport_of(v, len, &csum);
	uint16_t sum;

	if (!at)
		return;
	sum = (uint16_t)~sum_fold(sum16(0, v + at, len - at));
	bits_put(v, csum * 8, 16, sum ? sum : 0xffff);
}

static bool is_incomplete(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		struct tpacket_auxdata aux;

		if (c->cmsg_level != SOL_PACKET ||
		    c->cmsg_type != PACKET_AUXDATA)
			continue;
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		return aux.tp_status & TP_STATUS_CSUMNOTREADY;
	}
	return false;
}

static void on_packet(void *arg, uint32_t events)
{
	static uint8_t buf[PACKET_MAX_BYTES];
	struct port *p = arg;
	struct sockaddr_ll from;
	char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct iovec iov = {buf, sizeof(buf)};
	struct msghdr m;
	ssize_t len;

	(void)events;
	for (;;) {
		m = (struct msghdr){.msg_name = &from,
				    .msg_namelen = sizeof(from),
				    .msg_iov = &iov,
				    .msg_iovlen = 1,
				    .msg_control = control,
				    .msg_controllen = sizeof(control)};
		len = recvmsg(p->fd, &m, 0);
		if (len <= 0)
			break;
		if (from.sll_pkttype == PACKET_OUTGOING)
			continue;
		learn(p, &from);
		if (is_incomplete(&m))
			complete(buf, (size_t)len);
		capture(p->bench, p, buf, (size_t)len);
	}
	/* its device is gone, with the engine: that is told elsewhere */
	if (len < 0 && errno != EAGAIN) {
		loop_del(p->bench->loop, p->source);
		p->source = NULL;
	}
}

int bench_port_attach(struct bench *b, struct port *p, int side, int node,
		      const char *dev, int hops, struct err *e)
{
	int ret;

	*p = (struct port){
		.bench = b, .fd = -1, .side = side, .dev = dev, .hops = hops};
	ret = world_enter(b->world, node, port_open, p, e);
	if (ret)
		return err_set(e, -ret, "packet socket at %s: %s", dev,
			       strerror(-ret));
	p->source = loop_add_fd(b->loop, p->fd, EPOLLIN, on_packet, p);
	return p->source ? 0 : err_set(e, ENOMEM, "out of memory");
}

bool bench_ended(void *arg)
{
	return ((struct bench *)arg)->ended;
}

/* Something went wrong: maybe the engine has died, and the news come later. */
int bench_blame(struct bench *b, int ret, struct err *e)
{
	if (loop_run_until(b->loop, bench_ended, b,
			   mono_add(clock_now(), NS_PER_S)) == -EINTR)
		return err_set(e, EINTR, "interrupted");
	return b->ended ? err_set(e, ECHILD, "%s", b->fault) : ret;
}

/* ---- sending ---------------------------------------------------------------
 */

static struct port *port_of(struct bench *b, int side)
{
	return b->attach != ATTACH_TUN_AND_LINK || side == 6 ? &b->ports[0]
							     : &b->ports[1];
}

int bench_send(struct bench *b, int side, const uint8_t *v, size_t len,
	       struct err *e)
{
	static uint8_t copy[PACKET_MAX_BYTES];
	struct port *p = port_of(b, side);
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(side == 4 ? ETH_P_IP : ETH_P_IPV6),
		.sll_ifindex = (int)p->ifindex,
		.sll_halen = p->has_mac ? 6 : 0};
	int ret;

	if (b->ended)
		return err_set(e, ECHILD, "%s", b->fault);
	memcpy(copy, v, len);
	change_hops(copy, len, p->hops);
	memcpy(to.sll_addr, p->mac, 6);
	if (sendto(p->fd, copy, len, 0, (struct sockaddr *)&to, sizeof(to)) ==
	    (ssize_t)len)
		return 0;
	ret = err_set(e, errno, "%s: %s", p->dev, strerror(errno));
	return ret == -EMSGSIZE ? ret : bench_blame(b, ret, e);
}

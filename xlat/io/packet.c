/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A raw socket on an ethernet interface that somebody else made: whole frames
 * in and out, as many a simple translator does it. It is kept as a specimen.
 * Without metadata a frame that was merged below us looks like one that is
 * larger than the MTU, which send(2) refuses with EMSGSIZE, and a checksum
 * that the sender left to its card looks wrong. Both are counted as the kernel
 * knows them (PACKET_AUXDATA), and nothing is done about either. With metadata
 * (PACKET_VNET_HDR) the same socket carries superpackets both ways.
 *
 * The far end of the wire is a router of ours that does not resolve neighbours
 * (IFF_NOARP). We answer to whoever was the last to speak, and have nothing to
 * say before that.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "io_internal.h"
#include "vnet.h"

#ifndef PACKET_IGNORE_OUTGOING /* Linux 4.20 */
#define PACKET_IGNORE_OUTGOING 23
#endif

/* Bursts of superpackets; the kernel doubles it for its own overhead. */
#define RECEIVE_BYTES (4 << 20)

struct io_packet {
	struct io io;
	bool vnet;
	uint32_t mtu;
	uint8_t peer[ETH_ALEN], self[ETH_ALEN];
	struct io_packet_stats stats;
};

static uint32_t status_of(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		struct tpacket_auxdata aux;

		if (c->cmsg_level != SOL_PACKET ||
		    c->cmsg_type != PACKET_AUXDATA)
			continue;
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		return aux.tp_status;
	}
	return 0;
}

/* Offsets on this socket count from the ethernet header. */
static void shift(struct virtio_net_hdr *h, int by)
{
	if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		h->csum_start = (uint16_t)(h->csum_start + by);
	if (h->gso_type != VIRTIO_NET_HDR_GSO_NONE)
		h->hdr_len = (uint16_t)(h->hdr_len + by);
}

static void count(struct io_packet *p, const struct pkt *pkt, uint32_t status)
{
	if (pkt->gso.type == PKT_GSO_NONE && pkt->len > p->mtu) {
		p->stats.oversize++;
		if (pkt->len > p->stats.largest_bytes)
			p->stats.largest_bytes = pkt->len;
	}
	if (status & TP_STATUS_CSUMNOTREADY && !p->vnet)
		p->stats.partial_checksums++;
}

static int packet_read(struct io *io, uint8_t *buf, struct pkt *pkt)
{
	struct io_packet *p = (struct io_packet *)io;
	struct virtio_net_hdr h = {0};
	struct ether_header eth;
	struct iovec v[3] = {{&h, sizeof(h)},
			     {&eth, sizeof(eth)},
			     {buf + PKT_HEADROOM, PKT_MAX_BYTES}};
	_Alignas(struct cmsghdr) char control[64];
	struct msghdr m = {.msg_iov = p->vnet ? v : v + 1,
			   .msg_iovlen = p->vnet ? 3 : 2,
			   .msg_control = control,
			   .msg_controllen = sizeof(control)};
	size_t heads = sizeof(eth) + (p->vnet ? sizeof(h) : 0);
	ssize_t n;

	do { /* what is no IP is not for us */
		m.msg_controllen = sizeof(control);
		n = recvmsg(io->fd, &m, 0);
		/* the kernel has no word for such a superpacket, and it is
		 * gone; the socket is as good as before */
		if (n < 0)
			return p->vnet && errno == EINVAL ? -EBADMSG : -errno;
		if ((size_t)n < heads || m.msg_flags & MSG_TRUNC)
			return -EBADMSG;
	} while (eth.ether_type != htons(ETHERTYPE_IP) &&
		 eth.ether_type != htons(ETHERTYPE_IPV6));
	memcpy(p->peer, eth.ether_shost, ETH_ALEN);
	shift(&h, -ETH_HLEN);
	pkt->data = buf + PKT_HEADROOM;
	pkt->len = (uint32_t)((size_t)n - heads);
	pkt->headroom = PKT_HEADROOM;
	pkt->tailroom = IO_BUFFER_BYTES - PKT_HEADROOM - pkt->len;
	if (vnet_decode(&h, &pkt->gso))
		return -EBADMSG;
	vnet_finish_sctp(pkt);
	count(p, pkt, status_of(&m));
	return 0;
}

static int packet_write(struct io *io, const struct pkt *pkt)
{
	struct io_packet *p = (struct io_packet *)io;
	struct virtio_net_hdr h;
	struct ether_header eth;
	struct iovec v[3] = {
		{&h, sizeof(h)}, {&eth, sizeof(eth)}, {pkt->data, pkt->len}};

	memcpy(eth.ether_dhost, p->peer, ETH_ALEN);
	memcpy(eth.ether_shost, p->self, ETH_ALEN);
	eth.ether_type = pkt->len && pkt->data[0] >> 4 == 4
				 ? htons(ETHERTYPE_IP)
				 : htons(ETHERTYPE_IPV6);
	vnet_encode(&pkt->gso, &h);
	shift(&h, ETH_HLEN);
	if (writev(io->fd, p->vnet ? v : v + 1, p->vnet ? 3 : 2) >= 0)
		return 0;
	return -errno;
}

static void packet_close(struct io *io)
{
	close(io->fd);
	free(io);
}

static const struct io_ops packet_ops = {packet_read, packet_write,
					 packet_close};

static int set_option(int fd, int option, const char *what, struct err *e)
{
	int on = 1;

	if (setsockopt(fd, SOL_PACKET, option, &on, sizeof(on)))
		return err_set(e, errno, "%s: %s", what, strerror(errno));
	return 0;
}

/* Bound to @name from the first frame on. */
static int bind_to(struct io_packet *p, const char *name, struct err *e)
{
	struct sockaddr_ll a = {.sll_family = AF_PACKET,
				.sll_protocol = htons(ETH_P_ALL),
				.sll_ifindex = (int)if_nametoindex(name)};
	socklen_t len = sizeof(a);
	int bytes = RECEIVE_BYTES;

	if (!a.sll_ifindex)
		return err_set(e, ENODEV, "there is no interface %s", name);
	if (setsockopt(p->io.fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes,
		       sizeof(bytes)) &&
	    setsockopt(p->io.fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)))
		return err_set(e, errno, "SO_RCVBUF: %s", strerror(errno));
	if (set_option(p->io.fd, PACKET_AUXDATA, "PACKET_AUXDATA", e) ||
	    set_option(p->io.fd, PACKET_IGNORE_OUTGOING,
		       "PACKET_IGNORE_OUTGOING", e) ||
	    (p->vnet &&
	     set_option(p->io.fd, PACKET_VNET_HDR, "PACKET_VNET_HDR", e)))
		return -EIO;
	if (bind(p->io.fd, (struct sockaddr *)&a, sizeof(a)) ||
	    getsockname(p->io.fd, (struct sockaddr *)&a, &len))
		return err_set(e, errno, "%s: %s", name, strerror(errno));
	if (a.sll_halen != ETH_ALEN)
		return err_set(e, EINVAL, "%s is no ethernet interface", name);
	memcpy(p->self, a.sll_addr, ETH_ALEN);
	return 0;
}

struct io *io_open_packet(const struct io_packet_cfg *cfg, struct err *e)
{
	struct io_packet *p = calloc(1, sizeof(*p));

	if (!p) {
		err_set(e, ENOMEM, "out of memory");
		return NULL;
	}
	p->io.ops = &packet_ops;
	p->io.uso = cfg->vnet;
	p->vnet = cfg->vnet;
	p->mtu = cfg->mtu;
	memset(p->peer, 0xff, sizeof(p->peer));
	/* no protocol: nothing arrives before bind_to */
	p->io.fd =
		socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->io.fd < 0)
		err_set(e, errno, "packet socket: %s", strerror(errno));
	else if (!bind_to(p, cfg->name, e))
		return &p->io;
	if (p->io.fd >= 0)
		close(p->io.fd);
	free(p);
	return NULL;
}

bool io_get_packet_stats(struct io *io, struct io_packet_stats *out)
{
	struct io_packet *p = (struct io_packet *)io;
	struct tpacket_stats st;
	socklen_t len = sizeof(st);

	if (io->ops != &packet_ops)
		return false;
	/* the kernel's are those since they were last asked for */
	if (!getsockopt(io->fd, SOL_PACKET, PACKET_STATISTICS, &st, &len))
		p->stats.queue_drops += st.tp_drops;
	*out = p->stats;
	return true;
}

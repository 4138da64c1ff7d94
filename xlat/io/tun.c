/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * One TUN descriptor, not persistent: the device goes with the process. Each
 * packet is preceded by a struct virtio_net_hdr. TUNSETOFFLOAD promises that
 * we understand partial checksums and superpackets; only that keeps the
 * kernel from cutting them up before we read, and each read and write moves
 * up to 64 KiB. Both directions use one readv or writev with the header
 * apart, so that the packet can grow and shrink at its front.
 *
 * The descriptor does not block: the caller waits for several things at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "io_internal.h"
#include "vnet.h"

#ifndef TUN_F_USO4 /* Linux 6.2 */
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

#define OFFLOADS_TCP (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN)
/* The kernel wants both or neither. */
#define OFFLOADS_UDP (TUN_F_USO4 | TUN_F_USO6)

static int tun_read(struct io *io, uint8_t *buf, struct pkt *pkt)
{
	struct virtio_net_hdr h;
	struct iovec v[2] = {{&h, sizeof(h)},
			     {buf + PKT_HEADROOM, PKT_MAX_BYTES}};
	ssize_t n = readv(io->fd, v, 2);

	if (n < 0)
		return -errno;
	if ((size_t)n < sizeof(h))
		return -EBADMSG;
	pkt->data = buf + PKT_HEADROOM;
	pkt->len = (uint32_t)((size_t)n - sizeof(h));
	pkt->headroom = PKT_HEADROOM;
	pkt->tailroom = IO_BUFFER_BYTES - PKT_HEADROOM - pkt->len;
	return vnet_decode(&h, &pkt->gso) ? -EBADMSG : 0;
}

static int tun_write(struct io *io, const struct pkt *pkt)
{
	struct virtio_net_hdr h;
	struct iovec v[2] = {{&h, sizeof(h)}, {pkt->data, pkt->len}};

	vnet_encode(&pkt->gso, &h);
	return writev(io->fd, v, 2) < 0 ? -errno : 0;
}

static void tun_close(struct io *io)
{
	close(io->fd);
	free(io);
}

static const struct io_ops tun_ops = {tun_read, tun_write, tun_close};

static int set_offloads(struct io *io, struct err *e)
{
	int size = sizeof(struct virtio_net_hdr);

	if (ioctl(io->fd, TUNSETVNETHDRSZ, &size))
		return err_set(e, errno, "TUNSETVNETHDRSZ %d: %s", size,
			       strerror(errno));
	io->uso = !ioctl(io->fd, TUNSETOFFLOAD, OFFLOADS_TCP | OFFLOADS_UDP);
	if (!io->uso && ioctl(io->fd, TUNSETOFFLOAD, OFFLOADS_TCP))
		return err_set(e, errno, "TUNSETOFFLOAD: %s", strerror(errno));
	return 0;
}

/* One setting by a socket ioctl. */
static int set_one(int sock, unsigned long request, struct ifreq *r,
		   const char *what, struct err *e)
{
	if (ioctl(sock, request, r))
		return err_set(e, errno, "%s of %s: %s", what, r->ifr_name,
			       strerror(errno));
	return 0;
}

static int raise_device(const struct io_tun_cfg *cfg, struct err *e)
{
	int sock = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret;
	struct ifreq r = {0};

	if (sock < 0)
		return err_set(e, errno, "socket: %s", strerror(errno));
	strcpy(r.ifr_name, cfg->name);
	r.ifr_mtu = (int)cfg->mtu;
	ret = set_one(sock, SIOCSIFMTU, &r, "MTU", e);
	if (ret)
		goto out;
	r.ifr_qlen = (int)cfg->queue;
	ret = set_one(sock, SIOCSIFTXQLEN, &r, "queue length", e);
	if (ret)
		goto out;
	ret = set_one(sock, SIOCGIFFLAGS, &r, "flags", e);
	if (ret)
		goto out;
	r.ifr_flags |= IFF_UP;
	ret = set_one(sock, SIOCSIFFLAGS, &r, "raising", e);
out:
	close(sock);
	return ret;
}

static int attach(struct io *io, const struct io_tun_cfg *cfg, struct err *e)
{
	struct ifreq r = {0};

	if (strlen(cfg->name) >= IFNAMSIZ || !*cfg->name)
		return err_set(e, EINVAL, "`%s` cannot name a device",
			       cfg->name);
	io->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (io->fd < 0)
		return err_set(e, errno, "/dev/net/tun: %s", strerror(errno));
	strcpy(r.ifr_name, cfg->name);
	r.ifr_flags =
		(short)(IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL);
	if (ioctl(io->fd, TUNSETIFF, &r))
		return err_set(e, errno, "TUN device %s: %s", cfg->name,
			       strerror(errno));
	return 0;
}

struct io *io_open_tun(const struct io_tun_cfg *cfg, struct err *e)
{
	struct io *io = calloc(1, sizeof(*io));

	if (!io) {
		err_set(e, ENOMEM, "out of memory");
		return NULL;
	}
	io->ops = &tun_ops;
	io->fd = -1;
	if (attach(io, cfg, e) || set_offloads(io, e) || raise_device(cfg, e)) {
		if (io->fd >= 0)
			close(io->fd);
		free(io);
		return NULL;
	}
	return io;
}

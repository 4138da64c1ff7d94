/* SPDX-License-Identifier: MIT */
/* Where packets come from and go to: a TUN device, a packet socket, or memory
 * (tests). */
#ifndef IO_IO_H
#define IO_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/err.h"
#include "../core/pkt.h"

/* Memory that io_read wants for one packet of any size. */
#define IO_BUFFER_BYTES (PKT_HEADROOM + PKT_MAX_BYTES + PKT_TAILROOM)

struct io;

struct io_tun_cfg {
	const char *name; /* at most 15 letters */
	uint32_t mtu;	  /* bytes */
	uint32_t queue;	  /* packets towards us (txqueuelen) */
};

/*
 * io_open_tun - make a TUN device, set MTU and queue, raise it.
 *
 * It has offload metadata and all segmentation offloads that the kernel
 * offers (UDP from Linux 6.2). It lives as long as the descriptor, so that
 * its routes vanish with the process. NULL with @e set on failure.
 * Context: syscalls, CAP_NET_ADMIN.
 */
struct io *io_open_tun(const struct io_tun_cfg *cfg, struct err *e);

struct io_packet_cfg {
	const char *name; /* an ethernet interface that is there and up */
	bool vnet;	  /* with offload metadata */
	uint32_t mtu;	  /* bytes: what counts as too large for it */
};

/*
 * io_open_packet - a raw socket on an interface: the way not to do it, unless
 * with metadata. NULL with @e set. Context: syscalls, CAP_NET_RAW.
 */
struct io *io_open_packet(const struct io_packet_cfg *cfg, struct err *e);

/* Frames read. */
struct io_packet_stats {
	uint64_t oversize;	    /* above the MTU, without a segment size */
	uint64_t largest_bytes;	    /* of these, from the IP header on */
	uint64_t partial_checksums; /* left to a card, and we were not told */
	uint64_t queue_drops;	    /* the kernel's: we were too slow */
};

/* io_get_packet_stats - false: @io is no packet socket. */
bool io_get_packet_stats(struct io *io, struct io_packet_stats *out);

/* io_open_memory - @queue packets a direction; NULL when out of memory. */
struct io *io_open_memory(size_t queue);

void io_close(struct io *io);

/* io_fd - readable when a packet waits; -1 for memory. */
int io_fd(const struct io *io);

/* io_has_uso - does the device take UDP superpackets? */
bool io_has_uso(const struct io *io);

/*
 * io_read - the next packet.
 * @buf: IO_BUFFER_BYTES; the caller's
 * @pkt: data, len, rooms and gso are set; data lies at PKT_HEADROOM in @buf
 *
 * Returns 0; -EAGAIN when there is none; -EBADMSG for a packet whose metadata
 * cannot be expressed (it is gone); other -errno of readv(2).
 * Context: syscalls; never blocks.
 */
int io_read(struct io *io, uint8_t *buf, struct pkt *pkt);

/*
 * io_write - send a packet. Returns 0 or -errno: EAGAIN/ENOBUFS queue full,
 * EINVAL refused as malformed, EIO device down. Context: syscalls.
 */
int io_write(struct io *io, const struct pkt *pkt);

/* ---- memory: the other end ------------------------------------------------
 */

/* io_memory_put - what io_read will yield next. -ENOBUFS when full. */
int io_memory_put(struct io *io, const void *data, size_t len,
		  const struct pkt_gso *gso);
/*
 * io_memory_get - the oldest packet written; its length, or -EAGAIN.
 * @data: room for PKT_MAX_BYTES
 */
long io_memory_get(struct io *io, void *data, struct pkt_gso *gso);
/* io_memory_fail - the next @count writes fail with @code (positive). */
void io_memory_fail(struct io *io, unsigned int count, int code);

#endif

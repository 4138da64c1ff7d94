/* SPDX-License-Identifier: MIT */
/* Shared by the files of this folder only. */
#ifndef RELAY_RELAY_INTERNAL_H
#define RELAY_RELAY_INTERNAL_H

#include <jansson.h>
#include <linux/virtio_net.h>
#include <stdbool.h>

#include "../../xlat/base/clock.h"
#include "hist.h"
#include "impair.h"
#include "relay.h"
#include "slots.h"

/* ---- config.c ------------------------------------------------------------ */

/*
 * impair_from_json - @where names the object in messages. NULL @obj: none.
 * Returns 0 or -EINVAL.
 */
int impair_from_json(json_t *obj, const char *where, struct relay_impair *out,
		     struct err *e);

/* ---- pool.c: memory for frames that wait --------------------------------- */

#define FRAME_HEAD_BYTES 1984  /* in the slot itself: any common frame */
#define FRAME_TAIL_BYTES 65536 /* the rest, of superpackets and jumbos */

/*
 * A frame is in exactly one place: the pool's free list, a receive batch, or
 * one queue. The tail is attached when the frame is larger than the head.
 */
struct frame {
	struct frame *next;
	uint8_t *tail;
	int64_t due_ns; /* CLOCK_MONOTONIC */
	uint32_t len;	/* bytes, head and tail */
	struct virtio_net_hdr vnet;
	uint8_t head[FRAME_HEAD_BYTES];
};

struct pool;

/* pool_new - room for @n_frames, of which @n_tails large. NULL: no memory. */
struct pool *pool_new(size_t n_frames, size_t n_tails);
void pool_free(struct pool *p);
/* pool_get / pool_get_tail - NULL when there is none left. */
struct frame *pool_get(struct pool *p);
uint8_t *pool_get_tail(struct pool *p);
void pool_put(struct pool *p, struct frame *f);
void pool_put_tail(struct pool *p, uint8_t *tail);
/* frame_store - a frame holding @len bytes of @data; NULL: pool empty. */
struct frame *frame_store(struct pool *p, const uint8_t *data, uint32_t len,
			  const struct virtio_net_hdr *vnet);
struct frame *frame_clone(struct pool *p, const struct frame *f);
/* frame_copy_out - the whole frame into @buf (f->len bytes). */
void frame_copy_out(const struct frame *f, uint8_t *buf);

/* ---- port.c: one interface ----------------------------------------------- */

struct port {
	char name[IF_NAMESIZE];
	int rx_fd, tx_fd;
	unsigned int ifindex;
	bool carrier;	   /* up, and the peer too */
	uint64_t overruns; /* read from the kernel and added up */
};

int port_open(struct port *p, const char *name, struct err *e);
void port_close(struct port *p);
/* port_read_carrier - bring p->carrier up to date. */
void port_read_carrier(struct port *p);
/* port_open_news - readable when some link changed. A descriptor or -errno. */
int port_open_news(void);
void port_drain_news(int fd);
/* port_read_overruns - bring p->overruns up to date. */
void port_read_overruns(struct port *p);

/* ---- path.c: one direction of one link ----------------------------------- */

#define RELAY_BATCH 32

struct path_stats {
	uint64_t packets, bytes, superpackets, max_frame, segmented;
	uint64_t lost, dropped_queue, dropped_toolong, dropped_down;
	uint64_t dropped_overrun, duplicated, reordered;
	uint64_t overruns_base; /* of the port when statistics were reset */
	struct hist late;
};

struct queue {
	struct frame *first, **last;
	size_t n;
};

struct path {
	struct port *in, *out;
	struct impair impair;
	struct queue waiting, express; /* each in order of due_ns */
	int64_t retry_ns;	       /* not before; 0: no retry under way */
	int64_t retry_since_ns;
	struct path_stats stats;
};

/* What all paths of the process share. */
struct relay_shared {
	struct pool *pool;
	uint8_t *scratch;		  /* a superpacket, linear */
	struct frame *spare[RELAY_BATCH]; /* posted for the next receive */
	int64_t realtime_offset_ns;	  /* CLOCK_REALTIME - MONOTONIC */
	int64_t last_offset_ns;
	struct hist late; /* of all paths */
	struct slots slots;
};

void path_init(struct path *p, struct port *in, struct port *out,
	       const struct relay_impair *cfg, uint64_t seed);
/* path_fini - give what waits back to the pool. */
void path_fini(struct path *p, struct relay_shared *s);
/* path_receive - read one batch and decide each packet's fate. */
void path_receive(struct path *p, struct relay_shared *s);
/* path_flush - send all that is due. */
void path_flush(struct path *p, struct relay_shared *s);
/* path_due_ns - when path_flush has work next; INT64_MAX: nothing waits. */
int64_t path_due_ns(const struct path *p);
void path_reset_stats(struct path *p);
uint64_t path_overruns(const struct path *p);

/* ---- relay.c, control.c -------------------------------------------------- */

struct link {
	char name[RELAY_NAME_LEN];
	struct port port_a, port_b;
	struct path path[RELAY_N_DIRS];
};

struct relay {
	struct link *links;
	size_t n_links;
	struct relay_shared shared;
	int64_t since_ns; /* of the statistics */
	int64_t cpu_base_ns;
	const char *scheduler; /* "fifo", "nice" or "normal" */
};

/* relay_cpu_ns - user and system time of this process. */
int64_t relay_cpu_ns(void);
void relay_reset_stats(struct relay *r);

/* control_answer - carry out one request line; a new string to be freed. */
char *control_answer(struct relay *r, const char *line);

#endif

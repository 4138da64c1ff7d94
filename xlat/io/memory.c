/* SPDX-License-Identifier: MIT */
/* Two rings of packets: what is to be read, and what was written. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "io_internal.h"
#include "vnet.h"

struct slot {
	uint8_t *data;
	uint32_t len;
	struct virtio_net_hdr h; /* metadata crosses as on a descriptor */
};

struct ring {
	struct slot *slots;
	size_t size, first, used;
};

struct io_memory {
	struct io io;
	struct ring in, out;
	unsigned int failures;
	int code;
};

static int ring_put(struct ring *r, const void *data, size_t len,
		    const struct pkt_gso *gso)
{
	struct slot *s = &r->slots[(r->first + r->used) % r->size];

	if (r->used == r->size || len > PKT_MAX_BYTES)
		return -ENOBUFS;
	s->data = malloc(len ? len : 1);
	if (!s->data)
		return -ENOMEM;
	memcpy(s->data, data, len);
	s->len = (uint32_t)len;
	vnet_encode(gso, &s->h);
	r->used++;
	return 0;
}

static long ring_get(struct ring *r, void *data, struct pkt_gso *gso)
{
	struct slot *s = &r->slots[r->first];

	if (!r->used)
		return -EAGAIN;
	memcpy(data, s->data, s->len);
	free(s->data);
	s->data = NULL;
	r->first = (r->first + 1) % r->size;
	r->used--;
	return vnet_decode(&s->h, gso) ? -EBADMSG : (long)s->len;
}

static void ring_free(struct ring *r)
{
	for (; r->slots && r->used;
	     r->used--, r->first = (r->first + 1) % r->size)
		free(r->slots[r->first].data);
	free(r->slots);
}

static int memory_read(struct io *io, uint8_t *buf, struct pkt *pkt)
{
	struct io_memory *m = (struct io_memory *)io;
	long n = ring_get(&m->in, buf + PKT_HEADROOM, &pkt->gso);

	if (n < 0)
		return (int)n;
	pkt->data = buf + PKT_HEADROOM;
	pkt->len = (uint32_t)n;
	pkt->headroom = PKT_HEADROOM;
	pkt->tailroom = IO_BUFFER_BYTES - PKT_HEADROOM - pkt->len;
	return 0;
}

static int memory_write(struct io *io, const struct pkt *pkt)
{
	struct io_memory *m = (struct io_memory *)io;

	if (m->failures) {
		m->failures--;
		return -m->code;
	}
	return ring_put(&m->out, pkt->data, pkt->len, &pkt->gso);
}

static void memory_close(struct io *io)
{
	struct io_memory *m = (struct io_memory *)io;

	ring_free(&m->in);
	ring_free(&m->out);
	free(m);
}

static const struct io_ops memory_ops = {memory_read, memory_write,
					 memory_close};

struct io *io_open_memory(size_t queue)
{
	struct io_memory *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->io = (struct io){.ops = &memory_ops, .fd = -1, .uso = true};
	m->in.size = m->out.size = queue;
	m->in.slots = calloc(queue, sizeof(*m->in.slots));
	m->out.slots = calloc(queue, sizeof(*m->out.slots));
	if (!m->in.slots || !m->out.slots) {
		memory_close(&m->io);
		return NULL;
	}
	return &m->io;
}

int io_memory_put(struct io *io, const void *data, size_t len,
		  const struct pkt_gso *gso)
{
	return ring_put(&((struct io_memory *)io)->in, data, len, gso);
}

long io_memory_get(struct io *io, void *data, struct pkt_gso *gso)
{
	return ring_get(&((struct io_memory *)io)->out, data, gso);
}

void io_memory_fail(struct io *io, unsigned int count, int code)
{
	struct io_memory *m = (struct io_memory *)io;

	m->failures = count;
	m->code = code;
}

/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Frames that wait live in memory that is reserved once, at start. There are
 * two kinds of slots: struct frame, with room for any common frame, and tails
 * of 64 KiB for what is larger. A receive batch posts one of each a message,
 * and a tail that was not needed is posted again. Free slots are kept in
 * stacks, so the same few, already in the cache, are used over and over, and
 * pages that no run ever needed are never touched.
 */
#include "relay_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct pool {
	struct frame *frames;
	uint8_t *tails;
	size_t n_frames, n_tails;
	struct frame *free;   /* linked by next */
	size_t fresh_frames;  /* from here on never used yet */
	uint8_t **free_tails; /* a stack */
	size_t n_free_tails, fresh_tails;
};

static void *reserve(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

struct pool *pool_new(size_t n_frames, size_t n_tails)
{
	struct pool *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->n_frames = n_frames;
	p->n_tails = n_tails;
	p->frames = reserve(n_frames * sizeof(struct frame));
	p->tails = reserve(n_tails * FRAME_TAIL_BYTES);
	p->free_tails = calloc(n_tails, sizeof(*p->free_tails));
	if (p->frames && p->tails && p->free_tails)
		return p;
	pool_free(p);
	return NULL;
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	if (p->frames)
		munmap(p->frames, p->n_frames * sizeof(struct frame));
	if (p->tails)
		munmap(p->tails, p->n_tails * FRAME_TAIL_BYTES);
	free(p->free_tails);
	free(p);
}

struct frame *pool_get(struct pool *p)
{
	struct frame *f = p->free;

	if (f)
		p->free = f->next;
	else if (p->fresh_frames < p->n_frames)
		f = &p->frames[p->fresh_frames++];
	else
		return NULL;
	f->next = NULL;
	f->tail = NULL;
	f->len = 0;
	return f;
}

uint8_t *pool_get_tail(struct pool *p)
{
	if (p->n_free_tails)
		return p->free_tails[--p->n_free_tails];
	if (p->fresh_tails < p->n_tails)
		return p->tails + FRAME_TAIL_BYTES * p->fresh_tails++;
	return NULL;
}

void pool_put_tail(struct pool *p, uint8_t *tail)
{
	if (tail)
		p->free_tails[p->n_free_tails++] = tail;
}

void pool_put(struct pool *p, struct frame *f)
{
	if (!f)
		return;
	pool_put_tail(p, f->tail);
	f->tail = NULL;
	f->next = p->free;
	p->free = f;
}

struct frame *frame_store(struct pool *p, const uint8_t *data, uint32_t len,
			  const struct virtio_net_hdr *vnet)
{
	struct frame *f = pool_get(p);
	uint32_t head = len < FRAME_HEAD_BYTES ? len : FRAME_HEAD_BYTES;

	if (!f)
		return NULL;
	if (len > head) {
		f->tail = pool_get_tail(p);
		if (!f->tail) {
			pool_put(p, f);
			return NULL;
		}
		memcpy(f->tail, data + head, len - head);
	}
	memcpy(f->head, data, head);
	f->len = len;
	f->vnet = *vnet;
	return f;
}

struct frame *frame_clone(struct pool *p, const struct frame *f)
{
	struct frame *c = pool_get(p);
	uint32_t head = f->len < FRAME_HEAD_BYTES ? f->len : FRAME_HEAD_BYTES;

	if (!c)
		return NULL;
	if (f->tail) {
		c->tail = pool_get_tail(p);
		if (!c->tail) {
			pool_put(p, c);
			return NULL;
		}
		memcpy(c->tail, f->tail, f->len - head);
	}
	memcpy(c->head, f->head, head);
	c->len = f->len;
	c->vnet = f->vnet;
	c->due_ns = f->due_ns;
	return c;
}

void frame_copy_out(const struct frame *f, uint8_t *buf)
{
	uint32_t head = f->len < FRAME_HEAD_BYTES ? f->len : FRAME_HEAD_BYTES;

	memcpy(buf, f->head, head);
	if (f->tail)
		memcpy(buf + head, f->tail, f->len - head);
}

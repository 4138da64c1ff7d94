/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A list of chunks, each zeroed when it is taken from malloc. An allocation
 * comes from the newest chunk; one that does not fit opens a new chunk, and a
 * large one gets a chunk of its own behind the newest, which stays in use.
 * Nothing is given back before arena_free. Memory that runs out ends the
 * program: there is no run without its plan.
 */
#include "arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES    32768
#define FIRST_CAPACITY 4

struct chunk {
	struct chunk *next;
	size_t used, size;
	alignas(max_align_t) unsigned char data[];
};

struct arena {
	struct chunk *newest;
};

static void out_of_memory(void)
{
	fputs("out of memory\n", stderr);
	abort();
}

static struct chunk *chunk_new(size_t size)
{
	struct chunk *c;

	if (size > SIZE_MAX / 2)
		out_of_memory();
	c = calloc(1, sizeof(*c) + size);
	if (!c)
		out_of_memory();
	c->size = size;
	return c;
}

struct arena *arena_new(void)
{
	struct arena *a = calloc(1, sizeof(*a));

	if (!a)
		out_of_memory();
	a->newest = chunk_new(CHUNK_BYTES);
	return a;
}

void arena_free(struct arena *a)
{
	struct chunk *c, *next;

	if (!a)
		return;
	for (c = a->newest; c; c = next) {
		next = c->next;
		free(c);
	}
	free(a);
}

static void *alloc_large(struct arena *a, size_t size)
{
	struct chunk *c = chunk_new(size);

	c->used = size;
	c->next = a->newest->next;
	a->newest->next = c;
	return c->data;
}

void *arena_alloc(struct arena *a, size_t size)
{
	const size_t align = alignof(max_align_t);
	struct chunk *c = a->newest;
	void *p;

	if (size > CHUNK_BYTES / 4)
		return alloc_large(a, size);
	size = size ? (size + align - 1) / align * align : align;
	if (c->size - c->used < size) {
		c = chunk_new(CHUNK_BYTES);
		c->next = a->newest;
		a->newest = c;
	}
	p = c->data + c->used;
	c->used += size;
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	size_t size = strlen(s) + 1;
	char *copy = arena_alloc(a, size);

	memcpy(copy, s, size);
	return copy;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		out_of_memory();
	s = arena_alloc(a, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(s, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return s;
}

/* The array is full when @n is a power of two (or nothing yet). */
static size_t grown_capacity(size_t n)
{
	if (n == 0)
		return FIRST_CAPACITY;
	return n >= FIRST_CAPACITY && !(n & (n - 1)) ? 2 * n : 0;
}

void *arena_grow(struct arena *a, void *v, size_t n, size_t size)
{
	size_t capacity = grown_capacity(n);

	if (capacity) {
		void *bigger;

		if (size && capacity > SIZE_MAX / 2 / size)
			out_of_memory();
		bigger = arena_alloc(a, capacity * size);
		if (n)
			memcpy(bigger, v, n * size);
		v = bigger;
	}
	memset((unsigned char *)v + n * size, 0, size);
	return v;
}

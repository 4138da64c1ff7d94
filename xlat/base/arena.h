/* SPDX-License-Identifier: MIT */
/* Memory that is given back all at once; for what lives as long as a run. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct arena;

/* arena_new - an empty arena; dies when memory is out (so do the others). */
struct arena *arena_new(void);
void arena_free(struct arena *a);

/* arena_alloc - @size zeroed bytes, aligned for any type. Never NULL. */
void *arena_alloc(struct arena *a, size_t size);
char *arena_strdup(struct arena *a, const char *s);
char *arena_printf(struct arena *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * arena_grow - make room for one more element of a growing array.
 * @v: the array (NULL at first); @n: elements in use; @size: of one element
 *
 * Returns the array, perhaps moved, with a zeroed element at index @n.
 * Cost: amortised constant; capacities are powers of two.
 */
void *arena_grow(struct arena *a, void *v, size_t n, size_t size);

#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
/* clang-format off */
#define ARENA_APPEND(a, v, n)                                                 \
	((v) = arena_grow((a), (v), (n),                                      \
			  sizeof(*(v)) /* NOLINT(bugprone-sizeof-expression) */), \
	 &(v)[(n)++])
/* clang-format on */

#endif

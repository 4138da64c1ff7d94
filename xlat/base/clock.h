/* SPDX-License-Identifier: MIT */
/* Monotonic time, in a type that cannot be mixed up with a plain number. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

/* A point on CLOCK_MONOTONIC, the same in every namespace of the machine. */
struct mono {
	int64_t ns;
};

/* clock_now - CLOCK_MONOTONIC. Context: syscalls. */
struct mono clock_now(void);

static inline struct mono mono_add(struct mono t, int64_t delta_ns)
{
	return (struct mono){t.ns + delta_ns};
}

/* mono_sub - nanoseconds from @b to @a (positive when @a is later). */
static inline int64_t mono_sub(struct mono a, struct mono b)
{
	return a.ns - b.ns;
}

static inline bool mono_before(struct mono a, struct mono b)
{
	return a.ns < b.ns;
}

#endif

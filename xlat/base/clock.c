/* SPDX-License-Identifier: MIT */
#include "clock.h"

#include <time.h>

struct mono clock_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (struct mono){(int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec};
}

/* SPDX-License-Identifier: MIT */
/*
 * A stream of small packets, 100 kpps, each with the time it was sent in it;
 * the server's kernel stamps their arrival, so that neither end's reading is
 * in the figure.
 */
#ifndef TESTS_BENCH_STREAM_H
#define TESTS_BENCH_STREAM_H

#include <stddef.h>

struct bench_stream {
	double rate; /* packets/s that arrived */
	double median_ms, p999_ms, longest_ms;
};

/* bench_stream_run - to @target, IPv6. */
struct bench_stream bench_stream_run(const char *target, int seconds);

#endif

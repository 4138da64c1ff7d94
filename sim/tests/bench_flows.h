/* SPDX-License-Identifier: MIT */
/*
 * Frames of which each is the first of its flow: UDP, from a host in a network
 * of its own. One sender at a time.
 */
#ifndef TESTS_BENCH_FLOWS_H
#define TESTS_BENCH_FLOWS_H

#include <stdint.h>

/*
 * bench_flows_open - a packet socket in the client's namespace.
 * @target: whereto, IPv6
 * @rate: frames/s; 0: as fast as one core sends
 * No flow is one of an earlier call's. bench_flows_close is its end.
 */
int bench_flows_open(const char *target, int64_t rate);
/* bench_flows_send - for bench_start_sender. */
void bench_flows_send(int fd);

#endif

/* SPDX-License-Identifier: MIT */
/* Who had an address and port of pool4, from what `log:` wrote. */
#ifndef DAEMON_WHO_H
#define DAEMON_WHO_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>

struct who_query {
	struct in_addr addr;
	int port;	   /* or ICMP identifier; host order */
	const char *proto; /* "tcp", "udp", "icmp" */
	double at;	   /* seconds since 1970 */
};

/*
 * who_find - print to @out, a line each, who had it. What makes the answer
 * doubtful (lost or broken lines) goes to stderr.
 * Returns 0; 1 when nobody had it; 2 when a file cannot be read.
 */
int who_find(const struct who_query *q, const char *const *paths, size_t n,
	     FILE *out);

/* who_run - `xlatd who ...`, without its first two words; the exit status. */
int who_run(int argc, char **argv);

#endif

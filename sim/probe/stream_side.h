/* SPDX-License-Identifier: MIT */
/* One side of a stream, inside a node: state shared by its two files. */
#ifndef PROBE_STREAM_SIDE_H
#define PROBE_STREAM_SIDE_H

#include <netinet/in.h>

#include "stream_internal.h"

enum phase { PHASE_HELLO, PHASE_DATA, PHASE_DRAIN, PHASE_OVER };

struct options {
	bool client;
	const char *record, *to, *flow;
	int port, family;
	uint32_t session;
	double rate_pps;
	size_t size;
	uint64_t count;
	int64_t patience_ns;
};

struct side {
	struct options opt;
	struct stream_record *rec;
	int fd, signal_fd;
	enum phase phase;
	int64_t hello_due_ns, give_up_ns, drain_until_ns;
	int64_t realtime_offset_ns;
	bool clock_stepped;
	bool seen_any, seen_last; /* of the other's data */
	uint32_t newest_seq;
	/* server: where the client is, and which address of ours it uses */
	struct sockaddr_in6 peer;
	struct in6_pktinfo local;
	int32_t *late; /* nanoseconds, of every packet sent */
	uint8_t buf[STREAM_MAX_BYTES];
};

/* side_fail - put "@what: @why" on record; returns -1. */
int side_fail(struct side *s, const char *what, const char *why);
/* side_open_* - s->fd, ready for side_run. 0, or -1 after side_fail. */
int side_open_client(struct side *s);
int side_open_server(struct side *s);
/* side_run - the whole stream. 0: complete; 1: told to stop; -1: side_fail */
int side_run(struct side *s);

#endif

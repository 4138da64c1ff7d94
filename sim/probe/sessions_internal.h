/* SPDX-License-Identifier: MIT */
/* What the two sides of a `sessions` measure say to each other over TCP. */
#ifndef PROBE_SESSIONS_INTERNAL_H
#define PROBE_SESSIONS_INTERNAL_H

#include <stdint.h>

#define SESSIONS_MAGIC	   UINT32_C(0x78735365) /* "xsSe" */
#define SESSIONS_MAX_BYTES 1400

/* The first words of a client, in network order. */
struct sessions_hello {
	uint32_t magic;
	uint32_t interval_us; /* from chunk to chunk; 0: none are wanted */
	uint32_t bytes;	      /* of a chunk */
};

/* What it says then: numbers to be sent back. What a server says: these heads,
 * each followed by so many bytes. */
enum sessions_frame { SESSIONS_CHUNK = 1, SESSIONS_ECHO = 2 };

struct sessions_head {
	uint16_t type, bytes; /* network order */
	uint32_t number;
};

int sessions_serve(int port);

#endif

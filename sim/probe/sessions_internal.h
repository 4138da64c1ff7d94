/* SPDX-License-Identifier: MIT */
/* What the two sides of a `sessions` measure say to each other over TCP. */
#ifndef PROBE_SESSIONS_INTERNAL_H
#define PROBE_SESSIONS_INTERNAL_H

#include <stddef.h>
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

/* sessions_serve - until it is killed. Returns an exit status: 2 when this
 * machine refused it something. */
int sessions_serve(int port);
/*
 * sessions_raise_files - let this process have @most open files, or as many as
 * it may. Returns 0; -errno when that is less than @least.
 */
int sessions_raise_files(size_t least, size_t most);

#endif

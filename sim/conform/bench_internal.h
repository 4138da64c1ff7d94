/* SPDX-License-Identifier: MIT */
/* What the files of the bench share. */
#ifndef CONFORM_BENCH_INTERNAL_H
#define CONFORM_BENCH_INTERNAL_H

#include "bench.h"

/* In the payload of a marker, before its number. */
#define MARKER_TEXT "xlatsim marker "

enum { BENCH_SIX, BENCH_ENGINE, BENCH_FOUR, BENCH_NODES };

struct port {
	struct bench *bench;
	int fd;
	int side; /* 0: both, by the version of the packet */
	const char *dev;
	unsigned int ifindex;
	int hops;  /* that the kernel takes between here and the engine */
	bool wire; /* other kernels talk there too */
	bool learns, has_mac;
	uint8_t mac[6]; /* of the engine's end */
	struct loop_source *source;
};

struct bench {
	struct loop *loop;
	struct world *world;
	struct arena *arena, *packets;
	char dir[256], run_id[5];
	const struct player *player;
	const struct setup *setup;
	enum bench_attach attach;
	struct proc *proc;
	bool stopping, ended;
	char fault[256];
	struct loop_source *looker;
	struct port ports[2]; /* side 6 (or both), side 4 */
	struct captured *captured;
	size_t n_captured;
	/* numbers of markers: the newest; the oldest that is good enough; the
	 * first of this engine process */
	uint64_t marker, marker_oldest, marker_first;
	int marker_side; /* where it should come out */
	bool marker_back;
	uint8_t marker_bytes[512];
	size_t marker_len;
};

/* bench_attach_four - a port at the link to node four. */
int bench_attach_four(struct bench *b, struct err *e);

/* bench_poke_guest - make the machine at the other end of the wire say
 * something, so that its address is learnt. */
void bench_poke_guest(struct bench *b);
/* bench_await - wake up now and again until @done. As loop_run_until. */
int bench_await(struct bench *b, bool (*done)(void *arg), void *arg,
		int64_t patience_ns);

/* ---- bench_port.c ---------------------------------------------------------
 */

/* bench_port_attach - capture at @dev of @node from now on. @side 0: both */
int bench_port_attach(struct bench *b, struct port *p, int side, int node,
		      const char *dev, int hops, struct err *e);
void bench_port_close(struct bench *b, struct port *p);
/* bench_ended - has the engine? For loops; @arg: the bench. */
bool bench_ended(void *arg);
/* bench_blame - @ret went wrong: maybe since the engine has died, of which the
 * news may still be to come. -ECHILD then. */
int bench_blame(struct bench *b, int ret, struct err *e);

#endif

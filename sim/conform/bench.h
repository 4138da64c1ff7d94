/* SPDX-License-Identifier: MIT */
/*
 * An engine on the bench: namespaces, the engine's process, and a port on
 * each side of it, through which packets are sent and captured byte by byte.
 */
#ifndef CONFORM_BENCH_H
#define CONFORM_BENCH_H

#include "../world/world.h"
#include "suite.h"

/* Where packets enter and leave. */
enum bench_attach {
	ATTACH_TUN, /* both sides: what the engine reads and writes itself */
	ATTACH_TUN_AND_LINK, /* side 6 so; side 4: a link, behind the kernel */
	ATTACH_TAP,	     /* both sides: one wire to a machine of its own */
};

struct bench;

/* An engine as the bench sees it: one for each engine that can be judged. */
struct player {
	const char *name;
	unsigned int roles; /* bits 1 << enum conform_role */
	/* attach - how it is attached in @role. */
	enum bench_attach (*attach)(enum conform_role role);
	/*
	 * configure - @s in the engine's own words, to its file @out.
	 * -ENOTSUP with @why when it cannot be configured so: a skip.
	 */
	int (*configure)(const struct setup *s, FILE *out, struct err *why);
	/* start - spawn it by bench_spawn(). @file: what configure() wrote */
	int (*start)(struct bench *b, const struct setup *s, const char *file,
		     struct err *e);
	/* stop - what outlives its process; may be NULL */
	void (*stop)(struct bench *b, const struct setup *s);
	/* advance - let @ns pass for it at once; NULL: it has no such clock */
	int (*advance)(struct bench *b, int64_t ns, struct err *e);
};

extern const struct player xlatd_player, tayga_player, jool_player;
/* player_find - by name; NULL. player_names - all of them; ends with NULL. */
const struct player *player_find(const char *name);
const char *const *player_names(void);

#define BENCH_TUN "xlat"
/* The link of the engine's node to the IPv4 side. */
#define BENCH_LINK4 "four"

/*
 * bench_new - the namespaces; no engine yet.
 * Returns NULL with @e set. Context: root.
 */
struct bench *bench_new(struct loop *loop, struct err *e);
/* bench_free - nothing is left behind. NULL is fine. */
void bench_free(struct bench *b);

/*
 * bench_start - @p set up as @s says, until packets pass.
 * 0; -ENOTSUP with @e: it cannot be set up so; -EINTR; -ECHILD: it ended;
 * -ETIMEDOUT: nothing passes. Stops what ran before.
 */
int bench_start(struct bench *b, const struct player *p, const struct setup *s,
		struct err *e);
void bench_stop(struct bench *b);
/* bench_engine - the name of the engine that was started last. */
const char *bench_engine(const struct bench *b);

/*
 * bench_send - one packet, as it is, from @side 4 or 6.
 * -EMSGSIZE: longer than the device takes; -ECHILD, -EIO.
 */
int bench_send(struct bench *b, int side, const uint8_t *v, size_t len,
	       struct err *e);

struct captured {
	int side;
	size_t len;
	uint8_t *bytes;
};

/*
 * bench_fence - wait until all that was sent has been dealt with: until
 * packets sent after it have come out at the other side.
 * What was captured until then is in *@v. 0, -EINTR, -ECHILD, -ETIMEDOUT.
 */
int bench_fence(struct bench *b, const struct captured **v, size_t *n,
		struct err *e);
/* bench_forget - what was captured so far. */
void bench_forget(struct bench *b);
/*
 * bench_wait - let time pass for the engine.
 * -ENOTSUP: it has no clock that can be advanced and @ns is too long to wait.
 */
int bench_wait(struct bench *b, int64_t ns, struct err *e);

/* ---- for players ----------------------------------------------------------
 */

/* bench_spawn - @argv as the engine's process, in its node. */
int bench_spawn(struct bench *b, const char *const *argv, struct err *e);
/* bench_run - a helper in the engine's node, to its end with status 0. */
int bench_run(struct bench *b, const char *const *argv, struct err *e);
/* bench_forward4 - shall the kernel of the engine's node forward IPv4? */
int bench_forward4(struct bench *b, bool on, struct err *e);
/* bench_route_tun - IPv4 prefix @dst leads into BENCH_TUN. */
int bench_route_tun(struct bench *b, const char *dst, struct err *e);
/* bench_file - a path in the engine's node for file @name; in @buf. */
const char *bench_file(struct bench *b, const char *name, char *buf,
		       size_t len);
/* bench_raise_tun - wait for BENCH_TUN and raise it. */
int bench_raise_tun(struct bench *b, struct err *e);

#endif

/* SPDX-License-Identifier: MIT */
/* The command channel of a Jool node; the guest's end is uml/guest_init.c. */
#ifndef ENGINE_GUEST_H
#define ENGINE_GUEST_H

#include "../world/world.h"

/* Two FIFOs in the node, .in and .out, by the name of the role. */
#define GUEST_CHANNEL "/run/jool-%s"

struct guest;

struct guest *guest_new(void);
void guest_free(struct guest *g);
/*
 * guest_open - the channel @name that process @p made.
 * Returns 0, -EAGAIN when it is not there yet, -EALREADY, or -errno.
 */
int guest_open(struct guest *g, const struct proc *p, const char *name);
void guest_close(struct guest *g);

/* guest_send - one command, without newline. 0 or -errno. */
int guest_send(struct guest *g, const char *line);
/*
 * guest_poll - is there an answer?
 * @status, @text: of the answer; @text belongs to @g until the next call
 * Returns 1, 0 (not yet), or -errno.
 */
int guest_poll(struct guest *g, int *status, const char **text);
/*
 * guest_ask - send, and wait for the answer at most two seconds.
 * Returns its text, which belongs to @g, or NULL with @e set: hung, or the
 * guest's own words.
 */
const char *guest_ask(struct guest *g, const char *line, struct err *e);

#endif

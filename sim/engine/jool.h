/* SPDX-License-Identifier: MIT */
/* What the files of the Jool engine share. */
#ifndef ENGINE_JOOL_H
#define ENGINE_JOOL_H

#include <limits.h>

#include "engine_internal.h"

/* Who runs Jool's modules. */
enum jool_backend {
	JOOL_NONE,
	JOOL_HOST, /* the host's own kernel; an instance in the node */
	JOOL_UML,  /* a User Mode Linux kernel, as a process of the node */
};

struct jool_host {
	enum jool_backend backend;
	char kernel[128];     /* UML: the program; HOST: the release */
	char release[80];     /* of that kernel */
	char version[32];     /* of Jool */
	char cache[PATH_MAX]; /* UML: where the modules are */
	char guest[PATH_MAX]; /* UML: what it boots */
	char shim[PATH_MAX];  /* UML: what is preloaded */
	char self[PATH_MAX];  /* xlatsim */
};

/*
 * jool_host_find - the back end that this host has, in the order of the enum.
 * @tool: "jool" or "jool_siit". -ENOENT with what is missing and its cure.
 */
int jool_host_find(const char *tool, struct jool_host *h, struct err *why);

/* ---- jool_net.c: the node's side of a Jool node ----------------------------
 */

/* The guest's link to the node; and its MAC-level other end. */
#define JOOL_NODE_LL "fe80::1"
/*
 * User Mode Linux's driver takes packets that are put together from others (a
 * reassembled datagram is) and sends zeros for all but the first part.
 */
#define JOOL_GUEST_WHOLE  "feature-off vec0 tx-scatter-gather-fraglist"
#define JOOL_GUEST_NO_GRO "feature-off vec0 rx-gro"
#define JOOL_GUEST_LL	  "fe80::2"

/* jool_net_up - bring up device @dev, with the node's address on it. */
int jool_net_up(struct world *w, int node, const char *dev, struct err *e);
/* jool_net_has - is there a device @dev, and up? */
bool jool_net_has(struct world *w, int node, const char *dev);
/*
 * jool_net_ping - a socket that asks @dst from @src, both of one family;
 * non-blocking. -errno with @e set.
 */
int jool_net_ping(struct world *w, int node, const struct addr *src,
		  const struct addr *dst, struct err *e);
/* jool_net_pong - send another request if it is time; true: it answered. */
bool jool_net_pong(int fd, int family, struct mono *next);

#endif

/* SPDX-License-Identifier: MIT */
/* The process of a Jool node, whatever its role. */
#ifndef ENGINE_JOOL_NODE_H
#define ENGINE_JOOL_NODE_H

#include "guest.h"
#include "jool.h"

struct jool;

struct jool_role {
	/* what the guest is told beyond modules and its link */
	void (*script)(struct jool *j);
	/* open a ping through the translator; its descriptor or -errno */
	int (*attempt)(struct jool *j, struct err *e);
	/* it was answered: serve */
	int (*attempted)(struct jool *j, struct err *e);
};

enum jool_stage {
	JOOL_BOOT,   /* its first word is awaited */
	JOOL_SCRIPT, /* an answer to a command is awaited */
	JOOL_PING,   /* a ping through it is awaited */
};

struct jool {
	struct engine *en;
	struct arena *arena;
	const struct jool_role *role;
	const char *name; /* "plat": of the instance */
	const char *dev;  /* the node's end of the wire */
	bool lossy;
	const char *peer; /* interface to the other PLAT; NULL: no standby */
	int64_t sessions; /* as last counted */
	struct jool_host host;
	char tool_path[128];
	struct announce *announce; /* PLAT */
	struct nlroute *routes;
	struct addr guest_ll;
	struct in_addr lan4; /* CLAT: of the node on its LAN */
	struct in6_addr lan6;
	struct guest *guest;
	unsigned int starts; /* a name of its own for each one's channel */
	char channel[32];
	const char **script;
	size_t n_script, at; /* script[at] is asked, or next */
	size_t wired;	     /* after this many commands the wire exists */
	enum jool_stage stage;
	int ping_fd;
	struct mono ping_next;
};

struct jool *jool_node_new(struct engine *en, struct err *e);
void jool_node_free(struct jool *j);
/* jool_say - append a command to the script. */
void jool_say(struct jool *j, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* jool_node_configure - work out the script, write it down. */
int jool_node_configure(struct jool *j, struct err *e);
int jool_node_start(struct jool *j, struct err *e);
int jool_node_ready(struct jool *j, struct mono deadline, struct err *e);
/* jool_node_stop - ask it to halt. Does not wait. */
void jool_node_stop(struct jool *j);
/* jool_node_ended - its process is gone: so goes what outlives it. */
void jool_node_ended(struct jool *j);

/* ---- jool_sync.c: joold ----------------------------------------------------
 */

/* jool_sync_find - the node's interface to the other PLAT, where the topology
 * has a standby; else NULL. */
const char *jool_sync_find(const struct engine *en);
/* jool_sync_say - joold, for the end of the script. */
int jool_sync_say(struct jool *j, struct err *e);
/* jool_sync_state - "running", or how it ended; e->text may hold that. */
const char *jool_sync_state(struct jool *j, struct err *e);

/* ---- jool_module.c: the same in the host's own kernel ----------------------
 */

int jool_module_configure(struct jool *j, struct err *e);
int jool_module_start(struct jool *j, struct err *e);
/* jool_module_ask - what a "run ..." printed; free it. NULL with @e set. */
char *jool_module_ask(struct jool *j, const char *line, struct err *e);

#endif

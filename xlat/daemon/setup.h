/* SPDX-License-Identifier: MIT */
/* From a configuration to a path ready for packets. */
#ifndef DAEMON_SETUP_H
#define DAEMON_SETUP_H

#include "../base/err.h"
#include "config.h"
#include "path.h"

/* Everything a path points to. Zero-initialised before the first use. */
struct setup {
	struct path path;
	void *tables; /* nat64 */
	size_t tables_bytes;
	uint64_t seed[3];
	void *eam; /* entries and nodes */
	uint8_t *fragment;
	struct nat64_frags *frags;
	struct nat64_held *held;
	struct nat64_gather *gather;
	uint8_t *again;
	struct nat64_syns *syns;
	void (*changed)(void *arg); /* after each setup_apply(); or NULL */
	void *changed_arg;
};

/*
 * setup_init - allocate and fill in @s for @c.
 * Returns 0; -ENOMEM, -EINVAL (static entries that do not fit) with @e set.
 * Context: syscalls (mmap, getrandom).
 */
int setup_init(struct setup *s, const struct config *c, struct mono now,
	       struct err *e);
/*
 * setup_apply - take over what may change while sessions live (see
 * config_same_shape). On failure nothing has changed.
 * @was: the configuration so far; NULL: there is none
 */
int setup_apply(struct setup *s, const struct config *was,
		const struct config *c, struct mono now, struct err *e);
void setup_fini(struct setup *s);

#endif

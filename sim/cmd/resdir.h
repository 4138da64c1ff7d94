/* SPDX-License-Identifier: MIT */
/* Folders of results: OUT/NAME/TIME, and OUT/NAME/latest to the newest. */
#ifndef CMD_RESDIR_H
#define CMD_RESDIR_H

#include "../../xlat/base/arena.h"
#include "../../xlat/base/err.h"

/*
 * resdir_make - OUT/NAME/20261123T074501Z, with -2, -3 ... if that is taken.
 * @dir: its absolute path; @started: now, ISO 8601, UTC; both in @a
 * Returns 0 or -errno with @e set. Context: syscalls.
 */
int resdir_make(const char *out, const char *name, struct arena *a,
		const char **dir, const char **started, struct err *e);

/* resdir_link_latest - `latest` beside @dir leads to it, in one step; 0 or
 * -errno with @e set. */
int resdir_link_latest(const char *dir, struct err *e);

#endif

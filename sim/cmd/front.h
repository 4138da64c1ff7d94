/* SPDX-License-Identifier: MIT */
/* What a command that builds worlds shows, and how it is stopped. */
#ifndef CMD_FRONT_H
#define CMD_FRONT_H

#include <signal.h>

#include "../../xlat/base/loop.h"
#include "../report/report.h"

struct front {
	struct loop *loop;
	struct progress *progress; /* on standard error */
	int caught;		   /* the signal that stopped the loop; or 0 */
	int signal_fd;
	struct loop_source *source;
	sigset_t before; /* what was blocked */
};

/*
 * front_open - from now on SIGINT, SIGTERM and SIGHUP stop @loop, and nothing
 * is cut in the middle: every wait returns -EINTR.
 * @cmd: for messages
 * @quiet: no progress
 * Returns 0; EXIT_HOST, which was told. To be closed in either case.
 */
int front_open(struct front *f, const char *cmd, struct loop *loop, bool quiet);
/* front_end_progress - standard error and the terminal are the caller's. */
void front_end_progress(struct front *f);
/*
 * front_close - signals do again what they did before; what came meanwhile has
 * been dealt with.
 */
void front_close(struct front *f);

#endif

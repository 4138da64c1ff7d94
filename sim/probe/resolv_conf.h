/* SPDX-License-Identifier: MIT */
#ifndef PROBE_RESOLV_CONF_H
#define PROBE_RESOLV_CONF_H

#include <stdbool.h>

#include "../../xlat/base/addr.h"
#include "../../xlat/base/err.h"

#define RESOLV_MAX_SERVERS 3 /* MAXNS of resolv.conf(5) */

struct resolv_conf {
	struct addr servers[RESOLV_MAX_SERVERS];
	size_t n_servers;
	int64_t timeout_ns;
	int tries;
	bool rotate;
};

/*
 * resolv_conf_read - /etc/resolv.conf of the node, with the C library's
 * defaults. @servers: false leaves out the servers (there are others).
 * Returns 0; -ENOENT with @e when it names no server.
 */
int resolv_conf_read(struct resolv_conf *c, bool servers, struct err *e);

#endif

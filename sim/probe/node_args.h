/* SPDX-License-Identifier: MIT */
/*
 * Arguments of the halves inside nodes: pairs of KEY VALUE, written by the
 * other half and never by a person; and whom they name.
 */
#ifndef PROBE_NODE_ARGS_H
#define PROBE_NODE_ARGS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "../../xlat/base/addr.h"

struct node_arg {
	const char *key;
	const char **text; /* either this */
	int64_t *number;   /* or this */
};

/*
 * node_args_read - the pairs after argv[0]. @v ends with a NULL key.
 * Returns 0, or -EINVAL with the bad word on standard error.
 */
int node_args_read(int argc, char **argv, const struct node_arg *v);

/* Whom a half measures towards. */
struct node_peer {
	int family; /* AF_INET or AF_INET6 */
	struct sockaddr_storage addr;
	socklen_t len;
	char text[ADDR_TEXT_LEN];
};

/*
 * node_peer_find - resolve @name, a name or an address, as a host would.
 * @family: 4, 6 or 0 for either
 *
 * Returns 0, or -ENOENT with why not in @error. Context: syscalls, blocks.
 */
int node_peer_find(struct node_peer *p, const char *name, int64_t family,
		   char *error, size_t len);

#endif

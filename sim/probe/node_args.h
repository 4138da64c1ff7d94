/* SPDX-License-Identifier: MIT */
/*
 * Arguments of the halves inside nodes: pairs of KEY VALUE, written by the
 * other half and never by a person.
 */
#ifndef PROBE_NODE_ARGS_H
#define PROBE_NODE_ARGS_H

#include <stdint.h>

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

#endif

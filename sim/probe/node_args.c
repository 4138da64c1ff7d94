/* SPDX-License-Identifier: MIT */
#include "node_args.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int set(const struct node_arg *a, const char *value)
{
	char *end;

	if (a->text) {
		*a->text = value;
		return 0;
	}
	errno = 0;
	*a->number = strtoll(value, &end, 10);
	return errno || end == value || *end ? -EINVAL : 0;
}

int node_args_read(int argc, char **argv, const struct node_arg *v)
{
	for (int i = 1; i < argc; i += 2) {
		const struct node_arg *a = v;

		while (a->key && strcmp(a->key, argv[i]))
			a++;
		if (!a->key || i + 1 >= argc || set(a, argv[i + 1])) {
			fprintf(stderr, "xlatsim probe %s: bad argument %s\n",
				argv[0], argv[i]);
			return -EINVAL;
		}
	}
	return 0;
}

/* SPDX-License-Identifier: MIT */
#include "node_args.h"

#include <errno.h>
#include <netdb.h>
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

int node_peer_find(struct node_peer *p, const char *name, int64_t family,
		   char *error, size_t len)
{
	struct addrinfo hints = {.ai_family = family == 4   ? AF_INET
					      : family == 6 ? AF_INET6
							    : AF_UNSPEC,
				 .ai_socktype = SOCK_DGRAM};
	struct addrinfo *ai;
	int ret = getaddrinfo(name, NULL, &hints, &ai);

	if (ret) {
		snprintf(error, len, "%s: %s", name, gai_strerror(ret));
		return -ENOENT;
	}
	p->family = ai->ai_family;
	memcpy(&p->addr, ai->ai_addr, ai->ai_addrlen);
	p->len = ai->ai_addrlen;
	getnameinfo(ai->ai_addr, ai->ai_addrlen, p->text, sizeof(p->text), NULL,
		    0, NI_NUMERICHOST);
	freeaddrinfo(ai);
	return 0;
}

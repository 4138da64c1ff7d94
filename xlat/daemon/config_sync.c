/* SPDX-License-Identifier: MIT */
/* `sync:`, where the warm standby is and by which key it is known. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_internal.h"

struct sync_raw {
	const char *listen, *peer, *key_file;
};

static const struct yfield sync_fields[] = {
	{.key = "listen",
	 .type = YF_STRING,
	 .offset = offsetof(struct sync_raw, listen),
	 .required = true},
	{.key = "peer",
	 .type = YF_STRING,
	 .offset = offsetof(struct sync_raw, peer),
	 .required = true},
	{.key = "key-file",
	 .type = YF_STRING,
	 .offset = offsetof(struct sync_raw, key_file),
	 .required = true},
	{0},
};

/* "[2001:db8::1]:7146" */
static bool parse_endpoint(const char *text, struct sockaddr_in6 *out)
{
	const char *end = strchr(text, ']');
	char addr[INET6_ADDRSTRLEN], *rest;
	unsigned long port;

	if (text[0] != '[' || !end || end[1] != ':' || end[2] < '0' ||
	    end[2] > '9' || (size_t)(end - text) > sizeof(addr))
		return false;
	memcpy(addr, text + 1, (size_t)(end - text - 1));
	addr[end - text - 1] = '\0';
	errno = 0;
	port = strtoul(end + 2, &rest, 10);
	if (*rest || errno || !port || port > 65535)
		return false;
	*out = (struct sockaddr_in6){.sin6_family = AF_INET6,
				     .sin6_port = htons((uint16_t)port)};
	return inet_pton(AF_INET6, addr, &out->sin6_addr) == 1;
}

void config_read_endpoint(struct reader *r, const struct ynode *n,
			  const char *key, const char *text,
			  struct sockaddr_in6 *out)
{
	if (text && !parse_endpoint(text, out))
		diags_add(r->d, yaml_get(n, key)->pos,
			  "`%s: %s`: \"[ADDRESS6]:PORT\" is expected", key,
			  text);
}

void config_read_sync(struct reader *r, const struct ynode *n)
{
	struct sync_raw raw = {NULL, NULL, NULL};

	yaml_read_map(n, "sync", sync_fields, &raw, r->a, r->d);
	if (n->kind != YNODE_MAP)
		return;
	config_read_endpoint(r, n, "listen", raw.listen, &r->c->sync_listen);
	config_read_endpoint(r, n, "peer", raw.peer, &r->c->sync_peer);
	r->c->sync_key = raw.key_file;
}

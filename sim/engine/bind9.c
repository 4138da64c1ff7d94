/* SPDX-License-Identifier: MIT */
/*
 * BIND 9: the simulated internet's name server, and DNS64 at the PLATs.
 * Both run in the foreground as one thread, without a control channel.
 */
#include <errno.h>
#include <string.h>

#include "engine_internal.h"

#define TYPE_SOA 6

static int bind9_available(char *version, size_t len, struct err *why)
{
	static const char *const tools[] = {"dnssec-keygen", "dnssec-signzone",
					    "dnssec-dsfromkey"};
	char path[128], text[256];
	const char *argv[] = {path, "-v", NULL};

	for (size_t i = 0; i < sizeof(tools) / sizeof(*tools); i++)
		if (host_find(tools[i], path, sizeof(path)))
			return err_set(why, ENOENT,
				       "%s not found: install Debian package "
				       "bind9-utils",
				       tools[i]);
	if (host_find("named", path, sizeof(path)))
		return err_set(why, ENOENT,
			       "named not found: install Debian package bind9");
	if (host_read(argv, text, sizeof(text)) ||
	    sscanf(text, "BIND %63s", path) != 1)
		return err_set(why, ENOEXEC,
			       "named -v does not tell a version");
	path[strcspn(path, "-")] = '\0';
	snprintf(version, len, "BIND %s", path);
	return 0;
}

static bool is_auth(const struct engine *en)
{
	return en->daemon->role == DAEMON_AUTH_DNS;
}

static int bind9_configure(struct engine *en, struct err *e)
{
	return is_auth(en) ? bind9_auth_configure(en, e)
			   : bind9_dns64_configure(en, e);
}

static int bind9_start(struct engine *en, struct err *e)
{
	/* DNS64 asks over IPv6 alone: that is what the PLAT's side of the
	 * operator's network has */
	static const char *const auth[] = {
		"named", "-g", "-n", "1", "-c", "named-auth.conf", NULL};
	static const char *const dns64[] = {
		"named", "-g", "-6", "-n", "1", "-c", "named-dns64.conf", NULL};
	int ret = engine_spawn(
		en, is_auth(en) ? auth : dns64,
		is_auth(en) ? "named-auth.log" : "named-dns64.log", e);

	en->serving = !ret;
	return ret;
}

/* It serves when it answers: its own zone, or a synthesised record. */
static int bind9_ready(struct engine *en, struct mono deadline, struct err *e)
{
	const struct plan_node *n = engine_node(en);
	int node = en->daemon->node, ret;

	if (is_auth(en))
		ret = ask_dns(en->world, node, &n->host6, ".", TYPE_SOA,
			      deadline, e);
	else
		ret = ask_dns(en->world, node, &n->loop6, "ipv4only.arpa",
			      ask_type(world_plan(en->world)), deadline, e);
	return en->fault[0] ? err_set(e, ECHILD, "%s", en->fault) : ret;
}

const struct engine_ops bind9_ops = {
	.name = "bind9",
	.roles = 1u << DAEMON_AUTH_DNS | 1u << DAEMON_DNS64,
	.available = bind9_available,
	.configure = bind9_configure,
	.start = bind9_start,
	.ready = bind9_ready,
};

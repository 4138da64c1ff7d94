/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * joold tells another Jool of sessions: the module hands it, over netlink, the
 * session of every packet that it translates; joold sends them as multicast
 * UDP datagrams on a network of its own, and hands the module what comes from
 * there. It runs in the guest, which has a second wire for it:
 *
 *	plat1 --- plat2			the topology's plat1-plat2
 *	vec1       vec1			fe80::1:N in each guest
 *
 * The wire is the node's interface itself, by a packet socket that does not
 * see what the node sends; node and guest have addresses of their own there.
 *
 * What a guest that was booted again does not have: in 4.1.9 what is queued for
 * "joold advertise" is never sent, so that it learns of a session by the next
 * packet of that.
 */
#include "jool_node.h"

#include <errno.h>

/* joold's two files; the second is in none of its manuals, but without it it
 * speaks to an instance called "default" alone. */
#define CONFIG	"/run/joold.json"
#define MODULE	"/run/joold-module.json"
#define GROUP	"ff08::db8:64:64"
#define PORT	6464
#define THREADS 2 /* of joold, once both its sockets are open */

const char *jool_sync_find(const struct engine *en)
{
	const struct plan *p = world_plan(en->world);
	int node = en->daemon->node;

	for (size_t i = 0; i < p->n_links; i++) {
		const struct plan_link *l = &p->links[i];

		if (l->standby && (l->a.node == node || l->b.node == node))
			return l->a.node == node ? l->a.name : l->b.name;
	}
	return NULL;
}

int jool_sync_say(struct jool *j, struct err *e)
{
	char joold[PATH_MAX];

	if (host_find("joold", joold, sizeof(joold)))
		return err_set(e, ENOENT,
			       "standby needs joold, which is not installed: "
			       "apt-get install jool-tools");
	jool_say(j, "up vec1");
	jool_say(j, "addr vec1 fe80::1:%x 64",
		 (unsigned int)j->en->daemon->node);
	jool_say(j,
		 "file " CONFIG " {\"multicast address\": \"" GROUP "\","
		 " \"multicast port\": \"%d\","
		 " \"in interface\": \"vec1\","
		 " \"out interface\": \"vec1\","
		 " \"reuseaddr\": 1, \"ttl\": 1}",
		 PORT);
	jool_say(j, "file " MODULE " {\"instance\": \"%s\"}", j->name);
	jool_say(j, "run %s -i %s global update ss-enabled true", j->tool_path,
		 j->name);
	jool_say(j, "spawn %d %s " CONFIG " " MODULE, THREADS, joold);
	return 0;
}

const char *jool_sync_state(struct jool *j, struct err *e)
{
	return guest_ask(j->guest, "spawned", e) ? "running" : e->text;
}

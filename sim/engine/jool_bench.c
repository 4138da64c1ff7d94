/* SPDX-License-Identifier: MIT */
#include "jool_bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../xlat/base/arena.h"
#include "../../xlat/base/file.h"
#include "jool.h"

static void say(struct jool_bench *b, struct arena *a, const char *line)
{
	*ARENA_APPEND(a, b->script, b->n_script) = line;
}

static int say_modules(struct jool_bench *b, const struct jool_host *h,
		       struct arena *a, struct err *e)
{
	char *text, *save = NULL;

	text = file_read(arena_printf(a, "%s/%s.list", h->cache,
				      strrchr(b->tool, '/') + 1),
			 NULL, e);
	if (!text)
		return -EIO;
	for (char *name = strtok_r(text, "\n", &save); name;
	     name = strtok_r(NULL, "\n", &save))
		say(b, a, arena_printf(a, "module %s/%s", h->cache, name));
	free(text);
	return 0;
}

int jool_bench_prepare(const char *tool, const char *tap, const char *channel,
		       struct arena *a, struct jool_bench *out, struct err *e)
{
	static const char *const first[] = {
		/* what Jool leaves to the kernel would come back on the wire */
		"sysctl net/ipv4/ip_forward 0",
		"sysctl net/ipv6/conf/all/forwarding 0",
		/* each packet is answered, not one a second */
		"sysctl net/ipv4/icmp_ratelimit 0",
		"sysctl net/ipv4/icmp_msgs_per_sec 100000",
		"sysctl net/ipv4/icmp_msgs_burst 100000",
		"sysctl net/ipv6/icmp/ratelimit 0",
		"sysctl net/ipv4/conf/all/rp_filter 0",
		"sysctl net/ipv4/conf/default/rp_filter 0", "up lo",
		JOOL_GUEST_WHOLE, "up vec0"};
	struct jool_host *h = ARENA_NEW(a, struct jool_host);
	int ret = jool_host_find(tool, h, e);

	if (ret)
		return ret;
	if (h->backend != JOOL_UML)
		return err_set(e, ENOTSUP,
			       "Jool as the host's own module is not judged");
	*out = (struct jool_bench){.argv = {h->self, "jool-vm", "--kernel",
					    h->kernel, "--guest", h->guest,
					    "--shim", h->shim, "--name",
					    channel, "--tap", tap, NULL}};
	out->channel = channel;
	ret = host_find(tool, out->tool, sizeof(out->tool));
	if (ret)
		return err_set(e, -ret, "%s is not found", tool);
	ret = say_modules(out, h, a, e);
	for (size_t i = 0; i < sizeof(first) / sizeof(*first); i++)
		say(out, a, first[i]);
	return ret;
}

int jool_bench_wire(struct world *w, int node, const char *tap, struct err *e)
{
	return jool_net_up(w, node, tap, e);
}

/* SPDX-License-Identifier: MIT */
/*
 * Jool in the host's own kernel: an instance in the node's network namespace.
 *
 * The module has no process. One of ours holds the device by which a PLAT's
 * pools are announced (see hold.c), so that killing the engine moves them as
 * usual; the instance stays in the kernel until it is configured anew, or the
 * node ends. It sees packets before they are routed, so that neither routes
 * nor addresses of its own are needed; a ping of the node itself it does not
 * see, so that readiness is what it says of itself, and then what the homes
 * find.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../xlat/base/file.h"
#include "jool_node.h"

#define MAX_WORDS 24

/* Words of @line, which is written to, after the first. */
static void split(char *line, const char *argv[MAX_WORDS])
{
	char *save = NULL, *word = strtok_r(line, " ", &save);
	size_t n = 0;

	while (word && n < MAX_WORDS - 1 && (word = strtok_r(NULL, " ", &save)))
		argv[n++] = word;
	argv[n] = NULL;
}

/* One "run PROGRAM ARGUMENT..." of the script, here instead of in a guest. */
static int run_line(struct jool *j, const char *line, const char *out,
		    struct err *e)
{
	const char *argv[MAX_WORDS];
	char *copy = strdup(line);
	int ret = -ENOMEM;

	if (copy) {
		split(copy, argv);
		ret = engine_run(j->en->world, j->en->daemon->node, argv, out,
				 e);
	}
	free(copy);
	return ret;
}

int jool_module_configure(struct jool *j, struct err *e)
{
	j->routes = nlroute_open(j->en->world, j->en->daemon->node, e);
	if (!j->routes)
		return -EIO;
	if (j->lossy)
		return err_set(e, ENOTSUP,
			       "attach lossy-merge needs a machine of its own: "
			       "unload the host's module jool, and run "
			       "xlatsim prepare jool");
	if (j->peer)
		return err_set(e, ENOTSUP,
			       "standby needs a machine of its own for Jool "
			       "and joold: unload the host's module jool, and "
			       "run xlatsim prepare jool");
	j->role->script(j);
	return 0;
}

static bool module_step(struct engine *en)
{
	struct jool *j = en->state;

	if (!jool_net_has(en->world, en->daemon->node, j->dev))
		return false;
	en->serving = true;
	if (j->announce)
		announce_update(j->announce);
	return true;
}

int jool_module_start(struct jool *j, struct err *e)
{
	const char *argv[] = {j->host.self, "hold", "--tun", j->dev, NULL};
	char line[256], log[32];
	struct err ignored;
	int ret = 0;

	/* what a killed one left; mostly there is none */
	snprintf(line, sizeof(line), "run %s instance remove %s", j->tool_path,
		 j->name);
	run_line(j, line, NULL, &ignored);
	for (size_t i = 0; i < j->n_script && !ret; i++)
		if (!strncmp(j->script[i], "run ", 4))
			ret = run_line(j, j->script[i], NULL, e);
	snprintf(log, sizeof(log), "jool-%s.log", j->name);
	if (!ret)
		ret = engine_spawn(j->en, argv, log, e);
	return ret ? ret : engine_poll(j->en, module_step, e);
}

char *jool_module_ask(struct jool *j, const char *line, struct err *e)
{
	char path[4096];

	if (run_line(j, line, "jool.out", e))
		return NULL;
	snprintf(path, sizeof(path), "%s/jool.out", engine_dir(j->en));
	return file_read(path, NULL, e);
}

/* SPDX-License-Identifier: MIT */
/*
 * The life of a Jool node's process; see jool.c for the whole picture.
 */
#include "jool_node.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../xlat/base/file.h"
#include "pair.h"

struct jool *jool_node_new(struct engine *en, struct err *e)
{
	struct jool *j = calloc(1, sizeof(*j));

	if (j)
		j->guest = guest_new();
	if (!j || !j->guest) {
		free(j);
		err_set(e, ENOMEM, "out of memory");
		return NULL;
	}
	j->en = en;
	j->arena = arena_new();
	j->ping_fd = -1;
	j->guest_ll.family = AF_INET6;
	inet_pton(AF_INET6, JOOL_GUEST_LL, &j->guest_ll.v6);
	en->state = j;
	return j;
}

static void close_ping(struct jool *j)
{
	if (j->ping_fd >= 0)
		close(j->ping_fd);
	j->ping_fd = -1;
}

void jool_node_free(struct jool *j)
{
	if (!j)
		return;
	close_ping(j);
	announce_close(j->announce);
	nlroute_close(j->routes);
	guest_free(j->guest);
	arena_free(j->arena);
	free(j);
}

/* ---- the script ------------------------------------------------------------
 */

void jool_say(struct jool *j, const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	*ARENA_APPEND(j->arena, j->script, j->n_script) =
		arena_strdup(j->arena, line);
}

static int say_modules(struct jool *j, struct err *e)
{
	char path[PATH_MAX + 64];
	char *text, *name, *save = NULL;
	size_t len;

	snprintf(path, sizeof(path), "%s/%s.list", j->host.cache,
		 strrchr(j->tool_path, '/') + 1);
	text = file_read(path, &len, e);
	if (!text)
		return -EIO;
	for (name = strtok_r(text, "\n", &save); name;
	     name = strtok_r(NULL, "\n", &save))
		jool_say(j, "module %s/%s", j->host.cache, name);
	free(text);
	return 0;
}

static int write_script(const struct jool *j, struct err *e)
{
	char name[32], *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	for (size_t i = 0; f && i < j->n_script; i++)
		fprintf(f, "%s\n", j->script[i]);
	snprintf(name, sizeof(name), "jool-%s.script", j->name);
	return engine_put(j->en, name, f, &text, &len, e);
}

int jool_node_configure(struct jool *j, struct err *e)
{
	const struct plat_spec *plat = engine_node(j->en)->plat;
	int ret;

	j->routes = nlroute_open(j->en->world, j->en->daemon->node, e);
	if (!j->routes)
		return -EIO;
	ret = say_modules(j, e);
	if (ret)
		return ret;
	jool_say(j, "sysctl net/ipv4/ip_forward 1");
	jool_say(j, "sysctl net/ipv6/conf/all/forwarding 1");
	jool_say(j, "sysctl net/ipv4/conf/all/rp_filter 0");
	jool_say(j, "sysctl net/ipv4/conf/default/rp_filter 0");
	jool_say(j, "up lo");
	jool_say(j, JOOL_GUEST_WHOLE);
	if (plat && !plat->guest_gro)
		jool_say(j, JOOL_GUEST_NO_GRO);
	/*
	 * The node's end comes with this one, and is down at first. What is
	 * sent before it is up fails, and the guest's driver sends nothing
	 * ever after: so it has nothing to say till then.
	 */
	jool_say(j, "sysctl net/ipv6/conf/vec0/disable_ipv6 1");
	jool_say(j, "up vec0");
	j->wired = j->n_script;
	jool_say(j, "sysctl net/ipv6/conf/vec0/disable_ipv6 0");
	jool_say(j, "addr vec0 " JOOL_GUEST_LL " 64");
	jool_say(j, "route :: 0 vec0 " JOOL_NODE_LL);
	jool_say(j, "route 0.0.0.0 0 vec0 " JOOL_NODE_LL);
	j->role->script(j);
	if (j->peer)
		ret = jool_sync_say(j, e);
	return ret ? ret : write_script(j, e);
}

/* ---- from the first word to the first ping ---------------------------------
 */

/* Noted as a fault: the step is over, and whoever waits is told. */
static bool give_up(struct jool *j, const char *text)
{
	engine_fault(j->en, "%.150s", text);
	return true;
}

static bool say_next(struct jool *j)
{
	struct err e;
	int ret;

	if (j->at == j->wired &&
	    jool_net_up(j->en->world, j->en->daemon->node, j->dev, &e))
		return give_up(j, e.text);
	if (j->at == j->n_script) {
		j->stage = JOOL_PING;
		j->ping_next = clock_now();
		j->ping_fd = j->role->attempt(j, &e);
		return j->ping_fd < 0 ? give_up(j, e.text) : false;
	}
	j->stage = JOOL_SCRIPT;
	ret = guest_send(j->guest, j->script[j->at]);
	return ret ? give_up(j, strerror(-ret)) : false;
}

static bool hear(struct jool *j)
{
	const char *text;
	struct err e;
	int status, ret = guest_poll(j->guest, &status, &text);

	if (!ret)
		return false;
	if (ret < 0) {
		err_set(&e, EPROTO, "the guest's channel: %s", strerror(-ret));
		return give_up(j, e.text);
	}
	if (status) {
		err_set(&e, EIO, "guest: '%s': %s",
			j->stage == JOOL_BOOT ? "boot" : j->script[j->at],
			text);
		return give_up(j, e.text);
	}
	if (j->stage == JOOL_SCRIPT)
		j->at++;
	return say_next(j);
}

static bool node_step(struct engine *en)
{
	struct jool *j = en->state;
	struct err e;
	int family = en->daemon->role == DAEMON_PLAT ? AF_INET6 : AF_INET;
	int ret;

	if (j->stage == JOOL_PING) {
		if (!jool_net_pong(j->ping_fd, family, &j->ping_next))
			return false;
		close_ping(j);
		if (j->role->attempted(j, &e))
			give_up(j, e.text);
		return true;
	}
	if (j->stage == JOOL_BOOT) {
		ret = guest_open(j->guest, en->procs[0], j->channel);
		if (ret == -EAGAIN)
			return false;
		if (ret && ret != -EALREADY)
			return give_up(j, strerror(-ret));
	}
	return hear(j);
}

/* ---- life ------------------------------------------------------------------
 */

int jool_node_start(struct jool *j, struct err *e)
{
	const struct jool_host *h = &j->host;
	const char *argv[] = {h->self,
			      "jool-vm",
			      "--kernel",
			      h->kernel,
			      "--guest",
			      h->guest,
			      "--shim",
			      h->shim,
			      "--name",
			      j->channel,
			      j->lossy ? "--packet" : "--tap",
			      j->lossy ? PAIR_FAR : j->dev,
			      j->peer ? "--peer" : NULL,
			      j->peer,
			      NULL};
	char log[32];
	int ret = 0;

	guest_close(j->guest);
	close_ping(j);
	j->stage = JOOL_BOOT;
	j->at = 0;
	/* that of one before may still be there */
	snprintf(j->channel, sizeof(j->channel), "%s%u", j->name, ++j->starts);
	if (j->lossy)
		ret = pair_add(j->en->world, j->en->daemon->node, j->dev,
			       PAIR_LOSSY, e);
	snprintf(log, sizeof(log), "jool-%s.log", j->name);
	if (!ret)
		ret = engine_spawn(j->en, argv, log, e);
	return ret ? ret : engine_poll(j->en, node_step, e);
}

/* How it looks from both ends of the wire that nothing comes through. */
static void keep_state(struct jool *j)
{
	static const char *const questions[] = {
		"run /sbin/ip -s link", "run /sbin/ip -6 neigh",
		"run /sbin/ip -6 route", "run /sbin/ip address"};
	const char *links[] = {"ip", "-s", "link", NULL};
	const char *neighbours[] = {"ip", "-6", "neigh", NULL};
	char name[48], *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	struct err e;

	for (size_t i = 0; f && i < sizeof(questions) / sizeof(*questions);
	     i++) {
		const char *said = guest_ask(j->guest, questions[i], &e);

		fprintf(f, "guest: %s\n%s\n", questions[i],
			said ? said : e.text);
	}
	snprintf(name, sizeof(name), "jool-%s.guest", j->name);
	engine_put(j->en, name, f, &text, &len, &e);
	snprintf(name, sizeof(name), "jool-%s.links", j->name);
	engine_run(j->en->world, j->en->daemon->node, links, name, &e);
	snprintf(name, sizeof(name), "jool-%s.neighbours", j->name);
	engine_run(j->en->world, j->en->daemon->node, neighbours, name, &e);
}

int jool_node_ready(struct jool *j, struct mono deadline, struct err *e)
{
	int ret = engine_await_serving(j->en, deadline, e);

	if (ret != -ETIMEDOUT)
		return ret;
	switch (j->stage) {
	case JOOL_BOOT:
		return err_set(e, ETIMEDOUT,
			       "the guest does not boot; see jool-%s.log in %s",
			       j->name, engine_dir(j->en));
	case JOOL_SCRIPT:
		return err_set(e, ETIMEDOUT,
			       "the guest does not answer to '%s': it hangs",
			       j->script[j->at]);
	case JOOL_PING:
		keep_state(j);
		break;
	}
	return err_set(e, ETIMEDOUT,
		       "no ping comes through the translator; see %s",
		       engine_dir(j->en));
}

void jool_node_stop(struct jool *j)
{
	if (j)
		guest_send(j->guest, "halt");
}

void jool_node_ended(struct jool *j)
{
	guest_close(j->guest);
	close_ping(j);
	if (j->lossy)
		pair_del(j->en->world, j->en->daemon->node, j->dev);
	if (j->announce)
		announce_update(j->announce);
}

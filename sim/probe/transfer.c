/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Server first. It has no way to say that it listens, so the kernel is asked:
 * its namespace's socket tables are read every few milliseconds until its port
 * is in state LISTEN; then the client starts, and the same tables tell when
 * its connections stand. The server is told to serve once and ends by itself.
 *
 * A path that breaks for good leaves both hanging, each in the belief that the
 * other will speak again. So some time after the traffic should have ended
 * each of them gets a SIGTERM, upon which iperf3 writes down what it has got.
 *
 * Every transfer takes a port of its own, for several may use one server node
 * at a time, and one that has just ended leaves connections behind.
 */
#include "transfer.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "../../xlat/base/file.h"

#define FIRST_PORT	  5201
#define N_PORTS		  4000
#define LOOK_EVERY_NS	  (5 * NS_PER_MS)
#define START_PATIENCE_NS (5 * NS_PER_S)
/* for the client: names to resolve, connections to make, results to swap */
#define TALK_PATIENCE_NS (4 * NS_PER_S)
#define SERVER_GRACE_NS	 (1 * NS_PER_S)

struct transfer {
	struct probe *probe;
	struct transfer_opts o;
	unsigned int port;
	int seconds;
	struct probe_child *server, *client;
	/* of the children, which are reused once they have been released */
	const char *server_file, *client_file;
	bool server_ended, client_ended, told, flowing;
	const char *why;
	int why_node;		     /* where that was */
	struct mono patience;	     /* for the server to listen */
	struct loop_source *looking; /* the next look at the tables */
	struct loop_source *limit;   /* when an end is brought about */
};

static struct loop *loop_of(const struct transfer *t)
{
	return world_loop(t->probe->world);
}

static void tell(struct transfer *t)
{
	if (t->told || !t->server_ended || (t->client && !t->client_ended))
		return;
	t->told = true;
	transfer_stop(t);
	probe_release(t->server);
	if (t->client)
		probe_release(t->client);
	t->o.ended(t->probe, t);
}

__attribute__((format(printf, 3, 4))) static void
give_up(struct transfer *t, int node, const char *fmt, ...)
{
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!t->why) {
		t->why = arena_strdup(t->probe->arena, text);
		t->why_node = node;
	}
	if (!t->server_ended)
		proc_signal(t->server->proc, SIGKILL);
}

/* ---- ends
 * -----------------------------------------------------------------------
 */

static void limit_reached(void *arg, struct mono due)
{
	struct transfer *t = arg;

	(void)due;
	t->limit = NULL;
	if (t->client && !t->client_ended)
		proc_signal(t->client->proc, SIGTERM);
	if (!t->server_ended)
		proc_signal(t->server->proc, SIGTERM);
}

static void set_limit(struct transfer *t, int64_t after_ns)
{
	loop_del(loop_of(t), t->limit);
	t->limit = loop_add_timer(loop_of(t), mono_add(clock_now(), after_ns),
				  limit_reached, t);
}

/* iperf3 itself ends with 1 and words; SIGTERM is ours. A node that an event
 * took down is a result, not a failure of the testbed. */
static void look_for_crash(struct transfer *t, const struct probe_child *c,
			   int wstatus)
{
	char how[64];

	if (!probe_crashed(wstatus) ||
	    (WIFSIGNALED(wstatus) && WTERMSIG(wstatus) == SIGTERM) ||
	    !world_node_alive(t->probe->world, c->node))
		return;
	give_up(t, c->node, "iperf3 %s; see %s",
		proc_describe_end(c->proc, how, sizeof(how)),
		probe_raw_file(t->probe, c->log));
}

static void server_ended(struct probe *p, struct probe_child *c, int wstatus)
{
	struct transfer *t = c->arg;
	char how[64];

	t->server_ended = true;
	if (!t->client)
		give_up(t, c->node, "the iperf3 server %s; see %s",
			proc_describe_end(c->proc, how, sizeof(how)),
			probe_raw_file(p, c->log));
	look_for_crash(t, c, wstatus);
	tell(t);
}

static void client_ended(struct probe *p, struct probe_child *c, int wstatus)
{
	struct transfer *t = c->arg;

	(void)p;
	t->client_ended = true;
	look_for_crash(t, c, wstatus);
	if (!t->server_ended)
		set_limit(t, SERVER_GRACE_NS);
	tell(t);
}

/* ---- beginnings
 * -----------------------------------------------------------------
 */

static void start_client(struct transfer *t)
{
	struct probe *p = t->probe;
	const struct measure_spec *m = p->m;
	const char *argv[24];
	size_t n = 0;
	struct err e;

	argv[n++] = "iperf3";
	argv[n++] = "-c";
	argv[n++] = t->o.target.text;
	argv[n++] = "-p";
	argv[n++] = arena_printf(p->arena, "%u", t->port);
	argv[n++] = "-t";
	argv[n++] = arena_printf(p->arena, "%d", t->seconds);
	argv[n++] = "-P";
	argv[n++] = arena_printf(p->arena, "%d",
				 m->streams > 0 ? (int)m->streams : 1);
	argv[n++] = "-i";
	argv[n++] = "0.1";
	argv[n++] = "-C";
	argv[n++] = "cubic";
	argv[n++] = "-J";
	argv[n++] = "--connect-timeout";
	argv[n++] = "3000";
	if (m->direction == DIR_DOWN)
		argv[n++] = "-R";
	if (t->o.target.family)
		argv[n++] = t->o.target.family == 4 ? "-4" : "-6";
	argv[n] = NULL;
	t->client = probe_spawn(p, p->from, argv, t->o.tag, client_ended, &e);
	if (!t->client) {
		give_up(t, p->from, "%s", e.text);
		return;
	}
	t->client->arg = t;
	t->client_file = t->client->out;
	set_limit(t, t->seconds * NS_PER_S + TALK_PATIENCE_NS);
}

/* What the server's namespace says about its port. */
static bool look(const struct transfer *t, unsigned int *established)
{
	static const char *const tables[] = {"tcp", "tcp6"};
	bool listens = false;

	*established = 0;
	for (size_t i = 0; i < 2; i++) {
		char path[64];
		struct err e;
		char *text;

		snprintf(path, sizeof(path), "/proc/%d/net/%s",
			 (int)proc_pid(t->server->proc), tables[i]);
		text = file_read(path, NULL, &e);
		if (text && transfer_listens(text, t->port, established))
			listens = true;
		free(text);
	}
	return listens;
}

static void look_again(void *arg, struct mono due)
{
	struct transfer *t = arg;
	unsigned int established, wanted;
	bool listens;

	t->looking = NULL;
	if (t->server_ended || t->client_ended)
		return;
	listens = look(t, &established);
	if (!t->client && listens) {
		start_client(t);
	} else if (!t->client && !mono_before(due, t->patience)) {
		give_up(t, t->server->node,
			"the iperf3 server did not listen in time");
		return;
	}
	/* control and data connections */
	wanted = 1 + (unsigned int)(t->probe->m->streams > 0
					    ? t->probe->m->streams
					    : 1);
	if (t->client && established >= wanted) {
		t->flowing = true;
		if (!*t->o.tag)
			t->probe->started = clock_now();
		return;
	}
	if (!t->why)
		t->looking = loop_add_timer(
			loop_of(t), mono_add(clock_now(), LOOK_EVERY_NS),
			look_again, t);
}

static unsigned int next_port(void)
{
	static unsigned int used;

	return FIRST_PORT + used++ % N_PORTS;
}

struct transfer *transfer_start(struct probe *p, const struct transfer_opts *o,
				struct err *e)
{
	struct transfer *t = ARENA_NEW(p->arena, struct transfer);
	const char *argv[] = {"iperf3", "-s", "-1", "-J", "-i",
			      "0.1",	"-p", NULL, NULL};
	int64_t whole = (o->length_ns + NS_PER_S / 2) / NS_PER_S;

	*t = (struct transfer){.probe = p, .o = *o, .port = next_port()};
	/* iperf3 counts in whole seconds */
	t->seconds = whole > 1 ? (int)whole : 1;
	if (o->target.node < 0) {
		err_set(e, EINVAL, "no node has the address %s",
			o->target.text);
		return NULL;
	}
	argv[7] = arena_printf(p->arena, "%u", t->port);
	t->server = probe_spawn(p, o->target.node, argv,
				arena_printf(p->arena, "%s%sserver", o->tag,
					     *o->tag ? "-" : ""),
				server_ended, e);
	if (!t->server)
		return NULL;
	t->server->arg = t;
	t->server_file = t->server->out;
	t->patience = mono_add(clock_now(), START_PATIENCE_NS);
	t->looking = loop_add_timer(loop_of(t), clock_now(), look_again, t);
	return t;
}

/* ---- the rest
 * -------------------------------------------------------------------
 */

bool transfer_flowing(const struct transfer *t)
{
	return t->flowing;
}

void transfer_stop(struct transfer *t)
{
	loop_del(loop_of(t), t->looking);
	loop_del(loop_of(t), t->limit);
	t->looking = t->limit = NULL;
}

const char *transfer_client_file(const struct transfer *t)
{
	return t->client_file ? t->client_file : t->server_file;
}

const char *transfer_why(const struct transfer *t)
{
	return t->why;
}

void transfer_blame(struct probe *p, const struct transfer *t,
		    const char *prefix)
{
	probe_spoil(p, t->why_node, "%s%s", prefix, t->why);
}

int64_t transfer_max_ns(int64_t length_ns)
{
	return length_ns + NS_PER_S + START_PATIENCE_NS + TALK_PATIENCE_NS +
	       2 * SERVER_GRACE_NS;
}

static json_t *read_side(const char *path)
{
	return path ? json_load_file(path, 0, NULL) : NULL;
}

void transfer_read(struct probe *p, struct transfer *t, json_t **client,
		   json_t **server)
{
	(void)p;
	*client = read_side(t->client_file);
	*server = read_side(t->server_file);
}

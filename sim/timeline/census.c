/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * How many sessions each PLAT holds, over time. A question goes to every
 * engine that can be asked without waiting, each time census_ask() is called
 * and no older question is open; the loop reads the answers as they come. An
 * engine that hangs holds up nobody: its question stays open until it goes on,
 * and its line in the picture has a hole. One that is dead has no sessions to
 * tell of.
 */
#include "timeline_internal.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_LEN 16384

struct count {
	struct mono when;
	double sessions;
};

struct resident {
	struct census *census;
	struct engine *engine;
	struct loop_source *source;
	int fd; /* -1: nothing is asked */
	char text[ANSWER_LEN];
	size_t len;
	struct count *v;
	size_t n;
};

struct census {
	struct timeline *t;
	struct resident *v;
	size_t n;
};

struct census *census_new(struct timeline *t)
{
	const struct plan *p = world_plan(t->world);
	struct census *c = ARENA_NEW(t->arena, struct census);

	*c = (struct census){.t = t};
	for (int i = 0; i < (int)p->n_nodes; i++) {
		struct engine *en;

		if (p->nodes[i].role != NODE_PLAT)
			continue;
		en = engines_get(t->engines, i, DAEMON_PLAT);
		if (!en || !en->ops->inquire)
			continue;
		*ARENA_APPEND(t->arena, c->v, c->n) =
			(struct resident){.census = c, .engine = en, .fd = -1};
	}
	return c;
}

/* Sessions of all protocols. Engines without NAT64 tables tell of none. */
static bool read_sessions(const char *text, double *out)
{
	static const char *const protos[] = {"tcp", "udp", "icmp"};
	json_t *o = json_loads(text, 0, NULL);
	json_t *nat64 = json_object_get(o, "nat64");
	bool known = json_is_object(nat64);

	*out = 0;
	for (size_t i = 0; i < sizeof(protos) / sizeof(*protos); i++) {
		json_t *one = json_object_get(nat64, protos[i]);

		*out += json_number_value(json_object_get(one, "sessions"));
	}
	json_decref(o);
	return known;
}

static void end_question(struct resident *r)
{
	if (r->fd < 0)
		return;
	loop_del(world_loop(r->census->t->world), r->source);
	close(r->fd);
	r->fd = -1;
	r->len = 0;
}

static void answered(void *arg, uint32_t events)
{
	struct resident *r = arg;
	ssize_t n = recv(r->fd, r->text + r->len, ANSWER_LEN - 1 - r->len,
			 MSG_DONTWAIT);
	double sessions;

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		r->len += (size_t)n;
		r->text[r->len] = '\0';
		if (!strchr(r->text, '\n') && r->len < ANSWER_LEN - 1)
			return;
		/* true of when it was said, which a hang may delay */
		if (read_sessions(r->text, &sessions))
			*ARENA_APPEND(r->census->t->arena, r->v, r->n) =
				(struct count){clock_now(), sessions};
	}
	end_question(r);
}

void census_ask(struct census *c)
{
	for (size_t i = 0; i < c->n; i++) {
		struct resident *r = &c->v[i];

		if (r->fd >= 0)
			continue;
		r->fd = r->engine->ops->inquire(r->engine, "stats");
		if (r->fd < 0)
			continue;
		r->source = loop_add_fd(world_loop(c->t->world), r->fd, EPOLLIN,
					answered, r);
		if (!r->source)
			end_question(r);
	}
}

void census_end(struct census *c)
{
	for (size_t i = 0; i < c->n; i++)
		end_question(&c->v[i]);
}

static const struct resident *find_resident(const struct census *c, int node)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].engine->daemon->node == node)
			return &c->v[i];
	return NULL;
}

bool census_at(const struct census *c, int node, struct mono when, double *out)
{
	const struct resident *r = find_resident(c, node);
	bool known = false;

	for (size_t i = 0; r && i < r->n; i++) {
		if (mono_before(when, r->v[i].when))
			break;
		*out = r->v[i].sessions;
		known = true;
	}
	return known;
}

bool census_picture(const struct census *c, int node, struct series *out)
{
	const struct resident *r = find_resident(c, node);
	struct arena *a = c->t->arena;

	if (!r || !r->n)
		return false;
	*out = (struct series){
		.name = arena_printf(a, "at %s",
				     world_plan(c->t->world)->nodes[node].name),
		.x_label = "s",
		.y_label = "sessions",
		.x = arena_alloc(a, r->n * sizeof(double)),
		.y = arena_alloc(a, r->n * sizeof(double)),
		.n = r->n};
	for (size_t i = 0; i < r->n; i++) {
		out->x[i] = (double)mono_sub(r->v[i].when, c->t->zero) / 1e9;
		out->y[i] = r->v[i].sessions;
	}
	return true;
}

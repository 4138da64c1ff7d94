/* SPDX-License-Identifier: MIT */
/* The link relay as an engine: `xlatsim relay`, this very program. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine_internal.h"

#define SOCKET_PATH "/run/relay.sock"

static int relay_available(char *version, size_t len, struct err *why)
{
	(void)why;
	snprintf(version, len, "xlatsim " XLATSIM_VERSION);
	return 0;
}

/* Keys are left out where the value is 0, which means the same. */
static json_t *impairment_json(const struct impairment *im)
{
	const struct {
		const char *key;
		double value;
	} keys[] = {
		{"rate_bps", im->rate_bps},   {"burst_bytes", im->burst_bytes},
		{"queue_ns", im->queue_ns},   {"delay_ns", im->delay_ns},
		{"jitter_ns", im->jitter_ns}, {"loss", im->loss},
		{"reorder", im->reorder},     {"duplicate", im->duplicate},
	};
	json_t *o = json_object();

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (keys[i].value > 0)
			json_object_set_new(o, keys[i].key,
					    json_real(keys[i].value));
	return o;
}

static json_t *config_json(const struct plan *p, uint64_t seed)
{
	json_t *links = json_array();

	for (size_t i = 0; i < p->n_links; i++) {
		const struct plan_link *l = &p->links[i];

		if (!l->relayed)
			continue;
		json_array_append_new(
			links,
			json_pack("{s:s, s:s, s:s, s:o, s:o}", "name", l->name,
				  "a", l->relay_a, "b", l->relay_b, "down",
				  impairment_json(&l->profile.down), "up",
				  impairment_json(&l->profile.up)));
	}
	/* a JSON integer has 63 bits */
	return json_pack("{s:I, s:o}", "seed", (json_int_t)(seed & INT64_MAX),
			 "links", links);
}

static int relay_configure(struct engine *en, struct err *e)
{
	json_t *o = config_json(world_plan(en->world), world_seed(en->world));
	char path[4096];
	int ret;

	snprintf(path, sizeof(path), "%s/relay.json", engine_dir(en));
	ret = json_dump_file(o, path, JSON_INDENT(2));
	json_decref(o);
	return ret ? err_set(e, EIO, "%s: cannot be written", path) : 0;
}

static bool relay_step(struct engine *en)
{
	int fd = engine_connect(en->procs[0], SOCKET_PATH);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static int relay_start(struct engine *en, struct err *e)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *argv[] = {self,	    "relay",	 "--config",
			      "relay.json", "--control", SOCKET_PATH,
			      NULL};
	int ret;

	if (n < 0)
		return err_set(e, errno, "/proc/self/exe: %s", strerror(errno));
	self[n] = '\0';
	ret = engine_spawn(en, argv, "relay.log", e);
	return ret ? ret : engine_poll(en, relay_step, e);
}

/* Ask, and turn "ok": false into an error. */
static json_t *relay_ask(struct engine *en, const char *line, struct err *e)
{
	json_t *o = engine_ask(en, SOCKET_PATH, line, e);

	if (o && !json_is_true(json_object_get(o, "ok"))) {
		const char *why =
			json_string_value(json_object_get(o, "error"));

		err_set(e, EPROTO, "relay: %s", why ? why : "refused");
		json_decref(o);
		o = NULL;
	}
	return o;
}

static json_t *relay_counters(struct engine *en)
{
	return relay_ask(en, "{\"do\": \"stats\"}", NULL);
}

static int relay_ready(struct engine *en, struct mono deadline, struct err *e)
{
	int ret = engine_await_serving(en, deadline, e);
	json_t *o = ret ? NULL : relay_ask(en, "{\"do\": \"stats\"}", e);

	json_decref(o);
	return ret || o ? ret : -EPROTO;
}

int engine_shape(struct engines *es, int link, const struct link_profile *p,
		 struct err *e)
{
	const struct plan_link *l = &world_plan(es->world)->links[link];
	struct engine *en = NULL;
	json_t *request, *answer;
	char *line;

	for (size_t i = 0; i < es->n; i++)
		if (es->v[i].daemon->role == DAEMON_RELAY)
			en = &es->v[i];
	if (!en || !l->relayed)
		return err_set(e, EINVAL,
			       "link %s does not go through the relay",
			       l->name);
	request = json_pack("{s:s, s:s, s:o, s:o}", "do", "shape", "link",
			    l->name, "down", impairment_json(&p->down), "up",
			    impairment_json(&p->up));
	line = json_dumps(request, JSON_COMPACT);
	answer = line ? relay_ask(en, line, e) : NULL;
	json_decref(request);
	free(line);
	if (!answer)
		return -EIO;
	json_decref(answer);
	return 0;
}

const struct engine_ops relay_ops = {
	.name = "relay",
	.roles = 1u << DAEMON_RELAY,
	.available = relay_available,
	.configure = relay_configure,
	.start = relay_start,
	.ready = relay_ready,
	.counters = relay_counters,
};

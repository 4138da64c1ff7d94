/* SPDX-License-Identifier: MIT */
/* What the control socket understands; the words are in relay.h. */
#include "relay_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const dir_words[RELAY_N_DIRS] = {
	[RELAY_DOWN] = "down", [RELAY_UP] = "up"};

static json_t *number(uint64_t v)
{
	return json_integer((json_int_t)v);
}

static void put_late(json_t *obj, const struct hist *h)
{
	json_object_set_new(obj, "late_p50_ns", number(hist_quantile(h, 0.5)));
	json_object_set_new(obj, "late_p99_ns", number(hist_quantile(h, 0.99)));
	json_object_set_new(obj, "late_max_ns", number(h->max));
}

static json_t *path_to_json(struct path *p)
{
	const struct path_stats *st = &p->stats;
	const struct {
		const char *key;
		uint64_t value;
	} fields[] = {
		{"packets", st->packets},
		{"bytes", st->bytes},
		{"superpackets", st->superpackets},
		{"max_frame", st->max_frame},
		{"segmented", st->segmented},
		{"lost", st->lost},
		{"dropped_queue", st->dropped_queue},
		{"dropped_toolong", st->dropped_toolong},
		{"dropped_down", st->dropped_down},
		{"dropped_overrun", path_overruns(p)},
		{"duplicated", st->duplicated},
		{"reordered", st->reordered},
		{"queued", p->waiting.n + p->express.n},
	};
	json_t *obj = json_object();

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		json_object_set_new(obj, fields[i].key,
				    number(fields[i].value));
	put_late(obj, &st->late);
	return obj;
}

static json_t *answer_stats(struct relay *r)
{
	json_t *links = json_array(), *answer = json_object();
	uint64_t overruns = 0;

	for (size_t i = 0; i < r->n_links; i++) {
		struct link *l = &r->links[i];
		json_t *obj = json_pack("{s:s}", "name", l->name);

		port_read_overruns(&l->port_a);
		port_read_overruns(&l->port_b);
		for (int d = 0; d < RELAY_N_DIRS; d++) {
			overruns += path_overruns(&l->path[d]);
			json_object_set_new(obj, dir_words[d],
					    path_to_json(&l->path[d]));
		}
		json_array_append_new(links, obj);
	}
	json_object_set_new(answer, "ok", json_true());
	json_object_set_new(answer, "wall_ns",
			    json_integer(clock_now().ns - r->since_ns));
	json_object_set_new(answer, "cpu_ns",
			    json_integer(relay_cpu_ns() - r->cpu_base_ns));
	json_object_set_new(answer, "overruns", number(overruns));
	json_object_set_new(answer, "scheduler", json_string(r->scheduler));
	put_late(answer, &r->shared.late);
	json_object_set_new(answer, "late_slot_p99_ns",
			    number(slots_quantile(&r->shared.slots, 0.99)));
	json_object_set_new(answer, "links", links);
	return answer;
}

static struct link *find_link(struct relay *r, const char *name)
{
	for (size_t i = 0; i < r->n_links; i++)
		if (!strcmp(r->links[i].name, name))
			return &r->links[i];
	return NULL;
}

/* Both directions are read before either is changed. */
static int run_shape(struct relay *r, json_t *req, struct err *e)
{
	const char *name = json_string_value(json_object_get(req, "link"));
	struct link *l = name ? find_link(r, name) : NULL;
	struct relay_impair cfg[RELAY_N_DIRS];
	bool given[RELAY_N_DIRS];

	if (!l)
		return err_set(e, ENOENT, "there is no link '%s'",
			       name ? name : "");
	for (int d = 0; d < RELAY_N_DIRS; d++) {
		json_t *obj = json_object_get(req, dir_words[d]);
		int ret = impair_from_json(obj, dir_words[d], &cfg[d], e);

		given[d] = obj != NULL;
		if (ret)
			return ret;
	}
	for (int d = 0; d < RELAY_N_DIRS; d++)
		if (given[d])
			impair_set(&l->path[d].impair, &cfg[d], clock_now().ns);
	return 0;
}

static json_t *answer_request(struct relay *r, json_t *req, struct err *e)
{
	const char *word = json_string_value(json_object_get(req, "do"));

	if (!word) {
		err_set(e, EINVAL, "the request has no \"do\"");
		return NULL;
	}
	if (!strcmp(word, "stats"))
		return answer_stats(r);
	if (!strcmp(word, "reset-stats")) {
		relay_reset_stats(r);
		return json_pack("{s:b}", "ok", 1);
	}
	if (strcmp(word, "shape") != 0) {
		err_set(e, EINVAL,
			"there is no request '%s': stats, reset-stats, shape",
			word);
		return NULL;
	}
	return run_shape(r, req, e) ? NULL : json_pack("{s:b}", "ok", 1);
}

char *control_answer(struct relay *r, const char *line)
{
	json_error_t je;
	json_t *req = json_loads(line, JSON_REJECT_DUPLICATES, &je), *answer;
	struct err e = {""};
	char *text;

	if (req)
		answer = answer_request(r, req, &e);
	else
		answer = NULL, err_set(&e, EINVAL, "not JSON: %s", je.text);
	if (!answer)
		answer = json_pack("{s:b, s:s}", "ok", 0, "error", e.text);
	text = json_dumps(answer, JSON_COMPACT);
	json_decref(answer);
	json_decref(req);
	return text;
}

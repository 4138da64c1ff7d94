/* SPDX-License-Identifier: MIT */
#include "relay_internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../xlat/base/diag.h"
#include "../../xlat/base/file.h"

#define MAX_NS 60e9

/* The keys of an impairment; each a number from 0 to max. */
static const struct {
	const char *key;
	size_t offset;
	double max;
} impair_keys[] = {
	{"rate_bps", offsetof(struct relay_impair, rate_bps), 1e12},
	{"burst_bytes", offsetof(struct relay_impair, burst_bytes), 1e9},
	{"queue_ns", offsetof(struct relay_impair, queue_ns), MAX_NS},
	{"delay_ns", offsetof(struct relay_impair, delay_ns), MAX_NS},
	{"jitter_ns", offsetof(struct relay_impair, jitter_ns), MAX_NS},
	{"loss", offsetof(struct relay_impair, loss), 1},
	{"reorder", offsetof(struct relay_impair, reorder), 1},
	{"duplicate", offsetof(struct relay_impair, duplicate), 1},
};

#define N_IMPAIR_KEYS (sizeof(impair_keys) / sizeof(*impair_keys))

static const char *const link_keys[] = {"name", "a", "b", "down", "up", NULL};
static const char *const top_keys[] = {"seed", "links", NULL};

static int unknown_key(const char *where, const char *key,
		       const char *const *known, struct err *e)
{
	const char *near = diag_suggest(key, known);

	return err_set(e, EINVAL, "%s: unknown key '%s'%s%s%s", where, key,
		       near ? ", did you mean '" : "", near ? near : "",
		       near ? "'?" : "");
}

static int check_keys(json_t *obj, const char *where, const char *const *known,
		      struct err *e)
{
	const char *key;
	json_t *value;

	json_object_foreach(obj, key, value)
	{
		size_t i = 0;

		while (known[i] && strcmp(known[i], key) != 0)
			i++;
		if (!known[i])
			return unknown_key(where, key, known, e);
	}
	return 0;
}

static int read_number(json_t *value, const char *where, size_t i,
		       struct relay_impair *out, struct err *e)
{
	double v = json_number_value(value);

	if (!json_is_number(value))
		return err_set(e, EINVAL, "%s: %s must be a number", where,
			       impair_keys[i].key);
	if (!(v >= 0 && v <= impair_keys[i].max))
		return err_set(e, EINVAL, "%s: %s is %g, must be 0 to %g",
			       where, impair_keys[i].key, v,
			       impair_keys[i].max);
	memcpy((char *)out + impair_keys[i].offset, &v, sizeof(v));
	return 0;
}

int impair_from_json(json_t *obj, const char *where, struct relay_impair *out,
		     struct err *e)
{
	const char *known[N_IMPAIR_KEYS + 1] = {NULL};

	*out = (struct relay_impair){.burst_bytes = RELAY_BURST_BYTES,
				     .queue_ns = RELAY_QUEUE_NS};
	if (!obj)
		return 0;
	if (!json_is_object(obj))
		return err_set(e, EINVAL, "%s must be an object", where);
	for (size_t i = 0; i < N_IMPAIR_KEYS; i++) {
		json_t *value = json_object_get(obj, impair_keys[i].key);
		int ret;

		known[i] = impair_keys[i].key;
		ret = value ? read_number(value, where, i, out, e) : 0;
		if (ret)
			return ret;
	}
	if (out->rate_bps > 0 && out->rate_bps < 1000)
		return err_set(e, EINVAL,
			       "%s: rate_bps is %g, must be 0 or at least 1000",
			       where, out->rate_bps);
	return check_keys(obj, where, known, e);
}

/* A non-empty string that fits into @out. */
static int read_text(json_t *obj, const char *where, const char *key, char *out,
		     size_t size, struct err *e)
{
	const char *text = json_string_value(json_object_get(obj, key));

	if (!text || !*text)
		return err_set(e, EINVAL, "%s: %s must be a string", where,
			       key);
	if (strlen(text) >= size)
		return err_set(e, EINVAL, "%s: %s '%s' is longer than %zu",
			       where, key, text, size - 1);
	memcpy(out, text, strlen(text) + 1);
	return 0;
}

static int read_link(json_t *obj, const char *file, size_t i,
		     struct relay_link_config *l, struct err *e)
{
	static const char *const dirs[] = {"down", "up"};
	char where[128];
	int ret;

	snprintf(where, sizeof(where), "%s: link %zu", file, i);
	if (!json_is_object(obj))
		return err_set(e, EINVAL, "%s must be an object", where);
	ret = read_text(obj, where, "name", l->name, sizeof(l->name), e);
	if (!ret)
		ret = read_text(obj, where, "a", l->a, sizeof(l->a), e);
	if (!ret)
		ret = read_text(obj, where, "b", l->b, sizeof(l->b), e);
	if (!ret)
		ret = check_keys(obj, where, link_keys, e);
	for (int d = 0; !ret && d < RELAY_N_DIRS; d++) {
		snprintf(where, sizeof(where), "%s: %s, %s", file, l->name,
			 dirs[d]);
		ret = impair_from_json(json_object_get(obj, dirs[d]), where,
				       &l->impair[d], e);
	}
	return ret;
}

/* Names and interfaces must each be there once. */
static int check_unique(const char *file, const struct relay_config *c,
			struct err *e)
{
	for (size_t i = 0; i < c->n_links; i++) {
		const struct relay_link_config *l = &c->links[i];

		if (!strcmp(l->a, l->b))
			return err_set(e, EINVAL, "%s: %s: both ends are '%s'",
				       file, l->name, l->a);
		for (size_t k = 0; k < i; k++) {
			const struct relay_link_config *m = &c->links[k];

			if (!strcmp(l->name, m->name))
				return err_set(e, EINVAL,
					       "%s: two links are named '%s'",
					       file, l->name);
			if (!strcmp(l->a, m->a) || !strcmp(l->a, m->b) ||
			    !strcmp(l->b, m->a) || !strcmp(l->b, m->b))
				return err_set(e, EINVAL,
					       "%s: %s and %s share an "
					       "interface",
					       file, m->name, l->name);
		}
	}
	return 0;
}

static int read_top(json_t *root, const char *file, struct relay_config *c,
		    struct err *e)
{
	json_t *links = json_object_get(root, "links");
	json_t *seed = json_object_get(root, "seed");
	int ret;

	if (!json_is_object(root))
		return err_set(e, EINVAL, "%s: must hold one object", file);
	ret = check_keys(root, file, top_keys, e);
	if (ret)
		return ret;
	if (!json_is_integer(seed))
		return err_set(e, EINVAL, "%s: seed must be an integer", file);
	c->seed = (uint64_t)json_integer_value(seed);
	if (!json_is_array(links) || json_array_size(links) < 1 ||
	    json_array_size(links) > RELAY_MAX_LINKS)
		return err_set(e, EINVAL,
			       "%s: links must be an array of 1 to %d", file,
			       RELAY_MAX_LINKS);
	c->links = calloc(json_array_size(links), sizeof(*c->links));
	if (!c->links)
		return err_set(e, ENOMEM, "%s: no memory for links", file);
	for (; c->n_links < json_array_size(links); c->n_links++) {
		ret = read_link(json_array_get(links, c->n_links), file,
				c->n_links, &c->links[c->n_links], e);
		if (ret)
			return ret;
	}
	return check_unique(file, c, e);
}

int relay_config_parse(const char *name, const char *text,
		       struct relay_config *c, struct err *e)
{
	json_error_t je;
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &je);
	int ret;

	*c = (struct relay_config){0};
	if (!root)
		return err_set(e, EINVAL, "%s:%d:%d: %s", name, je.line,
			       je.column, je.text);
	ret = read_top(root, name, c, e);
	if (ret)
		relay_config_fini(c);
	json_decref(root);
	return ret;
}

int relay_config_load(const char *path, struct relay_config *c, struct err *e)
{
	char *text = file_read(path, NULL, e);
	int ret;

	*c = (struct relay_config){0};
	if (!text)
		return errno ? -errno : -EIO;
	ret = relay_config_parse(path, text, c, e);
	free(text);
	return ret;
}

void relay_config_fini(struct relay_config *c)
{
	free(c->links);
	*c = (struct relay_config){0};
}

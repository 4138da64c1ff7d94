/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * libyaml's events become a tree in the caller's arena. Two kinds of fault are
 * told apart: after a duplicate key, a tag or an anchor the tree is still what
 * the file says, so it is returned and reading goes on; after a syntax error,
 * an alias or a limit it is not, and there is no tree (or every reader would
 * complain about what is missing). Depth, size and the length of a collection
 * are limited, so that cost and stack are too.
 *
 * yaml_read.c turns maps of the tree into structs.
 */
#include "yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <yaml.h>

#include "err.h"
#include "file.h"

#define FILE_MAX_BYTES (1U << 20)
#define DEPTH_MAX      32
#define ENTRIES_MAX    4096

struct reader {
	yaml_parser_t parser;
	struct arena *a;
	struct diags *d;
	const char *name;
	const char *text;
	size_t len;
	bool aliased; /* the tree lacks something */
};

static struct pos place(const struct reader *r, const yaml_mark_t *m)
{
	return (struct pos){.file = r->name,
			    .line = (unsigned int)m->line + 1,
			    .column = (unsigned int)m->column + 1};
}

/* For errors below the scanner, which know only the offset of a byte. */
static struct pos place_of_offset(const struct reader *r, size_t offset)
{
	struct pos at = {.file = r->name, .line = 1, .column = 1};

	for (size_t i = 0; i < offset && i < r->len; i++) {
		if (r->text[i] == '\n') {
			at.line++;
			at.column = 1;
		} else if ((r->text[i] & 0xc0) != 0x80) {
			at.column++;
		}
	}
	return at;
}

static void report_syntax(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	const char *problem = p->problem ? p->problem : "cannot be read";

	if (!strcmp(problem, "found unexpected ':'"))
		problem = "found unexpected ':' (an IPv6 address may need "
			  "quotes)";

	switch (p->error) {
	case YAML_READER_ERROR:
		diags_add(r->d, place_of_offset(r, p->problem_offset),
			  "not a text file: %s", problem);
		break;
	case YAML_SCANNER_ERROR:
	case YAML_PARSER_ERROR:
		if (p->context)
			diags_add(r->d, place(r, &p->problem_mark),
				  "%s, %s that starts at line %zu", problem,
				  p->context, p->context_mark.line + 1);
		else
			diags_add(r->d, place(r, &p->problem_mark), "%s",
				  problem);
		break;
	default:
		diags_add(r->d, (struct pos){.file = r->name}, "%s", problem);
		break;
	}
}

static bool next_event(struct reader *r, yaml_event_t *ev)
{
	if (yaml_parser_parse(&r->parser, ev))
		return true;
	report_syntax(r);
	return false;
}

/* ---- building the tree -------------------------------------------------- */

static struct ynode *read_node(struct reader *r, yaml_event_t *ev,
			       unsigned int depth);

static struct ynode *node_new(struct reader *r, const yaml_event_t *ev,
			      enum ynode_kind kind)
{
	struct ynode *n = ARENA_NEW(r->a, struct ynode);

	n->kind = kind;
	n->pos = place(r, &ev->start_mark);
	return n;
}

static void refuse_decoration(struct reader *r, const yaml_event_t *ev,
			      const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor)
		diags_add(r->d, place(r, &ev->start_mark),
			  "anchors are not supported: &%s", anchor);
	if (tag)
		diags_add(r->d, place(r, &ev->start_mark),
			  "tags are not supported: %s", tag);
}

static struct ynode *read_scalar(struct reader *r, const yaml_event_t *ev)
{
	struct ynode *n = node_new(r, ev, YNODE_SCALAR);
	const char *value = (const char *)ev->data.scalar.value;

	refuse_decoration(r, ev, ev->data.scalar.anchor, ev->data.scalar.tag);
	if (strlen(value) != ev->data.scalar.length)
		diags_add(r->d, n->pos, "a text must not hold a NUL byte");
	n->text = arena_strdup(r->a, value);
	n->quoted = ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	return n;
}

static bool too_many(struct reader *r, const struct ynode *n)
{
	if (n->n < ENTRIES_MAX)
		return false;
	diags_add(r->d, n->pos, "more than %d entries", ENTRIES_MAX);
	return true;
}

static struct ynode *read_list(struct reader *r, const yaml_event_t *start,
			       unsigned int depth)
{
	struct ynode *list = node_new(r, start, YNODE_LIST);

	refuse_decoration(r, start, start->data.sequence_start.anchor,
			  start->data.sequence_start.tag);
	for (;;) {
		yaml_event_t ev;
		struct ynode *item;

		if (!next_event(r, &ev))
			return NULL;
		if (ev.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&ev);
			return list;
		}
		item = too_many(r, list) ? NULL : read_node(r, &ev, depth + 1);
		yaml_event_delete(&ev);
		if (!item)
			return NULL;
		*ARENA_APPEND(r->a, list->items, list->n) = item;
	}
}

static void add_pair(struct reader *r, struct ynode *map,
		     const struct ynode *key, struct ynode *value)
{
	if (key->kind != YNODE_SCALAR) {
		diags_add(r->d, key->pos, "a key must be a word");
		return;
	}
	for (size_t i = 0; i < map->n; i++)
		if (!strcmp(map->pairs[i].key, key->text)) {
			diags_add(r->d, key->pos,
				  "`%s` is given twice; first at line %u",
				  key->text, map->pairs[i].key_pos.line);
			return;
		}
	*ARENA_APPEND(r->a, map->pairs, map->n) = (struct ypair){
		.key = key->text, .key_pos = key->pos, .value = value};
}

static struct ynode *read_map(struct reader *r, const yaml_event_t *start,
			      unsigned int depth)
{
	struct ynode *map = node_new(r, start, YNODE_MAP), *key = NULL;

	refuse_decoration(r, start, start->data.mapping_start.anchor,
			  start->data.mapping_start.tag);
	for (;;) {
		yaml_event_t ev;
		struct ynode *n;

		if (!next_event(r, &ev))
			return NULL;
		if (ev.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&ev);
			return map;
		}
		n = too_many(r, map) ? NULL : read_node(r, &ev, depth + 1);
		yaml_event_delete(&ev);
		if (!n)
			return NULL;
		if (key) {
			add_pair(r, map, key, n);
			n = NULL;
		}
		key = n;
	}
}

static struct ynode *read_alias(struct reader *r, const yaml_event_t *ev)
{
	struct ynode *n = node_new(r, ev, YNODE_SCALAR);

	diags_add(r->d, n->pos, "aliases are not supported: *%s",
		  ev->data.alias.anchor);
	r->aliased = true;
	n->text = "";
	return n;
}

/* The node that begins with @ev (which stays the caller's); NULL: give up. */
static struct ynode *read_node(struct reader *r, yaml_event_t *ev,
			       unsigned int depth)
{
	if (depth > DEPTH_MAX) {
		diags_add(r->d, place(r, &ev->start_mark),
			  "nested deeper than %d", DEPTH_MAX);
		return NULL;
	}
	switch (ev->type) {
	case YAML_SCALAR_EVENT:
		return read_scalar(r, ev);
	case YAML_SEQUENCE_START_EVENT:
		return read_list(r, ev, depth);
	case YAML_MAPPING_START_EVENT:
		return read_map(r, ev, depth);
	case YAML_ALIAS_EVENT:
		return read_alias(r, ev);
	default:
		diags_add(r->d, place(r, &ev->start_mark),
			  "a value is expected here");
		return NULL;
	}
}

/* Skip to the next event that is not one of stream or document framing. */
static bool next_content(struct reader *r, yaml_event_t *ev, bool *end)
{
	for (;;) {
		if (!next_event(r, ev))
			return false;
		*end = ev->type == YAML_STREAM_END_EVENT ||
		       ev->type == YAML_NO_EVENT;
		if (*end || (ev->type != YAML_STREAM_START_EVENT &&
			     ev->type != YAML_DOCUMENT_START_EVENT &&
			     ev->type != YAML_DOCUMENT_END_EVENT))
			return true;
		yaml_event_delete(ev);
	}
}

static struct ynode *read_document(struct reader *r)
{
	struct ynode *root;
	yaml_event_t ev;
	bool end;

	if (!next_content(r, &ev, &end))
		return NULL;
	if (end) {
		yaml_event_delete(&ev);
		diags_add(r->d, (struct pos){.file = r->name},
			  "the file is empty");
		return NULL;
	}
	root = read_node(r, &ev, 1);
	yaml_event_delete(&ev);
	if (!root || !next_content(r, &ev, &end))
		return NULL;
	if (!end)
		diags_add(r->d, place(r, &ev.start_mark),
			  "a second document begins here; a file holds one");
	yaml_event_delete(&ev);
	return r->aliased ? NULL : root;
}

struct ynode *yaml_load_text(const char *name, const char *text, size_t len,
			     struct arena *a, struct diags *d)
{
	struct reader r = {.a = a, .d = d, .text = text, .len = len};
	struct ynode *root;

	r.name = arena_strdup(a, name);
	if (len > FILE_MAX_BYTES) {
		diags_add(d, (struct pos){.file = r.name}, "longer than 1 MiB");
		return NULL;
	}
	if (!yaml_parser_initialize(&r.parser)) {
		diags_add(d, (struct pos){.file = r.name}, "out of memory");
		return NULL;
	}
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text,
				     len);
	root = read_document(&r);
	yaml_parser_delete(&r.parser);
	return root;
}

struct ynode *yaml_load_file(const char *path, struct arena *a, struct diags *d)
{
	struct pos whole = {.file = path};
	struct ynode *root;
	struct err e;
	struct stat st;
	char *text;
	size_t len;

	if (stat(path, &st)) {
		diags_add(d, whole, "cannot be read: %s", strerror(errno));
		return NULL;
	}
	if (!S_ISREG(st.st_mode)) {
		diags_add(d, whole, "is %s; a YAML file is expected",
			  S_ISDIR(st.st_mode) ? "a directory"
					      : "not a regular file");
		return NULL;
	}
	if (st.st_size > FILE_MAX_BYTES) {
		diags_add(d, whole, "longer than 1 MiB");
		return NULL;
	}
	text = file_read(path, &len, &e);
	if (!text) {
		diags_add(d, whole, "%s", e.text);
		return NULL;
	}
	root = yaml_load_text(path, text, len, a, d);
	free(text);
	return root;
}

struct ynode *yaml_get(const struct ynode *m, const char *key)
{
	if (m->kind == YNODE_MAP)
		for (size_t i = 0; i < m->n; i++)
			if (!strcmp(m->pairs[i].key, key))
				return m->pairs[i].value;
	return NULL;
}

/* ---- overlays --------------------------------------------------------------
 */

static struct ypair *find_pair(const struct ynode *m, const char *key,
			       size_t len)
{
	for (size_t i = 0; i < m->n; i++)
		if (strlen(m->pairs[i].key) == len &&
		    !strncmp(m->pairs[i].key, key, len))
			return &m->pairs[i];
	return NULL;
}

static struct ynode *append(const struct ynode *list, const struct ynode *more,
			    struct arena *a)
{
	struct ynode *out = ARENA_NEW(a, struct ynode);

	*out = *list;
	out->items = arena_alloc(a, (list->n + more->n) * sizeof(*out->items));
	for (size_t i = 0; i < list->n; i++)
		out->items[i] = list->items[i];
	for (size_t i = 0; i < more->n; i++)
		out->items[out->n++] = more->items[i];
	return out;
}

/* @m has room for one more pair. */
static void lay_over(struct ynode *m, const struct ypair *over, struct arena *a)
{
	size_t len = strlen(over->key);
	bool more = len > 1 && over->key[len - 1] == '+' &&
		    over->value->kind == YNODE_LIST;
	struct ypair *p = find_pair(m, over->key, len - more);

	if (!p) {
		p = &m->pairs[m->n++];
		*p = *over;
		p->key = arena_printf(a, "%.*s", (int)(len - more), over->key);
	} else if (more && p->value->kind == YNODE_LIST) {
		p->value = append(p->value, over->value, a);
	} else {
		/* the nodes of both stay as they were */
		p->value = (struct ynode *)(uintptr_t)yaml_overlay(
			p->value, over->value, a);
		p->key_pos = over->key_pos;
	}
}

const struct ynode *yaml_overlay(const struct ynode *base,
				 const struct ynode *over, struct arena *a)
{
	struct ynode *out;

	if (!base || !over)
		return base ? base : over;
	if (base->kind != YNODE_MAP || over->kind != YNODE_MAP)
		return over;
	out = ARENA_NEW(a, struct ynode);
	*out = *base;
	out->pairs =
		arena_alloc(a, (base->n + over->n + 1) * sizeof(*out->pairs));
	for (size_t i = 0; i < base->n; i++)
		out->pairs[i] = base->pairs[i];
	for (size_t i = 0; i < over->n; i++)
		lay_over(out, &over->pairs[i], a);
	return out;
}

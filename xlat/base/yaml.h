/* SPDX-License-Identifier: MIT */
/*
 * YAML files as a tree that remembers where each word stood.
 *
 * Tables of `struct yfield` turn a map of the tree into a C struct: unknown
 * keys, missing keys, wrong types and values out of range all become
 * diagnostics, and reading goes on so that one pass finds every error.
 */
#ifndef BASE_YAML_H
#define BASE_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "arena.h"
#include "diag.h"
#include "units.h"

enum ynode_kind { YNODE_SCALAR, YNODE_LIST, YNODE_MAP };

struct ynode;

struct ypair {
	const char *key;
	struct pos key_pos;
	struct ynode *value;
};

struct ynode {
	enum ynode_kind kind;
	struct pos pos;
	const char *text;     /* scalar */
	bool quoted;	      /* scalar: "5ms" rather than 5ms */
	struct ynode **items; /* list */
	struct ypair *pairs;  /* map, in file order */
	size_t n;	      /* items or pairs */
};

/*
 * yaml_load_file / yaml_load_text - parse one document.
 * @a: owns the tree
 * @d: syntax errors, duplicate keys, anchors/aliases/tags (refused), files
 *     above 1 MiB, nested deeper than 32, or with a collection of over 4096
 *
 * Returns the root, or NULL when there is no tree at all.
 */
struct ynode *yaml_load_file(const char *path, struct arena *a,
			     struct diags *d);
struct ynode *yaml_load_text(const char *name, const char *text, size_t len,
			     struct arena *a, struct diags *d);

/* yaml_get - the value of @key in map @m, or NULL. */
struct ynode *yaml_get(const struct ynode *m, const char *key);

/*
 * yaml_overlay - @base with what @over says: maps are merged key by key, all
 * else is replaced; a key with a plus behind it, `key+: [...]`, appends its
 * list to the list of `key`. Each word keeps the place where it stood. Either
 * may be NULL. Neither is changed; the result shares their nodes. Allocates in
 * @a.
 */
const struct ynode *yaml_overlay(const struct ynode *base,
				 const struct ynode *over, struct arena *a);

enum yfield_type {
	YF_STRING,   /* const char * (arena) */
	YF_NAME,     /* const char *: [a-z][a-z0-9-]{0,10}, a node or label */
	YF_INT,	     /* int64_t within min..max */
	YF_QUANTITY, /* double, by unit, within min..max when max > min */
	YF_BOOL,     /* bool */
	YF_ENUM,     /* int: index into words */
	YF_PREFIX4,  /* struct prefix4 */
	YF_PREFIX6,  /* struct prefix6 */
	YF_ADDR,     /* struct addr */
	YF_NODE,     /* struct ynode *: the reader goes on by itself */
};

struct yfield {
	const char *key;
	enum yfield_type type;
	size_t offset; /* of the member in the struct */
	bool required;
	enum unit unit;		  /* YF_QUANTITY */
	double min, max;	  /* YF_INT, YF_QUANTITY; ignored if equal */
	const char *const *words; /* YF_ENUM, ends with NULL */
};

/*
 * yaml_read_map - fill @out from @m by the table @fields (ends with a NULL
 * key). Members of absent keys keep what @out held (set defaults first).
 * Returns the number of diagnostics added.
 */
size_t yaml_read_map(const struct ynode *m, const char *what,
		     const struct yfield *fields, void *out, struct arena *a,
		     struct diags *d);

/* yaml_is_name - whether @s may be a YF_NAME of up to @max letters. Pure. */
bool yaml_is_name(const char *s, size_t max);

/* yaml_unknown - report a bad word with the nearest good one, if any. */
void yaml_unknown(struct diags *d, struct pos at, const char *what,
		  const char *word, const char *const *candidates);

#endif

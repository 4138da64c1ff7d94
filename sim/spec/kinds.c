/* SPDX-License-Identifier: MIT */
#include "spec_internal.h"

#include <stdio.h>
#include <string.h>

#define FIELDS_MAX 40

bool spec_want(struct spec_reader *r, const struct ynode *n,
	       enum ynode_kind kind, const char *what)
{
	static const char *const words[] = {"a word", "a list", "a map"};

	if (n->kind == kind)
		return true;
	diags_add(r->d, n->pos, "%s must be %s", what, words[kind]);
	return false;
}

/* "link-down, link-up or shape": the kinds in @mask. */
static void list_kinds(unsigned int mask, const char *const *words, char *buf,
		       size_t len)
{
	size_t n = 0;

	buf[0] = '\0';
	for (unsigned int i = 0; words[i] && n < len; i++) {
		const char *sep = n == 0 ? "" : mask >> i == 1 ? " or " : ", ";
		int k;

		if (!(mask >> i & 1))
			continue;
		k = snprintf(buf + n, len - n, "%s`%s`", sep, words[i]);
		n += k > 0 ? (size_t)k : 0;
	}
}

/* The field @key of @kind; else one of other kinds, or NULL. */
static const struct kind_field *find(const struct kind_field *fields,
				     const char *key, unsigned int kind)
{
	const struct kind_field *other = NULL;

	for (; fields->f.key; fields++) {
		if (strcmp(fields->f.key, key))
			continue;
		if (fields->kinds >> kind & 1)
			return fields;
		if (!other)
			other = fields;
	}
	return other;
}

/*
 * The map without the keys that belong to other kinds; those are reported
 * here, so that yaml_read_map does not call them unknown.
 */
static struct ynode own_keys(struct spec_reader *r, const struct ynode *m,
			     const struct kind_field *fields, unsigned int kind,
			     const char *const *words)
{
	struct ynode own = *m;

	own.pairs = arena_alloc(r->a, (m->n + 1) * sizeof(*own.pairs));
	own.n = 0;
	for (size_t i = 0; i < m->n; i++) {
		const struct ypair *p = &m->pairs[i];
		const struct kind_field *f = find(fields, p->key, kind);
		char others[512];

		if (!f || f->kinds >> kind & 1) {
			own.pairs[own.n++] = *p;
			continue;
		}
		list_kinds(f->kinds, words, others, sizeof(others));
		diags_add(r->d, p->key_pos,
			  "`%s` does not belong to `%s`; it is a key of %s",
			  p->key, words[kind], others);
	}
	return own;
}

void kind_read_map(struct spec_reader *r, const struct ynode *m,
		   const char *what, const struct kind_field *fields,
		   unsigned int kind, const char *const *kind_words, void *out)
{
	struct yfield own_fields[FIELDS_MAX + 1] = {0};
	struct ynode own = own_keys(r, m, fields, kind, kind_words);
	size_t n = 0;

	for (; fields->f.key && n < FIELDS_MAX; fields++) {
		if (!(fields->kinds >> kind & 1))
			continue;
		own_fields[n] = fields->f;
		own_fields[n++].required = fields->required >> kind & 1;
	}
	yaml_read_map(&own, what, own_fields, out, r->a, r->d);
}

/* SPDX-License-Identifier: MIT */
/* Maps of a YAML tree into structs, by tables of fields. */
#include "yaml.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"

#define NAME_MAX_LEN 11
#define WORDS_MAX    64
#define WORDS_SHOWN  24

static const char *kind_word(const struct ynode *n)
{
	switch (n->kind) {
	case YNODE_LIST:
		return "a list";
	case YNODE_MAP:
		return "a map";
	case YNODE_SCALAR:
		break;
	}
	return n->text[0] || n->quoted ? "a word" : "nothing";
}

/* "a, b or c"; of many, the first few */
static void list_words(const char *const *words, char *buf, size_t len)
{
	size_t n = 0;

	buf[0] = '\0';
	for (size_t i = 0; words[i] && n < len; i++) {
		const char *sep = i == 0 ? "" : words[i + 1] ? ", " : " or ";
		const char *word = i < WORDS_SHOWN ? words[i] : "...";
		int k = snprintf(buf + n, len - n, "%s%s", sep, word);

		n += k > 0 ? (size_t)k : 0;
		if (i == WORDS_SHOWN)
			break;
	}
}

void yaml_unknown(struct diags *d, struct pos at, const char *what,
		  const char *word, const char *const *candidates)
{
	const char *near = diag_suggest(word, candidates);
	char known[512];

	list_words(candidates, known, sizeof(known));
	if (near)
		diags_add(d, at, "unknown %s `%s`; did you mean `%s`?", what,
			  word, near);
	else if (candidates[0])
		diags_add(d, at, "unknown %s `%s`; expected %s", what, word,
			  known);
	else
		diags_add(d, at, "unknown %s `%s`; there is none", what, word);
}

bool yaml_is_name(const char *s, size_t max)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return s[0] >= 'a' && s[0] <= 'z' && !s[n] && n <= max &&
	       s[n - 1] != '-';
}

static bool has_control(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return true;
	return false;
}

/* ---- one field ---------------------------------------------------------- */

struct target {
	const struct yfield *f;
	const struct ynode *n;
	void *member;
	struct diags *d;
};

static void complain(const struct target *t, const char *expected)
{
	diags_add(t->d, t->n->pos, "`%s: %s`: %s is expected", t->f->key,
		  t->n->text, expected);
}

static void read_int(const struct target *t)
{
	const char *s = t->n->text;
	size_t digits = strspn(s + (*s == '-'), "0123456789");
	bool limited = t->f->max > t->f->min;
	char expected[96];
	long long v = 0;
	bool good = digits && !s[digits + (*s == '-')];

	if (good) {
		errno = 0;
		v = strtoll(s, NULL, 10);
		good = !errno && (!limited || ((double)v >= t->f->min &&
					       (double)v <= t->f->max));
	}
	if (good) {
		*(int64_t *)t->member = v;
		return;
	}
	if (limited)
		snprintf(expected, sizeof(expected),
			 "a whole number from %.0f to %.0f", t->f->min,
			 t->f->max);
	else
		snprintf(expected, sizeof(expected), "a whole number");
	complain(t, expected);
}

static void read_quantity(const struct target *t)
{
	const struct yfield *f = t->f;
	char low[48], high[48], expected[192];
	double v;
	int ret = units_parse(t->n->text, f->unit, &v);

	if (ret == -EINVAL) {
		complain(t, units_expect(f->unit));
		return;
	}
	if (!ret && (f->max <= f->min || (v >= f->min && v <= f->max))) {
		*(double *)t->member = v;
		return;
	}
	if (f->max > f->min)
		snprintf(expected, sizeof(expected), "%s from %s to %s",
			 units_expect(f->unit),
			 units_format(f->min, f->unit, low, sizeof(low)),
			 units_format(f->max, f->unit, high, sizeof(high)));
	else
		snprintf(expected, sizeof(expected),
			 "%s, neither negative nor that large",
			 units_expect(f->unit));
	complain(t, expected);
}

static void read_bool(const struct target *t)
{
	double v;

	if (units_parse(t->n->text, UNIT_BOOL, &v))
		complain(t, units_expect(UNIT_BOOL));
	else
		*(bool *)t->member = v != 0;
}

static void read_enum(const struct target *t)
{
	char what[64];

	for (int i = 0; t->f->words[i]; i++)
		if (!strcmp(t->f->words[i], t->n->text)) {
			*(int *)t->member = i;
			return;
		}
	snprintf(what, sizeof(what), "value of `%s`:", t->f->key);
	yaml_unknown(t->d, t->n->pos, what, t->n->text, t->f->words);
}

static void read_prefix(const struct target *t)
{
	bool six = t->f->type == YF_PREFIX6;
	int ret = six ? prefix6_parse(t->n->text, t->member)
		      : prefix4_parse(t->n->text, t->member);

	if (ret == -ERANGE)
		complain(t, "a prefix without host bits");
	else if (ret)
		complain(t, six ? "an IPv6 prefix such as 2001:db8::/36"
				: "an IPv4 prefix such as 192.0.2.0/28");
}

static void read_addr(const struct target *t)
{
	if (addr_parse(t->n->text, t->member))
		complain(t, "an IPv4 or IPv6 address");
}

static void read_text(const struct target *t)
{
	if (t->f->type == YF_NAME && !yaml_is_name(t->n->text, NAME_MAX_LEN))
		complain(t, "a name of up to 11 lower-case letters, digits and "
			    "hyphens, letter first,");
	else if (has_control(t->n->text))
		diags_add(t->d, t->n->pos,
			  "`%s` must not hold control characters", t->f->key);
	else
		*(const char **)t->member = t->n->text;
}

static void read_scalar_field(const struct target *t)
{
	switch (t->f->type) {
	case YF_STRING:
	case YF_NAME:
		read_text(t);
		break;
	case YF_INT:
		read_int(t);
		break;
	case YF_QUANTITY:
		read_quantity(t);
		break;
	case YF_BOOL:
		read_bool(t);
		break;
	case YF_ENUM:
		read_enum(t);
		break;
	case YF_PREFIX4:
	case YF_PREFIX6:
		read_prefix(t);
		break;
	case YF_ADDR:
		read_addr(t);
		break;
	case YF_NODE:
		break;
	}
}

static void read_field(const struct target *t, struct ynode *value)
{
	if (t->f->type == YF_NODE)
		*(struct ynode **)t->member = value;
	else if (value->kind != YNODE_SCALAR)
		diags_add(t->d, value->pos, "`%s` is %s; a word is expected",
			  t->f->key, kind_word(value));
	else if (!value->text[0])
		diags_add(t->d, value->pos, "`%s` has no value", t->f->key);
	else
		read_scalar_field(t);
}

/* ---- a map -------------------------------------------------------------- */

static const struct yfield *find_field(const struct yfield *fields,
				       const char *key)
{
	for (; fields->key; fields++)
		if (!strcmp(fields->key, key))
			return fields;
	return NULL;
}

static void unknown_key(const struct ypair *p, const char *what,
			const struct yfield *fields, struct diags *d)
{
	const char *keys[WORDS_MAX + 1] = {NULL};
	char kind[128];

	for (size_t i = 0; i < WORDS_MAX && fields[i].key; i++)
		keys[i] = fields[i].key;
	snprintf(kind, sizeof(kind), "key in %s:", what);
	yaml_unknown(d, p->key_pos, kind, p->key, keys);
}

size_t yaml_read_map(const struct ynode *m, const char *what,
		     const struct yfield *fields, void *out, struct arena *a,
		     struct diags *d)
{
	size_t before = d->n;

	(void)a;
	if (m->kind != YNODE_MAP) {
		diags_add(d, m->pos, "%s is %s; a map of keys is expected",
			  what, kind_word(m));
		return d->n - before;
	}
	for (size_t i = 0; i < m->n; i++) {
		const struct ypair *p = &m->pairs[i];
		const struct yfield *f = find_field(fields, p->key);
		struct target t = {.f = f, .n = p->value, .d = d};

		if (!f) {
			unknown_key(p, what, fields, d);
			continue;
		}
		t.member = (unsigned char *)out + f->offset;
		read_field(&t, p->value);
	}
	for (const struct yfield *f = fields; f->key; f++)
		if (f->required && !yaml_get(m, f->key))
			diags_add(d, m->pos, "%s lacks `%s`", what, f->key);
	return d->n - before;
}

/* SPDX-License-Identifier: MIT */
/* The value of a field: a number, an address, letters, a range, a name. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "packet_internal.h"

static int name_index(struct reader *r, const char *name)
{
	struct bind_names *n = r->names;

	for (size_t i = 0; n && i < n->n; i++)
		if (!strcmp(n->names[i], name))
			return (int)i;
	if (!n || n->n == MAX_BINDS)
		return -1;
	n->names[n->n] = arena_strdup(r->a, name);
	n->bits[n->n] = 0;
	n->known[n->n] = false;
	return (int)n->n++;
}

static void read_bound(struct reader *r, const struct field_def *f,
		       struct value *v, const char *name, size_t col)
{
	int i;

	if (!*name || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") !=
			      strlen(name)) {
		diags_add(r->d, here(r, col),
			  "'@%s': expected a name of small letters, digits, - "
			  "and _",
			  name);
		return;
	}
	i = name_index(r, name);
	if (i < 0) {
		diags_add(r->d, here(r, col),
			  "'@%s': at most %d names in a case", name, MAX_BINDS);
		return;
	}
	if (!r->expected && !r->names->known[i])
		diags_add(r->d, here(r, col),
			  "'@%s': no packet that arrived before has set it",
			  name);
	else if (r->names->bits[i] && r->names->bits[i] != f->bits)
		diags_add(r->d, here(r, col),
			  "'@%s' has %u bits, and '%s' has %u", name,
			  r->names->bits[i], f->name, f->bits);
	r->names->bits[i] = (uint8_t)f->bits;
	r->names->known[i] |= r->expected;
	v->mode = VALUE_BOUND;
	v->bind = i;
}

static bool scale(struct reader *r, const struct field_def *f, uint64_t *num,
		  size_t col)
{
	if (f->unit && *num % f->unit) {
		diags_add(r->d, here(r, col),
			  "'%s' is in bytes, and a multiple of %u", f->name,
			  f->unit);
		return false;
	}
	if (f->unit)
		*num /= f->unit;
	if (f->bits < 64 && *num >> f->bits) {
		diags_add(r->d, here(r, col), "'%s' is at most %llu", f->name,
			  ((1ULL << f->bits) - 1) * (f->unit ? f->unit : 1));
		return false;
	}
	return true;
}

static bool read_flags(const char *s, uint64_t *out)
{
	*out = 0;
	if (!strcmp(s, "none"))
		return true;
	for (; *s; s++) {
		const char *p = strchr(TCP_FLAGS, *s);

		if (!p)
			return false;
		*out |= 1u << (p - TCP_FLAGS);
	}
	return true;
}

static void read_range(struct reader *r, const struct field_def *f,
		       struct value *v, char *s, char *dots, size_t col)
{
	*dots = '\0';
	if (!number_parse(s, &v->num) || !number_parse(dots + 2, &v->hi) ||
	    v->num > v->hi) {
		diags_add(r->d, here(r, col),
			  "'%s': expected a range such as 1024..65535",
			  f->name);
		return;
	}
	v->mode = VALUE_RANGE;
	if (scale(r, f, &v->num, col))
		scale(r, f, &v->hi, col);
}

static bool read_address(const struct field_def *f, const char *s,
			 struct value *v)
{
	if (f->type == FIELD_ADDR4)
		return inet_pton(AF_INET, s, v->addr) == 1;
	return inet_pton(AF_INET6, s, v->addr) == 1;
}

static void read_plain(struct reader *r, const struct field_def *f,
		       struct value *v, const char *s, size_t col)
{
	bool ok;

	v->mode = VALUE_GIVEN;
	if (f->type == FIELD_ADDR4 || f->type == FIELD_ADDR6) {
		if (!read_address(f, s, v))
			diags_add(r->d, here(r, col),
				  "'%s' is no IPv%d address", s,
				  f->type == FIELD_ADDR4 ? 4 : 6);
		return;
	}
	if (f->work_out == AUTO_CSUM && !strcmp(s, "none")) {
		v->num = 0;
		return;
	}
	ok = number_parse(s, &v->num) ||
	     (f->type == FIELD_FLAGS && read_flags(s, &v->num));
	if (!ok)
		diags_add(r->d, here(r, col), "'%s': expected %s, not '%s'",
			  f->name,
			  f->type == FIELD_FLAGS ? "letters of " TCP_FLAGS
						 : "a number",
			  s);
	else
		scale(r, f, &v->num, col);
}

void value_read(struct reader *r, const struct field_def *f, struct value *v,
		char *s, size_t col)
{
	char *dots = strstr(s, "..");
	bool wild = !strcmp(s, "*") || (dots && isdigit((unsigned char)*s));

	if (v->mode != VALUE_DEFAULT)
		diags_add(r->d, here(r, 0), "'%s' is given twice", f->name);
	v->pos = here(r, 0);
	if (wild && !r->expected)
		diags_add(r->d, here(r, col),
			  "'%s=%s': a packet that is sent has one value",
			  f->name, s);
	else if (!strcmp(s, "*"))
		v->mode = VALUE_ANY;
	else if (wild)
		read_range(r, f, v, s, dots, col);
	else if (*s == '@')
		read_bound(r, f, v, s + 1, col);
	else if (f->work_out == AUTO_CSUM && !strcmp(s, "bad"))
		v->mode = VALUE_SPOILT;
	else
		read_plain(r, f, v, s, col);
}

/* SPDX-License-Identifier: MIT */
/* Does a packet that arrived say what it should? If not: in which fields. */
#include "packet.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <string.h>

#include "fields.h"

struct match {
	const struct packet *want;
	const uint8_t *actual;
	size_t actual_len;
	uint8_t buf[PACKET_MAX_BYTES]; /* what it should be */
	size_t len, n_told;
	size_t starts[MAX_LAYERS];
	struct bind binds[MAX_BINDS]; /* as they will be */
	char *why;
	size_t why_len;
};

static void __attribute__((format(printf, 2, 3)))
tell(struct match *m, const char *fmt, ...)
{
	size_t at = strlen(m->why);
	va_list ap;

	if (m->n_told++ && at + 2 < m->why_len) {
		strcpy(m->why + at, "; ");
		at += 2;
	}
	if (at >= m->why_len)
		return;
	va_start(ap, fmt);
	vsnprintf(m->why + at, m->why_len - at, fmt, ap);
	va_end(ap);
}

static bool is_address(const struct field_def *f)
{
	return f->type == FIELD_ADDR4 || f->type == FIELD_ADDR6;
}

static const char *field_text(const struct field_def *f, const uint8_t *b,
			      size_t at, char *buf, size_t len)
{
	uint64_t v;

	if (is_address(f))
		return inet_ntop(f->type == FIELD_ADDR4 ? AF_INET : AF_INET6,
				 b + at / 8, buf, (socklen_t)len);
	v = bits_get(b, at, f->bits) * (f->unit ? f->unit : 1);
	if (f->work_out == AUTO_CSUM || f->type == FIELD_FLAGS)
		snprintf(buf, len, "0x%0*llx", f->bits / 4,
			 (unsigned long long)v);
	else
		snprintf(buf, len, "%llu", (unsigned long long)v);
	return buf;
}

/* Whether layer @i is in the packet inside. */
static const char *where(const struct match *m, size_t i)
{
	for (size_t k = 1; k <= i; k++)
		if (m->want->layers[k].kind <= LAYER_IP6)
			return "inner ";
	return "";
}

/* Each field of a layer: its bits compared, its range, its name. */
static void match_field(struct match *m, size_t i, const struct field_def *f,
			const struct value *v)
{
	size_t at = m->starts[i] * 8 + f->bit;
	char is[64], should[64];
	uint64_t num;

	if ((at + f->bits + 7) / 8 > m->actual_len ||
	    (at + f->bits + 7) / 8 > m->len)
		return;
	if (f->overlay && v->mode == VALUE_DEFAULT)
		return;
	field_text(f, m->actual, at, is, sizeof(is));
	if (v->mode == VALUE_RANGE) {
		num = bits_get(m->actual, at, f->bits);
		if (num < v->num || num > v->hi)
			tell(m, "%s%s %s is %s, expected %llu..%llu",
			     where(m, i),
			     layer_defs[m->want->layers[i].kind].name, f->name,
			     is, (unsigned long long)v->num,
			     (unsigned long long)v->hi);
		return;
	}
	field_text(f, m->buf, at, should, sizeof(should));
	for (size_t k = 0; k < f->bits; k++) {
		if (bits_get(m->buf, at + k, 1) ==
		    bits_get(m->actual, at + k, 1))
			continue;
		tell(m, "%s%s %s is %s, expected %s", where(m, i),
		     layer_defs[m->want->layers[i].kind].name, f->name, is,
		     should);
		return;
	}
}

static void set_bind(struct match *m, size_t i, const struct field_def *f,
		     const struct value *v)
{
	size_t at = m->starts[i] * 8 + f->bit;
	struct bind *b = &m->binds[v->bind], now = {.set = true};

	if ((at + f->bits + 7) / 8 > m->actual_len)
		return;
	now.bits = (uint8_t)f->bits;
	if (is_address(f))
		memcpy(now.value, m->actual + at / 8, f->bits / 8);
	else
		bits_put(now.value, 0, 64, bits_get(m->actual, at, f->bits));
	if (b->set && memcmp(b->value, now.value, 16) != 0)
		tell(m, "%s%s %s differs from where its name was set",
		     where(m, i), layer_defs[m->want->layers[i].kind].name,
		     f->name);
	else
		*b = now;
}

/* Do other names say what these bits mean? */
static bool renamed(const struct layer *l, const struct field_def *f)
{
	const struct field_def *all = layer_defs[l->kind].fields;

	for (size_t i = 0; i < MAX_FIELDS && all[i].name; i++)
		if (all[i].overlay && l->values[i].mode != VALUE_DEFAULT &&
		    !f->overlay && f->bit + f->bits > all[i].bit &&
		    f->bit < all[i].bit + all[i].bits)
			return true;
	return false;
}

static void match_layer(struct match *m, size_t i)
{
	const struct layer *l = &m->want->layers[i];
	const struct layer_def *def = &layer_defs[l->kind];

	if (m->starts[i] == SIZE_MAX)
		return;
	for (size_t k = 0; k < MAX_FIELDS && def->fields[k].name; k++) {
		if (!renamed(l, &def->fields[k]))
			match_field(m, i, &def->fields[k], &l->values[k]);
		if (l->values[k].mode == VALUE_BOUND)
			set_bind(m, i, &def->fields[k], &l->values[k]);
	}
}

static void match_bytes(struct match *m)
{
	size_t n = m->len < m->actual_len ? m->len : m->actual_len, i = 0;

	while (i < n && m->buf[i] == m->actual[i])
		i++;
	if (i < n && !m->n_told)
		tell(m, "byte %zu is 0x%02x, expected 0x%02x", i, m->actual[i],
		     m->buf[i]);
	if (m->len != m->actual_len)
		tell(m, "it has %zu bytes, expected %zu", m->actual_len,
		     m->len);
}

bool packet_match(const struct packet *want, const uint8_t *actual,
		  size_t actual_len, struct bind *binds, char *why,
		  size_t why_len)
{
	static struct match m; /* too large for the stack */

	m.want = want;
	m.actual = actual;
	m.actual_len = actual_len;
	m.why = why;
	m.why_len = why_len;
	m.n_told = 0;
	why[0] = '\0';
	if (actual_len && actual[0] >> 4 != (packet_is_ip6(want) ? 6 : 4)) {
		tell(&m, "it is no IPv%d packet", packet_is_ip6(want) ? 6 : 4);
		return false;
	}
	memcpy(m.binds, binds, sizeof(m.binds));
	m.len = packet_build(want, binds, actual, actual_len, m.buf,
			     sizeof(m.buf), m.starts);
	for (size_t i = 0; i < want->n_layers; i++)
		match_layer(&m, i);
	match_bytes(&m);
	if (m.n_told)
		return false;
	memcpy(binds, m.binds, sizeof(m.binds));
	return true;
}

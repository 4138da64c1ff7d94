/* SPDX-License-Identifier: MIT */
#include "report_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define REPLACEMENT 0xfffd

/* The bytes that follow a lead byte, or -1; @c gets the lead's bits. */
static int lead_bits(unsigned char b, uint32_t *c)
{
	if (b < 0x80) {
		*c = b;
		return 0;
	}
	if (b >= 0xc2 && b < 0xe0) {
		*c = b & 0x1f;
		return 1;
	}
	if ((b & 0xf0) == 0xe0) {
		*c = b & 0x0f;
		return 2;
	}
	if (b >= 0xf0 && b < 0xf5) {
		*c = b & 0x07;
		return 3;
	}
	return -1;
}

static bool is_text(uint32_t c, int more)
{
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};

	if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return false;
	if (c == 0xfffe || c == 0xffff)
		return false;
	return (c >= 0x20 || c == '\t' || c == '\n') && (c < 0x7f || c >= 0xa0);
}

size_t text_next(const char *s, uint32_t *c)
{
	int more;

	if (!*s)
		return 0;
	more = lead_bits((unsigned char)*s, c);
	for (int i = 1; i <= more; i++) {
		if ((s[i] & 0xc0) != 0x80) {
			*c = REPLACEMENT;
			return (size_t)i;
		}
		*c = *c << 6 | (s[i] & 0x3f);
	}
	if (more < 0 || !is_text(*c, more))
		*c = REPLACEMENT;
	return more < 0 ? 1 : (size_t)more + 1;
}

static size_t encode(uint32_t c, char *to)
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (char)(0xe0 | c >> 12);
		to[1] = (char)(0x80 | (c >> 6 & 0x3f));
		to[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | c >> 18);
	to[1] = (char)(0x80 | (c >> 12 & 0x3f));
	to[2] = (char)(0x80 | (c >> 6 & 0x3f));
	to[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

void text_put(FILE *out, uint32_t c)
{
	char buf[4];
	size_t n = encode(c, buf);

	fwrite(buf, 1, n, out);
}

char *text_clean(const char *s)
{
	/* the worst byte becomes the three of U+FFFD */
	char *copy = malloc(strlen(s) * 3 + 1), *to = copy;
	uint32_t c;
	size_t n;

	if (!copy)
		return NULL;
	for (; (n = text_next(s, &c)); s += n)
		to += encode(c, to);
	*to = '\0';
	return copy;
}

void report_text(FILE *out, const char *s)
{
	uint32_t c;
	size_t n;

	for (; (n = text_next(s, &c)); s += n)
		text_put(out, c);
}

size_t text_width(const char *s)
{
	size_t n, width = 0;
	uint32_t c;

	for (; (n = text_next(s, &c)); s += n)
		width++;
	return width;
}

void text_markup(FILE *out, const char *s)
{
	uint32_t c;
	size_t n;

	if (!s)
		return;
	for (; (n = text_next(s, &c)); s += n) {
		switch (c) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\'':
			fputs("&#39;", out);
			break;
		default:
			text_put(out, c);
		}
	}
}

const char *metric_text(const struct metric *m, char *buf, unsigned int len)
{
	if (m->absent || (m->def->unit != UNIT_TEXT && !isfinite(m->num)))
		return "not measured";
	if (m->def->unit == UNIT_TEXT)
		return m->text ? m->text : "not measured";
	return units_format(m->num, m->def->unit, buf, len);
}

const char *verdict_paint(enum verdict v)
{
	switch (v) {
	case VERDICT_PASS:
		return "\033[32m";
	case VERDICT_FAIL:
		return "\033[1;31m";
	case VERDICT_INVALID:
		return "\033[1;33m";
	case VERDICT_SKIP:
		return "\033[36m";
	}
	return "";
}

const char *judged_detail(const struct judged *j)
{
	size_t skip = strlen(j->expect->measure) + strlen(j->expect->metric);

	/* "MEASURE.METRIC: " */
	return strlen(j->text) > skip + 3 ? j->text + skip + 3 : j->text;
}

const char *op_word(enum expect_op op)
{
	switch (op) {
	case EXPECT_AT_MOST:
		return "at-most";
	case EXPECT_AT_LEAST:
		return "at-least";
	case EXPECT_IS:
		return "is";
	}
	return "?";
}

size_t count_verdict(const struct result *r, enum verdict v)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_judged; i++)
		n += r->judged[i].verdict == v;
	return n;
}

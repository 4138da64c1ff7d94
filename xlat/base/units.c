/* SPDX-License-Identifier: MIT */
#include "units.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct suffix {
	const char *text;
	double factor;
};

/* Smallest first; each list ends with a NULL text. */
static const struct suffix time_suffixes[] = {
	{"ns", 1},   {"us", 1e3},   {"ms", 1e6}, {"s", 1e9},
	{"m", 6e10}, {"h", 3.6e12}, {NULL, 0},
};
static const struct suffix rate_suffixes[] = {
	{"bit", 1}, {"kbit", 1e3}, {"mbit", 1e6}, {"gbit", 1e9}, {NULL, 0},
};
static const struct suffix pps_suffixes[] = {
	{"pps", 1},
	{"kpps", 1e3},
	{"mpps", 1e6},
	{NULL, 0},
};
static const struct suffix size_suffixes[] = {
	{"B", 1},  {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824},
	{NULL, 0},
};
static const struct suffix ratio_suffixes[] = {
	{"%", 0.01},
	{NULL, 0},
};
static const struct suffix no_suffixes[] = {
	{"", 1},
	{NULL, 0},
};

/* More than this was not meant: a year, 10 Tbit/s, 1 TiB, a million. */
static const struct kind {
	const struct suffix *suffixes;
	double most;
	const char *expect;
} kinds[] = {
	[UNIT_NONE] = {no_suffixes, 1e15, "a number such as 4 or 0.9"},
	[UNIT_TIME] = {time_suffixes, 3.2e16, "a time such as 5ms"},
	[UNIT_RATE] = {rate_suffixes, 1e13, "a rate such as 150mbit"},
	[UNIT_PPS] = {pps_suffixes, 1e12, "a packet rate such as 1000pps"},
	[UNIT_SIZE] = {size_suffixes, 1099511627776.0, "a size such as 64KiB"},
	[UNIT_RATIO] = {ratio_suffixes, 1e6, "a share such as 0.1%"},
	[UNIT_BOOL] = {NULL, 0, "true or false"},
	[UNIT_TEXT] = {NULL, 0, "a text"},
};

static int parse_bool(const char *text, double *out)
{
	if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
		return -EINVAL;
	*out = text[0] == 't';
	return 0;
}

/* Digits, perhaps a point and more digits: no sign, exponent, hex or space. */
static size_t number_length(const char *s)
{
	size_t whole = strspn(s, "0123456789"), part = 0;

	if (s[whole] == '.') {
		part = strspn(s + whole + 1, "0123456789");
		return whole && part ? whole + 1 + part : 0;
	}
	return whole;
}

int units_parse(const char *text, enum unit unit, double *out)
{
	const struct kind *k = &kinds[unit];
	bool negative = text[0] == '-';
	const char *s = text + negative;
	size_t n = number_length(s);
	double value;

	if (unit == UNIT_BOOL)
		return parse_bool(text, out);
	if (!k->suffixes || n == 0 || n > 60)
		return -EINVAL;
	value = strtod(s, NULL);
	for (const struct suffix *x = k->suffixes; x->text; x++) {
		if (strcmp(s + n, x->text) != 0 &&
		    !(s[n] == '\0' && value == 0))
			continue;
		value *= x->factor;
		if (negative || value > k->most)
			return -ERANGE;
		*out = value;
		return 0;
	}
	return -EINVAL;
}

static bool is_multiple(double v, double of)
{
	double q = v / of;

	return q < 1e18 && q == (double)(int64_t)q;
}

/* @digits that matter, or all before the point; never an exponent. */
static void print_number(char *buf, unsigned int len, double v, int digits)
{
	size_t n;

	if (v >= 999.5 || is_multiple(v, 1)) {
		snprintf(buf, len, "%.0f", v);
	} else if (v >= 1e-4) {
		snprintf(buf, len, "%.*g", digits, v);
	} else {
		snprintf(buf, len, "%.12f", v);
		for (n = strlen(buf); n > 3 && buf[n - 1] == '0'; n--)
			buf[n - 1] = '\0';
	}
}

/* The largest suffix of which there is at least one. */
static const struct suffix *fitting(const struct suffix *list, double v)
{
	const struct suffix *best = list;

	for (const struct suffix *x = list; x->text; x++)
		if (v >= x->factor * 0.9995)
			best = x;
	return best;
}

static const struct suffix *pick_suffix(double v, enum unit unit)
{
	const struct suffix *s = fitting(kinds[unit].suffixes, v);

	/* 90s, not 1.5m; 1500B, not 1.46KiB; 2000pps, not 2kpps */
	if (unit == UNIT_TIME && s->factor > 1e9 && !is_multiple(v, s->factor))
		s = &time_suffixes[3];
	if (unit == UNIT_SIZE && v < 10000 && !is_multiple(v, s->factor))
		s = &size_suffixes[0];
	if (unit == UNIT_PPS && v < 10000)
		s = &pps_suffixes[0];
	return s;
}

const char *units_format(double value, enum unit unit, char *buf, unsigned len)
{
	const struct suffix *s;
	double v = value < 0 ? -value : value;
	char number[64];

	if (unit == UNIT_BOOL || unit == UNIT_TEXT) {
		snprintf(buf, len, "%s",
			 unit == UNIT_TEXT ? ""
			 : value != 0	   ? "true"
					   : "false");
		return buf;
	}
	if (!__builtin_isfinite(value)) {
		snprintf(buf, len, "-");
		return buf;
	}
	s = pick_suffix(v, unit);
	v = v / s->factor;
	print_number(number, sizeof(number), v, unit == UNIT_RATIO ? 4 : 3);
	if (v == 0 && unit != UNIT_RATIO)
		s = &no_suffixes[0];
	snprintf(buf, len, "%s%s%s", value < 0 ? "-" : "", number, s->text);
	return buf;
}

const char *units_expect(enum unit unit)
{
	return kinds[unit].expect;
}

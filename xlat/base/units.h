/* SPDX-License-Identifier: MIT */
/* Quantities as people write them: 150mbit, 5ms, 1000pps, 64KiB, 0.1%. */
#ifndef BASE_UNITS_H
#define BASE_UNITS_H

#include <stdint.h>

enum unit {
	UNIT_NONE,  /* a bare number */
	UNIT_TIME,  /* ns s(uffix) ns us ms s m h; stored in nanoseconds */
	UNIT_RATE,  /* bit kbit mbit gbit (powers of 1000); bits a second */
	UNIT_PPS,   /* pps kpps mpps; packets a second */
	UNIT_SIZE,  /* B KiB MiB GiB; bytes */
	UNIT_RATIO, /* %: stored as a fraction, 0.001 for 0.1% */
	UNIT_BOOL,
	UNIT_TEXT,
};

/*
 * units_parse - a number with the suffix that its kind demands.
 * Returns 0; -EINVAL for a wrong or missing suffix, -ERANGE when negative or
 * too large to be meant. A bare 0 needs no suffix.
 */
int units_parse(const char *text, enum unit unit, double *out);

/* units_format - as short as a person would write it; @buf has @len bytes. */
const char *units_format(double value, enum unit unit, char *buf, unsigned len);

/* units_expect - "a time such as 5ms", for messages. */
const char *units_expect(enum unit unit);

#endif

/* SPDX-License-Identifier: MIT */
#include "procnet.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

double procnet_field(const char *text, const char *group, const char *name)
{
	size_t len = strlen(group);
	const char *names = text, *values;
	char word[64];
	int used, used2;
	double v;

	while (names && strncmp(names, group, len) != 0) {
		names = strchr(names, '\n');
		names = names ? names + 1 : NULL;
	}
	values = names ? strchr(names, '\n') : NULL;
	if (!values || strncmp(values + 1, group, len) != 0)
		return NAN;
	names += len;
	values += 1 + len;
	while (sscanf(names, "%63s%n", word, &used) == 1 &&
	       sscanf(values, "%lf%n", &v, &used2) == 1) {
		if (!strcmp(word, name))
			return v;
		names += used;
		values += used2;
	}
	return NAN;
}

double procnet_line(const char *text, const char *name)
{
	const char *at_name = strstr(text, name);
	double v;

	return at_name && sscanf(at_name + strlen(name), "%lf", &v) == 1 ? v
									 : NAN;
}

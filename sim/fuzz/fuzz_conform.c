/* SPDX-License-Identifier: MIT */
/*
 * Conformance cases made of anything (libFuzzer): whatever can be read can be
 * built and compared with any packet, and any packet can be printed.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../conform/suite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t buf[PACKET_MAX_BYTES];

static void try_packet(const struct packet *p, const uint8_t *data, size_t size)
{
	static struct bind binds[MAX_BINDS];
	char why[256] = "", text[256];
	size_t n;

	memset(binds, 0, sizeof(binds));
	n = packet_build(p, binds, NULL, 0, buf, sizeof(buf), NULL);
	if (n)
		packet_format(buf, n, text, sizeof(text));
	if (!packet_match(p, data, size, binds, why, sizeof(why)) && !why[0])
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = calloc(1, size + 1), line[256];
	struct arena *a = arena_new();
	struct suite *s;
	struct diags d;

	if (!text)
		abort();
	memcpy(text, data, size);
	if (size)
		packet_format(data, size, line, sizeof(line));
	diags_init(&d);
	s = suite_load_text("fuzz", text, a, &d);
	if (!s && !d.n)
		abort();
	for (size_t i = 0; s && i < s->n_cases; i++)
		for (size_t k = 0; k < s->cases[i]->n_steps; k++)
			if (s->cases[i]->steps[k].packet)
				try_packet(s->cases[i]->steps[k].packet, data,
					   size);
	diags_fini(&d);
	arena_free(a);
	free(text);
	return 0;
}

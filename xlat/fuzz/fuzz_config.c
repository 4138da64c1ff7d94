/* SPDX-License-Identifier: MIT */
/*
 * xlatd's configuration, as a role reads it. What is accepted must also be
 * usable: it is applied, and compared with itself as a reload would.
 *
 * Input: one byte (the role, modulo three), then YAML.
 */
#include <stdlib.h>
#include <string.h>

#include "../daemon/config.h"
#include "../daemon/setup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Tables of millions of sessions say nothing new and take their time. */
#define MAX_SESSIONS 4096

static void apply(const struct config *c)
{
	struct mono now = {NS_PER_S};
	struct setup s = {0};
	const char *what;
	struct err e;

	if (!config_same_shape(c, c, &what))
		abort();
	if (c->role == ROLE_PLAT && c->sessions > MAX_SESSIONS)
		return;
	if (setup_init(&s, c, now, &e))
		return; /* static entries outside pool4, say */
	if (setup_apply(&s, c, c, now, &e))
		abort();
	if (s.path.nat64 && nat64_check(s.path.nat64))
		abort();
	setup_fini(&s);
}

/* Every diagnostic must be printable. */
static void print(struct diags *d)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return;
	diags_print(d, f);
	fclose(f);
	if (!d->n != !len)
		abort();
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *c;
	struct arena *a;
	struct diags d;

	if (!size)
		return 0;
	a = arena_new();
	diags_init(&d);
	c = config_load_text("fuzz.yaml", (const char *)data + 1, size - 1,
			     (enum role)(data[0] % 3), a, &d);
	if (!c == !d.n)
		abort();
	print(&d);
	if (c)
		apply(c);
	diags_fini(&d);
	arena_free(a);
	return 0;
}

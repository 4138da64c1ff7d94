/* SPDX-License-Identifier: MIT */
/* Topology and scenario files made of anything (libFuzzer). */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../plan/plan.h"
#include "../spec/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What loads must also be plannable, or be refused in words. */
static void plan_it(const struct topology *t, struct arena *a)
{
	struct err e = {""};
	struct plan *p = plan_new(t, a, &e);

	if (!p && !e.text[0])
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct topology *t;
	struct diags d;
	char path[32];
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	diags_init(&d);
	t = spec_load_topology(path, a, &d);
	if (t)
		plan_it(t, a);
	else if (!d.n)
		abort();
	diags_fini(&d);
	diags_init(&d);
	if (!spec_load_scenario(path, a, &d) && !d.n)
		abort();
	diags_fini(&d);
	close(fd);
	arena_free(a);
	return 0;
}

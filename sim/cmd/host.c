/* SPDX-License-Identifier: MIT */
#include "host.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

static char *cpu_model(struct arena *a)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[256];
	char *model = NULL;

	while (f && !model && fgets(line, sizeof(line), f)) {
		char *colon = strchr(line, ':');

		if (strncmp(line, "model name", 10) || !colon)
			continue;
		line[strcspn(line, "\n")] = '\0';
		model = arena_strdup(a, colon + 1 + strspn(colon + 1, " "));
	}
	if (f)
		fclose(f);
	return model ? model : arena_strdup(a, "unknown");
}

void host_describe(struct result *r, struct arena *a)
{
	struct utsname u;
	cpu_set_t set;

	r->host.kernel = uname(&u) ? "unknown"
				   : arena_printf(a, "%s %s %s", u.sysname,
						  u.release, u.machine);
	r->host.cpu = cpu_model(a);
	r->host.cores =
		sched_getaffinity(0, sizeof(set), &set) ? 0 : CPU_COUNT(&set);
	r->host.version = "xlatsim " XLATSIM_VERSION;
}

struct host_cpu host_cpu_read(void)
{
	unsigned long long v[8] = {0}; /* user nice system idle iowait irq
					  softirq steal */
	struct host_cpu c = {0, 0};
	FILE *f = fopen("/proc/stat", "re");

	if (!f)
		return c;
	if (fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0],
		   &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7]) == 8) {
		for (int i = 0; i < 8; i++)
			c.total += v[i];
		c.busy = c.total - v[3] - v[4];
	}
	fclose(f);
	return c;
}

double host_cpu_share(struct host_cpu from, struct host_cpu to)
{
	if (to.total <= from.total)
		return 0;
	return (double)(to.busy - from.busy) / (double)(to.total - from.total);
}

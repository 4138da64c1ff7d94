/* SPDX-License-Identifier: MIT */
/* What the kernel says of processor time, for the engine's bench. */
#ifndef TESTS_BENCH_CPU_H
#define TESTS_BENCH_CPU_H

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Nanoseconds on a core of one process, from schedstat. */
static inline int64_t schedstat_ns(const char *pid)
{
	char path[64];
	long long ns = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%.16s/schedstat", pid);
	f = fopen(path, "r");
	if (f && fscanf(f, "%lld", &ns) != 1)
		ns = 0;
	if (f)
		fclose(f);
	return ns;
}

/* The kernel's softirq threads. */
static inline int64_t softirq_ns(void)
{
	DIR *d = opendir("/proc");
	struct dirent *de;
	int64_t sum = 0;

	while (d && (de = readdir(d))) {
		char path[64], comm[32] = "";
		FILE *f;

		if (de->d_name[0] < '1' || de->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%.16s/comm", de->d_name);
		f = fopen(path, "r");
		if (f && fgets(comm, sizeof(comm), f) &&
		    !strncmp(comm, "ksoftirqd", 9))
			sum += schedstat_ns(de->d_name);
		if (f)
			fclose(f);
	}
	if (d)
		closedir(d);
	return sum;
}

#endif

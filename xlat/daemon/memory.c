/* SPDX-License-Identifier: MIT */
#include "memory.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>

#define HUGE_BYTES ((size_t)2 << 20)

void *memory_map(size_t bytes, bool huge)
{
	size_t slack = huge && bytes >= HUGE_BYTES ? HUGE_BYTES : 0, before;
	char *mem = mmap(NULL, bytes + slack, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		return NULL;
	before = slack ? -(uintptr_t)mem % HUGE_BYTES : 0;
	if (before)
		munmap(mem, before);
	mem += before;
	bytes = (bytes + 4095) & ~(size_t)4095;
	if (slack > before)
		munmap(mem + bytes, slack - before);
	/* a refusal only costs speed */
	madvise(mem, bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return mem;
}

void memory_unmap(void *mem, size_t bytes)
{
	if (mem)
		munmap(mem, bytes);
}

size_t memory_huge_bytes(const void *mem)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	uintptr_t from, to, at = (uintptr_t)mem;
	bool ours = false;
	char line[256];
	size_t kib = 0;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &from, &to) == 2)
			ours = at >= from && at < to;
		else if (ours && sscanf(line, "AnonHugePages: %zu", &kib) == 1)
			break;
	}
	if (f)
		fclose(f);
	return kib * 1024;
}

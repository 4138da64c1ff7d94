/* SPDX-License-Identifier: MIT */
/* Large tables: memory in huge pages where the system has any. */
#ifndef DAEMON_MEMORY_H
#define DAEMON_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/*
 * memory_map - @bytes of zeroed memory, none of it touched yet.
 * @huge: ask for huge pages (2 MiB), and lie where they can begin; what the
 *        system gives is another matter: memory_huge_bytes. False: ask for
 *        small ones, to compare.
 * Returns NULL with errno set. Context: syscalls.
 */
void *memory_map(size_t bytes, bool huge);

/* memory_unmap - @mem of memory_map with the same @bytes, or NULL. */
void memory_unmap(void *mem, size_t bytes);

/*
 * memory_huge_bytes - of the touched memory around @mem, how much is in huge
 * pages. 0 as well when /proc cannot be read. Context: syscalls.
 */
size_t memory_huge_bytes(const void *mem);

#endif

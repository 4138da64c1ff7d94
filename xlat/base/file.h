/* SPDX-License-Identifier: MIT */
/* Whole files, read and written in one go. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stddef.h>
#include <stdio.h>

#include "err.h"

/* file_read - malloc'ed, NUL-terminated content; NULL with @e set. */
char *file_read(const char *path, size_t *len, struct err *e);

/*
 * file_read_secret - as file_read, for keys: a regular file of at most @most
 * bytes that is root's or our own, and that nobody else may use. It is looked
 * at after it was opened, so that it cannot be exchanged in between.
 */
char *file_read_secret(const char *path, size_t most, size_t *len,
		       struct err *e);

/* file_write - create or replace through a temporary name and rename. */
int file_write(const char *path, const void *data, size_t len, struct err *e);

/*
 * file_write_stream - as file_write, with what @f holds: an open_memstream()
 * into @text and @len, or NULL when there was no memory for one. @f is closed
 * and @text freed, whatever happens.
 */
int file_write_stream(const char *path, FILE *f, char **text, size_t *len,
		      struct err *e);

/* file_put - write a short text to an existing file such as a sysctl. */
int file_put(const char *path, const char *text, struct err *e);

/* file_mkdirs - mkdir -p, mode 0755. */
int file_mkdirs(const char *path, struct err *e);

/* file_rmtree - remove a directory and all in it, never crossing a mount. */
int file_rmtree(const char *path, struct err *e);

#endif

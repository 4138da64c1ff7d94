/* SPDX-License-Identifier: MIT */
#ifndef ENGINE_VTY_H
#define ENGINE_VTY_H

#include <stdbool.h>
#include <stddef.h>

#include "../../xlat/base/err.h"

/*
 * vty_run - one command, and what the daemon prints as text in @buf, or as the
 * words of the error. @fd: connected to its socket, with a time limit set.
 * Returns 0 or -errno. Context: syscalls.
 */
int vty_run(int fd, const char *line, char *buf, size_t len, struct err *e);
/*
 * vty_configure - enter configuration lines into an FRR daemon.
 * @fd: connected to its socket, with a time limit set
 * @lines: ends with NULL
 * Returns 0, or -errno with the line and what the daemon said of it: the lines
 * before that one hold. Context: syscalls.
 */
int vty_configure(int fd, const char *const *lines, struct err *e);

/*
 * vty_config_has - does @text, a running configuration, have the last one of
 * @lines in the block that the ones before it open? @lines: as above.
 * Context: pure.
 */
bool vty_config_has(const char *text, const char *const *lines);

#endif

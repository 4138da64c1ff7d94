/* SPDX-License-Identifier: MIT */
/* What went wrong, in words for the person who must act on it. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

struct err {
	char text[512];
};

/*
 * err_set - describe a failure and return its code.
 * @e: where to write; NULL is allowed (the text is dropped)
 * @code: a positive errno value
 * @fmt: what could not be done, where, and the offending value
 *
 * Returns -@code, so that `return err_set(e, EINVAL, "...")` reads well.
 * Context: pure.
 */
int err_set(struct err *e, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* err_prefix - put "@fmt: " in front of a text already set. Pure. */
void err_prefix(struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif

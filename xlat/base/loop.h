/* SPDX-License-Identifier: MIT */
/*
 * One thread waiting for many things: descriptors, times, child processes
 * (by pidfd) and signals (by signalfd). Callbacks run inside loop_run*.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"

struct loop;
struct loop_source;

typedef void loop_fd_fn(void *arg, uint32_t epoll_events);
typedef void loop_timer_fn(void *arg, struct mono due);

struct loop *loop_new(void);
void loop_free(struct loop *l);

/* loop_add_fd - @events as in epoll_ctl(2). NULL on failure, errno set. */
struct loop_source *loop_add_fd(struct loop *l, int fd, uint32_t events,
				loop_fd_fn *fn, void *arg);
/* loop_add_timer - once, at @due; the source is removed before @fn runs. */
struct loop_source *loop_add_timer(struct loop *l, struct mono due,
				   loop_timer_fn *fn, void *arg);
/*
 * loop_del - forget a source (NULL is fine); safe inside callbacks. Delete a
 * source before closing its descriptor. A timer that has fired is gone.
 */
void loop_del(struct loop *l, struct loop_source *s);

/*
 * loop_run - dispatch until loop_stop().
 * loop_run_until - dispatch until @done(@arg) is true, checked before waiting
 * and after each callback, or until @deadline.
 * Returns 0; -ETIMEDOUT at the deadline; -EINTR after loop_stop().
 * A stopped loop stays stopped: later loop_run_until calls return -EINTR at
 * once, so that an interrupt ends every nested wait (loop_resume undoes it).
 */
int loop_run(struct loop *l);
int loop_run_until(struct loop *l, bool (*done)(void *arg), void *arg,
		   struct mono deadline);
void loop_stop(struct loop *l);
void loop_resume(struct loop *l);

#endif

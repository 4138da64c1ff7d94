/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * Descriptors are watched by one epoll set, level-triggered. Times sit in a
 * binary heap by (due, order of adding); one timerfd in the epoll set is armed
 * for the earliest of them or for the deadline of the wait, so that both have
 * nanosecond resolution.
 *
 * One callback runs per turn: events are fetched one at a time, so there is no
 * batch in which a deleted source, or one that a nested loop_run_until has
 * served already, could still be waiting. While timers are due they and the
 * descriptors take turns; neither can starve the other.
 *
 * An epoll event carries the descriptor and the serial number of its source.
 * A descriptor that was closed before its source was deleted, but lives on in
 * another process, can thus never reach a source that is gone.
 *
 * A source being dispatched is freed only when its callback has returned.
 * Cost: O(log n) a timer, O(1) a descriptor, one system call an event.
 */
#include "loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define TIMER_KEY UINT64_MAX
#define NOT_ARMED INT64_MAX

struct loop_source {
	bool is_timer, dead;
	unsigned int running; /* callbacks of it on the stack */
	void *arg;
	/* descriptor */
	int fd;
	uint32_t serial;
	loop_fd_fn *fd_fn;
	/* timer */
	struct mono due;
	uint64_t order;
	size_t at; /* index in the heap */
	loop_timer_fn *timer_fn;
};

struct loop {
	int epoll_fd, timer_fd;
	int64_t armed_ns;
	bool stopped, fd_turn;
	uint32_t serial;
	uint64_t order;
	struct loop_source **by_fd; /* index: descriptor */
	size_t n_fd;
	struct loop_source **heap;
	size_t n_heap, heap_size;
};

/* ---- timers: a binary heap ---------------------------------------------- */

static bool earlier(const struct loop_source *a, const struct loop_source *b)
{
	if (a->due.ns != b->due.ns)
		return a->due.ns < b->due.ns;
	return a->order < b->order;
}

static void heap_set(struct loop *l, size_t i, struct loop_source *s)
{
	l->heap[i] = s;
	s->at = i;
}

static void heap_up(struct loop *l, struct loop_source *s)
{
	size_t i = s->at;

	while (i && earlier(s, l->heap[(i - 1) / 2])) {
		heap_set(l, i, l->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	heap_set(l, i, s);
}

static void heap_down(struct loop *l, struct loop_source *s)
{
	size_t i = s->at;

	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= l->n_heap)
			break;
		if (child + 1 < l->n_heap &&
		    earlier(l->heap[child + 1], l->heap[child]))
			child++;
		if (!earlier(l->heap[child], s))
			break;
		heap_set(l, i, l->heap[child]);
		i = child;
	}
	heap_set(l, i, s);
}

static int heap_add(struct loop *l, struct loop_source *s)
{
	if (l->n_heap == l->heap_size) {
		size_t size = l->heap_size ? 2 * l->heap_size : 16;
		void *bigger = realloc(l->heap, size * sizeof(void *));

		if (!bigger)
			return -ENOMEM;
		l->heap = bigger;
		l->heap_size = size;
	}
	heap_set(l, l->n_heap++, s);
	heap_up(l, s);
	return 0;
}

static void heap_del(struct loop *l, struct loop_source *s)
{
	struct loop_source *last = l->heap[--l->n_heap];

	if (s->at == l->n_heap)
		return;
	last->at = s->at;
	heap_up(l, last);
	heap_down(l, last);
}

/* ---- life --------------------------------------------------------------- */

struct loop *loop_new(void)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = TIMER_KEY};
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->armed_ns = NOT_ARMED;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	l->timer_fd =
		timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (l->epoll_fd < 0 || l->timer_fd < 0 ||
	    epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->timer_fd, &ev)) {
		int code = errno;

		loop_free(l);
		errno = code;
		return NULL;
	}
	return l;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->n_heap; i++)
		free(l->heap[i]);
	for (size_t i = 0; i < l->n_fd; i++)
		free(l->by_fd[i]);
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
	if (l->timer_fd >= 0)
		close(l->timer_fd);
	free(l->heap);
	free(l->by_fd);
	free(l);
}

/* ---- sources ------------------------------------------------------------ */

static int make_room(struct loop *l, int fd)
{
	size_t size = l->n_fd ? l->n_fd : 16;
	struct loop_source **bigger;

	while (size <= (size_t)fd)
		size *= 2;
	if (size == l->n_fd)
		return 0;
	bigger = realloc(l->by_fd, size * sizeof(void *));
	if (!bigger)
		return -ENOMEM;
	memset(bigger + l->n_fd, 0, (size - l->n_fd) * sizeof(void *));
	l->by_fd = bigger;
	l->n_fd = size;
	return 0;
}

struct loop_source *loop_add_fd(struct loop *l, int fd, uint32_t events,
				loop_fd_fn *fn, void *arg)
{
	struct loop_source *s;
	struct epoll_event ev = {.events = events};

	if (fd < 0) {
		errno = EBADF;
		return NULL;
	}
	s = calloc(1, sizeof(*s));
	if (!s || make_room(l, fd)) {
		free(s);
		errno = ENOMEM;
		return NULL;
	}
	*s = (struct loop_source){.fd = fd,
				  .fd_fn = fn,
				  .arg = arg,
				  .serial = l->serial++ & 0x7fffffff};
	ev.data.u64 = (uint64_t)s->serial << 32 | (uint32_t)fd;
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev)) {
		int code = errno;

		free(s);
		errno = code;
		return NULL;
	}
	/* left behind by someone who closed first and deletes later */
	if (l->by_fd[fd])
		l->by_fd[fd]->fd = -1;
	l->by_fd[fd] = s;
	return s;
}

struct loop_source *loop_add_timer(struct loop *l, struct mono due,
				   loop_timer_fn *fn, void *arg)
{
	struct loop_source *s = calloc(1, sizeof(*s));

	if (!s) {
		errno = ENOMEM;
		return NULL;
	}
	*s = (struct loop_source){.is_timer = true,
				  .fd = -1,
				  .due = due,
				  .timer_fn = fn,
				  .arg = arg,
				  .order = l->order++};
	if (heap_add(l, s)) {
		free(s);
		errno = ENOMEM;
		return NULL;
	}
	return s;
}

/* Take @s out of every table; it may still be running. */
static void forget(struct loop *l, struct loop_source *s)
{
	s->dead = true;
	if (s->is_timer) {
		heap_del(l, s);
	} else if (s->fd >= 0) {
		/* fails if the descriptor is closed already: then it is gone */
		epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
		l->by_fd[s->fd] = NULL;
	}
}

void loop_del(struct loop *l, struct loop_source *s)
{
	if (!s || s->dead)
		return;
	forget(l, s);
	if (!s->running)
		free(s);
}

/* ---- dispatching -------------------------------------------------------- */

static void arm(struct loop *l, int64_t wake_ns)
{
	struct itimerspec its = {0};

	if (wake_ns == l->armed_ns)
		return;
	if (wake_ns != NOT_ARMED) {
		/* zero would disarm */
		int64_t ns = wake_ns > 0 ? wake_ns : 1;

		its.it_value.tv_sec = ns / NS_PER_S;
		its.it_value.tv_nsec = ns % NS_PER_S;
	}
	timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &its, NULL);
	l->armed_ns = wake_ns;
}

static void run_timer(struct loop *l)
{
	struct loop_source *s = l->heap[0];

	assert(s->at == 0);
	s->dead = true;
	heap_del(l, s);
	s->running++;
	s->timer_fn(s->arg, s->due);
	free(s);
}

static void run_fd(struct loop *l, uint64_t key, uint32_t events)
{
	size_t fd = (uint32_t)key;
	struct loop_source *s = fd < l->n_fd ? l->by_fd[fd] : NULL;

	if (!s || s->serial != key >> 32)
		return;
	s->running++;
	s->fd_fn(s->arg, events);
	if (!--s->running && s->dead)
		free(s);
}

static void clear_timer(struct loop *l)
{
	uint64_t ticks;

	/* EAGAIN when it was armed anew meanwhile: nothing to clear */
	if (read(l->timer_fd, &ticks, sizeof(ticks)) == sizeof(ticks))
		l->armed_ns = NOT_ARMED;
}

/* At most one callback, at the latest at @deadline. */
static void turn(struct loop *l, struct mono now, struct mono deadline)
{
	bool due = l->n_heap && !mono_before(now, l->heap[0]->due);
	struct epoll_event ev;
	int n;

	if (due && !l->fd_turn) {
		l->fd_turn = true;
		run_timer(l);
		return;
	}
	l->fd_turn = false;
	if (!due) {
		int64_t wake = deadline.ns;

		if (l->n_heap && l->heap[0]->due.ns < wake)
			wake = l->heap[0]->due.ns;
		arm(l, wake);
	}
	n = epoll_wait(l->epoll_fd, &ev, 1, due ? 0 : -1);
	if (n < 1)
		return;
	if (ev.data.u64 == TIMER_KEY)
		clear_timer(l);
	else
		run_fd(l, ev.data.u64, ev.events);
}

int loop_run_until(struct loop *l, bool (*done)(void *arg), void *arg,
		   struct mono deadline)
{
	for (;;) {
		struct mono now;

		if (l->stopped)
			return -EINTR;
		if (done && done(arg))
			return 0;
		now = clock_now();
		if (!mono_before(now, deadline))
			return -ETIMEDOUT;
		turn(l, now, deadline);
	}
}

int loop_run(struct loop *l)
{
	return loop_run_until(l, NULL, NULL, (struct mono){INT64_MAX});
}

void loop_stop(struct loop *l)
{
	l->stopped = true;
}

void loop_resume(struct loop *l)
{
	l->stopped = false;
}

/* SPDX-License-Identifier: MIT */
#include "flow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

struct flow_watch {
	struct probe *p;
	struct probe_flow *f;
};

static void on_flow(void *arg, uint32_t events)
{
	struct flow_watch *w = arg;
	char line[64];
	long long start_ns;
	ssize_t n = read(w->f->fd, line, sizeof(line) - 1);

	(void)events;
	if (n <= 0)
		return;
	line[n] = '\0';
	if (sscanf(line, "flowing %lld", &start_ns) != 1)
		return;
	w->f->flowing = true;
	w->p->started = (struct mono){start_ns};
	w->p->deadline = mono_add(w->p->started, w->f->tail_ns);
}

int flow_open(struct probe *p, struct probe_flow *f, int64_t tail_ns,
	      struct err *e)
{
	struct flow_watch *w = ARENA_NEW(p->arena, struct flow_watch);

	*w = (struct flow_watch){.p = p, .f = f};
	*f = (struct probe_flow){.fd = -1, .tail_ns = tail_ns};
	f->fifo = arena_printf(p->arena, "%s/probe-%s.flow",
			       world_node_dir(p->world, p->from), p->m->name);
	unlink(f->fifo);
	if (mkfifo(f->fifo, 0600))
		return err_set(e, errno, "%s: %s", f->fifo, strerror(errno));
	/* for writing too: else it is at its end until the client opens it */
	f->fd = open(f->fifo, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (f->fd >= 0)
		f->source = loop_add_fd(world_loop(p->world), f->fd, EPOLLIN,
					on_flow, w);
	if (!f->source)
		return err_set(e, errno, "%s: %s", f->fifo, strerror(errno));
	return 0;
}

void flow_close(struct probe *p, struct probe_flow *f)
{
	if (!f->fifo)
		return;
	loop_del(world_loop(p->world), f->source);
	f->source = NULL;
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	unlink(f->fifo);
}

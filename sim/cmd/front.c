/* SPDX-License-Identifier: MIT */
#include "front.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cmd.h"

static void on_signal(void *arg, uint32_t events)
{
	struct front *f = arg;
	struct signalfd_siginfo info;

	(void)events;
	if (read(f->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	f->caught = (int)info.ssi_signo;
	progress_note(f->progress, "%s: tearing down", strsignal(f->caught));
	loop_stop(f->loop);
}

int front_open(struct front *f, const char *cmd, struct loop *loop, bool quiet)
{
	enum progress_mode mode =
		isatty(STDERR_FILENO) ? PROGRESS_LIVE : PROGRESS_PLAIN;
	sigset_t set;

	*f = (struct front){.loop = loop, .signal_fd = -1};
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, &f->before);
	f->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (f->signal_fd >= 0)
		f->source =
			loop_add_fd(loop, f->signal_fd, EPOLLIN, on_signal, f);
	if (!f->source) {
		fprintf(stderr, "xlatsim %s: signalfd: %s\n", cmd,
			strerror(errno));
		return EXIT_HOST;
	}
	f->progress = progress_new(stderr, quiet ? PROGRESS_QUIET : mode);
	return 0;
}

void front_end_progress(struct front *f)
{
	progress_free(f->progress);
	f->progress = NULL;
}

void front_close(struct front *f)
{
	struct signalfd_siginfo more;

	front_end_progress(f);
	loop_del(f->loop, f->source);
	/* impatience: a second Ctrl-C would end us, once it is let through */
	while (f->signal_fd >= 0 &&
	       read(f->signal_fd, &more, sizeof(more)) == sizeof(more))
		;
	if (f->signal_fd >= 0)
		close(f->signal_fd);
	sigprocmask(SIG_SETMASK, &f->before, NULL);
}

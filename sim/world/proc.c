/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A process is known by its pidfd, watched in the loop; its pid is only for
 * people and /proc. It is reaped in exactly one place, reap(), whoever found
 * out first: the loop, a wait, or the end of its node. There the status and
 * the CPU time are kept and on_exit is called.
 *
 * How a program is started in a node: xlatsim makes the node's PID namespace
 * that of its children (setns), forks, and takes its own back. The child
 * enters the other namespaces through the supervisor's pidfd and executes the
 * program; if that fails, errno comes back through a pipe that closes by
 * itself when it succeeds.
 */
#include "world_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../xlat/base/log.h"

struct proc {
	struct world *w;
	int node;
	pid_t pid;
	int pidfd;
	struct loop_source *source;
	bool running;
	int wstatus;
	int64_t cpu_ns;
	void (*on_exit)(void *arg, struct proc *p, int wstatus);
	void *arg;
	struct proc *next;
};

/* ---- the end ---------------------------------------------------------------
 */

static int wstatus_of(const siginfo_t *si)
{
	if (si->si_code == CLD_EXITED)
		return (si->si_status & 0xff) << 8;
	return si->si_status | (si->si_code == CLD_DUMPED ? 0x80 : 0);
}

static int64_t timeval_ns(struct timeval tv)
{
	return tv.tv_sec * NS_PER_S + tv.tv_usec * NS_PER_US;
}

/* The process has ended. */
static void reap(struct proc *p, bool tell)
{
	struct rusage ru = {0};
	siginfo_t si = {0};
	long ret;

	if (!p->running)
		return;
	do
		ret = syscall(SYS_waitid, P_PIDFD, p->pidfd, &si, WEXITED, &ru);
	while (ret < 0 && errno == EINTR);
	p->running = false;
	p->wstatus = ret < 0 ? W_EXITCODE(255, 0) : wstatus_of(&si);
	p->cpu_ns = timeval_ns(ru.ru_utime) + timeval_ns(ru.ru_stime);
	loop_del(p->w->loop, p->source);
	p->source = NULL;
	close(p->pidfd);
	p->pidfd = -1;
	if (tell && p->on_exit)
		p->on_exit(p->arg, p, p->wstatus);
}

static void on_pidfd(void *arg, uint32_t events)
{
	(void)events;
	reap(arg, true);
}

static void kill_and_reap(struct proc *p, bool tell)
{
	if (!p->running)
		return;
	syscall(SYS_pidfd_send_signal, p->pidfd, SIGKILL, NULL, 0);
	if (wait_pidfd(p->pidfd, mono_add(clock_now(), KILL_PATIENCE_NS)))
		reap(p, tell);
	else
		log_warn("process %d does not end", (int)p->pid);
}

/* End and free what is no longer in the list. */
static void forget(struct proc *p)
{
	kill_and_reap(p, false);
	if (p->running) { /* it does not end: leave it alone */
		loop_del(p->w->loop, p->source);
		close(p->pidfd);
	}
	free(p);
}

/* A callback may start others: begin anew. */
static struct proc *find_running(struct world *w, int node)
{
	for (struct proc *p = w->procs; p; p = p->next)
		if (p->running && (node == -2 || p->node == node))
			return p;
	return NULL;
}

void procs_reap(struct world *w, int node, bool tell)
{
	struct proc *p, *last = NULL;

	while ((p = find_running(w, node)) && p != last) {
		last = p;
		kill_and_reap(p, tell);
	}
}

void procs_free(struct world *w)
{
	procs_reap(w, -2, false);
	while (w->procs) {
		struct proc *p = w->procs;

		w->procs = p->next;
		forget(p);
	}
}

/* ---- the beginning ---------------------------------------------------------
 */

struct start {
	const struct spawn *s;
	const struct node *n; /* NULL: xlatsim's own namespaces */
	const char *dir;
	int out_fd, err_fd, null_fd, report_fd, lock_fd;
	pid_t parent;
};

static int open_output(const char *dir, const char *name, int flags,
		       struct err *e)
{
	char path[PATH_MAX];
	int fd;

	if (name[0] == '/')
		snprintf(path, sizeof(path), "%s", name);
	else
		snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);
	if (fd < 0)
		return err_set(e, errno, "%s: %s", path, strerror(errno));
	return fd;
}

static int open_outputs(struct start *st, struct err *e)
{
	st->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (st->null_fd < 0)
		return err_set(e, errno, "/dev/null: %s", strerror(errno));
	st->err_fd = st->s->log ? open_output(st->dir, st->s->log, O_APPEND, e)
				: dup(st->null_fd);
	if (st->err_fd < 0)
		return st->err_fd;
	st->out_fd = st->s->out ? open_output(st->dir, st->s->out, O_TRUNC, e)
				: dup(st->err_fd);
	return st->out_fd < 0 ? st->out_fd : 0;
}

static void close_outputs(struct start *st)
{
	if (st->null_fd >= 0)
		close(st->null_fd);
	if (st->err_fd >= 0)
		close(st->err_fd);
	if (st->out_fd >= 0)
		close(st->out_fd);
}

/* glibc's signal() refuses its own two, 32 and 33; some shells ignore them. */
void child_reset_signals(void)
{
	static const unsigned long deflt[4]; /* the kernel's sigaction, zero */
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		syscall(SYS_rt_sigaction, sig, deflt, NULL, NSIG / 8);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int child_setup(const struct start *st)
{
	child_reset_signals();
	setsid();
	if (st->n) {
		if (st->n->group_fd >= 0 && quota_enter(st->n->group_fd))
			return -errno;
		if (setns(st->n->pidfd,
			  CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS))
			return -errno;
	} else {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != st->parent)
			_exit(127);
	}
	if (dup2(st->null_fd, 0) < 0 || dup2(st->out_fd, 1) < 0 ||
	    dup2(st->err_fd, 2) < 0 ||
	    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) || chdir(st->dir))
		return -errno;
	if (setenv("PATH", WORLD_PATH, 1) || setenv("LC_ALL", "C.UTF-8", 1))
		return -errno;
	return 0;
}

/* execvp takes what it is given as not const; it does not change it. */
static char *const *exec_args(const char *const *argv)
{
	union {
		const char *const *in;
		char *const *out;
	} u = {.in = argv};

	return u.out;
}

static void __attribute__((noreturn)) child_main(const struct start *st)
{
	int code;

	close(st->lock_fd);
	code = -child_setup(st);
	if (!code) {
		execvp(st->s->argv[0], exec_args(st->s->argv));
		code = errno;
	}
	_exit(write(st->report_fd, &code, sizeof(code)) == sizeof(code) ? 127
									: 126);
}

/* Fork into the node's PID namespace. */
static pid_t fork_into(struct world *w, const struct start *st, int *pidfd,
		       struct err *e)
{
	pid_t pid;
	int code;

	if (st->n && setns(st->n->pidfd, CLONE_NEWPID))
		return err_set(e, errno, "cannot enter: %s", strerror(errno));
	pid = fork_with(0, pidfd);
	if (pid == 0)
		child_main(st);
	code = errno;
	if (st->n && setns(w->self_pid, CLONE_NEWPID)) {
		log_err("cannot return to the own PID namespace: %s",
			strerror(errno));
		abort();
	}
	if (pid < 0)
		return err_set(e, code, "fork: %s", strerror(code));
	return pid;
}

static int read_report(int fd, const char *program, struct err *e)
{
	int code = 0;
	ssize_t n;

	do
		n = read(fd, &code, sizeof(code));
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return 0;
	if (code == ENOENT)
		return err_set(e, ENOENT, "'%s' is not installed (not in %s)",
			       program, WORLD_PATH);
	return err_set(e, code, "'%s' cannot be started: %s", program,
		       strerror(code));
}

/* Fork, and wait for the program to be in its place. */
static int launch(struct world *w, struct start *st, struct proc *p,
		  struct err *e)
{
	int fds[2], ret;

	if (pipe2(fds, O_CLOEXEC))
		return err_set(e, errno, "pipe: %s", strerror(errno));
	st->report_fd = fds[1];
	st->parent = getpid();
	st->lock_fd = w->lock_fd;
	p->pid = fork_into(w, st, &p->pidfd, e);
	close(fds[1]);
	if (p->pid < 0) {
		close(fds[0]);
		return p->pid;
	}
	ret = read_report(fds[0], st->s->argv[0], e);
	close(fds[0]);
	p->running = true;
	if (!ret) {
		p->source =
			loop_add_fd(w->loop, p->pidfd, EPOLLIN, on_pidfd, p);
		if (!p->source)
			ret = err_set(e, errno, "loop: %s", strerror(errno));
	}
	if (ret)
		kill_and_reap(p, false);
	return ret;
}

int world_spawn(struct world *w, const struct spawn *s, struct proc **out,
		struct err *e)
{
	struct start st = {.s = s,
			   .dir = world_node_dir(w, s->node),
			   .out_fd = -1,
			   .err_fd = -1,
			   .null_fd = -1};
	struct proc *p;
	int ret;

	*out = NULL;
	if (s->node >= 0) {
		st.n = &w->nodes[s->node];
		if (!node_running(st.n))
			return err_set(e, EHOSTDOWN,
				       "node %s is down: '%s' cannot be "
				       "started there",
				       st.n->name, s->argv[0]);
	}
	p = calloc(1, sizeof(*p));
	if (!p)
		return err_set(e, ENOMEM, "out of memory");
	*p = (struct proc){.w = w,
			   .node = s->node,
			   .wstatus = -1,
			   .on_exit = s->on_exit,
			   .arg = s->arg};
	ret = open_outputs(&st, e);
	if (!ret)
		ret = launch(w, &st, p, e);
	close_outputs(&st);
	if (ret) {
		if (st.n)
			err_prefix(e, "node %s", st.n->name);
		free(p);
		return ret;
	}
	p->next = w->procs;
	w->procs = p;
	*out = p;
	return 0;
}

/* ---- while it lives --------------------------------------------------------
 */

bool proc_running(const struct proc *p)
{
	return p->running;
}

int proc_status(const struct proc *p)
{
	return p->running ? -1 : p->wstatus;
}

pid_t proc_pid(const struct proc *p)
{
	return p->pid;
}

int proc_signal(struct proc *p, int sig)
{
	if (!p->running)
		return -ESRCH;
	return syscall(SYS_pidfd_send_signal, p->pidfd, sig, NULL, 0) ? -errno
								      : 0;
}

static bool has_ended(void *arg)
{
	return !((struct proc *)arg)->running;
}

int proc_wait(struct proc *p, struct mono deadline)
{
	if (!p->running)
		return 0;
	return loop_run_until(p->w->loop, has_ended, p, deadline);
}

void proc_stop(struct proc *p, int64_t grace_ns)
{
	struct mono deadline = mono_add(clock_now(), grace_ns);

	if (!p->running)
		return;
	proc_signal(p, SIGTERM);
	proc_signal(p, SIGCONT); /* a stopped one would not notice */
	/* an interrupted loop must not cut the grace short */
	if (proc_wait(p, deadline) == -EINTR && wait_pidfd(p->pidfd, deadline))
		reap(p, true);
	kill_and_reap(p, true);
}

int64_t proc_cpu_ns(const struct proc *p)
{
	struct timespec ts;
	clockid_t clock;

	if (!p->running || clock_getcpuclockid(p->pid, &clock) ||
	    clock_gettime(clock, &ts))
		return p->cpu_ns;
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

const char *proc_describe_end(const struct proc *p, char *buf, size_t len)
{
	if (p->running)
		snprintf(buf, len, "is running");
	else if (WIFEXITED(p->wstatus))
		snprintf(buf, len, "exited with status %d",
			 WEXITSTATUS(p->wstatus));
	else
		snprintf(buf, len, "killed by signal %d", WTERMSIG(p->wstatus));
	return buf;
}

void proc_free(struct proc *p)
{
	struct proc **at;

	if (!p)
		return;
	for (at = &p->w->procs; *at; at = &(*at)->next)
		if (*at == p) {
			*at = p->next;
			break;
		}
	forget(p);
}

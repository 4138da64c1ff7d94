/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A node is a network namespace plus, while it is up, a supervisor: PID 1 of a
 * PID namespace, in its own mount and UTS namespaces. The supervisor reaps
 * orphans and waits for the end of xlatsim: its descriptor of a pipe that only
 * xlatsim writes to reports end of file, and PR_SET_PDEATHSIG kills it. With
 * PID 1 the kernel ends every process of the namespace, so that no node
 * outlives xlatsim however that ended.
 *
 * The network namespace is held by a descriptor and outlives the supervisor:
 * world_node_down() ends the supervisor, world_node_up() starts another in the
 * same network. Everything that xlatsim itself does to the network goes
 * through netlink sockets opened inside once and kept.
 *
 * xlatsim has one thread, so it may visit a network namespace and come back.
 * It never enters a PID namespace itself; setns(2) for one concerns children.
 *
 * A killed supervisor ends only when xlatsim has reaped the zombies that it
 * started in the node (zap_pid_ns_processes waits for them): processes are
 * always reaped before their supervisor.
 */
#include "world_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../xlat/base/arena.h"
#include "../../xlat/base/file.h"
#include "../../xlat/base/log.h"

pid_t fork_with(uint64_t flags, int *pidfd)
{
	struct clone_args args = {
		.flags = flags | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
	};

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

bool wait_pidfd(int pidfd, struct mono deadline)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	for (;;) {
		int64_t left = mono_sub(deadline, clock_now());
		struct timespec ts = {0, 0};
		int n;

		if (left > 0) {
			ts.tv_sec = left / NS_PER_S;
			ts.tv_nsec = left % NS_PER_S;
		}
		n = ppoll(&p, 1, &ts, NULL);
		if (n > 0)
			return true;
		if (n == 0 && left <= 0)
			return false;
	}
}

/* ---- the supervisor --------------------------------------------------------
 */

static void reap_all(int signal_fd)
{
	struct signalfd_siginfo si;
	ssize_t n = read(signal_fd, &si, sizeof(si));

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		_exit(1);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* Runs until xlatsim ends or kills it. */
static void __attribute__((noreturn)) supervise(int life_fd)
{
	struct pollfd p[2] = {{.fd = life_fd, .events = POLLIN}};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	p[1].fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	p[1].events = POLLIN;
	if (p[1].fd < 0)
		_exit(1);
	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			_exit(1);
		if (p[0].revents)
			_exit(0);
		if (p[1].revents)
			reap_all(p[1].fd);
	}
}

/* Keep @a and @b as descriptors 3 and 4, /dev/null as 0 to 2, nothing else. */
static int keep_only(int a, int b)
{
	int null_fd = open("/dev/null", O_RDWR);
	int high_a = fcntl(a, F_DUPFD, 64), high_b = fcntl(b, F_DUPFD, 64);

	if (null_fd < 0 || high_a < 0 || high_b < 0)
		return -errno;
	for (int fd = 0; fd < 3; fd++)
		if (dup2(null_fd, fd) < 0)
			return -errno;
	if (dup2(high_a, 3) < 0 || dup2(high_b, 4) < 0 ||
	    close_range(5, ~0U, 0))
		return -errno;
	return 0;
}

static int supervisor_setup(const struct node *n, struct err *e)
{
	if (setns(n->net_fd, CLONE_NEWNET))
		return err_set(e, errno, "cannot enter its network: %s",
			       strerror(errno));
	if (sethostname(n->name, strlen(n->name)))
		return err_set(e, errno, "host name: %s", strerror(errno));
	return mounts_setup(n, e);
}

struct ready {
	int code;
	struct err e;
};

static void __attribute__((noreturn))
supervisor_main(const struct node *n, int ready_fd)
{
	struct ready r = {0};

	close(n->w->lock_fd);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, n->name);
	child_reset_signals();
	setsid();
	r.code = supervisor_setup(n, &r.e);
	if (keep_only(n->w->life[0], ready_fd) ||
	    write(4, &r, sizeof(r)) != sizeof(r) || r.code)
		_exit(1);
	close(4);
	supervise(3);
}

static int read_ready(int fd, struct err *e)
{
	struct ready r;
	ssize_t n;

	do
		n = read(fd, &r, sizeof(r));
	while (n < 0 && errno == EINTR);
	if (n != sizeof(r))
		return err_set(e, ECHILD, "its supervisor died at once");
	if (r.code)
		return err_set(e, -r.code, "%s", r.e.text);
	return 0;
}

int node_start(struct node *n, struct err *e)
{
	int fds[2], ret;

	if (pipe2(fds, O_CLOEXEC))
		return err_set(e, errno, "pipe: %s", strerror(errno));
	n->pid =
		fork_with(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS, &n->pidfd);
	if (n->pid == 0)
		supervisor_main(n, fds[1]);
	close(fds[1]);
	if (n->pid < 0) {
		ret = err_set(e, errno, "supervisor: %s", strerror(errno));
		n->pid = 0;
	} else {
		ret = read_ready(fds[0], e);
	}
	close(fds[0]);
	if (ret && n->pid) {
		node_kill(n);
		node_reap(n, false);
	}
	if (ret)
		err_prefix(e, "node %s", n->name);
	return ret;
}

bool node_running(const struct node *n)
{
	return n->pid && !wait_pidfd(n->pidfd, clock_now());
}

void node_kill(struct node *n)
{
	if (n->pid &&
	    syscall(SYS_pidfd_send_signal, n->pidfd, SIGKILL, NULL, 0) &&
	    errno != ESRCH)
		log_warn("node %s: kill: %s", n->name, strerror(errno));
}

void node_reap(struct node *n, bool tell)
{
	siginfo_t si;

	if (!n->pid)
		return;
	procs_reap(n->w, n->index, tell);
	if (!wait_pidfd(n->pidfd, mono_add(clock_now(), KILL_PATIENCE_NS)))
		log_warn("node %s: its processes do not end", n->name);
	else
		waitid(P_PIDFD, (id_t)n->pidfd, &si, WEXITED);
	close(n->pidfd);
	n->pidfd = -1;
	n->pid = 0;
}

/* ---- the network namespace -------------------------------------------------
 */

/* In the fresh namespace: descriptor and netlink socket. */
static int net_open(struct node *n, struct err *e)
{
	n->net_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (n->net_fd < 0)
		return err_set(e, errno, "/proc/self/ns/net: %s",
			       strerror(errno));
	n->route = nlm_open(NETLINK_ROUTE, e);
	return n->route ? 0 : -EIO;
}

static int net_build(struct node *n, struct err *e)
{
	int ret;

	if (unshare(CLONE_NEWNET))
		return err_set(e, errno, "network namespace: %s",
			       strerror(errno));
	ret = net_open(n, e);
	if (setns(n->w->self_net, CLONE_NEWNET)) {
		log_err("cannot return to the own network namespace: %s",
			strerror(errno));
		abort();
	}
	return ret;
}

int node_put_sysctl(struct node *n, const char *key, const char *value,
		    struct err *e)
{
	char path[256];
	int ret;

	snprintf(path, sizeof(path), "/proc/sys/%s", key);
	if (setns(n->net_fd, CLONE_NEWNET))
		return err_set(e, errno, "%s: %s", n->name, strerror(errno));
	ret = file_put(path, value, e);
	if (setns(n->w->self_net, CLONE_NEWNET))
		abort();
	if (ret)
		err_prefix(e, "node %s", n->name);
	return ret;
}

int node_build(struct node *n, struct err *e)
{
	int ret = file_mkdirs(n->dir, e);

	if (!ret)
		ret = net_build(n, e);
	if (!ret)
		ret = netns_name_add(n, e);
	if (!ret) {
		n->named = true;
		ret = mounts_write_etc(n, NULL, e);
	}
	if (!ret)
		ret = node_start(n, e);
	if (!ret && n->w->plan->nodes[n->index].cpu > 0)
		ret = quota_build(n, n->w->plan->nodes[n->index].cpu, e);
	if (ret)
		node_teardown(n);
	return ret;
}

void node_teardown(struct node *n)
{
	node_kill(n);
	node_reap(n, false);
	quota_teardown(n);
	if (n->named)
		netns_name_del(n);
	n->named = false;
	nl_socket_free(n->genl);
	nl_socket_free(n->route);
	n->genl = n->route = NULL;
	if (n->net_fd >= 0)
		close(n->net_fd);
	n->net_fd = -1;
}

/* ---- all its processes -----------------------------------------------------
 */

int node_signal_all(struct node *n, int sig, struct err *e)
{
	siginfo_t si = {0};
	int pidfd;
	pid_t pid;

	if (setns(n->pidfd, CLONE_NEWPID))
		return err_set(e, errno, "node %s: cannot be entered: %s",
			       n->name, strerror(errno));
	pid = fork_with(0, &pidfd);
	/* -1: all that it sees, but PID 1 and itself */
	if (pid == 0) {
		close(n->w->lock_fd);
		_exit(kill(-1, sig) && errno != ESRCH);
	}
	if (setns(n->w->self_pid, CLONE_NEWPID))
		abort();
	if (pid < 0)
		return err_set(e, errno, "node %s: %s", n->name,
			       strerror(errno));
	waitid(P_PIDFD, (id_t)pidfd, &si, WEXITED);
	close(pidfd);
	if (si.si_code != CLD_EXITED || si.si_status)
		return err_set(e, EIO, "node %s: signal %d was not delivered",
			       n->name, sig);
	return 0;
}

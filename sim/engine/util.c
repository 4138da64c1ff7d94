/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * start() of an engine spawns and returns. What has to follow once a process
 * listens (the next process, routes) is a step: a function called from the
 * loop every few milliseconds until it says that it is done. A step never
 * waits. So an engine comes back by itself after engine_restart(), while the
 * time line goes on.
 *
 * Sockets of processes live in the node's private /run. They are reached from
 * outside through /proc/PID/root, which keeps their names short, however deep
 * the result directory is.
 */
#include "engine_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../xlat/base/file.h"

#define STEP_NS	  (5 * NS_PER_MS)
#define HELPER_NS (10 * NS_PER_S)

const struct plan_node *engine_node(const struct engine *en)
{
	return &world_plan(en->world)->nodes[en->daemon->node];
}

const char *engine_dir(const struct engine *en)
{
	return world_node_dir(en->world, en->daemon->node);
}

/* ---- processes -------------------------------------------------------------
 */

void engine_fault(struct engine *en, const char *fmt, ...)
{
	struct engines *es = en->all;
	va_list ap;

	if (en->expected_down || en->fault[0])
		return;
	va_start(ap, fmt);
	vsnprintf(en->fault, sizeof(en->fault), fmt, ap);
	va_end(ap);
	if (!en->first_fault[0]) {
		memcpy(en->first_fault, en->fault, sizeof(en->fault));
		en->first_fault_at = clock_now();
	}
	if (es && es->on_fault)
		es->on_fault(es->on_fault_arg, en);
}

static void on_end(void *arg, struct proc *p, int wstatus)
{
	struct engine *en = arg;
	const char *program = "";
	bool ending = false;
	char end[64];

	(void)wstatus;
	en->serving = false;
	if (en->ops->ended && en->n_procs && p == en->procs[0])
		en->ops->ended(en);
	for (size_t i = 0; i < en->n_procs; i++)
		if (en->procs[i] == p) {
			program = en->programs[i];
			ending = en->ending[i];
		}
	if (!ending)
		engine_fault(en, "ended: %s %s; see %s", program,
			     proc_describe_end(p, end, sizeof(end)),
			     engine_dir(en));
}

int engine_spawn_at(struct engine *en, size_t at, const char *const *argv,
		    const char *log, struct err *e)
{
	const char *slash = strrchr(argv[0], '/');
	struct spawn s = {.node = en->daemon->node,
			  .argv = argv,
			  .log = log,
			  .on_exit = on_end,
			  .arg = en};
	struct proc *p;
	int ret;

	if (at >= ENGINE_MAX_PROCS || at > en->n_procs)
		return err_set(e, ENOSPC, "%s: too many processes", argv[0]);
	ret = world_spawn(en->world, &s, &p, e);
	if (ret)
		return ret;
	if (at < en->n_procs)
		proc_free(en->procs[at]);
	else
		en->n_procs++;
	en->procs[at] = p;
	en->ending[at] = false;
	snprintf(en->programs[at], sizeof(*en->programs), "%.15s",
		 slash ? slash + 1 : argv[0]);
	return 0;
}

int engine_spawn(struct engine *en, const char *const *argv, const char *log,
		 struct err *e)
{
	return engine_spawn_at(en, en->n_procs, argv, log, e);
}

int engine_end_one(struct engine *en, size_t at, struct err *e)
{
	int ret;

	en->ending[at] = true;
	ret = proc_signal(en->procs[at], SIGTERM);
	return ret ? err_set(e, -ret, "%s: %s", en->programs[at],
			     strerror(-ret))
		   : 0;
}

void engine_drop(struct engine *en)
{
	loop_del(world_loop(en->world), en->timer);
	en->timer = NULL;
	en->serving = false;
	for (size_t i = 0; i < en->n_procs; i++)
		proc_free(en->procs[i]);
	en->n_procs = 0;
}

/* The last line of a log, for the message. */
static void last_line(const char *path, char *buf, size_t len)
{
	size_t n;
	char *text = file_read(path, &n, NULL), *start;

	buf[0] = '\0';
	if (!text)
		return;
	while (n && (text[n - 1] == '\n' || text[n - 1] == ' '))
		text[--n] = '\0';
	start = strrchr(text, '\n');
	snprintf(buf, len, ": %s", start ? start + 1 : text);
	free(text);
}

int engine_run(struct world *w, int node, const char *const *argv,
	       const char *out, struct err *e)
{
	struct spawn s = {
		.node = node, .argv = argv, .log = "helpers.log", .out = out};
	struct proc *p;
	char end[64], path[4096], line[256];
	int ret = world_spawn(w, &s, &p, e);

	if (ret)
		return ret;
	ret = proc_wait(p, mono_add(clock_now(), HELPER_NS));
	if (ret == -EINTR) {
		err_set(e, EINTR, "interrupted");
	} else if (ret || proc_status(p)) {
		snprintf(path, sizeof(path), "%s/helpers.log",
			 world_node_dir(w, node));
		last_line(path, line, sizeof(line));
		ret = err_set(e, EIO, "node %s: '%s' %s%s",
			      world_plan(w)->nodes[node].name, argv[0],
			      proc_describe_end(p, end, sizeof(end)), line);
	}
	proc_free(p);
	return ret;
}

/* ---- steps -----------------------------------------------------------------
 */

static void on_timer(void *arg, struct mono due)
{
	struct engine *en = arg;

	(void)due;
	en->timer = NULL;
	if (!en->n_procs || !proc_running(en->procs[0]))
		return;
	if (en->step(en)) {
		en->serving = true;
		return;
	}
	en->timer =
		loop_add_timer(world_loop(en->world),
			       mono_add(clock_now(), STEP_NS), on_timer, en);
	if (!en->timer)
		engine_fault(en, "could not be watched");
}

int engine_poll(struct engine *en, bool (*step)(struct engine *en),
		struct err *e)
{
	en->step = step;
	en->timer =
		loop_add_timer(world_loop(en->world),
			       mono_add(clock_now(), STEP_NS), on_timer, en);
	if (!en->timer)
		return err_set(e, errno, "loop: %s", strerror(errno));
	return 0;
}

static bool is_settled(void *arg)
{
	const struct engine *en = arg;

	return en->serving || en->fault[0];
}

int engine_await_serving(struct engine *en, struct mono deadline, struct err *e)
{
	int ret =
		loop_run_until(world_loop(en->world), is_settled, en, deadline);

	if (ret == -EINTR)
		return err_set(e, EINTR, "interrupted");
	if (en->fault[0])
		return err_set(e, ECHILD, "%s", en->fault);
	if (ret)
		return err_set(e, ETIMEDOUT,
			       "%s was started but does not serve; see %s",
			       en->n_procs ? en->programs[0] : en->ops->name,
			       engine_dir(en));
	return 0;
}

/* ---- devices ---------------------------------------------------------------
 */

#define QUEUE_PKTS 1000

static int raise_inside(void *arg)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret;
	struct ifreq r = {0};

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", (const char *)arg);
	r.ifr_qlen = QUEUE_PKTS;
	ret = ioctl(fd, SIOCSIFTXQLEN, &r);
	if (!ret)
		ret = ioctl(fd, SIOCGIFFLAGS, &r);
	r.ifr_flags |= IFF_UP;
	if (!ret)
		ret = ioctl(fd, SIOCSIFFLAGS, &r);
	ret = ret ? -errno : 0;
	close(fd);
	return ret;
}

int engine_raise_tun(struct world *w, int node, const char *dev, struct err *e)
{
	union {
		const char *in;
		void *out;
	} u = {.in = dev};
	int ret = world_enter(w, node, raise_inside, u.out, e);

	return ret ? err_set(e, -ret, "node %s: %s: %s",
			     world_plan(w)->nodes[node].name, dev,
			     strerror(-ret))
		   : 0;
}

/* ---- files -----------------------------------------------------------------
 */

int engine_put(const struct engine *en, const char *name, FILE *f, char **text,
	       size_t *len, struct err *e)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", engine_dir(en), name);
	return file_write_stream(path, f, text, len, e);
}

/* ---- control sockets -------------------------------------------------------
 */

int engine_connect(const struct proc *p, const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = 2};
	int fd, ret;

	if (!proc_running(p))
		return -ESRCH;
	if ((size_t)snprintf(addr.sun_path, sizeof(addr.sun_path),
			     "/proc/%d/root%s", (int)proc_pid(p),
			     path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (!connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

int engine_listen(const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int ret;

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	unlink(path);
	if (fd >= 0 && !bind(fd, (struct sockaddr *)&un, sizeof(un)) &&
	    !listen(fd, 8))
		return fd;
	ret = -errno;
	if (fd >= 0)
		close(fd);
	return ret;
}

/* Up to a newline or the end. */
static char *read_line(int fd)
{
	char *text = NULL, buf[4096];
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	ssize_t n;

	if (!f)
		return NULL;
	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0) {
		fwrite(buf, 1, (size_t)n, f);
		if (memchr(buf, '\n', (size_t)n))
			break;
	}
	fclose(f);
	if (n >= 0)
		return text;
	free(text);
	return NULL;
}

int engine_inquire(struct engine *en, const char *path, const char *line)
{
	int fd = en->n_procs ? engine_connect(en->procs[0], path) : -ESRCH;
	char end[] = {'\n'};
	struct iovec whole[] = {
		{.iov_base = (void *)(uintptr_t)line, .iov_len = strlen(line)},
		{.iov_base = end, .iov_len = sizeof(end)},
	};
	struct msghdr question = {.msg_iov = whole, .msg_iovlen = 2};
	int ret;

	/* at once: a server that closes with bytes unread resets the answer */
	if (fd < 0 || sendmsg(fd, &question, MSG_NOSIGNAL) >= 0)
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

json_t *engine_ask(struct engine *en, const char *path, const char *line,
		   struct err *e)
{
	int fd = engine_inquire(en, path, line);
	json_t *answer = NULL;
	json_error_t je;
	char *text;

	if (fd < 0) {
		err_set(e, -fd, "%s at %s: %s: %s", en->ops->name,
			engine_node(en)->name, path, strerror(-fd));
		return NULL;
	}
	text = read_line(fd);
	close(fd);
	if (text)
		answer = json_loads(text, 0, &je);
	if (!answer)
		err_set(e, EPROTO, "%s at %s: no answer to '%s'", en->ops->name,
			engine_node(en)->name, line);
	free(text);
	return answer;
}

/* ---- the host --------------------------------------------------------------
 */

int host_find(const char *program, char *path, size_t len)
{
	const char *at = WORLD_PATH;

	while (*at) {
		size_t n = strcspn(at, ":");

		if ((size_t)snprintf(path, len, "%.*s/%s", (int)n, at,
				     program) < len &&
		    !access(path, X_OK))
			return 0;
		at += n + (at[n] == ':');
	}
	return -ENOENT;
}

int host_find_own(const char *program, char *path, size_t len)
{
	/* tests live one folder below; `make install` knows lib/ */
	static const char *const beside[] = {"", "/..", "/../tools",
					     "/../lib/xlatsim"};
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0) {
		self[n] = '\0';
		*strrchr(self, '/') = '\0';
		for (size_t i = 0; i < sizeof(beside) / sizeof(*beside); i++) {
			if ((size_t)snprintf(path, len, "%s%s/%s", self,
					     beside[i], program) < len &&
			    !access(path, X_OK))
				return 0;
		}
	}
	return host_find(program, path, len);
}

static void __attribute__((noreturn))
host_child(const char *const *argv, int out)
{
	union {
		const char *const *in;
		char *const *out;
	} u = {.in = argv};
	int null = open("/dev/null", O_RDWR);

	dup2(null, 0);
	dup2(out, 1);
	dup2(out, 2);
	execv(argv[0], u.out);
	_exit(127);
}

int host_read(const char *const *argv, char *buf, size_t len)
{
	int fds[2], status = 0;
	size_t got = 0;
	ssize_t n;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (pid == 0)
		host_child(argv, fds[1]);
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return -errno;
	}
	while ((n = read(fds[0], buf + got, len - 1 - got)) > 0)
		got += (size_t)n;
	close(fds[0]);
	buf[got] = '\0';
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A run is alive while its lock is held (names.c). Of runs that are not, four
 * things can be left: names in /run/netns, the directory in /run/xlatsim,
 * control groups (quota.c), and, though supervisors should see to that,
 * processes: those in a network namespace that a name of the run stands for. A
 * name whose run has no directory belongs to no live run either.
 *
 * A process is killed through a pidfd, checked once more after opening, so
 * that a reused pid is never hit.
 */
#include "world_internal.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../xlat/base/arena.h"
#include "../../xlat/base/file.h"

struct name {
	const char *file; /* "xs-7f3a-plat1" */
	bool is_ns;
	dev_t dev;
	ino_t ino;
};

struct clean {
	bool dry_run;
	void (*each)(void *arg, const char *what);
	void *arg;
	struct arena *arena;
	struct name *names;
	size_t n_names;
	int count;
};

static void __attribute__((format(printf, 2, 3)))
found(struct clean *c, const char *fmt, ...)
{
	char what[320];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	c->count++;
	if (c->each)
		c->each(c->arg, what);
}

static bool is_run_id(const char *s)
{
	return strspn(s, "0123456789abcdef") == 4 && strlen(s) == 4;
}

/* Whether the process that made the lock @fd has ended. */
static bool maker_gone(int fd)
{
	char text[128] = "", ns[64], own[64];
	int pid;

	if (pread(fd, text, sizeof(text) - 1, 0) <= 0 ||
	    sscanf(text, "pid %d\nnamespace %63s", &pid, ns) != 2)
		return false;
	/* that of another PID namespace says nothing here */
	if (own_pid_namespace(own, sizeof(own)) || strcmp(ns, own) != 0)
		return false;
	return kill(pid, 0) && errno == ESRCH;
}

/* Whether nobody holds the lock of run @id. */
static bool is_dead(const char *id)
{
	char path[64];
	bool dead;
	int fd;

	snprintf(path, sizeof(path), RUNS_DIR "/%.4s/lock", id);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return true; /* made and locked under the lock we hold */
	dead = !flock(fd, LOCK_EX | LOCK_NB);
	/* a child that has not yet run holds it: closing it comes first */
	if (!dead && maker_gone(fd))
		dead = !flock(fd, LOCK_EX);
	close(fd);
	return dead;
}

static bool is_dead_name(const char *file)
{
	char id[5] = "";

	if (strncmp(file, "xs-", 3) != 0 || strlen(file) < 9 || file[7] != '-')
		return false;
	memcpy(id, file + 3, 4);
	return is_run_id(id) && is_dead(id);
}

static void collect_names(struct clean *c)
{
	DIR *d = opendir(NETNS_DIR);
	struct dirent *de;

	while (d && (de = readdir(d))) {
		struct stat st;
		struct name *n;

		if (!is_dead_name(de->d_name) ||
		    fstatat(dirfd(d), de->d_name, &st, 0))
			continue;
		n = ARENA_APPEND(c->arena, c->names, c->n_names);
		n->file = arena_strdup(c->arena, de->d_name);
		n->dev = st.st_dev;
		n->ino = st.st_ino;
	}
	if (d)
		closedir(d);
}

/* ---- processes -------------------------------------------------------------
 */

static const struct name *name_of_process(const struct clean *c,
					  const char *pid)
{
	char path[300];
	struct stat st, own;

	snprintf(path, sizeof(path), "/proc/%s/ns/net", pid);
	if (stat(path, &st) || stat("/proc/self/ns/net", &own) ||
	    st.st_ino == own.st_ino)
		return NULL;
	for (size_t i = 0; i < c->n_names; i++)
		if (c->names[i].ino == st.st_ino &&
		    c->names[i].dev == st.st_dev)
			return &c->names[i];
	return NULL;
}

static void kill_process(const struct clean *c, const char *pid)
{
	int fd = (int)syscall(SYS_pidfd_open, atoi(pid), 0);

	if (fd < 0)
		return;
	if (name_of_process(c, pid) &&
	    !syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0))
		wait_pidfd(fd, mono_add(clock_now(), KILL_PATIENCE_NS));
	close(fd);
}

static void clean_process(struct clean *c, const char *pid)
{
	const struct name *n = name_of_process(c, pid);
	char path[300], *comm;
	struct err e;

	if (!n)
		return;
	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	comm = file_read(path, NULL, &e);
	if (!comm)
		return; /* it has just ended */
	comm[strcspn(comm, "\n")] = '\0';
	found(c, "process %s (%s) in %s", pid, comm, n->file);
	free(comm);
	if (!c->dry_run)
		kill_process(c, pid);
}

static void clean_processes(struct clean *c)
{
	DIR *d = c->n_names ? opendir("/proc") : NULL;
	struct dirent *de;

	while (d && (de = readdir(d)))
		if (isdigit((unsigned char)de->d_name[0]))
			clean_process(c, de->d_name);
	if (d)
		closedir(d);
}

/* ---- names and directories -------------------------------------------------
 */

static int clean_names(struct clean *c, struct err *e)
{
	for (size_t i = 0; i < c->n_names; i++) {
		char *path = arena_printf(c->arena, NETNS_DIR "/%s",
					  c->names[i].file);

		found(c, "namespace %s", c->names[i].file);
		if (c->dry_run)
			continue;
		/* EINVAL: a file on which nothing is mounted yet */
		if ((umount2(path, MNT_DETACH) && errno != EINVAL) ||
		    unlink(path))
			return err_set(e, errno, "%s: cannot be removed: %s",
				       path, strerror(errno));
	}
	return 0;
}

/* The folder of a run that kept nothing in it for people (conform). */
static void clean_scratch(struct clean *c, const char *id)
{
	char *text, *dir, *name;
	struct err e;

	text = file_read(arena_printf(c->arena, RUNS_DIR "/%s/lock", id), NULL,
			 &e);
	dir = text ? strstr(text, "directory /") : NULL;
	if (dir) {
		dir += strlen("directory ");
		dir[strcspn(dir, "\n")] = '\0';
		name = strrchr(dir, '/') + 1;
		if (!strncmp(name, WORLD_SCRATCH, strlen(WORLD_SCRATCH)) &&
		    !access(dir, F_OK)) {
			found(c, "folder %s", dir);
			if (!c->dry_run)
				file_rmtree(dir, &e);
		}
	}
	free(text);
}

/* Control groups of nodes, which are empty once their processes are dead. */
static int clean_groups(struct clean *c, struct err *e)
{
	struct quota_root r;
	DIR *d = quota_find(&r) ? opendir(r.path) : NULL;
	struct dirent *de;
	int ret = 0;

	while (d && !ret && (de = readdir(d))) {
		if (!is_dead_name(de->d_name))
			continue;
		found(c, "control group %s", de->d_name);
		if (!c->dry_run && unlinkat(dirfd(d), de->d_name, AT_REMOVEDIR))
			ret = err_set(e, errno, "%.4000s/%s: %s", r.path,
				      de->d_name, strerror(errno));
	}
	if (d)
		closedir(d);
	return ret;
}

static int clean_runs(struct clean *c, struct err *e)
{
	DIR *d = opendir(RUNS_DIR);
	struct dirent *de;
	int ret = 0;

	while (d && !ret && (de = readdir(d))) {
		char *path;

		if (!is_run_id(de->d_name) || !is_dead(de->d_name))
			continue;
		clean_scratch(c, de->d_name);
		found(c, "run %s", de->d_name);
		path = arena_printf(c->arena, RUNS_DIR "/%s", de->d_name);
		if (!c->dry_run)
			ret = file_rmtree(path, e);
	}
	if (d)
		closedir(d);
	return ret;
}

int world_clean(bool dry_run, void (*each)(void *arg, const char *what),
		void *arg, struct err *e)
{
	struct clean c = {.dry_run = dry_run, .each = each, .arg = arg};
	int lock, ret;

	if (geteuid() != 0)
		return err_set(e, EPERM, "needs root");
	lock = runs_lock(e);
	if (lock < 0)
		return lock;
	c.arena = arena_new();
	collect_names(&c);
	clean_processes(&c);
	ret = clean_groups(&c, e);
	if (!ret)
		ret = clean_names(&c, e);
	if (!ret)
		ret = clean_runs(&c, e);
	arena_free(c.arena);
	close(lock);
	return ret ? ret : c.count;
}

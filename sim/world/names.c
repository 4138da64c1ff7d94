/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * /run/xlatsim/RUNID/lock is held with flock(2) by the run that lives: the
 * kernel drops the lock when that process ends, whatever the reason, so the
 * lock and nothing else says whether a run is alive. A child shares it until
 * its first action, which is to close it. The directory is made,
 * and removed, under a lock on /run/xlatsim/.lock: a run id that has just been
 * reserved can't be taken for a dead one.
 *
 * A run id reserved by world_new_run_id() waits in `reserved` with its lock
 * until world_build() takes it over.
 *
 * /run/netns is set up as iproute2 does it: a mount of its own with shared
 * propagation, in which a name is a file with a namespace mounted on it.
 */
#include "world_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../xlat/base/file.h"
#include "../../xlat/base/log.h"

#define MAX_RESERVED 64

static struct {
	char id[5];
	int fd;
} reserved[MAX_RESERVED];
static size_t n_reserved;

int runs_lock(struct err *e)
{
	int fd, ret = file_mkdirs(RUNS_DIR, e);

	if (ret)
		return ret;
	fd = open(RUNS_DIR "/.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || flock(fd, LOCK_EX)) {
		ret = err_set(e, errno, RUNS_DIR "/.lock: %s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return ret;
	}
	return fd;
}

int own_pid_namespace(char *buf, size_t len)
{
	ssize_t n = readlink("/proc/self/ns/pid", buf, len - 1);

	buf[n > 0 ? n : 0] = '\0';
	return n > 0 ? 0 : -errno;
}

/* Make /run/xlatsim/@id and lock it; -EEXIST when it is there already. */
static int reserve(const char *id, struct err *e)
{
	char path[64], ns[64];
	int fd;

	own_pid_namespace(ns, sizeof(ns));
	snprintf(path, sizeof(path), RUNS_DIR "/%s", id);
	if (mkdir(path, 0755))
		return err_set(e, errno, "%s: %s", path, strerror(errno));
	snprintf(path, sizeof(path), RUNS_DIR "/%s/lock", id);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) ||
	    dprintf(fd, "pid %d\nnamespace %s\n", (int)getpid(), ns) < 0) {
		int ret = err_set(e, errno, "%s: %s", path, strerror(errno));

		if (fd >= 0)
			close(fd);
		return ret;
	}
	return fd;
}

int world_new_run_id(char out[5])
{
	int lock = runs_lock(NULL), fd = -EEXIST;
	uint16_t random;

	if (lock < 0)
		return lock;
	if (n_reserved == MAX_RESERVED)
		fd = -EMFILE;
	for (int i = 0; i < 1000 && fd == -EEXIST; i++) {
		if (getrandom(&random, sizeof(random), 0) != sizeof(random)) {
			fd = -errno;
			break;
		}
		snprintf(out, 5, "%04x", random);
		fd = reserve(out, NULL);
	}
	close(lock);
	if (fd < 0)
		return fd;
	memcpy(reserved[n_reserved].id, out, 5);
	reserved[n_reserved++].fd = fd;
	return 0;
}

/* The lock of a reserved @id, no longer ours to keep; -1: not reserved. */
static int take_reserved(const char *id)
{
	for (size_t i = 0; i < n_reserved; i++) {
		int fd = reserved[i].fd;

		if (strcmp(reserved[i].id, id) != 0)
			continue;
		reserved[i] = reserved[--n_reserved];
		return fd;
	}
	return -1;
}

static void remove_run(const char *id, int fd)
{
	int lock = runs_lock(NULL);
	char path[64];
	struct err e;

	snprintf(path, sizeof(path), RUNS_DIR "/%s", id);
	if (file_rmtree(path, &e))
		log_warn("%s", e.text);
	close(fd);
	if (lock >= 0)
		close(lock);
}

void world_drop_run_id(const char *id)
{
	int fd = take_reserved(id);

	if (fd >= 0)
		remove_run(id, fd);
}

static bool id_valid(const char *id)
{
	return id && strlen(id) == 4 && strspn(id, "0123456789abcdef") == 4;
}

int lock_take(struct world *w, struct err *e)
{
	int lock;

	w->lock_fd = take_reserved(w->run_id);
	if (w->lock_fd < 0) {
		if (!id_valid(w->run_id))
			return err_set(e, EINVAL,
				       "run id '%s': not [0-9a-f]{4}",
				       w->run_id);
		lock = runs_lock(e);
		if (lock < 0)
			return lock;
		w->lock_fd = reserve(w->run_id, e);
		close(lock);
		if (w->lock_fd < 0)
			return w->lock_fd;
	}
	return 0;
}

int lock_note(struct world *w, struct err *e)
{
	if (dprintf(w->lock_fd, "directory %s\n", w->dir) < 0)
		return err_set(e, errno, RUNS_DIR "/%s/lock: %s", w->run_id,
			       strerror(errno));
	return 0;
}

void lock_drop(struct world *w)
{
	if (w->lock_fd >= 0)
		remove_run(w->run_id, w->lock_fd);
	w->lock_fd = -1;
}

/* ---- /run/netns ------------------------------------------------------------
 */

static int netns_dir_setup(struct err *e)
{
	int ret = file_mkdirs(NETNS_DIR, e);

	if (ret)
		return ret;
	if (!mount("", NETNS_DIR, "none", MS_SHARED | MS_REC, NULL))
		return 0;
	/* EINVAL: not a mount yet */
	if (errno != EINVAL ||
	    mount(NETNS_DIR, NETNS_DIR, "none", MS_BIND | MS_REC, NULL) ||
	    mount("", NETNS_DIR, "none", MS_SHARED | MS_REC, NULL))
		return err_set(e, errno, NETNS_DIR ": mount: %s",
			       strerror(errno));
	return 0;
}

static void name_path(const struct node *n, char *path, size_t len)
{
	snprintf(path, len, NETNS_DIR "/xs-%s-%s", n->w->run_id, n->name);
}

int netns_name_add(const struct node *n, struct err *e)
{
	char path[128], net[64];
	int lock = runs_lock(e), fd, ret;

	if (lock < 0)
		return lock;
	ret = netns_dir_setup(e);
	close(lock);
	if (ret)
		return ret;
	name_path(n, path, sizeof(path));
	snprintf(net, sizeof(net), "/proc/self/fd/%d", n->net_fd);
	fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (fd < 0)
		return err_set(e, errno, "%s: %s", path, strerror(errno));
	close(fd);
	if (mount(net, path, "none", MS_BIND, NULL)) {
		ret = err_set(e, errno, "%s: mount: %s", path, strerror(errno));
		unlink(path);
	}
	return ret;
}

void netns_name_del(const struct node *n)
{
	char path[128];

	name_path(n, path, sizeof(path));
	if (umount2(path, MNT_DETACH) && errno != EINVAL && errno != ENOENT)
		log_warn("%s: umount: %s", path, strerror(errno));
	if (unlink(path) && errno != ENOENT)
		log_warn("%s: unlink: %s", path, strerror(errno));
}

/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A node sees the host's files but for these:
 *   /proc	of its own PID namespace
 *   /sys	fresh, so that /sys/class/net is the node's
 *   /run	an empty tmpfs, so that pid files, sockets of FRR, BIND and the
 *		like are its own; the result directory and xlatsim's own
 *		directory are put back when they lie below it
 *   /var/tmp	likewise: FRR keeps crash logs there
 *   /etc/{resolv.conf,hosts,hostname,nsswitch.conf}
 *		the files of RESULT/nodes/NODE/etc, mounted over the host's
 *
 * A name in /etc may be a symbolic link, into /run as a rule: what it points
 * to is made in the new /run and is mounted over. Where the host has no such
 * file, /etc becomes an overlay with its changes in the node's /run: nothing
 * is ever made on the host.
 *
 * Mounts of the host are private copies here and those of /run/netns are
 * dropped at once: otherwise a node would keep every network alive that had a
 * name when the node was made.
 */
#include "world_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../xlat/base/file.h"

static const char *const etc_files[] = {"resolv.conf", "hosts", "hostname",
					"nsswitch.conf"};
#define N_ETC_FILES (sizeof(etc_files) / sizeof(*etc_files))

/* ---- files -----------------------------------------------------------------
 */

static int put_text(const struct node *n, const char *name, const char *text,
		    struct err *e)
{
	char path[PATH_MAX];
	size_t len = strlen(text);
	int fd, ret = 0;

	snprintf(path, sizeof(path), "%s/etc/%s", n->dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, text, len) != (ssize_t)len)
		ret = err_set(e, errno, "%s: cannot be written: %s", path,
			      strerror(errno));
	if (fd >= 0)
		close(fd);
	return ret;
}

int mounts_write_etc(const struct node *n, const char *resolv_conf,
		     struct err *e)
{
	char text[512];
	int ret;

	snprintf(text, sizeof(text), "%s/etc", n->dir);
	ret = file_mkdirs(text, e);
	if (!ret)
		ret = put_text(n, "resolv.conf", resolv_conf ? resolv_conf : "",
			       e);
	snprintf(text, sizeof(text),
		 "127.0.0.1 localhost %s\n::1 localhost ip6-localhost\n",
		 n->name);
	if (!ret)
		ret = put_text(n, "hosts", text, e);
	snprintf(text, sizeof(text), "%s\n", n->name);
	if (!ret)
		ret = put_text(n, "hostname", text, e);
	if (!ret)
		ret = put_text(n, "nsswitch.conf",
			       "passwd: files\ngroup: files\nshadow: files\n"
			       "hosts: files dns\nnetworks: files\n"
			       "protocols: files\nservices: files\n",
			       e);
	return ret;
}

/* ---- what must stay visible ------------------------------------------------
 */

struct keep {
	char path[PATH_MAX];
	int fd; /* -1: not below a private directory */
};

static int keep_open(struct keep *k, const char *path, struct err *e)
{
	k->fd = -1;
	if (!realpath(path, k->path))
		return err_set(e, errno, "%s: %s", path, strerror(errno));
	if (strncmp(k->path, "/run/", 5) != 0 &&
	    strncmp(k->path, "/var/tmp/", 9) != 0)
		return 0;
	k->fd = open_tree(AT_FDCWD, k->path,
			  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (k->fd < 0)
		return err_set(e, errno, "%s: %s", k->path, strerror(errno));
	return 0;
}

static int keep_mount(struct keep *k, struct err *e)
{
	int ret;

	if (k->fd < 0)
		return 0;
	ret = file_mkdirs(k->path, e);
	if (ret)
		return ret;
	if (move_mount(k->fd, "", AT_FDCWD, k->path, MOVE_MOUNT_F_EMPTY_PATH))
		return err_set(e, errno, "%s: cannot be mounted: %s", k->path,
			       strerror(errno));
	close(k->fd);
	return 0;
}

/* The directory that xlatsim, and xlatd beside it, are run from. */
static int program_dir(char path[PATH_MAX], struct err *e)
{
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);

	if (n < 0)
		return err_set(e, errno, "/proc/self/exe: %s", strerror(errno));
	path[n] = '\0';
	*strrchr(path, '/') = '\0';
	return 0;
}

/* ---- /run and /var/tmp -----------------------------------------------------
 */

static int make_dir(const char *path, mode_t mode, const char *owner,
		    struct err *e)
{
	struct passwd *pw = owner ? getpwnam(owner) : NULL;

	if (mkdir(path, mode) || chmod(path, mode) ||
	    (pw && chown(path, pw->pw_uid, pw->pw_gid)))
		return err_set(e, errno, "%s: %s", path, strerror(errno));
	return 0;
}

static int mount_private(const struct node *n, struct err *e)
{
	char program[PATH_MAX];
	struct keep result, own;
	int ret = program_dir(program, e);

	if (!ret)
		ret = keep_open(&result, n->w->dir, e);
	if (!ret)
		ret = keep_open(&own, program, e);
	if (ret)
		return ret;
	if (mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755"))
		return err_set(e, errno, "/run: %s", strerror(errno));
	if (mount("tmpfs", "/var/tmp", "tmpfs", MS_NOSUID | MS_NODEV,
		  "mode=1777"))
		return err_set(e, errno, "/var/tmp: %s", strerror(errno));
	ret = make_dir("/run/frr", 0775, "frr", e);
	if (!ret)
		ret = make_dir("/run/named", 0775, "bind", e);
	if (!ret)
		ret = make_dir("/run/lock", 01777, NULL, e);
	if (!ret)
		ret = keep_mount(&result, e);
	if (!ret && strcmp(own.path, result.path) != 0)
		ret = keep_mount(&own, e);
	return ret;
}

/* ---- /etc ------------------------------------------------------------------
 */

/*
 * Where /etc/@name ends up, though nothing may be there: its symbolic links
 * are followed one at a time.
 */
static int resolve(const char *name, char path[PATH_MAX])
{
	char target[PATH_MAX], next[2 * PATH_MAX];

	snprintf(path, PATH_MAX, "/etc/%s", name);
	for (int i = 0; i < 40; i++) {
		ssize_t n = readlink(path, target, sizeof(target) - 1);

		if (n < 0)
			return 0;
		target[n] = '\0';
		if (target[0] == '/')
			snprintf(next, sizeof(next), "%s", target);
		else
			snprintf(next, sizeof(next), "%.*s/%s",
				 (int)(strrchr(path, '/') - path), path,
				 target);
		if (strlen(next) >= PATH_MAX)
			return -ENAMETOOLONG;
		memcpy(path, next, strlen(next) + 1);
	}
	return -ELOOP;
}

static int make_empty(const char *path)
{
	char dir[PATH_MAX];
	int fd;

	snprintf(dir, sizeof(dir), "%s", path);
	*strrchr(dir, '/') = '\0';
	if (dir[0] && file_mkdirs(dir, NULL))
		return -errno;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* Let files be made in /etc that the host will never see. */
static int overlay_etc(struct err *e)
{
	if (mkdir("/run/.etc", 0700) || mkdir("/run/.etc/upper", 0755) ||
	    mkdir("/run/.etc/work", 0700) ||
	    mount("overlay", "/etc", "overlay", 0,
		  "lowerdir=/etc,upperdir=/run/.etc/upper,"
		  "workdir=/run/.etc/work"))
		return err_set(e, errno, "/etc: overlay: %s", strerror(errno));
	return 0;
}

static bool in_run(const char *path)
{
	char full[PATH_MAX], dir[PATH_MAX];

	snprintf(dir, sizeof(dir), "%s", path);
	/* /var/run and /etc/../run are /run too */
	for (;;) {
		*strrchr(dir, '/') = '\0';
		if (!dir[0])
			return false;
		if (realpath(dir, full))
			return !strcmp(full, "/run") ||
			       !strncmp(full, "/run/", 5);
	}
}

static int mount_etc_file(const struct node *n, const char *name,
			  bool *overlaid, struct err *e)
{
	char target[PATH_MAX], source[PATH_MAX];
	int ret = resolve(name, target);

	if (!ret && access(target, F_OK)) {
		if (!in_run(target)) {
			if (!*overlaid)
				ret = overlay_etc(e);
			if (ret)
				return ret;
			*overlaid = true;
			snprintf(target, sizeof(target), "/etc/%s", name);
			unlink(target); /* a link to nowhere */
		}
		ret = make_empty(target);
	}
	if (ret)
		return err_set(e, -ret, "/etc/%s: %s", name, strerror(-ret));
	snprintf(source, sizeof(source), "%s/etc/%s", n->dir, name);
	if (mount(source, target, NULL, MS_BIND, NULL))
		return err_set(e, errno, "%s: cannot be mounted on %s: %s",
			       source, target, strerror(errno));
	return 0;
}

/* ---- all -------------------------------------------------------------------
 */

int mounts_setup(const struct node *n, struct err *e)
{
	bool overlaid = false;
	int ret;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return err_set(e, errno, "mounts: /: %s%s", strerror(errno),
			       errno == EINVAL ? "; in a chroot, / has to be "
						 "a mount (pivot_root)"
					       : "");
	if (umount2(NETNS_DIR, MNT_DETACH))
		return err_set(e, errno, NETNS_DIR ": umount: %s",
			       strerror(errno));
	ret = mount_private(n, e);
	if (ret)
		return ret;
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  NULL))
		return err_set(e, errno, "/proc: %s", strerror(errno));
	/* refused in some containers, where the host's has to do */
	if (mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  NULL) &&
	    errno != EPERM)
		return err_set(e, errno, "/sys: %s", strerror(errno));
	for (size_t i = 0; i < N_ETC_FILES; i++) {
		ret = mount_etc_file(n, etc_files[i], &overlaid, e);
		if (ret)
			return ret;
	}
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A node with a quota has a control group of its own, xs-RUNID-NODE, at the top
 * of whichever hierarchy has the cpu controller: cgroup v1 (a mount with option
 * cpu) or v2. Every program that is started in the node enters it before it
 * executes; the supervisor does not, it only waits. The group is removed when
 * the node's processes have ended, and by `xlatsim clean` where nobody did.
 *
 * The period is short, so that a slow processor looks slow rather than stopped
 * for most of a tenth of a second (the kernel's own default).
 */
#include "world_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../xlat/base/arena.h"
#include "../../xlat/base/file.h"
#include "../../xlat/base/log.h"

#define PERIOD_US 20000
#define NONE	  "no cgroup has the cpu controller, or it cannot be used: "

bool quota_find(struct quota_root *r)
{
	FILE *f = setmntent("/proc/self/mounts", "r");
	struct mntent *m;
	bool found = false;

	while (f && !found && (m = getmntent(f))) {
		char path[sizeof(r->path) + 32];

		r->v2 = !strcmp(m->mnt_type, "cgroup2");
		if (!r->v2 && (strcmp(m->mnt_type, "cgroup") != 0 ||
			       !hasmntopt(m, "cpu")))
			continue;
		snprintf(r->path, sizeof(r->path), "%s", m->mnt_dir);
		snprintf(path, sizeof(path), "%s/cgroup.controllers", r->path);
		if (r->v2) {
			char *text = file_read(path, NULL, &(struct err){""});

			found = text && quota_has_word(text, "cpu");
			free(text);
		} else {
			found = true;
		}
	}
	if (f)
		endmntent(f);
	return found;
}

bool quota_has_word(const char *text, const char *word)
{
	size_t len;

	for (; *text; text += len) {
		text += strspn(text, " \n");
		len = strcspn(text, " \n");
		if (len == strlen(word) && !memcmp(text, word, len))
			return true;
	}
	return false;
}

static int put(const struct node *n, const char *key, const char *value,
	       struct err *e)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", n->group, key);
	return file_put(path, value, e);
}

static int set_quota(const struct node *n, bool v2, double share, struct err *e)
{
	long quota_us = (long)(share * PERIOD_US);
	char text[64];
	int ret;

	if (v2) {
		snprintf(text, sizeof(text), "%ld %d", quota_us, PERIOD_US);
		return put(n, "cpu.max", text, e);
	}
	snprintf(text, sizeof(text), "%d", PERIOD_US);
	ret = put(n, "cpu.cfs_period_us", text, e);
	snprintf(text, sizeof(text), "%ld", quota_us);
	return ret ? ret : put(n, "cpu.cfs_quota_us", text, e);
}

int quota_build(struct node *n, double share, struct err *e)
{
	struct quota_root r;
	char path[sizeof(r.path) + 64];
	int ret;

	if (!quota_find(&r))
		return err_set(e, ENOTSUP,
			       NONE "`cpu` of node %s needs one, mounted and "
				    "writable",
			       n->name);
	n->group = arena_printf(n->w->arena, "%s/xs-%s-%s", r.path,
				n->w->run_id, n->name);
	if (r.v2) { /* for its children; refused where that is set already */
		snprintf(path, sizeof(path), "%s/cgroup.subtree_control",
			 r.path);
		(void)file_put(path, "+cpu", &(struct err){""});
	}
	if (mkdir(n->group, 0755)) {
		ret = err_set(e, errno, NONE "%s: %s", n->group,
			      strerror(errno));
		n->group = NULL;
		return ret;
	}
	ret = set_quota(n, r.v2, share, e);
	if (!ret) {
		snprintf(path, sizeof(path), "%s/cgroup.procs", n->group);
		n->group_fd = open(path, O_WRONLY | O_CLOEXEC);
		if (n->group_fd < 0)
			ret = err_set(e, errno, "%s: %s", path,
				      strerror(errno));
	}
	if (ret)
		quota_teardown(n);
	return ret;
}

void quota_teardown(struct node *n)
{
	if (n->group_fd >= 0)
		close(n->group_fd);
	n->group_fd = -1;
	if (n->group && rmdir(n->group))
		log_warn("%s: cannot be removed: %s", n->group,
			 strerror(errno));
	n->group = NULL;
}

int quota_enter(int group_fd)
{
	return write(group_fd, "0", 1) == 1 ? 0 : -errno;
}

int world_quota_find(char *text, size_t len)
{
	struct quota_root r;

	if (!quota_find(&r))
		return -ENOTSUP;
	snprintf(text, len, "cgroup v%d at %.200s", r.v2 ? 2 : 1, r.path);
	return access(r.path, W_OK) ? -errno : 0;
}

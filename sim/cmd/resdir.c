/* SPDX-License-Identifier: MIT */
#include "resdir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../xlat/base/file.h"

#define SAME_SECOND_MAX 1000

int resdir_make(const char *out, const char *name, struct arena *a,
		const char **dir, const char **started, struct err *e)
{
	struct timespec now;
	struct tm tm;
	char stamp[32], iso[32];
	const char *parent = arena_printf(a, "%s/%s", out, name);
	int ret;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
	strftime(iso, sizeof(iso), "%Y-%m-%dT%H:%M:%SZ", &tm);
	*started = arena_strdup(a, iso);
	ret = file_mkdirs(parent, e);
	if (ret)
		return ret;
	for (int i = 1; i < SAME_SECOND_MAX; i++) {
		char *path =
			i == 1 ? arena_printf(a, "%s/%s", parent, stamp)
			       : arena_printf(a, "%s/%s-%d", parent, stamp, i);
		char *real;

		if (mkdir(path, 0755)) {
			if (errno == EEXIST)
				continue;
			return err_set(e, errno, "%s: cannot be made: %s", path,
				       strerror(errno));
		}
		real = realpath(path, NULL);
		*dir = arena_strdup(a, real ? real : path);
		free(real);
		return 0;
	}
	return err_set(e, EEXIST, "%s/%s: too many results of one second",
		       parent, stamp);
}

int resdir_link_latest(const char *dir, struct err *e)
{
	const char *slash = strrchr(dir, '/');
	struct arena *a = arena_new();
	char *latest = arena_printf(a, "%.*s/latest", (int)(slash - dir), dir);
	char *temp = arena_printf(a, "%.*s/.latest.%d", (int)(slash - dir), dir,
				  (int)getpid());
	int ret = 0;

	unlink(temp);
	if (symlink(slash + 1, temp) || rename(temp, latest))
		ret = err_set(e, errno, "%s: %s", latest, strerror(errno));
	arena_free(a);
	return ret;
}

/* SPDX-License-Identifier: MIT */
#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fail(struct err *e, int code, const char *path, const char *what)
{
	return err_set(e, code, "%s: cannot be %s: %s", path, what,
		       strerror(code));
}

/* Read to the end: files below /proc have no size beforehand. */
static char *read_all(int fd, size_t *len)
{
	size_t n = 0, size = 4096;
	char *buf = malloc(size + 1);

	while (buf) {
		ssize_t got = read(fd, buf + n, size - n);
		char *bigger;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			free(buf);
			return NULL;
		}
		if (got == 0) {
			buf[n] = '\0';
			*len = n;
			return buf;
		}
		n += (size_t)got;
		if (n < size)
			continue;
		size *= 2;
		bigger = realloc(buf, size + 1);
		if (!bigger)
			free(buf);
		buf = bigger;
	}
	errno = ENOMEM;
	return NULL;
}

char *file_read(const char *path, size_t *len, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	char *text;

	if (fd < 0) {
		fail(e, errno, path, "read");
		return NULL;
	}
	text = read_all(fd, &n);
	if (!text)
		fail(e, errno, path, "read");
	else if (len)
		*len = n;
	close(fd);
	return text;
}

static int check_secret(int fd, const char *path, size_t most, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail(e, errno, path, "examined");
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "%s: a regular file is expected",
			       path);
	if (st.st_uid && st.st_uid != geteuid())
		return err_set(e, EPERM,
			       "%s: belongs to user %u, neither to root nor to "
			       "user %u that we are",
			       path, st.st_uid, geteuid());
	if (st.st_mode & (S_IRWXG | S_IRWXO))
		return err_set(e, EPERM,
			       "%s: others than its owner may use this key "
			       "(try: chmod 600)",
			       path);
	if ((uintmax_t)st.st_size > most)
		return err_set(e, EFBIG,
			       "%s: at most %zu bytes are expected, this has "
			       "%ju",
			       path, most, (uintmax_t)st.st_size);
	return 0;
}

char *file_read_secret(const char *path, size_t most, size_t *len,
		       struct err *e)
{
	/* not waiting for the other end of a pipe */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char *text = NULL;

	if (fd < 0) {
		fail(e, errno, path, "read");
		return NULL;
	}
	if (!check_secret(fd, path, most, e)) {
		text = read_all(fd, len);
		if (!text)
			fail(e, errno, path, "read");
	}
	close(fd);
	return text;
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* A new file beside @path; its name goes to @temp. -1 with errno. */
static int open_temp(const char *path, char **temp)
{
	for (int i = 0; i < 100; i++) {
		int fd, code;

		if (asprintf(temp, "%s.%d-%d.tmp", path, (int)getpid(), i) < 0)
			break;
		fd = open(*temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (fd >= 0)
			return fd;
		code = errno;
		free(*temp);
		errno = code;
		if (code != EEXIST)
			break;
	}
	return -1;
}

int file_write(const char *path, const void *data, size_t len, struct err *e)
{
	char *temp;
	int fd, ret;

	fd = open_temp(path, &temp);
	if (fd < 0)
		return fail(e, errno, path, "written");
	ret = write_all(fd, data, len);
	if (close(fd) && !ret)
		ret = -errno;
	if (!ret && rename(temp, path))
		ret = -errno;
	if (ret) {
		unlink(temp);
		fail(e, -ret, path, "written");
	}
	free(temp);
	return ret;
}

int file_write_stream(const char *path, FILE *f, char **text, size_t *len,
		      struct err *e)
{
	int ret;

	if (!f)
		return err_set(e, ENOMEM, "%s: out of memory", path);
	ret = fclose(f) ? err_set(e, ENOMEM, "%s: out of memory", path)
			: file_write(path, *text, *len, e);
	free(*text);
	return ret;
}

int file_put(const char *path, const char *text, struct err *e)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC), ret = 0;
	size_t len = strlen(text);
	ssize_t n;

	if (fd < 0)
		return fail(e, errno, path, "written");
	/* in one piece: each write to a sysctl is a value of its own */
	do
		n = write(fd, text, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		ret = -errno;
	else if ((size_t)n != len)
		ret = -EIO;
	if (close(fd) && !ret)
		ret = -errno;
	return ret ? err_set(e, -ret, "%s: does not take '%s': %s", path, text,
			     strerror(-ret))
		   : 0;
}

static bool is_dir(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

int file_mkdirs(const char *path, struct err *e)
{
	char *p = strdup(path), *end;
	int ret = 0;

	if (!p)
		return err_set(e, ENOMEM, "out of memory");
	for (end = p; !ret && *end;) {
		char kept;

		end += strspn(end, "/");
		end += strcspn(end, "/");
		kept = *end;
		*end = '\0';
		if (mkdir(p, 0755)) {
			int code = errno;

			/* EROFS and EACCES come before EEXIST for some */
			if (!is_dir(p))
				ret = fail(e, code == EEXIST ? ENOTDIR : code,
					   p, "made a directory");
		}
		*end = kept;
	}
	free(p);
	return ret;
}

/* ---- removing a tree ---------------------------------------------------- */

/* Open directory @name without following links or entering a mount. */
static int open_below(int dir, const char *name)
{
	struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
					O_CLOEXEC,
			       .resolve = RESOLVE_NO_XDEV};

	return (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
}

static int remove_content(int fd, const char *path, struct err *e);

static int remove_entry(int dir, const char *name, const char *parent,
			struct err *e)
{
	char *path;
	int fd, ret;

	if (!unlinkat(dir, name, 0) || errno == ENOENT)
		return 0;
	ret = -errno;
	if (asprintf(&path, "%s/%s", parent, name) < 0)
		return err_set(e, ENOMEM, "out of memory");
	if (ret != -EISDIR && ret != -EPERM) {
		fail(e, -ret, path, "removed");
		free(path);
		return ret;
	}
	fd = open_below(dir, name);
	if (fd < 0 && errno == EXDEV)
		ret = err_set(e, EBUSY, "%s: is a mount point; left alone",
			      path);
	else if (fd < 0)
		ret = fail(e, errno, path, "removed");
	else
		ret = remove_content(fd, path, e);
	if (!ret && unlinkat(dir, name, AT_REMOVEDIR) && errno != ENOENT)
		ret = fail(e, errno, path, "removed");
	free(path);
	return ret;
}

/* Goes on after an error, to remove what can be; tells the first one. */
static int remove_content(int fd, const char *path, struct err *e)
{
	DIR *d = fdopendir(fd);
	struct dirent *de;
	int first = 0;

	if (!d) {
		first = fail(e, errno, path, "removed");
		close(fd);
		return first;
	}
	while ((de = readdir(d))) {
		int ret;

		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		ret = remove_entry(dirfd(d), de->d_name, path,
				   first ? NULL : e);
		if (!first)
			first = ret;
	}
	closedir(d);
	return first;
}

int file_rmtree(const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int ret;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return fail(e, errno, path, "removed");
	ret = remove_content(fd, path, e);
	if (!ret && rmdir(path))
		ret = fail(e, errno, path, "removed");
	return ret;
}

/* SPDX-License-Identifier: MIT */
/* The asking end of the control socket. */
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "server.h"

#define ANSWER_SECONDS 10

static int connect_to(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = ANSWER_SECONDS};
	int fd;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		close(fd);
		return -1;
	}
	return fd;
}

static char *read_all(int fd)
{
	char *text = NULL;
	size_t len = 0;

	for (;;) {
		char *bigger = realloc(text, len + 65536);
		ssize_t n;

		if (!bigger)
			break;
		text = bigger;
		n = recv(fd, text + len, 65535, 0);
		if (n < 0)
			break;
		len += (size_t)n;
		text[len] = '\0';
		if (!n)
			return text;
	}
	free(text);
	return NULL;
}

/* The answer as a new reference; NULL with a message printed. */
static json_t *ask(const char *path, const char *request)
{
	int fd = connect_to(path);
	char *text = NULL;
	json_t *answer = NULL;

	if (fd < 0) {
		fprintf(stderr, "xlatd: %s: %s\n", path, strerror(errno));
		return NULL;
	}
	if (dprintf(fd, "%s\n", request) > 0)
		text = read_all(fd);
	if (text)
		answer = json_loads(text, 0, NULL);
	if (!answer)
		fprintf(stderr, "xlatd: %s: no answer\n", path);
	free(text);
	close(fd);
	return answer;
}

static int print_answer(const json_t *o)
{
	const char *error = json_string_value(json_object_get(o, "error"));

	if (error) {
		fprintf(stderr, "xlatd: %s\n", error);
		return 1;
	}
	json_dumpf(o, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	putchar('\n');
	return 0;
}

/* All pages, one entry a line; @filter: what follows the cursor. */
static int list(const char *path, const char *what, int what_len,
		const char *filter)
{
	json_int_t cursor = 0;

	for (;;) {
		char request[512];
		json_t *page, *entry, *next;
		size_t i;

		snprintf(request, sizeof(request), "%.*s %lld%s", what_len,
			 what, (long long)cursor, filter);
		page = ask(path, request);
		if (!page)
			return 1;
		if (json_object_get(page, "error")) {
			print_answer(page);
			json_decref(page);
			return 1;
		}
		json_array_foreach(json_object_get(page, "entries"), i, entry)
		{
			json_dumpf(entry, stdout,
				   JSON_COMPACT | JSON_REAL_PRECISION(9));
			putchar('\n');
		}
		next = json_object_get(page, "next");
		cursor = json_integer_value(next);
		if (!json_is_integer(next)) {
			json_decref(page);
			return 0;
		}
		json_decref(page);
	}
}

/* "bib", "sessions", "eam", without a cursor; then maybe KEY=VALUE. */
static bool is_listing(const char *request)
{
	static const char *const words[] = {"bib", "sessions", "eam"};
	size_t n = strcspn(request, " ");
	const char *rest = request + n + strspn(request + n, " ");

	for (size_t i = 0; i < 3; i++)
		if (strlen(words[i]) == n && !strncmp(request, words[i], n))
			return !*rest || strchr(rest, '=');
	return false;
}

/* Compare the tables of two PLATs, and wait for what comes of it. */
static int compare(const char *path)
{
	const struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
	json_t *answer = ask(path, "compare start");
	const char *result;
	int status;

	for (;;) {
		if (!answer)
			return 1;
		result = json_string_value(json_object_get(answer, "result"));
		if (!result || strcmp(result, "running") != 0)
			break;
		json_decref(answer);
		nanosleep(&pause, NULL);
		answer = ask(path, "compare");
	}
	status = print_answer(answer);
	if (!result || strcmp(result, "equal") != 0)
		status = 1;
	json_decref(answer);
	return status;
}

int ctl_run(const char *path, const char *request)
{
	static const char differing[] = "compare list";
	json_t *answer;
	int status;

	if (!strcmp(request, "compare"))
		return compare(path);
	if (!strcmp(request, differing))
		return list(path, differing, sizeof(differing) - 1, "");
	if (is_listing(request))
		return list(path, request, (int)strcspn(request, " "),
			    request + strcspn(request, " "));
	answer = ask(path, request);
	if (!answer)
		return 1;
	status = print_answer(answer);
	json_decref(answer);
	return status;
}

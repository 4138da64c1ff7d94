/* SPDX-License-Identifier: MIT */
/* xlatd: one translation engine a process, and the tool that asks it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/log.h"
#include "server.h"
#include "who.h"

static const char usage[] =
	"Usage: xlatd clat|siit|plat --config FILE [--log-level LEVEL]\n"
	"                            [--ready-fd N]\n"
	"       xlatd ctl SOCKET stats|bib|sessions|reload|...\n"
	"       xlatd who ADDRESS4 PORT tcp|udp|icmp TIME FILE...\n"
	"       xlatd --version | --help\n"
	"LEVEL: error, warning, info (default), debug. See xlatd(8).\n";

static int bad_usage(const char *what, const char *word)
{
	fprintf(stderr, "xlatd: %s%s\n%s", what, word, usage);
	return 2;
}

static int parse_level(const char *word, enum log_level *level)
{
	static const char *const words[] = {"error", "warning", "info",
					    "debug"};

	for (unsigned int i = 0; i < 4; i++)
		if (!strcmp(word, words[i])) {
			*level = (enum log_level)i;
			return 0;
		}
	return -1;
}

/* A descriptor that is open. */
static int parse_fd(const char *word, int *fd)
{
	char *end;
	long v;

	errno = 0;
	v = strtol(word, &end, 10);
	if (errno || !*word || *end || v < 0 || v > INT_MAX ||
	    fcntl((int)v, F_SETFD, FD_CLOEXEC))
		return -1;
	*fd = (int)v;
	return 0;
}

static int run_role(enum role role, int argc, char **argv)
{
	enum log_level level = LOG_INFO;
	const char *config = NULL;
	int ready_fd = -1;

	for (int i = 0; i < argc; i += 2) {
		if (i + 1 == argc)
			return bad_usage("a value is expected after ", argv[i]);
		if (!strcmp(argv[i], "--config")) {
			config = argv[i + 1];
		} else if (!strcmp(argv[i], "--log-level")) {
			if (parse_level(argv[i + 1], &level))
				return bad_usage("unknown log level ",
						 argv[i + 1]);
		} else if (!strcmp(argv[i], "--ready-fd")) {
			if (parse_fd(argv[i + 1], &ready_fd))
				return bad_usage("not an open descriptor: ",
						 argv[i + 1]);
		} else {
			return bad_usage("unknown option ", argv[i]);
		}
	}
	if (!config)
		return bad_usage("--config is missing", "");
	log_init("xlatd", level);
	return server_run(config, role, ready_fd);
}

/* SOCKET WORD...: the words are one request. */
static int run_ctl(int argc, char **argv)
{
	char request[256];
	size_t len = 0;

	for (int i = 1; i < argc; i++) {
		int n = snprintf(request + len, sizeof(request) - len, "%s%s",
				 i > 1 ? " " : "", argv[i]);

		if (n < 0 || (size_t)n >= sizeof(request) - len)
			return bad_usage("the request is too long", "");
		len += (size_t)n;
	}
	return ctl_run(argv[0], request);
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return bad_usage("what shall it be?", "");
	for (unsigned int r = ROLE_CLAT; r <= ROLE_PLAT; r++)
		if (!strcmp(argv[1], role_name(r)))
			return run_role(r, argc - 2, argv + 2);
	if (!strcmp(argv[1], "ctl"))
		return argc >= 4 ? run_ctl(argc - 2, argv + 2)
				 : bad_usage("ctl wants SOCKET and a request",
					     "");
	if (!strcmp(argv[1], "who"))
		return who_run(argc - 2, argv + 2);
	if (!strcmp(argv[1], "--version")) {
		puts("xlatd " XLATSIM_VERSION);
		return 0;
	}
	if (!strcmp(argv[1], "--help")) {
		fputs(usage, stdout);
		return 0;
	}
	return bad_usage("unknown command ", argv[1]);
}

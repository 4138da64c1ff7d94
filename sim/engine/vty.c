/* SPDX-License-Identifier: MIT */
/*
 * Commands over the socket of an FRR daemon, as vtysh speaks it: a line and a
 * zero byte; what it prints, three zero bytes and a status (0: success).
 */
#include "vty.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

int vty_run(int fd, const char *line, char *buf, size_t len, struct err *e)
{
	size_t got = 0;
	ssize_t n;

	if (send(fd, line, strlen(line) + 1, MSG_NOSIGNAL) < 0)
		return err_set(e, errno, "'%s': %s", line, strerror(errno));
	while (got < len) {
		n = recv(fd, buf + got, len - got, 0);
		if (n <= 0)
			return err_set(e, n ? errno : EPIPE, "'%s': no answer",
				       line);
		got += (size_t)n;
		if (got >= 4 && !buf[got - 2] && !buf[got - 3] && !buf[got - 4])
			break;
	}
	if (got == len)
		return err_set(e, ENOBUFS, "'%s': a long answer", line);
	buf[got - 4] = '\0';
	if (!buf[got - 1])
		return 0;
	return err_set(e, EINVAL, "'%s': %s", line, buf);
}

int vty_configure(int fd, const char *const *lines, struct err *e)
{
	char said[4096];
	int ret = vty_run(fd, "enable", said, sizeof(said), e);

	if (!ret)
		ret = vty_run(fd, "configure terminal", said, sizeof(said), e);
	for (; *lines && !ret; lines++)
		ret = vty_run(fd, *lines, said, sizeof(said), e);
	return ret ? ret : vty_run(fd, "end", said, sizeof(said), e);
}

bool vty_config_has(const char *text, const char *const *lines)
{
	size_t depth = 0; /* of @lines, how many have been met */

	while (*text && lines[depth]) {
		size_t len = strcspn(text, "\n"), indent = strspn(text, " ");

		if (indent > len)
			indent = len;
		if (indent < depth)
			depth = indent; /* the block is over */
		if (indent == depth && len - indent == strlen(lines[depth]) &&
		    !memcmp(text + indent, lines[depth], len - indent))
			depth++;
		text += len + (text[len] == '\n');
	}
	return !lines[depth];
}

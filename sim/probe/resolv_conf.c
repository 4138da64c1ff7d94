/* SPDX-License-Identifier: MIT */
#include "resolv_conf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../xlat/base/clock.h"
#include "../../xlat/base/file.h"

#define DEFAULT_TIMEOUT 5
#define DEFAULT_TRIES	2

static void read_options(struct resolv_conf *c, char *line)
{
	char *save, *word = strtok_r(line, " \t", &save);

	for (; word; word = strtok_r(NULL, " \t", &save)) {
		if (!strncmp(word, "timeout:", 8) && atoi(word + 8) > 0)
			c->timeout_ns = atoi(word + 8) * NS_PER_S;
		if (!strncmp(word, "attempts:", 9) && atoi(word + 9) > 0)
			c->tries = atoi(word + 9);
		if (!strcmp(word, "rotate"))
			c->rotate = true;
	}
}

static void read_line(struct resolv_conf *c, char *line, bool servers)
{
	size_t n = strcspn(line, " \t");
	char *value = line + n + strspn(line + n, " \t");

	value[strcspn(value, "\r\n#;")] = '\0';
	if (n == 7 && !strncmp(line, "options", n))
		read_options(c, value);
	if (!servers || n != 10 || strncmp(line, "nameserver", n) ||
	    c->n_servers == RESOLV_MAX_SERVERS)
		return;
	value[strcspn(value, " \t")] = '\0';
	if (!addr_parse(value, &c->servers[c->n_servers]))
		c->n_servers++;
}

int resolv_conf_read(struct resolv_conf *c, bool servers, struct err *e)
{
	char *text = file_read("/etc/resolv.conf", NULL, e), *save;

	c->timeout_ns = DEFAULT_TIMEOUT * NS_PER_S;
	c->tries = DEFAULT_TRIES;
	if (!text)
		return servers ? -ENOENT : 0;
	for (char *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		read_line(c, line, servers);
	free(text);
	if (servers && !c->n_servers)
		return err_set(e, ENOENT, "/etc/resolv.conf names no server");
	return 0;
}

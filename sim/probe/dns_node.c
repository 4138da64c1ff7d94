/* SPDX-License-Identifier: MIT */
/*
 * One DNS query from inside a node, as a stub resolver makes it.
 *
 * Theory of operation
 *
 * The servers of /etc/resolv.conf (or the one given) are tried in turn, each
 * with the timeout found there, for as many rounds as it says; a server that
 * cannot be reached, refuses, or fails sends us on to the next one at once
 * (as in resolv.conf(5) and the C library). A truncated reply is asked for
 * again over TCP. Every try is written down: a name that resolves only after a
 * timeout has cost its user that second.
 *
 * The time is from the first packet sent to the reply that counts.
 */
#include "probe_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dns_msg.h"
#include "node_args.h"
#include "resolv_conf.h"

#define MAX_REPLY 65535

struct stub {
	const char *name;
	uint16_t type;
	struct resolv_conf conf;
	json_t *log;		/* every try */
	struct dns_reply reply; /* the best so far */
	struct addr server;	/* that gave it */
	bool answered;
	struct mono first, replied;
	uint8_t buf[MAX_REPLY];
};

enum outcome { GOT_REPLY, GOT_FAILURE, GOT_NOTHING };

/* ---- one try
 * ----------------------------------------------------------------------
 */

static int connect_to(const struct addr *server, int type)
{
	struct sockaddr_in sin = {.sin_family = AF_INET,
				  .sin_port = htons(53),
				  .sin_addr = server->v4};
	struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6,
				    .sin6_port = htons(53)};
	const bool v4 = server->family == AF_INET;
	int fd = socket(server->family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int ret;

	if (!v4)
		sin6.sin6_addr = server->v6;
	if (fd < 0)
		return -1;
	ret = v4 ? connect(fd, (struct sockaddr *)&sin, sizeof(sin))
		 : connect(fd, (struct sockaddr *)&sin6, sizeof(sin6));
	if (ret && errno != EINPROGRESS) {
		ret = errno;
		close(fd);
		errno = ret;
		return -1;
	}
	return fd;
}

/* Wait for @events; 0, or -1 with errno (ETIMEDOUT at the deadline). */
static int wait_for(int fd, short events, struct mono deadline)
{
	struct pollfd pfd = {.fd = fd, .events = events};

	for (;;) {
		int64_t left = mono_sub(deadline, clock_now());
		struct timespec ts = {left / NS_PER_S, left % NS_PER_S};
		int n;

		if (left <= 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		n = ppoll(&pfd, 1, &ts, NULL);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -1;
	}
}

static int read_full(int fd, uint8_t *buf, size_t len, struct mono deadline)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n;

		if (wait_for(fd, POLLIN, deadline))
			return -1;
		n = recv(fd, buf + got, len - got, 0);
		if (n < 0 && errno != EAGAIN)
			return -1;
		if (n == 0) {
			errno = ECONNRESET;
			return -1;
		}
		if (n > 0)
			got += (size_t)n;
	}
	return 0;
}

/* The message's length, or -1 with errno. */
static int ask_tcp(struct stub *s, int fd, const uint8_t *query, int len,
		   struct mono deadline)
{
	uint8_t framed[600], size[2];
	int error = 0, n;
	socklen_t n_error = sizeof(error);

	if (wait_for(fd, POLLOUT, deadline) ||
	    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n_error))
		return -1;
	if (error) {
		errno = error;
		return -1;
	}
	framed[0] = (uint8_t)(len >> 8);
	framed[1] = (uint8_t)len;
	memcpy(framed + 2, query, (size_t)len);
	if (send(fd, framed, (size_t)len + 2, MSG_NOSIGNAL) != len + 2 ||
	    read_full(fd, size, 2, deadline))
		return -1;
	n = size[0] << 8 | size[1];
	return read_full(fd, s->buf, (size_t)n, deadline) ? -1 : n;
}

static int ask_udp(struct stub *s, int fd, const uint8_t *query, int len,
		   uint16_t id, struct mono deadline)
{
	if (send(fd, query, (size_t)len, 0) != len)
		return -1;
	for (;;) {
		ssize_t n;

		if (wait_for(fd, POLLIN, deadline))
			return -1;
		n = recv(fd, s->buf, sizeof(s->buf), 0);
		if (n < 0 && errno != EAGAIN)
			return -1;
		/* what answers another question is not for us */
		if (n >= 0 && dns_decode_reply(s->buf, (size_t)n, id, s->name,
					       s->type, &s->reply) == 0)
			return (int)n;
	}
}

static void note_try(struct stub *s, const struct addr *server, bool tcp,
		     struct mono since, const char *outcome)
{
	char text[ADDR_TEXT_LEN];
	json_t *j = json_object();

	json_object_set_new(j, "server",
			    json_string(addr_format(server, text)));
	json_object_set_new(j, "transport", json_string(tcp ? "tcp" : "udp"));
	json_object_set_new(j, "time_ns",
			    json_integer(mono_sub(clock_now(), since)));
	json_object_set_new(j, "outcome", json_string(outcome));
	json_array_append_new(s->log, j);
}

static enum outcome judge(struct stub *s, const struct addr *server, bool tcp,
			  struct mono since)
{
	char buf[16];

	note_try(s, server, tcp, since,
		 s->reply.truncated && !tcp
			 ? "truncated"
			 : dns_rcode_format(s->reply.rcode, buf));
	s->answered = true;
	s->server = *server;
	s->replied = clock_now();
	return s->reply.rcode == 2 || s->reply.rcode == 4 || s->reply.rcode == 5
		       ? GOT_FAILURE
		       : GOT_REPLY;
}

static enum outcome ask(struct stub *s, const struct addr *server, bool tcp)
{
	struct mono since = clock_now();
	struct mono deadline = mono_add(since, s->conf.timeout_ns);
	struct dns_reply before = s->reply;
	uint8_t query[512];
	uint16_t id;
	int fd, len, n = -1;

	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		return GOT_NOTHING;
	len = dns_encode_query(id, s->name, s->type, query, sizeof(query));
	fd = connect_to(server, tcp ? SOCK_STREAM : SOCK_DGRAM);
	if (fd >= 0) {
		n = tcp ? ask_tcp(s, fd, query, len, deadline)
			: ask_udp(s, fd, query, len, id, deadline);
		if (n >= 0 && tcp &&
		    dns_decode_reply(s->buf, (size_t)n, id, s->name, s->type,
				     &s->reply)) {
			errno = EBADMSG;
			n = -1;
		}
	}
	if (n < 0) {
		note_try(s, server, tcp, since,
			 errno == ETIMEDOUT ? "timeout" : strerror(errno));
		s->reply = before;
	}
	if (fd >= 0)
		close(fd);
	return n < 0 ? GOT_NOTHING : judge(s, server, tcp, since);
}

static void resolve(struct stub *s)
{
	s->first = clock_now();
	for (int i = 0; i < s->conf.tries; i++)
		for (size_t k = 0; k < s->conf.n_servers; k++) {
			enum outcome o = ask(s, &s->conf.servers[k], false);

			if (o == GOT_REPLY && s->reply.truncated)
				o = ask(s, &s->conf.servers[k], true);
			if (o == GOT_REPLY)
				return;
		}
}

/* ---- what came of it
 * --------------------------------------------------------------
 */

static void describe_reply(const struct stub *s, json_t *j)
{
	json_t *answers = json_array();
	char text[ADDR_TEXT_LEN], buf[16];

	json_object_set_new(j, "server",
			    json_string(addr_format(&s->server, text)));
	json_object_set_new(j, "rcode",
			    json_string(dns_rcode_format(s->reply.rcode, buf)));
	json_object_set_new(j, "ad", json_boolean(s->reply.authentic));
	json_object_set_new(j, "time_ns",
			    json_integer(mono_sub(s->replied, s->first)));
	for (size_t i = 0; i < s->reply.n_answers; i++) {
		const struct dns_record *r = &s->reply.answers[i];
		json_t *a = json_object();

		json_object_set_new(a, "name", json_string(r->name));
		json_object_set_new(a, "type",
				    json_string(dns_type_format(r->type, buf)));
		json_object_set_new(a, "ttl_s", json_integer(r->ttl_s));
		json_object_set_new(a, "data", json_string(r->data));
		json_array_append_new(answers, a);
	}
	json_object_set_new(j, "answers", answers);
}

static int print(const struct stub *s, const char *type, const char *error)
{
	json_t *j = json_object();
	int ret;

	json_object_set_new(j, "query", json_string(s->name));
	json_object_set_new(j, "type", json_string(type));
	json_object_set_new(j, "answered", json_boolean(s->answered));
	if (s->answered)
		describe_reply(s, j);
	if (error)
		json_object_set_new(j, "error", json_string(error));
	json_object_set(j, "tries", s->log);
	ret = json_dumpf(j, stdout, JSON_INDENT(1)) || fflush(stdout);
	json_decref(j);
	return ret;
}

int probe_dns_main(int argc, char **argv)
{
	struct stub *s = calloc(1, sizeof(*s));
	const char *type = "A", *server = NULL;
	const struct node_arg args[] = {
		{.key = "query", .text = s ? &s->name : NULL},
		{.key = "type", .text = &type},
		{.key = "server", .text = &server},
		{0},
	};
	struct err e = {""};
	uint8_t wire[512];
	int ret = 2;

	if (!s || node_args_read(argc, argv, args) || !s->name)
		goto out;
	s->type = dns_type_parse(type);
	s->log = json_array();
	if (server && addr_parse(server, &s->conf.servers[s->conf.n_servers++]))
		goto out;
	if (!s->type ||
	    dns_encode_query(0, s->name, s->type, wire, sizeof(wire)) < 0)
		goto out;
	if (!resolv_conf_read(&s->conf, !server, &e))
		resolve(s);
	ret = print(s, type, e.text[0] ? e.text : NULL) ? 1 : 0;
out:
	if (ret == 2)
		fputs("xlatsim probe dns: bad arguments\n", stderr);
	if (s)
		json_decref(s->log);
	free(s);
	return ret;
}

/* SPDX-License-Identifier: MIT */
/*
 * A subscriber's stub resolver, asked at a constant rate, from inside a node.
 *
 * Theory of operation
 *
 * Each query lives by itself, as in a process of its own: it goes through the
 * servers in the order of resolv.conf (or beginning one further each time,
 * with rotate), so many times as attempts say, and waits for each as long as
 * the C library would: the timeout for the first server; for those after it
 * the timeout doubled for each server before it, over the number of servers
 * (glibc's send_dg). A server that refuses, fails or is unreachable sends it
 * on at once. It ends with an answer, or when it has waited everywhere; both
 * is what its user has waited.
 *
 * One connected socket a server, so that ICMP errors are noticed; replies are
 * told apart by their id.
 */
#include "probe_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dns_msg.h"
#include "node_args.h"
#include "resolv_conf.h"

#define MAX_QUERIES 60000 /* ids are not used twice */

struct query {
	int64_t asked_ns, due_ns, ended_ns; /* CLOCK_MONOTONIC; 0: not yet */
	int step;			    /* attempt * servers + server */
	bool answered, live;
};

struct resolver {
	struct resolv_conf conf;
	const char *name;
	uint16_t type;
	int fds[RESOLV_MAX_SERVERS];
	struct query *v;
	size_t n, asked, first_live;
	int64_t interval_ns, start_ns;
};

static int last_step(const struct resolver *r)
{
	return r->conf.tries * (int)r->conf.n_servers;
}

static size_t server_of(const struct resolver *r, size_t q)
{
	size_t first = r->conf.rotate ? q : 0;

	assert(r->conf.n_servers); /* else there is no step */
	return (first + (size_t)r->v[q].step) % r->conf.n_servers;
}

static int64_t patience(const struct resolver *r, int step)
{
	int ns = step % (int)r->conf.n_servers;
	int64_t t = r->conf.timeout_ns << ns;

	if (ns > 0)
		t /= (int64_t)r->conf.n_servers;
	return t < NS_PER_MS ? NS_PER_MS : t;
}

static void end_query(struct query *q, int64_t now_ns, bool answered)
{
	q->live = false;
	q->answered = answered;
	q->ended_ns = now_ns;
}

/* To the server of its step, or the next one that can be sent to. */
static void send_query(struct resolver *r, size_t i, int64_t now_ns)
{
	struct query *q = &r->v[i];
	uint8_t buf[512];
	int len = dns_encode_query((uint16_t)(i + 1), r->name, r->type, buf,
				   sizeof(buf));

	for (; q->step < last_step(r); q->step++) {
		int fd = r->fds[server_of(r, i)];

		/* an error of an earlier packet is told instead of sending */
		if (send(fd, buf, (size_t)len, 0) == len ||
		    send(fd, buf, (size_t)len, 0) == len) {
			q->due_ns = now_ns + patience(r, q->step);
			return;
		}
	}
	end_query(q, now_ns, false);
}

static void next_step(struct resolver *r, size_t i, int64_t now_ns)
{
	r->v[i].step++;
	send_query(r, i, now_ns);
}

static void take_reply(struct resolver *r, const uint8_t *buf, size_t len,
		       int64_t now_ns)
{
	static struct dns_reply reply;
	size_t i = len < 2 ? 0 : (size_t)(buf[0] << 8 | buf[1]);

	if (i == 0 || i > r->asked || !r->v[i - 1].live ||
	    dns_decode_reply(buf, len, (uint16_t)i, r->name, r->type, &reply))
		return;
	if (reply.rcode == 2 || reply.rcode == 4 || reply.rcode == 5)
		next_step(r, i - 1, now_ns);
	else
		end_query(&r->v[i - 1], now_ns, true);
}

/* A server that cannot be reached: all that wait for it go on. */
static void server_failed(struct resolver *r, size_t server, int64_t now_ns)
{
	for (size_t i = r->first_live; i < r->asked; i++)
		if (r->v[i].live && server_of(r, i) == server)
			next_step(r, i, now_ns);
}

static void receive(struct resolver *r, size_t server)
{
	uint8_t buf[4096];

	for (;;) {
		ssize_t n =
			recv(r->fds[server], buf, sizeof(buf), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			server_failed(r, server, clock_now().ns);
			return;
		}
		take_reply(r, buf, (size_t)n, clock_now().ns);
	}
}

/* Ask and give up what is due; returns when something is due next, or 0. */
static int64_t act(struct resolver *r, int64_t now_ns)
{
	int64_t next = 0;

	while (r->asked < r->n) {
		int64_t due = r->start_ns + (int64_t)r->asked * r->interval_ns;

		if (due > now_ns) {
			next = due;
			break;
		}
		r->v[r->asked] =
			(struct query){.asked_ns = now_ns, .live = true};
		send_query(r, r->asked++, now_ns);
	}
	while (r->first_live < r->asked && !r->v[r->first_live].live)
		r->first_live++;
	for (size_t i = r->first_live; i < r->asked; i++) {
		struct query *q = &r->v[i];

		if (q->live && q->due_ns <= now_ns)
			next_step(r, i, now_ns);
		if (q->live && (!next || q->due_ns < next))
			next = q->due_ns;
	}
	return next;
}

static int run(struct resolver *r)
{
	struct pollfd fds[RESOLV_MAX_SERVERS];
	int64_t next;

	for (size_t i = 0; i < r->conf.n_servers; i++)
		fds[i] = (struct pollfd){.fd = r->fds[i], .events = POLLIN};
	r->start_ns = clock_now().ns;
	while ((next = act(r, clock_now().ns)) != 0) {
		int64_t wait = next - clock_now().ns;
		struct timespec ts = {0};

		if (wait > 0)
			ts = (struct timespec){wait / NS_PER_S,
					       wait % NS_PER_S};
		if (ppoll(fds, r->conf.n_servers, &ts, NULL) < 0 &&
		    errno != EINTR)
			return -1;
		for (size_t i = 0; i < r->conf.n_servers; i++)
			if (fds[i].revents)
				receive(r, i);
	}
	return 0;
}

static int connect_to(const struct addr *a)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_port = htons(53),
				 .sin_addr = a->v4};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
				   .sin6_port = htons(53)};
	bool v4 = a->family == AF_INET;
	int fd = socket(a->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (!v4)
		in6.sin6_addr = a->v6;
	if (fd < 0 || connect(fd, v4 ? (void *)&in : (void *)&in6,
			      v4 ? sizeof(in) : sizeof(in6)))
		return -1;
	return fd;
}

static int print(const struct resolver *r)
{
	json_t *waited = json_array(), *steps = json_array();
	json_t *failed = json_array(), *at = json_array(), *j;
	int ret;

	for (size_t i = 0; i < r->asked; i++) {
		const struct query *q = &r->v[i];

		json_array_append_new(waited,
				      json_integer(q->ended_ns - q->asked_ns));
		json_array_append_new(steps, json_integer(q->step));
		json_array_append_new(failed, json_boolean(!q->answered));
		json_array_append_new(at,
				      json_integer(q->asked_ns - r->start_ns));
	}
	j = json_pack("{s:I, s:o, s:o, s:o, s:o}", "start_ns",
		      (json_int_t)r->start_ns, "at_ns", at, "waited_ns", waited,
		      "steps", steps, "failed", failed);
	ret = json_dumpf(j, stdout, JSON_COMPACT) || fflush(stdout);
	json_decref(j);
	return ret ? 1 : 0;
}

int probe_resolver_main(int argc, char **argv)
{
	struct resolver r = {0};
	const char *type = "AAAA";
	int64_t count = 0, timeout_ns = 0, tries = 0, rotate = 0;
	const struct node_arg args[] = {
		{.key = "query", .text = &r.name},
		{.key = "type", .text = &type},
		{.key = "count", .number = &count},
		{.key = "interval-ns", .number = &r.interval_ns},
		{.key = "timeout-ns", .number = &timeout_ns},
		{.key = "attempts", .number = &tries},
		{.key = "rotate", .number = &rotate},
		{0},
	};
	struct err e = {""};
	int ret;

	if (node_args_read(argc, argv, args) || !r.name || count < 1 ||
	    count > MAX_QUERIES || r.interval_ns < 1)
		return 2;
	if (resolv_conf_read(&r.conf, true, &e)) {
		fprintf(stderr, "resolver: %s\n", e.text);
		return 1;
	}
	r.type = dns_type_parse(type);
	r.n = (size_t)count;
	r.conf.timeout_ns = timeout_ns ? timeout_ns : r.conf.timeout_ns;
	r.conf.tries = tries ? (int)tries : r.conf.tries;
	r.conf.rotate = rotate || r.conf.rotate;
	for (size_t i = 0; i < r.conf.n_servers; i++) {
		r.fds[i] = connect_to(&r.conf.servers[i]);
		if (r.fds[i] < 0) {
			perror("resolver: socket");
			return 1;
		}
	}
	r.v = calloc(r.n, sizeof(*r.v));
	ret = !r.v || run(&r) ? 1 : print(&r);
	free(r.v);
	return ret;
}

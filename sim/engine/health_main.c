/* SPDX-License-Identifier: MIT */
/*
 * The health check inside a PLAT's node: `xlatsim health FILE`.
 *
 * Theory of operation
 *
 * A round begins every interval: one echo through pool6, one query for
 * ipv4only.arpa. It succeeds when both are answered, and fails when the next
 * round is due before that. `fail_after` failures in a row make the PLAT
 * unhealthy, `rise` successes in a row healthy again. Until the first success
 * nothing is judged for BOOT_NS: daemons start in any order.
 *
 * On each change the routing daemons are told over their own sockets. A daemon
 * that does not listen, or another process since (it was started again with
 * its written configuration), is told again in the next round. One that is met
 * for the first time may have been told by a checker before this one, so its
 * running configuration is looked at; saying the same again would make it
 * withdraw its routes for a moment.
 *
 * Every failure and every change is a line on standard output, the log.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "engine_internal.h"
#include "vty.h"

#define BOOT_NS	    (10 * NS_PER_S)
#define MAX_DAEMONS 2
#define MAX_LINES   4
#define TYPE_AAAA   28
#define QUERY	    "ipv4only.arpa"

struct routing_daemon {
	const char *socket;
	const char *worst[MAX_LINES + 1], *usual[MAX_LINES + 1];
	pid_t told; /* the process that was told last; 0: none lives */
	bool met;   /* what any of its processes was told is known */
	bool worst_told;
};

struct checker {
	json_t *config;
	struct loop *loop;
	int64_t interval_ns, fail_after, rise;
	struct sockaddr_in6 self, target;
	bool dns;
	int ping_fd, dns_fd, listen_fd;
	struct routing_daemon daemons[MAX_DAEMONS];
	size_t n_daemons;
	/* this round */
	uint16_t round;
	bool open, echoed, resolved;
	struct mono began, booted;
	/* over all rounds */
	bool judged; /* a check has succeeded, or the boot took too long */
	bool healthy;
	int64_t run; /* of equal outcomes */
	bool last_good;
	int64_t good, bad, changes;
};

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *fmt, ...)
{
	struct timespec ts;
	struct tm tm;
	va_list ap;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	printf("%02d:%02d:%02d.%03ld ", tm.tm_hour, tm.tm_min, tm.tm_sec,
	       ts.tv_nsec / NS_PER_MS);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

/* ---- the routing daemons ---------------------------------------------------
 */

static int connect_unix(const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_usec = 500000};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), ret;

	if (fd < 0)
		return -errno;
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (!connect(fd, (struct sockaddr *)&un, sizeof(un)))
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

static pid_t peer_of(int fd)
{
	struct ucred who = {0};
	socklen_t len = sizeof(who);

	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len);
	return who.pid;
}

/* What it was told before, by whomever. */
static int meet(struct routing_daemon *d, int fd, struct err *e)
{
	static char text[65536];
	int ret = vty_run(fd, "enable", text, sizeof(text), e);

	if (!ret)
		ret = vty_run(fd, "show running-config", text, sizeof(text), e);
	if (ret)
		return ret;
	d->met = true;
	d->worst_told = vty_config_has(text, d->worst);
	return 0;
}

static void tell_daemon(struct routing_daemon *d, bool worst)
{
	int fd = connect_unix(d->socket), ret = 0;
	pid_t pid = fd < 0 ? 0 : peer_of(fd);
	struct err e = {""};

	if (fd < 0) {
		if (d->told)
			say("%s: %s", d->socket, strerror(-fd));
		d->told = 0; /* its successor begins as usual */
		d->worst_told = false;
		return;
	}
	if (!d->met)
		ret = meet(d, fd, &e);
	else if (pid != d->told)
		d->worst_told = false;
	if (!ret && worst != d->worst_told) {
		ret = vty_configure(fd, worst ? d->worst : d->usual, &e);
		if (!ret)
			d->worst_told = worst;
	}
	if (ret)
		say("%s: %s", d->socket, e.text);
	d->told = pid;
	close(fd);
}

/* Before anything is judged, what a checker before this one said holds. */
static void tell_daemons(struct checker *c)
{
	for (size_t i = 0; i < c->n_daemons && c->judged; i++)
		tell_daemon(&c->daemons[i], !c->healthy);
}

/* ---- one round -------------------------------------------------------------
 */

static void send_echo(struct checker *c)
{
	struct icmp6_hdr h = {.icmp6_type = ICMP6_ECHO_REQUEST};

	h.icmp6_seq = htons(c->round);
	if (sendto(c->ping_fd, &h, sizeof(h), 0, (struct sockaddr *)&c->target,
		   sizeof(c->target)) < 0)
		say("echo: %s", strerror(errno));
}

static void send_query(struct checker *c)
{
	uint8_t buf[512];
	int n = ask_put_query(c->round, QUERY, TYPE_AAAA, buf, sizeof(buf));
	struct sockaddr_in6 to = c->self;

	to.sin6_port = htons(53);
	if (n < 0 || sendto(c->dns_fd, buf, (size_t)n, 0,
			    (struct sockaddr *)&to, sizeof(to)) < 0)
		say("query: %s", strerror(errno));
}

static void judge(struct checker *c, bool good)
{
	bool was = c->healthy, judged = c->judged;

	c->run = good == c->last_good ? c->run + 1 : 1;
	c->last_good = good;
	if (good)
		c->good++;
	else
		c->bad++;
	if (!c->judged) {
		c->judged = good || mono_sub(clock_now(), c->booted) > BOOT_NS;
		c->healthy = good;
		if (c->judged)
			say("%s from the start",
			    good ? "healthy" : "unhealthy");
	} else if (good && !c->healthy && c->run >= c->rise) {
		c->healthy = true;
	} else if (!good && c->healthy && c->run >= c->fail_after) {
		c->healthy = false;
	}
	if (was != c->healthy && judged) {
		c->changes++;
		say("%s after %lld checks",
		    c->healthy ? "healthy" : "unhealthy", (long long)c->run);
	}
	tell_daemons(c);
}

static void close_round(struct checker *c)
{
	bool good = c->echoed && (c->resolved || !c->dns);

	if (!c->open)
		return;
	c->open = false;
	if (!good)
		say("failed:%s%s", c->echoed ? "" : " no echo through pool6",
		    c->resolved || !c->dns ? "" : " no answer by DNS64");
	judge(c, good);
}

static void open_round(void *arg, struct mono due)
{
	struct checker *c = arg;

	close_round(c);
	c->round++;
	c->open = true;
	c->echoed = c->resolved = false;
	c->began = clock_now();
	send_echo(c);
	if (c->dns)
		send_query(c);
	/* one that was late does not make the next ones early */
	if (mono_sub(c->began, due) > c->interval_ns)
		due = c->began;
	if (!loop_add_timer(c->loop, mono_add(due, c->interval_ns), open_round,
			    c)) {
		say("timer: %s", strerror(errno));
		loop_stop(c->loop);
	}
}

static void look(struct checker *c)
{
	if (c->echoed && (c->resolved || !c->dns))
		close_round(c);
}

static void on_echo(void *arg, uint32_t events)
{
	struct checker *c = arg;
	struct icmp6_hdr h;

	(void)events;
	while (recv(c->ping_fd, &h, sizeof(h), MSG_DONTWAIT) >=
	       (ssize_t)sizeof(h))
		if (h.icmp6_type == ICMP6_ECHO_REPLY &&
		    ntohs(h.icmp6_seq) == c->round)
			c->echoed = true;
	look(c);
}

static void on_reply(void *arg, uint32_t events)
{
	struct checker *c = arg;
	uint8_t b[2048];
	ssize_t n;

	(void)events;
	/* NOERROR with at least one record */
	while ((n = recv(c->dns_fd, b, sizeof(b), MSG_DONTWAIT)) > 0)
		if (n >= 12 && (b[0] << 8 | b[1]) == c->round && b[2] & 0x80 &&
		    !(b[3] & 15) && (b[6] << 8 | b[7]))
			c->resolved = true;
	look(c);
}

/* ---- who asks --------------------------------------------------------------
 */

static void on_client(void *arg, uint32_t events)
{
	struct checker *c = arg;
	struct timeval limit = {.tv_usec = 200000};
	int fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	char line[64], text[256];
	int n;

	(void)events;
	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (recv(fd, line, sizeof(line), 0) > 0) {
		n = snprintf(text, sizeof(text),
			     "{\"healthy\": %s, \"succeeded\": %lld, "
			     "\"failed\": %lld, \"changes\": %lld}\n",
			     c->judged && c->healthy ? "true" : "false",
			     (long long)c->good, (long long)c->bad,
			     (long long)c->changes);
		if (send(fd, text, (size_t)n, MSG_NOSIGNAL) < 0)
			say("control: %s", strerror(errno));
	}
	close(fd);
}

/* ---- beginning -------------------------------------------------------------
 */

static int open_bound(const struct sockaddr_in6 *self, int protocol)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			protocol);

	if (fd < 0 || bind(fd, (const struct sockaddr *)self, sizeof(*self)))
		return -1;
	return fd;
}

static int watch_fd(struct checker *c, int fd, loop_fd_fn *fn, const char *what)
{
	if (fd >= 0 && loop_add_fd(c->loop, fd, EPOLLIN, fn, c))
		return 0;
	say("%s: %s", what, strerror(errno));
	return -1;
}

static void read_lines(const json_t *list, const char **lines)
{
	for (size_t i = 0; i < MAX_LINES && i < json_array_size(list); i++)
		lines[i] = json_string_value(json_array_get(list, i));
}

static bool read_address(const json_t *o, const char *key,
			 struct sockaddr_in6 *out)
{
	const char *text = json_string_value(json_object_get(o, key));

	out->sin6_family = AF_INET6;
	return text && inet_pton(AF_INET6, text, &out->sin6_addr) == 1;
}

static int read_config(struct checker *c)
{
	const json_t *o = c->config, *list = json_object_get(o, "routing");

	c->interval_ns = json_integer_value(json_object_get(o, "interval_ns"));
	c->fail_after = json_integer_value(json_object_get(o, "fail_after"));
	c->rise = json_integer_value(json_object_get(o, "rise"));
	c->dns = json_is_true(json_object_get(o, "dns"));
	for (size_t i = 0; i < MAX_DAEMONS && i < json_array_size(list); i++) {
		const json_t *d = json_array_get(list, i);
		struct routing_daemon *rd = &c->daemons[c->n_daemons++];

		rd->socket = json_string_value(json_object_get(d, "socket"));
		read_lines(json_object_get(d, "worst"), rd->worst);
		read_lines(json_object_get(d, "usual"), rd->usual);
	}
	return read_address(o, "self", &c->self) &&
			       read_address(o, "target", &c->target) &&
			       c->interval_ns > 0
		       ? 0
		       : -1;
}

static int run(struct checker *c)
{
	const char *control =
		json_string_value(json_object_get(c->config, "control"));

	c->loop = loop_new();
	c->booted = clock_now();
	c->ping_fd = open_bound(&c->self, IPPROTO_ICMPV6);
	c->dns_fd = open_bound(&c->self, 0);
	c->listen_fd = control ? engine_listen(control) : -1;
	if (!c->loop || watch_fd(c, c->ping_fd, on_echo, "ping socket") ||
	    watch_fd(c, c->dns_fd, on_reply, "query socket") ||
	    watch_fd(c, c->listen_fd, on_client, "control socket"))
		return 1;
	open_round(c, clock_now());
	loop_run(c->loop); /* until it is killed, or a timer can't be had */
	return 1;
}

int health_main(int argc, char **argv)
{
	struct checker c = {0};
	json_error_t why;
	int ret;

	if (argc != 2) {
		fputs("xlatsim health: for xlatsim's own use inside nodes\n",
		      stderr);
		return 2;
	}
	c.config = json_load_file(argv[1], 0, &why);
	if (!c.config || read_config(&c)) {
		fprintf(stderr, "xlatsim health: %s: %s\n", argv[1],
			c.config ? "bad configuration" : why.text);
		json_decref(c.config);
		return 2;
	}
	ret = run(&c);
	loop_free(c.loop);
	json_decref(c.config);
	return ret;
}

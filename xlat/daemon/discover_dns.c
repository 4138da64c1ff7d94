/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * RFC 7050: AAAA of ipv4only.arpa. One query at a time, each from a socket,
 * and so from a port, of its own, with an identifier from the system's random
 * source: an attacker off the path has to guess both. Servers are asked in the
 * order of the configuration or of resolv.conf, which is read anew each time;
 * one that is silent for a second, or answers with a failure, is followed by
 * the next; one whose answer is truncated is asked again by TCP. When all have
 * failed there is a pause, doubled up to a minute, and cut short when a link
 * comes up: a CPE that boots may have none at first.
 *
 * A positive answer is asked for again ten seconds before its TTL is over, and
 * an answer that there is no prefix when its TTL is over. As long as nobody
 * answers, what was known last stays in use: a resolver that has died is no
 * statement about the PLAT.
 *
 * DEPARTS from section 3.1.2 (validation by DNSSEC, a MAY): xlatd is no
 * validating resolver. The channel to the resolver has to be trusted, as it is
 * where the operator's own network delivers it. Section 3.2: no connectivity
 * check but the traffic itself. Only the first prefix is used, for one packet
 * can have only one destination.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../base/log.h"
#include "discover_internal.h"

#define PORT	     53
#define ANSWER_NS    NS_PER_S
#define STREAM_NS    (3 * NS_PER_S) /* until the whole of it is there */
#define MAX_PAUSE_NS (60 * NS_PER_S)
#define UNSAID_TTL_S 60 /* of a negative answer without SOA */
#define MAX_SERVERS  8
#define ANSWER_BYTES 2048
#define FOREVER_S    UINT32_MAX
#define RESOLV_CONF  "/etc/resolv.conf"

static void on_ask(void *arg, struct mono due);

static unsigned int read_resolv_conf(struct config_server *v, bool say)
{
	FILE *f = fopen(RESOLV_CONF, "re");
	char line[256], word[80];
	unsigned int n = 0;
	struct addr a;

	if (!f)
		return 0;
	while (n < MAX_SERVERS && fgets(line, sizeof(line), f)) {
		if (sscanf(line, " nameserver %79s", word) != 1)
			continue;
		if (config_parse_server(word, &v[n]))
			n++;
		else if (say && (addr_parse(word, &a) || a.family == AF_INET6))
			log_warn(RESOLV_CONF ": %s is not asked: its interface "
					     "is not said, or it is no address",
				 word);
	}
	fclose(f);
	return n;
}

static unsigned int get_servers(const struct discover *d,
				struct config_server *v)
{
	const struct config *c = d->server->config;
	unsigned int n = 0;

	if (!c->n_servers)
		return read_resolv_conf(v, !d->turn);
	for (; n < c->n_servers && n < MAX_SERVERS; n++)
		v[n] = c->servers[n];
	return n;
}

/* ---- what comes next -------------------------------------------------------
 */

static void ask_in(struct discover *d, int64_t ns)
{
	discover_unwatch(d, &d->query);
	discover_in(d, &d->query, ns, on_ask);
}

/* This server was of no use. */
static void ask_next(struct discover *d)
{
	struct config_server v[MAX_SERVERS];
	unsigned int n = get_servers(d, v);
	int64_t pause = NS_PER_S << (d->round < 6 ? d->round : 6);

	d->edns = true;
	d->tcp = false;
	d->turn++;
	if (n && d->turn % n) {
		ask_in(d, 0);
		return;
	}
	d->round++;
	ask_in(d, pause < MAX_PAUSE_NS ? pause : MAX_PAUSE_NS);
}

void discover_dns_hurry(struct discover *d)
{
	if (d->query.fd >= 0 || !d->round)
		return;
	d->round = 0;
	ask_in(d, NS_PER_S);
}

static void on_silence(void *arg, struct mono due)
{
	struct discover *d = arg;

	(void)due;
	d->query.timer = NULL;
	d->stats.timeouts++;
	ask_next(d);
}

/* The next question is due @s seconds from now. */
static void answered(struct discover *d, uint32_t s)
{
	d->stats.answers++;
	d->tcp = false;
	d->round = 0;
	ask_in(d, s * NS_PER_S);
}

static void on_found(struct discover *d, struct pref64_list *l, uint32_t ttl)
{
	for (unsigned int i = 0; i < l->n; i++)
		l->v[i].lifetime_s = FOREVER_S;
	pref64_keep_only(&d->set, l, &in6addr_any);
	pref64_learn(&d->set, l, &in6addr_any, clock_now());
	discover_update(d);
	answered(d, pref64_ask_again_s(ttl));
}

static void on_negative(struct discover *d, enum pref64_answer a, uint32_t ttl)
{
	const struct pref64_list none = {.n = 0};

	d->stats.negative++;
	if (a == PREF64_UNUSABLE)
		log_warn("ipv4only.arpa: AAAA records without 192.0.0.170 or "
			 "192.0.0.171 at a place of RFC 6052");
	else
		log_warn("ipv4only.arpa: no AAAA record: the resolver is no "
			 "DNS64");
	pref64_keep_only(&d->set, &none, &in6addr_any);
	discover_update(d);
	answered(d, ttl ? ttl : UNSAID_TTL_S);
}

/* ---- one query -------------------------------------------------------------
 */

/* Returns whether the query is over. */
static bool take_answer(struct discover *d, const uint8_t *msg, size_t len)
{
	struct pref64_list l;
	uint32_t ttl;
	enum pref64_answer a = pref64_parse_answer(msg, len, d->id, &l, &ttl);

	switch (a) {
	case PREF64_FOREIGN:
		d->stats.ignored++;
		return false;
	case PREF64_FOUND:
		on_found(d, &l, ttl);
		break;
	case PREF64_NEGATIVE:
	case PREF64_UNUSABLE:
		on_negative(d, a, ttl);
		break;
	case PREF64_NO_EDNS:
		if (d->edns) {
			d->edns = false;
			ask_in(d, 0);
			break;
		}
		ask_next(d);
		break;
	case PREF64_TRUNCATED:
		if (!d->tcp) {
			d->tcp = true;
			ask_in(d, 0);
			break;
		}
		ask_next(d);
		break;
	case PREF64_FAILED:
		ask_next(d);
		break;
	}
	return true;
}

static void on_answer(void *arg, uint32_t events)
{
	struct discover *d = arg;
	uint8_t buf[ANSWER_BYTES];

	(void)events;
	for (;;) {
		ssize_t n = recv(d->query.fd, buf, sizeof(buf), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) { /* nobody listens there, or no way leads there */
			ask_next(d);
			return;
		}
		if (take_answer(d, buf, (size_t)n))
			return;
	}
}

/* ---- by TCP, after an answer that was truncated ----------------------------
 */

static void on_stream(void *arg, uint32_t events);

/* Its length comes first. */
static size_t stream_bytes(const struct discover *d)
{
	return (size_t)(d->stream[0] << 8 | d->stream[1]);
}

static bool stream_is_whole(const struct discover *d)
{
	return d->stream_len >= 2 && d->stream_len - 2 >= stream_bytes(d);
}

/* The query, behind its length; or why not. */
static int send_stream(struct discover *d)
{
	uint8_t buf[2 + PREF64_QUERY_BYTES];
	size_t len = pref64_put_query(d->id, d->edns, buf + 2);
	int fd = d->query.fd;

	buf[0] = 0;
	buf[1] = (uint8_t)len;
	len += 2;
	if (send(fd, buf, len, MSG_NOSIGNAL) != (ssize_t)len)
		return -1;
	d->asked = true;
	loop_del(d->server->loop, d->query.source);
	return discover_watch(d, &d->query, fd, EPOLLIN, on_stream);
}

/* What there is of the answer; < 0: it will not be whole. */
static int read_stream(struct discover *d)
{
	for (;;) {
		size_t at = d->stream_len;
		ssize_t n = recv(d->query.fd, d->stream + at,
				 sizeof(d->stream) - at, MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n <= 0)
			return -1;
		d->stream_len += (size_t)n;
		if (stream_is_whole(d))
			return 0;
	}
}

/* RFC 7766: connected, or some octets of the answer are there. */
static void on_stream(void *arg, uint32_t events)
{
	struct discover *d = arg;

	(void)events;
	if (d->asked ? read_stream(d) : send_stream(d))
		ask_next(d);
	else if (stream_is_whole(d) &&
		 !take_answer(d, d->stream + 2, stream_bytes(d)))
		ask_next(d);
}

/* ---- asking ----------------------------------------------------------------
 */

/* By name, or by number as some write it to resolv.conf. 0: there is none. */
static unsigned int zone_index(const char *zone)
{
	unsigned int index = if_nametoindex(zone);

	return index ? index : (unsigned int)strtoul(zone, NULL, 10);
}

/* A socket on its way to @server, with a fresh identifier; or -1. */
static int reach(struct discover *d, const struct config_server *server)
{
	struct sockaddr_in6 to = {.sin6_family = AF_INET6,
				  .sin6_port = htons(PORT),
				  .sin6_addr = server->addr};
	int fd = socket(AF_INET6,
			(d->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC |
				SOCK_NONBLOCK,
			0);

	if (*server->zone)
		to.sin6_scope_id = zone_index(server->zone);
	if (fd < 0)
		return -1;
	if (getrandom(&d->id, sizeof(d->id), 0) == sizeof(d->id) &&
	    (!connect(fd, (const struct sockaddr *)&to, sizeof(to)) ||
	     errno == EINPROGRESS))
		return fd;
	close(fd);
	return -1;
}

static int send_query(struct discover *d, const struct config_server *server)
{
	uint8_t buf[PREF64_QUERY_BYTES];
	unsigned int len;
	int fd = reach(d, server);

	if (fd < 0)
		return -1;
	d->asked = false;
	d->stream_len = 0;
	if (d->tcp) {
		d->stats.sent++;
		return discover_watch(d, &d->query, fd, EPOLLOUT, on_stream);
	}
	len = pref64_put_query(d->id, d->edns, buf);
	if (send(fd, buf, len, MSG_NOSIGNAL) < 0) {
		close(fd);
		return -1;
	}
	d->stats.sent++;
	return discover_watch(d, &d->query, fd, EPOLLIN, on_answer);
}

static void on_ask(void *arg, struct mono due)
{
	struct config_server v[MAX_SERVERS];
	struct discover *d = arg;
	unsigned int n = get_servers(d, v);

	(void)due;
	d->query.timer = NULL;
	if (!n) {
		if (!d->turn)
			log_warn("no IPv6 nameserver in " RESOLV_CONF);
		ask_next(d);
		return;
	}
	if (send_query(d, &v[d->turn % n]))
		ask_next(d);
	else
		discover_in(d, &d->query, d->tcp ? STREAM_NS : ANSWER_NS,
			    on_silence);
}

void discover_dns_start(struct discover *d)
{
	d->edns = true;
	discover_in(d, &d->query, 0, on_ask);
}

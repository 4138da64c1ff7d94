/* SPDX-License-Identifier: MIT */
/*
 * One question from a node's own socket, repeated until it is answered: what
 * a subscriber would notice first. Not a measurement: probes do those.
 */
#include "engine_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define AGAIN_NS     (200 * NS_PER_MS)
#define DNS_PORT     53
#define DNS_ID	     0x5853
#define DNS_HEAD     12
#define DNS_MAX_NAME 255

struct question {
	struct world *world;
	int fd, domain, type, protocol;
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} to;
	socklen_t to_len;
	uint8_t text[DNS_HEAD + DNS_MAX_NAME + 5];
	size_t len;
	/* is this the answer? Notes in @reply what was wrong with it */
	bool (*answers)(struct question *q, const uint8_t *buf, size_t n);
	bool answered;
	const char *reply;
	struct loop_source *source, *timer;
};

static int open_inside(void *arg)
{
	struct question *q = arg;

	q->fd = socket(q->domain, q->type | SOCK_CLOEXEC | SOCK_NONBLOCK,
		       q->protocol);
	return q->fd < 0 ? -errno : 0;
}

static void on_answer(void *arg, uint32_t events)
{
	struct question *q = arg;
	uint8_t buf[2048];
	ssize_t n;

	(void)events;
	/* an ICMP error shows as an error here: asked again by the timer */
	while ((n = recv(q->fd, buf, sizeof(buf), 0)) >= 0)
		if (q->answers(q, buf, (size_t)n))
			q->answered = true;
}

static void ask_again(void *arg, struct mono due)
{
	struct question *q = arg;

	(void)due;
	/* no route yet, full queue: the next one may fare better */
	(void)!sendto(q->fd, q->text, q->len, 0, &q->to.sa, q->to_len);
	q->timer =
		loop_add_timer(world_loop(q->world),
			       mono_add(clock_now(), AGAIN_NS), ask_again, q);
}

static bool is_answered(void *arg)
{
	return ((struct question *)arg)->answered;
}

static int ask_begin(struct question *q, int node, struct err *e)
{
	int ret;

	q->fd = -1;
	ret = world_enter(q->world, node, open_inside, q, e);
	if (ret)
		return err_set(e, -ret, "node %s: socket: %s",
			       world_plan(q->world)->nodes[node].name,
			       strerror(-ret));
	q->source =
		loop_add_fd(world_loop(q->world), q->fd, EPOLLIN, on_answer, q);
	if (!q->source)
		return err_set(e, errno, "loop: %s", strerror(errno));
	ask_again(q, clock_now());
	return 0;
}

static void ask_end(struct question *q)
{
	loop_del(world_loop(q->world), q->source);
	loop_del(world_loop(q->world), q->timer);
	if (q->fd >= 0)
		close(q->fd);
}

static int ask(struct question *q, int node, struct mono deadline,
	       struct err *e)
{
	int ret = ask_begin(q, node, e);

	if (!ret)
		ret = loop_run_until(world_loop(q->world), is_answered, q,
				     deadline);
	ask_end(q);
	return ret == -EINTR ? err_set(e, EINTR, "interrupted") : ret;
}

/* ---- DNS -------------------------------------------------------------------
 */

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static bool dns_answers(struct question *q, const uint8_t *buf, size_t n)
{
	static const char *const rcodes[] = {"no record", "FORMERR", "SERVFAIL",
					     "NXDOMAIN",  "NOTIMP",  "REFUSED"};
	uint8_t rcode;

	if (n < DNS_HEAD || get16(buf) != DNS_ID || !(buf[2] & 0x80))
		return false;
	rcode = buf[3] & 15;
	q->reply = rcode < 6 ? rcodes[rcode] : "an error";
	return !rcode && get16(buf + 6);
}

/* RFC 1035 section 4.1: recursion desired, one question. */
int ask_put_query(uint16_t id, const char *name, uint16_t type, uint8_t *buf,
		  size_t len)
{
	uint8_t *p = buf + DNS_HEAD;
	size_t label;

	if (strlen(name) >= DNS_MAX_NAME || len < DNS_HEAD + DNS_MAX_NAME + 5)
		return -ENAMETOOLONG;
	memset(buf, 0, DNS_HEAD);
	buf[0] = (uint8_t)(id >> 8);
	buf[1] = (uint8_t)id;
	buf[2] = 1; /* RD */
	buf[5] = 1; /* QDCOUNT */
	while (*name && strcmp(name, ".") != 0) {
		label = strcspn(name, ".");
		if (!label || label > 63)
			return -EINVAL;
		*p++ = (uint8_t)label;
		memcpy(p, name, label);
		p += label;
		name += label + (name[label] == '.');
	}
	*p++ = 0;
	*p++ = (uint8_t)(type >> 8);
	*p++ = (uint8_t)type;
	*p++ = 0;
	*p++ = 1; /* IN */
	return (int)(p - buf);
}

uint16_t ask_type(const struct plan *p)
{
	return p->topology->plain4 ? 1 /* A */ : 28 /* AAAA */;
}

int ask_dns(struct world *w, int node, const struct in6_addr *server,
	    const char *name, uint16_t type, struct mono deadline,
	    struct err *e)
{
	struct question q = {.world = w,
			     .domain = AF_INET6,
			     .type = SOCK_DGRAM,
			     .to.in6 = {.sin6_family = AF_INET6,
					.sin6_port = htons(DNS_PORT),
					.sin6_addr = *server},
			     .to_len = sizeof(q.to.in6),
			     .answers = dns_answers};
	char text[ADDR_TEXT_LEN];
	int ret = ask_put_query(DNS_ID, name, type, q.text, sizeof(q.text));

	if (ret < 0)
		return err_set(e, -ret, "'%s' is no domain name", name);
	q.len = (size_t)ret;
	ret = ask(&q, node, deadline, e);
	if (ret == -ETIMEDOUT)
		err_set(e, ETIMEDOUT, "name server %s gives %s %s for %s",
			in6_format(server, text),
			world_plan(w)->nodes[node].name,
			q.reply ? q.reply : "no answer", name);
	return ret;
}

/* ---- echo ------------------------------------------------------------------
 */

static bool echo_answers(struct question *q, const uint8_t *buf, size_t n)
{
	return n >= sizeof(struct icmphdr) &&
	       buf[0] == (q->domain == AF_INET ? ICMP_ECHOREPLY
					       : ICMP6_ECHO_REPLY);
}

static void put_echo(struct question *q, struct world *w,
		     const struct addr *dst)
{
	bool v4 = dst->family == AF_INET;

	*q = (struct question){.world = w,
			       .domain = dst->family,
			       .type = SOCK_DGRAM, /* a ping socket */
			       .protocol = v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6,
			       .to_len = v4 ? sizeof(q->to.in)
					    : sizeof(q->to.in6),
			       .answers = echo_answers};
	q->to.sa.sa_family = (sa_family_t)dst->family;
	if (v4)
		q->to.in.sin_addr = dst->v4;
	else
		q->to.in6.sin6_addr = dst->v6;
	q->text[0] = v4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
	q->len = sizeof(struct icmphdr) + 8;
}

struct questions {
	struct question *v;
	size_t n;
};

static bool all_answered(void *arg)
{
	struct questions *qs = arg;

	for (size_t i = 0; i < qs->n; i++)
		if (!qs->v[i].answered)
			return false;
	return true;
}

/* The first node that got no answer. */
static int blame_node(struct world *w, const struct questions *qs,
		      const int *nodes, const struct addr *dst, struct err *e)
{
	char text[ADDR_TEXT_LEN];
	size_t i = 0;

	while (i < qs->n && qs->v[i].answered)
		i++;
	return err_set(e, ETIMEDOUT, "%s does not answer a ping from %s",
		       addr_format(dst, text),
		       world_plan(w)->nodes[nodes[i]].name);
}

int ask_echo(struct world *w, const int *nodes, size_t n,
	     const struct addr *dst, struct mono deadline, struct err *e)
{
	struct questions qs = {.v = calloc(n + 1, sizeof(*qs.v))};
	int ret = 0;

	if (!qs.v)
		return err_set(e, ENOMEM, "out of memory");
	for (size_t i = 0; i < n && !ret; i++) {
		put_echo(&qs.v[i], w, dst);
		qs.n++;
		ret = ask_begin(&qs.v[i], nodes[i], e);
	}
	if (!ret)
		ret = loop_run_until(world_loop(w), all_answered, &qs,
				     deadline);
	for (size_t i = 0; i < qs.n; i++)
		ask_end(&qs.v[i]);
	if (ret == -ETIMEDOUT)
		ret = blame_node(w, &qs, nodes, dst, e);
	else if (ret == -EINTR)
		err_set(e, EINTR, "interrupted");
	free(qs.v);
	return ret;
}

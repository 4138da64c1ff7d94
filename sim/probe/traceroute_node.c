/* SPDX-License-Identifier: MIT */
/*
 * The way to a host, hop by hop, from inside a node.
 *
 * Theory of operation
 *
 * Requests have a hop limit of 1, 2, 3 ..., each a number of its own: that
 * counts up the destination port of UDP from 33434, or the sequence number of
 * an echo. What comes back quotes it, and is told by it to which hop it
 * belongs, however late it is. A hop that says nothing is asked again; one that
 * still says nothing stays empty. The way ends at the host itself (its echo
 * reply, its port unreachable), at an error that is no time exceeded, or at the
 * last hop that is asked for.
 *
 * Raw sockets, since the checksum has to be there when the packet leaves: with
 * offload a router would quote what a card has not filled in yet. An answer is
 * right if the packet that it quotes is ours, in both addresses, length and
 * the first eight bytes of transport: those a translator has to restore.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node_args.h"
#include "probe_internal.h"

#define FIRST_PORT  33434
#define SOURCE_PORT 33000
#define PACKET_LEN  40 /* a transport header of 8 bytes, and data */
#define QUOTE_LEN   8
#define MAX_HOPS    64
#define MAX_TRIES   10

struct hop {
	char address[ADDR_TEXT_LEN]; /* "": nothing came */
	char named[ADDR_TEXT_LEN];   /* of an extension (RFC 5837); "": none */
	double rtt_ns;
	int type, code;
	bool right; /* what it quotes is what was sent */
	bool last;  /* the way ends here */
	bool host;  /* at the host itself */
};

struct tracer {
	int protocol;
	int out, in;
	struct node_peer to;
	struct sockaddr_storage self;
	int64_t hops, tries, timeout_ns;
	struct mono sent[MAX_HOPS * MAX_TRIES];
	struct hop hop[MAX_HOPS];
	int64_t n_sent; /* requests */
	char error[200];
};

static uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* The bytes of an address, and how many there are. */
static const uint8_t *bytes_of(const struct sockaddr_storage *s, size_t *len)
{
	if (s->ss_family == AF_INET) {
		*len = 4;
		return (const uint8_t *)&((const struct sockaddr_in *)s)
			->sin_addr;
	}
	*len = 16;
	return (const uint8_t *)&((const struct sockaddr_in6 *)s)->sin6_addr;
}

static bool same(const struct sockaddr_storage *s, const uint8_t *p)
{
	size_t len;
	const uint8_t *q = bytes_of(s, &len);

	return !memcmp(p, q, len);
}

/* ---- requests --------------------------------------------------------------
 */

static uint32_t sum16(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += get16(p + i);
	return sum;
}

/* ICMP of IPv4 is the one that has no pseudo-header. */
static uint32_t checksum(const struct tracer *t, const uint8_t *p)
{
	uint32_t sum = 0;

	if (t->protocol != IPPROTO_ICMP) {
		size_t len;
		const uint8_t *a = bytes_of(&t->self, &len);

		sum = sum16((uint32_t)t->protocol + PACKET_LEN, a, len);
		a = bytes_of(&t->to.addr, &len);
		sum = sum16(sum, a, len);
	}
	sum = sum16(sum, p, PACKET_LEN);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

/* Request number @n: its first eight bytes are what answers quote. */
static void build(const struct tracer *t, int64_t n, uint8_t *p)
{
	uint32_t check;

	for (size_t i = 0; i < PACKET_LEN; i++)
		p[i] = i < 8 ? 0 : (uint8_t)i;
	if (t->protocol == IPPROTO_UDP) {
		put16(p, SOURCE_PORT);
		put16(p + 2, FIRST_PORT + (uint32_t)n);
		put16(p + 4, PACKET_LEN);
		check = checksum(t, p);
		put16(p + 6, check ? check : 0xffff);
		return;
	}
	p[0] = t->to.family == AF_INET ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
	put16(p + 4, SOURCE_PORT);
	put16(p + 6, (uint32_t)n);
	put16(p + 2, checksum(t, p));
}

static void send_one(struct tracer *t, int ttl)
{
	uint8_t p[PACKET_LEN];
	int ret;

	build(t, t->n_sent, p);
	ret = t->to.family == AF_INET
		      ? setsockopt(t->out, IPPROTO_IP, IP_TTL, &ttl,
				   sizeof(ttl))
		      : setsockopt(t->out, IPPROTO_IPV6, IPV6_UNICAST_HOPS,
				   &ttl, sizeof(ttl));
	t->sent[t->n_sent++] = clock_now();
	if (ret || send(t->out, p, sizeof(p), 0) != sizeof(p))
		snprintf(t->error, sizeof(t->error), "%s: %s", t->to.text,
			 strerror(errno));
}

/* ---- answers ---------------------------------------------------------------
 */

/* The request that eight bytes of transport belong to, or -1. */
static int64_t number_of(const struct tracer *t, const uint8_t *p)
{
	bool udp = t->protocol == IPPROTO_UDP;
	int64_t n = udp ? (int64_t)get16(p + 2) - FIRST_PORT : get16(p + 6);

	if (get16(udp ? p : p + 4) != SOURCE_PORT || n < 0 || n >= t->n_sent)
		return -1;
	return n;
}

/* What an error quotes. */
struct quote {
	const uint8_t *src, *dst, *transport;
	uint32_t length; /* of the datagram */
	int protocol;
};

static bool read_quote(const struct tracer *t, const uint8_t *p, size_t len,
		       struct quote *q)
{
	size_t header = t->to.family == AF_INET ? (size_t)(p[0] & 15) * 4 : 40;

	if (len < 40 || len < header + QUOTE_LEN ||
	    p[0] >> 4 != (t->to.family == AF_INET ? 4 : 6))
		return false;
	q->transport = p + header;
	q->src = p + (t->to.family == AF_INET ? 12 : 8);
	q->dst = p + (t->to.family == AF_INET ? 16 : 24);
	q->protocol = t->to.family == AF_INET ? p[9] : p[6];
	q->length = t->to.family == AF_INET ? get16(p + 2) - (uint32_t)header
					    : get16(p + 4);
	return q->protocol == t->protocol;
}

static bool is_right(const struct tracer *t, const struct quote *q, int64_t n)
{
	uint8_t p[PACKET_LEN];

	build(t, n, p);
	return same(&t->self, q->src) && same(&t->to.addr, q->dst) &&
	       q->length == PACKET_LEN && !memcmp(q->transport, p, QUOTE_LEN);
}

/* RFC 5837: the address of the interface, in an object of class 2. */
static void read_interface(const uint8_t *p, size_t len, struct hop *h)
{
	bool index = p[3] & 8, address = p[3] & 4;
	size_t at = index ? 8 : 4;

	if (p[2] != 2 || !address || at + 4 > len)
		return;
	if (get16(p + at) == 2 && at + 20 <= len)
		inet_ntop(AF_INET6, p + at + 4, h->named, sizeof(h->named));
	else if (get16(p + at) == 1 && at + 8 <= len)
		inet_ntop(AF_INET, p + at + 4, h->named, sizeof(h->named));
}

/* RFC 4884: objects behind a quote whose length is told, in @unit bytes. */
static void read_extension(const uint8_t *p, size_t len, size_t words,
			   size_t unit, struct hop *h)
{
	size_t at = 8 + words * unit, size;

	if (!words || at + 4 > len || p[at] >> 4 != 2)
		return;
	for (at += 4; at + 4 <= len; at += size) {
		size = get16(p + at);
		if (size < 4 || at + size > len)
			return;
		read_interface(p + at, size, h);
	}
}

static void note(struct tracer *t, int64_t n, const struct sockaddr *from,
		 const struct hop *what)
{
	struct hop *h = &t->hop[n / t->tries];

	if (h->address[0])
		return;
	*h = *what;
	h->rtt_ns = (double)mono_sub(clock_now(), t->sent[n]);
	getnameinfo(from,
		    from->sa_family == AF_INET ? sizeof(struct sockaddr_in)
					       : sizeof(struct sockaddr_in6),
		    h->address, sizeof(h->address), NULL, 0, NI_NUMERICHOST);
}

static void read_error(struct tracer *t, const struct sockaddr *from,
		       const uint8_t *p, size_t len)
{
	bool v4 = t->to.family == AF_INET;
	bool exceeded = p[0] == (v4 ? ICMP_TIME_EXCEEDED : ICMP6_TIME_EXCEEDED);
	bool port = p[0] == (v4 ? ICMP_DEST_UNREACH : ICMP6_DST_UNREACH) &&
		    p[1] == (v4 ? ICMP_PORT_UNREACH : ICMP6_DST_UNREACH_NOPORT);
	struct hop h = {.type = p[0], .code = p[1], .last = !exceeded};
	struct quote q;
	int64_t n;

	if (!read_quote(t, p + 8, len - 8, &q))
		return;
	n = number_of(t, q.transport);
	if (n < 0)
		return;
	h.right = is_right(t, &q, n);
	h.host = port && t->protocol == IPPROTO_UDP;
	read_extension(p, len, v4 ? p[5] : p[4], v4 ? 4 : 8, &h);
	note(t, n, from, &h);
}

static void read_answer(struct tracer *t, const struct sockaddr *from,
			const uint8_t *p, size_t len)
{
	bool v4 = t->to.family == AF_INET;
	uint8_t reply = v4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY;
	const struct hop host = {
		.type = reply, .right = true, .last = true, .host = true};

	if (len < 8)
		return;
	if (p[0] == reply) {
		if (t->protocol != IPPROTO_UDP && number_of(t, p) >= 0)
			note(t, number_of(t, p), from, &host);
	} else if (p[0] == (v4 ? ICMP_TIME_EXCEEDED : ICMP6_TIME_EXCEEDED) ||
		   p[0] == (v4 ? ICMP_DEST_UNREACH : ICMP6_DST_UNREACH)) {
		if (len > 8)
			read_error(t, from, p, len);
	}
}

static void receive(struct tracer *t)
{
	uint8_t buf[2048];
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	ssize_t n = recvfrom(t->in, buf, sizeof(buf), MSG_DONTWAIT,
			     (struct sockaddr *)&from, &from_len);
	size_t header = t->to.family == AF_INET ? (size_t)(buf[0] & 15) * 4 : 0;

	/* a raw socket of IPv4 shows the header, one of IPv6 does not */
	if (n > 0 && (size_t)n > header)
		read_answer(t, (const struct sockaddr *)&from, buf + header,
			    (size_t)n - header);
}

/* ---- the way ---------------------------------------------------------------
 */

static void await_hop(struct tracer *t, const struct hop *h)
{
	struct mono until = mono_add(clock_now(), t->timeout_ns);
	struct pollfd p = {.fd = t->in, .events = POLLIN};
	int64_t left;

	while (!h->address[0] && (left = mono_sub(until, clock_now())) > 0)
		if (poll(&p, 1, (int)(left / NS_PER_MS) + 1) > 0)
			receive(t);
}

/* Returns the number of hops that were asked. */
static int64_t trace(struct tracer *t)
{
	for (int64_t i = 0; i < t->hops; i++) {
		struct hop *h = &t->hop[i];

		t->n_sent = i * t->tries;
		for (int64_t k = 0; k < t->tries && !h->address[0]; k++) {
			send_one(t, (int)i + 1);
			await_hop(t, h);
		}
		if (h->last)
			return i + 1;
	}
	return t->hops;
}

/* ---- beginning and end -----------------------------------------------------
 */

/* Connected, to know which source the kernel takes: the checksum has it. */
static int open_sockets(struct tracer *t, bool icmp)
{
	int own = t->to.family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	socklen_t len = sizeof(t->self);

	t->protocol = icmp ? own : IPPROTO_UDP;
	t->in = socket(t->to.family, SOCK_RAW | SOCK_CLOEXEC, own);
	t->out = socket(t->to.family, SOCK_RAW | SOCK_CLOEXEC, t->protocol);
	if (t->in < 0 || t->out < 0 ||
	    connect(t->out, (const struct sockaddr *)&t->to.addr, t->to.len) ||
	    getsockname(t->out, (struct sockaddr *)&t->self, &len)) {
		snprintf(t->error, sizeof(t->error), "%s: %s", t->to.text,
			 strerror(errno));
		return -errno;
	}
	return 0;
}

static json_t *hop_json(const struct hop *h)
{
	json_t *o = json_object();

	if (!h->address[0])
		return o;
	json_object_set_new(o, "address", json_string(h->address));
	json_object_set_new(o, "rtt_ns", json_real(h->rtt_ns));
	json_object_set_new(o, "type", json_integer(h->type));
	json_object_set_new(o, "code", json_integer(h->code));
	json_object_set_new(o, "right", json_boolean(h->right));
	json_object_set_new(o, "host", json_boolean(h->host));
	if (h->named[0])
		json_object_set_new(o, "named", json_string(h->named));
	return o;
}

static int report(const struct tracer *t, int64_t hops)
{
	json_t *j = json_object(), *list = json_array();
	int ret;

	for (int64_t i = 0; i < hops; i++)
		json_array_append_new(list, hop_json(&t->hop[i]));
	json_object_set_new(j, "address", json_string(t->to.text));
	json_object_set_new(j, "hops", list);
	if (t->error[0])
		json_object_set_new(j, "error", json_string(t->error));
	ret = json_dumpf(j, stdout, JSON_INDENT(1)) || fflush(stdout);
	json_decref(j);
	return ret ? 1 : 0;
}

int probe_traceroute_main(int argc, char **argv)
{
	static struct tracer t = {.out = -1, .in = -1};
	const char *to = NULL;
	int64_t family = 0, icmp = 0, hops = 0;
	const struct node_arg args[] = {
		{.key = "to", .text = &to},
		{.key = "family", .number = &family},
		{.key = "icmp", .number = &icmp},
		{.key = "hops", .number = &t.hops},
		{.key = "attempts", .number = &t.tries},
		{.key = "timeout-ns", .number = &t.timeout_ns},
		{0},
	};

	if (node_args_read(argc, argv, args) || !to || t.hops < 1 ||
	    t.hops > MAX_HOPS || t.tries < 1 || t.tries > MAX_TRIES ||
	    t.timeout_ns < 1)
		return 2;
	if (!node_peer_find(&t.to, to, family, t.error, sizeof(t.error)) &&
	    !open_sockets(&t, icmp))
		hops = trace(&t);
	if (t.in >= 0)
		close(t.in);
	if (t.out >= 0)
		close(t.out);
	return report(&t, hops);
}

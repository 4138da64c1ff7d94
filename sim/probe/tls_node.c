/* SPDX-License-Identifier: MIT */
/*
 * A TLS 1.3 exchange from inside a node, as a browser begins one: what has to
 * pass is full segments both ways before anybody has sent much.
 *
 * Theory of operation
 *
 * The client hello is as long as one with a post-quantum key share (X25519 and
 * ML-KEM-768, 1216 bytes), which browsers send: OpenSSL 3.0 has none, so names
 * of protocols that nobody speaks (ALPN) make up for it. Then the server's
 * flight with its certificate, a request of 2000 bytes, and the answer.
 *
 * One exchange after another, each by a connection of its own, on sockets that
 * do not block, each with one deadline for the whole of it. A server that is
 * just starting refuses: that is tried again within the first exchange's time.
 */
#include "tls_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node_args.h"
#include "probe_internal.h"

#define HELLO_PADDING  1200 /* bytes of ALPN */
#define AGAIN_MS       20
#define MAX_EXCHANGES  1000
#define MAX_PROTO_NAME 200

struct exchange {
	int fd;
	SSL *tls;
	struct mono began, deadline;
	int64_t connect_ns, handshake_ns, total_ns; /* since began */
	int64_t got;				    /* bytes of the answer */
	struct tcp_info info;
	int lost;
	const char *stage; /* under way, or where it ended */
	int error;	   /* errno; 0: all of it arrived */
};

struct client {
	struct sockaddr_storage to;
	socklen_t to_len;
	SSL_CTX *context;
	int64_t size, timeout_ns;
};

/* ---- one exchange ----------------------------------------------------------
 */

/* 0, or an errno: ETIMEDOUT at the deadline. */
static int wait_for(const struct exchange *x, short events)
{
	struct pollfd p = {.fd = x->fd, .events = events};
	int n;

	do {
		int64_t left = mono_sub(x->deadline, clock_now());

		if (left <= 0)
			return ETIMEDOUT;
		n = poll(&p, 1, (int)(left / NS_PER_MS) + 1);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? errno : n == 0 ? ETIMEDOUT : 0;
}

/* What a TLS call that returned @ret waits for is waited for; else an errno. */
static int more(const struct exchange *x, int ret)
{
	switch (SSL_get_error(x->tls, ret)) {
	case SSL_ERROR_WANT_READ:
		return wait_for(x, POLLIN);
	case SSL_ERROR_WANT_WRITE:
		return wait_for(x, POLLOUT);
	case SSL_ERROR_SYSCALL:
		return errno ? errno : ECONNRESET;
	default:
		return EPROTO;
	}
}

static int64_t since_began(const struct exchange *x)
{
	return mono_sub(clock_now(), x->began);
}

static int dial(struct exchange *x, const struct client *c)
{
	int error = 0;
	socklen_t len = sizeof(error);

	x->fd = socket(c->to.ss_family,
		       SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (x->fd < 0)
		return errno;
	if (connect(x->fd, (const struct sockaddr *)&c->to, c->to_len) &&
	    errno != EINPROGRESS)
		return errno;
	error = wait_for(x, POLLOUT);
	if (error)
		return error;
	getsockopt(x->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	return error;
}

static int dial_again(struct exchange *x, const struct client *c)
{
	int error;

	while ((error = dial(x, c)) == ECONNREFUSED && !wait_for(x, 0)) {
		close(x->fd);
		poll(NULL, 0, AGAIN_MS);
	}
	x->connect_ns = since_began(x);
	return error;
}

static int shake_hands(struct exchange *x, const struct client *c)
{
	int ret, error = 0;

	x->tls = SSL_new(c->context);
	if (!x->tls || !SSL_set_fd(x->tls, x->fd))
		return ENOMEM;
	SSL_set_tlsext_host_name(x->tls, "slash.example");
	while (!error && (ret = SSL_connect(x->tls)) != 1)
		error = more(x, ret);
	x->handshake_ns = since_began(x);
	return error;
}

static int ask(struct exchange *x, const struct client *c)
{
	char request[TLS_REQUEST_BYTES];
	int n = snprintf(request, sizeof(request), "%lld\n",
			 (long long)c->size);
	int error = 0, ret;

	memset(request + n, ' ', sizeof(request) - (size_t)n);
	while (!error &&
	       (ret = SSL_write(x->tls, request, sizeof(request))) <= 0)
		error = more(x, ret);
	return error;
}

static int read_answer(struct exchange *x, const struct client *c)
{
	char buf[16384];
	int error = 0;

	while (!error && x->got < c->size) {
		int n = SSL_read(x->tls, buf, sizeof(buf));

		if (n > 0)
			x->got += n;
		else
			error = more(x, n);
	}
	x->total_ns = since_began(x);
	return error;
}

/* The server closes when it has said what it saw of this connection. */
static void await_end(const struct exchange *x)
{
	char rest[64];

	shutdown(x->fd, SHUT_WR);
	while (!more(x, SSL_read(x->tls, rest, sizeof(rest))))
		;
}

int tls_lost(int fd, struct tcp_info *info)
{
	socklen_t len = sizeof(*info);
	uint32_t lost;

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &len))
		return 0;
	lost = info->tcpi_total_retrans;
	return (int)(lost > info->tcpi_dsack_dups ? lost - info->tcpi_dsack_dups
						  : 0);
}

static void run_exchange(struct exchange *x, const struct client *c)
{
	static const struct {
		const char *stage;
		int (*step)(struct exchange *x, const struct client *c);
	} steps[] = {{"connecting", dial_again},
		     {"in the handshake", shake_hands},
		     {"sending the request", ask},
		     {"waiting for the answer", read_answer}};

	*x = (struct exchange){.fd = -1, .began = clock_now()};
	x->deadline = mono_add(x->began, c->timeout_ns);
	ERR_clear_error();
	for (size_t i = 0; i < 4 && !x->error; i++) {
		x->stage = steps[i].stage;
		x->error = steps[i].step(x, c);
	}
	if (!x->error)
		await_end(x);
	if (x->fd >= 0)
		x->lost = tls_lost(x->fd, &x->info);
	SSL_free(x->tls);
	if (x->fd >= 0)
		close(x->fd);
}

/* ---- all of them -----------------------------------------------------------
 */

static SSL_CTX *open_context(void)
{
	unsigned char alpn[HELLO_PADDING + MAX_PROTO_NAME + 1];
	SSL_CTX *c = SSL_CTX_new(TLS_client_method());
	unsigned int n = 0;

	while (n < HELLO_PADDING) {
		alpn[n] = MAX_PROTO_NAME;
		memset(alpn + n + 1, 'a' + (int)(n / MAX_PROTO_NAME),
		       MAX_PROTO_NAME);
		n += MAX_PROTO_NAME + 1;
	}
	if (c && SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) &&
	    !SSL_CTX_set_alpn_protos(c, alpn, n))
		return c;
	SSL_CTX_free(c);
	return NULL;
}

static json_t *exchange_json(const struct exchange *x)
{
	json_t *o =
		json_pack("{s:I, s:I, s:I, s:I, s:i, s:i, s:i, s:i}",
			  "connect_ns", (json_int_t)x->connect_ns,
			  "handshake_ns", (json_int_t)x->handshake_ns,
			  "total_ns", (json_int_t)x->total_ns, "bytes",
			  (json_int_t)x->got, "mss", (int)x->info.tcpi_snd_mss,
			  "path_mtu", (int)x->info.tcpi_pmtu, "retransmits",
			  (int)x->info.tcpi_total_retrans, "lost", x->lost);

	if (x->error) {
		json_object_set_new(o, "stage", json_string(x->stage));
		json_object_set_new(o, "why", json_string(strerror(x->error)));
	}
	return o;
}

static int find_server(struct client *c, const char *to, int64_t family,
		       const char *port)
{
	struct addrinfo hints = {.ai_family = family == 4   ? AF_INET
					      : family == 6 ? AF_INET6
							    : AF_UNSPEC,
				 .ai_socktype = SOCK_STREAM};
	struct addrinfo *ai;
	int ret = getaddrinfo(to, port, &hints, &ai);

	if (ret) {
		fprintf(stderr, "tls: %s: %s\n", to, gai_strerror(ret));
		return -1;
	}
	memcpy(&c->to, ai->ai_addr, ai->ai_addrlen);
	c->to_len = ai->ai_addrlen;
	freeaddrinfo(ai);
	return 0;
}

static int exchange_all(const struct client *c, int64_t count)
{
	json_t *list = json_array(), *o;
	struct exchange x;
	int ret;

	for (int64_t i = 0; i < count; i++) {
		run_exchange(&x, c);
		json_array_append_new(list, exchange_json(&x));
	}
	o = json_pack("{s:o}", "exchanges", list);
	ret = json_dumpf(o, stdout, JSON_COMPACT) || fflush(stdout);
	json_decref(o);
	return ret ? 1 : 0;
}

int probe_tls_main(int argc, char **argv)
{
	const char *to = NULL, *port = NULL;
	int64_t count = 1, family = 0;
	struct client c = {.size = 0};
	const struct node_arg args[] = {
		{.key = "to", .text = &to},
		{.key = "port", .text = &port},
		{.key = "family", .number = &family},
		{.key = "count", .number = &count},
		{.key = "size", .number = &c.size},
		{.key = "timeout-ns", .number = &c.timeout_ns},
		{0},
	};
	int ret;

	if (node_args_read(argc, argv, args) || !port || count < 1 ||
	    count > MAX_EXCHANGES)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	if (!to)
		return tls_serve(atoi(port));
	if (c.size < 1 || c.timeout_ns < 1)
		return 2;
	if (find_server(&c, to, family, port))
		return 1;
	c.context = open_context();
	ret = c.context ? exchange_all(&c, count) : 1;
	if (!c.context)
		ERR_print_errors_fp(stderr);
	SSL_CTX_free(c.context);
	return ret;
}

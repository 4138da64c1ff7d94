/* SPDX-License-Identifier: MIT */
/*
 * The socket of the PCP server (nat64/pcp.c): one address, so that answers come
 * from where hosts asked. What comes faster than it is answered waits in the
 * socket and is lost there; packets go first, BATCH requests a turn of the
 * loop at most.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../base/addr.h"
#include "../base/log.h"
#include "memory.h"
#include "server.h"

#define BATCH	      32
#define SWEEP	      4096 /* records looked at */
#define SWEEP_NS      NS_PER_S
#define SWEEP_MORE_NS (10 * NS_PER_MS)

struct pcp_server {
	struct server *server;
	int fd;
	struct loop_source *source, *timer;
	void *mem;
	size_t bytes;
	struct pcp *pcp;
	uint64_t send_errors;
};

static void on_request(void *arg, uint32_t events)
{
	struct pcp_server *x = arg;
	struct nat64 *n = x->server->setup.path.nat64;
	uint8_t request[PCP_MAX_BYTES + 4], out[PCP_MAX_BYTES];

	(void)events;
	for (int i = 0; i < BATCH; i++) {
		struct sockaddr_in6 from;
		socklen_t from_len = sizeof(from);
		ssize_t got = recvfrom(x->fd, request, sizeof(request), 0,
				       (struct sockaddr *)&from, &from_len);
		size_t len;

		if (got < 0)
			return;
		len = pcp_answer(x->pcp, n, &from.sin6_addr, request,
				 (size_t)got, server_now(x->server), out);
		if (len && sendto(x->fd, out, len, 0, (struct sockaddr *)&from,
				  from_len) < 0)
			x->send_errors++;
	}
}

static void on_sweep(void *arg, struct mono due)
{
	struct pcp_server *x = arg;
	struct server *s = x->server;
	bool more =
		pcp_expire(x->pcp, s->setup.path.nat64, server_now(s), SWEEP);

	(void)due;
	x->timer = loop_add_timer(
		s->loop, mono_add(clock_now(), more ? SWEEP_MORE_NS : SWEEP_NS),
		on_sweep, x);
	if (!x->timer) {
		log_err("pcp: timer: %s", strerror(errno));
		loop_stop(s->loop);
	}
}

static int open_socket(struct pcp_server *x, const struct sockaddr_in6 *at,
		       struct err *e)
{
	char text[ADDR_TEXT_LEN];

	x->fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (x->fd < 0 || bind(x->fd, (const struct sockaddr *)at, sizeof(*at)))
		return err_set(e, errno, "pcp: [%s]:%u: %s",
			       in6_format(&at->sin6_addr, text),
			       ntohs(at->sin6_port), strerror(errno));
	return 0;
}

static int make_records(struct pcp_server *x, const struct config *c,
			struct err *e)
{
	struct pcp_cfg cfg = {.max = (uint32_t)c->pcp_mappings,
			      .share = (uint32_t)c->pcp_share,
			      .subscriber_len = (uint8_t)c->subscriber_len,
			      .life_max = (uint32_t)c->pcp_life_s};

	if (getrandom(cfg.seed, sizeof(cfg.seed), 0) != sizeof(cfg.seed))
		return err_set(e, errno, "getrandom: %s", strerror(errno));
	x->bytes = pcp_memory(&cfg);
	x->mem = memory_map(x->bytes, false);
	if (!x->mem)
		return err_set(e, errno, "%zu bytes for mappings: %s", x->bytes,
			       strerror(errno));
	x->pcp = pcp_init(x->mem, &cfg, server_now(x->server));
	return 0;
}

struct pcp_server *pcp_open(struct server *s, struct err *e)
{
	struct pcp_server *x = calloc(1, sizeof(*x));

	if (!x) {
		err_set(e, ENOMEM, "out of memory");
		return NULL;
	}
	x->server = s;
	x->fd = -1;
	if (make_records(x, s->config, e) ||
	    open_socket(x, &s->config->pcp_listen, e))
		goto failed;
	x->source = loop_add_fd(s->loop, x->fd, EPOLLIN, on_request, x);
	if (!x->source) {
		err_set(e, errno, "pcp: event loop: %s", strerror(errno));
		goto failed;
	}
	on_sweep(x, s->started);
	return x;
failed:
	pcp_close(x);
	return NULL;
}

void pcp_close(struct pcp_server *x)
{
	if (!x)
		return;
	loop_del(x->server->loop, x->source);
	loop_del(x->server->loop, x->timer);
	if (x->fd >= 0)
		close(x->fd);
	memory_unmap(x->mem, x->bytes);
	free(x);
}

void pcp_tables_changed(struct pcp_server *x)
{
	const struct server *s = x->server;

	pcp_moved(x->pcp, s->setup.path.nat64,
		  (uint8_t)s->config->subscriber_len, server_now(s));
}

void pcp_advance(struct pcp_server *x)
{
	while (pcp_expire(x->pcp, x->server->setup.path.nat64,
			  server_now(x->server), SWEEP))
		;
}

const struct pcp *pcp_of(const struct pcp_server *x, uint64_t *send_errors)
{
	*send_errors = x->send_errors;
	return x->pcp;
}

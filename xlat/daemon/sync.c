/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * nat64/replica.c knows what to say when; here are the socket, the timer and
 * the seal. Each datagram is sealed with HMAC-SHA-256 under the shared key
 * (the link is dedicated: sessions are authentic, not secret), and counts only
 * for the life of the process that it names (nat64/sync.h).
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../base/file.h"
#include "../base/log.h"
#include "server.h"

#define SEAL_BYTES REPLICA_SEAL_BYTES
#define KEY_MIN	   32
#define KEY_MAX	   4096
#define BATCH	   64

struct sync {
	struct server *server;
	int fd;
	struct loop_source *source, *timer;
	char *key;
	size_t key_len;
	struct replica replica;
	struct ratelimit complaints;
	uint64_t bad_seals, send_errors;
};

/* ---- sending --------------------------------------------------------------
 */

static bool seal(const struct sync *y, const uint8_t *data, size_t len,
		 uint8_t out[SEAL_BYTES])
{
	unsigned int n = 0;

	return HMAC(EVP_sha256(), y->key, (int)y->key_len, data, len, out,
		    &n) &&
	       n == SEAL_BYTES;
}

static void emit(void *arg, uint8_t *at, size_t len)
{
	struct sync *y = arg;

	if (!seal(y, at, len, at + len) ||
	    send(y->fd, at, len + SEAL_BYTES, MSG_NOSIGNAL) < 0)
		y->send_errors++;
}

static void on_change(void *arg, enum nat64_event ev,
		      const struct nat64_session_info *s)
{
	struct sync *y = arg;

	replica_change(&y->replica, ev, s, y->server->setup.path.now);
}

static void on_tick(void *arg, struct mono due)
{
	struct sync *y = arg;
	struct mono now = clock_now();

	(void)due;
	replica_tick(&y->replica, y->server->setup.path.nat64, now);
	y->timer = loop_add_timer(y->server->loop,
				  mono_add(now, REPLICA_TICK_NS), on_tick, y);
	if (!y->timer) {
		log_err("sync: timer: %s", strerror(errno));
		loop_stop(y->server->loop);
	}
}

/* ---- receiving ------------------------------------------------------------
 */

static void complain(struct sync *y, const char *what, struct mono now)
{
	if (ratelimit_allow(&y->complaints, now.ns))
		log_warn("sync: a datagram from the peer %s", what);
}

static void read_datagram(struct sync *y, const uint8_t *at, size_t len,
			  struct mono now)
{
	uint8_t good[SEAL_BYTES];

	if (len < SYNC_HEADER_BYTES + SEAL_BYTES ||
	    len > SYNC_MAX_BYTES + SEAL_BYTES) {
		y->replica.stats.malformed++;
		complain(y, "has no sensible length", now);
		return;
	}
	len -= SEAL_BYTES;
	if (!seal(y, at, len, good) ||
	    CRYPTO_memcmp(good, at + len, SEAL_BYTES) != 0) {
		y->bad_seals++;
		complain(y, "is sealed with another key", now);
		return;
	}
	switch (replica_receive(&y->replica, y->server->setup.path.nat64, at,
				len, now)) {
	case REPLICA_HEARD:
		break;
	case REPLICA_CONNECTED:
		log_info("sync: the peer is there");
		break;
	case REPLICA_MALFORMED:
		complain(y, "is not understood", now);
		break;
	case REPLICA_FOREIGN:
		complain(y, "is of another version of xlatd", now);
		break;
	}
}

static void on_readable(void *arg, uint32_t events)
{
	struct sync *y = arg;
	struct mono now = clock_now();
	uint8_t at[SYNC_MAX_BYTES + SEAL_BYTES + 1];

	(void)events;
	for (unsigned int i = 0; i < BATCH; i++) {
		ssize_t n = recv(y->fd, at, sizeof(at), MSG_TRUNC);

		if (n >= 0)
			read_datagram(y, at, (size_t)n, now);
		else if (errno == EAGAIN)
			return;
		/* anything else is the peer's port unreachable, or a signal */
	}
}

/* ---- life -----------------------------------------------------------------
 */

static int open_socket(struct sync *y, const struct config *c, struct err *e)
{
	char listen[ADDR_TEXT_LEN], peer[ADDR_TEXT_LEN];

	y->fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (y->fd >= 0 &&
	    !bind(y->fd, (const struct sockaddr *)&c->sync_listen,
		  sizeof(c->sync_listen)) &&
	    !connect(y->fd, (const struct sockaddr *)&c->sync_peer,
		     sizeof(c->sync_peer)))
		return 0;
	return err_set(e, errno, "sync from [%s]:%u to [%s]:%u: %s",
		       in6_format(&c->sync_listen.sin6_addr, listen),
		       ntohs(c->sync_listen.sin6_port),
		       in6_format(&c->sync_peer.sin6_addr, peer),
		       ntohs(c->sync_peer.sin6_port), strerror(errno));
}

static int read_key(struct sync *y, const char *path, struct err *e)
{
	y->key = file_read_secret(path, KEY_MAX, &y->key_len, e);
	if (!y->key)
		return -EIO;
	if (y->key_len < KEY_MIN || y->key_len > KEY_MAX)
		return err_set(e, EINVAL,
			       "%s: a key of %d to %d bytes is expected, this "
			       "has %zu",
			       path, KEY_MIN, KEY_MAX, y->key_len);
	return 0;
}

static bool start(struct sync *y, struct mono now, struct err *e)
{
	uint64_t epoch = 0;

	while (!epoch)
		if (getrandom(&epoch, sizeof(epoch), 0) < 0) {
			err_set(e, errno, "getrandom: %s", strerror(errno));
			return false;
		}
	replica_init(&y->replica, epoch, emit, y, now);
	y->source =
		loop_add_fd(y->server->loop, y->fd, EPOLLIN, on_readable, y);
	if (!y->source) {
		err_set(e, errno, "sync: %s", strerror(errno));
		return false;
	}
	if (!nat64_watch(y->server->setup.path.nat64, on_change, y)) {
		err_set(e, EBUSY, "too many watch the sessions");
		return false;
	}
	return true;
}

struct sync *sync_open(struct server *s, struct err *e)
{
	struct mono now = clock_now();
	struct sync *y = calloc(1, sizeof(*y));

	if (!y) {
		err_set(e, ENOMEM, "out of memory");
		return NULL;
	}
	*y = (struct sync){.server = s, .fd = -1};
	ratelimit_init(&y->complaints, 1, 3, now.ns);
	if (read_key(y, s->config->sync_key, e) ||
	    open_socket(y, s->config, e) || !start(y, now, e)) {
		sync_close(y);
		return NULL;
	}
	on_tick(y, now);
	return y;
}

void sync_close(struct sync *y)
{
	if (!y)
		return;
	if (y->server->setup.path.nat64)
		nat64_unwatch(y->server->setup.path.nat64, on_change, y);
	if (y->source)
		replica_flush(&y->replica, clock_now());
	loop_del(y->server->loop, y->source);
	loop_del(y->server->loop, y->timer);
	if (y->fd >= 0)
		close(y->fd);
	if (y->key)
		OPENSSL_cleanse(y->key, y->key_len);
	free(y->key);
	free(y);
}

void sync_get_stats(const struct sync *y, struct sync_stats *out)
{
	replica_get_stats(&y->replica, clock_now(), &out->replica);
	out->bad_seals = y->bad_seals;
	out->send_errors = y->send_errors;
}

bool sync_compare_start(struct sync *y)
{
	return compare_start(&y->replica, y->server->setup.path.nat64,
			     clock_now());
}

const struct replica *sync_replica(const struct sync *y)
{
	return &y->replica;
}

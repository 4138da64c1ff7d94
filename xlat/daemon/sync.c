/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * What changes in the table goes into one datagram, which leaves when it is
 * full or at the next tick. Besides, the table is walked without end, and
 * every owned session told again: this is what repairs losses, carries
 * refreshes, and keeps the peer's copies alive. Nothing is acknowledged and
 * nothing is kept to be sent again, so memory is one datagram. A peer that
 * has just (re)started, or comes back after silence, is told the whole table,
 * copies included.
 *
 * Each datagram is sealed with HMAC-SHA-256 under the shared key (the link
 * is dedicated: sessions are authentic, not secret), and counts only for the
 * life of the process that it names (nat64/sync.h).
 *
 * A token bucket bounds what is sent. Sessions that found it empty are held
 * back: counted, and told by the next walk.
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
#include <sys/stat.h>
#include <unistd.h>

#include "../base/file.h"
#include "../base/log.h"
#include "../nat64/sync.h"
#include "server.h"

#define SEAL_BYTES   32
#define KEY_MIN	     32
#define KEY_MAX	     4096
#define TICK_NS	     (10 * NS_PER_MS)
#define HELLO_NS     NS_PER_S
#define SILENCE_NS   (5 * NS_PER_S)
#define WALK_PAUSE   (5 * NS_PER_S) /* between two walks */
#define WALK_RECORDS 220	    /* a tick */
#define WALK_SLOTS   65536	    /* a tick */
#define RATE	     100000	    /* records a second */
#define BURST	     20000
#define BATCH	     64

struct sync {
	struct server *server;
	int fd;
	struct loop_source *source, *timer;
	char *key;
	size_t key_len;
	struct sync_peer peer;
	uint64_t seq;
	uint8_t out[SYNC_MAX_BYTES + SEAL_BYTES];
	unsigned int n; /* records in out */
	uint32_t cursor;
	bool walking, walk_all; /* all: copies as well */
	struct mono heard, hello_at, walk_at;
	struct ratelimit rate, complaints, answers;
	struct sync_stats stats;
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

static void send_datagram(struct sync *y, uint8_t *at, unsigned int n,
			  uint64_t to)
{
	struct sync_header h = {
		.from = y->peer.epoch, .to = to, .seq = ++y->seq, .n = n};
	size_t len = SYNC_HEADER_BYTES + (size_t)n * SYNC_RECORD_BYTES;

	sync_encode_header(&h, at);
	if (!seal(y, at, len, at + len) ||
	    send(y->fd, at, len + SEAL_BYTES, MSG_NOSIGNAL) < 0) {
		y->stats.send_errors++;
		return;
	}
	y->stats.sent++;
	y->stats.sessions_sent += n;
}

static void flush(struct sync *y)
{
	if (y->n)
		send_datagram(y, y->out, y->n, y->peer.peer);
	y->n = 0;
}

static void send_hello(struct sync *y, uint64_t to)
{
	uint8_t at[SYNC_HEADER_BYTES + SEAL_BYTES];

	send_datagram(y, at, 0, to);
}

static bool is_connected(const struct sync *y, struct mono now)
{
	return y->peer.peer && mono_sub(now, y->heard) < SILENCE_NS;
}

/* False when the bucket is empty. */
static bool put(struct sync *y, const struct nat64_session_info *s,
		bool is_event, struct mono now)
{
	struct sync_record r = {.session = *s, .is_event = is_event};

	if (!ratelimit_allow(&y->rate, now.ns))
		return false;
	sync_encode_record(&r, y->out + SYNC_HEADER_BYTES +
				       y->n * SYNC_RECORD_BYTES);
	if (++y->n == SYNC_MAX_RECORDS)
		flush(y);
	return true;
}

static void on_change(void *arg, enum nat64_event ev,
		      const struct nat64_session_info *s)
{
	struct sync *y = arg;
	struct mono now = y->server->setup.path.now;

	if (ev != NAT64_SESSION_NEW && ev != NAT64_SESSION_STATE)
		return; /* what ends does so there by itself */
	/* who is not there is told everything when he comes */
	if (is_connected(y, now) && !put(y, s, true, now))
		y->stats.held_back++;
}

static void start_full_pass(struct sync *y)
{
	y->walking = y->walk_all = true;
	y->cursor = 0;
	y->stats.full_passes++;
}

static void walk(struct sync *y, struct mono now)
{
	struct nat64_session_info v[WALK_RECORDS];
	struct nat64 *n = y->server->setup.path.nat64;
	size_t found;

	if (!y->walking && !mono_before(now, y->walk_at)) {
		y->walking = true;
		y->walk_all = false;
		y->cursor = 0;
	}
	if (!y->walking)
		return;
	found = y->walk_all ? nat64_list_sessions(n, &y->cursor, WALK_SLOTS,
						  now, v, WALK_RECORDS)
			    : nat64_list_owned(n, &y->cursor, WALK_SLOTS, now,
					       v, WALK_RECORDS);
	for (size_t i = 0; i < found; i++)
		if (!put(y, &v[i], false, now))
			y->stats.held_back++;
	if (y->cursor == UINT32_MAX) {
		y->walking = false;
		y->walk_at = mono_add(now, WALK_PAUSE);
	}
}

static void on_tick(void *arg, struct mono due)
{
	struct sync *y = arg;
	struct mono now = clock_now();

	(void)due;
	if (is_connected(y, now))
		walk(y, now);
	else
		y->n = 0;
	flush(y);
	if (!mono_before(now, y->hello_at)) {
		send_hello(y, y->peer.peer);
		y->hello_at = mono_add(now, HELLO_NS);
	}
	y->timer = loop_add_timer(y->server->loop, mono_add(now, TICK_NS),
				  on_tick, y);
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

static void import_all(struct sync *y, const uint8_t *at, unsigned int n,
		       struct mono now)
{
	struct sync_record r;

	for (unsigned int i = 0; i < n; i++, at += SYNC_RECORD_BYTES) {
		enum nat64_import what = NAT64_IMPORT_REFUSED;

		if (sync_decode_record(at, &r))
			what = nat64_import(y->server->setup.path.nat64,
					    &r.session, r.is_event, now);
		y->stats.imports[what]++;
	}
}

static void accept_datagram(struct sync *y, const uint8_t *at,
			    const struct sync_header *h, struct mono now)
{
	bool was_silent = !is_connected(y, now);

	switch (sync_accept(&y->peer, h)) {
	case SYNC_STRANGER:
		y->stats.strangers++;
		if (ratelimit_allow(&y->answers, now.ns))
			send_hello(y, y->peer.stranger);
		return;
	case SYNC_REPLAY:
		return;
	case SYNC_NEW_PEER:
		y->n = 0; /* it was for another life */
		was_silent = true;
		break;
	case SYNC_FRESH:
		break;
	}
	y->heard = now;
	if (was_silent) {
		log_info("sync: the peer is there");
		send_hello(y, y->peer.peer);
		start_full_pass(y);
	}
	import_all(y, at + SYNC_HEADER_BYTES, h->n, now);
}

static void read_datagram(struct sync *y, const uint8_t *at, size_t len,
			  struct mono now)
{
	uint8_t good[SEAL_BYTES];
	struct sync_header h;

	if (len < SYNC_HEADER_BYTES + SEAL_BYTES ||
	    len > SYNC_MAX_BYTES + SEAL_BYTES) {
		y->stats.malformed++;
		complain(y, "has no sensible length", now);
		return;
	}
	len -= SEAL_BYTES;
	if (!seal(y, at, len, good) ||
	    CRYPTO_memcmp(good, at + len, SEAL_BYTES) != 0) {
		y->stats.bad_seals++;
		complain(y, "is sealed with another key", now);
		return;
	}
	if (!sync_decode_header(at, len, &h)) {
		y->stats.malformed++;
		complain(y, "is not understood: another version?", now);
		return;
	}
	y->stats.received++;
	accept_datagram(y, at, &h, now);
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
	struct stat st;

	if (!stat(path, &st) && st.st_mode & (S_IRWXG | S_IRWXO))
		return err_set(e, EPERM,
			       "%s: others than its owner may use this key "
			       "(try: chmod 600)",
			       path);
	y->key = file_read(path, &y->key_len, e);
	if (!y->key)
		return -EIO;
	if (y->key_len < KEY_MIN || y->key_len > KEY_MAX)
		return err_set(e, EINVAL,
			       "%s: a key of %d to %d bytes is expected, this "
			       "has %zu",
			       path, KEY_MIN, KEY_MAX, y->key_len);
	return 0;
}

struct sync *sync_open(struct server *s, struct err *e)
{
	struct mono now = clock_now();
	struct sync *y = calloc(1, sizeof(*y));

	if (!y) {
		err_set(e, ENOMEM, "out of memory");
		return NULL;
	}
	*y = (struct sync){
		.server = s, .fd = -1, .hello_at = now, .walk_at = now};
	ratelimit_init(&y->rate, RATE, BURST, now.ns);
	ratelimit_init(&y->complaints, 1, 3, now.ns);
	ratelimit_init(&y->answers, 10, 10, now.ns);
	if (read_key(y, s->config->sync_key, e) || open_socket(y, s->config, e))
		goto failed;
	while (!y->peer.epoch)
		if (getrandom(&y->peer.epoch, sizeof(y->peer.epoch), 0) < 0) {
			err_set(e, errno, "getrandom: %s", strerror(errno));
			goto failed;
		}
	y->source = loop_add_fd(s->loop, y->fd, EPOLLIN, on_readable, y);
	if (!y->source) {
		err_set(e, errno, "sync: %s", strerror(errno));
		goto failed;
	}
	if (!nat64_watch(s->setup.path.nat64, on_change, y)) {
		err_set(e, EBUSY, "too many watch the sessions");
		goto failed;
	}
	on_tick(y, now);
	return y;
failed:
	sync_close(y);
	return NULL;
}

void sync_close(struct sync *y)
{
	if (!y)
		return;
	if (y->server->setup.path.nat64)
		nat64_unwatch(y->server->setup.path.nat64, on_change, y);
	if (y->source)
		flush(y);
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
	struct mono now = clock_now();

	*out = y->stats;
	out->connected = is_connected(y, now);
	out->lost = y->peer.lost;
	out->duplicates = y->peer.duplicates;
	out->silent_ms =
		y->peer.peer ? mono_sub(now, y->heard) / NS_PER_MS : -1;
}

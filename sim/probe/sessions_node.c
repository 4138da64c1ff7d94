/* SPDX-License-Identifier: MIT */
/*
 * Many TCP sessions through the network at once, from inside a node: which of
 * them live through what is done to it.
 *
 * Theory of operation
 *
 * Busy sessions are slow downloads: a chunk now and then, whose numbers must
 * be without a gap. Idle ones say nothing after their hello. When all are open
 * traffic "flows", and from then on a new connection is tried every so often,
 * asks for one echo and is closed again. At the end each busy and idle session
 * has to prove itself: a number sent, the same number back, within `patience`.
 * One that never does was lost, whatever its socket believes.
 *
 * Everything is one array; a session is a state and the time it changed.
 */
#include "sessions_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node_args.h"
#include "probe_internal.h"

#define OPEN_PATIENCE_NS (10 * NS_PER_S)
#define REFUSED_AGAIN_NS (50 * NS_PER_MS)
#define BIN_NS		 (100 * NS_PER_MS)
#define OPENING_AT_ONCE	 64
#define MAX_SESSIONS	 20000
#define SPARE_FILES	 1024 /* new connections, and the rest */

enum kind { BUSY, IDLE, NEW };
enum state { UNUSED, CONNECTING, OPEN, PROVING, PROVED, LOST };

struct session {
	int fd;
	enum kind kind;
	enum state state;
	int error;	   /* of a lost one */
	int64_t began_ns;  /* connect() */
	int64_t opened_ns; /* established; a new one: echoed */
	int64_t last_ns;   /* chunk */
	int64_t stall_ns;  /* longest time between chunks since the start */
	uint32_t next_chunk;
	uint8_t head[sizeof(struct sessions_head)];
	size_t n_head, skip; /* of the frame under way */
};

struct sessions {
	struct sockaddr_storage to;
	socklen_t to_len;
	int epoll_fd;
	int refused; /* errno of this machine, not of the network; or 0 */
	struct session *v;
	size_t n, n_kept; /* the first n_kept are busy and idle */
	struct sessions_hello busy_hello;
	int64_t start_ns, end_ns;
	int64_t connect_every_ns, next_connect_ns;
	int64_t patience_ns;
	uint32_t *moving; /* by bin: busy sessions that got something */
	int64_t *moved;	  /* by busy session: the last bin it counts in */
	size_t n_bins;
	bool corrupt;
};

/* ---- one session -----------------------------------------------------------
 */

static void lose(struct session *x, int error)
{
	x->state = LOST;
	x->error = error;
	close(x->fd);
	x->fd = -1;
}

static void finish_new(struct session *x, int64_t now_ns)
{
	x->state = PROVED;
	x->opened_ns = now_ns;
	close(x->fd);
	x->fd = -1;
}

static void say(struct session *x, const void *what, size_t len)
{
	if (send(x->fd, what, len, MSG_NOSIGNAL) != (ssize_t)len)
		lose(x, errno);
}

static void say_number(struct session *x, uint32_t number)
{
	number = htonl(number);
	say(x, &number, sizeof(number));
}

static void begin(struct sessions *s, size_t i, enum kind kind)
{
	struct session *x = &s->v[i];
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT, .data.u64 = i};
	int one = 1;

	*x = (struct session){
		.kind = kind, .state = CONNECTING, .began_ns = clock_now().ns};
	x->fd = socket(s->to.ss_family,
		       SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (x->fd < 0 || epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, x->fd, &ev)) {
		s->refused = errno;
		lose(x, errno);
		return;
	}
	setsockopt(x->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(x->fd, (struct sockaddr *)&s->to, s->to_len) &&
	    errno != EINPROGRESS)
		lose(x, errno);
}

static void established(struct sessions *s, size_t i, int64_t now_ns)
{
	static const struct sessions_hello quiet = {.magic = 0};
	struct session *x = &s->v[i];
	struct sessions_hello h = x->kind == BUSY ? s->busy_hello : quiet;
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = i};
	int error = 0;
	socklen_t len = sizeof(error);

	getsockopt(x->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error) {
		lose(x, error);
		return;
	}
	x->state = OPEN;
	x->opened_ns = x->last_ns = now_ns;
	epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, x->fd, &ev);
	h.magic = htonl(SESSIONS_MAGIC);
	say(x, &h, sizeof(h));
	if (x->kind == NEW && x->state == OPEN)
		say_number(x, (uint32_t)i);
}

static void take_chunk(struct sessions *s, size_t i, uint32_t number,
		       int64_t now_ns)
{
	struct session *x = &s->v[i];
	int64_t since = x->last_ns > s->start_ns ? x->last_ns : s->start_ns;
	int64_t bin = (now_ns - s->start_ns) / BIN_NS;

	if (number != x->next_chunk++)
		s->corrupt = true;
	if (s->start_ns && now_ns - since > x->stall_ns)
		x->stall_ns = now_ns - since;
	x->last_ns = now_ns;
	if (!s->start_ns || bin < 0 || (size_t)bin >= s->n_bins ||
	    s->moved[i] == bin + 1)
		return;
	s->moved[i] = bin + 1;
	s->moving[bin]++;
}

static void take_head(struct sessions *s, size_t i, int64_t now_ns)
{
	struct session *x = &s->v[i];
	struct sessions_head h;

	memcpy(&h, x->head, sizeof(h));
	x->n_head = 0;
	x->skip = ntohs(h.bytes);
	if (ntohs(h.type) == SESSIONS_CHUNK)
		take_chunk(s, i, ntohl(h.number), now_ns);
	else if (ntohl(h.number) != i)
		s->corrupt = true;
	else if (x->kind == NEW)
		finish_new(x, now_ns);
	else if (x->state == PROVING)
		x->state = PROVED;
}

static void digest(struct sessions *s, size_t i, const uint8_t *p, size_t n,
		   int64_t now_ns)
{
	struct session *x = &s->v[i];

	while (n && x->fd >= 0) {
		size_t part = x->skip < n ? x->skip : n;

		if (!part) {
			part = sizeof(x->head) - x->n_head;
			part = part < n ? part : n;
			memcpy(x->head + x->n_head, p, part);
			x->n_head += part;
		} else {
			x->skip -= part;
		}
		p += part;
		n -= part;
		if (x->n_head == sizeof(x->head))
			take_head(s, i, now_ns);
	}
}

static void on_ready(struct sessions *s, size_t i, int64_t now_ns)
{
	struct session *x = &s->v[i];
	uint8_t buf[65536];
	ssize_t n;

	if (x->fd < 0)
		return;
	if (x->state == CONNECTING) {
		established(s, i, now_ns);
		return;
	}
	n = recv(x->fd, buf, sizeof(buf), 0);
	if (n > 0)
		digest(s, i, buf, (size_t)n, now_ns);
	else if (n == 0)
		lose(x, ECONNRESET);
	else if (errno != EAGAIN && errno != EINTR)
		lose(x, errno);
}

/* ---- all of them -----------------------------------------------------------
 */

static void turn(struct sessions *s, int64_t until_ns)
{
	struct epoll_event ready[256];
	int64_t wait = until_ns - clock_now().ns;
	int n = epoll_wait(
		s->epoll_fd, ready, 256,
		wait <= 0 ? 0 : (int)((wait + NS_PER_MS - 1) / NS_PER_MS));
	int64_t now_ns = clock_now().ns;

	for (int i = 0; i < n; i++)
		on_ready(s, (size_t)ready[i].data.u64, now_ns);
}

static size_t count(const struct sessions *s, enum state state)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_kept; i++)
		n += s->v[i].state == state;
	return n;
}

/* Before anything is measured: the server may just be starting. */
static size_t open_refused_again(struct sessions *s, size_t n, size_t busy)
{
	size_t refused = 0;

	for (size_t i = 0; i < n; i++) {
		if (s->v[i].state != LOST || s->v[i].error != ECONNREFUSED)
			continue;
		refused++;
		if (clock_now().ns - s->v[i].began_ns >= REFUSED_AGAIN_NS)
			begin(s, i, i < busy ? BUSY : IDLE);
	}
	return refused;
}

static const char *last_error(const struct sessions *s)
{
	for (size_t i = s->n_kept; i-- > 0;)
		if (s->v[i].state == LOST)
			return strerror(s->v[i].error);
	return "";
}

/* Some at a time: a burst of hundreds of handshakes is no subscriber. */
static int open_all(struct sessions *s, size_t busy)
{
	int64_t give_up_ns = clock_now().ns + OPEN_PATIENCE_NS;
	size_t next = 0, refused;

	while (count(s, OPEN) < s->n_kept) {
		while (next < s->n_kept &&
		       count(s, CONNECTING) < OPENING_AT_ONCE) {
			begin(s, next, next < busy ? BUSY : IDLE);
			next++;
		}
		refused = open_refused_again(s, next, busy);
		if (count(s, LOST) > refused || clock_now().ns > give_up_ns) {
			fprintf(stderr,
				"sessions: %zu of %zu opened, %zu failed%s%s\n",
				count(s, OPEN), s->n_kept, count(s, LOST),
				count(s, LOST) ? ": " : "", last_error(s));
			return -1;
		}
		turn(s, clock_now().ns + 20 * NS_PER_MS);
	}
	return 0;
}

static void tell_flowing(const char *path, int64_t start_ns)
{
	char line[64];
	int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	int n = snprintf(line, sizeof(line), "flowing %lld\n",
			 (long long)start_ns);

	if (fd < 0 || write(fd, line, (size_t)n) != n)
		perror(path);
	if (fd >= 0)
		close(fd);
}

static void live(struct sessions *s)
{
	while (clock_now().ns < s->end_ns) {
		int64_t until = s->end_ns;

		if (clock_now().ns >= s->next_connect_ns &&
		    s->n < MAX_SESSIONS) {
			begin(s, s->n++, NEW);
			s->next_connect_ns += s->connect_every_ns;
		}
		if (s->next_connect_ns < until)
			until = s->next_connect_ns;
		turn(s, until);
	}
}

static bool new_under_way(const struct sessions *s)
{
	for (size_t i = s->n_kept; i < s->n; i++)
		if (s->v[i].state == CONNECTING || s->v[i].state == OPEN)
			return true;
	return false;
}

static void prove(struct sessions *s)
{
	int64_t until_ns = clock_now().ns + s->patience_ns;

	for (size_t i = 0; i < s->n_kept; i++) {
		if (s->v[i].state != OPEN)
			continue;
		s->v[i].state = PROVING;
		say_number(&s->v[i], (uint32_t)i);
	}
	while (clock_now().ns < until_ns &&
	       (count(s, PROVING) || new_under_way(s)))
		turn(s, until_ns);
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].state != PROVED && s->v[i].state != LOST)
			lose(&s->v[i], ETIMEDOUT);
}

/* ---- what came of it -------------------------------------------------------
 */

static json_t *session_json(const struct sessions *s, const struct session *x)
{
	static const char *const words[] = {"busy", "idle", "new"};
	json_t *o = json_pack("{s:s, s:b, s:I}", "kind", words[x->kind],
			      "proved", x->state == PROVED, "at_ns",
			      (json_int_t)(x->began_ns - s->start_ns));

	if (x->state != PROVED)
		json_object_set_new(o, "why", json_string(strerror(x->error)));
	if (x->kind == NEW && x->state == PROVED)
		json_object_set_new(o, "took_ns",
				    json_integer(x->opened_ns - x->began_ns));
	if (x->kind == BUSY)
		json_object_set_new(o, "stall_ns", json_integer(x->stall_ns));
	return o;
}

static int print(const struct sessions *s)
{
	json_t *list = json_array(), *moving = json_array(), *o;
	int ret;

	for (size_t i = 0; i < s->n; i++)
		json_array_append_new(list, session_json(s, &s->v[i]));
	for (size_t i = 0; i < s->n_bins; i++)
		json_array_append_new(moving, json_integer(s->moving[i]));
	o = json_pack("{s:b, s:I, s:o, s:o}", "corrupt", s->corrupt, "bin_ns",
		      (json_int_t)BIN_NS, "moving", moving, "sessions", list);
	ret = json_dumpf(o, stdout, JSON_COMPACT) || fflush(stdout);
	json_decref(o);
	return ret ? 1 : 0;
}

/* ---- beginning -------------------------------------------------------------
 */

static int read_target(struct sessions *s, const char *to, int port)
{
	struct addr a;

	if (!to || addr_parse(to, &a))
		return -1;
	if (a.family == AF_INET) {
		struct sockaddr_in *in = (void *)&s->to;

		*in = (struct sockaddr_in){.sin_family = AF_INET,
					   .sin_port = htons((uint16_t)port),
					   .sin_addr = a.v4};
		s->to_len = sizeof(*in);
	} else {
		struct sockaddr_in6 *in6 = (void *)&s->to;

		*in6 = (struct sockaddr_in6){.sin6_family = AF_INET6,
					     .sin6_port = htons((uint16_t)port),
					     .sin6_addr = a.v6};
		s->to_len = sizeof(*in6);
	}
	return 0;
}

static int play(struct sessions *s, size_t busy, const char *flow,
		int64_t length_ns)
{
	if (open_all(s, busy))
		return s->refused ? 2 : 1;
	s->start_ns = clock_now().ns;
	s->end_ns = s->start_ns + length_ns;
	s->next_connect_ns = s->start_ns;
	tell_flowing(flow, s->start_ns);
	live(s);
	prove(s);
	if (!s->refused)
		return print(s);
	fprintf(stderr, "sessions: no socket: %s\n", strerror(s->refused));
	return 2;
}

int probe_sessions_main(int argc, char **argv)
{
	struct sessions s = {0};
	const char *to = NULL, *flow = NULL;
	int64_t port = 0, busy = 0, idle = 0, length_ns = 0, bytes = 0, us = 0;
	const struct node_arg args[] = {
		{.key = "to", .text = &to},
		{.key = "flow", .text = &flow},
		{.key = "port", .number = &port},
		{.key = "busy", .number = &busy},
		{.key = "idle", .number = &idle},
		{.key = "length-ns", .number = &length_ns},
		{.key = "chunk-bytes", .number = &bytes},
		{.key = "chunk-us", .number = &us},
		{.key = "connect-ns", .number = &s.connect_every_ns},
		{.key = "patience-ns", .number = &s.patience_ns},
		{0},
	};
	int ret;

	if (node_args_read(argc, argv, args))
		return 2;
	signal(SIGPIPE, SIG_IGN);
	if (!to)
		return sessions_serve((int)port);
	if (read_target(&s, to, (int)port) || !flow || us < 1 ||
	    s.connect_every_ns < 1 || busy + idle < 1 ||
	    busy + idle > MAX_SESSIONS / 2)
		return 2;
	s.n = s.n_kept = (size_t)(busy + idle);
	ret = sessions_raise_files(s.n + SPARE_FILES, MAX_SESSIONS + 64);
	if (ret) {
		fprintf(stderr, "sessions: %zu open files: %s\n",
			s.n + SPARE_FILES, strerror(-ret));
		return 2;
	}
	s.n_bins = (size_t)(length_ns / BIN_NS) + 1;
	s.busy_hello.interval_us = htonl((uint32_t)us);
	s.busy_hello.bytes = htonl((uint32_t)bytes);
	s.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	s.v = calloc(MAX_SESSIONS, sizeof(*s.v));
	s.moving = calloc(s.n_bins, sizeof(*s.moving));
	s.moved = calloc(s.n_kept, sizeof(*s.moved));
	ret = 2;
	if (s.epoll_fd >= 0 && s.v && s.moving && s.moved)
		ret = play(&s, (size_t)busy, flow, length_ns);
	free(s.moved);
	free(s.moving);
	free(s.v);
	return ret;
}

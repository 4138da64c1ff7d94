/* SPDX-License-Identifier: MIT */
/*
 * The half of the stream probe that runs inside nodes, as a program:
 *
 *	probe stream client|server --record FILE --port N --session N
 *		--rate PPS --size BYTES --count N --patience NS
 *		[--to NAME --family 0|4|6 --flow FIFO]
 */
#include "stream_side.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "../../xlat/base/clock.h"
#include "probe_internal.h"

/* ---- what is left behind ----------------------------------------------------
 */

static int by_value(const void *a, const void *b)
{
	int32_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

static void sum_up(struct side *s)
{
	struct stream_record *r = s->rec;
	uint64_t n = r->sent;

	if (!n)
		return;
	qsort(s->late, n, sizeof(*s->late), by_value);
	r->late_p50_ns = s->late[n / 2];
	r->late_p99_ns = s->late[n * 99 / 100];
}

/* For people and for bug reports; the orchestrator reads the record. */
static void print_summary(const struct side *s)
{
	const struct stream_record *r = s->rec;
	json_t *j = json_pack(
		"{s:s, s:s, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "side",
		s->opt.client ? "client" : "server", "peer", r->peer,
		"rate_pps", r->rate_pps, "start_ns", (json_int_t)r->start_ns,
		"due", (json_int_t)r->due, "sent", (json_int_t)r->sent,
		"arrivals", (json_int_t)r->n, "late_p50_ns",
		(json_int_t)r->late_p50_ns, "late_p99_ns",
		(json_int_t)r->late_p99_ns, "late_max_ns",
		(json_int_t)r->late_max_ns);
	json_t *more = json_pack(
		"{s:I, s:I, s:I, s:I, s:I, s:b, s:s}", "refused",
		(json_int_t)r->refused, "unreachable",
		(json_int_t)r->unreachable, "blocked", (json_int_t)r->blocked,
		"overflow", (json_int_t)r->overflow, "moves",
		(json_int_t)r->moves, "over", (int)r->over, "why", r->why);

	json_object_update(j, more);
	json_dumpf(j, stdout, JSON_INDENT(1));
	putchar('\n');
	json_decref(more);
	json_decref(j);
}

/* ---- start ------------------------------------------------------------------
 */

static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option table[] = {
		{"record", required_argument, NULL, 'r'},
		{"port", required_argument, NULL, 'p'},
		{"session", required_argument, NULL, 's'},
		{"rate", required_argument, NULL, 'R'},
		{"size", required_argument, NULL, 'S'},
		{"count", required_argument, NULL, 'n'},
		{"patience", required_argument, NULL, 'w'},
		{"to", required_argument, NULL, 't'},
		{"family", required_argument, NULL, 'f'},
		{"flow", required_argument, NULL, 'F'},
		{NULL, 0, NULL, 0},
	};
	int opt;

	*o = (struct options){.patience_ns = 10 * NS_PER_S};
	optind = 0;
	while ((opt = getopt_long(argc, argv, "", table, NULL)) != -1) {
		switch (opt) {
		case 'r':
			o->record = optarg;
			break;
		case 'p':
			o->port = atoi(optarg);
			break;
		case 's':
			o->session = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'R':
			o->rate_pps = strtod(optarg, NULL);
			break;
		case 'S':
			o->size = strtoul(optarg, NULL, 10);
			break;
		case 'n':
			o->count = strtoull(optarg, NULL, 10);
			break;
		case 'w':
			o->patience_ns = strtoll(optarg, NULL, 10);
			break;
		case 't':
			o->to = optarg;
			break;
		case 'f':
			o->family = atoi(optarg);
			break;
		case 'F':
			o->flow = optarg;
			break;
		default:
			return -1;
		}
	}
	if (optind != argc - 1)
		return -1;
	o->client = !strcmp(argv[optind], "client");
	return o->record && o->port > 0 && o->port < 65536 && o->rate_pps > 0 &&
			       o->count > 0 && o->count <= UINT32_MAX &&
			       o->size >= STREAM_MIN_BYTES &&
			       o->size <= STREAM_MAX_BYTES &&
			       (o->client ? o->to != NULL
					  : !strcmp(argv[optind], "server"))
		       ? 0
		       : -1;
}

static int open_signals(struct side *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signal_fd < 0 ? side_fail(s, "signalfd", strerror(errno)) : 0;
}

/* A constant rate wants to be woken on time; it costs next to no CPU. */
static void hurry(void)
{
	const struct sched_param lowest = {
		.sched_priority = sched_get_priority_min(SCHED_FIFO)};

	prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0);
	if (sched_setscheduler(0, SCHED_FIFO, &lowest))
		fprintf(stderr, "stream: no real-time scheduling: %s\n",
			strerror(errno));
}

static int serve(struct side *s)
{
	int ret = open_signals(s);

	if (!ret)
		ret = s->opt.client ? side_open_client(s) : side_open_server(s);
	if (ret)
		return ret;
	hurry();
	ret = side_run(s);
	s->rec->over = ret == 0;
	sum_up(s);
	return ret < 0 ? ret : 0;
}

int probe_stream_main(int argc, char **argv)
{
	struct side *s = calloc(1, sizeof(*s));
	struct err e = {""};
	int ret = -1;

	if (!s || parse_options(argc, argv, &s->opt)) {
		fputs("xlatsim probe stream: bad arguments\n", stderr);
		free(s);
		return 2;
	}
	s->fd = s->signal_fd = -1;
	s->rec = stream_record_create(s->opt.record, s->opt.count,
				      s->opt.rate_pps, &e);
	s->late = calloc(s->opt.count, sizeof(*s->late));
	if (!s->rec)
		fprintf(stderr, "stream: %s\n", e.text);
	else if (s->late)
		ret = serve(s);
	if (s->rec) {
		print_summary(s);
		stream_record_close(s->rec, s->opt.record);
	}
	if (s->fd >= 0)
		close(s->fd);
	if (s->signal_fd >= 0)
		close(s->signal_fd);
	free(s->late);
	free(s);
	return ret ? 1 : 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * What iperf3 wrote, as numbers. The receiver's side decides: it alone knows
 * what came. Downwards that is the client, upwards the server. A transfer that
 * broke still has its intervals; its totals are then worked out from them.
 */
#include "transfer.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static double number(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return json_is_number(v) ? json_number_value(v) : NAN;
}

static const json_t *intervals_of(const json_t *side)
{
	const json_t *v = json_object_get(side, "intervals");

	return json_array_size(v) ? v : NULL;
}

static const json_t *sum_at(const json_t *intervals, size_t i)
{
	return json_object_get(json_array_get(intervals, i), "sum");
}

static const char *error_of(const json_t *client)
{
	return json_string_value(json_object_get(client, "error"));
}

/* How long it was to last; INFINITY if neither knows. */
static double planned_seconds(const json_t *client, const json_t *server)
{
	const json_t *sides[] = {client, server};

	for (int i = 0; i < 2; i++) {
		const json_t *start = json_object_get(sides[i], "start");
		double s = number(json_object_get(start, "test_start"),
				  "duration");

		if (s > 0)
			return s;
	}
	return INFINITY;
}

/*
 * Intervals after the planned end do not count: a side that has lost the
 * other goes on noting that nothing comes until someone ends it.
 */
static size_t count_intervals(const json_t *v, double planned)
{
	size_t n = json_array_size(v);

	while (n > 1 && number(sum_at(v, n - 1), "start") > planned - 0.05)
		n--;
	return n;
}

static void walk_intervals(const json_t *v, size_t n,
			   struct transfer_score *out)
{
	double stall = 0, longest = 0, last_second = 0;
	double end = number(sum_at(v, n - 1), "end");
	double first = number(sum_at(v, 0), "start");

	out->bytes = 0;
	for (size_t i = 0; i < n; i++) {
		const json_t *sum = sum_at(v, i);
		double bytes = number(sum, "bytes");
		double s = number(sum, "seconds");

		if (!isfinite(bytes) || !isfinite(s))
			continue;
		out->bytes += bytes;
		stall = bytes > 0 ? 0 : stall + s;
		if (stall > longest)
			longest = stall;
		if (number(sum, "end") > end - 1)
			last_second += bytes;
	}
	out->seconds = end - first;
	out->longest_stall_ns = longest * 1e9;
	out->rate_bps = out->seconds > 0 ? out->bytes * 8 / out->seconds : NAN;
	out->survived = last_second > 0;
}

/* What both sides agreed upon at the end, where they still could. */
static void take_totals(const json_t *client, enum direction dir,
			struct transfer_score *out)
{
	const json_t *end = json_object_get(client, "end");
	const json_t *received = json_object_get(end, "sum_received");
	const json_t *cpu = json_object_get(end, "cpu_utilization_percent");
	double host = number(cpu, "host_total") / 100;
	double remote = number(cpu, "remote_total") / 100;

	if (isfinite(number(received, "bits_per_second"))) {
		out->rate_bps = number(received, "bits_per_second");
		out->bytes = number(received, "bytes");
	}
	out->cpu_sender = dir == DIR_DOWN ? remote : host;
	out->cpu_receiver = dir == DIR_DOWN ? host : remote;
}

static double count_retransmits(const json_t *client, const json_t *sender)
{
	const json_t *end = json_object_get(client, "end");
	const json_t *v = intervals_of(sender);
	double total = number(json_object_get(end, "sum_sent"), "retransmits");

	if (isfinite(total) && !error_of(client))
		return total;
	total = NAN;
	for (size_t i = 0; i < json_array_size(v); i++) {
		double some = number(sum_at(v, i), "retransmits");

		if (isfinite(some))
			total = (isfinite(total) ? total : 0) + some;
	}
	return total;
}

int transfer_score(const json_t *client, const json_t *server,
		   enum direction dir, struct transfer_score *out)
{
	const json_t *receiver = dir == DIR_DOWN ? client : server;
	const json_t *sender = dir == DIR_DOWN ? server : client;
	const json_t *v;

	*out = (struct transfer_score){.rate_bps = NAN,
				       .bytes = NAN,
				       .retransmits = NAN,
				       .longest_stall_ns = NAN,
				       .cpu_sender = NAN,
				       .cpu_receiver = NAN,
				       .error = error_of(client)};
	v = intervals_of(receiver);
	if (!v) {
		if (!out->error && receiver)
			out->error = error_of(receiver);
		return -EINVAL;
	}
	walk_intervals(v, count_intervals(v, planned_seconds(client, server)),
		       out);
	if (!client)
		out->survived = false;
	if (out->error)
		out->survived = false;
	else
		take_totals(client, dir, out);
	out->retransmits = count_retransmits(client, sender);
	return 0;
}

void transfer_series(const json_t *client, const json_t *server,
		     enum direction dir, struct measurement *m, struct arena *a)
{
	const json_t *v = intervals_of(dir == DIR_DOWN ? client : server);
	size_t n = json_array_size(v);
	struct series *s;

	if (!n)
		return;
	s = ARENA_APPEND(a, m->series, m->n_series);
	s->name = "received";
	s->x_label = "s";
	s->y_label = "bit/s";
	s->x = arena_alloc(a, n * sizeof(*s->x));
	s->y = arena_alloc(a, n * sizeof(*s->y));
	for (size_t i = 0; i < n; i++) {
		double x = number(sum_at(v, i), "start");
		double y = number(sum_at(v, i), "bits_per_second");

		if (!isfinite(x) || !isfinite(y))
			continue;
		s->x[s->n] = x;
		s->y[s->n++] = y;
	}
}

/* Lines are "SL: LOCAL:PORT REMOTE:PORT ST ...", in hexadecimal. */
bool transfer_listens(const char *text, unsigned int port,
		      unsigned int *established)
{
	bool listens = false;

	for (const char *line = text; line && *line;) {
		unsigned int local, state;

		if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x",
			   &local, &state) == 2 &&
		    local == port) {
			listens = listens || state == 0x0a;
			*established += state == 0x01;
		}
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	return listens;
}

/* SPDX-License-Identifier: MIT */
/*
 * Requests on the control socket of a running engine, one after the other.
 * Each gets one line of JSON, and the engine goes on working.
 *
 * Input: one byte (the role, modulo three), then requests, a line each. A
 * reload finds its configuration missing.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "../base/log.h"
#include "../daemon/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_REQUEST 128 /* as in control.c */

static const char *const texts[] = {
	"tun: {name: t}\npref64: 64:ff9b::/96\nseed: 1\n"
	"clat: {lan4: 192.168.1.0/24, clat6: \"2001:db8::/96\"}\n",
	"tun: {name: t}\npref64: 2001:db8:64::/96\nseed: 1\n"
	"eam: [{ipv4: 192.0.2.1, ipv6: \"2001:db8::1\"}]\n",
	"tun: {name: t}\npool6: 64:ff9b::/96\nseed: 1\nsessions: 32\n"
	"pool4: [{address: 192.0.2.1, ports: 1000-1040}]\n"
	"static: [{proto: tcp, ipv6: \"2001:db8::1\", port6: 80, "
	"ipv4: 192.0.2.1, port4: 1000}]\n",
};

static int emit(void *arg, const struct pkt *pkt)
{
	(void)arg;
	return pkt->len ? 0 : -22;
}

static void start(struct server *s, enum role role)
{
	struct diags d;
	struct err e;

	diags_init(&d);
	s->arena = arena_new();
	s->config_path = "/nonexistent/xlatd.yaml";
	s->config = config_load_text("f", texts[role], strlen(texts[role]),
				     role, s->arena, &d);
	s->started = (struct mono){NS_PER_S};
	s->io = io_open_memory(2);
	if (!s->config || !s->io ||
	    setup_init(&s->setup, s->config, s->started, &e))
		abort();
	s->setup.path.emit = emit;
	diags_fini(&d);
}

static void stop(struct server *s)
{
	if (s->setup.path.nat64 && nat64_check(s->setup.path.nat64))
		abort();
	if (!path_balanced(&s->setup.path.counters))
		abort();
	setup_fini(&s->setup);
	free(s->eams);
	io_close(s->io);
	arena_free(s->arena);
}

static void ask(struct server *s, const uint8_t *line, size_t len)
{
	char request[MAX_REQUEST], *answer, *end;
	json_t *o;

	if (len >= MAX_REQUEST)
		len = MAX_REQUEST - 1;
	memcpy(request, line, len);
	request[len] = '\0';
	answer = answer_request(s, request);
	if (!answer)
		abort();
	end = strchr(answer, '\n');
	if (!end || end[1])
		abort();
	o = json_loads(answer, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(o))
		abort();
	json_decref(o);
	free(answer);
}

/* A packet, so that there is something to tell. */
static void translate(struct server *s)
{
	static uint8_t buf[IO_BUFFER_BYTES];
	struct pkt pkt = {.data = buf + PKT_HEADROOM,
			  .len = 48,
			  .headroom = PKT_HEADROOM,
			  .tailroom = IO_BUFFER_BYTES - PKT_HEADROOM - 48};

	memset(pkt.data, 0, 48);
	memcpy(pkt.data, "\x60\0\0\0\0\x08\x11\x40", 8);
	memcpy(pkt.data + 8, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	memcpy(pkt.data + 24, "\0\x64\xff\x9b\0\0\0\0\0\0\0\0\x08\x08\x08\x08",
	       16);
	memcpy(pkt.data + 40, "\x10\x00\x00\x35\0\x08\x12\x34", 8);
	path_run(&s->setup.path, &pkt, s->started);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct server s = {0};
	const uint8_t *end = data + size;

	if (!size)
		return 0;
	log_init("fuzz", LOG_ERR);
	start(&s, (enum role)(data[0] % 3));
	translate(&s);
	for (data++; data < end;) {
		const uint8_t *nl = memchr(data, '\n', (size_t)(end - data));
		size_t len = (size_t)((nl ? nl : end) - data);

		ask(&s, data, len);
		data += len + 1;
	}
	translate(&s);
	stop(&s);
	return 0;
}

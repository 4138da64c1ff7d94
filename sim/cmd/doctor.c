/* SPDX-License-Identifier: MIT */
/* xlatsim doctor: what this host can and cannot run, found out by trying. */
#include "cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../engine/engine.h"
#include "../world/world.h"
#include "front.h"
#include "host.h"

static const char usage[] =
	"Usage: xlatsim doctor\n"
	"Say what this host can run: the kernel's parts are tried out in\n"
	"namespaces of their own (needs root), engines are looked for.\n"
	"An engine marked -- is missing, but another can do its work.\n"
	"Exit status 0: everything that shipped scenarios need is there; 4:\n"
	"something is missing, and it is named.\n";

static const struct option options[] = {
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

struct doctor {
	bool missing;
};

static void say(struct doctor *d, bool ok, const char *what, const char *more)
{
	printf("  %-4s %-26s %s\n", ok ? "ok" : "no", what, more);
	if (!ok)
		d->missing = true;
}

/* A world of two nodes and one shaped link uses every part of the kernel. */
static struct plan *tiny_plan(struct arena *a, const struct topology *t)
{
	static struct plan_node nodes[] = {
		{.name = "a", .role = NODE_HOME},
		{.name = "b", .role = NODE_SERVER},
	};
	static struct plan_link link = {
		.name = "a-b",
		.a = {.node = 0, .name = "b", .has4 = true, .net4.len = 30},
		.b = {.node = 1, .name = "a", .has4 = true, .net4.len = 30},
		.profile = {.mtu = 1500,
			    .down = {.rate_bps = 1e8,
				     .burst_bytes = 65536,
				     .queue_ns = 5e7},
			    .up = {.rate_bps = 1e8,
				   .burst_bytes = 65536,
				   .queue_ns = 5e7},
			    .offloads = {.gro = OFFLOAD_ON}},
	};
	static struct plan_step steps[] = {
		{STEP_NODE, 0},	   {STEP_NODE, 1}, {STEP_LINK, 0},
		{STEP_OFFLOAD, 0}, {STEP_ADDR, 0}, {STEP_UP, 0},
		{STEP_TBF, 0},
	};
	struct plan *p = ARENA_NEW(a, struct plan);

	link.a.addr4.s_addr = htonl(0xc6120001); /* 198.18.0.1, RFC 2544 */
	link.b.addr4.s_addr = htonl(0xc6120002);
	*p = (struct plan){.topology = t,
			   .nodes = nodes,
			   .n_nodes = 2,
			   .links = &link,
			   .n_links = 1,
			   .steps = steps,
			   .n_steps = sizeof(steps) / sizeof(*steps)};
	return p;
}

static void try_world(struct doctor *d)
{
	static const char what[] = "namespaces, veth, tbf";
	struct arena *a = arena_new();
	struct topology t = {.name = "doctor"};
	char id[8], dir[64], text[64];
	struct world_opts o = {.run_id = id, .dir = dir, .loop = loop_new()};
	struct world *w = NULL;
	struct front f = {0};
	struct mono start;
	struct err e;

	if (!o.loop || front_open(&f, "doctor", o.loop, true) ||
	    world_new_run_id(id)) {
		say(d, false, what, "no run id can be reserved under /run");
	} else {
		snprintf(dir, sizeof(dir), "/run/xlatsim/%s/doctor", id);
		start = clock_now();
		if (world_build(tiny_plan(a, &t), &o, &w, &e)) {
			say(d, false, what, e.text);
		} else {
			snprintf(text, sizeof(text),
				 "a world of two nodes "
				 "was built in %.1f ms",
				 (double)mono_sub(clock_now(), start) / 1e6);
			say(d, true, what, text);
		}
		world_teardown(w);
		world_drop_run_id(id);
	}
	if (f.loop)
		front_close(&f);
	loop_free(o.loop);
	arena_free(a);
	if (f.caught)
		raise(f.caught); /* now that nothing is left behind */
}

static void check_file(struct doctor *d, const char *path, const char *what,
		       const char *cure)
{
	bool ok = access(path, R_OK | W_OK) == 0;

	say(d, ok, what, ok ? path : cure);
}

static void check_cubic(struct doctor *d)
{
	char text[256] = "";
	int fd = open("/proc/sys/net/ipv4/tcp_available_congestion_control",
		      O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	bool ok = n > 0 && strstr(text, "cubic");

	if (fd >= 0)
		close(fd);
	text[strcspn(text, "\n")] = '\0';
	say(d, ok, "TCP congestion control",
	    ok ? "cubic (pinned by probes)" : "cubic is not available");
}

/* Only scenarios with `cpu` need it. */
static void check_quota(void)
{
	char text[256] = "";
	int ret = world_quota_find(text, sizeof(text));

	printf("  %-4s %-26s %s\n", ret ? "--" : "ok", "quota of a CPE (cpu)",
	       ret ? "no cgroup with the cpu controller can be written" : text);
}

static void check_engines(struct doctor *d)
{
	puts("engines");
	for (const struct engine_ops *const *ops = engine_all(); *ops; ops++) {
		char version[128] = "", name[64];
		struct err why;
		int ret = (*ops)->available(version, sizeof(version), &why);
		size_t len;

		snprintf(name, sizeof(name), "%s:", (*ops)->name);
		for (int role = DAEMON_AUTH_DNS; role < N_DAEMON_ROLES;
		     role++) {
			len = strlen(name);
			if ((*ops)->roles & 1u << role)
				snprintf(
					name + len, sizeof(name) - len, " %s",
					plan_role_word((enum daemon_role)role));
		}
		if (ret && (*ops)->spare)
			printf("  --   %-26s %s\n", name, why.text);
		else
			say(d, ret == 0, name, ret ? why.text : version);
	}
}

int cmd_doctor(int argc, char **argv)
{
	struct doctor d = {false};
	struct arena *a;
	struct result r = {0};
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		if (opt != 'h')
			return cmd_bad_option("doctor", options,
					      argv[optind - 1], opt);
		fputs(usage, stdout);
		return EXIT_PASSED;
	}
	if (optind < argc)
		return cmd_usage_error("doctor", "unexpected '%s'",
				       argv[optind]);
	a = arena_new();
	host_describe(&r, a);
	printf("host\n       %s, %d cores, %s\n", r.host.kernel, r.host.cores,
	       r.host.cpu);
	if (geteuid() == 0)
		try_world(&d);
	else
		say(&d, false, "root", "needed: sudo xlatsim doctor");
	check_file(&d, "/dev/net/tun", "TUN",
		   "/dev/net/tun is missing: modprobe tun");
	check_cubic(&d);
	check_quota();
	check_engines(&d);
	arena_free(a);
	return d.missing ? EXIT_HOST : EXIT_PASSED;
}

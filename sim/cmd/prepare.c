/* SPDX-License-Identifier: MIT */
/*
 * xlatsim prepare: what an engine needs that no package holds is built once,
 * and tried out. A run never does that by itself.
 */
#include "cmd.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../engine/engine.h"
#include "../world/world.h"
#include "front.h"

static const char usage[] =
	"Usage: xlatsim prepare jool [--cache DIR] [--own-kernel] [--force]\n"
	"Build what real Jool needs on a host whose kernel loads no modules: "
	"its\n"
	"modules for User Mode Linux, from Debian's packages, then try them "
	"out.\n"
	"Needs the network, 2.3 GB for a minute, and what tools/deps.sh "
	"--jool\n"
	"installs. What is kept takes 4 MB.\n"
	"  --cache DIR   default /var/cache/xlatsim/jool, or for others than "
	"root\n"
	"                xlatsim/jool in $XDG_CACHE_HOME or ~/.cache; runs "
	"look\n"
	"                there, and first where $XLATSIM_JOOL_CACHE says\n"
	"  --own-kernel  build a small kernel instead of taking the package's\n"
	"  --force       anew, even if it is there\n"
	"Exit status 0: ready; 4: the host lacks something, and it is named.\n";

static const struct option options[] = {
	{"cache", required_argument, NULL, 'c'},
	{"own-kernel", no_argument, NULL, 'o'},
	{"force", no_argument, NULL, 'f'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static volatile sig_atomic_t child;

/* ---- the build -------------------------------------------------------------
 */

static void pass_on(int sig)
{
	if (child > 0)
		kill((pid_t)child, sig);
}

static void watch_signals(void (*handler)(int sig))
{
	const struct sigaction sa = {.sa_handler = handler};

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
}

/* Returns its exit status as a shell would tell it, or -errno. */
static int run_script(const char *const *argv)
{
	union {
		const char *const *in;
		char *const *out;
	} u = {.in = argv};
	int status = 0;
	pid_t pid;

	watch_signals(pass_on);
	pid = fork();
	if (!pid) {
		watch_signals(SIG_DFL);
		/* a group of its own: what is typed here comes by pass_on */
		setpgid(0, 0);
		execv(argv[0], u.out);
		_exit(127);
	}
	if (pid < 0)
		return -errno;
	child = pid;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	child = 0;
	watch_signals(SIG_DFL);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- the trial -------------------------------------------------------------
 */

/* Two routers without neighbours: one for each way to attach it. */
static struct plan *trial_plan(struct arena *a, const struct topology *t)
{
	static const struct plat_spec plats[] = {
		{.name = "vnet", .engine = "jool", .attach = "vnet"},
		{.name = "lossy", .engine = "jool", .attach = "lossy-merge"},
	};
	static struct plan_node nodes[2];
	static struct plan_daemon daemons[2];
	static struct plan_step steps[] = {
		{STEP_NODE, 0}, {STEP_NODE, 1}, {STEP_LOOP, 0}, {STEP_LOOP, 1}};
	struct plan *p = ARENA_NEW(a, struct plan);
	struct prefix6 loop6;
	struct prefix4 loop4;

	prefix6_parse("2001:db8::/64", &loop6);
	prefix4_parse("100.64.0.0/24", &loop4);
	for (int i = 0; i < 2; i++) {
		nodes[i] = (struct plan_node){.name = plats[i].name,
					      .role = NODE_PLAT,
					      .plat = &plats[i]};
		prefix6_host(&loop6, (uint64_t)i + 1, &nodes[i].loop6);
		prefix4_host(&loop4, (uint32_t)i + 1, &nodes[i].loop4);
		daemons[i] = (struct plan_daemon){
			.node = i, .role = DAEMON_PLAT, .engine = "jool"};
	}
	*p = (struct plan){.topology = t,
			   .nodes = nodes,
			   .n_nodes = 2,
			   .daemons = daemons,
			   .n_daemons = 2,
			   .steps = steps,
			   .n_steps = sizeof(steps) / sizeof(*steps)};
	return p;
}

static int try_in(struct loop *loop, struct arena *a, struct err *e)
{
	struct topology t = {.name = "prepare"};
	char id[8], dir[64];
	struct world_opts o = {.run_id = id, .dir = dir, .loop = loop};
	struct plan *p = trial_plan(a, &t);
	struct engines *es = NULL;
	struct world *w = NULL;
	int ret;

	prefix6_parse("64:ff9b::/96", &t.pool6);
	prefix4_parse("192.0.2.0/28", &t.pool4);
	ret = engine_check_host(p, e);
	if (ret)
		return ret;
	if (world_new_run_id(id))
		return err_set(e, EIO, "no run id can be reserved under /run");
	snprintf(dir, sizeof(dir), "/run/xlatsim/%s/prepare", id);
	ret = world_build(p, &o, &w, e);
	if (!ret)
		ret = engines_start(w, NULL, NULL,
				    mono_add(clock_now(), 30 * NS_PER_S), &es,
				    e);
	engines_stop(es);
	world_teardown(w);
	world_drop_run_id(id);
	return ret;
}

/* Returns an exit status. */
static int tell_trial(int ret, int signal, const struct err *e,
		      struct mono start)
{
	if (signal)
		fprintf(stderr, "xlatsim prepare: not tried out: %s\n",
			strsignal(signal));
	else if (ret)
		fprintf(stderr,
			"xlatsim prepare: it was built, but does not work: "
			"%s\n",
			e->text);
	else
		fprintf(stderr,
			"tried out: two nodes booted and translated a ping in "
			"%.1f s\n",
			(double)mono_sub(clock_now(), start) / NS_PER_S);
	return signal ? EXIT_INVALID : ret ? EXIT_HOST : EXIT_PASSED;
}

static int try_out(void)
{
	struct mono start = clock_now();
	struct arena *a = arena_new();
	struct loop *loop = loop_new();
	struct front f = {0};
	struct err e;
	int status = EXIT_HOST;

	if (!loop)
		perror("xlatsim prepare");
	else if (!front_open(&f, "prepare", loop, true)) {
		int ret = try_in(loop, a, &e);

		status = tell_trial(ret, f.caught, &e, start);
	}
	if (f.loop)
		front_close(&f);
	loop_free(loop);
	arena_free(a);
	return status;
}

/* ---- command ---------------------------------------------------------------
 */

static void default_cache(char path[PATH_MAX])
{
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

	if (geteuid() == 0)
		snprintf(path, PATH_MAX, "/var/cache/xlatsim/jool");
	else if (xdg)
		snprintf(path, PATH_MAX, "%s/xlatsim/jool", xdg);
	else
		snprintf(path, PATH_MAX, "%s/.cache/xlatsim/jool",
			 home ? home : "");
}

static int prepare_jool(const char *cache, bool own, bool force)
{
	char script[PATH_MAX], current[PATH_MAX + 16];
	const char *argv[5] = {script, cache};
	int n = 2, ret;

	if (host_find_own("prepare-jool.sh", script, sizeof(script))) {
		fputs("xlatsim prepare: prepare-jool.sh is neither in tools/ "
		      "nor installed\n",
		      stderr);
		return EXIT_HOST;
	}
	if (own)
		argv[n++] = "--own-kernel";
	if (force)
		argv[n++] = "--force";
	ret = run_script(argv);
	if (ret) {
		if (ret != EXIT_HOST)
			fprintf(stderr, "xlatsim prepare: stopped (%d)\n", ret);
		return EXIT_HOST;
	}
	if (geteuid() != 0) {
		fputs("not tried out: that needs root\n", stderr);
		return EXIT_PASSED;
	}
	setenv("XLATSIM_JOOL_CACHE", cache, 1);
	ret = try_out();
	snprintf(current, sizeof(current), "%s/current", cache);
	if (ret == EXIT_HOST)
		unlink(current); /* no run shall meet it */
	return ret;
}

int cmd_prepare(int argc, char **argv)
{
	char cache[PATH_MAX];
	bool own = false, force = false;
	int opt;

	default_cache(cache);
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			if (optarg[0] == '/')
				snprintf(cache, sizeof(cache), "%s", optarg);
			else if (getcwd(cache, sizeof(cache) - 1))
				snprintf(cache + strlen(cache),
					 sizeof(cache) - strlen(cache), "/%s",
					 optarg);
			break;
		case 'o':
			own = true;
			break;
		case 'f':
			force = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_PASSED;
		default:
			return cmd_bad_option("prepare", options,
					      argv[optind - 1], opt);
		}
	}
	if (optind + 1 != argc || strcmp(argv[optind], "jool") != 0)
		return cmd_usage_error("prepare",
				       "what? `xlatsim prepare jool` is known");
	return prepare_jool(cache, own, force);
}

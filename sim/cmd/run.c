/* SPDX-License-Identifier: MIT */
/* xlatsim run SCENARIO...: options, signals, exit status. */
#include "cmd.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "../engine/engine.h"
#include "../plan/plan.h"
#include "session.h"

static const char usage[] =
	"Usage: xlatsim run [OPTION...] SCENARIO...\n"
	"Build the world, play each scenario, score it, tear down.\n\n"
	"  --json          print the results as JSON instead of a table\n"
	"  --junit FILE    write all results as JUnit XML too\n"
	"  --out DIR       write results under DIR (default: results)\n"
	"  --seed N        seed of everything random (default: from the "
	"system)\n"
	"  --keep          keep the last world until Ctrl-C\n"
	"  --quiet         no progress, only the result\n\n"
	"Needs root. Exit status: 0 passed, 1 an expectation failed, 2 bad\n"
	"usage or file, 3 no verdict, 4 the host lacks something.\n";

enum { OPT_JSON = 256, OPT_JUNIT, OPT_OUT, OPT_SEED, OPT_KEEP, OPT_QUIET };

static const struct option options[] = {
	{"json", no_argument, NULL, OPT_JSON},
	{"junit", required_argument, NULL, OPT_JUNIT},
	{"out", required_argument, NULL, OPT_OUT},
	{"seed", required_argument, NULL, OPT_SEED},
	{"keep", no_argument, NULL, OPT_KEEP},
	{"quiet", no_argument, NULL, OPT_QUIET},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

struct run {
	struct session_opts session;
	bool json, quiet, help;
	const char *junit;
	struct arena *arena;
	const struct scenario **scenarios;
	size_t n_scenarios;
	struct result **results;
	size_t n_results;
	int signal_fd;
};

static int parse_seed(const char *text, uint64_t *seed)
{
	char *end;

	errno = 0;
	*seed = strtoull(text, &end, 0);
	return errno || end == text || *end || *text == '-' ? -EINVAL : 0;
}

static int parse_options(struct run *r, int argc, char **argv)
{
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		switch (opt) {
		case OPT_JSON:
			r->json = true;
			break;
		case OPT_JUNIT:
			r->junit = optarg;
			break;
		case OPT_OUT:
			r->session.out = optarg;
			break;
		case OPT_SEED:
			if (parse_seed(optarg, &r->session.seed))
				return cmd_usage_error(
					"run",
					"--seed '%s': "
					"expected a whole number",
					optarg);
			break;
		case OPT_KEEP:
			r->session.keep = true;
			break;
		case OPT_QUIET:
			r->quiet = true;
			break;
		case 'h':
			r->help = true;
			return 0;
		default:
			return cmd_bad_option("run", options, argv[optind - 1],
					      opt);
		}
	}
	if (optind == argc)
		return cmd_usage_error("run", "expected a scenario file");
	return 0;
}

/* Every file is read and checked before anything is touched. */
static int load_scenarios(struct run *r, char **paths, int n)
{
	int status = 0;

	for (int i = 0; i < n; i++) {
		struct scenario *s;
		struct diags d;

		diags_init(&d);
		s = spec_load_scenario(paths[i], r->arena, &d);
		if (s)
			*ARENA_APPEND(r->arena, r->scenarios, r->n_scenarios) =
				s;
		else
			status = cmd_bad_file(paths[i], &d);
		diags_fini(&d);
	}
	return status;
}

static int check_host(const struct run *r)
{
	if (geteuid() != 0) {
		fputs("xlatsim run: needs root to make network namespaces "
		      "(sudo xlatsim run ...)\n",
		      stderr);
		return EXIT_HOST;
	}
	for (size_t i = 0; i < r->n_scenarios; i++) {
		struct err e;
		struct plan *p =
			plan_new(r->scenarios[i]->topology, r->arena, &e);

		if (!p) {
			fprintf(stderr, "xlatsim run: %s: %s\n",
				r->scenarios[i]->topology->path, e.text);
			return EXIT_USAGE;
		}
		if (engine_check_host(p, &e)) {
			fprintf(stderr,
				"xlatsim run: this host cannot run "
				"%s: %s\n",
				r->scenarios[i]->path, e.text);
			return EXIT_HOST;
		}
	}
	return 0;
}

static void on_signal(void *arg, uint32_t events)
{
	struct run *r = arg;
	struct signalfd_siginfo info;

	(void)events;
	if (read(r->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	progress_note(r->session.progress, "%s: tearing down",
		      strsignal((int)info.ssi_signo));
	loop_stop(r->session.loop);
}

/* Signals arrive through the loop, so that no code is cut in the middle. */
static int catch_signals(struct run *r)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	r->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (r->signal_fd < 0 || !loop_add_fd(r->session.loop, r->signal_fd,
					     EPOLLIN, on_signal, r)) {
		perror("xlatsim run: signalfd");
		return EXIT_HOST;
	}
	return 0;
}

static void announce(const struct run *r)
{
	double ns = 0;
	char text[32];

	for (size_t i = 0; i < r->n_scenarios; i++)
		ns += spec_duration_ns(r->scenarios[i]);
	units_format(ns, UNIT_TIME, text, sizeof(text));
	progress_note(r->session.progress,
		      "%zu scenario%s, about %s of "
		      "measuring; seed %llu",
		      r->n_scenarios, r->n_scenarios == 1 ? "" : "s", text,
		      (unsigned long long)r->session.seed);
}

static int play_all(struct run *r)
{
	bool keep = r->session.keep;

	announce(r);
	for (size_t i = 0; i < r->n_scenarios; i++) {
		struct result *res;
		struct err e = {""};

		r->session.keep = keep && i + 1 == r->n_scenarios;
		res = session_run(r->scenarios[i], &r->session, r->arena, &e);
		if (!res) {
			fprintf(stderr, "xlatsim run: %s\n", e.text);
			return EXIT_HOST;
		}
		*ARENA_APPEND(r->arena, r->results, r->n_results) = res;
		if (res->why && !strcmp(res->why, "interrupted"))
			break;
	}
	return 0;
}

static int terminal_width(void)
{
	struct winsize w;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) || w.ws_col < 40)
		return 80;
	return w.ws_col;
}

static int print_json(const struct run *r)
{
	json_t *all = json_array();
	int ret;

	for (size_t i = 0; i < r->n_results; i++) {
		char *text = report_json(r->results[i]);

		json_array_append_new(all, text ? json_loads(text, 0, NULL)
						: json_null());
		free(text);
	}
	ret = json_dumpf(r->n_results == 1 ? json_array_get(all, 0) : all,
			 stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(all);
	return ret;
}

static int exit_status_of(const struct run *r)
{
	int status = EXIT_PASSED;

	for (size_t i = 0; i < r->n_results; i++) {
		if (r->results[i]->verdict == VERDICT_FAIL)
			return EXIT_FAILED;
		if (r->results[i]->verdict == VERDICT_INVALID)
			status = EXIT_INVALID;
		if (r->results[i]->verdict == VERDICT_SKIP && !status)
			status = EXIT_HOST;
	}
	return status;
}

static int report(struct run *r)
{
	int status = exit_status_of(r);
	struct err e;

	if (r->json) {
		if (print_json(r))
			status = status ? status : EXIT_INVALID;
	} else {
		for (size_t i = 0; i < r->n_results; i++)
			report_table(stdout, r->results[i],
				     isatty(STDOUT_FILENO), terminal_width());
	}
	if (r->junit && report_junit(r->junit, r->results, r->n_results, &e)) {
		fprintf(stderr, "xlatsim run: %s\n", e.text);
		status = status ? status : EXIT_INVALID;
	}
	if (fflush(stdout) && !status)
		status = EXIT_INVALID;
	return status;
}

static int run_scenarios(struct run *r, int argc, char **argv)
{
	enum progress_mode mode =
		isatty(STDERR_FILENO) ? PROGRESS_LIVE : PROGRESS_PLAIN;
	int status = parse_options(r, argc, argv);

	if (status)
		return status;
	if (r->help) {
		fputs(usage, stdout);
		return EXIT_PASSED;
	}
	status = load_scenarios(r, argv + optind, argc - optind);
	if (!status)
		status = check_host(r);
	if (!status)
		status = catch_signals(r);
	if (status)
		return status;
	r->session.progress =
		progress_new(stderr, r->quiet ? PROGRESS_QUIET : mode);
	status = play_all(r);
	progress_free(r->session.progress);
	return status ? status : report(r);
}

int cmd_run(int argc, char **argv)
{
	struct run r = {.session = {.out = "results"}, .signal_fd = -1};
	int status;

	if (getrandom(&r.session.seed, 4, 0) != 4)
		r.session.seed = 1;
	r.arena = arena_new();
	r.session.loop = loop_new();
	if (!r.session.loop) {
		perror("xlatsim run");
		arena_free(r.arena);
		return EXIT_HOST;
	}
	status = run_scenarios(&r, argc, argv);
	loop_free(r.session.loop);
	if (r.signal_fd >= 0)
		close(r.signal_fd);
	arena_free(r.arena);
	return status;
}

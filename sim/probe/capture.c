/* SPDX-License-Identifier: MIT */
/* Captures on demand, the half in the orchestrator: start, and count. */
#include "probe_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "../../xlat/base/log.h"

#define START_PATIENCE_NS (5 * NS_PER_S)
#define STOP_GRACE_NS	  (3 * NS_PER_S)
#define LOOK_EVERY_NS	  (5 * NS_PER_MS)
#define PCAP_HEADER_LEN	  24

struct capture {
	struct loop *loop;
	struct proc *proc;
	const char *name, *file, *log;
	struct loop_source *looking;
};

/* The file's header is written once packets are being taken. */
static bool has_begun(const struct capture *c)
{
	struct stat st;

	return !stat(c->file, &st) && st.st_size >= PCAP_HEADER_LEN;
}

static bool settled(void *arg)
{
	struct capture *c = arg;

	return has_begun(c) || !proc_running(c->proc);
}

/* Wakes the loop up, which then asks settled(). */
static void look_again(void *arg, struct mono due)
{
	struct capture *c = arg;

	(void)due;
	c->looking = loop_add_timer(
		c->loop, mono_add(clock_now(), LOOK_EVERY_NS), look_again, c);
}

static int await_begin(struct capture *c, struct err *e)
{
	char how[64];
	int ret;

	look_again(c, clock_now());
	ret = loop_run_until(c->loop, settled, c,
			     mono_add(clock_now(), START_PATIENCE_NS));
	loop_del(c->loop, c->looking);
	c->looking = NULL;
	if (ret == -EINTR)
		return err_set(e, EINTR, "interrupted");
	if (!proc_running(c->proc))
		return err_set(e, EIO, "capture at %s: %s; see %s", c->name,
			       proc_describe_end(c->proc, how, sizeof(how)),
			       c->log);
	if (ret)
		return err_set(e, ETIMEDOUT, "capture at %s: did not begin",
			       c->name);
	return 0;
}

int capture_start(struct world *w, const struct capture_spec *spec,
		  const char *dir, struct arena *a, struct capture **out,
		  struct err *e)
{
	const char *argv[] = {PROBE_SELF,
			      "probe",
			      "capture",
			      "iface",
			      spec->iface,
			      "filter",
			      spec->filter ? spec->filter : "",
			      NULL};
	struct capture *c = ARENA_NEW(a, struct capture);
	struct spawn s = {.argv = argv};
	int ret;

	s.node = plan_find_node(world_plan(w), spec->node);
	if (s.node < 0)
		return err_set(e, ENOENT, "capture: there is no node %s",
			       spec->node);
	c->loop = world_loop(w);
	c->name = arena_printf(a, "%s:%s", spec->node, spec->iface);
	c->file =
		arena_printf(a, "%s/%s_%s.pcap", dir, spec->node, spec->iface);
	c->log = arena_printf(a, "%s/capture-%s.json",
			      world_node_dir(w, s.node), spec->iface);
	s.out = c->file;
	s.log = c->log;
	ret = world_spawn(w, &s, &c->proc, e);
	if (!ret)
		ret = await_begin(c, e);
	if (ret && c->proc) {
		proc_free(c->proc);
		c->proc = NULL;
	}
	*out = c;
	return ret;
}

uint64_t capture_stop(struct capture *c)
{
	uint64_t packets = 0, dropped = 0;
	json_t *j;
	bool early;

	if (!c->proc)
		return 0;
	early = !proc_running(c->proc);
	proc_stop(c->proc, STOP_GRACE_NS);
	j = json_load_file(c->log, 0, NULL);
	if (j) {
		packets = (uint64_t)json_integer_value(
			json_object_get(j, "packets"));
		dropped = (uint64_t)json_integer_value(
			json_object_get(j, "dropped"));
	}
	if (!j || early)
		log_warn("capture at %s ended early; see %s", c->name, c->log);
	if (dropped)
		log_warn("capture at %s lacks %llu packets that came faster "
			 "than they could be written",
			 c->name, (unsigned long long)dropped);
	json_decref(j);
	proc_free(c->proc);
	c->proc = NULL;
	return packets;
}

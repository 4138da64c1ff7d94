/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * `struct engines` holds one engine for each daemon of the plan, in the plan's
 * order. An engine's processes live from start() to engine_drop(); a killed
 * one keeps its ended processes until then, so that their status and CPU time
 * can be asked for. An exit that nobody ordered leaves its words in `fault`
 * until the engine is started again, and the first of all in `first_fault`.
 */
#include "engine.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "engine_internal.h"

#define GRACE_NS NS_PER_S

static const struct engine_ops *const table[] = {
	&relay_ops, &bind9_ops, &unbound_ops,	&frr_ops,
	&xlatd_ops, &jool_ops,	&nft_nat44_ops, &native_ops,
	&tayga_ops, &radv_ops,	&health_ops,	NULL,
};

const struct engine_ops *const *engine_all(void)
{
	return table;
}

const struct engine_ops *engine_find(const char *name, enum daemon_role role)
{
	for (size_t i = 0; table[i]; i++)
		if (!strcmp(table[i]->name, name) &&
		    table[i]->roles & 1u << role)
			return table[i];
	return NULL;
}

static const struct engine_ops *find_or_tell(const struct plan_daemon *d,
					     struct err *e)
{
	const struct engine_ops *ops = engine_find(d->engine, d->role);
	char known[128] = "";

	if (ops)
		return ops;
	for (size_t i = 0; table[i]; i++)
		if (table[i]->roles & 1u << d->role)
			snprintf(known + strlen(known),
				 sizeof(known) - strlen(known), " %s",
				 table[i]->name);
	err_set(e, ENOENT, "engine '%s' cannot be %s; those that can:%s",
		d->engine, plan_role_word(d->role), known);
	return NULL;
}

int engine_check_host(const struct plan *p, struct err *e)
{
	for (size_t i = 0; i < p->n_daemons; i++) {
		const struct plan_daemon *d = &p->daemons[i];
		const struct engine_ops *ops = find_or_tell(d, e);
		char version[128];
		bool seen = false;

		if (!ops)
			return -ENOENT;
		for (size_t k = 0; k < i && !seen; k++)
			seen = !strcmp(p->daemons[k].engine, d->engine);
		if (!seen && ops->available(version, sizeof(version), e)) {
			err_prefix(e, "engine %s", ops->name);
			return -ENOENT;
		}
	}
	return 0;
}

/* ---- all of a world --------------------------------------------------------
 */

struct engine *engines_get(struct engines *es, int node, enum daemon_role role)
{
	for (size_t i = 0; es && i < es->n; i++)
		if (es->v[i].daemon->node == node &&
		    es->v[i].daemon->role == role)
			return &es->v[i];
	return NULL;
}

void engines_on_fault(struct engines *es,
		      void (*fn)(void *arg, const struct engine *en), void *arg)
{
	es->on_fault = fn;
	es->on_fault_arg = arg;
}

size_t engines_count(const struct engines *es)
{
	return es ? es->n : 0;
}

struct engine *engines_at(struct engines *es, size_t i)
{
	return &es->v[i];
}

static void stop_one(struct engine *en)
{
	en->expected_down = true;
	if (en->ops->stop && en->n_procs)
		proc_wait(en->procs[0], mono_add(clock_now(), GRACE_NS));
	for (size_t i = en->n_procs; i-- > 0;)
		proc_stop(en->procs[i], GRACE_NS);
	engine_drop(en);
	if (en->ops->fini)
		en->ops->fini(en);
}

void engines_stop(struct engines *es)
{
	if (!es)
		return;
	/* all are asked at once; each is then waited for */
	for (size_t i = 0; i < es->n; i++) {
		es->v[i].expected_down = true;
		if (es->v[i].ops->stop && es->v[i].n_procs) {
			proc_signal(es->v[i].procs[0], SIGCONT);
			es->v[i].ops->stop(&es->v[i]);
			continue;
		}
		for (size_t k = 0; k < es->v[i].n_procs; k++) {
			proc_signal(es->v[i].procs[k], SIGTERM);
			proc_signal(es->v[i].procs[k], SIGCONT);
		}
	}
	for (size_t i = es->n; i-- > 0;)
		stop_one(&es->v[i]);
	arena_free(es->arena);
	free(es);
}

/* ---- events ----------------------------------------------------------------
 */

static int signal_all(struct engine *en, int sig, struct err *e)
{
	size_t hit = 0;

	for (size_t i = 0; i < en->n_procs; i++)
		hit += !proc_signal(en->procs[i], sig);
	if (hit)
		return 0;
	return err_set(e, ESRCH, "%s (%s) does not run at %s", en->ops->name,
		       plan_role_word(en->daemon->role), engine_node(en)->name);
}

int engine_kill(struct engine *en, struct err *e)
{
	en->expected_down = true;
	return signal_all(en, SIGKILL, e);
}

int engine_end(struct engine *en, struct err *e)
{
	en->expected_down = true;
	return signal_all(en, SIGTERM, e);
}

int engine_freeze(struct engine *en, bool stop, struct err *e)
{
	return signal_all(en, stop ? SIGSTOP : SIGCONT, e);
}

int engine_restart(struct engine *en, struct err *e)
{
	int ret;

	for (size_t i = 0; i < en->n_procs; i++)
		if (!en->expected_down && proc_running(en->procs[i]))
			return err_set(e, EALREADY, "%s (%s) runs at %s",
				       en->ops->name,
				       plan_role_word(en->daemon->role),
				       engine_node(en)->name);
	engine_drop(en);
	en->expected_down = false;
	en->fault[0] = '\0';
	ret = en->ops->start(en, e);
	if (ret)
		err_prefix(e, "%s", engine_node(en)->name);
	return ret;
}

int engines_restart_node(struct engines *es, int node, struct err *e)
{
	int ret = 0;

	for (size_t i = 0; i < es->n && !ret; i++)
		if (es->v[i].daemon->node == node)
			ret = engine_restart(&es->v[i], e);
	return ret;
}

/* ---- the beginning ---------------------------------------------------------
 */

struct engines *engines_new(struct world *w, struct err *e)
{
	const struct plan *p = world_plan(w);
	struct engines *es = calloc(1, sizeof(*es));

	if (!es) {
		err_set(e, ENOMEM, "out of memory");
		return NULL;
	}
	es->world = w;
	es->arena = arena_new();
	es->v = arena_alloc(es->arena, (p->n_daemons + 1) * sizeof(*es->v));
	for (size_t i = 0; i < p->n_daemons; i++) {
		const struct engine_ops *ops = find_or_tell(&p->daemons[i], e);

		if (!ops) {
			engines_stop(es);
			return NULL;
		}
		es->v[es->n++] = (struct engine){.ops = ops,
						 .world = w,
						 .daemon = &p->daemons[i],
						 .all = es};
	}
	return es;
}

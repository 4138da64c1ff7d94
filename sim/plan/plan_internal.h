/* SPDX-License-Identifier: MIT */
/* What the stages of plan_new share. */
#ifndef PLAN_PLAN_INTERNAL_H
#define PLAN_PLAN_INTERNAL_H

#include "addrplan.h"
#include "plan.h"

struct planner {
	struct plan *p;
	const struct topology *t;
	struct arena *a;
	struct addrplan ap;
	struct err *e;
	/* indices into nodes */
	int access, border, inet, dns, relay;
	int first_plat, first_server;
};

/* Each stage returns 0, or -errno with b->e set. In this order: */
int plan_add_nodes(struct planner *b);	  /* nodes.c */
int plan_add_links(struct planner *b);	  /* links.c */
void plan_add_routes(struct planner *b);  /* routes.c */
void plan_add_sysctls(struct planner *b); /* steps.c */
void plan_add_daemons(struct planner *b);
void plan_add_steps(struct planner *b);

/* Print one impairment as "rate 150mbit delay 3ms"; "" when there is none. */
const char *plan_impairment_text(const struct impairment *i, char *buf,
				 size_t len);

#endif

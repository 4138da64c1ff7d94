/* SPDX-License-Identifier: MIT */
/*
 * What a matrix of offload settings teaches the operator of an engine.
 *
 * An axis whose values set something (an offload, a way to attach an engine)
 * is a setting; any other (round-trip time, flows, ...) is a circumstance. A
 * setting is judged by cells that are alike in all else: the advised value is
 * the one that is never far from the best, whatever the circumstance.
 */
#ifndef ADVISE_ADVISE_H
#define ADVISE_ADVISE_H

#include <jansson.h>
#include <stdio.h>

#include "../../xlat/base/err.h"
#include "../spec/spec.h"

/* Cells are single runs: less than this apart is not told apart. */
#define ADVISE_NOISE 0.8
/* Below this share of the best rate all else is broken, too: no evidence. */
#define ADVISE_DEAD 0.01

enum setting_kind {
	SETTING_OFFLOAD,     /* of the interface `device` of `node` */
	SETTING_ATTACH_PLAT, /* of the PLAT `node` */
	SETTING_ATTACH_CLAT, /* of the CPEs on the tower `node` */
};

struct setting {
	enum setting_kind kind;
	const char *node, *device; /* device: a neighbour, nat64, clat, vm */
	const char *feature;	   /* as in `offloads:`; attach: NULL */
	const char *value;	   /* "on", "off"; attach: "vnet", ... */
};

struct advise_value {
	const char *name;
	struct setting *set;
	size_t n_set;
};

struct advise_axis {
	const char *name;
	struct advise_value *v;
	size_t n;
	bool known;   /* the file says what its values set */
	bool setting; /* one of them sets something */
};

struct advise_rate {
	const char *measure;
	double bps;
	const char *diagnosis, *cure; /* in words; or NULL */
};

struct advise_cell {
	const char *name;
	size_t *value; /* by axis; the axis's n: a value it does not know */
	const char *plats, *clats; /* engines: "jool", "jool+xlatd" */
	struct advise_rate *rates;
	size_t n_rates;
};

struct advise_input {
	const char *name, *path, *started, *kernel;
	int cores;
	struct advise_axis *axes;
	size_t n_axes;
	struct advise_cell *cells; /* only those that were measured */
	size_t n_cells;
};

/* Two cells alike but for the axis. */
struct comparison {
	const struct advise_cell *good, *bad;
	size_t value; /* of the bad one */
	const char *measure;
	double good_bps, bad_bps;
	const char *good_diagnosis, *bad_diagnosis, *cure; /* or NULL */
};

struct advice_case {
	size_t when_axis, when_value; /* n_axes: always */
	size_t best;		      /* value of the axis */
	double worst; /* its rate over the best one's, where that is lowest */
	struct comparison *against; /* worst of each value left behind */
	size_t n_against;
	struct comparison cost; /* where another value was better; good: NULL */
};

enum advice_kind {
	ADVICE_CLEAR,	 /* one value, always */
	ADVICE_CASES,	 /* it depends on another axis */
	ADVICE_TRADE,	 /* no value is always near the best */
	ADVICE_SAME,	 /* no difference seen */
	ADVICE_UNPLAYED, /* no two cells to compare */
};

struct advice {
	size_t axis;
	enum advice_kind kind;
	struct advice_case *cases;
	size_t n_cases;
};

/* All about cells with the same engines. */
struct advice_group {
	const char *plats, *clats;
	size_t n_cells;
	struct advice *advice;
	size_t n_advice;
};

/*
 * advise_derive - a group for each set of engines, in the order of the cells;
 * in each one an advice for every axis that is a setting.
 * Returns the groups in @a, @n of them. Context: pure.
 */
struct advice_group *advise_derive(const struct advise_input *in,
				   struct arena *a, size_t *n);

/* ---- read.c ----------------------------------------------------------------
 */

/*
 * advise_read - a matrix's document and the results of its cells.
 * @path: matrix.json, or the folder that it is in
 * Returns NULL with @e set: not a matrix, a cell's result is gone, ...
 * Context: reads files.
 */
struct advise_input *advise_read(const char *path, struct arena *a,
				 struct err *e);

/* ---- setting.c -------------------------------------------------------------
 */

/*
 * settings_read - what an overlay sets; @overlay: an object of `topology` and
 * `scenario`, as in the document of a matrix. Appends to @v.
 */
void settings_read(const json_t *overlay, struct arena *a, struct setting **v,
		   size_t *n);

/* setting_do - what a person does to have it so; one line, in @a. */
const char *setting_do(const struct setting *s, struct arena *a);

/* setting_is_usual - an attachment, and the one that these engines have unless
 * somebody says otherwise. */
bool setting_is_usual(const struct setting *s, const char *plats,
		      const char *clats);

enum setting_state { STATE_UNKNOWN, STATE_HOLDS, STATE_DIFFERS };
/* setting_in - whether @t has it so; UNKNOWN: it does not say. */
enum setting_state setting_in(const struct setting *s,
			      const struct topology *t);

/* ---- print.c ---------------------------------------------------------------
 */

/*
 * advise_print - for people. @t: the topology that asks, or NULL: groups of
 * other PLAT engines are left out then, and what it has already is said.
 * Returns how many groups were printed.
 */
size_t advise_print(FILE *out, const struct advise_input *in,
		    const struct advice_group *g, size_t n,
		    const struct topology *t, struct arena *a);

/* advise_json - the same for programs; new reference. */
json_t *advise_json(const struct advise_input *in, const struct advice_group *g,
		    size_t n, const struct topology *t, struct arena *a);

/* advise_engines - the PLAT (or CLAT) engines of @t, as in cells. */
const char *advise_plats(const struct topology *t, struct arena *a);
const char *advise_clats(const struct topology *t, struct arena *a);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A matrix: scenarios played again and again with something else each time.
 *
 * An axis has values, and each value is what it says of the topology and the
 * scenario, laid over their files before they are read. A cell is one value of
 * every axis; the first axis is which scenario.
 */
#ifndef SPEC_MATRIX_H
#define SPEC_MATRIX_H

#include "../../xlat/base/err.h"
#include "spec.h"

#define MATRIX_MAX_CELLS 10000

struct matrix_value {
	const char *name;
	const char *path; /* first axis: the scenario file; else NULL */
	const struct ynode *topology, *scenario; /* over their files; or NULL */
	bool full;				 /* only with --full */
};

struct matrix_axis {
	const char *name; /* the first one's is "scenario" */
	struct matrix_value *v;
	size_t n;
};

struct matrix_cell {
	const char *name;    /* "link-down.bfd.none": values of the axes that
				have several */
	const size_t *value; /* by axis: index of its value */
	const char *why;     /* it is never played because of this; or NULL */
	bool full;	     /* only with --full */
	const struct scenario *s; /* NULL when it is never played */
};

struct matrix_show {
	const char *measure, *metric;
};

struct matrix {
	const char *path, *name, *title;
	struct matrix_axis *axes;
	size_t n_axes;
	struct matrix_cell *cells; /* the last axis turns fastest */
	size_t n_cells;
	struct matrix_show *show;
	size_t n_show;
};

/* matrix_is - whether the file looks like one (has `matrix:`). */
bool matrix_is(const char *path);

/*
 * matrix_load - read, expand, and read every cell's scenario as it will be
 * played. @a owns the result; @d gets the errors, each with its place in the
 * file where the word stands, be it the matrix, a scenario or a topology.
 * Returns NULL when @d has any. Context: reads files, no root.
 */
struct matrix *matrix_load(const char *path, struct arena *a, struct diags *d);

/*
 * matrix_select - what --only AXIS=VALUE[,VALUE...] leaves of @m.
 * @only: n of them; all must hold. @chosen: n_cells flags to be set
 * @full: cells that are played only with --full as well
 * Returns 0, or -EINVAL with @e set for an axis or a value that is not there,
 * or when nothing is left.
 */
int matrix_select(const struct matrix *m, const char *const *only, size_t n,
		  bool full, bool *chosen, struct err *e);

#endif

/* SPDX-License-Identifier: MIT */
/* Every chosen cell of a matrix, one session after the other. */
#ifndef CMD_MATRIX_H
#define CMD_MATRIX_H

#include <jansson.h>

#include "../spec/matrix.h"
#include "session.h"

struct matrix_opts {
	struct session_opts session; /* out: of the whole matrix */
	const bool *chosen;	     /* by cell */
	bool resume; /* go on with OUT/NAME/latest instead of beginning */
};

/*
 * matrix_play - play what is chosen and keep OUT/NAME/TIME/matrix.json and
 * report.html up to date after each cell.
 * @doc: the document of it all (report/matrix.h), new reference
 * @dir: where it is, in @a
 *
 * Cells that this host cannot play, and those with a reason in the file, are
 * skipped. With `resume` a cell that has a verdict already keeps it, if the
 * files (topologies, too) and the version are as they were.
 *
 * Returns 0, -EINTR when a signal stopped it (@doc is what there is), -EINVAL
 * with @e set when there is nothing that could be resumed, or another -errno
 * with @e set. Context: root.
 */
int matrix_play(const struct matrix *m, const struct matrix_opts *o,
		struct arena *a, json_t **doc, const char **dir, struct err *e);

/* matrix_list - the cells, with what each would take; no root. */
void matrix_list(const struct matrix *m, const bool *chosen, FILE *out);

/* matrix_duration_ns - about what the chosen cells take. Pure. */
double matrix_duration_ns(const struct matrix *m, const bool *chosen);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A matrix as one table. The table is drawn from a JSON document and nothing
 * else, so that a matrix which was interrupted and resumed looks the same.
 */
#ifndef REPORT_MATRIX_H
#define REPORT_MATRIX_H

#include <jansson.h>

#include "../spec/matrix.h"
#include "report.h"

#define MATRIX_SCHEMA "xlatsim-matrix/1"

/*
 * matrix_doc_new - a document of @m without rows; schema in
 * man/xlatsim-result.5. New reference; NULL without memory.
 */
json_t *matrix_doc_new(const struct matrix *m, const char *started,
		       uint64_t seed);

/*
 * matrix_doc_put - the row of @cell, in place of the one that it had.
 * @r: how it went; NULL: it was not played, because of @why
 * @link: its report, from the matrix's own folder; or NULL
 * Returns 0 or -ENOMEM.
 */
int matrix_doc_put(json_t *doc, const struct matrix *m, size_t cell,
		   const struct result *r, const char *link, const char *why);

/* matrix_doc_complete - whether all that was asked for was played; 0, -ENOMEM
 */
int matrix_doc_complete(json_t *doc, bool complete);

/* matrix_doc_find - the row of @cell, borrowed, or NULL. */
json_t *matrix_doc_find(const json_t *doc, const struct matrix_cell *cell);

/* matrix_doc_count - rows with this verdict. */
size_t matrix_doc_count(const json_t *doc, enum verdict v);

/* report_matrix_* - as their namesakes for one result. */
void report_matrix_table(FILE *out, const json_t *doc, bool color);
int report_matrix_html(const char *path, const json_t *doc, struct err *e);
int report_matrix_junit(const char *path, const json_t *doc, struct err *e);

#endif

#!/bin/sh
# SPDX-License-Identifier: MIT
# Does every test that a requirement matrix names exist?
#
#   tools/check-matrices.sh [MATRIX...]
#
# In the last column of each row `NAME` is a test function (START_TEST) and
# `v: NAME` a case of xlat/tests/vectors, where * stands for any text. A row
# without one says "untestable" or names other files in plain words.
set -u
cd "$(dirname "$0")/.." || exit 1
[ $# -gt 0 ] || set -- xlat/tests/RFC*.md
tests=$(grep -ho 'START_TEST([a-z0-9_]*)' xlat/tests/*.c | sed 's/.*(//;s/)//')
cases=$(sed -n 's/^case: //p' xlat/tests/vectors/*.txt)
awk -v tests="$tests" -v cases="$cases" '
function glob(s) {
	gsub(/[][^$.|?+(){}\\]/, "\\\\&", s)
	gsub(/\*/, ".*", s)
	return "^" s "$"
}
function found(name,	i, re) {
	if (name !~ /^v: /)
		return name in test
	re = glob(substr(name, 4))
	for (i = 1; i <= n; i++)
		if (list[i] ~ re)
			return 1
	return 0
}
BEGIN {
	k = split(tests, t, "\n")
	for (i = 1; i <= k; i++)
		test[t[i]] = 1
	n = split(cases, list, "\n")
}
/^\|/ && !/^\|---/ && !/\| test \|$/ {
	rows++
	m = split($0, column, "|")
	cell = column[m - 1]
	if (cell !~ /`/ && cell !~ /untestable/) {
		printf "%s:%d: no test, and no word why not\n", FILENAME, FNR
		bad = 1
	}
	k = split(cell, part, "`")
	for (i = 2; i <= k; i += 2)
		if (!found(part[i])) {
			printf "%s:%d: no such test: %s\n", FILENAME, FNR, part[i]
			bad = 1
		}
}
END {
	if (!bad)
		printf "matrices: ok (%d requirements)\n", rows
	exit bad
}' "$@"

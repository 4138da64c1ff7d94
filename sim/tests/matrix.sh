#!/bin/sh
# SPDX-License-Identifier: MIT
# A matrix of real cells: played whole, and interrupted and resumed.
. "$(dirname "$0")/lib.sh"
here=$(dirname "$0")

if [ "$(id -u)" != 0 ]; then
	echo "SKIP: needs root"
	exit 77
fi
# its own copy, for the files are changed below
cp "$here"/data/small.yaml "$here"/data/small-run.yaml \
	"$here"/data/small-fail.yaml "$here"/data/matrix.yaml "$tmp"
matrix=$tmp/matrix.yaml

# table FILE: without what differs from run to run
table() {
	sed -e '/^report: /d' -e 's/rtt-min: [^,]*,/rtt-min: TIME,/' "$1"
}

# cells DIR: how often cells were played
cells() {
	find "$1"/matrix/latest/cells -name result.json | wc -l
}

# reads FILE TEXT: wait until it has it
reads() {
	tries=0
	until grep -qsF "$2" "$1"; do
		tries=$((tries + 1))
		[ $tries -lt 600 ] || return 1
		sleep 0.1
	done
}

"$xlatsim" run --full --out "$tmp/whole" --junit "$tmp/junit.xml" "$matrix" \
	>"$tmp/whole.txt" 2>"$tmp/whole.err"
status=$?
check "a matrix with a failure (got $status)" test $status = 1
check "its table" grep -q "2 passed, 1 failed, 0 without a verdict, 5 skipped" "$tmp/whole.txt"
check "an engine that is nowhere is skipped" grep -Eq '^small-run +near +absent +.*skip .*nosuch' "$tmp/whole.txt"
check "so is what a rule skips" grep -Eq '^small-fail +far +xlatd +.*skip +one is enough' "$tmp/whole.txt"
check "what fails says why" grep -Eq '^small-fail +near +xlatd .* fail +literal.rtt-min' "$tmp/whole.txt"
check "three cells were played" test "$(cells "$tmp/whole")" = 3
check "a case a cell in JUnit" test "$(grep -c '<testcase' "$tmp/junit.xml")" = 8
for link in $(sed -n 's/.*"report": "\(.*\)".*/\1/p' "$tmp/whole/matrix/latest/matrix.json"); do
	check "$link is there" test -s "$tmp/whole/matrix/latest/$link"
	check "the page leads to it" grep -qF "href=\"./$link\"" "$tmp/whole/matrix/latest/report.html"
done
check "nothing is left" nothing_left

setsid "$xlatsim" run --full --out "$tmp/parts" "$matrix" \
	>"$tmp/part.txt" 2>"$tmp/part.err" &
pid=$!
check "the third cell begins" reads "$tmp/part.err" "cell 3 of 8"
check "nobody else goes on with it meanwhile" exits 2 "$xlatsim" run --resume --out "$tmp/parts" "$matrix"
check "which is said" says "still played"
kill -INT $pid
wait $pid
status=$?
check "status 3 when interrupted (got $status)" test $status = 3
check "it says how to go on" grep -q "run --resume" "$tmp/part.err"
check "the table so far" grep -Eq '^small-run +near +xlatd .*pass' "$tmp/part.txt"
check "it is not whole" grep -q "1 passed, .* 1 skipped; not played to its end" "$tmp/part.txt"
check "and not more" test "$(grep -c '^small-' "$tmp/part.txt")" = 2
check "nothing is left after the interruption" nothing_left

"$xlatsim" run --full --resume --quiet --out "$tmp/parts" "$matrix" >"$tmp/rest.txt"
status=$?
check "resumed (got $status)" test $status = 1
table "$tmp/whole.txt" >"$tmp/a"
table "$tmp/rest.txt" >"$tmp/b"
check "the same table" diff "$tmp/a" "$tmp/b"
check "the first cell was not played again" \
	test "$(find "$tmp/parts/matrix/latest/cells/small-run.near.xlatd" -name result.json | wc -l)" = 1

# the same version, but not the same translator
mkdir "$tmp/bin"
cp "$BUILD"/xlatsim* "$BUILD"/xlatd "$tmp/bin"
check "its programs elsewhere" exits 1 "$tmp/bin/xlatsim" run --full --resume --quiet --out "$tmp/parts" "$matrix"
echo >>"$tmp/bin/xlatd"
check "xlatd was built anew" exits 2 "$tmp/bin/xlatsim" run --full --resume --quiet --out "$tmp/parts" "$matrix"
check "says so" says "changed since"

before=$(cells "$tmp/parts")
check "resumed when there is nothing to do" exits 1 "$xlatsim" run --full --resume --quiet --json --out "$tmp/parts" "$matrix"
check "nothing was played" test "$(cells "$tmp/parts")" = "$before"
check "the document on standard output" grep -q '"schema": "xlatsim-matrix/1"' "$tmp/out"

check "nothing to resume" exits 2 "$xlatsim" run --resume --out "$tmp/none" "$matrix"
check "says so" says "nothing to resume"
check "a seed of its own" exits 2 "$xlatsim" run --resume --seed 5 --out "$tmp/parts" "$matrix"
sed -i 's/rtt: 4ms/rtt: 6ms/' "$tmp/small.yaml"
check "the topology has changed" exits 2 "$xlatsim" run --resume --out "$tmp/parts" "$matrix"
check "says so, too" says "changed since"
check "nothing is left in the end" nothing_left
finish

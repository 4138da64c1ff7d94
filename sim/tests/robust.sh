#!/bin/sh
# SPDX-License-Identifier: MIT
# Whatever happens to a run, the machine is empty afterwards.
. "$(dirname "$0")/lib.sh"
here=$(dirname "$0")
small=$here/data/small-run.yaml

if [ "$(id -u)" != 0 ]; then
	echo "SKIP: needs root"
	exit 77
fi
"$xlatsim" clean >/dev/null
check "nothing is there at first" nothing_left
check "a run passes" exits 0 "$xlatsim" run --out "$tmp/r" "$small"
check "nothing is left" nothing_left
check "result.json" test -s "$tmp/r/small-run/latest/result.json"
check "report.html" test -s "$tmp/r/small-run/latest/report.html"
check "junit.xml" test -s "$tmp/r/small-run/latest/junit.xml"
check "a daemon's log" test -s "$tmp/r/small-run/latest/nodes/plat1/etc/xlatd.yaml" -o \
	-n "$(ls "$tmp"/r/small-run/latest/nodes/plat1 2>/dev/null)"

check "json" exits 0 "$xlatsim" run --quiet --json --junit "$tmp/j.xml" --out "$tmp/r" "$small"
check "json on standard output, and nothing else" sh -c '[ "$(head -c 1 "$1")" = "{" ] && [ "$(tail -n 1 "$1")" = "}" ] && grep -q "\"schema\": \"xlatsim-result/1\"" "$1"' sh "$tmp/out"
check "quiet says nothing" test ! -s "$tmp/err"
check "junit was written" grep -q "<testsuite" "$tmp/j.xml"

check "an unmet expectation fails" exits 1 "$xlatsim" run --quiet --out "$tmp/r" "$here/data/small-fail.yaml"
check "nothing is left after that" nothing_left

# an engine that is not there: exit 4, and it is named
sed 's/engine: xlatd/engine: nosuch/' "$here/data/small.yaml" >"$tmp/small.yaml"
cp "$small" "$tmp/small-run.yaml"
check "unknown engine" exits 4 "$xlatsim" run --out "$tmp/r" "$tmp/small-run.yaml"
check "it is named" says nosuch

# a world that is kept can be entered, with all that is the node's own
setsid env --default-signal=INT "$xlatsim" run --keep --out "$tmp/r" "$small" >"$tmp/kept" 2>&1 &
pid=$!
n=0
until grep -q "nsenter" "$tmp/kept" || [ $n = 300 ]; do
	n=$((n + 1))
	sleep 0.1
done
enter=$(sed -n 's/^ *plat1 *\(nsenter .*\) sh$/\1/p' "$tmp/kept")
check "it says how to enter plat1" test -n "$enter"
check "its name" test "$($enter hostname)" = plat1
check "its /run" $enter test -S /run/frr/zserv.api
check "its processes" test "$($enter sh -c 'ls -d /proc/[0-9]*' | wc -l)" -lt 20
kill -INT $pid
wait $pid
check "status 0 after it was kept" test $? = 0
check "nothing is left of it" nothing_left

# a result folder that cannot be made
: >"$tmp/file"
check "no room for results" exits 4 "$xlatsim" run --out "$tmp/file/r" "$small"
check "nothing is left then" nothing_left
mkdir "$tmp/half"
: >"$tmp/half/small-fail"
check "the second of two cannot begin" exits 4 "$xlatsim" run --quiet --junit "$tmp/half.xml" --out "$tmp/half" "$small" "$here/data/small-fail.yaml"
check "the first is told" says "PASS  small-run"
check "also to CI" grep -q 'name="small-run' "$tmp/half.xml"

# a run in another PID namespace, as in a container that shares /run: its lock
# says that it lives, its process id is none of ours
mkdir -p /run/xlatsim/0dd0
printf 'pid 999999999\nnamespace pid:[1]\n' >/run/xlatsim/0dd0/lock
check "clean does not wait for a run elsewhere" \
	exits 0 timeout 20 flock /run/xlatsim/0dd0/lock "$xlatsim" clean
check "and leaves it alone" test -e /run/xlatsim/0dd0/lock
check "once it has ended" exits 0 "$xlatsim" clean
check "it goes" test ! -e /run/xlatsim/0dd0

# Ctrl-C and SIGTERM in each stage
for sig in INT TERM HUP; do
	for after in 0.05 0.4 1.5 4; do
		# a shell lets what is behind an & ignore SIGINT
		setsid env --default-signal=INT "$xlatsim" run --quiet --out "$tmp/r" "$here/data/small-long.yaml" >/dev/null 2>&1 &
		pid=$!
		sleep $after
		kill -$sig $pid
		wait $pid
		st=$?
		check "status 3 after $sig at $after s (got $st)" test $st = 3 -o $st -gt 128
		check "nothing is left after $sig at $after s" nothing_left
	done
done

# two runs side by side, in different result folders
"$xlatsim" run --quiet --out "$tmp/a" "$small" >/dev/null 2>&1 &
one=$!
"$xlatsim" run --quiet --out "$tmp/b" "$small" >/dev/null 2>&1 &
two=$!
wait $one
s1=$?
wait $two
s2=$?
# on a small machine either may be found too late to judge; neither may fail
check "the first of two (status $s1)" test $s1 = 0 -o $s1 = 3
check "the second of two (status $s2)" test $s2 = 0 -o $s2 = 3
check "nothing is left of two" nothing_left

# kill -9 at random moments: no process survives, clean removes the rest
seed=${SEED:-$(date +%N | sed 's/^0*//')}
echo "seed $seed"
i=0
while [ $i -lt 10 ]; do
	i=$((i + 1))
	seed=$(((seed * 1103515245 + 12345) % 2147483648))
	ms=$((seed / 7 % 4000))
	setsid "$xlatsim" run --quiet --out "$tmp/r" "$here/data/small-long.yaml" >/dev/null 2>&1 &
	pid=$!
	sleep $((ms / 1000)).$(printf %03d $((ms % 1000)))
	kill -KILL $pid 2>/dev/null
	wait $pid 2>/dev/null
	lives=yes
	for t in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		[ -z "$(descendants)" ] && lives= && break
		sleep 0.1
	done
	check "no process outlives a kill -9 after $ms ms: $(descendants | tr '\n' ' ')" test -z "$lives"
	check "clean after $ms ms" exits 0 "$xlatsim" clean
	check "clean leaves nothing ($ms ms)" nothing_left
done
finish

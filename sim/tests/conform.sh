#!/bin/sh
# SPDX-License-Identifier: MIT
# xlatsim conform: what it says and leaves behind, and xlatd against the cases.
. "$(dirname "$0")/lib.sh"
export TMPDIR="$tmp" # by which leftovers are known

check "list" exits 0 "$xlatsim" conform --list
check "list names a case" says 46-tos-is-class
check "list of one role" exits 0 "$xlatsim" conform --list --role plat
check "no engine" exits 2 "$xlatsim" conform
check "says so" says "expected an engine"
check "unknown engine" exits 2 "$xlatsim" conform xlatt
check "suggests xlatd" says "did you mean 'xlatd'"
check "engine of another kind" exits 2 "$xlatsim" conform bind9
check "names those that can" says "those that can: xlatd"
check "bad role" exits 2 "$xlatsim" conform --role dns xlatd
check "no case" exits 2 "$xlatsim" conform --only nonesuch xlatd
check "cases that are not there" exits 2 "$xlatsim" conform --cases "$tmp/x" xlatd
printf 'case a b\n  4> ip ttl=999 / udp\n' >"$tmp/bad.cases"
check "bad cases" exits 2 "$xlatsim" conform --cases "$tmp/bad.cases" xlatd
check "their place" says "bad.cases:2:13: 'ttl' is at most 255"
check "nothing was touched" says "nothing was touched"

if [ "$(id -u)" != 0 ]; then
	skip "conform against engines: needs root"
	finish
fi
if [ ! -e /dev/net/tun ]; then
	skip "conform against engines: no /dev/net/tun"
	finish
fi

check "xlatd passes every case" exits 0 "$xlatsim" conform --quiet \
	--json "$tmp/r.json" --junit "$tmp/r.xml" xlatd
check "says so" says "0 failed, 0 skipped"
check "JSON" grep -q '"schema": "xlatsim-conform/1"' "$tmp/r.json"
check "JSON has cases" grep -q '"case": "46-tos-is-class"' "$tmp/r.json"
check "JUnit" grep -q '<testcase name="46-tos-is-class"' "$tmp/r.xml"
check "nothing is left" nothing_left

if "$xlatsim" engines | grep -q '^tayga .*not here'; then
	skip "TAYGA: not here"
else
	check "TAYGA plays its part" exits 0 "$xlatsim" conform --quiet --only '4[46]*-udp' tayga
	check "TAYGA fails what it does not do" exits 1 "$xlatsim" conform --quiet --only 46-source-route xlatd tayga
	check "beside xlatd" says "FAIL  tayga"
	check "what it cannot be told is skipped" exits 0 "$xlatsim" conform --quiet --only 64-tos-set tayga
	check "with the reason" says "skip  tayga: 1 case: TAYGA"
fi

if "$xlatsim" engines | grep -q '^jool .*User Mode Linux'; then
	check "Jool plays its part" exits 0 "$xlatsim" conform --quiet --only 46-udp-odd jool
	check "nothing is left of it" nothing_left
else
	skip "Jool: not here as User Mode Linux"
fi

# a case that cannot pass is told with the field that is wrong
cat >"$tmp/wrong.cases" <<'END'
setup s
    role siit
    pref64 2001:db8:64::/96
    eam 192.0.2.10/32 2001:db8:1::a/128
    marker 2001:db8:64::1.2.3.4 2001:db8:64::203.0.113.254
section 7915 4.1 Headers
use s
case right passes
    4> ip src=203.0.113.5 dst=192.0.2.10 df=1 / udp
    6< ip6 src=2001:db8:64::203.0.113.5 dst=2001:db8:1::a / udp
case wrong has another hop limit
    4> ip src=203.0.113.5 dst=192.0.2.10 df=1 / udp
    6< ip6 src=2001:db8:64::203.0.113.5 dst=2001:db8:1::a hop=9 / udp
case silent expects what does not come
    4> ip src=203.0.113.5 dst=192.0.2.10 df=1 csum=1 / udp
    6< ip6 src=2001:db8:64::203.0.113.5 dst=2001:db8:1::a / udp
END
check "a case fails" exits 1 "$xlatsim" conform --quiet --cases "$tmp/wrong.cases" xlatd
check "its place and field" says "wrong.cases:13: ip6 hop is 63, expected 9"
check "what arrived" says "arrived on side 6: ip6 hop=63"
check "silence" says "wrong.cases:16: nothing arrived on side 6"
check "the other one passed" says "1 passed, 2 failed"
check "one case" exits 0 "$xlatsim" conform --quiet --cases "$tmp/wrong.cases" --only right xlatd

# Ctrl-C in the middle, and a kill
many() {
	sed '/^case/,$d' "$tmp/wrong.cases"
	for i in $(seq ${1:-3000}); do
		echo "case c$i again"
		echo "  4> ip src=203.0.113.5 dst=192.0.2.10 df=1 / udp"
		echo "  6< ip6 src=2001:db8:64::203.0.113.5 dst=2001:db8:1::a / udp"
		echo "  fresh"
	done
}
many 3000 >"$tmp/many.cases"
begin() {
	"$xlatsim" conform --quiet --cases "$tmp/many.cases" xlatd >"$tmp/out" 2>"$tmp/err" &
	pid=$!
	for try in $(seq 1000); do
		ls "$tmp"/xlatsim-conform-*/nodes/engine/engine.log >/dev/null 2>&1 && return 0
		sleep 0.02
	done
	return 1
}
check "it runs" begin
kill -INT $pid
wait $pid
check "Ctrl-C gives no verdict" [ $? = 3 ]
check "says so" says interrupted
check "and leaves nothing" nothing_left

# engine_pid: of the xlatd that runs in a namespace of the bench
engine_pid() {
	for p in /proc/[0-9]*; do
		[ "$(readlink "$p/cwd" 2>/dev/null)" = "$(echo "$tmp"/xlatsim-conform-*/nodes/engine)" ] || continue
		grep -qz -- '^--config$' "$p/cmdline" 2>/dev/null && echo "${p#/proc/}" && return 0
	done
	return 1
}
kill_engine() {
	for try in $(seq 500); do
		engine=$(engine_pid) && kill -KILL "$engine" && return 0
	done
	return 1
}
many 200 | grep -v fresh >"$tmp/many.cases"
sed -i 's/^  6<.*/&\n  wait 1ms/' "$tmp/many.cases"
check "it runs" begin
check "the engine is killed" kill_engine
wait_for_pid() { wait $pid; [ $? = "$1" ]; }
check "which is a failure" wait_for_pid 1
check "in a sentence" grep -q "xlatd killed by signal 9" "$tmp/out"
check "of one case: the others went on" grep -q "1 failed" "$tmp/out"
check "nothing is left" nothing_left
many 3000 >"$tmp/many.cases"
check "it runs again" begin
kill -KILL $pid
wait $pid 2>/dev/null
check "a killed one is cleaned up" exits 0 "$xlatsim" clean
check "with its folder" sh -c '! ls -d "$1"/xlatsim-conform-* 2>/dev/null' sh "$tmp"
check "and leaves nothing" nothing_left
finish

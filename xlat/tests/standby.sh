#!/bin/sh
# SPDX-License-Identifier: MIT
# Two xlatd PLATs in a network namespace of this script's own: what one learns
# the other has, and a wrong key gets nothing in.
set -eu

BUILD=$(realpath "${BUILD:-build}")
if [ -z "${STANDBY_INNER-}" ]; then
	if [ "$(id -u)" != 0 ] || [ ! -c /dev/net/tun ]; then
		echo "SKIP: needs root and /dev/net/tun"
		exit 77
	fi
	STANDBY_INNER=1 BUILD=$BUILD exec unshare -n "$0"
fi
tmp=$(mktemp -d /tmp/xlatd-standby-XXXXXX)
pids=
finish() {
	for p in $pids; do kill "$p" 2>/dev/null || true; done
	wait
	rm -rf "$tmp"
}
trap finish EXIT
trap 'exit 1' INT TERM
passed=0
failed=0

ok() {
	if [ "$1" = 0 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL: $2" >&2
		cat "$tmp"/*.log >&2
		ctl one stats >&2
	fi
}
# poll COMMAND...: until it succeeds, 5 seconds at most
poll() {
	end=$(($(date +%s) + 5))
	until "$@"; do
		[ "$(date +%s)" -lt $end ] || return 1
		sleep 0.02
	done
}
# start NAME PORT PEER-PORT KEY
start() {
	cat >"$tmp/$1.yaml" <<-EOF
	tun: {name: $1}
	control: $tmp/$1.sock
	pool6: 64:ff9b::/96
	pool4: [192.0.2.1]
	allow-private: true
	sync: {listen: "[::1]:$2", peer: "[::1]:$3", key-file: $tmp/$4}
	EOF
	"$BUILD/xlatd" plat --config "$tmp/$1.yaml" 2>>"$tmp/$1.log" &
	pid=$!
	pids="$pids $pid"
	poll test -S "$tmp/$1.sock"
}
ctl() { "$BUILD/xlatd" ctl "$tmp/$1.sock" "$2" 2>/dev/null; }
# field NAME KEY: the number behind "KEY"
field() { ctl "$1" sync | sed -n "s/.*\"$2\": \([a-z0-9]*\).*/\1/p"; }
connected() { [ "$(field "$1" connected)" = true ]; }
has() { ctl "$1" sessions | grep -q 198.51.100.45; }
count_grows() { [ "$(field "$1" "$2")" -gt 0 ]; }

umask 077
head -c 32 /dev/urandom >"$tmp/key"
head -c 32 /dev/urandom >"$tmp/other"
ip link set lo up
start one 7101 7102 key
start two 7102 7101 key
two=$pid
ok $? "both start"
r=0; poll connected one && poll connected two || r=1
ok $r "they find each other"

ip link set one up
ip -6 addr add 2001:db8::5/128 dev one nodad
ip -6 route add 64:ff9b::/96 dev one src 2001:db8::5
dig +tries=1 +timeout=1 @64:ff9b::198.51.100.45 example >"$tmp/dig.log" \
	2>&1 || true
r=0; poll has one || r=1
ok $r "a packet makes a session"
r=0; poll has two || r=1
ok $r "the standby has it"
r=0
[ "$(ctl one bib)" = "$(ctl two bib)" ] || r=1
ok $r "with the same binding"

r=0; "$BUILD/xlatd" ctl "$tmp/one.sock" compare >"$tmp/same.txt" || r=1
grep -q '"result": "equal"' "$tmp/same.txt" || r=1
grep -q '"sessions_there": 1,' "$tmp/same.txt" || r=1
ok $r "both tables compare as equal"
kill -STOP "$two"
r=0; ctl one compare >"$tmp/stopped.txt" && r=1
grep -q '"result": "incomplete"' "$tmp/stopped.txt" || r=1
kill -CONT "$two"
ok $r "with a peer that hangs there is no verdict"
r=0; [ -z "$(ctl one 'compare list')" ] || r=1
ok $r "and no difference is listed"

kill -9 "$two"
wait "$two" 2>/dev/null || true
rm -f "$tmp/two.sock"
start two 7102 7101 key
two=$pid
r=0; poll has two || r=1
ok $r "a restarted standby gets it again"

kill "$two"
wait "$two" 2>/dev/null || true
start two 7102 7101 other
r=0; poll count_grows one bad_seals && poll count_grows two bad_seals || r=1
ok $r "a wrong key is counted"
r=0; ! has two || r=1
ok $r "and gets nothing"
r=0; grep -q "another key" "$tmp/two.log" || r=1
ok $r "and is logged"

head -c 31 /dev/urandom >"$tmp/short"
sed "s/one/three/g; s/710[12]/7103/; s,$tmp/key,$tmp/short," "$tmp/one.yaml" \
	>"$tmp/three.yaml"
r=0; "$BUILD/xlatd" plat --config "$tmp/three.yaml" 2>"$tmp/three.txt" && r=1
grep -q "32 to 4096 bytes" "$tmp/three.txt" || r=1
ok $r "a short key is refused"
chmod 644 "$tmp/short"
r=0; "$BUILD/xlatd" plat --config "$tmp/three.yaml" 2>"$tmp/loose.txt" && r=1
grep -q "chmod 600" "$tmp/loose.txt" || r=1
ok $r "a key that others can read is refused"
chmod 600 "$tmp/short"
chown 1 "$tmp/short"
r=0; "$BUILD/xlatd" plat --config "$tmp/three.yaml" 2>"$tmp/owner.txt" && r=1
grep -q "belongs to user 1" "$tmp/owner.txt" || r=1
ok $r "a key of somebody else is refused"
sed 's/"\[::1\]:7101"/"::1:7101"/' "$tmp/one.yaml" >"$tmp/four.yaml"
r=0; "$BUILD/xlatd" plat --config "$tmp/four.yaml" 2>"$tmp/four.txt" && r=1
grep -q "four.yaml:6:16:" "$tmp/four.txt" || r=1
ok $r "an endpoint without brackets is refused, with its place"

echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]

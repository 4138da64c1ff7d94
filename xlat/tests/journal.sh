#!/bin/sh
# SPDX-License-Identifier: MIT
# `log:` of a PLAT in a network namespace of this script's own, and `xlatd who`.
set -eu

BUILD=$(realpath "${BUILD:-build}")
if [ -z "${JOURNAL_INNER-}" ]; then
	if [ "$(id -u)" != 0 ] || [ ! -c /dev/net/tun ]; then
		echo "SKIP: needs root and /dev/net/tun"
		exit 77
	fi
	JOURNAL_INNER=1 BUILD=$BUILD exec unshare -n "$0"
fi
tmp=$(mktemp -d /tmp/xlatd-journal-XXXXXX)
pid=
finish() {
	[ -z "$pid" ] || kill "$pid" 2>/dev/null || true
	wait
	rm -rf "$tmp"
}
trap finish EXIT
trap 'exit 1' INT TERM
passed=0
failed=0
log="log: {file: $tmp/log, what: session, rotate-bytes: 100000, keep: 3}"

ok() {
	if [ "$1" = 0 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL: $2" >&2
		tail -n 20 "$tmp"/log* "$tmp"/*.txt >&2
	fi
}
# poll COMMAND...: until it succeeds, 10 seconds at most
poll() {
	end=$(($(date +%s) + 10))
	until "$@"; do
		[ "$(date +%s)" -lt $end ] || return 1
		sleep 0.02
	done
}
# start LOG: with this line of configuration
start() {
	cat >"$tmp/plat.yaml" <<-EOF
	tun: {name: plat}
	control: $tmp/plat.sock
	pool6: 64:ff9b::/96
	pool4: [192.0.2.1]
	allow-private: true
	test-clock: true
	static: [{proto: tcp, ipv6: "2001:db8::9", port6: 22, ipv4: 192.0.2.1, port4: 2022}]
	$1
	EOF
	rm -f "$tmp/plat.sock"
	"$BUILD/xlatd" plat --config "$tmp/plat.yaml" 2>>"$tmp/plat.txt" &
	pid=$!
	poll test -S "$tmp/plat.sock" && ip link set plat up &&
		ip -6 addr add 2001:db8::5/128 dev plat nodad &&
		ip -6 route add 64:ff9b::/96 dev plat src 2001:db8::5
}
stop() {
	kill "$1" "$pid"
	wait "$pid" 2>/dev/null || true
	pid=
}
ctl() { "$BUILD/xlatd" ctl "$tmp/plat.sock" "$1" 2>/dev/null; }
# send TO: one query that nobody answers
send() { dig +tries=1 +timeout=1 @64:ff9b::"$1" example >/dev/null 2>&1 || true; }
logged() { grep -q "$1" "$tmp/log"; }
# field EVENT KEY: of the newest line of this event
field() {
	grep "\"ev\":\"$1\",\"proto\":\"udp\"" "$tmp/log" | tail -n 1 |
		sed "s/.*\"$2\":\"\{0,1\}\([^\",}]*\).*/\1/"
}
who() { "$BUILD/xlatd" who 192.0.2.1 "$@"; }

r=0; start "$log" || r=1
ok $r "it starts"
r=0; poll logged '"ev":"bib","proto":"tcp".*"sport4":2022}' || r=1
ok $r "static entries are on record"
send 198.51.100.45
r=0; poll logged '"dst4":"198.51.100.45","dport":53}' || r=1
ok $r "a session is on record"
r=0; [ "$(ctl 'sessions dst4=198.51.100.45' | wc -l)" -ge 1 ] || r=1
[ -z "$(ctl 'sessions dst4=198.51.100.44')" ] || r=1
ctl 'sessions dst4=x' >/dev/null && r=1
ok $r "ctl lists what a filter lets through"
port=$(field bib sport4)
host_port=$(field bib sport6)
then=$(field session t)
r=0; who "$port" udp "$then" "$tmp/log" >"$tmp/who.txt" || r=1
ok $r "somebody had the port"
r=0; grep -q "^2001:db8::5 port $host_port, from .* and still at" "$tmp/who.txt" || r=1
ok $r "this host, and it still has"
r=0; grep -q "to 198.51.100.45 port 53, from" "$tmp/who.txt" || r=1
ok $r "for this session"
ctl rotate >"$tmp/rotate.txt"
r=0; [ -f "$tmp/log.1" ] && poll test -f "$tmp/log" || r=1
ok $r "a new file on request"
send 198.51.100.46
r=0; poll logged '"dst4":"198.51.100.46"' || r=1
ok $r "the new file goes on"
port=$(field bib sport4)
then=$(field bib t)
stop -KILL
printf '{"t":1,"ev":"bi' >>"$tmp/log"
r=0; start "$log" || r=1
ok $r "it starts after a crash"
r=0; poll logged '"ev":"start"' || r=1
who "$port" udp "$then" "$tmp/log" "$tmp/log.1" >"$tmp/who.txt" 2>&1 || r=1
grep -q "(the engine started anew)" "$tmp/who.txt" || r=1
ok $r "what a crash left open ended with the next start"
r=0; grep -q "lines are no JSON" "$tmp/who.txt" || r=1
ok $r "a broken line is told, not fatal"
send 198.51.100.45
r=0; poll logged '"dst4":"198.51.100.45"' || r=1
port=$(field bib sport4)
then=$(field session t)
ctl "advance 1h" >"$tmp/advance.txt"
r=0; poll logged '"ev":"bib-end","proto":"udp"' || r=1
ok $r "it ends with its time"
r=0; who "$port" udp "$then" "$tmp/log" >"$tmp/who.txt" || r=1
grep -q "(ended)" "$tmp/who.txt" || r=1
ok $r "and then had it until then"
r=0; who "$port" udp "$((${then%.*} + 7200))" "$tmp/log" >"$tmp/who.txt" 2>&1 && r=1
grep -q "ends before that time" "$tmp/who.txt" || r=1
ok $r "nobody is answered for a time that the log does not know"
r=0; who "$port" tcp "$then" "$tmp/log" >"$tmp/who.txt" 2>&1 && r=1
grep -q "nobody" "$tmp/who.txt" || r=1
ok $r "the protocol counts"

stop -TERM
r=0; tail -n 1 "$tmp/log" | grep -q '"ev":"stop"' || r=1
ok $r "a clean end is on record"

r=0; start "log: {file: $tmp/blocks, what: block}
port-blocks: {subscribers: \"2001:db8::/60\", size: 4032}" || r=1
send 198.51.100.45
r=0; poll grep -qs '"ev":"blocks"' "$tmp/blocks" || r=1
port=$(ctl "bib src6=2001:db8::5 proto=udp" |
	sed -n 's/.*"src4":"192.0.2.1:\([0-9]*\)".*/\1/p' | head -n 1)
[ "$port" -ge 1024 ] && [ "$port" -lt 5056 ] || r=1
grep -q '"proto":"udp"' "$tmp/blocks" && r=1
ok $r "a host uses his port block, which one line explains"
stop -TERM
then=$(sed -n 's/{"t":\([0-9.]*\),"ev":"blocks".*/\1/p' "$tmp/blocks")
r=0; who 1500 udp "$then" "$tmp/blocks" >"$tmp/who.txt" || r=1
grep -q "^2001:db8::/64, by its port block, from .* (the engine stopped)" \
	"$tmp/who.txt" || r=1
who 5056 tcp "$then" "$tmp/blocks" >"$tmp/who.txt" || r=1
grep -q "^2001:db8:0:1::/64, by its port block" "$tmp/who.txt" || r=1
who 1023 tcp "$then" "$tmp/blocks" >/dev/null 2>&1 && r=1
ok $r "and by which subscribers are found"

r=0; start "log: {file: /dev/full}" || r=1
send 198.51.100.45
poll grep -q "No space left" "$tmp/plat.txt" || r=1
ctl stats | grep -q '"forwarded": [1-9]' || r=1
ok $r "a full disk is told and stops no packet"
stop -TERM
r=0
sed 's/rotate-bytes: [0-9]*/rotate-bytes: 1/; s/what: [a-z]*/what: all/' <<-EOF >"$tmp/bad.yaml"
tun: {name: plat}
pool6: 64:ff9b::/96
pool4: [192.0.2.1]
log: {file: x, what: session, rotate-bytes: 5000}
port-blocks: {subscribers: "2001:db8::/48", size: 1000}
EOF
"$BUILD/xlatd" plat --config "$tmp/bad.yaml" 2>"$tmp/bad.txt" && r=1
grep -q "bad.yaml:4:22:" "$tmp/bad.txt" && grep -q "bad.yaml:4:41:" "$tmp/bad.txt" &&
	grep -q "bad.yaml:5:14: .*fewer blocks" "$tmp/bad.txt" || r=1
ok $r "mistakes are named with their places"
r=0; "$BUILD/xlatd" who 192.0.2.1 99999 udp 5 "$tmp/log" >/dev/null 2>&1 && r=1
"$BUILD/xlatd" who 192.0.2.1 99 udp 5 "$tmp/none" 2>"$tmp/none.txt" && r=1
grep -q "none: No such file" "$tmp/none.txt" || r=1
ok $r "a bad question and a missing file are refused"

echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]

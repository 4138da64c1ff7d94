#!/bin/sh
# SPDX-License-Identifier: MIT
# `fast-path:` of a SIIT and a PLAT between two hosts, in network namespaces of
# this script's own: that it carries, that it follows, that it ends with xlatd.
#
#	client 2001:db8:1::2 --- xlatd (this namespace) --- server 198.51.100.2
set -eu

BUILD=$(realpath "${BUILD:-build}")
if [ -z "${FASTPATH_INNER-}" ]; then
	if [ "$(id -u)" != 0 ] || [ ! -c /dev/net/tun ]; then
		echo "SKIP: needs root and /dev/net/tun"
		exit 77
	fi
	FASTPATH_INNER=1 BUILD=$BUILD exec unshare -n "$0"
fi
tmp=$(mktemp -d /tmp/xlatd-fastpath-XXXXXX)
pid= client= server=
finish() {
	for p in $pid $client $server ${iperf-}; do
		kill -KILL "$p" 2>/dev/null || true
	done
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
		tail -n 20 "$tmp"/*.txt >&2 || true
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
in_client() { nsenter -t "$client" -n "$@"; }
in_server() { nsenter -t "$server" -n "$@"; }
elsewhere() { [ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }

unshare -n sleep 1000 &
client=$!
unshare -n sleep 1000 &
server=$!
poll elsewhere "$client"
poll elsewhere "$server"
ip link set lo up
ip link add left type veth peer name engine netns "$client"
ip link add right type veth peer name engine netns "$server"
for dev in left right; do
	sysctl -qw net.ipv6.conf.$dev.accept_dad=0
	ip link set $dev up
done
sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv4.ip_forward=1
ip addr add 2001:db8:1::1/64 dev left nodad
ip addr add 198.51.100.1/24 dev right
in_client ip addr add 2001:db8:1::2/64 dev engine nodad
in_client ip link set engine up
in_client ip -6 route add default via 2001:db8:1::1
in_server ip addr add 198.51.100.2/24 dev engine
in_server ip link set engine up
in_server ip route add default via 198.51.100.1

# start ROLE PREFIX4: with what is in $tmp/ROLE.yaml
start() {
	rm -f "$tmp/sock"
	"$BUILD/xlatd" "$1" --config "$tmp/$1.yaml" 2>>"$tmp/$1.txt" &
	pid=$!
	poll test -S "$tmp/sock" &&
		ip -6 route add 2001:db8:64::/96 dev "$1" &&
		ip route add "$2" dev "$1"
}
ctl() { "$BUILD/xlatd" ctl "$tmp/sock" "$@"; }
# stat OBJECT KEY: a number
stat() {
	ctl stats | tr -d '\n ' | sed "s/.*\"$1\":{\\([^}]*\\)}.*/\\1/" |
		tr ',' '\n' | sed -n "s/^\"$2\":\\([0-9]*\\)\$/\\1/p"
}
transfer() { # OPTIONS: of iperf3 from the client
	in_client iperf3 -c 2001:db8:64::198.51.100.2 "$@" >"$tmp/iperf.txt" 2>&1
}
listens() { in_server sh -c 'grep -q ":1451 " /proc/net/tcp6'; }
filters() { tc filter show dev "$1" ingress 2>/dev/null | grep -c 'pref 7915 bpf.*handle'; }

cat >"$tmp/siit.yaml" <<-E2
tun: {name: siit}
control: $tmp/sock
pref64: 2001:db8:64::/96
eam: [{ipv4: 10.0.0.2, ipv6: "2001:db8:1::2"}]
allow-private: true
fast-path: [left, right, later]
E2
nsenter -t "$server" -n iperf3 -s >"$tmp/server.txt" 2>&1 &
iperf=$!
poll listens
r=0; start siit 10.0.0.2 || r=1
if why=$(grep -m 1 -e 'does not take the BPF program' -e 'built without it' "$tmp/siit.txt"); then
	echo "SKIP: $why"
	exit 77
fi
ok $r "starts, though an interface is not there yet"
r=0; grep -q 'later is not there' "$tmp/siit.txt" || r=1
ok $r "and says so"

# ---- it carries ----------------------------------------------------------------
# most FAMILY: of what was received since the last time, by the fast path?
fast=0 slow=0
most() {
	f=$(stat fast_path "bytes$1") s=$(stat packets "bytes$1")
	[ $((f - fast)) -gt $(((s - slow) * 4)) ]
}
since() { fast=$(stat fast_path "bytes$1") slow=$(stat packets "bytes$1"); }
since 6
r=0; transfer -t 1 && most 6 || r=1
ok $r "an upload, by the fast path: $f bytes, $s without"
r=0; [ "$(stat fast_path superpackets)" -gt 0 ] || r=1
ok $r "as superpackets"
since 4
r=0; transfer -R -t 1 && most 4 || r=1
ok $r "a download, by the fast path: $f bytes, $s without"
since 6
r=0; transfer -u -b 20M -l 1200 -n 2M && most 6 &&
	! grep -q '([1-9][0-9]*%)' "$tmp/iperf.txt" || r=1
ok $r "datagrams: $f bytes, $s without"
before=$(stat packets received4)
in_client bash -c 'echo >/dev/udp/2001:db8:64::198.51.100.2/9'
r=0; came() { [ "$(stat packets received4)" -gt "$before" ]; }
poll came || r=1
ok $r "an ICMP error goes through the daemon"

# ---- it follows ----------------------------------------------------------------
g=$(stat fast_path generations)
ip route add 203.0.113.0/24 dev right
forgotten() { [ "$(stat fast_path generations)" -gt "$g" ]; }
r=0; poll forgotten || r=1
ok $r "a route that changes makes it forget"
since 6
r=0; transfer -t 1 && most 6 || r=1
ok $r "and it is told anew: $f bytes, $s without"
g=$(stat fast_path generations)
r=0; ctl eam add 10.0.0.7 2001:db8:1::7 >"$tmp/eam.txt" && forgotten || r=1
ok $r "so does another mapping, at once"
g=$(stat fast_path generations)
r=0; ctl reload | grep -q '"ok": true' && forgotten || r=1
ok $r "and a reload"
sed -i 's/, later//' "$tmp/siit.yaml"
r=0; ctl reload 2>&1 | grep -q 'fast-path' || r=1
ok $r "its interfaces are no matter for a reload"
ip link add later type veth peer name far
has_filter() { [ "$(filters "$1")" = 1 ]; }
r=0; poll has_filter later || r=1
ok $r "an interface that comes later is served"
ip link del later
ip link add later type veth peer name far
r=0; poll has_filter later || r=1
ok $r "and one that comes again"

# ---- it ends with xlatd -----------------------------------------------------------
# a datagram every 10 ms to a port where nobody listens, until told to stop
nsenter -t "$client" -n bash -c 'while [ ! -e "$0" ]; do
	echo >/dev/udp/2001:db8:64::198.51.100.2/9; sleep 0.01
done' "$tmp/stop" 2>/dev/null &
arrived() { in_server awk '$1 == "Udp:" {n = $3} END {print n}' /proc/net/snmp; }
flows() { a=$(arrived); sleep 0.2; [ "$(arrived)" -gt "$a" ]; }
stands() { ! flows; }
r=0; poll flows || r=1
ok $r "datagrams arrive"
kill -STOP "$pid"
r=0; poll stands || r=1
ok $r "while the daemon hangs they do not"
kill -CONT "$pid"
r=0; poll flows || r=1
ok $r "and then again"
touch "$tmp/stop"
kill -KILL "$pid"
wait "$pid" 2>/dev/null || true
sed -i 's/, right\]/, right, later]/' "$tmp/siit.yaml"
fast=0 slow=0
r=0; has_filter left && start siit 10.0.0.2 && transfer -t 1 && most 6 || r=1
ok $r "what a killed one left is taken over"
r=0; [ "$(filters left)" = 1 ] || r=1
ok $r "and is there once"
kill -TERM "$pid"
r=0; wait "$pid" || r=1
has_filter left || has_filter right || has_filter later && r=1
ok $r "a daemon that ends takes it away"
pid=

# ---- sessions ----------------------------------------------------------------------
cat >"$tmp/plat.yaml" <<-E2
tun: {name: plat}
control: $tmp/sock
pool6: 2001:db8:64::/96
pool4: [192.0.2.1]
allow-private: true
short-timers: true
timers: {udp: 2s, tcp-established: 2s}
fast-path: [left, right]
E2
start plat 192.0.2.0/24 || exit 1
created() { ctl stats | tr -d '\n ' | sed "s/.*\"$1\":{[^}]*\"created\":\([0-9]*\).*/\1/"; }
fast=0 slow=0
r=0; transfer -t 1 && most 6 || r=1
ok $r "PLAT: an upload, by the fast path: $f bytes, $s without"
r=0; [ "$(stat fast_path superpackets)" -gt 0 ] || r=1
ok $r "PLAT: as superpackets"
since 4
r=0; transfer -R -t 1 && most 4 || r=1
ok $r "PLAT: a download, by the fast path: $f bytes, $s without"
# what has ended is not the kernel's any more: of what was two transfers and
# their control connections, nothing
none() { [ "$(stat fast_path flows)" = 0 ]; }
r=0; poll none || r=1
ok $r "PLAT: sessions that have ended are withdrawn"
# four seconds, of a session that would be over after two without a packet
tcp=$(created tcp) udp=$(created udp)
since 6
r=0; transfer -u -b 2M -l 1200 -t 4 && most 6 || r=1
ok $r "PLAT: datagrams, by the fast path: $f bytes, $s without"
r=0; [ "$(created udp)" = $((udp + 1)) ] && [ "$(created tcp)" = $((tcp + 1)) ] || r=1
ok $r "PLAT: what the kernel uses is prolonged: $((udp + 1)), $(created udp)"
# a single datagram is no flow
before=$(stat fast_path offered)
udp=$(created udp)
in_client bash -c 'for i in 1 2 3 4 5; do echo >/dev/udp/2001:db8:64::198.51.100.2/$i; done'
five() { [ "$(created udp)" = $((udp + 5)) ]; }
r=0; poll five && [ "$(stat fast_path offered)" = "$before" ] || r=1
ok $r "PLAT: datagrams that stand alone are not offered"
g=$(stat fast_path generations)
sed -i 's/pool4:.*/pool4: [192.0.2.1, 192.0.2.2]/' "$tmp/plat.yaml"
r=0; ctl reload | grep -q '"ok": true' && forgotten && transfer -t 1 || r=1
ok $r "PLAT: another pool4, and sessions in a new table"
since 4
r=0; transfer -R -t 1 && most 4 || r=1
ok $r "PLAT: they are offered as well: $f bytes, $s without"
kill -TERM "$pid"
r=0; wait "$pid" || r=1
has_filter left || has_filter right && r=1
ok $r "PLAT: nothing is left"
pid=

# ---- what cannot be --------------------------------------------------------------
refused() { # TEXT WORDS
	sed "s/^fast-path:.*/fast-path: $1/" "$tmp/siit.yaml" >"$tmp/bad.yaml"
	! "$BUILD/xlatd" siit --config "$tmp/bad.yaml" 2>"$tmp/bad.txt" &&
		grep -q "$2" "$tmp/bad.txt"
}
r=0; refused "[lo]" 'lo is no Ethernet interface' || r=1
ok $r "no Ethernet"
r=0; refused "[siit]" 'is the TUN device' || r=1
ok $r "the TUN device"
r=0; refused "[left, left]" 'twice' || r=1
ok $r "twice the same"
r=0; refused "left" 'a list of' || r=1
ok $r "no list"
r=0; refused "[abcdefghijklmnopq]" 'up to 15' || r=1
ok $r "no name"

echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]

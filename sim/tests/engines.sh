#!/bin/sh
# SPDX-License-Identifier: MIT
# The smallest world with each engine in each of its roles.
. "$(dirname "$0")/lib.sh"
here=$(dirname "$0")

if [ "$(id -u)" != 0 ]; then
	echo "SKIP: needs root"
	exit 77
fi

# try NAME PLAT CLAT DNS64 SYNTHESISED [ATTACH]; with lossy-merge it must collapse
try() {
	why=$("$xlatsim" engines --json | tr -d '\n' | sed 's/},/},\n/g' |
		awk -v a="\"$2\"" -v b="\"$3\"" -v c="\"$4\"" '
		index($0, a) || index($0, b) || index($0, c) {
			if (match($0, /"why_not": "[^"]*"/))
				print substr($0, RSTART + 12, RLENGTH - 13)
		}')
	if [ -n "$why" ]; then
		skip "$1: $why"
		return
	fi
	clat=
	[ "${6-}" != tun-bpf ] || clat=', attach: tun-bpf'
	rate='at-least: 5mbit'
	[ "${6-}" != lossy-merge ] || rate='at-most: 2mbit'
	sed "s/{engine: xlatd,/{engine: $2,${6:+ attach: $6,}/; s/clat: xlatd/clat: $3$clat/
		s/engine: bind9/engine: $4/" "$here/data/small.yaml" \
		>"$tmp/$1-topology.yaml"
	cat >"$tmp/$1.yaml" <<-EOF
	topology: $1-topology.yaml
	before:
	  name: {probe: dns, from: home1, query: slash.example, type: AAAA}
	  outsider: {probe: dns, from: dns, query: slash.example, type: A, server: plat1}
	  literal: {probe: ping, from: home1, to: 198.51.100.45, count: 2}
	  large: {probe: ping, from: home1, to: 198.51.100.45, count: 2, size: 1200B}
	  down: {probe: iperf3, from: home1, to: 198.51.100.45, direction: down, for: 1s}
	  up: {probe: iperf3, from: home1, to: 198.51.100.45, direction: up, for: 1s}
	max-late: 2s
	expect:
	  - {that: name.synthesised, is: $5}
	  - {that: outsider.rcode, is: REFUSED}
	  - {that: literal.lost, at-most: 0}
	  - {that: large.lost, at-most: 0}
	  - {that: down.rate, $rate}
	  - {that: up.rate, $rate}
	EOF
	if [ "${6-}" = tun-bpf ]; then
		"$xlatsim" run --quiet --out "$tmp/r" "$tmp/$1.yaml" >"$tmp/out" 2>&1 ||
			! why=$(grep -m 1 'does not take the BPF program' "$tmp/out") || {
			skip "$1: $why"
			return
		}
	fi
	check "$1" exits 0 "$xlatsim" run --quiet --out "$tmp/r" "$tmp/$1.yaml"
}

try xlatd xlatd xlatd bind9 true
try xlatd-bpf xlatd xlatd bind9 true tun-bpf
try unbound xlatd xlatd unbound true
try jool-plat jool xlatd bind9 true
try jool-clat xlatd jool bind9 true
try jool-both jool jool bind9 true
try jool-lossy jool xlatd bind9 true lossy-merge
try tayga-plat tayga xlatd bind9 true
try tayga-both tayga tayga bind9 true
try nat44 nft-nat44 nft-nat44 bind9 false
try native native native unbound false
check "nothing is left" nothing_left

finish

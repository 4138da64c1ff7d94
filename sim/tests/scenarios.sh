#!/bin/sh
# SPDX-License-Identifier: MIT
# Shipped scenarios that no other test plays, and that are short.
. "$(dirname "$0")/lib.sh"

if [ "$(id -u)" != 0 ]; then
	echo "SKIP: needs root"
	exit 77
fi

# A busy machine gives no verdict (status 3): that is no failure of what is
# tested here, so it is played again, and left out in the end.
# play NAME [FOLDER]
play() {
	for again in 1 2 3; do
		"$xlatsim" run --quiet --out "$tmp/r" "${2:-scenarios}/$1.yaml" \
			>"$tmp/out" 2>"$tmp/err"
		st=$?
		[ $st = 3 ] || break
	done
	if [ $st = 3 ]; then
		skip "$1: no verdict in $again runs"
	else
		check "$1 passes" test $st = 0
	fi
}

for s in failover-standby failover/split-brain path-mtu path-mtu-blocked \
	narrow-ipv4 hairpin clat-modes traceroute large-ping limits/greedy-subscriber \
	fragments/reordered offload/half-a-megabit-xlatd; do
	play "$s"
done
# ten of its twenty transfers: half a minute
sed '/ t1[1-9][:.]/d; / t20[:.]/d; s/^duration: 61s/duration: 31s/
	s|[.][.]/[.][.]/topologies|'"$PWD"'/topologies|' \
	scenarios/offload/healthy.yaml >"$tmp/healthy.yaml"
play healthy "$tmp"
play failover/graceful-restart
for d in ospfd ospf6d; do
	check "$d of plat1 was restarted" sh -c \
		'[ "$(grep -c " starting: " "$1")" = 2 ]' sh \
		"$tmp/r/graceful-restart/latest/nodes/plat1/$d.log"
done

# cell MATRIX AXIS=VALUE...: one of its cells passes
cell() {
	m=$1
	shift
	"$xlatsim" run --quiet --out "$tmp/m" "scenarios/$m/matrix.yaml" \
		$(printf -- '--only %s ' "$@") >"$tmp/out" 2>"$tmp/err"
	case $? in
	0) check "$m: $*" says "1 passed, 0 failed" ;;
	3) skip "$m: $*: no verdict" ;;
	*) not_ok "$m: $*"
		sed 's/^/    /' "$tmp/out" "$tmp/err" ;;
	esac
}

# superpackets do no harm where metadata is kept
cell offload engine=xlatd-packet-vnet gro=gro-on direction=down flows=one \
	sender=merges
# who fragments without DF: a PLAT that is told nothing, none that is told all
cell fragments variant=no-df-told-clamped
check "nothing is left" nothing_left

finish

#!/bin/sh
# SPDX-License-Identifier: MIT
# Shipped scenarios that no other test plays, and that are short.
. "$(dirname "$0")/lib.sh"

if [ "$(id -u)" != 0 ]; then
	echo "SKIP: needs root"
	exit 77
fi

for s in failover-standby path-mtu-blocked clat-modes; do
	check "$s passes" exits 0 "$xlatsim" run --quiet --out "$tmp/r" \
		"scenarios/$s.yaml"
done
check "nothing is left" nothing_left

finish

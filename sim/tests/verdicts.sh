#!/bin/sh
# SPDX-License-Identifier: MIT
# What happens behind the scenario's back, and which verdict that leaves.
. "$(dirname "$0")/lib.sh"
here=$(dirname "$0")

if [ "$(id -u)" != 0 ]; then
	echo "SKIP: needs root"
	exit 77
fi
cp "$here/data/small.yaml" "$tmp"

# scenario NAME EVENT: nothing is expected of it, so that it passes by itself
scenario() {
	cat >"$tmp/$1.yaml" <<-END
	topology: small.yaml
	duration: 4s
	max-late: 4s
	events:
	  - {at: 3s, $2}
	END
}

# own_run: the id of this test's run
own_run() {
	for d in /run/xlatsim/*/; do
		grep -qF "$tmp" "$d/lock" 2>/dev/null && basename "$d"
	done
}

# until COMMAND...: try again until it succeeds, for 30 s
until_true() {
	end=$(($(date +%s) + 30))
	until "$@"; do
		[ "$(date +%s)" -lt $end ] || return 1
		kill -0 $pid 2>/dev/null || return 1
		sleep 0.05
	done
}

# meddle NAME NODE PROGRAM SIGNAL: play it, and once its time line runs send
# SIGNAL to PROGRAM in NODE. Status in $status, output in $tmp/out.
meddle() {
	"$xlatsim" run --out "$tmp/r" "$tmp/$1.yaml" >"$tmp/out" 2>"$tmp/err" &
	pid=$!
	until_true grep -q " timeline$" "$tmp/err" || {
		echo "no time line:"
		sed 's/^/    /' "$tmp/out" "$tmp/err"
	}
	for p in $(ip netns pids "xs-$(own_run)-$2"); do
		case "$(tr '\0' ' ' <"/proc/$p/cmdline")" in
		*"$3 "*) kill -"$4" "$p" ;;
		esac
	done
	wait $pid
	status=$?
}

verdict() {
	want=$1
	shift
	[ $status = "$want" ] && says "$1" && return 0
	echo "status $status, wanted $want:"
	sed 's/^/    /' "$tmp/out" "$tmp/err"
	return 1
}

scenario killed "do: engine-kill, node: plat1"
meddle killed plat1 xlatd KILL
check "a crash before a planned one" verdict 1 "killed by signal 9"
check "the time line tells when" grep -q " +[0-2][.][0-9]*s  xlatd (plat) at plat1 ended" "$tmp/err"

scenario started "do: engine-start, node: plat1"
meddle started plat1 xlatd KILL
check "a crash that a planned start repairs" verdict 1 "killed by signal 9"

scenario untouched "do: link-down, link: access-plat1"
meddle untouched relay "xlatsim relay" STOP
check "a relay that hangs" verdict 3 "the link relay did not answer"
meddle untouched relay "xlatsim relay" KILL
check "a relay that dies" verdict 3 "relay (relay) at relay ended"
meddle untouched plat1 nothing-of-this-name KILL
check "and if nobody meddles" verdict 0 PASS
check "nothing is left" nothing_left
finish

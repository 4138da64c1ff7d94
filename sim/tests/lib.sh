# SPDX-License-Identifier: MIT
# For test scripts: count outcomes, end with the line that run-tests.sh reads.
# Source it; then `check "what is tested" COMMAND...` for each test.
BUILD=${BUILD:-build}
case $BUILD in
/*) ;;
*) BUILD=$(pwd)/$BUILD ;;
esac
xlatsim=$BUILD/xlatsim
passed=0 failed=0 skipped=0
tmp=$(mktemp -d)

finish() {
	rm -rf "$tmp"
	echo "$passed passed, $failed failed, $skipped skipped"
	[ $failed = 0 ] || exit 1
	exit 0
}
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM

ok() { passed=$((passed + 1)); }
not_ok() {
	failed=$((failed + 1))
	echo "not ok: $*"
}
skip() {
	skipped=$((skipped + 1))
	echo "SKIP: $*"
}

check() {
	what=$1
	shift
	if "$@"; then ok; else not_ok "$what"; fi
}

# exits STATUS COMMAND...: does it end with that status? Output in $tmp/out.
exits() {
	want=$1
	shift
	"$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	got=$?
	[ $got = "$want" ] && return 0
	echo "expected exit status $want, got $got: $*"
	sed 's/^/    /' "$tmp/out" "$tmp/err"
	return 1
}

# says TEXT: did the last `exits` print it (either stream)?
says() {
	grep -qF -- "$1" "$tmp/out" "$tmp/err" && return 0
	echo "expected to read: $1"
	sed 's/^/    /' "$tmp/out" "$tmp/err"
	return 1
}

# leftovers [RUN_ID]: what runs left on this machine, one a line
leftovers() {
	ip netns list 2>/dev/null | grep "^xs-${1:-}"
	grep "/run/netns/xs-${1:-}" /proc/self/mountinfo
	ls -d /run/xlatsim/${1:-?}* 2>/dev/null
	ip -o link show type tun 2>/dev/null
	true
}

# descendants: processes that xlatsim started and that still live
descendants() {
	for p in /proc/[0-9]*; do
		exe=$(readlink "$p/exe" 2>/dev/null) || continue
		case $exe in
		"$BUILD"/xlatsim | "$BUILD"/xlatd) echo "${p#/proc/} $exe" ;;
		esac
		ns=$(readlink "$p/ns/net" 2>/dev/null) || continue
		[ "$ns" = "$(readlink /proc/self/ns/net)" ] && continue
		case $exe in
		*/named | */zebra | */ospfd | */ospf6d | */iperf3)
			echo "${p#/proc/} $exe" ;;
		esac
	done
}

# nothing_left [RUN_ID]: the kernel may take a moment to end killed processes
nothing_left() {
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		left=$(leftovers ${1:-}; descendants)
		[ -z "$left" ] && return 0
		sleep 0.1
	done
	echo "left behind: $left"
	return 1
}

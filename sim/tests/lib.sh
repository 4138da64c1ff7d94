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

# foreign: a pattern of the run ids of live runs that are not this test's
foreign() {
	ids=
	for d in /run/xlatsim/*/; do
		[ -f "$d/lock" ] || continue
		grep -qF "$tmp" "$d/lock" 2>/dev/null ||
			ids="$ids|xs-$(basename "$d")-|/xlatsim/$(basename "$d")\$"
	done
	echo "${ids#|}"
}

# leftovers: what runs left on this machine, one a line; live runs of others
# (another test, a person) are none of our business
leftovers() {
	others=$(foreign)
	{
		ip netns list 2>/dev/null | grep "^xs-"
		grep "/run/netns/xs-" /proc/self/mountinfo
		ls -d /run/xlatsim/????
		find /sys/fs/cgroup -maxdepth 2 -type d -name 'xs-????-*'
		grep -F "$tmp" /proc/self/mountinfo
	} 2>/dev/null | grep -Ev "${others:-^$}"
	ip -o link show type tun 2>/dev/null
	true
}

# descendants: processes of this test's runs that still live
descendants() {
	others=$(foreign)
	own=$(readlink /proc/self/ns/net)
	for p in /proc/[0-9]*; do
		ns=$(readlink "$p/ns/net" 2>/dev/null) || continue
		[ "$ns" = "$own" ] && continue
		exe=$(readlink "$p/exe" 2>/dev/null) || continue
		name=$(ip netns identify "${p#/proc/}" 2>/dev/null)
		case $exe@$name in
		"$BUILD"/*) echo "${p#/proc/} $exe $name" ;;
		*@xs-*) echo "${p#/proc/} $exe $name" ;;
		esac
	done | grep -Ev "${others:-^$}"
}

# nothing_left: the kernel may take a moment to end killed processes
nothing_left() {
	for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		left=$(leftovers; descendants)
		[ -z "$left" ] && return 0
		sleep 0.1
	done
	echo "left behind: $left"
	return 1
}

#!/bin/sh
# SPDX-License-Identifier: MIT
# Install what building, testing and running xlatsim needs and is not there.
#
#   tools/deps.sh           install what is missing (root; Debian or Ubuntu)
#   tools/deps.sh --check   only list what is missing; exit 1 if anything is
#   tools/deps.sh --lint    also what `make lint` and `make fuzz` need
#   tools/deps.sh --jool    also what real Jool needs, and prepare it
#
# Name servers and routing daemons that this script brings in are for use
# inside namespaces only: their host services are not started and not enabled.
set -eu

build="gcc make pkg-config libc6-dev libnl-3-dev libnl-route-3-dev
libnl-genl-3-dev libyaml-dev libjansson-dev libpcap-dev libssl-dev libbpf-dev
clang check"
run="bind9 bind9-utils frr iperf3 unbound nftables"
tests="iproute2 ethtool hostname bind9-dnsutils tayga"
jool="user-mode-linux jool-tools flex bison bc libelf-dev kmod xz-utils
binutils util-linux"
lint="clang-format clang-tidy cppcheck libclang-rt-dev git man-db
afl++"

want="$build $run $tests"
mode=install
prepare=no
for arg; do
	case $arg in
	--check) mode=check ;;
	--lint) want="$want $lint" ;;
	--jool) want="$want $jool"; prepare=yes ;;
	-h | --help) sed -n '3,11s/^# \{0,1\}//p' "$0"; exit 0 ;;
	*) echo "deps.sh: unknown option '$arg' (--check, --lint, --jool)" >&2; exit 2 ;;
	esac
done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	echo "deps.sh: this is neither Debian nor Ubuntu. Install what these" >&2
	echo "Debian packages contain, then run make again with DEPS=no:" >&2
	echo $want >&2
	exit 4
fi

missing=
for p in $want; do
	state=$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null || true)
	[ "$state" = installed ] || missing="$missing $p"
done
missing=${missing# }
finish() {
	[ $prepare = yes ] && [ $mode = install ] || exit 0
	xlatsim=$(dirname "$0")/../${BUILD:-build}/xlatsim
	if [ -x "$xlatsim" ]; then
		"$xlatsim" prepare jool && exit 0 || exit $?
	fi
	echo "deps.sh: now run make, then: build/xlatsim prepare jool" >&2
	exit 0
}
[ -n "$missing" ] || finish
if [ $mode = check ]; then
	echo "missing: $missing" >&2
	exit 1
fi
if [ "$(id -u)" != 0 ]; then
	echo "deps.sh: these packages are missing, and installing needs root:" >&2
	echo "  sudo apt-get install --no-install-recommends $missing" >&2
	exit 4
fi

echo "deps.sh: installing $missing" >&2
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	trap 'rm -f $policy' EXIT INT TERM
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
fi
log=$(mktemp)
if ! { apt-get update -q && apt-get install -qy --no-install-recommends \
	$missing; } >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	rm -f "$log"
	echo "deps.sh: apt-get could not install: $missing" >&2
	exit 4
fi
rm -f "$log"
if [ -d /run/systemd/system ]; then
	for p in $missing; do
		case $p in
		bind9) systemctl disable -q named.service 2>/dev/null || true ;;
		unbound) systemctl disable -q unbound.service 2>/dev/null || true ;;
		frr) systemctl disable -q frr.service 2>/dev/null || true ;;
		esac
	done
fi
finish

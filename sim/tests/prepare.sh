#!/bin/sh
# SPDX-License-Identifier: MIT
# `xlatsim prepare` where it must fail, and that it leaves nothing behind.
# Nothing is fetched: programs that would do so are replaced.
. "$(dirname "$0")/lib.sh"
script=$(dirname "$0")/../../tools/prepare-jool.sh

check "help" exits 0 "$xlatsim" prepare --help
check "help says usage" says "Usage: xlatsim prepare"
check "nothing" exits 2 "$xlatsim" prepare
check "says what is known" says "xlatsim prepare jool"
check "something else" exits 2 "$xlatsim" prepare tayga
check "bad option" exits 2 "$xlatsim" prepare jool --ownkernel
check "suggests" says "--own-kernel"
check "script without cache" exits 2 "$script"
check "script's bad option" exits 2 "$script" /tmp --nonsense

# fake NAME: a program of that name, ahead of all others; its text is stdin
fakes=$tmp/fakes
mkdir "$fakes"
fake() {
	{ echo '#!/bin/sh'; cat; } >"$fakes/$1"
	chmod 755 "$fakes/$1"
}
prepare() { PATH=$fakes:$PATH "$script" "$tmp/cache" "$@"; }
clean() {
	if ls -d "$tmp"/cache/build.* >/dev/null 2>&1; then
		echo "sources were left behind"
		return 1
	fi
}

check "no Debian" exits 4 env PATH="$fakes" /bin/sh "$script" "$tmp/cache"
check "says so" says "needs Debian's packages"

# a machine that has everything, in pretence
for p in linux.uml jool flex bison bc; do
	fake $p <<-'EOF'
	echo 6.1.1
	EOF
done
fake dpkg-query <<'EOF'
case "$*" in
*Built-Using*) echo "linux (= 6.1.1-1)" ;;
*source:Version*) echo 4.1.9-1 ;;
*) echo 6.1um ;;
esac
EOF
fake apt-cache <<'EOF'
echo "$2 | 6.1.1-1 | http://example bookworm/main"
echo "$2 | 4.1.9-1 | http://example bookworm/main"
EOF
fake apt-get <<'EOF'
echo "E: Failed to fetch: Could not resolve 'deb.example'" >&2
exit 100
EOF
if [ ! -e /usr/include/libelf.h ]; then
	check "a package is missing" exits 4 prepare
	check "names it" says "libelf-dev"
	skip "failures beyond: libelf-dev is not installed"
	finish
fi

check "no network" exits 4 prepare
check "passes on why" says "Could not resolve"
check "says where more is" says "prepare.log"
check "leaves no sources" clean

fake df <<'EOF'
echo head
echo "disk 1 1 5000 1% /"
EOF
check "no room" exits 4 prepare
check "says how much" says "4 MiB free"
check "leaves no sources" clean
rm "$fakes/df"

fake apt-cache <<'EOF'
EOF
check "no index" exits 4 prepare
check "says what to do" says "run apt-get update"

fake apt-cache <<'EOF'
case $1 in
policy) echo "  Candidate: 6.1.9-1" ;;
*) echo "$2 | 6.1.9-1 | x"; echo "$2 | 4.1.9-1 | x" ;;
esac
EOF
check "that source is gone" exits 4 prepare
check "says so" says "no longer in the archive"
check "falls back to a kernel of its own" says "linux-source-6.1 6.1.9-1"

fake apt-cache <<'EOF'
echo "$2 | 6.1.1-1 | x"
EOF
check "no such Jool" exits 4 prepare
check "says so" says "jool-dkms 4.1.9-1"

fake apt-cache <<'EOF'
echo "$2 | 6.1.1-1 | x"
echo "$2 | 4.1.9-1 | x"
EOF
fake apt-get <<EOF
touch "$tmp/started"
exec sleep 60.4711
EOF
PATH=$fakes:$PATH "$script" "$tmp/cache" >"$tmp/out" 2>&1 &
pid=$!
n=0
while [ ! -e "$tmp/started" ] && [ $n -lt 100 ]; do
	sleep 0.05
	n=$((n + 1))
done
kill -TERM $pid
wait $pid
check "stopped" test $? = 143
check "leaves no sources" clean
gone() {
	for try in 1 2 3 4 5 6 7 8 9 10; do
		pgrep -f '^sleep 60.4711$' >/dev/null || return 0
		sleep 0.1
	done
	return 1
}
check "leaves no process" gone

finish

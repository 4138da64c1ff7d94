#!/bin/sh
# SPDX-License-Identifier: MIT
# tools/run-tests.sh: what it makes of programs that end as they should not.
. "$(dirname "$0")/lib.sh"
runner=$(dirname "$0")/../../tools/run-tests.sh

# program NAME: a test program; its text is stdin
program() {
	{ echo '#!/bin/sh'; cat; } >"$tmp/$1"
	chmod 755 "$tmp/$1"
}
program good <<-'EOF'
	echo "2 passed, 0 failed, 1 skipped"
EOF
program bad <<-'EOF'
	echo "1 passed, 1 failed, 0 skipped"
	exit 1
EOF
program suite <<-'EOF'
	echo "SKIP: not here"
	echo "66%: Checks: 3, Failures: 1, Errors: 0"
	exit 1
EOF
program silent <<-'EOF'
	exit 0
EOF
program dead <<-'EOF'
	kill -SEGV $$
EOF
program absent <<-'EOF'
	echo "SKIP: no such hardware"
	exit 77
EOF
# deaf to requests, and what hangs is its child
program hung <<-EOF
	trap '' TERM
	sleep 60.4712 &
	echo \$! >"$tmp/child"
	while :; do wait; done
EOF

check "good" exits 0 "$runner" "$tmp/good"
check "is added up" says "2 passed, 0 failed, 1 skipped"
check "bad" exits 1 "$runner" "$tmp/good" "$tmp/bad"
check "both are added up" says "3 passed, 1 failed, 1 skipped"
check "a suite" exits 1 "$runner" "$tmp/suite"
check "its skips are no passes" says "1 passed, 1 failed, 1 skipped"
check "no test at all" exits 1 "$runner" "$tmp/silent"
check "says so" says "silent ran no test"
check "a crash" exits 1 "$runner" "$tmp/dead"
check "says by what" says "ended by signal 11"
check "all skipped is no success" exits 1 "$runner" "$tmp/absent"
check "why" says "SKIP: no such hardware"
check "a hung one" exits 1 env TEST_SECONDS=1 "$runner" "$tmp/hung" "$tmp/good"
check "says so" says "ended after 1 s"
check "the next one is run" says "2 passed, 1 failed, 1 skipped"
gone() {
	for try in 1 2 3 4 5 6 7 8 9 10; do
		pgrep -f '^sleep 60.4712$' >/dev/null || return 0
		sleep 0.1
	done
	return 1
}
check "what it started is gone" gone

setsid env --default-signal=INT "$runner" "$tmp/hung" >/dev/null 2>&1 &
pid=$!
rm -f "$tmp/child"
n=0
until [ -s "$tmp/child" ] || [ $n = 100 ]; do
	n=$((n + 1))
	sleep 0.1
done
kill -INT $pid
wait $pid
check "Ctrl-C ends it at once" test $? = 130
kill -KILL "$(cat "$tmp/child")" 2>/dev/null
finish

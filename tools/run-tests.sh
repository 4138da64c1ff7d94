#!/bin/sh
# SPDX-License-Identifier: MIT
# Run test programs one after the other and add up what they say.
#
#   tools/run-tests.sh PROGRAM...
#
# A program is a Check suite (its "100%: Checks: ..." line is read) or a script
# that ends with "N passed, N failed, N skipped". Exit status 77: the whole
# program is skipped, and a line "SKIP: reason" says why. A program that says
# nothing, or ends by a signal, counts as one failure.
#
# One that takes longer than TEST_SECONDS (default 900) is ended, with all that
# it started in its process group, and counts as one failure.
set -u
limit=${TEST_SECONDS:-900}
passed=0 failed=0 skipped=0
out=$(mktemp)
running=
trap 'rm -f "$out"' EXIT
trap '[ -z "$running" ] || kill $running 2>/dev/null; exit 130' INT TERM

for program; do
	name=$(basename "$program")
	start=$(date +%s)
	# in the background, for a trap waits for what is in front; there, a
	# shell would let it ignore SIGINT
	env --default-signal=INT timeout -k 10 "$limit" "$program" \
		>"$out" 2>&1 </dev/null &
	running=$!
	wait $running
	status=$?
	running=
	took=$(($(date +%s) - start))
	p=0 f=0 s=0
	sums=$(sed -n 's/^[0-9]*%: Checks: \([0-9]*\), Failures: \([0-9]*\), Errors: \([0-9]*\).*/\1 \2 \3/p' "$out")
	plain=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' "$out" | tail -n 1)
	if [ -n "$sums" ]; then
		while read -r c e1 e2; do
			f=$((f + e1 + e2))
			p=$((p + c - e1 - e2))
		done <<-END
		$sums
		END
		s=$(grep -c '^SKIP: ' "$out")
		p=$((p - s))
		[ "$p" -ge 0 ] || p=0
	elif [ -n "$plain" ]; then
		set -- $plain "$@"
		p=$1 f=$2 s=$3
		shift 3
	fi
	if [ $status = 77 ]; then
		p=0 f=0 s=1
	elif [ $status != 0 ] && [ $f = 0 ]; then
		f=1
	elif [ $((p + f + s)) = 0 ]; then
		f=1
		echo "$name ran no test" >>"$out"
	fi
	if [ $f != 0 ]; then
		word=FAIL
	elif [ $p = 0 ]; then
		word=skip
	else
		word=ok
	fi
	printf '%-5s %-28s %4d passed %3d failed %3d skipped  %3ds\n' \
		$word "$name" $p $f $s $took
	if [ $f != 0 ]; then
		sed 's/^/    /' "$out"
		if [ $took -ge "$limit" ]; then
			echo "    ended after $limit s (TEST_SECONDS)"
		elif [ $status -gt 128 ]; then
			echo "    ended by signal $((status - 128))"
		fi
	fi
	grep '^SKIP: ' "$out" | sed 's/^/      /'
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ] && [ $passed -gt 0 ]

#!/bin/sh
# SPDX-License-Identifier: MIT
# Replay the kept corpus of every fuzz target that has one: whatever was once
# found must stay found, and whatever a target can read must not break it.
set -u
BUILD=${BUILD:-build}
passed=0 failed=0
for corpus in xlat/fuzz/corpus/*/ sim/fuzz/corpus/*/; do
	[ -d "$corpus" ] || continue
	target=$(basename "$corpus")
	if said=$("$BUILD/replay/$target" "$corpus" 2>&1) &&
		[ "${said##*
}" != "0 inputs" ]; then
		passed=$((passed + 1))
	else
		echo "FAIL: $target: $said"
		failed=$((failed + 1))
	fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ] && [ $passed -gt 0 ]

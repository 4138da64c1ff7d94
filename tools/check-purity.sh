#!/bin/sh
# SPDX-License-Identifier: MIT
# The pure folders make no system call, read no clock, take no memory of
# their own: their archives may lack only the symbols listed here.
#
#   tools/check-purity.sh BUILD_DIR
set -eu
lib=$1/lib
common='__popcountdi2|mem(cpy|move|set|cmp|chr)|str(len|cmp|ncmp|chr|rchr|nlen|spn|cspn)|__(memcpy|memmove|memset|strcpy|strcat|snprintf|vsnprintf|printf)_chk|snprintf|vsnprintf|abort|__assert_fail|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_'
text='fprintf|fputs|fputc|fwrite|putc|__fprintf_chk'
maths='floor|ceil|sqrt|exp|erfc|erf|fabs|round|lround|llround|fmin|fmax|isnan|log|pow|qsort'
base='addr_[a-z]*|arena_[a-z]*|err_[a-z]*|in4_format|in6_format|prefix[46]_[a-z]*|rng_[a-z]*|units_[a-z]*|diag_suggest|diags_add|mono_[a-z]*'
sanitizer='__asan_.*|__ubsan_.*|__sanitizer_.*|__gcov_.*'

bad=0
check() { # ARCHIVE PATTERN...
	name=$1
	shift
	[ -f "$lib/$name.a" ] || { echo "purity: $lib/$name.a is not built" >&2; exit 1; }
	pattern=$(echo "$@" | tr ' ' '|')
	own=$(nm --defined-only "$lib/$name.a" | awk 'NF == 3 {print $3}' | sort -u)
	for sym in $(nm -u "$lib/$name.a" | awk '$1 == "U" {print $2}' | sort -u); do
		echo "$own" | grep -qx -- "$sym" && continue
		if ! echo "$sym" | grep -Eqx "($pattern|$sanitizer)"; then
			echo "$name.a: $sym is not pure" >&2
			bad=1
		fi
	done
}
check core "$common" "$base"
check nat64 "$common" "$base" 'ratelimit_[a-z]*|csum_[a-z]*'
check plan "$common" "$base" "$text" "$maths" 'spec_[a-z_]*'
check score "$common" "$base" "$maths" 'spec_[a-z_]*|event_words'
[ $bad = 0 ] && echo "purity: ok"
exit $bad

#!/bin/sh
# SPDX-License-Identifier: MIT
# Each header compiles alone.  CC and CFLAGS come from the makefile.
set -eu
cd "$(dirname "$0")/.."
bad=0
for h in $(git ls-files '*.h'); do
	printf '#include "%s"\n' "$PWD/$h" |
		${CC:-gcc} $CFLAGS -fsyntax-only -x c - || bad=1
done
[ $bad = 0 ] && echo "headers alone: ok"
exit $bad

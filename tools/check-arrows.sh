#!/bin/sh
# SPDX-License-Identifier: MIT
# Does every #include follow an arrow? `make lint` runs this.
#
# Each folder lists the folders that it may include. sim/ knows nothing of
# xlat/ but base/: the tester must not check an engine with its own arithmetic.
set -eu
cd "$(dirname "$0")/.."

allowed() {
	case $1 in
	xlat/base) echo ;;
	xlat/core) echo xlat/base ;;
	xlat/nat64 | xlat/io) echo xlat/base xlat/core ;;
	xlat/bpf) echo xlat/base xlat/core ;;
	xlat/daemon) echo xlat/base xlat/core xlat/nat64 xlat/io xlat/bpf ;;
	sim/spec) echo xlat/base ;;
	sim/plan | sim/score) echo xlat/base sim/spec ;;
	sim/world) echo xlat/base sim/spec sim/plan ;;
	sim/relay) echo xlat/base ;;
	sim/engine) echo xlat/base sim/spec sim/plan sim/world ;;
	sim/engine/uml) echo ;;
	sim/probe) echo xlat/base sim/spec sim/plan sim/world sim/score ;;
	sim/conform) echo xlat/base sim/spec sim/plan sim/world sim/engine ;;
	sim/report) echo xlat/base sim/spec sim/score ;;
	sim/advise) echo xlat/base sim/spec ;;
	sim/timeline) echo xlat/base sim/spec sim/plan sim/world sim/engine \
		sim/probe sim/score ;;
	sim/cmd | sim) echo xlat/base sim/spec sim/plan sim/world sim/engine \
		sim/relay sim/probe sim/score sim/report sim/timeline \
		sim/conform sim/advise sim/cmd ;;
	xlat/tests | xlat/fuzz) echo xlat/base xlat/core xlat/nat64 xlat/io \
		xlat/bpf xlat/daemon xlat/tests ;;
	sim/tests | sim/fuzz) echo xlat/base sim/spec sim/plan sim/world \
		sim/engine sim/relay sim/probe sim/score sim/report \
		sim/timeline sim/conform sim/advise sim/cmd ;;
	*) echo "check-arrows: folder $1 is in no rule" >&2; exit 1 ;;
	esac
}

bad=0
for file in $(git ls-files '*.c' '*.h'); do
	here=$(dirname "$file")
	ok="$here $(allowed "$here")"
	for inc in $(sed -n 's/^#include "\([^"]*\)".*/\1/p' "$file"); do
		path=$(realpath -m --relative-to=. "$here/$inc")
		dir=$(dirname "$path")
		if [ ! -f "$path" ]; then
			echo "$file: includes $inc, which is not there" >&2
			bad=1
			continue
		fi
		case " $ok " in
		*" $dir "*) ;;
		*)
			echo "$file: $here may not include $dir ($inc)" >&2
			bad=1
			;;
		esac
	done
done
[ $bad = 0 ] && echo "include arrows: ok"
exit $bad

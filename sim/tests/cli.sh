#!/bin/sh
# SPDX-License-Identifier: MIT
# The command line as a user meets it: usage, bad options, bad files.
. "$(dirname "$0")/lib.sh"
here=$(dirname "$0")

check "help" exits 0 "$xlatsim" --help
check "help names run" says "run SCENARIO"
check "no command" exits 2 "$xlatsim"
check "version" exits 0 "$xlatsim" --version
check "it is a release, and the commit where that is known" \
	grep -Eqx 'xlatsim [0-9]+\.[0-9]+\.[0-9]+(\+g[0-9a-f]+(-dirty)?)?' "$tmp/out"
# a tarball, unpacked inside somebody's repository
if git init -q "$tmp/theirs" 2>/dev/null; then
	git -C "$tmp/theirs" -c user.name=they -c user.email=they@slash.example \
		commit -q --allow-empty -m theirs
	mkdir "$tmp/theirs/xlatsim"
	cp Makefile tests.mk "$tmp/theirs/xlatsim"
	make -s -C "$tmp/theirs/xlatsim" --eval 'v: ; @echo $(VERSION)' v >"$tmp/v" 2>/dev/null
	check "no commit in a tarball: $(cat "$tmp/v")" grep -Eqx '[0-9]+\.[0-9]+\.[0-9]+' "$tmp/v"
else
	skip "a tarball inside a repository: git is not installed"
fi
check "unknown command" exits 2 "$xlatsim" rnu
check "suggests run" says "did you mean 'run'"
for c in run plan conform clean doctor prepare engines advise compare; do
	check "$c --help" exits 0 "$xlatsim" $c --help
	check "$c --help says usage" says "Usage: xlatsim $c"
	check "$c --nonsense" exits 2 "$xlatsim" $c --nonsense
	check "$c --nonsense is named" says "--nonsense"
done
check "engines" exits 0 "$xlatsim" engines
check "engines names bind9" says bind9
check "engines as JSON" exits 0 "$xlatsim" engines --json
check "engines as JSON says why or what" grep -q '"available": ' "$tmp/out"
check "near option" exits 2 "$xlatsim" run --jsn scenarios/wisp-pair.yaml
check "suggests json" says "did you mean '--json'"
check "option without value" exits 2 "$xlatsim" run --junit
check "says so" says "wants a value"
check "seed is no number" exits 2 "$xlatsim" run --seed five scenarios/wisp-pair.yaml
check "run without file" exits 2 "$xlatsim" run
check "plan of two files" exits 2 "$xlatsim" plan a b

for f in topologies/*.yaml; do
	check "plan $f" exits 0 "$xlatsim" plan "$f"
done
check "plan of a narrow link" exits 0 "$xlatsim" plan topologies/narrow-ipv4.yaml
check "its server announces the MSS of an ethernet" says "advmss 1460"
for f in scenarios/*.yaml; do
	check "plan $f" exits 0 "$xlatsim" plan "$f"
	check "plan $f names home1" says home1
done
matrix=$here/data/matrix.yaml
for f in "$matrix" scenarios/*/matrix.yaml; do
	check "cells of $f" exits 0 "$xlatsim" run --list --full "$f"
	check "cells of $f and their time" says "cells, about"
	check "plan $f" exits 0 "$xlatsim" plan "$f"
	check "plan $f shows its axes" says "scenario: "
done
check "a part of a matrix" exits 0 "$xlatsim" run --list --only rtt=near --only scenario=small-fail "$matrix"
check "one cell is left" says "1 of 8 cells"
check "plan of one cell" exits 0 "$xlatsim" plan --only rtt=far --only engine=absent --only scenario=small-run "$matrix"
check "with its overlays" says "nosuch"
for only in rtt=fra rt=far rtt= rtt; do
	check "--only $only" exits 2 "$xlatsim" run --list --only $only "$matrix"
	check "--only $only is named" says "--only '$only'"
done
check "two matrices" exits 2 "$xlatsim" run "$matrix" "$matrix"
check "a matrix is not kept" exits 2 "$xlatsim" run --keep "$matrix"
for opt in --list --full --resume "--only a=b"; do
	check "$opt of a scenario" exits 2 "$xlatsim" run $opt scenarios/wisp-pair.yaml
done
printf 'matrix:\n  scenarios: [nowhere.yaml]\n' >"$tmp/m.yaml"
for c in "run --list" run plan; do
	check "$c of a bad matrix" exits 2 "$xlatsim" $c "$tmp/m.yaml"
	check "$c names the place" says "nowhere.yaml: cannot be read"
done

advise=$here/data/advise
check "advice out of a matrix" exits 0 "$xlatsim" advise "$advise/offload/latest"
check "as it was" diff "$advise/advice.txt" "$tmp/out"
check "by its document" exits 0 "$xlatsim" advise "$advise/offload/latest/matrix.json"
check "advice for a topology" exits 0 "$xlatsim" advise --results "$advise" topologies/wisp-lossy.yaml
check "what it has otherwise is marked" says "attach: vnet  [CHANGE: the topology has it otherwise]"
check "advice for a scenario" exits 0 "$xlatsim" advise --results "$advise" scenarios/offload/half-a-megabit.yaml
check "advice as JSON" exits 0 "$xlatsim" advise --json "$advise/offload/latest"
check "advice as JSON says why" says '"against_cell": "jool-lossy.on.done.merging"'
sed "s/engine: xlatd/engine: tayga/" topologies/wisp-pair.yaml >"$tmp/tayga.yaml"
check "no advice for another engine" exits 3 "$xlatsim" advise --results "$advise" "$tmp/tayga.yaml"
check "the engine is named" says "tayga as PLAT"
cp -R "$advise/offload/latest" "$tmp/plain" && sed -i 's/"attach": "[a-z-]*"/"engine": "jool"/; s/"do": "offload"/"do": "shape"/; s/"offloads": {/"none": {/' "$tmp/plain/matrix.json"
check "no advice without settings" exits 3 "$xlatsim" advise "$tmp/plain"
check "says so" says "none of its axes sets an offload or an attachment"
check "no advice out of nothing" exits 3 "$xlatsim" advise --results "$tmp" topologies/wisp-pair.yaml
check "advice of two files" exits 2 "$xlatsim" advise a b
check "advice out of a result" exits 2 "$xlatsim" advise "$here/data/report/result.json"
check "names the schema" says "xlatsim-result/1"
cp -R "$advise/offload/latest" "$tmp/gone" && rm -r "$tmp/gone/cells/xlatd-tun.on.done.merging"
check "advice without a cell" exits 2 "$xlatsim" advise "$tmp/gone"
check "the cell is named" says "cells/xlatd-tun.on.done.merging/1/result.json"
echo '{"schema": 3' >"$tmp/bad.json"
check "advice out of broken JSON" exits 2 "$xlatsim" advise "$tmp/bad.json"
check "names where it breaks" grep -q 'bad.json:[0-9]*:[0-9]*: ' "$tmp/err"

kept=$here/data/compare/base
worse=$here/data/compare/worse
check "a result beside itself" exits 0 "$xlatsim" compare "$kept" "$kept/result.json"
check "it is the same" says "SAME  nightly"
check "nothing differs" says "0 worse, 0 better, 3 same, 0 not judged"
check "a regression" exits 1 "$xlatsim" compare "$kept" "$worse"
check "is what it says" says "WORSE  nightly"
check "with its statistics" says "80% (78% to 82%) → 60% (58% to 62%), -25.0%, p 0.0079"
check "a single number is shown" says "83ms → 612ms, +637.3%"
check "an expectation that failed" says "pass → fail  outage.longest-gap: 612ms, at most 500ms"
check "another kernel is named" says "kernel: Linux 6.1.0 x86_64 → Linux 6.6.0 x86_64"
check "the other way round" exits 0 "$xlatsim" compare "$worse" "$kept"
check "is better" says "BETTER  nightly"
check "a regression, in short" exits 1 "$xlatsim" compare --quiet "$kept" "$worse"
check "names it" says "worse   ratio  80%"
check "and not what was not judged" sh -c '! grep -q "720mbit" "$1"' sh "$tmp/out"
check "a regression as JSON" exits 1 "$xlatsim" compare --json "$kept" "$worse"
check "names the schema" says '"schema": "xlatsim-compare/1"'
check "JSON has the rounds" says '"rounds": 5'
sed '/"longest-gap"/,/"line"/s/"fail"/"pass"/' "$worse/result.json" >"$tmp/slow.json"
check "slower alone" exits 1 "$xlatsim" compare "$kept" "$tmp/slow.json"
check "slower by less than the threshold" exits 0 "$xlatsim" compare --threshold 30% "$kept" "$tmp/slow.json"
check "the threshold is named" says "threshold 30%"
for bad in -1 five 5x nan ""; do
	check "threshold '$bad'" exits 2 "$xlatsim" compare --threshold "$bad" "$kept" "$worse"
	check "threshold '$bad' is named" says "--threshold '$bad'"
done
check "compare one result" exits 2 "$xlatsim" compare "$kept"
check "compare three results" exits 2 "$xlatsim" compare "$kept" "$kept" "$kept"
sed 's/"name": "nightly"/"name": "weekly"/' "$kept/result.json" >"$tmp/weekly.json"
check "another scenario" exits 2 "$xlatsim" compare "$kept" "$tmp/weekly.json"
check "both scenarios are named" says "of scenario 'nightly', $tmp/weekly.json of 'weekly'"
sed 's/"ospf_cost": 10/"ospf_cost": 20/; s/"version": "xlatd 0.1.0"/"version": "xlatd 0.2.0"/' "$kept/result.json" >"$tmp/other.json"
check "another topology and engine" exits 0 "$xlatsim" compare "$kept" "$tmp/other.json"
check "the topology is named" says "topology: plats differs"
check "the engine is named" says "engine xlatd: xlatd 0.1.0 → xlatd 0.2.0"
sed '0,/"verdict": "pass"/s//"verdict": "invalid"/' "$kept/result.json" >"$tmp/invalid.json"
check "an invalid result" exits 3 "$xlatsim" compare "$kept" "$tmp/invalid.json"
check "no verdict" says "NO VERDICT  nightly"
check "an invalid baseline" exits 3 "$xlatsim" compare "$tmp/invalid.json" "$worse"
check "whose it is" says "A gave no verdict (invalid)"
check "compare with nothing" exits 2 "$xlatsim" compare "$kept" "$tmp/nowhere"
check "what was expected" says "nowhere: No such file or directory; expected the folder of a run"
check "compare with a folder of none" exits 2 "$xlatsim" compare "$tmp" "$kept"
check "the file is named" says "$tmp/result.json: "
check "compare broken JSON" exits 2 "$xlatsim" compare "$kept" "$tmp/bad.json"
check "names where it breaks" grep -q 'bad.json:[0-9]*:[0-9]*: ' "$tmp/err"
check "compare a matrix" exits 2 "$xlatsim" compare "$kept" "$advise/offload/latest/matrix.json"
check "names both schemas" says "schema \`xlatsim-matrix/1\`, expected xlatsim-result/1"
for doc in '[]' '"text"' '{"schema": 3}' '{"schema": "xlatsim-result/1"}' \
	'{"schema": "xlatsim-result/1", "scenario": {"name": "nightly"}}' \
	'{"schema": "xlatsim-result/1", "scenario": {"name": "nightly"}, "verdict": "pass", "measurements": {}, "expectations": []}' \
	'{"schema": "xlatsim-result/1", "scenario": {"name": "nightly"}, "verdict": "pass", "measurements": [7], "expectations": []}' \
	'{"schema": "xlatsim-result/1", "scenario": {"name": "nightly"}, "verdict": "pass", "measurements": [], "expectations": [{}]}'; do
	echo "$doc" >"$tmp/odd.json"
	check "compare $doc" exits 2 "$xlatsim" compare "$kept" "$tmp/odd.json"
	check "names the file of $doc" says "odd.json:"
	check "says what is expected of $doc" says "expected "
done
printf '{"schema": "\\u001b[2J"}' >"$tmp/odd.json"
check "compare a hostile schema" exits 2 "$xlatsim" compare "$kept" "$tmp/odd.json"
check "its control characters stay out" sh -c '! grep -q "$(printf "\033")" "$1"' sh "$tmp/err"
echo '{"schema": "xlatsim-result/1", "scenario": {"name": "nightly"}, "verdict": "pass", "measurements": [], "expectations": []}' >"$tmp/none.json"
check "compare what has nothing" exits 3 "$xlatsim" compare "$tmp/none.json" "$tmp/none.json"
check "says so" says "nothing that both have could be judged"
check "compare into a full device" sh -c '"$1" compare "$2" "$2" >/dev/full; [ $? = 3 ]' sh "$xlatsim" "$kept"

check "missing file" exits 2 "$xlatsim" plan "$tmp/nowhere.yaml"
check "names the missing file" says "nowhere.yaml"
check "a folder" exits 2 "$xlatsim" plan "$tmp"
: >"$tmp/empty.yaml"
check "an empty file" exits 2 "$xlatsim" plan "$tmp/empty.yaml"
head -c 4000 /dev/urandom >"$tmp/junk.yaml"
check "junk" exits 2 "$xlatsim" plan "$tmp/junk.yaml"
for f in "$here"/bad/*.yaml; do
	check "$f" exits 2 "$xlatsim" plan "$f"
	check "$f: place" grep -Eq '^[^ ]*\.yaml(:[0-9]+:[0-9]+)?: ' "$tmp/err"
	check "run $f" exits 2 "$xlatsim" run "$f"
done
check "output into a full device" sh -c '"$1" plan topologies/wisp-pair.yaml >/dev/full; [ $? = 3 ]' sh "$xlatsim"

if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	# as nobody, from a place that nobody can read
	cp "$xlatsim" "$tmp/" && cp -R topologies scenarios "$tmp/" && chmod -R a+rX "$tmp"
	unpriv="setpriv --reuid 65534 --regid 65534 --clear-groups"
	check "run without root" exits 4 $unpriv "$tmp/xlatsim" run "$tmp/scenarios/wisp-pair.yaml"
	check "says sudo" says sudo
	check "clean without root" exits 4 $unpriv "$tmp/xlatsim" clean
	check "cells of a matrix without root" exits 0 $unpriv "$tmp/xlatsim" run --list "$tmp/scenarios/failover/matrix.yaml"
	check "a matrix without root" exits 4 $unpriv "$tmp/xlatsim" run "$tmp/scenarios/failover/matrix.yaml"
	check "plan without root" exits 0 $unpriv "$tmp/xlatsim" plan "$tmp/scenarios/wisp-pair.yaml"
else
	skip "run without root: this test wants to be root first"
fi
finish

# SPDX-License-Identifier: MIT
# bash completion for xlatsim

_xlatsim_files() {
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen -d -- "$1"; compgen -f -X '!*.yaml' -- "$1")
}

_xlatsim() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	local words
	COMPREPLY=()

	if [ "$COMP_CWORD" -eq 1 ]; then
		words="run plan advise compare conform doctor engines prepare clean --help --version"
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
		return
	fi
	case $prev in
	--junit | --cases)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--out | --cache | --results)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	--seed | --only | --threshold)
		return
		;;
	--role)
		mapfile -t COMPREPLY < <(compgen -W "siit clat plat" -- "$cur")
		return
		;;
	esac
	case ${COMP_WORDS[1]} in
	run)
		words="--json --junit --out --seed --keep --quiet --list --only --full
			--resume --help"
		;;
	plan) words="--only --help" ;;
	advise) words="--results --json --help" ;;
	compare) words="--threshold --json --quiet --help" ;;
	clean) words="--dry-run --help" ;;
	conform)
		words="--role --only --cases --list --json --junit --quiet --help"
		if [ "$prev" = --json ]; then
			compopt -o filenames 2>/dev/null
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			return
		fi
		;;
	engines) words="--json --help" ;;
	prepare) words="--cache --own-kernel --force --help" ;;
	doctor) words="--help" ;;
	*) return ;;
	esac
	case $cur in
	-*)
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
		;;
	*)
		case ${COMP_WORDS[1]} in
		run | plan | advise) _xlatsim_files "$cur" ;;
		compare)
			compopt -o filenames 2>/dev/null
			mapfile -t COMPREPLY < <(compgen -d -- "$cur"; compgen -f -X '!*.json' -- "$cur")
			;;
		conform) mapfile -t COMPREPLY < <(compgen -W "xlatd tayga jool" -- "$cur") ;;
		prepare) mapfile -t COMPREPLY < <(compgen -W jool -- "$cur") ;;
		esac
		;;
	esac
}

complete -F _xlatsim xlatsim

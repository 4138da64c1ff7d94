#!/bin/sh
# SPDX-License-Identifier: MIT
# Build what the Jool node needs: Jool's kernel modules for User Mode Linux.
# `xlatsim prepare jool` starts this and then tries the result out.
#
#   tools/prepare-jool.sh CACHE [--own-kernel] [--force]
#
# CACHE/VERSION/ gets the modules, the lists of their order of loading, and a
# manifest; CACHE/current points at it. The sources (1.5 GB) live in
# CACHE/build.* meanwhile and are removed however this ends.
# Exit status: 0 done (or there already); 2 usage; 4 the host lacks something.
set -eu

# Count up whenever what is built changes, so that caches are built anew.
recipe=1
room_kib=2300000

say() { printf '%s\n' "$*" >&2; }
fail() { say "prepare jool: $*"; exit 4; }

own=no
force=no
cache=
for arg; do
	case $arg in
	--own-kernel) own=yes ;;
	--force) force=yes ;;
	-*) say "prepare-jool.sh: unknown option '$arg'"; exit 2 ;;
	*) cache=$arg ;;
	esac
done
[ -n "$cache" ] || { say "usage: prepare-jool.sh CACHE"; exit 2; }
case $cache in /*) ;; *) cache=$PWD/$cache ;; esac

# ---- what there is ------------------------------------------------------------

command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
	fail "this needs Debian's packages (dpkg-query, apt-get): not found"
missing=
for need in linux.uml:user-mode-linux jool:jool-tools gcc:gcc make:make \
	flex:flex bison:bison bc:bc modprobe:kmod depmod:kmod xz:xz-utils \
	strip:binutils flock:util-linux; do
	PATH=$PATH:/usr/sbin:/sbin command -v "${need%%:*}" >/dev/null ||
		missing="$missing ${need#*:}"
done
[ -e /usr/include/libelf.h ] || missing="$missing libelf-dev"
[ -z "$missing" ] ||
	fail "these packages are missing:$missing (sudo tools/deps.sh --jool)"
PATH=$PATH:/usr/sbin:/sbin
export PATH LC_ALL=C

field() { dpkg-query -W -f "\${$2}" "$1"; }

uml_version=$(field user-mode-linux Version)
uname=$(linux.uml --version | tail -n 1)
# "linux (= 6.1.176-1)": the source that the package was made of
source=$(field user-mode-linux Built-Using |
	sed -n 's/.*linux (= \([^)]*\)).*/\1/p')
[ -n "$source" ] ||
	fail "user-mode-linux $uml_version does not say what it was built of"
series=$(printf '%s' "$source" | cut -d. -f1,2)
jool=$(field jool-tools source:Version)

listed() { # is version $2 of package $1 in the archive's index?
	apt-cache madison "$1" | awk -F' *[|] *' -v v="$2" \
		'$2 == v {found = 1} END {exit !found}'
}

[ -n "$(apt-cache madison linux-source-"$series" 2>/dev/null)" ] ||
	fail "apt knows no linux-source-$series: run apt-get update"
listed jool-dkms "$jool" ||
	fail "jool-dkms $jool, which fits the installed jool-tools, is not in" \
		"the archive: upgrade jool-tools"
if [ $own = no ] && ! listed linux-source-"$series" "$source"; then
	say "linux-source-$series $source, of which user-mode-linux was built," \
		"is no longer in the archive: building a small kernel instead"
	own=yes
fi
if [ $own = yes ]; then
	source=$(apt-cache policy linux-source-"$series" |
		sed -n 's/ *Candidate: //p')
	name=own-$source-jool-$jool-r$recipe
else
	name=uml-$source-jool-$jool-r$recipe
fi
dir=$cache/$name

mkdir -p "$cache" 2>/dev/null && [ -w "$cache" ] ||
	fail "$cache cannot be written: use root, or --cache DIR"
exec 9>"$cache/lock"
flock -n 9 || { say "waiting for another preparation"; flock 9; }
rm -rf "$cache"/build.*

if [ $force = no ] && [ -e "$dir/manifest.json" ]; then
	ln -sfn "$name" "$cache/current"
	say "prepared already: $dir"
	exit 0
fi

free=$(df -Pk "$cache" | awk 'NR == 2 {print $4}')
[ "$free" -ge $room_kib ] ||
	fail "$cache has $((free / 1024)) MiB free;" \
		"$((room_kib / 1024)) MiB are needed meanwhile"

# ---- the build ------------------------------------------------------------------

build=$(mktemp -d "$cache/build.XXXXXX")
log=$cache/prepare.log
trap 'rm -rf "$build"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
: >"$log"
cd "$build"
began=$(date +%s)
step() { say "[$(($(date +%s) - began)) s] $*"; printf '== %s\n' "$*" >>"$log"; }
do_it() { # in the background, so that a signal is heard at once
	setsid "$@" >>"$log" 2>&1 9>&- &
	child=$!
	trap 'kill -TERM -$child 2>/dev/null || true; exit 130' INT
	trap 'kill -TERM -$child 2>/dev/null || true; exit 143' TERM HUP
	status=0
	wait $child || status=$?
	[ $status = 0 ] || {
		tail -n 15 "$log" >&2
		fail "'$1' failed (status $status); all it said is in $log"
	}
}
jobs=-j$(nproc)

step "fetching linux-source-$series $source (140 MB) and jool-dkms $jool"
do_it apt-get -q -o APT::Sandbox::User=root -o Acquire::Retries=1 download \
	linux-source-"$series=$source" jool-dkms="$jool"
step "unpacking (1.5 GB)"
do_it dpkg-deb -x linux-source-*.deb kernel
do_it dpkg-deb -x jool-dkms_*.deb jool
do_it tar xJf "kernel/usr/src/linux-source-$series.tar.xz"
rm -rf kernel ./*.deb
tree=$build/linux-source-$series
out=$build/kuml
mkdir "$out"

if [ $own = yes ]; then
	cat >"$build/small.config" <<-'EOF'
	CONFIG_64BIT=y
	CONFIG_NET=y
	CONFIG_INET=y
	CONFIG_IPV6=y
	CONFIG_UNIX=y
	CONFIG_PACKET=y
	CONFIG_NETFILTER=y
	CONFIG_NETFILTER_ADVANCED=y
	CONFIG_NETFILTER_XTABLES=y
	CONFIG_NF_CONNTRACK=y
	CONFIG_UML_NET=y
	CONFIG_UML_NET_VECTOR=y
	CONFIG_HOSTFS=y
	CONFIG_PROC_FS=y
	CONFIG_PROC_SYSCTL=y
	CONFIG_SYSFS=y
	CONFIG_SYSCTL=y
	CONFIG_TMPFS=y
	CONFIG_SHMEM=y
	CONFIG_DEVTMPFS=y
	CONFIG_TTY=y
	CONFIG_PRINTK=y
	CONFIG_BINFMT_ELF=y
	CONFIG_BINFMT_SCRIPT=y
	CONFIG_MODULES=y
	CONFIG_MODULE_UNLOAD=y
	CONFIG_HIGH_RES_TIMERS=y
	CONFIG_POSIX_TIMERS=y
	CONFIG_FUTEX=y
	CONFIG_EPOLL=y
	CONFIG_FILE_LOCKING=y
	CONFIG_MULTIUSER=y
	CONFIG_STDERR_CONSOLE=y
	CONFIG_NULL_CHAN=y
	CONFIG_CRYPTO=y
	CONFIG_CRYPTO_MD5=y
	EOF
	step "configuring and compiling a small kernel (minutes)"
	do_it make -C "$tree" O="$out" ARCH=um \
		KCONFIG_ALLCONFIG="$build/small.config" allnoconfig
	do_it make -C "$tree" O="$out" ARCH=um "$jobs" linux modules_prepare
	do_it make -C "$tree" O="$out" ARCH=um "$jobs" modules
	uname=$("$out/linux" --version | tail -n 1)
else
	step "configuring as user-mode-linux $uml_version is"
	linux.uml --showconfig >"$out/.config"
	do_it make -C "$tree" O="$out" ARCH=um olddefconfig
	do_it make -C "$tree" O="$out" ARCH=um "$jobs" modules_prepare
fi

# The one change: in the report of counters, padding that the tools of this
# version do not know. Translation is untouched.
src=$(echo jool/usr/src/jool-dkms-*)
sed -i 's/nla_put_u64_64bit(response.skb, id, stats\[id\], JSTAT_PADDING)/nla_put(response.skb, id, sizeof(__u64), \&stats[id])/' \
	"$src/src/mod/common/nl/stats.c"
step "compiling Jool $jool for $uname"
for part in common nat64 siit; do
	do_it make -C "$out" ARCH=um M="$build/$src/src/mod/$part" \
		KBUILD_MODPOST_WARN=1 "$jobs" modules
done

# ---- what is kept ---------------------------------------------------------------

step "checking"
new=$build/new
root=$build/root/lib/modules/$uname
mkdir -p "$new" "$root/extra"
if [ $own = yes ]; then
	cp "$out/linux" "$new/linux"
	strip "$new/linux"
	cp "$out"/modules.builtin* "$out"/modules.order "$root/"
else
	cp -r "/usr/lib/uml/modules/$uname/kernel" "$root/"
	cp "/usr/lib/uml/modules/$uname"/modules.builtin* \
		"/usr/lib/uml/modules/$uname/modules.order" "$root/"
fi
for module in jool_common jool jool_siit; do
	ko=$(find "$build/$src/src/mod" -name $module.ko)
	[ -s "$ko" ] || fail "$module.ko was not built; see $log"
	strip -g -o "$root/extra/$module.ko" "$ko"
	magic=$(modinfo -F vermagic "$ko")
	[ "${magic%% *}" = "$uname" ] ||
		fail "$module.ko is for '$magic', not for $uname"
done
do_it depmod -b "$build/root" "$uname"
for role in jool jool_siit; do
	modprobe -d "$build/root" -S "$uname" --show-depends $role |
		awk '$1 == "insmod" {print $2}' >"$build/$role.paths"
	: >"$new/$role.list"
	while read -r path; do
		cp -n "$path" "$new/"
		basename "$path" >>"$new/$role.list"
	done <"$build/$role.paths"
	grep -q "^$role.ko$" "$new/$role.list" ||
		fail "modprobe does not find $role.ko; see $log"
done
cat >"$new/manifest.json" <<EOF
{"recipe": $recipe, "kernel": "$uname", "own_kernel": $([ $own = yes ] &&
	echo true || echo false), "source": "$source",
 "user_mode_linux": "$uml_version", "jool": "$jool"}
EOF
rm -rf "$dir"
mv "$new" "$dir"
ln -sfn "$name" "$cache/current"
step "done: $dir, $(du -sk "$dir" | cut -f1) KiB"

#!/bin/bash
# Install the distribution's engines for the classic stack, and nothing more:  tools/engines.sh [--dry-run] [--yes] [--tests]
#
# --tests: also Redis, which no engine needs, but the tests of holdfast.runtime.
# It starts and enables no service, creates no database cluster and leaves existing ones alone.  A second run finds nothing
# to do.  Debian and Ubuntu, as root or with sudo.
#
# ENGINES_ROOT and OS_RELEASE are for the tests of this script: another place for the files that it touches.
set -euo pipefail

root=${ENGINES_ROOT:-}
policy=$root/usr/sbin/policy-rc.d
kept=$policy.before-holdfast
clusters=$root/etc/postgresql-common/createcluster.d
snippet=$clusters/zz-holdfast-no-cluster.conf
marker="# holdfast: temporary, no service shall start while packages are installed"
apt=(apt-get -o DPkg::Lock::Timeout=120 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold)
export LC_ALL=C DEBIAN_FRONTEND=noninteractive APT_LISTCHANGES_FRONTEND=none
# Ubuntu's needrestart would restart services of the user's after an installation.
export NEEDRESTART_SUSPEND=1 NEEDRESTART_MODE=l
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

say() { printf '%s\n' "$*"; }
refuse() { printf '%s\n  remedy: %s\n' "$1" "$2" >&2; exit 2; }

# What is wanted, and the program that shows that it is here already, be it from elsewhere.
wanted=(haproxy:haproxy nginx:nginx keepalived:keepalived etcd:etcd postgresql:postgres iproute2:ip curl:curl procps:ps)

program() {
    if [ "$1" = postgres ]; then
        command -v postgres || compgen -G "$root/usr/lib/postgresql/*/bin/postgres" | sort -V | tail -n 1
    else
        command -v "$1"
    fi
}

candidate() { apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: //p' | grep -v '(none)' || true; }

package() { # the package of this distribution for one of the wanted
    case $1 in
        etcd) if [ -n "$(candidate etcd-server)" ]; then echo etcd-server; else echo etcd; fi ;;
        # The metapackage would follow the distribution to its next major; the server alone stays.
        postgresql) apt-cache depends postgresql 2>/dev/null |
            sed -n 's/^ *|\{0,1\}Depends: \(postgresql-[0-9][0-9]*\)$/\1/p' | head -n 1 ;;
        *) echo "$1" ;;
    esac
}

stale() { # no package lists, or older than a day
    local lists=$root/var/lib/apt/lists
    # apt keeps the servers' times on the files; its own folder `partial` shows when it last looked.
    [ -z "$(find "$lists" -maxdepth 1 -name '*Packages*' -print -quit 2>/dev/null)" ] ||
        [ -z "$(find "$lists/partial" "$lists" -maxdepth 0 -mtime -1 -print -quit 2>/dev/null)" ]
}

enabled() { # every link by which a unit or an init script starts at boot
    { find "$root/etc/systemd/system" -type l; find "$root"/etc/rc[2345].d -type l -name 'S*'; } 2>/dev/null | sort || true
}

resolve() { # fill `missing` and `names`
    missing=() names=()
    local entry name
    for entry in "${wanted[@]}"; do
        [ -n "$(program "${entry#*:}" || true)" ] && continue
        missing+=("${entry%%:*}")
        name=$(package "${entry%%:*}")
        [ -z "$name" ] || names+=("$name")
    done
}

# --- guards: made before the installation, taken back after it, whatever happens ---

raise_guards() {
    take_back_guards # of a run that was killed
    mkdir -p "$(dirname "$policy")"
    if [ -e "$policy" ] || [ -L "$policy" ]; then mv "$policy" "$kept"; fi
    printf '#!/bin/sh\n%s\nexit 101\n' "$marker" >"$policy"
    chmod 755 "$policy"
    made_dirs=()
    for dir in "$(dirname "$clusters")" "$clusters"; do
        if [ ! -d "$dir" ]; then mkdir "$dir" && made_dirs=("$dir" "${made_dirs[@]}"); fi
    done
    printf '%s\ncreate_main_cluster = false\n' "# holdfast: temporary" >"$snippet"
    before=$(enabled)
    guarded=yes
}

take_back_guards() {
    if grep -qsF "$marker" "$policy"; then rm -f "$policy"; fi
    if [ -e "$kept" ] || [ -L "$kept" ]; then mv -f "$kept" "$policy"; fi
    rm -f "$snippet"
    for dir in "${made_dirs[@]:-}"; do
        if [ -n "$dir" ]; then rmdir "$dir" 2>/dev/null || true; fi
    done
}

disable_new() { # what the packages have enabled for the next boot; what was enabled before stays
    local link unit script
    while read -r link; do
        if [ -z "$link" ] || [ ! -L "$link" ]; then continue; fi
        case $link in
            */rc[2345].d/*)
                script=$(basename "$link")
                update-rc.d "${script#S??}" disable >/dev/null 2>&1 || true ;;
            *)
                unit=$(basename "$link")
                [[ $link = *.wants/* || $link = *.requires/* ]] || unit=$(basename "$(readlink "$link")")
                systemctl disable "$unit" >/dev/null 2>&1 ||
                    DPKG_MAINTSCRIPT_PACKAGE=holdfast deb-systemd-helper disable "$unit" >/dev/null 2>&1 || true
                # Neither may be there, or may have refused: the link is what counts.
                rm -f "$link" ;;
        esac
    done < <(comm -13 <(printf '%s\n' "$before") <(enabled))
}

finish() {
    local code=$?
    trap - EXIT
    trap '' INT TERM HUP # a second Ctrl-C must not leave the guards behind
    set +e
    if [ -n "$guarded" ]; then
        disable_new
        take_back_guards
    fi
    exit "$code"
}

# --- the run ---

dry='' yes='' guarded='' made_dirs=() missing=() names=()
for word in "$@"; do
    case $word in
        --dry-run) dry=yes ;;
        --yes | -y) yes=yes ;;
        --tests) wanted+=(redis-server:redis-server) ;;
        *) refuse "what is $word?" "tools/engines.sh [--dry-run] [--yes] [--tests]" ;;
    esac
done

family=$(. "${OS_RELEASE:-/etc/os-release}" 2>/dev/null && echo " ${ID:-} ${ID_LIKE:-} ") || family=''
case $family in
    *' debian '* | *' ubuntu '*) ;;
    *) refuse "this knows the packages of Debian and Ubuntu only; here is${family:- another system}" \
        "install haproxy, keepalived, etcd and the PostgreSQL server by hand, or use make demo, which needs none of them" ;;
esac
for tool in apt-get apt-cache; do
    command -v $tool >/dev/null || refuse "$tool is missing" "install the engines by hand, or use make demo without them"
done

if [ -z "$dry" ] && [ -z "$root" ] && [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || refuse "installing packages needs root, and there is no sudo" "run this as root"
    ask=()
    [ -t 0 ] || ask=(-n)
    exec sudo "${ask[@]}" -- "$0" "$@"
fi

if grep -qsF "$marker" "$policy" && [ -z "$dry" ]; then take_back_guards; fi
resolve
if [ ${#missing[@]} = 0 ]; then
    say "nothing to do, everything is here:"
    for entry in "${wanted[@]}"; do printf '  %-12s %s\n' "${entry%%:*}" "$(program "${entry#*:}")"; done
    exit 0
fi

if stale || [ ${#names[@]} != ${#missing[@]} ]; then
    if [ -n "$dry" ]; then
        say "the package lists are old: apt-get update would come first, and the versions below may change"
    else
        say "+ apt-get update"
        "${apt[@]}" update -qq
        resolve
    fi
fi
if [ -z "$dry" ] && [ ${#names[@]} != ${#missing[@]} ]; then
    refuse "apt knows no package for some of: ${missing[*]}" "look at the sources of apt (Ubuntu: is universe enabled?)"
fi

if ! plan=$("${apt[@]}" install --simulate --no-install-recommends "${names[@]}" 2>&1); then
    [ -n "$dry" ] || refuse "$(printf '%s\n' "$plan" | tail -n 5)" "apt itself cannot install these; mend that first"
fi
removed=$(printf '%s\n' "$plan" | sed -n 's/^Remv \([^ ]*\).*/\1/p' | xargs)
[ -z "$removed" ] || refuse "apt would remove $removed" "install ${names[*]} by hand and decide for yourself"
others=$(printf '%s\n' "$plan" | sed -n 's/^Inst \([^ ]*\).*/\1/p' | grep -vxF -f <(printf '%s\n' "${names[@]}") | xargs || true)

say "will install:"
for name in "${names[@]}"; do
    version=$(candidate "$name")
    printf '  %-14s %s\n' "$name" "${version:-(version not known before apt-get update)}"
done
[ -z "$others" ] || say "and what these need: $others"
say "will not happen: no service is started or enabled, no database cluster is created, existing clusters and running"
say "services are not touched, nothing is removed"
if [ -n "$dry" ]; then
    say "dry run: nothing was changed"
    exit 0
fi
if [ -z "$yes" ] && [ -t 0 ]; then
    read -r -p "go on? [y/N] " reply
    [[ $reply = [yY]* ]] || { say "nothing was changed"; exit 1; }
fi

trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
raise_guards
say "+ apt-get install --no-install-recommends ${names[*]}"
chosen="${names[*]}"
"${apt[@]}" install -y -qq --no-install-recommends "${names[@]}" </dev/null
resolve
[ ${#missing[@]} = 0 ] || refuse "still not here: ${missing[*]}" "see what apt said above"
say "done: $chosen"

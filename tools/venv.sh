#!/bin/sh
# Make .venv hold holdfast with the extras asked for:  tools/venv.sh engines,shop
#
# Needs only a Python >= 3.11.  Quick when nothing has changed; a .venv that is broken or was moved is made anew.
# PYTHON=/path/to/python chooses another interpreter.
set -eu

wanted=${1:?usage: tools/venv.sh EXTRA[,EXTRA...]}
cd "$(dirname "$0")/.."
root=$(pwd -P)
venv=.venv
python=$venv/bin/python
place=$venv/.holdfast-place          # where .venv was made: scripts inside of it hold this path
installed=$venv/.holdfast-installed  # checksum of pyproject.toml, then the extras that are in
# Settings that would make pip or Python look elsewhere.
unset PYTHONHOME PYTHONPATH PIP_TARGET PIP_PREFIX || true
PIP_USER=0
PIP_REQUIRE_VIRTUALENV=0
PIP_DISABLE_PIP_VERSION_CHECK=1
export PIP_USER PIP_REQUIRE_VIRTUALENV PIP_DISABLE_PIP_VERSION_CHECK

say() { printf '%s\n' "$*" >&2; }
refuse() { say "$1"; say "  remedy: $2"; exit 2; }

recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        recent "$PYTHON" || refuse "PYTHON=$PYTHON is not a Python >= 3.11" "name another one, or none"
        echo "$PYTHON"
        return
    fi
    for candidate in python3.13 python3.12 python3.11 python3 python3.14 python; do
        if recent "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    have=$(python3 --version 2>/dev/null || echo "no python3")
    refuse "holdfast needs Python >= 3.11; here is $have" \
        "install it (Debian 12, Ubuntu 24.04 or newer: apt install python3 python3-venv), or make ... PYTHON=/path/to/it"
}

works() { recent "$python" && "$python" -m pip --version >/dev/null 2>&1; }

good() {
    works || return 1
    [ ! -f "$place" ] || [ "$(cat "$place")" = "$root" ]
}

try() {  # try HOW COMMAND...: make .venv by this command; what it says is shown only if every way fails
    how=$1
    shift
    rm -rf "$venv"
    if "$@" >>"$log" 2>&1 && works; then
        [ "$how" = venv ] || say "made .venv with $how"
        return 0
    fi
    return 1
}

bare_with_foreign_pip() {
    "$base" -m venv --without-pip "$venv" || return 1
    for pip in "$base -m pip" "python3 -m pip" pip3 pip; do
        # --python: since pip 22.3.  The words of $pip are meant to be split.
        if $pip --python "$python" install --quiet pip; then
            return 0
        fi
    done
    return 1
}

make_venv() {
    if [ -e "$venv" ] && [ ! -f "$venv/pyvenv.cfg" ] && [ -n "$(ls -A "$venv" 2>/dev/null)" ]; then
        refuse "$root/$venv exists and is not a virtual environment" "move it away"
    fi
    base=$(find_python) || exit 2
    say "making .venv with $("$base" --version 2>&1)"
    log=$(mktemp)
    if try venv "$base" -m venv "$venv" || try virtualenv "$base" -m virtualenv -q "$venv" \
        || try virtualenv virtualenv -q -p "$base" "$venv" || try uv uv venv -q --seed --python "$base" "$venv" \
        || try "the system's pip" bare_with_foreign_pip; then
        rm -f "$log"
        printf '%s\n' "$root" >"$place"
        return
    fi
    sed 's/^/  | /' "$log" | tail -n 15 >&2
    rm -rf "$venv" "$log"
    version=$("$base" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    refuse "$base cannot make a virtual environment (ensurepip is missing, and there is no virtualenv, pip or uv)" \
        "Debian and Ubuntu: apt install python3-venv (for this one: python$version-venv); elsewhere: install uv or virtualenv"
}

covered() {  # is every extra of $1 in the list $2?
    for extra in $(echo "$1" | tr , ' '); do
        case ",$2," in *",$extra,"*) ;; *) return 1 ;; esac
    done
}

install() {
    extras=$(printf '%s\n' "$1" | tr , '\n' | sort -u | paste -sd, -)
    size=""
    case ",$extras," in *,engines,*) size="; the first time some 150 MB are downloaded" ;; esac
    say "installing holdfast[$extras] into .venv$size"
    rm -f "$installed"
    "$python" -m pip install --quiet --no-input --use-pep517 -e ".[$extras]" </dev/null &
    pip=$!
    trap 'kill $pip 2>/dev/null || true; exit 130' INT TERM
    waited=0
    while kill -0 $pip 2>/dev/null; do
        sleep 0.2
        waited=$((waited + 1))
        [ $((waited % 50)) -ne 0 ] || say "  $((waited / 5)) s, .venv has $(du -sm "$venv" | cut -f1) MB"
    done
    wait $pip || refuse "pip could not install holdfast; its reason is above" \
        "is there a network? pip heeds HTTPS_PROXY and its own configuration"
    trap - INT TERM
    printf '%s\n%s\n' "$sum" "$extras" >"$installed"
}

good || { [ ! -e "$venv" ] || say ".venv does not work here; making it anew"; make_venv; }
sum=$(cksum <pyproject.toml)
have=""
if [ -f "$installed" ] && [ "$(sed -n 1p "$installed")" = "$sum" ]; then
    have=$(sed -n 2p "$installed")
fi
if ! covered "$wanted" "$have"; then
    install "$wanted${have:+,$have}"
fi

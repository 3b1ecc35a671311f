#!/usr/bin/env bash
# Makes, once, a Python environment with everything hicmae_mm needs, outside the checkout, and finds it again later.
#
#     source tools/setup_env.sh     # this shell then uses the environment and this checkout's code
#     bash tools/setup_env.sh       # only makes it, and prints its folder
#
#   PYTHON            the interpreter to build on (3.10 to 3.12); default: the first suitable one that is found
#   HICMAE_VENV_DIR   where environments are kept; default: ${XDG_CACHE_HOME:-~/.cache}/hicmae_mm
#   HICMAE_VENV       use this existing environment as it is and install nothing
#
# The folder's name carries the Python version and a hash of requirements/, so checkouts that need the same packages
# share one environment, and a change of requirements makes a new one. The code itself is found through PYTHONPATH.

_hicmae_root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

_hicmae_use() {  # the sourced half: put the environment first on PATH
    export VIRTUAL_ENV="$1" PIP_REQUIRE_VIRTUALENV=1
    export PATH="$1/bin:$PATH" PYTHONPATH="$_hicmae_root${PYTHONPATH:+:$PYTHONPATH}"
    unset PYTHONHOME PYTHON  # the launchers run $PYTHON where it is set
    hash -r
}

if [[ "${BASH_SOURCE[0]}" != "$0" ]]; then
    if _hicmae_venv="$(bash "$_hicmae_root/tools/setup_env.sh")"; then
        _hicmae_use "$_hicmae_venv"
        unset _hicmae_venv _hicmae_root
        unset -f _hicmae_use
        return 0
    fi
    unset _hicmae_venv _hicmae_root
    unset -f _hicmae_use
    return 1
fi

set -euo pipefail
export PIP_REQUIRE_VIRTUALENV=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_USER=0
unset PYTHONPATH PYTHONHOME

say() { printf '[setup] %s\n' "$*" >&2; }
fail() {
    say "ERROR: $1"
    shift
    for line in "$@"; do say "  $line"; done
    exit 1
}

python_version_of() {  # full version when usable: 3.10 to 3.12 with venv and pip's bootstrap; else a reason, status 1
    "$1" - <<'PY' 2>/dev/null
import sys

if not (3, 10) <= sys.version_info[:2] <= (3, 12):
    sys.exit(print('is Python %d.%d' % sys.version_info[:2]) or 1)
try:
    import ensurepip, venv
except ImportError:
    sys.exit(print('has no venv module') or 1)
print('%d.%d.%d' % sys.version_info[:3])
PY
}

find_python() {  # sets python and version
    local candidate rejected=()
    local candidates=(python3.11 python3.12 python3.10 python3 python)
    if [[ -n "${PYTHON:-}" ]]; then
        candidates=("$PYTHON")
    else
        candidates+=("${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[0-2].*/bin/python /usr/local/bin/python3.1[0-2])
    fi
    for candidate in "${candidates[@]}"; do
        command -v "$candidate" >/dev/null 2>&1 || continue
        if version="$(python_version_of "$candidate")"; then
            python="$candidate"
            return
        fi
        rejected+=("$candidate: ${version:-does not start}")
    done
    fail "no suitable Python: 3.10, 3.11 or 3.12 with the venv module is needed" \
        "${rejected[@]:-none of these is on PATH: ${candidates[*]}}" \
        "install one (Debian and Ubuntu: apt-get install python3 python3-venv) or name it: PYTHON=/path/to/python3.11"
}

use_headless_opencv_without_libgl() {  # $1 = venv; servers and containers often lack the libraries of a desktop
    local version
    "$1/bin/python" -c 'import cv2; cv2.imread' 2>/dev/null && return
    version="$("$1/bin/python" -c 'from importlib.metadata import version; print(version("opencv-python"))')"
    say "OpenCV does not find libGL or GLib on this system: putting its headless build in its place"
    "$1/bin/python" -m pip install --progress-bar off --no-deps --force-reinstall \
        "opencv-python-headless==$version" 1>&2
}

install_packages() {  # $1 = folder, remade from nothing
    local venv="$1" attempt free_kb
    free_kb="$(df -Pk "$(dirname "$venv")" | awk 'NR == 2 {print $4}')"
    ((free_kb > 7000000)) || say "warning: $((free_kb / 1000000)) GB free in $(dirname "$venv"), about 6 are needed"
    say "installing into $venv with Python $version: about 5.5 GB, a few minutes"
    rm -rf "$venv"
    "$python" -m venv "$venv"
    for attempt in 1 2; do
        if "$venv/bin/python" -m pip install --progress-bar off \
            -r "$_hicmae_root/requirements/dev.txt" -c "$_hicmae_root/requirements/constraints.txt" 1>&2; then
            break
        fi
        ((attempt < 2)) || fail "pip could not install the requirements; its message is above" \
            "check network, proxy and disk space, then run this again: it starts over from what pip has cached"
        say "pip failed; trying once more"
    done
    use_headless_opencv_without_libgl "$venv"
    say "checking that the packages import"
    "$venv/bin/python" -c 'import av, cv2, decord, mmcv, mmengine, soundfile, timm, torch, torchaudio, torchvision' 1>&2 ||
        fail "the installed packages do not import together; the message is above"
}

if [[ -n "${HICMAE_VENV:-}" ]]; then
    [[ -x "$HICMAE_VENV/bin/python" ]] || fail "HICMAE_VENV=$HICMAE_VENV has no bin/python"
    cd "$HICMAE_VENV" && pwd
    exit 0
fi

find_python
hash="$(cat "$_hicmae_root"/requirements/*.txt | "$python" -c \
    'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest()[:12])')"
cache="${HICMAE_VENV_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/hicmae_mm}"
mkdir -p "$cache"
cache="$(cd "$cache" && pwd)"
venv="$cache/venv-$version-$hash"

if command -v flock >/dev/null 2>&1; then
    exec 9>"$venv.lock"
    if ! flock --nonblock 9; then
        say "another process is installing into $venv; waiting for it"
        flock 9
    fi
fi
# the mark is moved into place last, so an installation that was cut short has none and is redone
if [[ ! -f "$venv/.complete" ]] || ! "$venv/bin/python" -c '' 2>/dev/null; then
    install_packages "$venv"
    date >"$venv/.complete.new"
    mv "$venv/.complete.new" "$venv/.complete"
    for old in "$cache"/venv-*/; do
        [[ "${old%/}" == "$venv" ]] || say "an older environment is no longer used by this checkout: ${old%/}"
    done
fi
say "using $venv"
echo "$venv"

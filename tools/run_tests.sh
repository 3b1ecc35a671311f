#!/usr/bin/env bash
# Sets up the environment, then lints, checks types and import layers, builds the documentation and tests. Arguments go to pytest:
#
#     bash tools/run_tests.sh                          # everything, as CI does
#     bash tools/run_tests.sh tests/models -k fusion   # a part
#     COVERAGE=1 bash tools/run_tests.sh               # also lists the lines that unit tests do not reach; 1.4 times as slow
#
# Every step runs even when an earlier one fails; the exit status is 0 only if all of them pass.

set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
source tools/setup_env.sh || exit 1

scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
summary=()
failed=0

step() { # step NAME COMMAND...: runs it, keeps its last line and its verdict
    local name="$1" started=$SECONDS status verdict=ok
    shift
    printf '\n== %s: %s\n' "$name" "$*"
    "$@" 2>&1 | tee "$scratch/log"
    status=${PIPESTATUS[0]}
    ((status == 0)) || { verdict=FAILED && failed=1; }
    summary+=("$(printf '%-8s %-10s %5d s  %s' "$verdict" "$name" $((SECONDS - started)) "$(tail -n 1 "$scratch/log")")")
    return "$status"
}

tests() { # tests PART MARKERS PYTEST_ARGUMENTS...: pytest's status 5 (no test selected) is only noted
    local part="$1" status
    shift
    python -m pytest -m "$@"
    status=$?
    if ((status == 5)); then
        touch "$scratch/$part-is-empty"
        return 0
    fi
    return "$status"
}

# the type checker takes a minute of one core, in which the next steps run
mypy >"$scratch/types" 2>&1 &
mypy_pid=$!
step lint ruff check .
step format ruff format --check .
step layers lint-imports
step spelling codespell
step docs python -m sphinx -W --keep-going -j 2 -b html docs docs/_build/html
wait "$mypy_pid"
mypy_status=$?
mypy_printed() {
    cat "$scratch/types"
    return "$mypy_status"
}
step types mypy_printed

# the tests of the web page drive Chromium, which pip does not have
if ! { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null &&
    command -v apt-get >/dev/null && ((EUID == 0)); then
    step browser bash -c 'apt-get -q update && apt-get -qy install --no-install-recommends chromium'
fi

gpu='not gpu'
python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' && gpu='gpu or not gpu'
export OMP_NUM_THREADS=1 # two workers; more threads than cores only wait for each other
# only the unit tests are measured: what the slow ones start as processes would not count
measured=()
[[ -z "${COVERAGE:-}" ]] || measured=(--cov=hicmae_mm --cov-report=)
step unit tests unit "not slow and not dist and ($gpu)" -n 2 --dist loadfile "${measured[@]}" "$@"
[[ -z "${COVERAGE:-}" || ! -f .coverage ]] || step coverage python -m coverage report --skip-covered --sort=cover
step slow tests slow "(slow or dist) and ($gpu)" -n 2 --dist loadfile "$@"
if [[ -e "$scratch/unit-is-empty" && -e "$scratch/slow-is-empty" ]]; then
    summary+=("FAILED   no test matches: $*")
    failed=1
fi

printf '\n== summary\n'
printf '%s\n' "${summary[@]}"
exit "$failed"

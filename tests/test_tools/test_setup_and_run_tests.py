"""The two scripts that CI and every newcomer start with, on a checkout of a few lines."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def bash(command: str, cwd: Path, **environment: object) -> subprocess.CompletedProcess:
    values = {key: str(value) for key, value in environment.items()}
    return subprocess.run(
        ['bash', '-c', command], cwd=cwd, env=os.environ | values, capture_output=True, text=True, timeout=300
    )


@pytest.mark.parametrize(
    ('python', 'reason'), [('false', 'does not start'), ('no-such-python', 'none of these is on PATH')]
)
def test_setup_without_a_suitable_python_says_what_to_do(python: str, reason: str, tmp_path: Path) -> None:
    done = bash('source tools/setup_env.sh', ROOT, PYTHON=python, HICMAE_VENV_DIR=tmp_path, HICMAE_VENV='')
    assert done.returncode == 1
    assert 'no suitable Python' in done.stderr
    assert reason in done.stderr
    assert 'PYTHON=/path/to/python3.11' in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_setup_refuses_an_environment_that_is_none(tmp_path: Path) -> None:
    done = bash('bash tools/setup_env.sh', ROOT, HICMAE_VENV=tmp_path)
    assert done.returncode == 1
    assert f'HICMAE_VENV={tmp_path} has no bin/python' in done.stderr


def test_sourced_setup_puts_environment_and_checkout_first(tmp_path: Path) -> None:
    show = 'source "$1"; command -v python; printf "%s\\n" "$PYTHONPATH" "$PIP_REQUIRE_VIRTUALENV" "[${PYTHON-unset}]"'
    command = f'set -eu; set -- {ROOT / "tools" / "setup_env.sh"}; {show}'
    done = bash(command, tmp_path, HICMAE_VENV=sys.prefix, PYTHON='python3', PYTHONPATH='/elsewhere')
    assert done.stdout.splitlines() == [f'{sys.prefix}/bin/python', f'{ROOT}:/elsewhere', '1', '[unset]']


LAYERS = """[tool.importlinter]
root_package = "hicmae_mm"
include_external_packages = true

[[tool.importlinter.contracts]]
name = "No torch"
type = "forbidden"
source_modules = ["hicmae_mm"]
forbidden_modules = ["torch"]
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A project of one module and two tests, with the scripts and settings of this one."""
    for name in ('tools/run_tests.sh', 'tools/setup_env.sh', 'pyproject.toml', '.ci/run'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    settings = (tmp_path / 'pyproject.toml').read_text().partition('[tool.importlinter]')[0]
    (tmp_path / 'pyproject.toml').write_text(settings + LAYERS)
    (tmp_path / 'hicmae_mm').mkdir()
    (tmp_path / 'hicmae_mm' / '__init__.py').write_text('"""A package."""\n\nVALUE: int = 1\n')
    (tmp_path / 'docs').mkdir()
    (tmp_path / 'docs' / 'conf.py').write_text('"""Settings."""\n')
    (tmp_path / 'docs' / 'index.rst').write_text('One module\n==========\n')
    (tmp_path / 'tests').mkdir()
    quick = 'from hicmae_mm import VALUE\n\n\ndef test_quick():\n    assert VALUE == 1\n'
    slow = 'import pytest\n\n\n@pytest.mark.slow\ndef test_slow():\n    assert True\n'
    (tmp_path / 'tests' / 'test_quick.py').write_text(quick)
    (tmp_path / 'tests' / 'test_slow.py').write_text(slow)
    return tmp_path


@pytest.mark.slow
def test_run_tests_passes_and_fails_with_its_steps(checkout: Path) -> None:
    done = bash('bash .ci/run', checkout, HICMAE_VENV=sys.prefix)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split()[:2] for line in done.stdout.partition('== summary')[2].strip().splitlines()] == [
        ['ok', step] for step in ('lint', 'format', 'layers', 'spelling', 'docs', 'types', 'unit', 'slow')
    ]

    (checkout / 'hicmae_mm' / '__init__.py').write_text('"""A package."""\n\nVALUE: int = "2"\n')
    done = bash('bash .ci/run', checkout, HICMAE_VENV=sys.prefix, COVERAGE='1')
    assert done.returncode == 1
    verdicts = [line.split()[:2] for line in done.stdout.partition('== summary')[2].strip().splitlines()]
    assert ['FAILED', 'format'] in verdicts
    assert ['FAILED', 'types'] in verdicts
    assert ['FAILED', 'unit'] in verdicts
    assert ['ok', 'coverage'] in verdicts
    assert ['ok', 'slow'] in verdicts


@pytest.mark.slow
def test_run_tests_hands_its_arguments_to_pytest(checkout: Path) -> None:
    done = bash('bash tools/run_tests.sh tests/test_slow.py', checkout, HICMAE_VENV=sys.prefix)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '1 passed' in done.stdout
    done = bash('bash tools/run_tests.sh -k nothing_has_this_name', checkout, HICMAE_VENV=sys.prefix)
    assert done.returncode == 1
    assert 'no test matches: -k nothing_has_this_name' in done.stdout

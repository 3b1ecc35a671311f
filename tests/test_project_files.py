"""What the files around the code say of it: the workflow, the quick checks, and every name of a file in prose."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
FILES = [Path(name) for name in subprocess.check_output(['git', 'ls-files'], cwd=ROOT, text=True).splitlines()]
FOLDERS = ('hicmae_mm', 'tests', 'tools', 'docs', 'demo', 'benchmarks', 'requirements')
FILE_OF_A_FOLDER = re.compile(rf'(?<![\w/.-])((?:{"|".join(FOLDERS)})/[\w./-]+\.(?:py|sh|md|yml|txt|jsonl?))(?![\w-])')
MODULE_ANYWHERE = re.compile(r'``(\w+\.py)``')
MODULE_BESIDE = re.compile(r'(?:is|are|stands?) in ``(\w+\.py)``')
PROSE = [
    path
    for path in FILES
    if path.suffix in ('.md', '.py', '.sh', '.yml') and path.parts[0] not in ('tests', 'CHANGELOG.md')
]


def test_public_workflow_runs_what_ci_runs() -> None:
    ci = [line for line in (ROOT / '.ci' / 'run').read_text().splitlines() if not line.startswith('#')]
    workflow = yaml.safe_load((ROOT / '.github' / 'workflows' / 'ci.yml').read_text())
    commands = [step['run'] for step in workflow['jobs']['test']['steps'] if 'run' in step]
    assert commands == ci == ['bash tools/run_tests.sh']


def test_quick_checks_are_steps_of_the_tests() -> None:
    steps = re.findall(r'^step \w+ (.+)$', (ROOT / 'tools' / 'run_tests.sh').read_text(), re.M)
    hooks = yaml.safe_load((ROOT / '.pre-commit-config.yaml').read_text())['repos'][0]['hooks']
    names = [' '.join(word for word in hook['entry'].split() if not word.startswith('--')) for hook in hooks]
    assert names == ['ruff check', 'ruff format', 'codespell', 'mypy', 'lint-imports']
    assert all(any(step.startswith(name) for step in steps) for name in names)


def test_files_that_prose_names_exist() -> None:
    names = {file.name for file in FILES}
    missing = set()
    for path in PROSE:
        text = (ROOT / path).read_text(encoding='utf-8')
        named = {name for name in FILE_OF_A_FOLDER.findall(text) if not (ROOT / name).exists()}
        if path.parts[0] == 'hicmae_mm':
            beside = {file.name for file in (ROOT / path).parent.iterdir()}
            named |= {name for name in MODULE_BESIDE.findall(text) if name not in beside}
            named |= {name for name in MODULE_ANYWHERE.findall(text) if name not in names}
        missing |= {f'{path}: {name}' for name in named if 'NAME' not in name}
    assert missing == set()

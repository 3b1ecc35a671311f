"""What README.md and docs/ say is true: their commands run, or are held against the tools that they call.

Every ``bash`` block stands under a comment that declares what CI does with it:

* ``<!-- ci: run -->``: its commands are run, in a copy of the checkout, all of a page in one shell;
* ``<!-- ci: check, REASON -->``: not run; every tool, flag, config and override in it must exist.

``python`` blocks are executed, in a process that those of a page share, unless commands stand between them: a page runs
from top to bottom. A block that opens with a comment naming a file (``# my_project/fusion.py``) is written to that file
before anything runs.
"""

from __future__ import annotations

import io
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import pytest
from mmengine.config import Config
from mmengine.registry import Registry

from hicmae_mm import registry as registries
from hicmae_mm.config.checks import check_config
from hicmae_mm.config.override_values import read_value
from hicmae_mm.config.overrides import check_overrides
from tests.forking import programs
from tests.forking.server import FUNCTION, forking_python

ROOT = Path(__file__).resolve().parents[1]
BUILT = ('_build', 'generated')  # what Sphinx leaves below docs
PAGES = [path for path in sorted((ROOT / 'docs').rglob('*.md')) if not set(path.parts) & set(BUILT)]
PAGES[:0] = [ROOT / name for name in ('README.md', 'CONTRIBUTING.md', 'SECURITY.md')]
FENCE = re.compile(r'(?:<!-- ci: (?P<directive>[^\n]*?) -->\n)?```(?P<language>\w*)\n(?P<code>.*?)^```$', re.M | re.S)
WRITTEN_FILE = re.compile(r'# (\S+/\S+\.py)\n')
PASSED_ON = {'dist_train.sh': 'train.py', 'slurm_train.sh': 'train.py', 'dist_test.sh': 'test.py'}
PASSED_ON |= {'slurm_test.sh': 'test.py'}
PASSED_ON |= {f'{launcher}_extract_features.sh': 'extract_features.py' for launcher in ('dist', 'slurm')}
BUILTINS = {'cd', 'export', 'git', 'pip', 'pre-commit', 'tensorboard'}


class Block(NamedTuple):
    """A fenced block of a page."""

    page: Path
    line: int
    directive: str
    language: str
    code: str

    @property
    def where(self) -> str:
        return f'{self.page.relative_to(ROOT)}:{self.line}'


def blocks_of(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding='utf-8')
    for match in FENCE.finditer(text):
        line = text.count('\n', 0, match.start('language')) + 1
        yield Block(page, line, match['directive'] or '', match['language'], match['code'])


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def commands_of(code: str) -> Iterator[list[str]]:
    """Words of every command, without comments, continuation marks and leading assignments."""
    for line in code.replace('\\\n', ' ').splitlines():
        words = shlex.split(line, comments=True)
        while words and re.match(r'\w+=', words[0]):
            words.pop(0)
        if words:
            yield words


@pytest.mark.parametrize('block', [pytest.param(block, id=block.where) for block in BLOCKS])
def test_block_declares_its_language_and_its_check(block: Block) -> None:
    assert block.language in ('bash', 'python', 'text'), 'say ```bash, ```python or ```text'
    if block.language == 'bash':
        assert re.match(r'run$|check, \w+', block.directive), 'bash blocks need <!-- ci: ... -->'
    else:
        assert not block.directive
    if block.language == 'python':
        compile(block.code, block.where, 'exec')  # the slow tests run it


@cache
def help_of(tool: str, subcommand: str = '') -> str:
    argv = [tool, *filter(None, [subcommand]), '--help']
    beside = patch.object(sys, 'path', [str(Path(tool).parent), *sys.path])  # as for a script
    with beside, patch.object(sys, 'argv', argv), redirect_stdout(io.StringIO()) as printed, suppress(SystemExit):
        runpy.run_path(tool, run_name='__main__')
    return printed.getvalue()


def check_command(words: list[str], written_files: set[str]) -> None:
    """Raises AssertionError when a command names something that does not exist."""
    if words[0] in BUILTINS:
        return
    words = words[1:] if words[0] in ('python', 'bash', 'source') else words
    tool = ROOT / words[0]
    assert tool.is_file(), f'{words[0]} does not exist'
    if tool.suffix == '.sh':
        assert os.access(tool, os.X_OK), f'{words[0]} is not executable'
        subprocess.run(['bash', '-n', str(tool)], check=True)
    tool = tool.with_name(PASSED_ON.get(tool.name, tool.name))
    configs = [word for word in words[1:] if re.search(r'(^|/)configs/.*\.py$', word)]
    missing = [word for word in configs if not (ROOT / word).is_file() and word not in written_files]
    assert not missing, f'no such config: {missing}'
    if tool.suffix == '.py':
        check_flags(words, str(tool))
    if '--cfg-options' in words and configs and configs[0] not in written_files:
        check_cfg_options(words, ROOT / configs[0])


def check_flags(words: list[str], tool: str) -> None:
    known = help_of(tool)
    if known.partition('\n\n')[0].endswith(' ...'):  # the usage line of a tool with subcommands
        known = help_of(tool, words[1])
    for word in words[1:]:
        if word.startswith('--'):
            assert re.search(rf'{re.escape(word.partition("=")[0])}\b(?!-)', known), f'{tool} has no {word}'


def check_cfg_options(words: list[str], config: Path) -> None:
    given = words[words.index('--cfg-options') + 1 :]
    pairs = [word.split('=', 1) for word in given[: next((i for i, w in enumerate(given) if '=' not in w), None)]]
    overrides = {key: read_value(value) for key, value in pairs}
    assert overrides
    cfg = Config.fromfile(config)
    check_overrides(cfg, overrides)
    cfg.merge_from_dict(overrides)
    check_config(cfg)


def files_written_by(page: Path) -> dict[str, str]:
    found = ((WRITTEN_FILE.match(block.code), block) for block in blocks_of(page) if block.language == 'python')
    return {match[1]: block.code for match, block in found if match}


CHECKED = [pytest.param(block, id=block.where) for block in BLOCKS if block.directive.startswith('check')]


@pytest.mark.slow  # every tool is asked for its help
@pytest.mark.parametrize('block', CHECKED)
def test_commands_name_only_what_exists(block: Block) -> None:
    commands = list(commands_of(block.code))
    assert commands
    for words in commands:
        check_command(words, set(files_written_by(block.page)))


@pytest.fixture(scope='module')
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, for commands that write into the working folder."""
    copy = tmp_path_factory.mktemp('docs') / 'hicmae_mm'
    for name in ('configs', 'tools', 'demo', 'hicmae_mm', 'docs', 'requirements'):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns('__pycache__', *BUILT))
    return copy


@pytest.mark.slow
@pytest.mark.parametrize('page', PAGES, ids=name_of)
def test_commands_and_python_blocks_of_a_page_run(page: Path, checkout: Path) -> None:
    for name, code in files_written_by(page).items():
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text(code)
    with forking_python() as variables:
        path = f'{Path(sys.executable).parent}:{os.environ["PATH"]}'
        exported = os.environ | variables | dict(PYTHONPATH=str(checkout), PATH=path, HICMAE_VENV=sys.prefix)
        exported['CUDA_VISIBLE_DEVICES'] = ''
        for number, (language, code) in enumerate(steps_of(page)):
            if language == 'bash':
                exported = run_bash(code, checkout, exported, page)
            else:
                run_python(code, checkout, exported, f'{name_of(page)}, step {number + 1}')


def steps_of(page: Path) -> list[tuple[str, str]]:
    """What a page runs, in its order; neighbours of one language are one step."""
    steps: list[tuple[str, str]] = []
    for block in blocks_of(page):
        runs = block.directive == 'run' or (block.language == 'python' and not WRITTEN_FILE.match(block.code))
        if runs and steps and steps[-1][0] == block.language:
            steps[-1] = (block.language, f'{steps[-1][1]}\n{block.code}')
        elif runs:
            steps.append((block.language, block.code))
    return steps


def run_bash(code: str, checkout: Path, exported: dict[str, str], page: Path) -> dict[str, str]:
    """Runs commands; returns the environment that they leave.

    Programs in the background start as usual, so that the page can kill them by ``$!``.
    """
    code = re.sub(r'^python(?= [^\n&]*&(?!&))', 'command python', code, flags=re.M)
    left = checkout / 'environment'
    command = ['bash', '-exuo', 'pipefail', '-c', f'{FUNCTION}\n{code}\nenv -0 > "{left}"']
    done = subprocess.run(command, cwd=checkout, env=exported, capture_output=True, text=True)
    output = f'{done.stdout[-3000:]}\n{done.stderr[-3000:]}'
    assert done.returncode == 0, f'{name_of(page)}: ended with {done.returncode}\n{output}'
    return dict(line.split('=', 1) for line in left.read_text().split('\0') if line)


def run_python(code: str, checkout: Path, exported: dict[str, str], where: str) -> None:
    """Runs code in a process that need not import everything again, and has seen no GPU yet."""
    program = checkout / 'block.py'
    program.write_text(code)
    done = programs.run([str(program)], checkout, exported, seconds=600)
    assert done.returncode == 0, f'{where}: ended with {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}'


def test_components_page_lists_every_registered_component() -> None:
    text = (ROOT / 'docs' / 'components.md').read_text(encoding='utf-8')
    for registry in (value for value in vars(registries).values() if isinstance(value, Registry)):
        registry.import_from_location()
        for name, kind in registry.module_dict.items():
            assert not kind.__module__.startswith('hicmae_mm.') or f'`{name}`' in text, name


@pytest.mark.parametrize('folder', ['concepts', 'tutorials'])
def test_figures_are_small_and_shown(folder: str) -> None:
    pages = ''.join(page.read_text(encoding='utf-8') for page in PAGES)
    figures = sorted((ROOT / 'docs' / 'images' / folder).glob('*.png'))
    assert figures
    for figure in figures:
        assert figure.stat().st_size < 60_000, f'{figure.name}: reduce its colours, as docs/figures/draw.py does'
        assert f'images/{folder}/{figure.name})' in pages, f'no page shows {figure.name}'


def test_index_lists_every_page() -> None:
    text = (ROOT / 'docs' / 'index.md').read_text(encoding='utf-8')
    listed = re.findall(r'^\* \[[^\]]+\]\(([^)#]+\.md)\)', text, re.M)
    assert sorted(listed) == sorted(
        name_of(page).removeprefix('docs/')
        for page in PAGES[3:]
        if page.name != 'index.md' or page.parent.name == 'api'
    )

"""The ``Example:`` blocks of the docstrings run as they stand, and print what they claim."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest
from mmengine.logging import MMLogger

ROOT = Path(__file__).parents[1]


def modules_with_examples() -> list[str]:
    """Names of the modules of the package whose source contains a doctest prompt."""
    paths = sorted((ROOT / 'hicmae_mm').rglob('*.py'))
    with_examples = [path for path in paths if '>>> ' in path.read_text(encoding='utf-8')]
    return ['.'.join(path.relative_to(ROOT).with_suffix('').parts).removesuffix('.__init__') for path in with_examples]


@pytest.mark.parametrize('name', modules_with_examples())
def test_examples_run_and_print_what_they_claim(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # examples name configs relative to the root
    MMLogger.get_current_instance()  # one that an example makes would write into what the example prints
    module = importlib.import_module(name)
    finder = doctest.DocTestFinder(exclude_empty=True)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    report: list[str] = []
    for example in finder.find(module, name):
        runner.run(example, out=report.append)
    assert runner.summarize(verbose=False).failed == 0, ''.join(report)
    assert runner.tries > 0, f'{name} has a doctest prompt, but no docstring with an example'


def test_some_module_has_an_example() -> None:
    assert modules_with_examples()

"""Every corpus end to end, in miniature: convert, train one epoch with the corpus's config, test, measure."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

import tests.corpora
from hicmae_mm.engine import build_runner
from hicmae_mm.utils.paths import configs_root
from tests.corpora.case import CorpusCase
from tests.test_tools.command import last_line, run_tool
from tests.test_tools.converters import FOLDER, load_converter, read_lists
from tests.tiny_config import make_tiny

MODULES = [name for _, name, _ in pkgutil.iter_modules(tests.corpora.__path__) if name != 'case']
CASES: list[CorpusCase] = [
    case
    for module in map(importlib.import_module, (f'tests.corpora.{name}' for name in MODULES))
    for case in (module.CASES if hasattr(module, 'CASES') else [module.CASE])
]
corpus_case = pytest.mark.parametrize('case', CASES, ids=lambda case: case.config.removeprefix('hicmae_base_'))


@corpus_case
def test_convert_train_and_test(case: CorpusCase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, lists = tmp_path / 'corpus', tmp_path / 'lists'
    case.write(root)
    assert load_converter(case.converter).main([str(root), '--out-dir', str(lists), *case.arguments]) == 0
    written = read_lists(lists)
    assert {fold: {part: len(rows) for part, rows in parts.items()} for fold, parts in written.items()} == case.sizes
    for parts in written.values():
        for rows in parts.values():
            assert all(Path(row[0]).exists() for row in rows)

    monkeypatch.setenv(case.root_variable, str(lists))
    for name, value in case.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv('FOLD', raising=False)
    cfg = Config.fromfile(configs_root() / f'{case.config}.py')
    make_tiny(cfg, tmp_path / 'run')
    if cfg.model.type == 'AudioVisualRecognizer':
        for encoder in cfg.model.encoders.values():
            encoder.depth = 2
    runner = build_runner(cfg)
    runner.train()
    assert runner.epoch == 1
    if cfg.get('test_dataloader') is None:
        return
    measures = runner.test()
    assert set(case.metrics) <= set(measures)
    assert all(np.isfinite(measures[key]) for key in case.metrics)


@corpus_case
def test_lists_are_not_written_when_media_are_missing(
    case: CorpusCase, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    root, lists = tmp_path / 'corpus', tmp_path / 'lists'
    case.write(root)
    main = load_converter(case.converter).main
    arguments = [str(root), '--out-dir', str(lists), *case.arguments]
    assert main(arguments) == 0
    victim = Path(next(rows[0] for parts in read_lists(lists).values() for rows in parts.values())[0])
    before = {path: path.read_bytes() for path in lists.rglob('*') if path.is_file()}
    victim.rename(victim.with_name('elsewhere.hidden'))
    capsys.readouterr()
    status = main(arguments)
    after = {path: path.read_bytes() for path in lists.rglob('*') if path.is_file()}
    if status == 0:  # the converter lists what is there, so the clip is simply not in the lists
        assert after != before
    else:
        assert victim.name in capsys.readouterr().err
        assert after == before


@pytest.mark.slow
@pytest.mark.parametrize('name', sorted({case.converter for case in CASES}))
def test_a_wrong_folder_ends_in_one_line(name: str, tmp_path: Path) -> None:
    result = run_tool(
        f'dataset_converters/{name}.py', tmp_path / 'nothing', '--out-dir', tmp_path / 'lists', check=False
    )
    assert result.returncode == 1
    assert last_line(result).startswith('error: ')
    assert 'nothing' in last_line(result)
    assert 'Traceback' not in result.stderr
    assert not (tmp_path / 'lists').exists()


def test_every_converter_has_a_miniature_corpus() -> None:
    others = {'extract_audio', 'extract_faces', 'make_shards', 'make_synthetic'}
    assert {path.stem for path in FOLDER.glob('*.py')} - others == {case.converter for case in CASES}

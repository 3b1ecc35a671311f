"""Every corpus end to end, in miniature: convert, train one epoch with the corpus's config, test, measure."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config

import tests.corpora
from hicmae_mm.config.paths import configs_root
from hicmae_mm.engine import build_runner
from hicmae_mm.registry import DATASETS
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


@pytest.mark.slow
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


def leave_things_behind(root: Path) -> None:
    """What macOS, Windows and network drives leave in every folder."""
    for folder in [root, *(path for path in root.rglob('*') if path.is_dir())]:
        for path in list(folder.iterdir()):
            if path.is_file():
                (folder / f'._{path.name}').write_bytes(b'\0\5\x16\7\0\2\0\0')
        for name in ('.DS_Store', 'Thumbs.db', 'desktop.ini'):
            (folder / name).write_bytes(b'\0\0\0\1Bud1')
        for name in ('__MACOSX', '@eaDir'):
            (folder / name).mkdir()
            (folder / name / 'thumb.jpg').write_bytes(b'\xff\xd8')


@pytest.mark.parametrize(('encoding', 'end', 'mark'), [('utf-8-sig', '\r', ','), ('utf-16', '\r\n', '\t')])
@corpus_case
def test_tables_of_other_programs_and_leftovers_change_nothing(
    case: CorpusCase, encoding: str, end: str, mark: str, tmp_path: Path
) -> None:
    root, main = tmp_path / 'corpus', load_converter(case.converter).main
    case.write(root)
    assert main([str(root), '--out-dir', str(tmp_path / 'before'), *case.arguments]) == 0
    for path in [*root.rglob('*.csv'), *root.rglob('*.txt')]:
        if not path.name.startswith('.') and 'with_caption' not in path.parts:  # those are in another encoding
            lines = path.read_text(encoding='utf-8-sig').splitlines()
            text = end.join(line.replace(',', mark) if path.suffix == '.csv' else line for line in lines)
            path.write_bytes(text.encode(encoding))
    leave_things_behind(root)
    assert main([str(root), '--out-dir', str(tmp_path / 'after'), *case.arguments]) == 0
    assert read_lists(tmp_path / 'after') == read_lists(tmp_path / 'before')


@pytest.mark.parametrize('stream', ['video', 'audio'])
@corpus_case
def test_one_stream_is_enough(
    case: CorpusCase, stream: str, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, main = tmp_path / 'corpus', load_converter(case.converter).main
    case.write(root)
    if stream not in case.streams:
        assert main([str(root), '--out-dir', str(tmp_path / 'both'), *case.arguments, '--streams', stream]) == 1
        assert f'--{stream}-dir' in capsys.readouterr().err
        assert not (tmp_path / 'both').exists()
        return
    assert main([str(root), '--out-dir', str(tmp_path / 'both'), *case.arguments]) == 0
    both = read_lists(tmp_path / 'both')
    column = ['video', 'audio'].index(stream)
    media = [{row[c] for parts in both.values() for rows in parts.values() for row in rows} for c in range(2)]
    for path in media[1 - column] - media[column] - {'-'}:
        Path(path).rename(f'{path}.gone')
    arguments = [str(root), '--out-dir', str(tmp_path / 'one'), *case.arguments]
    if len(case.streams) > 1 and '--allow-missing' not in case.arguments and case.converter != 'avcaffe':
        assert main(arguments) == 1
    assert main([*arguments, '--streams', stream]) == 0
    one = read_lists(tmp_path / 'one')
    assert one.keys() == both.keys()
    for fold, parts in both.items():
        for part, rows in parts.items():
            expected = [[row[0], '-'] if stream == 'video' else ['-', row[1]] for row in rows]
            found = [row[:2] for row in one[fold][part]]
            assert [row for row in found if row in expected] == expected
    expected = {row[column] for rows in one[next(iter(one))].values() for row in rows}
    for record in records(case, tmp_path / 'one', monkeypatch, streams=(stream,)):
        assert record['streams'] == (stream,)
        path = record[f'{stream}_path']
        assert path in expected
        assert Path(path).exists()
    victim = Path(min(media[column]))
    victim.rename(tmp_path / victim.name)
    capsys.readouterr()
    if main([*arguments, '--streams', stream]) == 1:
        assert victim.name in capsys.readouterr().err
    else:  # the converter lists what is there
        assert '--allow-missing' in case.arguments or read_lists(tmp_path / 'one') != one


def records(case: CorpusCase, lists: Path, monkeypatch: pytest.MonkeyPatch, **options: object) -> list[dict[str, Any]]:
    """What the pipeline of the corpus's config starts from."""
    monkeypatch.setenv(case.root_variable, str(lists))
    for name, value in case.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv('FOLD', raising=False)
    dataset = Config.fromfile(configs_root() / f'{case.config}.py').train_dataloader.dataset
    built = DATASETS.build(dataset | dict(pipeline=[], **options))
    keys = ('video_path', 'audio_path', 'gt_label', 'gt_values', 'columns', 'sample_id', 'streams')
    infos = [built.get_data_info(index) for index in range(len(built))]
    return [{key: info[key] for key in keys if key in info} for info in infos]


@pytest.mark.parametrize(
    'case',
    [case for case in CASES if case.converter != 'voxceleb2'],  # unlabelled, and has no option --table
    ids=lambda case: case.config.removeprefix('hicmae_base_'),
)
def test_tables_hold_what_lists_hold_and_more(
    case: CorpusCase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, main = tmp_path / 'corpus', load_converter(case.converter).main
    case.write(root)
    found = {}
    for name, options in (('list', ()), ('table', ('--table',))):
        assert main([str(root), '--out-dir', str(tmp_path / name), *case.arguments, *options]) == 0
        found[name] = records(case, tmp_path / name, monkeypatch)
    columns = [record.pop('columns', {}) for record in found['table']]
    assert found['table'] == found['list']
    known = dict(
        iemocap={'speaker', 'sex', 'text', 'votes', 'valence', 'session'},
        msp_improv={'speaker', 'sex', 'session'},
        cremad={'speaker', 'text', 'intensity'},
        ravdess={'speaker', 'sex', 'text', 'intensity'},
        ferv39k={'scene'},
    )
    assert known.get(case.converter, set()) <= set(columns[0])


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
    # affwild2, meld and mosi write tables of their own, see test_affwild2.py, test_meld.py and test_mosi.py
    others = {'affwild2', 'candidate_labels', 'extract_audio', 'extract_faces', 'feature_pickles', 'make_shards'}
    others |= {'make_synthetic', 'meld', 'mosi', 'speech'}
    assert {path.stem for path in FOLDER.glob('*.py')} - others == {case.converter for case in CASES}

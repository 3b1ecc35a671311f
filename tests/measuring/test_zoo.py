from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from hicmae_mm.config.paths import configs_root
from hicmae_mm.measuring.zoo import (
    digest,
    listed_models,
    matmul_work,
    read_records,
    table,
    write_records,
)

REPORT = dict(nominal_gflop_per_clip=3.0, batch_size=2, matmul_fraction=0.5, seconds_per_iter=0.25, peak_memory_mb=2048)


def record(name: str, **reports: Any) -> dict[str, Any]:
    known = dict(name=name, digest='0' * 16, date='2026-01-02', alike=[], parameters=84_900_000, macs=49.65e9)
    return known | dict(reports=reports)


def test_every_model_is_listed_under_one_name() -> None:
    models = listed_models(configs_root().parent)
    names = [model.config.stem for model in models]
    listed = names + [name for model in models for name in model.alike]
    leaves = {path.stem for path in configs_root().rglob('*.py') if '_base_' not in path.parts}
    assert sorted(listed) == sorted(leaves)
    assert len(set(names)) == len(names)
    (hicmae,) = (model for model in models if 'hicmae_base_cremad' in (model.config.stem, *model.alike))
    assert 'hicmae_base_mafw' in (hicmae.config.stem, *hicmae.alike)
    assert {'mae_dfer_base_dfew', 'mae_dfer_base_plain_dfew'} <= set(names)


def test_a_folder_without_metafiles_has_no_models(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'has no metafile\.yml'):
        listed_models(tmp_path)


def test_records_survive_and_damage_is_named(tmp_path: Path) -> None:
    path = tmp_path / 'folder' / 'zoo.jsonl'
    assert read_records(path) == {}
    records = {'a': record('a', train=REPORT), 'b': record('b')}
    write_records(path, records)
    assert read_records(path) == records
    path.write_text(path.read_text() + '{"nam')
    with pytest.raises(ValueError, match=r'zoo\.jsonl, line 3: no measurement of zoo\.py; delete the line'):
        read_records(path)


def test_digest_changes_with_the_model_and_the_settings() -> None:
    cfg, other = Config(dict(model=dict(type='A'))), Config(dict(model=dict(type='B')))
    assert digest(cfg, dict(iters=1)) == digest(cfg, dict(iters=1))
    assert len({digest(cfg, dict(iters=1)), digest(other, dict(iters=1)), digest(cfg, dict(iters=2))}) == 3


def test_work_is_time_against_the_rate() -> None:
    assert matmul_work(REPORT) == 12.0


def test_table_has_a_row_for_each_model_and_a_note_for_each_comparison() -> None:
    rows = [record('a', train=REPORT, infer={'too_big': 7.5}) | dict(alike=['c', 'd'], uar=81.25), record('b')]
    note = dict(models=['a', 'b'], train=0.61, infer=0.634, macs=0.615, rounds=3, date='2026-01-02')
    lines = table(rows, [note], 'About.').splitlines()
    assert lines[0] == 'About.'
    assert lines[4] == '| `a` and 2 more | 84.9 | 49.6 | 0.25 | 0.50 | 2.0 | too big for 7.5 GB | | | 81.2 |'
    assert lines[5] == '| `b` | 84.9 | 49.6 | | | | | | | |'
    assert lines[7].startswith('On the same clips, `a` takes 0.61 of the time in a training step and 0.63 of the time')
    assert {line.count('|') for line in lines[2:6]} == {11}

"""``dataset-index.yml`` says of every corpus what its class, converter, configs and page say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from mmengine.config import Config

from hicmae_mm.config.paths import configs_root
from hicmae_mm.datasets import corpora
from hicmae_mm.registry import DATASETS

ROOT = Path(__file__).parents[1]
INDEX: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / 'dataset-index.yml').read_text())

every_entry = pytest.mark.parametrize('name', INDEX)


def test_every_corpus_is_there_once() -> None:
    assert sorted(INDEX) == sorted(corpora.__all__)
    converters = {path.stem for path in (ROOT / 'tools' / 'dataset_converters').glob('*.py')}
    others = {'candidate_labels', 'extract_audio', 'extract_faces', 'feature_pickles'}
    others |= {'make_shards', 'make_synthetic', 'speech'}
    assert {Path(entry['converter']).stem for entry in INDEX.values()} == converters - others


@every_entry
def test_entry_says_what_the_class_says(name: str) -> None:
    entry, kind = INDEX[name], DATASETS.get(name)
    assert entry['task'] == kind.TASK
    for key in ('name', 'homepage', 'paper', 'licence'):
        assert entry[key] == kind.METAINFO[key], key
    labels = kind.METAINFO.get('classes') or kind.METAINFO.get('dimensions')
    has_frame_labels = kind.METAINFO.get('level') == 'frame'
    assert bool(labels) == (kind.TASK != 'unlabelled' or has_frame_labels)
    if kind.METAINFO.get('classes'):
        assert len(kind.METAINFO['palette']) == len(set(kind.METAINFO['classes']))
        assert all(0 <= value <= 255 for colour in kind.METAINFO['palette'] for value in colour)


@every_entry
def test_everything_an_entry_names_exists(name: str) -> None:
    entry = INDEX[name]
    page = (ROOT / entry['documentation']).read_text()
    assert entry['converter'] in page
    assert entry['homepage'] in page
    for config in entry['configs']:
        assert (ROOT / config).is_file(), config


def test_every_config_of_a_corpus_is_indexed_by_size() -> None:
    indexed = {Path(config).stem for entry in INDEX.values() for config in entry['configs']}
    for path in configs_root().glob('*.py'):
        dataset = Config.fromfile(path).train_dataloader.dataset.type
        is_variant = path.stem not in indexed
        assert dataset not in corpora.__all__ or not is_variant or path.stem.startswith('hicmae_base_'), path.stem

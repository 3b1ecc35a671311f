"""Computed entries of the metafile, and what is kept beside them."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from hicmae_mm.config.paths import configs_root
from hicmae_mm.measuring.metafile import describe, measure, read_metafile, record_weights, update, write_metafile

ROOT = configs_root().parent
CREMAD, NANO = (configs_root() / f'hicmae_{name}.py' for name in ('base_cremad', 'nano_pretrain_synthetic'))


def test_sizes_and_work_as_published() -> None:
    """80.8 M parameters and 46.1 G multiply-accumulates (HiCMAE, table of sizes)."""
    sizes = measure(Config.fromfile(CREMAD))
    assert sizes['Parameters'] == 80_792_602
    assert sizes['FLOPs'] / 2e9 == pytest.approx(46.1, abs=0.05)


def test_an_entry() -> None:
    entry = describe(NANO, ROOT)
    assert entry['Name'] == 'hicmae_nano_pretrain_synthetic'
    assert entry['Config'] == 'configs/hicmae_nano_pretrain_synthetic.py'
    assert entry['Results'] == [{'Task': 'Self-Supervised Pre-Training', 'Dataset': 'synthetic', 'Metrics': None}]
    assert entry['Metadata']['Epochs'] == Config.fromfile(NANO).train_cfg.max_epochs
    assert entry['Metadata']['FLOPs'] > 2 * 64 * entry['Metadata']['Parameters'] / 10
    assert entry['Weights'] is None


def test_updating_keeps_what_is_not_computed_and_drops_vanished_configs(tmp_path: Path) -> None:
    path = tmp_path / 'metafile.yml'
    path.write_text('# first\n\n# second\nModels: []\n')
    written = {
        'Name': NANO.stem,
        'Metadata': {'Parameters': 1, 'Weights SHA256': 'ab'},
        'Results': [{'Task': 'old', 'Metrics': {'UAR': 0.5}, 'Published': {'WAR': 84.91}}, {'Task': 'another'}],
        'Weights': 'nano.pth',
        'Paper': 'x',
    }
    old = {'Collections': [{'Name': 'HiCMAE'}], 'Models': [{'Name': 'vanished'}, written]}
    new = update(old, [NANO], ROOT)
    assert new['Collections'] == old['Collections']
    (entry,) = new['Models']
    assert entry['Metadata']['Parameters'] > 1000
    assert entry['Metadata']['Weights SHA256'] == 'ab'
    assert entry['Results'][0]['Task'] == 'Self-Supervised Pre-Training'
    assert entry['Results'][0]['Metrics'] == {'UAR': 0.5}
    assert entry['Results'][0]['Published'] == {'WAR': 84.91}
    assert entry['Results'][1] == {'Task': 'another'}
    assert (entry['Weights'], entry['Paper']) == ('nano.pth', 'x')
    write_metafile(path, new)
    assert path.read_text().startswith('# first\n\n# second\nCollections:\n')
    assert read_metafile(path) == new
    assert update(new, [NANO], ROOT) == new


def test_recording_weights_and_wrong_files(tmp_path: Path) -> None:
    content = {'Models': [describe(NANO, ROOT, {'Parameters': 1, 'FLOPs': 2})]}
    record_weights(content, NANO.stem, 'nano-12345678.pth', '1234', {})
    assert content['Models'][0]['Weights'] == 'nano-12345678.pth'
    assert content['Models'][0]['Metadata']['Weights SHA256'] == '1234'
    assert content['Models'][0]['Results'][0]['Metrics'] is None
    with pytest.raises(ValueError, match=r"no entry 'other'.*update_metafile.py"):
        record_weights(content, 'other', '', '', {})
    with pytest.raises(FileNotFoundError, match=r'absent.yml does not exist'):
        read_metafile(tmp_path / 'absent.yml')
    (tmp_path / 'list.yml').write_text('- a\n')
    with pytest.raises(ValueError, match=r'list.yml is no metafile'):
        read_metafile(tmp_path / 'list.yml')

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

from tests.engine.tiny_run import pretrain_config
from tests.test_tools.command import last_line, run_tool
from tests.test_tools.modules import load_tool

TOOL = 'visualization/browse_dataset.py'


@pytest.fixture(scope='module')
def masked_config(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp('config') / 'masked.py'
    pretrain_config(corpus, Path()).dump(path)
    return path


def browse(config: Path, out_dir: Path, *options: str) -> list[Path]:
    with DefaultScope.overwrite_default_scope('hicmae_mm'):
        assert load_tool(TOOL).main([str(config), '--out-dir', str(out_dir), '-n', '2', *options]) == 0
    return sorted(out_dir.iterdir())


def height(path: Path) -> int:
    image = cv2.imread(str(path))
    assert image is not None
    return image.shape[0]


def test_modes_show_more_and_more(config_file: Path, masked_config: Path, tmp_path: Path) -> None:
    pictures = {
        mode: browse(config_file, tmp_path / mode, '-m', mode) for mode in ('transformed', 'concat', 'pipeline')
    }
    assert [path.name for path in pictures['concat']] == ['000000_0.mp4.png', '000010_10.mp4.png']
    heights = [height(paths[0]) for paths in pictures.values()]
    assert heights == sorted(set(heights))
    masked = browse(masked_config, tmp_path / 'masked', '-m', 'transformed')
    plain = browse(masked_config, tmp_path / 'plain', '-m', 'original')
    assert (cv2.imread(str(masked[0])) != cv2.imread(str(plain[0]))).any()


def test_the_seed_decides(config_file: Path, tmp_path: Path) -> None:
    first, again, other = (browse(config_file, tmp_path / str(i), '--seed', seed)[0] for i, seed in enumerate('001'))
    assert first.read_bytes() == again.read_bytes()
    assert first.read_bytes() != other.read_bytes()


@pytest.mark.slow
def test_words_are_printed_and_features_drawn(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    np.save(tmp_path / 'a.npy', np.eye(3, 6))
    (tmp_path / 'words.txt').write_text('[UNK]\nno\n')
    (tmp_path / 'clips.csv').write_text('sample_id,face,text,label\na,a.npy,no way,0\n')
    load = [dict(type='LoadFeature', stream='face', level='frame'), dict(type='Tokenize', vocabulary='words.txt')]
    pack = dict(type='PackStreams', arrays=(), sequences=dict(face='face', text='text_ids'))
    dataset = dict(
        type='AudioVisualDataset',
        ann_file='clips.csv',
        data_root=str(tmp_path),
        num_classes=2,
        streams=('face', 'text'),
        pipeline=[*load, pack],
    )
    config = tmp_path / 'config.py'
    Config(dict(default_scope='hicmae_mm', train_dataloader=dict(dataset=dataset))).dump(config)
    for mode in ('transformed', 'original'):
        (picture,) = browse(config, tmp_path / mode, '-m', mode)
        assert height(picture) > 100
    assert "a: text 'no way', 2 tokens [1, 0]" in capsys.readouterr().out
    dataset.update(streams=('text',), pipeline=[load[1], dict(pack, sequences=dict(text='text_ids'))])
    Config(dict(default_scope='hicmae_mm', train_dataloader=dict(dataset=dataset))).dump(config)
    (tmp_path / 'words').mkdir()
    assert browse(config, tmp_path / 'words') == []


@pytest.mark.slow
def test_a_phase_that_is_not_there_ends_in_one_line(masked_config: Path, tmp_path: Path) -> None:
    result = run_tool(TOOL, masked_config, '--phase', 'test', '--out-dir', tmp_path / 'none', check=False)
    assert result.returncode == 1
    assert last_line(result) == f'error: {masked_config} has no test_dataloader'

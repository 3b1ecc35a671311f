"""tools/test.py in this process: features in a file, and a stream left out."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.fileio import load

from hicmae_mm.config.paths import tools_root
from hicmae_mm.datasets import AudioVisualDataset, collate_audio_visual
from hicmae_mm.registry import MODELS

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def test_tool() -> Callable[[list[str]], int]:
    return runpy.run_path(str(tools_root() / 'test.py'))['main']


@pytest.fixture(scope='module')
def checkpoint(config_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(config_file).model)
    model.head.fc.weight.data.mul_(1000)
    path = tmp_path_factory.mktemp('checkpoint') / 'model.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    return path


def _forward(config_file: Path, checkpoint: Path, *streams: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Features and scores of the test clips, by hand."""
    cfg = Config.fromfile(config_file)
    model = MODELS.build(cfg.model | dict(missing_streams='zero')).eval()
    model.load_state_dict(torch.load(checkpoint)['state_dict'])
    settings = dict(cfg.test_dataloader.dataset)
    settings.pop('type')
    dataset = AudioVisualDataset(**settings, streams=streams)
    inputs = model.data_preprocessor(collate_audio_visual([dataset[i] for i in range(len(dataset))]))['inputs']
    with torch.no_grad():
        features = model.extract_features(inputs)
        return features, model.head(features).softmax(-1)


def test_features_of_every_clip_are_saved(
    test_tool: Callable, config_file: Path, checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / 'new' / 'features.npz'
    assert test_tool([str(config_file), str(checkpoint), '--work-dir', str(tmp_path), '--save-features', str(out)]) == 0
    assert [path.name for path in out.parent.iterdir()] == ['features.npz']
    saved = np.load(out)
    assert set(saved) == {'sample_id', 'features', 'gt_label', 'pred_label', 'pred_score'}
    features, scores = _forward(config_file, checkpoint, 'video', 'audio')
    assert saved['sample_id'].tolist() == [f'{number}.mp4' for number in range(13)]
    np.testing.assert_allclose(saved['features'], features.numpy(), atol=1e-5)
    np.testing.assert_allclose(saved['pred_score'], scores.numpy(), atol=1e-5)
    assert saved['gt_label'].tolist() == [number % 2 for number in range(13)]
    assert saved['pred_label'].tolist() == scores.argmax(-1).tolist()


@pytest.mark.parametrize(('dropped', 'kept', 'column'), [('audio', 'video', 1), ('video', 'audio', 0)])
def test_a_dropped_modality_is_not_even_opened(
    dropped: str,
    kept: str,
    column: int,
    test_tool: Callable,
    config_file: Path,
    checkpoint: Path,
    corpus: Path,
    tmp_path: Path,
) -> None:
    lines = [line.split() for line in (corpus / 'test.txt').read_text().splitlines()]
    for line in lines:
        line[column] = f'absent/{line[column]}'
    (tmp_path / 'absent.txt').write_text('\n'.join(map(' '.join, lines)))
    arguments = [str(config_file), str(checkpoint), '--work-dir', str(tmp_path), '--out', str(tmp_path / 'pred.pkl')]
    arguments += [
        '--drop-modality',
        dropped,
        '--cfg-options',
        f'test_dataloader.dataset.ann_file={tmp_path}/absent.txt',
    ]
    assert test_tool(arguments) == 0
    _, scores = _forward(config_file, checkpoint, kept)
    predicted: list[dict[str, Any]] = load(tmp_path / 'pred.pkl')
    torch.testing.assert_close(
        torch.tensor(np.stack([sample['pred_score'] for sample in predicted])), scores, atol=1e-5, rtol=0
    )
    _, complete = _forward(config_file, checkpoint, 'video', 'audio')
    assert not torch.allclose(scores, complete, atol=1e-3)


def test_mistakes_are_named(
    test_tool: Callable, config_file: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = ['--cfg-options', 'model.encoders._delete_=True', 'model.encoders.video.type=VisionTransformerEncoder']
    assert test_tool([str(config_file), str(checkpoint), '--drop-modality', 'audio', *one]) == 1
    assert 'needs a model of this stream and another' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        test_tool([str(config_file), str(checkpoint), '--save-features', 'features.csv'])
    assert 'features go into a .npz file' in capsys.readouterr().err

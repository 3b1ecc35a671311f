"""One recogniser, exported once in every form that several tests look at."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config
from torch import nn

from hicmae_mm.export import export_model
from tests.models.tiny import build, inputs, recognizer_config


def tiny_config(*streams: str, **options: object) -> Config:
    """A config around a tiny recogniser, one layer deep."""
    model = recognizer_config(*streams, data_preprocessor=dict(type='AudioVisualDataPreprocessor'), **options)
    for encoder in model['encoders'].values():
        encoder['depth'] = 1
    if model['fusion'] is not None:
        model['fusion']['depth'] = 1
    sampling = dict(type='SampleClips', mode='test', clip_len=4, frame_interval=2, num_clips=2)
    reading = [dict(type='OpenVideo'), sampling, dict(type='DecodeFrames'), dict(type='LoadAudio')]
    views = [
        dict(type='Filterbank', num_mel_bins=32, target_length=32),
        dict(type='SpatialViews', num_views=2, size=32),
        dict(type='PackAudioVisual'),
    ]
    dataset = dict(
        type='AudioVisualDataset',
        ann_file='not_there.txt',
        metainfo=dict(classes=('a', 'b', 'c')),
        pipeline=[*reading, *views],
        streams=streams or ('video', 'audio'),
    )
    return Config(dict(model=model, test_dataloader=dict(dataset=dataset)))


@pytest.fixture(scope='session')
def cfg() -> Config:
    return tiny_config()


@pytest.fixture(scope='session')
def model(cfg: Config) -> nn.Module:
    return build(cfg.model).eval()


@pytest.fixture(scope='session')
def onnx_folder(cfg: Config, model: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ONNX in float32, any batch size, checked."""
    folder = tmp_path_factory.mktemp('export') / 'onnx'
    export_model(model, cfg, folder, views=inputs(5), checkpoint={'file': 'tiny.pth', 'sha256': '0' * 64})
    return folder


@pytest.fixture(scope='session')
def program_folder(cfg: Config, model: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A torch.export program of two views, checked."""
    folder = tmp_path_factory.mktemp('export') / 'program'
    export_model(model, cfg, folder, format='torch-export', batch_size=2, views=inputs(5))
    return folder

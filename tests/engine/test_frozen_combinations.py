"""Every combination of frozen encoders trains on two ranks and resumes exactly; some of the models are exported."""

from __future__ import annotations

import itertools
import os
import socket
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
import torch.distributed as dist
from mmengine.config import Config
from torch.utils.data import Dataset

from hicmae_mm.checkpoints.loading import read_checkpoint
from hicmae_mm.datasets.collate import collate_streams
from hicmae_mm.engine import set_resume
from hicmae_mm.export import export_model, read_manifest
from hicmae_mm.export.recognizer import prepare_inputs
from hicmae_mm.registry import DATASETS
from hicmae_mm.structures import EmotionDataSample, Padded, Stream
from tests.component_cases import MODEL_CASES
from tests.engine.tiny_run import finetune_config, train
from tests.engine.wrappers.scenarios import spread
from tests.models.foreign import tiny_transformers as tiny
from tests.models.foreign.test_mmaction import TINY as BACKBONES

pytestmark = [pytest.mark.slow, pytest.mark.dist]

NUM_CLIPS = 8


def encoder(name: str, **options: Any) -> dict[str, Any]:
    return dict(type='TransformersEncoder', config=tiny.config(name), **options)


VIDEOS = {
    'clip': encoder('clip_vision_model', tokens='frames'),
    'timm': dict(
        type='TimmEncoder',
        name='vit_tiny_patch16_224',
        options=dict(img_size=32, embed_dim=16, depth=1, num_heads=2),
        tokens='frames',
    ),
    'videomae': dict(type='MMActionEncoder', backbone=BACKBONES['VisionTransformer'], input_size=(4, 32, 32)),
}
SOUNDS = {name: encoder(name) for name in ('wavlm', 'whisper', 'clap_audio_model')} | {
    'torchaudio': dict(type='TorchaudioEncoder', **MODEL_CASES['TorchaudioEncoder'].options)
}
CELLS = list(itertools.product(VIDEOS, SOUNDS, (None, 'bert')))
NAMES = ['-'.join(filter(None, cell)) for cell in CELLS]
# an export takes seconds: every encoder once or more
EXPORTED = ('clip-torchaudio-bert', 'timm-whisper', 'videomae-clap_audio_model-bert', 'clip-wavlm')


@DATASETS.register_module()
class NoiseStreams(Dataset):
    """Clips of noise in memory, which differ in the length of words and waveforms."""

    metainfo: ClassVar = dict(classes=('a', 'b', 'c'))

    def __init__(self, sound: str, text: str | None, same_length: bool = False) -> None:
        self.sound, self.text, self.same_length = sound, text, same_length

    def __len__(self) -> int:
        return NUM_CLIPS

    def __getitem__(self, index: int) -> dict[str, Any]:
        noise = torch.Generator().manual_seed(index)
        inputs: dict[str, Stream] = dict(video=torch.randint(256, (1, 4, 32, 32, 3), generator=noise).to(torch.uint8))
        if self.sound in tiny.SPECTROGRAMS:
            inputs['audio'] = torch.randn(1, *tiny.inputs(self.sound).shape[1:], generator=noise)
        else:
            samples = 900 if self.same_length else 900 - 40 * index
            inputs['audio'] = Padded.stack([torch.randn(samples, generator=noise)])
        if self.text is not None:
            inputs['text'] = Padded.stack([torch.randint(3, 30, (3 + index,), generator=noise)])
        sample = EmotionDataSample(metainfo=dict(sample_id=str(index), sample_idx=index, num_views=1))
        return dict(inputs=inputs, data_samples=sample.set_gt_label(index % 3))


def config(cell: tuple[str, str, str | None], work_dir: Path) -> Config:
    """Two iterations an epoch; dropped paths and the order of the clips are random."""
    video, sound, text = cell
    cfg = finetune_config(work_dir, work_dir, launcher='pytorch', custom_hooks=[])
    cfg.model.encoders = dict(video=VIDEOS[video], audio=SOUNDS[sound]) | ({'text': encoder(text)} if text else {})
    cfg.model.data_preprocessor = dict(type='AudioVisualDataPreprocessor')
    has_one_width = sound not in ('clap_audio_model', 'torchaudio')
    cfg.model.fusion = dict(type='ConcatFusion', depth=1, num_heads=2, drop_path_rate=0.2) if has_one_width else None
    cfg.model.aggregator = dict(type='MeanPoolAggregator')
    cfg.model.head.num_classes = 3
    cfg.model.frozen = ['encoders']
    cfg.train_dataloader.update(batch_size=2, collate_fn=dict(type='collate_streams'))
    cfg.train_dataloader.dataset = dict(type='NoiseStreams', sound=sound, text=text)
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=1, save_trainable_only=True)
    for stage in ('val', 'test'):
        for part in ('cfg', 'dataloader', 'evaluator'):
            cfg[f'{stage}_{part}'] = None
    return cfg


def export(model: Any, cfg: Config, cell: tuple[str, str, str | None], folder: Path) -> None:
    """Exports a trained model; the comparison with the eager one is on its clips."""
    clips = NoiseStreams(cell[1], cell[2], same_length=True)
    views = prepare_inputs(model, collate_streams([clips[index] for index in range(NUM_CLIPS)]))
    export_model(model, cfg, folder, 'torch-export', views=views)


def run(rank: int, folder: str, port: int) -> None:
    """On one of two ranks: a training without a break and a resumed one of every cell, and half of the exports."""
    torch.set_num_threads(1)
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2', MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port),
        CUDA_VISIBLE_DEVICES='',
    )  # fmt: skip
    trained = []
    for name, cell in zip(NAMES, CELLS):
        root = Path(folder) / name
        cfg = config(cell, root / 'whole')
        model = train(cfg).model.module
        assert not any(part.training for part in model.encoders.modules())
        torch.save(model.state_dict(), root / f'{rank}.pth')
        resumed = config(cell, root / 'resumed')
        set_resume(resumed, str(root / 'whole' / 'epoch_1.pth'))
        train(resumed)
        if name in EXPORTED[rank::2]:
            trained.append((model, cfg, cell, root / 'exported'))
    dist.destroy_process_group()
    for exported in trained:
        export(*exported)


@pytest.fixture(scope='module')
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip('transformers')
    folder = tmp_path_factory.mktemp('combinations')
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    spread(run, str(folder), port)
    return folder


@pytest.mark.parametrize('name', NAMES)
def test_other_parts_are_trained_and_resume_exactly(results: Path, name: str) -> None:
    folder = results / name
    first, second = (torch.load(folder / f'{rank}.pth', weights_only=True) for rank in range(2))
    assert all(torch.equal(value, second[key]) for key, value in first.items())
    whole, resumed, start = (
        read_checkpoint(folder / file, with_base=False)
        for file in ('whole/epoch_2.pth', 'resumed/epoch_2.pth', 'whole/epoch_1.pth')
    )
    parts = {key.partition('.')[0] for key in whole['state_dict']}
    assert parts <= {'fusion', 'head'}
    assert whole['state_dict'].keys() == resumed['state_dict'].keys()
    for key, value in whole['state_dict'].items():
        assert torch.equal(value, resumed['state_dict'][key]), key
        assert torch.equal(value, first[key]), key
    assert not torch.equal(whole['state_dict']['head.fc.weight'], start['state_dict']['head.fc.weight'])
    moments, again = whole['optimizer']['state'], resumed['optimizer']['state']
    assert moments.keys() == again.keys()
    for index, state in moments.items():
        assert all(torch.equal(value, again[index][key]) for key, value in state.items())


@pytest.mark.parametrize('name', EXPORTED)
def test_trained_models_are_exported(results: Path, name: str) -> None:
    manifest = read_manifest(results / name / 'exported')
    assert manifest.max_difference is not None  # export_model refuses what differs by more than 1e-4
    assert ('lengths' in manifest.inputs.get('text', {})) is ('bert' in name)

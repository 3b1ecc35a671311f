"""Trainings on cached outputs of frozen encoders are those on live ones; stale caches are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from hicmae_mm.checkpoints.files import write_checkpoint
from hicmae_mm.datasets.stored_features import load_features
from hicmae_mm.datasets.writers import write_wav
from hicmae_mm.engine import build_runner
from hicmae_mm.features.cache_keys import read_cache
from hicmae_mm.features.cache_layout import Layout
from hicmae_mm.features.encoder_cache import CacheOptions, EncoderCache
from hicmae_mm.models.encoders import EncoderOutput
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import Padded
from tests.engine.tiny_run import finetune_config, write_corpus
from tests.models.foreign import tiny_transformers


@pytest.fixture(scope='module')
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp('corpus'))


def make_config(corpus: Path, work_dir: Path, is_random: bool = False) -> Config:
    """Frozen encoders, one epoch; the training clips are read as in a test."""
    cfg = finetune_config(corpus, work_dir)
    cfg.model.frozen = ['encoders']
    cfg.model.data_preprocessor.batch_augment = None
    cfg.custom_hooks = []
    cfg.train_cfg.max_epochs = 1
    cfg.param_scheduler[0].warmup = 0
    cfg.auto_scale_lr.enable = False
    cfg.val_dataloader.dataset.pipeline.insert(-1, dict(type='SpatialViews', num_views=2, size=32))
    cfg.test_dataloader.dataset.pipeline = cfg.val_dataloader.dataset.pipeline
    if not is_random:
        *read, _, pack = cfg.val_dataloader.dataset.pipeline
        cfg.train_dataloader.dataset.pipeline = [*read, dict(type='SpatialViews', num_views=1, size=32), pack]
    return cfg


def save_base(cfg: Config, path: Path, seed: int = 0) -> str:
    torch.manual_seed(seed)
    write_checkpoint(path, MODELS.build(cfg.model).state_dict(), {})
    return str(path)


def train(
    cfg: Config, checkpoint: str, cache: Path | None, name: str
) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
    """The weights after training, and the scores of the validation."""
    cfg = Config(cfg.to_dict())
    cfg.load_from, cfg.experiment_name = checkpoint, name
    cfg.work_dir = str(Path(cfg.work_dir) / name)
    if cache is not None:
        cfg.custom_hooks = [dict(type='EncoderCacheHook', folder=str(cache))]
    runner = build_runner(cfg)
    runner.train()
    logged = runner.message_hub.log_scalars
    scores = {name: log.current() for name, log in logged.items() if name.startswith('val/')}
    return runner.model.state_dict(), scores


def test_training_on_a_cache_is_training_on_clips(corpus: Path, tmp_path: Path) -> None:
    cfg = make_config(corpus, tmp_path / 'work')
    base = save_base(cfg, tmp_path / 'base.pth')
    written = EncoderCache(cfg, base, CacheOptions()).run(tmp_path / 'cache')
    assert written['val'] == written['test']
    live, expected = train(cfg, base, None, 'live')
    cached, scores = train(cfg, base, tmp_path / 'cache', 'cached')
    timing = ('val/time', 'val/data_time')
    assert {name: value for name, value in scores.items() if name not in timing} == pytest.approx(
        {name: value for name, value in expected.items() if name not in timing}, abs=1e-5
    )
    assert live.keys() == cached.keys()
    for name, value in live.items():
        torch.testing.assert_close(cached[name], value, atol=1e-6, rtol=1e-5, msg=name)
    assert not torch.equal(live['head.fc.weight'], torch.load(base)['state_dict']['head.fc.weight'])
    again = EncoderCache(cfg, base, CacheOptions()).run(tmp_path / 'cache')  # complete: nothing is encoded again
    assert again == written


def test_outputs_of_different_lengths_are_cached(tmp_path: Path) -> None:
    pytest.importorskip('transformers')
    (tmp_path / 'corpus').mkdir()
    corpus = write_corpus(tmp_path / 'corpus')
    cfg = make_config(corpus, tmp_path / 'work')
    cfg.model.encoders = dict(audio=dict(type='TransformersEncoder', config=tiny_transformers.config('wavlm')))
    cfg.model.update(fusion=None, aggregator=dict(type='MeanPoolAggregator'))
    pack = dict(type='PackStreams', arrays=(), sequences=dict(audio='waveform'))
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.update(pipeline=[dict(type='WholeTrack'), pack], streams=('audio',), indices=6)
    base = save_base(cfg, tmp_path / 'base.pth')
    for number in (1, 3):  # clips of the corpus have one length
        write_wav(corpus / f'{number}.wav', 0.1 * np.random.default_rng(number).normal(size=9000 + 2000 * number))
    EncoderCache(cfg, base, CacheOptions()).run(tmp_path / 'cache')
    live, _ = train(cfg, base, None, 'live')
    cached, _ = train(cfg, base, tmp_path / 'cache', 'cached')
    torch.testing.assert_close(cached, live, atol=1e-6, rtol=1e-5)


def test_half_precision_and_versions(corpus: Path, tmp_path: Path) -> None:
    cfg = make_config(corpus, tmp_path / 'work', is_random=True)
    base = save_base(cfg, tmp_path / 'base.pth')
    with pytest.raises(ValueError, match=r'the training pipeline is random .*--copies 8'):
        EncoderCache(cfg, base, CacheOptions()).run(tmp_path / 'cache')
    options = CacheOptions(copies=3, float_type='float16')
    folder = EncoderCache(cfg, base, options).run(tmp_path / 'copies')['train']
    info = read_cache(folder)
    assert info['columns']['video']['dtype'] == 'float16'
    assert info['settings']['picks_one']
    weights, _ = train(cfg, base, tmp_path / 'copies', 'copies')
    assert weights['head.fc.weight'].isfinite().all()
    plain = EncoderCache(cfg, base, CacheOptions(augments=False)).run(tmp_path / 'plain')['train']
    assert {len(lengths) for lengths in load_features(plain, ['video_rows'])['video_rows']} == {
        1
    }  # the views of square pictures are one
    with pytest.raises(ValueError, match='features of other settings'):
        EncoderCache(cfg, base, CacheOptions(copies=2)).run(tmp_path / 'copies')


def test_a_stale_cache_is_refused(corpus: Path, tmp_path: Path) -> None:
    cfg = make_config(corpus, tmp_path / 'work')
    base, other = save_base(cfg, tmp_path / 'base.pth'), save_base(cfg, tmp_path / 'other.pth', seed=1)
    EncoderCache(cfg, base, CacheOptions()).run(tmp_path / 'cache')
    with pytest.raises(ValueError, match='is stale: its video encoder has other weights'):
        train(cfg, other, tmp_path / 'cache', 'weights')
    changed = Config(cfg.to_dict())
    changed.train_dataloader.dataset.pipeline[1].frame_interval = 1
    with pytest.raises(ValueError, match='is stale: it was read by another pipeline than train_dataloader'):
        train(changed, base, tmp_path / 'cache', 'pipeline')
    with pytest.raises(FileNotFoundError, match='run tools/cache_encoders.py'):
        train(cfg, base, tmp_path / 'nothing', 'nothing')


def test_what_cannot_be_cached(corpus: Path, tmp_path: Path) -> None:
    cfg = make_config(corpus, tmp_path / 'work')
    base = save_base(cfg, tmp_path / 'base.pth')
    trained = Config(cfg.to_dict())
    trained.model.frozen = ['encoders.video']
    with pytest.raises(ValueError, match=r"set model.frozen=\['encoders.audio', ...\]"):
        EncoderCache(trained, base, CacheOptions())
    mixed = Config(cfg.to_dict())
    mixed.model.data_preprocessor.batch_augment = dict(type='MixupCutmix', num_classes=2)
    with pytest.raises(ValueError, match='batch_augment mixes clips'):
        EncoderCache(mixed, base, CacheOptions())
    with pytest.raises(ValueError, match='lacks 1 weights of the frozen video encoder'):
        EncoderCache(cfg, None, CacheOptions())


def test_layouts_of_sequences() -> None:
    torch.manual_seed(0)
    padding = torch.tensor([[False, False, False], [False, True, True]])
    hidden = tuple(torch.randn(2, 3, 4).masked_fill(padding.unsqueeze(-1), 0) for _ in range(3))
    output = EncoderOutput(hidden[-1], hidden, padding, torch.randn(2, 2, 4))
    layout = Layout.from_dict(Layout.of(output, ['hidden.0', 'hidden.2', 'summary']).to_dict())
    rows = layout.pack(output)
    assert [block.shape for block in rows] == [(8, 4), (4, 4)]
    found = layout.unpack(Padded.stack([torch.from_numpy(block) for block in rows]))
    assert torch.equal(found.tokens, output.tokens)
    assert torch.equal(found.hidden[0], hidden[0])
    assert found.hidden[1].isnan().all()
    assert found.hidden[1].shape == hidden[1].shape
    assert torch.equal(found.padding, padding)
    assert torch.equal(found.summary, output.summary)

"""A corpus of a dozen clips of 32 x 32 pixels and configs that train on it within seconds."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config

from hicmae_mm.config.paths import configs_root
from hicmae_mm.datasets.writers import write_video, write_wav
from hicmae_mm.engine import build_runner
from tests.models.tiny import encoder_configs, pretrainer_config

NUM_CLIPS, CLASSES = 20, ('high', 'low')

_RUN_NUMBERS = itertools.count()
_READ = (
    dict(type='OpenVideo'),
    dict(type='SampleClips', mode='train', clip_len=4, frame_interval=2),
    dict(type='DecodeFrames'),
    dict(type='LoadAudio'),
)
_SOUND = dict(type='Filterbank', num_mel_bins=32, target_length=32)
_PACK = dict(type='PackAudioVisual')


def write_corpus(folder: Path) -> Path:
    """Writes clips whose colour and pitch tell the class, and `clips.txt`; 13 of them also in `test.txt`."""
    noise = np.random.default_rng(0)
    lines = []
    for number in range(NUM_CLIPS):
        label = number % len(CLASSES)
        frames = noise.integers(0, 120, (12, 32, 32, 3), dtype=np.uint8)
        frames[..., 2 * label] += 120
        write_video(folder / f'{number}.mp4', frames, fps=12)
        seconds = np.arange(16000) / 16000
        write_wav(folder / f'{number}.wav', 0.3 * np.sin(2 * np.pi * (300 + 500 * label) * seconds))
        lines.append(f'{number}.mp4 {number}.wav {label}')
    (folder / 'clips.txt').write_text('\n'.join(lines) + '\n')
    (folder / 'test.txt').write_text('\n'.join(lines[:13]) + '\n')
    return folder


def train_pipeline() -> list[dict[str, Any]]:
    """Every random transform there is."""
    return [
        *_READ,
        dict(type='RandomGain'),
        _SOUND,
        dict(type='SpecMasking', freq_mask=4, time_mask=4),
        dict(type='ClipRandAugment'),
        dict(type='mmaction.RandomResizedCrop', area_range=(0.5, 1.0)),
        dict(type='mmaction.Resize', scale=(32, 32), keep_ratio=False),
        dict(type='mmaction.Flip', flip_ratio=0.5),
        dict(type='ClipRandomErasing', prob=0.5),
        _PACK,
    ]


def loader(corpus: Path, pipeline: list[dict[str, Any]], ann_file: str, **options: Any) -> dict[str, Any]:
    dataset = dict(
        type='AudioVisualDataset',
        data_root=str(corpus),
        ann_file=ann_file,
        metainfo=dict(classes=CLASSES),
        num_classes=len(CLASSES),
        pipeline=pipeline,
    )
    base = dict(
        batch_size=4,
        num_workers=0,
        dataset=dataset,
        sampler=dict(type='SeededSampler', shuffle=True),
        collate_fn=dict(type='collate_audio_visual'),
    )
    return base | options


def finetune_config(corpus: Path, work_dir: Path, **overrides: Any) -> Config:
    """Fine-tuning with drop path, mixup and cutmix, layer decay and EMA; 5 iterations an epoch."""
    encoders = encoder_configs()
    for encoder in encoders.values():
        encoder['drop_path_rate'] = 0.2
    evaluation = [
        dict(step, mode='test') if step['type'] == 'SampleClips' else step for step in (*_READ, _SOUND, _PACK)
    ]
    test_loader = loader(corpus, evaluation, 'test.txt', sampler=dict(type='DefaultSampler', shuffle=False))
    cfg = Config.fromfile(configs_root() / '_base_' / 'default_runtime.py')
    cfg.merge_from_dict(Config.fromfile(configs_root() / '_base_' / 'schedules' / 'finetune.py').to_dict())
    cfg.merge_from_dict(
        dict(
            work_dir=str(work_dir),
            model=dict(
                type='AudioVisualRecognizer',
                data_preprocessor=dict(
                    type='AudioVisualDataPreprocessor',
                    batch_augment=dict(type='MixupCutmix', num_classes=2),
                ),
                encoders=encoders,
                fusion=dict(type='CrossModalFusion', depth=2, num_heads=2, drop_path_rate=0.2),
                aggregator=dict(type='HierarchicalFeatureAggregator'),
                head=dict(type='ClassificationHead', num_classes=2),
            ),
            train_dataloader=loader(corpus, train_pipeline(), 'clips.txt'),
            val_dataloader=test_loader,
            test_dataloader=test_loader,
            val_evaluator=dict(type='ClassificationMetric'),
            test_evaluator=dict(type='ClassificationMetric'),
            param_scheduler=[
                dict(type='WarmupCosineLR', warmup=1, eta_min_ratio=1e-3, by_epoch=True, convert_to_iter_based=True)
            ],
            train_cfg=dict(max_epochs=2),
            custom_hooks=[dict(type='EMAHook', momentum=0.1)],
            default_hooks=dict(logger=dict(interval=1), checkpoint=dict(save_best='UAR', rule='greater')),
            vis_backends=None,
            visualizer=dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')]),
        )
    )
    cfg.merge_from_dict(overrides)
    return cfg


def pretrain_config(corpus: Path, work_dir: Path, **overrides: Any) -> Config:
    """Pre-training with tube and random masks; 5 iterations an epoch."""
    masks = [dict(type='TubeMask', ratio=0.5, grid=(2, 2, 2)), dict(type='RandomMask', ratio=0.5, grid=(2, 2))]
    reading = [dict(step, mode='pretrain') if step['type'] == 'SampleClips' else step for step in _READ]
    cfg = Config.fromfile(configs_root() / '_base_' / 'default_runtime.py')
    cfg.merge_from_dict(Config.fromfile(configs_root() / '_base_' / 'schedules' / 'pretrain.py').to_dict())
    cfg.merge_from_dict(
        dict(
            work_dir=str(work_dir),
            model=pretrainer_config(data_preprocessor=dict(type='AudioVisualDataPreprocessor')),
            train_dataloader=loader(corpus, [*reading, _SOUND, *masks, _PACK], 'clips.txt'),
            param_scheduler=[dict(type='WarmupCosineLR', warmup=1, by_epoch=True, convert_to_iter_based=True)],
            train_cfg=dict(max_epochs=2),
            default_hooks=dict(logger=dict(interval=1)),
            vis_backends=None,
            visualizer=dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')]),
        )
    )
    cfg.merge_from_dict(overrides)
    return cfg


def train(cfg: Config) -> Any:
    """Trains in this process and returns the runner.

    MMEngine keeps loggers by name, and two runs of one name that start in the same second would share one.
    """
    cfg = Config(cfg.to_dict() | dict(experiment_name=f'{Path(cfg.work_dir).name}_{next(_RUN_NUMBERS)}'))
    runner = build_runner(cfg)
    runner.train()
    return runner

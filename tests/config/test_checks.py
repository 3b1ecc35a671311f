from __future__ import annotations

from pathlib import Path
from typing import Any

import mmaction
import pytest
from mmengine.config import Config

from hicmae_mm.config.checks import check_config
from tests.engine.tiny_run import finetune_config, pretrain_config


@pytest.fixture
def cfg(tmp_path: Path) -> Config:
    return finetune_config(tmp_path, tmp_path / 'run')


def test_whole_configs_pass(cfg: Config, tmp_path: Path) -> None:
    check_config(cfg)
    check_config(pretrain_config(tmp_path, tmp_path / 'run'))


@pytest.mark.parametrize(
    ('key', 'value', 'message'),
    [
        ('model.head.num_clases', 3, r"model.head.num_clases of ClassificationHead: did you mean 'num_classes'"),
        ('model.encoders.video.patch_embed.patchsize', 8, "did you mean 'patch_size'"),
        ('model.fusion.dept', 1, r"model.fusion.dept of CrossModalFusion: did you mean 'depth'"),
        ('model.data_preprocessor.batch_augment.mixup_alfa', 1, "did you mean 'mixup_alpha'"),
        ('train_dataloader.batchsize', 2, r"train_dataloader.batchsize: did you mean 'batch_size'"),
        ('train_dataloader.dataset.onerror', 'skip', "did you mean 'on_error'"),
        ('train_dataloader.sampler.shufle', True, "did you mean 'shuffle'"),
        (
            'train_dataloader.dataset.pipeline.1.clip_length',
            2,
            r"pipeline.1.clip_length of SampleClips: did you mean 'cl",
        ),
        ('train_dataloader.dataset.pipeline.10.flip_ration', 2, r"of mmaction.Flip: did you mean 'flip_ratio'"),
        ('train_cfg.max_epoch', 2, "did you mean 'max_epochs'"),
        (
            'optim_wrapper.optimizer.learning_rate',
            1,
            'unknown config key optim_wrapper.optimizer.learning_rate of AdamW',
        ),
        ('optim_wrapper.acumulative_counts', 1, "did you mean 'accumulative_counts'"),
        ('param_scheduler.0.eta_min', 1, "did you mean 'eta_min_ratio'"),
        ('default_hooks.checkpoint.intervall', 1, "CheckpointHook: did you mean 'interval'"),
        ('default_hooks.logger.intervall', 1, "did you mean 'interval'"),
        ('custom_hooks.0.momentun', 1, "did you mean 'momentum'"),
        ('val_evaluator.number_of_classes', 2, 'val_evaluator.number_of_classes of ClassificationMetric'),
        ('custom_hooks', ["dict(type='EMAHook')"], r"custom_hooks must be a list such as \[dict\(type='EMAHook'\)\]"),
        ('default_hooks.chekpoint', dict(interval=2), 'did you mean default_hooks.checkpoint'),
        ('default_hooks.param_scheduler.interval', 1, 'param_scheduler.interval of ParamSchedulerHook'),
        ('train_dataloader.dataset.pipeline.2.fps', 1, 'pipeline.2.fps of DecodeFrames'),
        ('env_cfg.mp_cfg.opencv_threads', 1, "did you mean 'opencv_num_threads'"),
        ('optim_wrapper.clip_grad', dict(max_nrm=1), "did you mean 'max_norm'"),
        (
            'optim_wrapper',
            dict(paramwise_cfg=dict(_delete_=True, norm_decay=0), constructor=None),
            "did you mean 'norm_decay_mult'",
        ),
        ('val_cfg', dict(_delete_=True, fp_16=True), "val_cfg.fp_16 of ValLoop: did you mean 'fp16'"),
        ('train_cfg', dict(_delete_=True, by_epoch=True, max_epoch=1), "of EpochBasedTrainLoop: did you mean 'max_epo"),
        ('custom_imports', dict(import_=['a']), "did you mean 'imports'"),
        ('randomness.sed', 1, "did you mean 'seed'"),
        ('auto_scale_lr.enabled', True, "did you mean 'enable'"),
        ('visualizer.vis_backend', [], "did you mean 'vis_backends'"),
        (
            'model.head.type',
            'ClasificationHead',
            "unknown type 'ClasificationHead' at model.head.type: did you mean 'Cla",
        ),
        ('train_dataloader.dataset.pipeline.10.type', 'SpecMask', "did you mean 'SpecMasking'"),
        ('optim_wraper', {}, "unknown config key 'optim_wraper': did you mean 'optim_wrapper'"),
        ('train_dataloder', {}, "did you mean 'train_dataloader'"),
    ],
)
def test_misspelt_keys_are_refused_with_a_suggestion(cfg: Config, key: str, value: Any, message: str) -> None:
    cfg.merge_from_dict({key: value})
    with pytest.raises(ValueError, match=message):
        check_config(cfg)


def test_variables_and_foreign_components_pass(cfg: Config) -> None:
    cfg.merge_from_dict(
        dict(
            dataset_type='AudioVisualDataset',
            train_pipeline=[],
            data_root='data',
            base_lr=1e-3,
            custom_hooks=[dict(type='mmengine.EmptyCacheHook', priority='LOW'), dict(type='EMAHook', momentum=0.1)],
            model=dict(encoders=dict(video=dict(init_cfg=dict(type='TruncNormal', layer='Linear', std=0.02)))),
            param_scheduler=[
                dict(type='mmengine.CosineAnnealingLR', T_max=3, by_epoch=True, convert_to_iter_based=True)
            ],
        )
    )
    check_config(cfg)


def test_backbones_of_mmaction_inside_an_encoder_pass(cfg: Config) -> None:
    backbone = dict(type='VisionTransformer', num_frames=4)  # similar to VisionTransformerEncoder
    cfg.model.encoders.video = dict(type='MMActionEncoder', backbone=backbone, input_size=(4, 32, 32))
    check_config(cfg)


def test_configs_of_mmaction_pass() -> None:
    configs = Path(mmaction.__file__).parent / '.mim' / 'configs' / 'recognition'
    names = [
        'tsn/tsn_imagenet-pretrained-r50_8xb32-1x1x3-100e_kinetics400-rgb.py',
        'slowfast/slowfast_r50_8xb8-4x16x1-256e_kinetics400-rgb.py',
        'swin/swin-tiny-p244-w877_in1k-pre_8xb8-amp-32x2x1-30e_kinetics400-rgb.py',
    ]
    for name in names:
        check_config(Config.fromfile(configs / name))


def test_compile_with_mixed_precision_names_the_way_round(cfg: Config) -> None:
    cfg.compile = True
    check_config(cfg)
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    with pytest.raises(ValueError, match='CompileHook'):
        check_config(cfg)

"""Whole short trainings of the published implementation, step by step, by the toolkit's own runner."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from torch import Tensor, nn
from torch.utils.data import DataLoader

from hicmae_mm.checkpoints.published_keys import load_published, map_published_key, map_published_keys
from hicmae_mm.engine import AudioVisualRunner
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import EmotionDataSample
from tests.parity.conftest import parity_folder, read_parity, seeded_weights
from tests.parity.test_models import close, encoders, fusion

CURVE = 1e-5
GRADIENT = 1e-3
MOVEMENT = 5e-4
COLUMNS = {'video': 23, 'audio': 7}  # of predictions, one in so many is stored


def files(kind: str) -> list[Path]:
    """Every training of a kind, whatever its name."""
    paths = sorted((parity_folder() / 'training').glob('*.safetensors'))
    found = [path for path in paths if read_parity(path)[0]['kind'] == kind]
    if not found:
        raise FileNotFoundError(f'{parity_folder()}/training has no {kind} file')
    return found


def published_pretrainer(meta: dict[str, Any]) -> nn.Module:
    decoder = dict(
        type='HierarchicalDecoder',
        embed_dims=meta['decoder_embed_dim'],
        depth=meta['decoder_depth'],
        num_heads=meta['decoder_num_heads'],
    )
    layers, normalize = meta['return_intermediate_features'], meta['normalize_target']
    target = dict(
        type='VideoPatchTarget',
        normalize=normalize,
        frame_difference=meta['frame_diff_target'],
        group_size=meta['frame_diff_group_size'],
        difference_weight=meta['target_diff_weight'],
    )
    info_nce = dict(type='InfoNCELoss', temperature=meta['temperature'], loss_weight=meta['loss_weight'])
    head = dict(type='ReconstructionHead', loss=dict(type='MaskedMSELoss'))
    return MODELS.build(
        dict(
            type='AudioVisualPretrainer',
            data_preprocessor=dict(type='AudioVisualDataPreprocessor'),
            encoders=encoders(meta),
            fusion=fusion(meta),
            decoders=dict(video=decoder, audio=decoder),
            heads=dict(
                video=head | dict(target=target),
                audio=head | dict(target=dict(type='SpectrogramPatchTarget', normalize=normalize)),
            ),
            contrastive=dict(type='HierarchicalContrastiveHead', layers=layers, loss=info_nce),
            skip_layers=layers,
        )
    )


def published_recognizer(meta: dict[str, Any]) -> nn.Module:
    mixing = None
    if meta['loss'] == 'mse':
        head = dict(type='RegressionHead', num_outputs=meta['num_classes'], activation=meta['head_activation'])
    else:
        loss = dict(type='SoftCrossEntropyLoss', label_smoothing=meta['label_smoothing'])
        head = dict(type='ClassificationHead', num_classes=meta['num_classes'], loss=loss)
    if meta['loss'] == 'soft_target_cross_entropy':
        mixing = dict(type='MixupCutmix', num_classes=meta['num_classes'], streams=('video',))
    return MODELS.build(
        dict(
            type='AudioVisualRecognizer',
            data_preprocessor=dict(type='AudioVisualDataPreprocessor', batch_augment=mixing),
            encoders=encoders(meta),
            fusion=fusion(meta),
            head=head,
        )
    )


def batches(meta: dict[str, Any], expected: dict[str, Tensor]) -> list[dict[str, Any]]:
    """All batches of the data loader, with the masks or the targets of the file."""
    found = []
    for step in range(len(expected['loss'])):
        size, seed = meta['img_size'], meta['seed'] + 10 * step
        shapes = {
            'video': [meta['batch'], 3, meta['num_frames'], size, size],
            'audio': [meta['batch'], 1, *meta['audio_size']],
        }
        inputs = {
            name: (torch.randn(shape, generator=torch.Generator().manual_seed(seed + offset)) * 256).round() / 256
            for (name, shape), offset in zip(shapes.items(), (9001, 9002))
        }
        batch: dict[str, Any] = dict(inputs=inputs, data_samples=[EmotionDataSample() for _ in range(meta['batch'])])
        if 'target' not in expected:
            batch['masks'] = {name: expected[f'mask_{name}'][step].bool() for name in shapes}
        else:
            for sample, target in zip(batch['data_samples'], expected['target'][step]):
                sample.set_gt_values(target) if target.ndim else sample.set_gt_label(int(target))
        found.append(batch)
    return found


class _Recorder(Hook):
    """Keeps what the published curves hold."""

    def __init__(self, numpy_seed: int | None) -> None:
        self.curves: dict[str, list[float]] = {
            name: [] for name in ('loss', 'lr', 'min_lr', 'weight_decay', 'grad_norm', 'mixed_video_sum')
        }
        self.scores: list[Tensor] = []
        self.videos: list[Tensor] = []
        self.numpy_seed = numpy_seed

    def before_train(self, runner: Any) -> None:
        runner.optim_wrapper.optimizer.register_step_pre_hook(self._keep_gradient_norm)
        self._watched = runner.model.register_forward_pre_hook(self._keep_inputs, with_kwargs=True)
        np.random.seed(self.numpy_seed)

    def after_train(self, runner: Any) -> None:
        self._watched.remove()

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        groups = runner.optim_wrapper.optimizer.param_groups
        self.curves['lr'].append(max(group['lr'] for group in groups))
        self.curves['min_lr'].append(min(group['lr'] for group in groups))
        self.curves['weight_decay'].append(max(group['weight_decay'] for group in groups))

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        self.curves['loss'].append(outputs['loss'].item())

    def _keep_gradient_norm(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        gradients = [p.grad for group in optimizer.param_groups for p in group['params'] if p.grad is not None]
        self.curves['grad_norm'].append(float(torch.stack([gradient.norm() for gradient in gradients]).norm()))

    def _keep_inputs(self, model: nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
        inputs, samples = kwargs['inputs'], kwargs['data_samples']
        self.curves['mixed_video_sum'].append(float(inputs['video'].double().sum()))
        if 'gt_score' in samples[0]:
            self.scores.append(torch.stack([sample.gt_score for sample in samples]))
            self.videos.append(inputs['video'])


def _identity(batch: Any) -> Any:
    return batch


def train(
    model: nn.Module, meta: dict[str, Any], expected: dict[str, Tensor], work_dir: Path
) -> tuple[_Recorder, dict[str, Tensor]]:
    """Runs the training; returns its curves and the weights at the start."""
    weights = seeded_weights(meta)
    for number, name in enumerate(('video_layer_weights', 'audio_layer_weights')):
        if name in weights:
            drawn = torch.randn(
                weights[name].shape, generator=torch.Generator().manual_seed(meta['seed'] + 9101 + number)
            )
            weights[name] = (drawn * 256).round() / 256
    load_published(model, weights)
    warmup = meta['warmup_steps'] if meta['warmup_steps'] > 0 else meta['warmup_epochs'] * meta['steps_per_epoch']
    accumulated = meta.get('update_freq', 1)
    unmasked = ['decoders.video.mask_token'] if meta['kind'] == 'pretrain_training' else []
    recorder = _Recorder(meta.get('numpy_seed'))
    runner = AudioVisualRunner(
        model=model,
        work_dir=str(work_dir),
        train_dataloader=DataLoader(batches(meta, expected), batch_size=None, shuffle=False, collate_fn=_identity),
        train_cfg=dict(type='EpochTrainLoop', max_epochs=1),
        optim_wrapper=dict(
            type='OptimWrapper',
            optimizer=dict(type='AdamW', lr=meta['lr'], betas=meta['betas'], weight_decay=meta['weight_decay']),
            constructor='LayerDecayOptimWrapperConstructor',
            paramwise_cfg=dict(layer_decay=meta.get('layer_decay', 1.0), no_decay=unmasked),
            accumulative_counts=accumulated,
            clip_grad=None if meta['clip_grad'] is None else dict(max_norm=meta['clip_grad']),
        ),
        param_scheduler=[
            dict(
                type='WarmupCosineLR',
                warmup=warmup * accumulated,
                eta_min_ratio=meta['min_lr'] / meta['lr'],
                by_epoch=False,
                end=len(expected['loss']),
            ),
            dict(
                type='CosineWeightDecay',
                end_value=meta['weight_decay_end'],
                by_epoch=False,
                end=len(expected['loss']),
            ),
        ],
        default_hooks=dict(
            checkpoint=None, runtime_info=dict(type='RuntimeInfoHook'), logger=None, timer=None, sampler_seed=None
        ),
        custom_hooks=[recorder],
        default_scope='hicmae_mm',
        experiment_name=work_dir.name,
        log_level='ERROR',
        cfg=dict(cpu_kernels=False),
    )
    runner.train()
    check_groups(runner.optim_wrapper, model, meta)
    if meta['clip_grad'] is not None:  # the norm before clipping, which the wrapper logs
        recorder.curves['grad_norm'] = list(runner.message_hub.get_scalar('train/grad_norm').data[0])
    return recorder, map_published_keys(weights)


def check_groups(wrapper: Any, model: nn.Module, meta: dict[str, Any]) -> None:
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    found = {
        names[id(parameter)]: (group['lr_scale'], group['weight_decay'] > 0)
        for group in wrapper.optimizer.param_groups
        for parameter in group['params']
    }
    for name, (scale, decay) in meta['lr_scale_and_weight_decay'].items():
        assert found.pop(map_published_key(name)) == (pytest.approx(scale), decay > 0), name
    assert not found


def check_mixing(recorder: _Recorder, meta: dict[str, Any], expected: dict[str, Tensor]) -> None:
    smoothed = torch.stack(recorder.scores) * (1 - meta['label_smoothing'])
    torch.testing.assert_close(smoothed + meta['label_smoothing'] / meta['num_classes'], expected['soft_target'])
    for step, batch in enumerate(batches(meta, expected)):
        own, (top, bottom, left, right) = batch['inputs']['video'], expected['mix.box'][step].tolist()
        if expected['mix.cutmix'][step]:
            other = own.flip(0)
            own[..., top:bottom, left:right] = other[..., top:bottom, left:right]
        else:
            own = own.flip(0).lerp(own, float(expected['mix.lam'][step]))
        torch.testing.assert_close(recorder.videos[step], own, rtol=1e-5, atol=1e-5)


def check_curves(recorder: _Recorder, expected: dict[str, Tensor]) -> None:
    for name in ('loss', 'lr', 'min_lr', 'weight_decay', 'mixed_video_sum'):
        if name in expected:
            values = expected[name].tolist()
            assert recorder.curves[name] == pytest.approx(values, rel=CURVE, abs=1e-12 if 'lr' in name else 1e-6), name
    for name in ('grad_norm', 'grad_norm_float64'):
        assert recorder.curves['grad_norm'] == pytest.approx(expected[name].tolist(), rel=GRADIENT)


def check_movement(model: nn.Module, start: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    parameters = {name: value.detach() for name, value in model.named_parameters()}
    names = [key.removeprefix('param_norm.') for key in expected if key.startswith('param_norm.')]
    assert {map_published_key(name) for name in names} == set(parameters)
    for name in names:
        value = parameters[map_published_key(name)]
        moved = (value - start[map_published_key(name)]).norm()
        for found, key in ((value.norm(), f'param_norm.{name}'), (moved, f'param_change.{name}')):
            assert float(found) == pytest.approx(float(expected[key]), rel=MOVEMENT, abs=1e-6), key


@pytest.mark.parametrize('path', files('finetune_training'), ids=lambda path: path.stem)
def test_finetuning_step_by_step(path: Path, tmp_path: Path) -> None:
    meta, expected = read_parity(path)
    model = published_recognizer(meta)
    first = batches(meta, expected)[0]['inputs']
    recorder, start = train(model, meta, expected, tmp_path)
    check_curves(recorder, expected)
    check_movement(model, start, expected)
    if 'soft_target' in expected:
        check_mixing(recorder, meta, expected)
    close(model.eval()(first), expected['output_after'], 1e-4)
    model.load_state_dict(start)
    close(model(first), expected['output_before'])


@pytest.mark.parametrize('path', files('pretrain_training'), ids=lambda path: path.stem)
def test_pretraining_step_by_step(path: Path, tmp_path: Path) -> None:
    meta, expected = read_parity(path)
    model = published_pretrainer(meta)
    first = batches(meta, expected)[0]
    recorder, start = train(model, meta, expected, tmp_path)
    check_curves(recorder, expected)
    check_movement(model, start, expected)
    predictions = model.eval()(first['inputs'], masks=first['masks'])
    for stream, stride in COLUMNS.items():
        close(predictions[stream][..., ::stride], expected[f'pred_{stream}_after'], 1e-4)
    encoded, _ = model.encode(first['inputs'], first['masks'])
    pairs = model.contrastive.pooled({name: output.hidden for name, output in encoded.items()})
    assert len(pairs) == sum(key.startswith('logits_per_video_after.') for key in expected)
    for i, (video, audio) in enumerate(pairs):
        close(model.contrastive.criterion.logits(video, audio), expected[f'logits_per_video_after.{i}'], 1e-4)

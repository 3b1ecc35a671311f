"""Every registered component is built, swapped into a whole config by a few keys, and run.

A component that is registered without a case here fails ``test_every_registered_component_has_a_case``.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import Registry, init_default_scope
from mmengine.structures import BaseDataElement

from hicmae_mm import registry as R
from hicmae_mm.datasets import SampleIndex, collate_audio_visual
from hicmae_mm.evaluation.predictions import read_predictions
from tests.component_cases import (
    MODEL_CASES,
    RECOGNIZER,
    REGRESSOR,
    batch_of,
    own_components,
    raw_batch,
    with_component,
)
from tests.datasets.shards.packed import pack
from tests.engine.tiny_run import finetune_config, pretrain_config, train, write_corpus

REGISTRIES: dict[str, Registry] = {name: value for name, value in vars(R).items() if isinstance(value, Registry)}


@dataclass
class TransformCase:
    """The training pipeline's task, the step that the component replaces, follows or precedes, and options."""

    task: str
    step: str
    options: dict[str, Any] = field(default_factory=dict)
    replaces: bool = True
    precedes: bool = False


@dataclass
class RunCase:
    """Overrides of a training config, as ``--cfg-options`` would give them."""

    overrides: dict[str, Any]


TRANSFORM_CASES = {
    'OpenVideo': TransformCase('finetune', 'OpenVideo', dict(backend='pyav')),
    'SampleClips': TransformCase(
        'finetune', 'SampleClips', dict(mode='train', clip_len=4, frame_interval=1, audio_alignment='timestamps')
    ),
    'SampleSegments': TransformCase('finetune', 'SampleClips', dict(mode='train', num_segments=4)),
    'DecodeFrames': TransformCase('finetune', 'DecodeFrames'),
    'FixedCrop': TransformCase('finetune', 'DecodeFrames', dict(top=0, left=4, height=20, width=24), replaces=False),
    'ClipRandAugment': TransformCase('finetune', 'ClipRandAugment', dict(policy='rand-m3-n2')),
    'RandomResizedCropFlip': TransformCase('finetune', 'Resize', dict(size=32, area_range=(0.5, 1.0))),
    'ClipRandomErasing': TransformCase('finetune', 'ClipRandomErasing', dict(prob=1.0)),
    'SpatialViews': TransformCase('finetune', 'Resize', dict(num_views=2, size=32), replaces=False),
    'LoadAudio': TransformCase('finetune', 'LoadAudio', dict(sample_rate_hz=8000)),
    'AddNoise': TransformCase('finetune', 'RandomGain', dict(noise='{corpus}', snr_db=(0,))),
    'DropVectors': TransformCase('finetune', 'PackAudioVisual', dict(streams=('text',), rate=0.5), precedes=True),
    'PyramidBlur': TransformCase('finetune', 'DecodeFrames', dict(rates=(2,)), replaces=False),
    'GaussianBlur': TransformCase('finetune', 'DecodeFrames', dict(sigma_share=0.05), replaces=False),
    'CompressFrames': TransformCase('finetune', 'DecodeFrames', dict(quality=20), replaces=False),
    'OccludeFrames': TransformCase('finetune', 'DecodeFrames', dict(share=0.2), replaces=False),
    'LowerFrameRate': TransformCase('finetune', 'SampleClips', dict(frames_per_second=5), replaces=False),
    'Reverberate': TransformCase('finetune', 'RandomGain', dict(seconds=0.2)),
    'OverdriveSound': TransformCase('finetune', 'RandomGain', dict(share=0.1)),
    'CompressSound': TransformCase('finetune', 'RandomGain', dict(kilobits_per_second=16)),
    'DelaySound': TransformCase('finetune', 'RandomGain', dict(seconds=0.1)),
    'WholeTrack': TransformCase('finetune', 'Filterbank', dict(max_seconds=0.5), replaces=False),
    'RandomGain': TransformCase('finetune', 'RandomGain', dict(alpha=2.0)),
    'Filterbank': TransformCase('finetune', 'Filterbank', dict(num_mel_bins=32, target_length=32, std=1.0)),
    'SpecMasking': TransformCase('finetune', 'SpecMasking', dict(freq_mask=8)),
    'TubeMask': TransformCase('pretrain', 'TubeMask', dict(ratio=0.75, grid=(2, 2, 2))),
    'RandomMask': TransformCase('pretrain', 'TubeMask', dict(stream='video', ratio=0.5, grid=(2, 2, 2))),
    'RunningCellMask': TransformCase('pretrain', 'TubeMask', dict(ratio=0.5, grid=(2, 2, 2)), replaces=False),
    'SymmetricWindowMask': TransformCase('pretrain', 'TubeMask', dict(ratio=0.5, grid=(2, 2, 2), window=(1, 2))),
    'ClipAsStream': TransformCase('finetune', 'PackAudioVisual', dict(stream='video'), precedes=True),
    'LoadFeatureTarget': TransformCase(
        'finetune', 'PackAudioVisual', dict(target='text', source='.', is_optional=True), precedes=True
    ),
    'DropStream': TransformCase('finetune', 'OpenVideo', dict(stream='audio', prob=0.0), precedes=True),
    'PackStreams': TransformCase('finetune', 'PackAudioVisual', dict(arrays=('video', 'audio'))),
    'PackAudioVisual': TransformCase('finetune', 'PackAudioVisual', dict(streams=('video', 'audio'))),
}
HOOK_OPTIONS: dict[str, dict[str, Any]] = {
    'AccumulatedGradientHook': {},
    'CheckpointHook': dict(interval=1),
    'ConfusionMatrixHook': dict(interval=2),
    'CompileHook': dict(targets=('fusion',), backend='eager'),
    'DeferredRuntimeInfoHook': {},
    'EMAHook': dict(momentum=0.5),
    'IterationSeedHook': {},
    'NonFiniteLossHook': dict(max_lag=1),
    'PredictionVisualizationHook': dict(out_dir='predictions', interval=7),
    'ReconstructionHook': dict(interval=2, num_clips=1),
    'SaveFeaturesHook': dict(out_file='features.npz'),
    'ModelEpochHook': {},
    'SampleMemoryHook': {},
    'SkippedSamplesHook': {},
    'ThreadCompetitionHook': dict(num_iters=2),
    'WorstClipsHook': dict(num_clips=2),
}
SHARDS = {
    'train_dataloader.dataset.type': 'AudioVisualShards',
    'train_dataloader.dataset.ann_file': 'shards/index.json',
}
RUN_CASES = {
    'DATASETS': {
        'AudioVisualDataset': RunCase({'train_dataloader.dataset.on_error': 'skip'}),
        'AudioVisualShards': RunCase(SHARDS),
    },
    'DATA_SAMPLERS': {
        'ClassBalancedSampler': RunCase({'train_dataloader.sampler.type': 'ClassBalancedSampler'}),
        'LengthBucketBatchSampler': RunCase({'train_dataloader.batch_sampler': dict(type='LengthBucketBatchSampler')}),
        'SeededSampler': RunCase({'train_dataloader.sampler.shuffle': False}),
        'ShardSampler': RunCase(SHARDS | {'train_dataloader.sampler.type': 'ShardSampler'}),
    },
    'FUNCTIONS': {
        name: RunCase({'train_dataloader.collate_fn.type': name})
        for name in ('collate_audio_visual', 'collate_streams')
    },
    'METRICS': {'ClassificationMetric': RunCase({'test_evaluator.topk': (1,)})},
    'HOOKS': {name: RunCase({'custom_hooks': [dict(type=name, **options)]}) for name, options in HOOK_OPTIONS.items()}
    | {
        'ObjectiveWeightHook': RunCase(
            {
                'model.objectives': dict(contrast=dict(type='HierarchicalContrast', layers=(0,))),
                'custom_hooks': [dict(type='ObjectiveWeightHook', objective='contrast', start=0.0, stop=0.1)],
            }
        )
    },
    'LOOPS': {'EpochTrainLoop': RunCase({'train_cfg.type': 'EpochTrainLoop'})},
    'OPTIM_WRAPPERS': {'CpuAmpOptimWrapper': RunCase({'optim_wrapper.type': 'CpuAmpOptimWrapper'})},
    'OPTIM_WRAPPER_CONSTRUCTORS': {
        'LayerDecayOptimWrapperConstructor': RunCase({'optim_wrapper.paramwise_cfg.layer_decay': 0.5})
    },
    'PARAM_SCHEDULERS': {
        'CosineWeightDecay': RunCase(
            {'param_scheduler': [dict(type='CosineWeightDecay', end_value=0.2, by_epoch=False, end=9)]}
        ),
        'WarmupCosineLR': RunCase({'param_scheduler': [dict(type='WarmupCosineLR', warmup=0, by_epoch=False, end=9)]}),
    },
    'RUNNERS': {'AudioVisualRunner': RunCase({'runner_type': 'AudioVisualRunner'})},
}
CASES: dict[str, set[str]] = {name: set(cases) for name, cases in RUN_CASES.items()}
ADAPTER_CASES = {
    'LoRA': dict(target='encoders.video', modules=r'attn\.qkv', r=2),
    'BottleneckAdapter': dict(target='encoders.video', modules=r'mlp\.fc2', hidden_dims=4),
}
CASES |= {'MODELS': {*MODEL_CASES, *ADAPTER_CASES}, 'TRANSFORMS': set(TRANSFORM_CASES)}
# these read columns that no text list has; tests/datasets/transforms runs them in pipelines of their own
CASES['TRANSFORMS'] |= {
    'CameraStream',
    'CutWindow',
    'DescribeClip',
    'ExtractorSpectrogram',
    'LoadFeature',
    'LoadFrameTargets',
    'MultiView',
    'Tokenize',
}
CASES['METRICS'] = CASES['METRICS'] | {
    'DumpPredictions',
    'RegressionMetric',
    'MERMultiMetric',
}  # run by tests of their own below
CASES['HOOKS'] = CASES['HOOKS'] | {'EncoderCacheHook'}  # needs a cache; tests/features/test_encoder_cache.py has one
# run by tests/evaluation/test_open_vocabulary.py and tests/evaluation/test_frame_metric.py
CASES['METRICS'] |= {'FrameMetric', 'OpenVocabularyMetric'}
# need a runner that tells the epoch; run by tests/models/partial_labels
CASES['MODELS'] |= {'CandidateCorrection', 'LabelImportance', 'PartialLabelRecognizer', 'PrototypeContrast'}
CASES['DATA_SAMPLERS'].add('ConversationBatchSampler')  # needs a table; run by tests/datasets/test_conversations.py
# run by tests/datasets/faces and tests/test_tools/test_extract_faces.py, which swap them by --cropper
CASES['FACE_CROPPERS'] = {'HaarCascade', 'OpenFace', 'TrackedBoxes', 'WholeFrame', 'YuNet'}
CASES['MODEL_WRAPPERS'] = {'DataParallelModel', 'FullyShardedModel'}  # run by tests/engine on two ranks
CORPORA = 'hicmae_mm.datasets.corpora.'


@pytest.fixture(autouse=True)
def _default_scope() -> None:
    init_default_scope('hicmae_mm')  # as a config's default_scope does


ALL_COMPONENTS = [
    pytest.param(kind, id=f'{name}-{kind.__name__}')
    for name, registry in REGISTRIES.items()
    for kind in own_components(registry).values()
]


@pytest.mark.parametrize('name', REGISTRIES)
def test_every_registered_component_has_a_case(name: str) -> None:
    # the corpora are read, trained on and tested in miniature, all of them, by tests/test_tools/test_corpora.py
    components = own_components(REGISTRIES[name]).items()
    names = {kind_name for kind_name, kind in components if not kind.__module__.startswith(CORPORA)}
    assert names == CASES.get(name, set())


@pytest.mark.parametrize('kind', ALL_COMPONENTS)
def test_constructor_refuses_misspelt_options(kind: Any) -> None:
    parameters = inspect.signature(kind).parameters.values()
    assert not [parameter.name for parameter in parameters if parameter.kind is parameter.VAR_KEYWORD]


@pytest.mark.parametrize('kind', ALL_COMPONENTS)
def test_every_option_is_documented(kind: Any) -> None:
    classes = inspect.getmro(kind) if inspect.isclass(kind) else (kind,)
    text = '\n'.join(part.__doc__ or '' for part in classes)
    undocumented = [name for name in inspect.signature(kind).parameters if f'{name}:' not in text]
    undocumented = [name for name in undocumented if f'{name} (' not in text]
    assert undocumented in ([], ['cfg'])


@pytest.mark.parametrize('name', MODEL_CASES)
def test_model_component_is_swapped_in_and_trains(name: str) -> None:
    case = MODEL_CASES[name]
    torch.manual_seed(0)
    model = R.MODELS.build(with_component(case.base, case.slot, name, case.options))
    model.init_weights()
    # a loss is kept under another name: `loss` is the head's method
    component = model.get_submodule(re.sub(r'\bloss$', 'criterion', case.slot))
    assert type(component).__name__ == name

    batch = batch_of(model)
    losses = model(**model.data_preprocessor(batch, training=True), mode='loss')
    total = sum(value for key, value in losses.items() if 'loss' in key)
    total.backward()
    assert torch.isfinite(total)
    without_gradient = [key for key, parameter in model.named_parameters() if parameter.grad is None]
    assert without_gradient == []
    if any(True for _ in component.parameters()):
        assert any(parameter.grad.abs().sum() > 0 for parameter in component.parameters())

    model.eval()
    with torch.no_grad():
        predicted = model(**model.data_preprocessor(batch, training=False), mode='predict')
    assert len(predicted) == 4
    assert all(isinstance(sample, BaseDataElement) for sample in predicted)


@pytest.mark.parametrize('name', ADAPTER_CASES)
def test_adapter_is_swapped_in_and_trains(name: str) -> None:
    base = RECOGNIZER | dict(adapters=[dict(type='LoRA', target='fusion', modules='proj')])
    overrides = {f'model.adapters.0.{key}': value for key, value in dict(ADAPTER_CASES[name], type=name).items()}
    cfg = Config(dict(model=base))
    cfg.merge_from_dict(overrides)  # as --cfg-options
    model = R.MODELS.build(cfg.model)
    model.init_weights()
    assert [type(adapter).__name__ for adapter in model.adapters] == [name]
    batch = batch_of(model)
    model.train()(**model.data_preprocessor(batch, training=True), mode='loss')['loss'].backward()
    encoder = dict(model.encoders['video'].named_parameters())
    trained = {key for key, value in encoder.items() if value.grad is not None}
    assert trained == {key for key in encoder if 'lora_' in key or 'bottleneck' in key} != set()
    assert any(encoder[key].grad.abs().sum() > 0 for key in trained)
    with torch.no_grad():
        predicted = model.eval()(**model.data_preprocessor(batch, training=False), mode='predict')
    assert len(predicted) == 4


@pytest.fixture(scope='module')
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_corpus(tmp_path_factory.mktemp('components'))
    pack(folder / 'clips.txt', folder / 'shards')
    return folder


@pytest.mark.parametrize('name', TRANSFORM_CASES)
def test_transform_is_swapped_into_the_pipeline(name: str, corpus: Path, tmp_path: Path) -> None:
    case = TRANSFORM_CASES[name]
    make = {'finetune': finetune_config, 'pretrain': pretrain_config}[case.task]
    dataset = make(corpus, tmp_path).train_dataloader.dataset
    steps = [step['type'].removeprefix('mmaction.') for step in dataset.pipeline]
    position = steps.index(case.step)
    options = {key: corpus.as_posix() if value == '{corpus}' else value for key, value in case.options.items()}
    start, stop = position + (not case.replaces), position + (not case.precedes)
    dataset.pipeline[start:stop] = [dict(type=name, **options)]

    built = R.DATASETS.build(dataset)
    assert name in [type(step).__name__ for step in built.pipeline.transforms]
    batch = collate_audio_visual([built[SampleIndex(0, seed=0, epoch=0)], built[SampleIndex(1, seed=0, epoch=0)]])
    assert batch['inputs']['video'].shape == (2, 4, 32, 32, 3)
    assert batch['inputs']['video'].dtype == torch.uint8
    assert batch['inputs']['audio'].shape == (2, 1, 32, 32)
    assert torch.isfinite(batch['inputs']['audio']).all()
    if case.task == 'pretrain':
        assert batch['masks']['video'].sum(dim=1).tolist() == [round(8 * case.options['ratio'])] * 2
        assert batch['masks']['audio'].shape == (2, 4)


@pytest.mark.usefixtures('unformatted_configs')
@pytest.mark.parametrize(
    ('registry', 'name'), [(registry, name) for registry, cases in RUN_CASES.items() for name in cases]
)
def test_training_component_is_swapped_into_a_run(
    registry: str, name: str, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cfg = finetune_config(corpus, tmp_path / name)
    cfg.merge_from_dict({'custom_hooks': [], 'train_cfg.max_epochs': 1})
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        loader.dataset.indices = 8
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.default_hooks.checkpoint.pop('save_best')
    cfg.param_scheduler[0].warmup = 0
    cfg.merge_from_dict(RUN_CASES[registry][name].overrides)
    runner = train(cfg)
    assert runner.iter == 2
    assert 0 <= runner.test()['UAR'] <= 1
    built = [runner, runner.train_loop, runner.optim_wrapper, *runner.hooks, *runner.param_schedulers]
    loader = runner.train_dataloader
    built += [loader.dataset, loader.sampler, loader.batch_sampler, *runner.test_evaluator.metrics]
    names = {type(part).__name__ for part in built}
    collate = runner.train_dataloader.collate_fn.func
    names |= {key for key, function in R.FUNCTIONS.module_dict.items() if function is collate}
    names.add(cfg.optim_wrapper.constructor)
    assert name in names
    if name == 'PredictionVisualizationHook':
        assert len(list((tmp_path / 'predictions').glob('*.png'))) == 2  # clips 0 and 7 of 8


def test_regression_metric_is_swapped_in() -> None:
    evaluator = R.EVALUATOR.build(dict(type='Evaluator', metrics=[dict(type='RegressionMetric')]))
    torch.manual_seed(0)
    model = R.MODELS.build(REGRESSOR).eval()
    batch = raw_batch()
    batch.pop('masks')
    with torch.no_grad():
        predicted = model(**model.data_preprocessor(batch, training=False), mode='predict')
    evaluator.process(data_samples=predicted, data_batch=pseudo_collate([{}]))
    measures = evaluator.evaluate(4)
    assert {'MAE', 'MSE', 'RMSE', 'PCC', 'CCC'} <= set(measures)
    assert measures['RMSE'] >= measures['MAE'] > 0


def test_dump_predictions_is_swapped_in(tmp_path: Path) -> None:
    metrics = [dict(type='RegressionMetric'), dict(type='DumpPredictions', out_file_path=str(tmp_path / 'out.pkl'))]
    evaluator = R.EVALUATOR.build(dict(type='Evaluator', metrics=metrics))
    sample = dict(sample_idx=3, sample_id='a', pred_values=torch.tensor([0.5]), gt_values=torch.tensor([0.25]))
    evaluator.process(data_samples=[sample], data_batch={})
    assert evaluator.evaluate(1)['MAE'] == 0.25
    (found,) = read_predictions(tmp_path / 'out.pkl')
    assert (found['sample_id'], found['pred_values'].tolist()) == ('a', [0.5])


def test_mer_multi_metric_is_swapped_in() -> None:
    metrics = [dict(type='MERMultiMetric'), dict(type='RegressionMetric', prefix='valence')]
    evaluator = R.EVALUATOR.build(dict(type='Evaluator', metrics=metrics))
    torch.manual_seed(0)
    batch = raw_batch()
    batch.pop('masks')
    with torch.no_grad():
        for base in (RECOGNIZER, REGRESSOR):  # one after the other leaves classes and values in the same samples
            model = R.MODELS.build(base).eval()
            predicted = model(**model.data_preprocessor(batch, training=False), mode='predict')
    evaluator.process(data_samples=predicted, data_batch=pseudo_collate([{}]))
    measures = evaluator.evaluate(4)
    assert measures['MSE'] == measures['valence/MSE'] > 0
    assert measures['MER'] == pytest.approx(measures['weighted_f1'] - 0.25 * measures['MSE'])

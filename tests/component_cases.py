"""A case for every model component: a small model, the slot that the component goes into, and its options."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import Registry
from torch import nn

from hicmae_mm.structures import EmotionDataSample, Padded
from tests.models.tiny import pretrainer_config, recognizer_config

# every slot is named, as in the shipped configs, so that any of them can be replaced
RECOGNIZER = recognizer_config(
    data_preprocessor=dict(type='AudioVisualDataPreprocessor', batch_augment=dict(type='MixupCutmix', num_classes=3)),
    aggregator=dict(type='HierarchicalFeatureAggregator'),
    head=dict(type='ClassificationHead', num_classes=3, loss=dict(type='SoftCrossEntropyLoss')),
)
REGRESSOR = RECOGNIZER | dict(
    data_preprocessor=dict(type='AudioVisualDataPreprocessor'),
    head=dict(type='RegressionHead', num_outputs=2, loss=dict(type='MSELoss')),
)
FRAMES = REGRESSOR | dict(
    aggregator=dict(type='FrameTokens', num_steps=2),
    head=dict(type='RegressionHead', num_outputs=1, level='frame', target='course'),
)
FEATURES = REGRESSOR | dict(
    encoders={name: dict(type='FeatureMLPEncoder', in_channels=6, widths=(8,)) for name in ('face', 'words')},
    fusion=None,
    aggregator=dict(type='StreamAttentionAggregator', widths=(8,)),
)
TEXT = REGRESSOR | dict(
    encoders=dict(text=dict(type='TokenIdEncoder', num_ids=7, embed_dims=8, num_heads=2)),
    fusion=None,
)
WAVEFORMS = REGRESSOR | dict(
    encoders=dict(
        voice=dict(
            type='Emotion2VecEncoder',
            embed_dims=12,
            depth=1,
            prenet_depth=1,
            num_heads=3,
            conv_layers=[(8, 10, 5), (8, 4, 4)],
            position_groups=4,
        )
    ),
    fusion=None,
)
PROMPTED = dict(type='PromptedViTEncoder', embed_dims=12, depth=2, num_heads=2, num_prompts=1, prompt_interval=1)
EXCHANGE = dict(
    type='ExchangeRecognizer',
    data_preprocessor=dict(type='AudioVisualDataPreprocessor'),
    encoders=dict(
        video=dict(PROMPTED, patch_embed=dict(type='ImageEmbed', image_size=32)),
        audio=dict(PROMPTED, patch_embed=dict(type='SpectrogramEmbed', num_frames=32, num_mel_bins=32)),
    ),
    exchange=dict(type='GatedExchange', bottleneck=4),
    aggregator=dict(type='TemporalTransformerAggregator', num_frames=4, out_channels=8, num_heads=2, mlp_dims=8),
    head=dict(type='ClassificationHead', num_classes=3, norm=False, init_scale=1.0),
)
CONTEXT = FEATURES | dict(
    fusion=dict(type='EMTFusion', embed_dims=8, depth=1, num_heads=2),
    aggregator=dict(type='ContextAggregator', widths=(8,)),
    objectives=dict(dlfr=dict(type='FeatureRestoration')),
)
TALK = FEATURES | dict(
    type='ConversationRecognizer',
    num_speakers=2,
    fusion=dict(type='ConversationFusion', embed_dims=8, leading='words', num_heads=2),
    aggregator=dict(type='FrameTokens'),
)
PRETRAINER = pretrainer_config(
    data_preprocessor=dict(type='AudioVisualDataPreprocessor'),
    contrastive=dict(type='HierarchicalContrastiveHead', layers=(0, 2), loss=dict(type='InfoNCELoss')),
)


@dataclass
class ModelCase:
    """A model, the slot of it that the component goes into ('' = the model itself), and options."""

    base: dict[str, Any]
    slot: str
    options: dict[str, Any] = field(default_factory=dict)


VIDEO = dict(image_size=32, num_frames=4)
SOUND = dict(num_frames=32, num_mel_bins=32)
DECODER = dict(embed_dims=12, depth=2, num_heads=2)
VIDEO_HEAD = PRETRAINER['heads']['video']
MODEL_CASES = {
    'AudioVisualRecognizer': ModelCase(RECOGNIZER, ''),
    'AudioVisualPretrainer': ModelCase(PRETRAINER, ''),
    'AudioVisualDataPreprocessor': ModelCase(RECOGNIZER, 'data_preprocessor'),
    'MixupCutmix': ModelCase(RECOGNIZER, 'data_preprocessor.batch_augment', dict(num_classes=3)),
    'VisionTransformerEncoder': ModelCase(
        PRETRAINER,
        'encoders.audio',
        dict(patch_embed=dict(type='SpectrogramEmbed', **SOUND), embed_dims=16, depth=3, num_heads=4),
    ),
    'LGIFormerEncoder': ModelCase(
        RECOGNIZER,
        'encoders.video',
        dict(patch_embed=dict(type='TubeletEmbed', **VIDEO), region=(1, 1, 2), embed_dims=16, depth=2, num_heads=2),
    ),
    'RegionPoolAggregator': ModelCase(RECOGNIZER, 'aggregator', dict(tokens='all')),
    'TPSBTEncoder': ModelCase(
        RECOGNIZER,
        'encoders.video',
        dict(
            patch_embed=dict(type='TubeletEmbed', **VIDEO),
            embed_dims=16,
            stage_depths=(1, 2),
            num_heads=2,
            bottleneck_tokens=2,
        ),
    ),
    'ExpertViTEncoder': ModelCase(
        RECOGNIZER,
        'encoders.video',
        dict(
            patch_embed=dict(type='TubeletEmbed', **VIDEO),
            embed_dims=16,
            depth=2,
            num_heads=2,
            expert_layers=(1,),
            num_experts=4,
        ),
    ),
    'ExpertBalance': ModelCase(
        RECOGNIZER
        | dict(
            encoders=RECOGNIZER['encoders']
            | dict(
                video=dict(
                    type='ExpertViTEncoder',
                    patch_embed=dict(type='TubeletEmbed', **VIDEO),
                    embed_dims=16,
                    depth=2,
                    num_heads=2,
                    expert_layers=(0,),
                )
            ),
            objectives=dict(balance=dict(type='ExpertBalance')),
        ),
        'objectives.balance',
    ),
    'FeatureAlignment': ModelCase(
        RECOGNIZER | dict(objectives=dict(mood=dict(type='FeatureAlignment', feature_dims=2, target='values'))),
        'objectives.mood',
        dict(feature_dims=2, target='values', embed_dims=8),
    ),
    'TubeletEmbed': ModelCase(PRETRAINER, 'encoders.video.patch_embed', VIDEO | dict(tubelet_size=2)),
    'SpectrogramEmbed': ModelCase(RECOGNIZER, 'encoders.audio.patch_embed', SOUND),
    'CrossModalFusion': ModelCase(RECOGNIZER, 'fusion', dict(depth=1, num_heads=4)),
    'IterativeCorrelationFusion': ModelCase(PRETRAINER, 'fusion', dict(depth=2, num_heads=2)),
    'ConcatFusion': ModelCase(PRETRAINER, 'fusion', dict(depth=1, num_heads=2)),
    'HierarchicalDecoder': ModelCase(PRETRAINER, 'decoders.video', DECODER),
    'PlainDecoder': ModelCase(PRETRAINER, 'decoders.audio', DECODER),
    'ReconstructionHead': ModelCase(PRETRAINER, 'heads.video', {key: VIDEO_HEAD[key] for key in ('target', 'loss')}),
    'VideoPatchTarget': ModelCase(PRETRAINER, 'heads.video.target', dict(frame_difference=False)),
    'SpectrogramPatchTarget': ModelCase(PRETRAINER, 'heads.audio.target', dict(normalize=False)),
    'MaskedMSELoss': ModelCase(PRETRAINER, 'heads.audio.loss', dict(loss_weight=0.5)),
    'FrameAttentionAggregator': ModelCase(
        FEATURES
        | dict(
            encoders={'words': dict(type='FeatureLSTMEncoder', in_channels=6, hidden_dims=8)},
            head=dict(type='RegressionHead', num_outputs=2, level='frame', target='course_of_words'),
        ),
        'aggregator',
        dict(widths=(8,), hidden_dims=4),
    ),
    'FrameTokens': ModelCase(FRAMES, 'aggregator', dict(num_steps=4)),
    'FeatureMLPEncoder': ModelCase(FEATURES, 'encoders.face', dict(in_channels=6, widths=(4, 8), input_drop=0.1)),
    'FeatureLSTMEncoder': ModelCase(FEATURES, 'encoders.words', dict(in_channels=6, hidden_dims=8)),
    'FeatureTransformerEncoder': ModelCase(
        FEATURES, 'encoders.words', dict(in_channels=6, embed_dims=8, depth=2, num_heads=2, window=2)
    ),
    'FeatureTCNEncoder': ModelCase(FEATURES, 'encoders.words', dict(in_channels=6, embed_dims=8, depth=2)),
    'TokenIdEncoder': ModelCase(TEXT, 'encoders.text', dict(num_ids=9, embed_dims=12, depth=1, num_heads=2)),
    'StreamAttentionAggregator': ModelCase(FEATURES, 'aggregator', dict(widths=(16, 8), order=('words', 'face'))),
    'StreamMLPAggregator': ModelCase(FEATURES, 'aggregator', dict(widths=(4,))),
    'Emotion2VecEncoder': ModelCase(
        WAVEFORMS,
        'encoders.voice',
        WAVEFORMS['encoders']['voice'] | dict(scale_per_layer=True),
    ),
    'MMActionEncoder': ModelCase(
        RECOGNIZER | dict(fusion=None, aggregator=dict(type='MeanPoolAggregator')),
        'encoders.video',
        dict(
            backbone=dict(
                type='VisionTransformer',
                img_size=32,
                num_frames=4,
                embed_dims=16,
                depth=1,
                num_heads=2,
                return_feat_map=True,
            ),
            input_size=(4, 32, 32),
        ),
    ),
    'TimmEncoder': ModelCase(
        RECOGNIZER | dict(fusion=None, aggregator=dict(type='MeanPoolAggregator')),
        'encoders.video',
        dict(
            name='vit_tiny_patch16_224',
            options=dict(img_size=32, embed_dim=16, depth=1, num_heads=2),
        ),
    ),
    'TorchaudioEncoder': ModelCase(
        WAVEFORMS,
        'encoders.voice',
        dict(
            name='wav2vec2_model',
            options=dict(
                extractor_mode='group_norm',
                extractor_conv_layer_config=[(8, 10, 5), (8, 4, 4)],
                extractor_conv_bias=False,
                encoder_embed_dim=12,
                encoder_projection_dropout=0.0,
                encoder_pos_conv_kernel=4,
                encoder_pos_conv_groups=2,
                encoder_num_layers=1,
                encoder_num_heads=2,
                encoder_attention_dropout=0.0,
                encoder_ff_interm_features=12,
                encoder_ff_interm_dropout=0.0,
                encoder_dropout=0.0,
                encoder_layer_norm_first=False,
                encoder_layer_drop=0.0,
                aux_num_out=None,
            ),
        ),
    ),
    'TransformersEncoder': ModelCase(
        WAVEFORMS,
        'encoders.voice',
        dict(
            config=dict(
                model_type='wav2vec2',
                hidden_size=12,
                num_hidden_layers=1,
                num_attention_heads=2,
                intermediate_size=12,
                conv_dim=[8, 8],
                conv_kernel=[10, 4],
                conv_stride=[5, 4],
                num_feat_extract_layers=2,
                num_conv_pos_embeddings=4,
                num_conv_pos_embedding_groups=2,
                hidden_dropout=0.0,
                attention_dropout=0.0,
                activation_dropout=0.0,
                feat_proj_dropout=0.0,
            )
        ),
    ),
    'ConversationRecognizer': ModelCase(TALK, ''),
    'ConversationFusion': ModelCase(TALK, 'fusion', dict(embed_dims=16, leading='face', context_depth=2, depth=1)),
    'ExchangeRecognizer': ModelCase(EXCHANGE, ''),
    'GatedExchange': ModelCase(EXCHANGE, 'exchange', dict(bottleneck=6)),
    'PromptedViTEncoder': ModelCase(EXCHANGE, 'encoders.video', EXCHANGE['encoders']['video'] | dict(mlp_ratio=2.0)),
    'ImageEmbed': ModelCase(EXCHANGE, 'encoders.video.patch_embed', dict(image_size=32)),
    'TemporalTransformerAggregator': ModelCase(
        EXCHANGE, 'aggregator', dict(num_frames=4, out_channels=6, depth=2, num_heads=2, mlp_dims=8)
    ),
    'EMTFusion': ModelCase(CONTEXT, 'fusion', dict(embed_dims=16, depth=2, num_heads=4, share_layers=False)),
    'ContextAggregator': ModelCase(CONTEXT, 'aggregator', dict(widths=(16,), order=('words', 'face'))),
    'FeatureRestoration': ModelCase(CONTEXT, 'objectives.dlfr', dict(inputs=dict(words=6), missing_rate=0.3)),
    'MultiLabelHead': ModelCase(REGRESSOR, 'head', dict(num_labels=2, target='units', ignore=-1)),
    'HierarchicalContrast': ModelCase(
        PRETRAINER | dict(objectives=dict(contrast=dict(type='HierarchicalContrast', layers=(2,)))),
        'objectives.contrast',
        dict(layers=(1,)),
    ),
    'HierarchicalContrastiveHead': ModelCase(PRETRAINER, 'contrastive', dict(layers=(1,))),
    'InfoNCELoss': ModelCase(PRETRAINER, 'contrastive.loss', dict(temperature=0.2)),
    'HierarchicalFeatureAggregator': ModelCase(RECOGNIZER, 'aggregator'),
    'MeanPoolAggregator': ModelCase(RECOGNIZER, 'aggregator'),
    'ClassificationHead': ModelCase(RECOGNIZER, 'head', dict(num_classes=3, init_scale=1.0)),
    'CompoundHead': ModelCase(RECOGNIZER, 'head', dict(basic='abc', compounds=('ab', 'bc', 'ac'), init_scale=1.0)),
    'PartialLabelLoss': ModelCase(RECOGNIZER, 'head.loss', dict(kind='SCE')),
    'SoftCrossEntropyLoss': ModelCase(RECOGNIZER, 'head.loss', dict(label_smoothing=0.1)),
    'RegressionHead': ModelCase(REGRESSOR, 'head', dict(num_outputs=2, activation='tanh')),
    'MultiTaskHead': ModelCase(
        REGRESSOR,
        'head',
        dict(heads=dict(emotion=dict(type='ClassificationHead', num_classes=3), mood=REGRESSOR['head'])),
    ),
    'MSELoss': ModelCase(REGRESSOR, 'head.loss', dict(loss_weight=2.0)),
    'L1Loss': ModelCase(REGRESSOR, 'head.loss'),
    'SmoothL1Loss': ModelCase(REGRESSOR, 'head.loss'),
    'CCCLoss': ModelCase(REGRESSOR, 'head.loss'),
    'SequenceCCCLoss': ModelCase(
        REGRESSOR
        | dict(head=dict(type='RegressionHead', num_outputs=2, target='values', ignore=-5, loss=dict(type='CCCLoss'))),
        'head.loss',
    ),
    'PCCLoss': ModelCase(REGRESSOR, 'head.loss'),
}


def own_components(registry: Registry) -> dict[str, Any]:
    """What the package itself registers; other tests add components of their own."""
    registry.import_from_location()
    return {name: kind for name, kind in registry.module_dict.items() if kind.__module__.startswith('hicmae_mm.')}


def with_component(base: dict[str, Any], slot: str, kind: str, options: dict[str, Any]) -> dict[str, Any]:
    """``--cfg-options model.SLOT._delete_=True model.SLOT.type=KIND model.SLOT.OPTION=...``."""
    cfg = Config(dict(model=base))
    if not slot:
        assert cfg.model.type == kind
        return cfg.model
    replaced: dict[str, Any] = {f'model.{slot}._delete_': True, f'model.{slot}.type': kind}
    replaced.update({f'model.{slot}.{key}': value for key, value in options.items()})
    cfg.merge_from_dict(replaced)
    return cfg.model


def raw_batch(num_clips: int = 4) -> dict[str, Any]:
    """A batch as collation gives it, with labels of every kind."""
    generator = torch.Generator().manual_seed(0)
    samples = []
    for number in range(num_clips):
        talk = dict(dialogue=f'dia{number // 3}', speaker=f'person {number % 2}')
        sample = EmotionDataSample(metainfo=dict(sample_id=str(number), num_views=1, columns=talk))
        sample.set_gt_label(number % 3)
        sample.set_gt_values(torch.randn(2, generator=generator).tolist())
        sample.set_target('course', torch.randn(4, 1, generator=generator))
        sample.set_target('course_of_words', torch.randn(number + 2, 2, generator=generator))
        sample.set_target('units', [number % 2, -1])
        samples.append(sample)
    hidden = torch.arange(8).expand(num_clips, -1)
    return dict(
        inputs=dict(
            video=torch.randint(0, 256, (num_clips, 4, 32, 32, 3), dtype=torch.uint8, generator=generator),
            audio=torch.randn(num_clips, 1, 32, 32, generator=generator),
            face=torch.randn(num_clips, 6, generator=generator),
            voice=Padded(torch.randn(num_clips, 900, generator=generator), torch.arange(num_clips) * 50 + 700),
            words=Padded(torch.randn(num_clips, 5, 6, generator=generator), torch.arange(2, num_clips + 2)),
            text=Padded(torch.arange(num_clips * 5).view(num_clips, 5) % 7, torch.arange(2, num_clips + 2)),
        ),
        masks=dict(video=hidden < 5, audio=hidden[:, :4] < 2),
        data_samples=samples,
    )


def batch_of(model: nn.Module, num_clips: int = 4) -> dict[str, Any]:
    """The streams of :func:`raw_batch` that a model has, with masks for a pre-trainer."""
    batch = raw_batch(num_clips)
    batch['inputs'] = {name: value for name, value in batch['inputs'].items() if name in model.encoders}
    if not hasattr(model, 'decoders'):
        batch.pop('masks')
    return batch

"""Shipped configs, made small enough to run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def narrow(value: Any) -> None:
    """Makes every part of a model 16 wide; depths, grids and losses stay."""
    if isinstance(value, dict):
        for key, width in (('embed_dims', 16), ('num_heads', 2)):
            if key in value:
                value[key] = width
        for item in value.values():
            narrow(item)


def data_sets(dataset: ConfigDict) -> list[ConfigDict]:
    """The data sets with lists in a data set of data sets, or the data set itself."""
    inner = dataset.get('datasets') or ([dataset.dataset] if 'dataset' in dataset else [])
    return [found for part in inner for found in data_sets(part)] or [dataset]


# of models of transformers, whose config stands beside the folder of the weights
_TINY_FOREIGN = dict(
    clip_vision_model=dict(
        hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2, patch_size=32
    ),
    bert=dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, vocab_size=50),
    roberta=dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, vocab_size=50),
    wav2vec2=dict(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        conv_dim=[8, 8],
        conv_kernel=[10, 4],
        conv_stride=[5, 4],
        num_feat_extract_layers=2,
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
    ),
    clap_audio_model=dict(
        hidden_size=64, patch_embeds_hidden_size=8, depths=[1, 1, 1, 1], num_attention_heads=[1] * 4, window_size=4
    ),
)


def without_folders(cfg: Config, folder: Path) -> None:
    """Tiny random encoders of transformers in place of those in folders, and a folder with CLAP's feature extractor."""
    for encoder in cfg.model.get('encoders', {}).values():
        if encoder.type == 'TransformersEncoder':
            encoder.pop('path', None)
            encoder.config.update(_TINY_FOREIGN[encoder.config.model_type])
    for loader in filter(None, map(cfg.get, LOADERS)):
        for dataset in data_sets(loader.dataset):
            for step in dataset.get('pipeline', ()):
                if step.type == 'Tokenize':
                    step.vocabulary = 'words.txt'
                if step.type == 'ExtractorSpectrogram':
                    from transformers import ClapFeatureExtractor  # takes seconds

                    ClapFeatureExtractor(truncation='rand_trunc').save_pretrained(folder / 'extractor')
                    step.path = str(folder / 'extractor')


def make_tiny(cfg: Config, work_dir: Path) -> None:
    """Narrow model, batches of two in this process, one epoch, no warm-up; the data stay the config's own."""
    narrow(cfg.model)
    without_folders(cfg, work_dir)
    for name in LOADERS:
        loader: ConfigDict | None = cfg.get(name)
        if loader:
            loader.batch_size, loader.num_workers, loader.persistent_workers = 2, 0, False
            for dataset in data_sets(loader.dataset):
                dataset.on_error = 'raise'
    cfg.merge_from_dict(dict(work_dir=str(work_dir), load_from=None, train_cfg=dict(max_epochs=1)))
    for scheduler in cfg.param_scheduler:
        scheduler.warmup = 0
    cfg.visualizer = dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')])
    cfg.experiment_name = f'{work_dir.parent.name}_{work_dir.name}'

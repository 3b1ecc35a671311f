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


def make_tiny(cfg: Config, work_dir: Path) -> None:
    """Narrow model, batches of two in this process, one epoch, no warm-up; the data stay the config's own."""
    narrow(cfg.model)
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

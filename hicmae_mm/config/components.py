"""Finds the components in a config: the dictionaries with a ``type``, and the registry in which each is looked up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.registry import Registry

from hicmae_mm.registry import (
    DATA_SAMPLERS,
    DATASETS,
    FUNCTIONS,
    HOOKS,
    LOG_PROCESSORS,
    LOOPS,
    METRICS,
    MODELS,
    OPTIM_WRAPPERS,
    OPTIMIZERS,
    PARAM_SCHEDULERS,
    TRANSFORMS,
    VISBACKENDS,
    VISUALIZERS,
)

_DEFAULT_LOOPS = {'val': 'ValLoop', 'test': 'TestLoop'}


def mapping_or_empty(value: Any) -> Mapping[str, Any]:
    """Returns the value if it is a mapping, otherwise an empty one."""
    return value if isinstance(value, Mapping) else {}


def components_of(cfg: Config) -> Iterator[tuple[str, Mapping[str, Any], Registry]]:
    """Yields path, config and registry of every component whose place in the config determines its registry."""
    loaders = {phase: mapping_or_empty(cfg.get(f'{phase}_dataloader')) for phase in ('train', 'val', 'test')}
    default_hooks = mapping_or_empty(cfg.get('default_hooks'))
    roots: list[tuple[str, Any, Registry]] = [
        ('model', cfg.get('model'), MODELS),
        ('param_scheduler', cfg.get('param_scheduler'), PARAM_SCHEDULERS),
        ('optim_wrapper', cfg.get('optim_wrapper'), OPTIM_WRAPPERS),
        ('visualizer', cfg.get('visualizer'), VISUALIZERS),
        ('log_processor', cfg.get('log_processor'), LOG_PROCESSORS),
        ('custom_hooks', cfg.get('custom_hooks'), HOOKS),
        *((f'default_hooks.{name}', hook, HOOKS) for name, hook in default_hooks.items()),
    ]
    for phase, loader in loaders.items():
        roots.append((f'{phase}_dataloader.dataset', loader.get('dataset'), DATASETS))
        roots.append((f'{phase}_evaluator', cfg.get(f'{phase}_evaluator'), METRICS))
        roots.append((f'{phase}_cfg', _with_loop_type(phase, cfg.get(f'{phase}_cfg')), LOOPS))
        for slot, registry in (
            ('sampler', DATA_SAMPLERS),
            ('batch_sampler', DATA_SAMPLERS),
            ('collate_fn', FUNCTIONS),
        ):
            roots.append((f'{phase}_dataloader.{slot}', loader.get(slot), registry))
    for path, value, registry in roots:
        yield from _nested(path, value, registry)


def _with_loop_type(phase: str, loop: Any) -> Any:
    """Returns the config of a loop, with MMEngine's default type if it has none."""
    if not isinstance(loop, Mapping) or 'type' in loop:
        return loop
    by_epoch = loop.get('by_epoch', True)
    kind = _DEFAULT_LOOPS.get(phase) or ('EpochBasedTrainLoop' if by_epoch else 'IterBasedTrainLoop')
    return {'type': kind, **{key: value for key, value in loop.items() if key != 'by_epoch'}}


def _nested(path: str, value: Any, registry: Registry) -> Iterator[tuple[str, Mapping[str, Any], Registry]]:
    """Yields a component and all components within it, as :func:`components_of` does."""
    if isinstance(value, (list, tuple)):
        for position, item in enumerate(value):
            yield from _nested(f'{path}.{position}', item, registry)
    if not isinstance(value, Mapping):
        return
    if 'type' in value:
        yield path, value, registry
    for key, item in value.items():
        inner = _registry_of(str(key), registry)
        if inner is not None:
            yield from _nested(f'{path}.{key}', item, inner)


def _registry_of(key: str, outer: Registry) -> Registry | None:
    """Returns the registry of the components under a key; None if they are not to be checked."""
    if key.endswith('_cfg') or key in ('init_cfg', 'type'):
        return None  # MMCV's builders remove some keys of these configs
    special = {
        'pipeline': TRANSFORMS,
        'optimizer': OPTIMIZERS,
        'vis_backends': VISBACKENDS,
        'transforms': TRANSFORMS,
    }
    if key in special:
        return special[key]
    same = {MODELS.name, DATASETS.name, TRANSFORMS.name, METRICS.name}
    return outer if outer.name in same else None

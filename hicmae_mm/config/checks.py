"""Finds misspelt keys in configs before anything is built, and suggests the right spelling.

MMEngine accepts unknown top-level keys, and overrides of keys that nothing reads, without a message. Other misspelt
keys fail late, in a constructor. This module compares every dictionary with a ``type`` with the signature of the
component that it names. Configs of MMAction2 and MMEngine pass the checks: components that accept ``**kwargs`` are not
checked, and a top-level name is an error only if it is similar to a known one.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import Registry
from mmengine.runner import Runner
from torch.nn.utils import clip_grad_norm_
from torch.utils.data import DataLoader

from hicmae_mm import registry as R
from hicmae_mm.config.limits import check_numbers

# Keys that MMEngine's Runner reads from the config in addition to the arguments of its constructor.
_RUNNER_EXTRAS = {
    'activation_checkpointing',
    'compile',
    'cpu_kernels',
    'custom_imports',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'runner_type',
    'sync_bn',
}
_LOADER_EXTRAS = {
    'batch_sampler',
    'collate_fn',
    'dataset',
    'disable_subprocess_warning',
    'num_batch_per_epoch',
    'sampler',
    'worker_init_fn',
}
_ALWAYS_ALLOWED = {'type', '_scope_', '_delete_'}
_PLAIN_KEYS = {
    'env_cfg': {'cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'},
    'randomness': {'seed', 'diff_rank_seed', 'deterministic'},
    'auto_scale_lr': {'base_batch_size', 'enable'},
    'custom_imports': {'imports', 'allow_failed_imports'},
    'env_cfg.mp_cfg': {'mp_start_method', 'opencv_num_threads'},
    'optim_wrapper.clip_grad': {'type', *inspect.signature(clip_grad_norm_).parameters, 'clip_value'} - {'parameters'},
}
# Keys that MMEngine's constructor of optimizers reads; it accepts and ignores all other keys.
_PARAMWISE_KEYS = {
    'bias_decay_mult', 'bias_lr_mult', 'bypass_duplicate', 'custom_keys', 'dcn_offset_lr_mult', 'dwconv_decay_mult',
    'flat_decay_mult', 'norm_decay_mult',
}  # fmt: skip
_DEFAULT_LOOPS = {'val': 'ValLoop', 'test': 'TestLoop'}
# Keys that components of a registry may have in addition to the arguments of their constructors.
_EXTRA_ARGUMENTS = {
    'hook': {'priority'},
    'parameter scheduler': {'convert_to_iter_based'},
    'optimizer wrapper': {'optimizer', 'constructor', 'paramwise_cfg'},
}
# Constructors that pass their **kwargs to their parent only.
_PASSES_ON = ('mmengine.optim.optimizer.', 'mmengine.optim.scheduler.', 'mmengine.hooks.checkpoint_hook')


def known_top_level_keys() -> set[str]:
    """Returns all top-level keys that the runner reads."""
    arguments = set(inspect.signature(Runner.__init__).parameters) - {'self', 'cfg'}
    return arguments | _RUNNER_EXTRAS


def check_config(cfg: Config) -> None:
    """Raises an error for the first misspelt key of a config.

    Args:
        cfg: A complete config, as read from a file.

    Raises:
        ValueError: If a key is unknown or a value is not possible. The message names the key, its place, and the most
            similar known key.
    """
    known = known_top_level_keys()
    for key in cfg:
        if key not in known:
            _refuse_slip(key, known)
    scope = cfg.get('default_scope')
    for path, component, registry in _components(cfg):
        check_component(path, component, registry, scope)
    for name, allowed in _PLAIN_KEYS.items():
        outer, _, inner = name.partition('.')
        place = _mapping(cfg.get(outer))
        for key in _mapping(place.get(inner) if inner else place):
            _require(key, allowed, name)
    wrapper = _mapping(cfg.get('optim_wrapper'))
    if wrapper.get('constructor') in (None, 'DefaultOptimWrapperConstructor'):
        for key in _mapping(wrapper.get('paramwise_cfg')):
            _require(key, _PARAMWISE_KEYS, 'optim_wrapper.paramwise_cfg')
    check_numbers(cfg)
    _check_loaders(cfg)
    _check_hooks(cfg)
    _check_compile(cfg)
    if not isinstance(cfg.get('cpu_kernels', True), bool):
        raise ValueError(f'cpu_kernels must be True or False, got {cfg.cpu_kernels!r}')


def _refuse_slip(key: str, known: set[str]) -> None:
    """Raises ValueError for an unknown top-level name that is similar to a known key. Others are config variables."""
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.9)
    if close:
        raise ValueError(f'unknown config key {key!r}: did you mean {close[0]!r}?')


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _check_loaders(cfg: Config) -> None:
    allowed = set(inspect.signature(DataLoader.__init__).parameters) - {'self'} | _LOADER_EXTRAS
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        for key in _mapping(cfg.get(name)):
            _require(key, allowed | _ALWAYS_ALLOWED, name)


def _check_hooks(cfg: Config) -> None:
    """Raises ValueError for an entry of ``default_hooks`` or ``custom_hooks`` that is not a hook."""
    for name, hook in _mapping(cfg.get('default_hooks')).items():
        if (isinstance(hook, Mapping) and 'type' not in hook) or isinstance(hook, (str, int, float)):
            known = set(_mapping(cfg.get('default_hooks'))) - {name}
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
            hint = f'did you mean default_hooks.{close[0]}?' if close else "expected dict(type='...', ...)"
            raise ValueError(f'default_hooks.{name} has no type: {hint}')
    hooks = cfg.get('custom_hooks') or []
    for hook in hooks if isinstance(hooks, (list, tuple)) else [hooks]:
        if (isinstance(hook, Mapping) and 'type' in hook) or isinstance(hook, Hook):
            continue
        raise ValueError(f"custom_hooks must be a list such as [dict(type='EMAHook')], but it contains {hook!r}")


def _check_compile(cfg: Config) -> None:
    wrapper = _mapping(cfg.get('optim_wrapper'))
    if cfg.get('compile') and 'Amp' in str(wrapper.get('type', '')):
        raise ValueError(
            "compile=True fails with mixed precision: remove it and add the hook dict(type='CompileHook'), "
            'which compiles the parts of the model'
        )


def check_component(path: str, component: Mapping[str, Any], registry: Registry, scope: str | None = None) -> None:
    """Compares the keys of the config of one component with the arguments of its constructor.

    Args:
        path: Place of the component in the config, for the message.
        component: Config of the component, with ``type``.
        registry: Registry of the type.
        scope: Scope of a type without a scope, usually ``default_scope`` of the config.

    Raises:
        ValueError: If the constructor does not accept a key, or the name of the type is misspelt.
    """
    allowed = accepted_arguments(component['type'], registry, scope)
    if allowed is None:
        if scope in (None, registry.scope):
            _require_type(path, component['type'], registry)
        return
    allowed = allowed | _ALWAYS_ALLOWED | _EXTRA_ARGUMENTS.get(registry.name, set())
    for key in component:
        _require(key, allowed, path, str(component['type']))


def accepted_arguments(kind: Any, registry: Registry, scope: str | None = None) -> set[str] | None:
    """Returns the names of the arguments of a component's constructor; None if they cannot be determined.

    Args:
        kind: Name of the component, or the class or function itself.
        registry: Registry of the name.
        scope: Scope of a name without a scope.
    """
    if isinstance(kind, str):
        is_foreign = scope not in (None, registry.scope) and '.' not in kind
        kind = (_look_up(f'{scope}.{kind}', registry) if is_foreign else None) or _look_up(kind, registry)
    if inspect.isfunction(kind):
        return _names(kind)
    if not inspect.isclass(kind):
        return None
    names: set[str] = set()
    for base in kind.__mro__:
        if base is object:
            return names
        if '__new__' in base.__dict__:
            return None
        constructor = base.__dict__.get('__init__')
        if constructor is None:
            continue
        names |= _names(constructor, skip_star=True) or set()
        if not _takes_any(constructor):
            return names
        if base.__name__ == 'CheckpointHook':
            return names  # it accepts and ignores all other arguments
        if not base.__module__.startswith(_PASSES_ON):
            return None
    return None


def _look_up(kind: str, registry: Registry) -> Any:
    """Returns the component of a name; None if there is none. MMEngine then reports it when it builds the component."""
    try:
        return registry.get(kind)
    except (ImportError, RuntimeError):
        return None


def _require_type(path: str, kind: Any, registry: Registry) -> None:
    """Raises ValueError for the name of an unknown component that is similar to that of a known one."""
    if not isinstance(kind, str) or '.' in kind:
        return
    names = set(registry.module_dict) | set(registry.parent.module_dict if registry.parent else ())
    close = difflib.get_close_matches(kind, names, n=1, cutoff=0.8)
    if close and kind not in names:
        raise ValueError(f'unknown type {kind!r} at {path}.type: did you mean {close[0]!r}?')


def _takes_any(function: Any) -> bool:
    return any(p.kind is p.VAR_KEYWORD for p in inspect.signature(function).parameters.values())


def _names(function: Any, skip_star: bool = False) -> set[str] | None:
    if _takes_any(function) and not skip_star:
        return None
    parameters = inspect.signature(function).parameters.values()
    return {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name != 'self'}


def _require(key: str, allowed: Iterable[str], path: str, kind: str | None = None) -> None:
    allowed = set(allowed)
    if key in allowed:
        return
    close = difflib.get_close_matches(key, allowed, n=1, cutoff=0.6)
    hint = f'did you mean {close[0]!r}?' if close else f'expected one of {sorted(allowed - _ALWAYS_ALLOWED)}'
    of_kind = f' of {kind}' if kind else ''
    raise ValueError(f'unknown config key {path}.{key}{of_kind}: {hint}')


def _components(cfg: Config) -> Iterator[tuple[str, Mapping[str, Any], Registry]]:
    """Yields path, config and registry of every component whose place in the config determines its registry."""
    loaders = {phase: _mapping(cfg.get(f'{phase}_dataloader')) for phase in ('train', 'val', 'test')}
    roots: list[tuple[str, Any, Registry]] = [
        ('model', cfg.get('model'), R.MODELS),
        ('param_scheduler', cfg.get('param_scheduler'), R.PARAM_SCHEDULERS),
        ('optim_wrapper', cfg.get('optim_wrapper'), R.OPTIM_WRAPPERS),
        ('visualizer', cfg.get('visualizer'), R.VISUALIZERS),
        ('log_processor', cfg.get('log_processor'), R.LOG_PROCESSORS),
        ('custom_hooks', cfg.get('custom_hooks'), R.HOOKS),
        *((f'default_hooks.{name}', hook, R.HOOKS) for name, hook in _mapping(cfg.get('default_hooks')).items()),
    ]
    for phase, loader in loaders.items():
        roots.append((f'{phase}_dataloader.dataset', loader.get('dataset'), R.DATASETS))
        roots.append((f'{phase}_evaluator', cfg.get(f'{phase}_evaluator'), R.METRICS))
        roots.append((f'{phase}_cfg', _with_loop_type(phase, cfg.get(f'{phase}_cfg')), R.LOOPS))
        for slot, registry in (
            ('sampler', R.DATA_SAMPLERS),
            ('batch_sampler', R.DATA_SAMPLERS),
            ('collate_fn', R.FUNCTIONS),
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
    """Yields a component and all components within it, as :func:`_components` does."""
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
        'pipeline': R.TRANSFORMS,
        'optimizer': R.OPTIMIZERS,
        'vis_backends': R.VISBACKENDS,
        'transforms': R.TRANSFORMS,
    }
    if key in special:
        return special[key]
    same = {R.MODELS.name, R.DATASETS.name, R.TRANSFORMS.name, R.METRICS.name}
    return outer if outer.name in same else None

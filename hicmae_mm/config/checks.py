"""Finds misspelt keys in configs before anything is built, and suggests the right spelling.

MMEngine accepts unknown top-level keys, and overrides of keys that nothing reads, without a message. Other misspelt
keys fail late, in a constructor. This module compares every dictionary with a ``type`` with the signature of the
component that it names. Configs of MMAction2 and MMEngine pass the checks: components that accept ``**kwargs`` are not
checked, and a top-level name is an error only if it is similar to a known one.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import Registry
from mmengine.runner import Runner
from torch.nn.utils import clip_grad_norm_
from torch.utils.data import DataLoader

from hicmae_mm.config.components import components_of, mapping_or_empty
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
    for path, component, registry in components_of(cfg):
        check_component(path, component, registry, scope)
    for name, allowed in _PLAIN_KEYS.items():
        outer, _, inner = name.partition('.')
        place = mapping_or_empty(cfg.get(outer))
        for key in mapping_or_empty(place.get(inner) if inner else place):
            _require(key, allowed, name)
    wrapper = mapping_or_empty(cfg.get('optim_wrapper'))
    if wrapper.get('constructor') in (None, 'DefaultOptimWrapperConstructor'):
        for key in mapping_or_empty(wrapper.get('paramwise_cfg')):
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


def _check_loaders(cfg: Config) -> None:
    allowed = set(inspect.signature(DataLoader.__init__).parameters) - {'self'} | _LOADER_EXTRAS
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        for key in mapping_or_empty(cfg.get(name)):
            _require(key, allowed | _ALWAYS_ALLOWED, name)


def _check_hooks(cfg: Config) -> None:
    """Raises ValueError for an entry of ``default_hooks`` or ``custom_hooks`` that is not a hook."""
    for name, hook in mapping_or_empty(cfg.get('default_hooks')).items():
        if (isinstance(hook, Mapping) and 'type' not in hook) or isinstance(hook, (str, int, float)):
            known = set(mapping_or_empty(cfg.get('default_hooks'))) - {name}
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
            hint = f'did you mean default_hooks.{close[0]}?' if close else "expected dict(type='...', ...)"
            raise ValueError(f'default_hooks.{name} has no type: {hint}')
    hooks = cfg.get('custom_hooks') or []
    for hook in hooks if isinstance(hooks, (list, tuple)) else [hooks]:
        if (isinstance(hook, Mapping) and 'type' in hook) or isinstance(hook, Hook):
            continue
        raise ValueError(f"custom_hooks must be a list such as [dict(type='EMAHook')], but it contains {hook!r}")


def _check_compile(cfg: Config) -> None:
    wrapper = mapping_or_empty(cfg.get('optim_wrapper'))
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
    if close and kind not in names and _look_up(f'mmaction.{kind}', registry) is None:  # such as its backbones
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

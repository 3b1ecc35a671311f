"""Completes the options of the wrapper that distributes a model over several processes."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.parallel import DistributedDataParallel

from hicmae_mm.config.checks import check_component
from hicmae_mm.engine.wrappers.data_parallel import DataParallelModel
from hicmae_mm.registry import MODEL_WRAPPERS


def wrapper_options(given: dict[str, Any] | None, find_unused_parameters: bool = False) -> dict[str, Any]:
    """Completes the config of a model wrapper with the options that this machine needs.

    Args:
        given: ``model_wrapper_cfg`` of the config. None means a ``DataParallelModel``.
        find_unused_parameters: Default of the option of this name, for wrappers that have it.

    Raises:
        ValueError: If the wrapper does not have an option.
    """
    options = {'type': 'DataParallelModel', **(given or {})}
    check_component('model_wrapper_cfg', options, MODEL_WRAPPERS)
    wrapper_class = MODEL_WRAPPERS.get(options['type'])
    if wrapper_class is not None and issubclass(wrapper_class, DistributedDataParallel):
        options.setdefault('find_unused_parameters', find_unused_parameters)
        if wrapper_class is not DataParallelModel:
            options.setdefault('broadcast_buffers', False)
        if not torch.cuda.is_available():
            options.setdefault('device_ids', None)
    if options['type'] in MODEL_WRAPPERS.module_dict:  # MMEngine looks these up without the default scope
        options['type'] = f'{MODEL_WRAPPERS.scope}.{options["type"]}'
    return options

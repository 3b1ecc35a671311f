"""Layer-wise decay of the learning rate, and no weight decay on one-dimensional parameters."""

from __future__ import annotations

import inspect
from typing import Any

from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from torch import nn

from hicmae_mm.engine.wrappers.base import unwrapped
from hicmae_mm.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS, OPTIMIZERS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LayerDecayOptimWrapperConstructor:
    """Sets the learning rate of every parameter to ``lr * layer_decay ** (L + 1 - id)`` (HiCMAE, fine-tuning recipe).

    The model gives the depth of a parameter by ``model.layer_depth(name) -> (id, L)``: 0 for the patch embedding, i + 1
    for block i, and L + 1 for all parts after the last block. The weight decay is 0 for learned positions and for
    parameters with fewer than two dimensions. Parameters with the same scale and decay are in one group. Each group
    stores its ``lr_scale``.

    Args:
        optim_wrapper_cfg: ``optimizer`` (with ``lr``) and arguments of the optimizer wrapper.
        paramwise_cfg: ``layer_decay`` in (0, 1]; the default 1 applies only the rule for the weight decay. ``no_decay``
            lists names of further parameters without weight decay, whole names or their last parts, such as
            ``('decoders.video.mask_token',)``.

    Raises:
        ValueError: If ``paramwise_cfg`` has an unknown key, the decay is outside of (0, 1], a name in ``no_decay``
            names no parameter, or the model is frozen.
        TypeError: If the model has no ``layer_depth`` and the layer decay is not 1.
    """

    def __init__(self, optim_wrapper_cfg: dict[str, Any], paramwise_cfg: dict[str, Any] | None = None) -> None:
        options = dict(paramwise_cfg or {})
        self.layer_decay = float(options.pop('layer_decay', 1.0))
        no_decay = options.pop('no_decay', ())
        self.no_decay = (no_decay,) if isinstance(no_decay, str) else tuple(no_decay)
        if options:
            raise ValueError(
                f"paramwise_cfg has unknown keys {sorted(options)}; expected 'layer_decay' and 'no_decay' only"
            )
        if not 0 < self.layer_decay <= 1:
            raise ValueError(f'layer_decay={self.layer_decay} is outside (0, 1]')
        if 'lr' not in optim_wrapper_cfg.get('optimizer', {}):
            raise ValueError('optim_wrapper.optimizer needs `lr`: layer decay scales it')
        self.optim_wrapper_cfg = dict(optim_wrapper_cfg)
        self.optimizer_cfg = dict(self.optim_wrapper_cfg.pop('optimizer'))

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Builds the optimizer wrapper.

        Args:
            model: The model, with or without a wrapper for distributed training.

        Returns:
            The optimizer wrapper.

        Raises:
            ValueError: If all parameters are frozen.
            TypeError: If layer decay is used for a model without ``layer_depth``.
        """
        optimizer_cfg = dict(self.optimizer_cfg)
        optimizer_class = optimizer_cfg['type']
        if isinstance(optimizer_class, str):
            optimizer_class = OPTIMIZERS.get(optimizer_class)
        groups_argument = next(iter(inspect.signature(optimizer_class).parameters)) if optimizer_class else 'params'
        optimizer_cfg[groups_argument] = self.parameter_groups(model)
        optimizer = OPTIMIZERS.build(optimizer_cfg)
        wrapper_cfg = {'type': 'OptimWrapper', **self.optim_wrapper_cfg}
        return OPTIM_WRAPPERS.build(wrapper_cfg, default_args=dict(optimizer=optimizer))

    def parameter_groups(self, model: nn.Module) -> list[dict[str, Any]]:
        """Groups the parameters by learning rate and weight decay.

        Args:
            model: The model, with or without a wrapper.

        Returns:
            Groups of ``params``, ``lr``, ``lr_scale`` and ``weight_decay``. The largest learning rate comes first.

        Raises:
            ValueError: If all parameters are frozen.
            TypeError: If layer decay is used for a model without ``layer_depth``.
        """
        module: Any = unwrapped(model)
        if self.layer_decay != 1 and not hasattr(module, 'layer_depth'):
            raise TypeError(
                f'layer_decay={self.layer_decay} needs a model with layer_depth(name) -> (id, num_layers), which '
                f'{type(module).__name__} lacks; set layer_decay=1'
            )
        base_lr, base_decay = self.optimizer_cfg['lr'], self.optimizer_cfg.get('weight_decay', 0.0)
        self._check_no_decay(module)
        groups: dict[tuple[float, float], dict[str, Any]] = {}
        for name, parameter in module.named_parameters():
            if not parameter.requires_grad:
                continue
            scale = self.lr_scale(module, name)
            is_decayed = parameter.ndim > 1 and not name.endswith('.positions') and not self._is_exempt(name)
            decay = base_decay if is_decayed else 0.0
            group = groups.setdefault(
                (scale, decay), dict(params=[], lr=base_lr * scale, lr_scale=scale, weight_decay=decay)
            )
            group['params'].append(parameter)
        if not groups:
            raise ValueError(f'{type(module).__name__} has no parameter that requires a gradient: nothing to train')
        ordered = sorted(groups.values(), key=lambda group: (-group['lr_scale'], -group['weight_decay']))
        num_frozen = sum(not parameter.requires_grad for parameter in module.parameters())
        print_log(_describe(ordered, num_frozen), logger='current')
        return ordered

    def _is_exempt(self, name: str) -> bool:
        return any(f'.{name}'.endswith(f'.{ending}') for ending in self.no_decay)

    def _check_no_decay(self, module: nn.Module) -> None:
        names = [f'.{name}' for name, _ in module.named_parameters()]
        unknown = [ending for ending in self.no_decay if not any(name.endswith(f'.{ending}') for name in names)]
        if unknown:
            raise ValueError(f'paramwise_cfg.no_decay={unknown} names no parameter of {type(module).__name__}')

    def lr_scale(self, module: Any, name: str) -> float:
        """Computes the factor of the learning rate of a parameter.

        Args:
            module: The model, without a wrapper.
            name: Name of the parameter.

        Returns:
            The factor in (0, 1].
        """
        if self.layer_decay == 1:
            return 1.0
        layer_id, num_layers = module.layer_depth(name)
        scale: float = self.layer_decay ** (num_layers + 1 - layer_id)
        return scale


def _describe(groups: list[dict[str, Any]], num_frozen: int) -> str:
    scales = sorted({group['lr_scale'] for group in groups})
    decayed = sum(len(group['params']) for group in groups if group['weight_decay'] > 0)
    total = sum(len(group['params']) for group in groups)
    span = f'{scales[0]:.4g} to {scales[-1]:.4g}' if len(scales) > 1 else f'{scales[0]:.4g}'
    text = f'Optimizer: {len(groups)} groups, learning-rate scale {span}, weight decay on {decayed} of {total} tensors'
    return f'{text}; {num_frozen} frozen tensors are not trained' if num_frozen else text

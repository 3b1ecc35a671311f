"""``torch.compile`` for the parts of a model."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from hicmae_mm.engine.wrappers.base import unwrapped
from hicmae_mm.registry import HOOKS

TARGETS = ('encoders', 'fusion', 'decoders')


@HOOKS.register_module()
class CompileHook(Hook):
    """Compiles the named parts of the model in place before training.

    MMEngine's ``compile=True`` compiles the whole training step, which fails together with mixed precision. Compiling
    modules in place keeps parameter names, so checkpoints do not change.

    Args:
        targets: Dotted names of modules; all blocks of a list are compiled one by one. Defaults to
            ``('encoders', 'fusion', 'decoders')``; names that the model lacks or has as None are left out.
        backend: Backend of ``torch.compile``.
        dynamic: As in ``torch.compile``.

    Raises:
        ValueError: The model has none of the targets.
    """

    priority = 'NORMAL'

    def __init__(
        self,
        targets: Sequence[str] = TARGETS,
        backend: str = 'inductor',
        dynamic: bool | None = None,
    ) -> None:
        self.targets = tuple(targets)
        self.backend = backend
        self.dynamic = dynamic

    def before_train(self, runner: Runner) -> None:
        """Compiles the targets."""
        model = unwrapped(runner.model)
        found = compile_parts(model, self.targets, self.backend, self.dynamic)
        runner.logger.info(f'Compiled with {self.backend}: {", ".join(found)}')


def compile_parts(
    model: nn.Module,
    targets: Sequence[str] = TARGETS,
    backend: str = 'inductor',
    dynamic: bool | None = None,
    fullgraph: bool = False,
) -> list[str]:
    """Compiles named parts of a model in place; names of parameters and of checkpoints stay.

    Args:
        model: The model itself, without a wrapper.
        targets: As in :class:`CompileHook`.
        backend: As in ``torch.compile``.
        dynamic: As in ``torch.compile``.
        fullgraph: As in ``torch.compile``: whether a part that is not one graph is an error.

    Returns:
        Names of the parts found.

    Raises:
        ValueError: The model has none of the targets.
    """
    modules = dict(model.named_modules())
    found = [name for name in targets if name in modules]
    if not found:
        raise ValueError(f'CompileHook: the model has none of the parts {list(targets)}')
    for name in found:
        for module in _callable_parts(modules[name]):
            module.compile(backend=backend, dynamic=dynamic, fullgraph=fullgraph)
    return found


def _callable_parts(module: nn.Module) -> list[nn.Module]:
    """A container is never called itself: its members are."""
    if isinstance(module, (nn.ModuleDict, nn.ModuleList)):
        return [part for child in module.children() for part in _callable_parts(child)]
    return [module]

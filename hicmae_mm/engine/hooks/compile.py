"""Compile the parts of a model with ``torch.compile``."""

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
    """Compiles parts of the model in place before the training.

    MMEngine's ``compile=True`` compiles the whole training step, which fails together with mixed precision. This hook
    compiles modules in place. The names of parameters stay the same, so checkpoints do not change.

    Args:
        targets: Dotted names of modules. The members of a list or dictionary of modules are compiled one by one. Names
            that the model does not have, or that are None in it, are skipped.
        backend: Backend of ``torch.compile``.
        dynamic: See ``torch.compile``.

    Raises:
        ValueError: If the model has none of the targets.
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
        """Compiles the targets.

        Args:
            runner: The runner.
        """
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
    """Compiles parts of a model in place. The names of parameters stay the same.

    Args:
        model: The model, without a wrapper.
        targets: See :class:`CompileHook`.
        backend: Backend of ``torch.compile``.
        dynamic: See ``torch.compile``.
        fullgraph: Whether a part that cannot be compiled as one graph raises an error.

    Returns:
        Names of the compiled targets.

    Raises:
        ValueError: If the model has none of the targets.
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
    """Replaces a container by its members, because a container itself is never called."""
    if isinstance(module, (nn.ModuleDict, nn.ModuleList)):
        return [part for child in module.children() for part in _callable_parts(child)]
    return [module]

"""Saves and loads what a model remembers of every sample, as a part of the training state."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner
from torch import nn

from hicmae_mm.datasets.readers.numbering import number_samples
from hicmae_mm.engine.wrappers.base import unwrapped
from hicmae_mm.models.sample_memory import SampleMemory
from hicmae_mm.registry import HOOKS

_KEY = 'sample_memory'  # in checkpoints: of each memory by name, its rows and which of them were written


def sample_memories(model: nn.Module) -> dict[str, SampleMemory]:
    """Returns the memories of a model, by the names of their modules."""
    return {name: part for name, part in unwrapped(model).named_modules() if isinstance(part, SampleMemory)}


@HOOKS.register_module()
class SampleMemoryHook(Hook):
    """Sizes, stores and restores every :class:`~hicmae_mm.models.SampleMemory` of the model.

    The runner adds this hook by itself if the model has a memory. A memory gets one row for each sample of the training
    set. Checkpoints contain it under ``sample_memory``. Resuming restores it, on any number of ranks; ``load_from``
    does not.
    """

    priority = 'NORMAL'
    _prepared: nn.Module | None = None

    def before_run(self, runner: Runner) -> None:
        """Makes room for the training set. A test, also one after the training, changes nothing.

        Args:
            runner: The runner.
        """
        memories = sample_memories(runner.model)
        is_training = isinstance(runner._train_loop, BaseLoop)
        if not memories or not is_training or self._prepared is runner.model:
            return
        self._prepared = runner.model
        num_samples = number_samples(runner.train_dataloader.dataset)
        device = next(runner.model.parameters()).device
        for memory in memories.values():
            memory.allocate(num_samples, device)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Adds the memories to a checkpoint.

        Args:
            runner: The runner.
            checkpoint: The checkpoint.
        """
        memories = sample_memories(runner.model)
        if memories:
            checkpoint[_KEY] = {
                name: dict(rows=memory.rows.cpu().clone(), is_written=memory.is_written.cpu().clone())
                for name, memory in memories.items()
            }

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Restores the memories when a training resumes.

        Args:
            runner: The runner.
            checkpoint: The checkpoint.

        Raises:
            ValueError: If the checkpoint has other memories, or they are of another training set.
        """
        if not runner._resume:
            return
        memories, stored = sample_memories(runner.model), checkpoint.get(_KEY, {})
        if set(stored) != set(memories):
            raise ValueError(
                f'the model remembers samples in {sorted(memories)}, the checkpoint in {sorted(stored)}, so training '
                'cannot resume from it. To start from its weights use --cfg-options load_from=...'
            )
        for name, memory in memories.items():
            rows, is_written = stored[name]['rows'], stored[name]['is_written']
            if rows.shape != memory.rows.shape:
                raise ValueError(
                    f'{name} of the checkpoint remembers {rows.shape[0]} samples with {rows.shape[1]} numbers each, '
                    f'the training set has {memory.rows.shape[0]} with {memory.width}: resume with the list that the '
                    'training was started with'
                )
            memory.rows.copy_(rows)
            memory.is_written.copy_(is_written)

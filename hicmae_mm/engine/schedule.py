"""Resuming with another schedule, or other options of the optimizer, than the checkpoint was written with."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from mmengine.optim import OptimWrapperDict
from mmengine.runner import EpochBasedTrainLoop, Runner

from hicmae_mm.checkpoints.loading import read_checkpoint_meta

# What a scheduler counts, in contrast to what its config says.
_COUNTED = {
    'last_step', '_global_step', '_last_value', 'verbose', 'best', 'num_bad_epochs', 'cooldown_counter', 'rule_worse',
}  # fmt: skip


class ConfiguredSchedule:
    """The options of the optimizer and its schedulers as the config gives them, kept while a checkpoint is loaded.

    MMEngine loads both from the checkpoint, so that what the config says about them has no effect on a resumed
    training: with a larger ``max_epochs`` the learning rate stays at the last value of the old schedule.

    Args:
        runner: With its optimizer and schedulers built, before any step.
    """

    def __init__(self, runner: Runner) -> None:
        wrapper, schedulers = runner.optim_wrapper, runner.param_schedulers
        self._wrappers = list(wrapper.values()) if isinstance(wrapper, OptimWrapperDict) else [wrapper]
        lists = schedulers.values() if isinstance(schedulers, Mapping) else [schedulers or []]
        self._schedulers = [scheduler for members in lists for scheduler in members]
        self._states = [copy.deepcopy(scheduler.state_dict()) for scheduler in self._schedulers]
        self._groups = [_options(group) for group in self._all_groups()]
        self._scheduled = {scheduler.param_name for scheduler in self._schedulers}
        self._measured = {s.param_name for s in self._schedulers if getattr(s, 'need_val_args', False)}
        self._names = set(_optimizer_options(runner.cfg)) - self._scheduled

    def _all_groups(self) -> list[dict[str, Any]]:
        return [group for wrapper in self._wrappers for group in wrapper.param_groups]

    def continue_after(self, runner: Runner, filename: str) -> None:
        """Continues a training whose state has just been loaded, and says in the log what is not as it was.

        Args:
            runner: That resumed.
            filename: The checkpoint, for the messages.
        """
        before, now = read_checkpoint_meta(filename).get('iters_per_epoch'), len(runner.train_dataloader)
        is_other_length = before not in (None, now) and isinstance(runner.train_loop, EpochBasedTrainLoop)
        if is_other_length:
            done = runner.iter - runner.epoch * before
            runner.train_loop._iter = runner.epoch * now + done * now // before
            runner.logger.warning(
                f'the checkpoint was written with {before} iterations per epoch, now there are {now} (other batch size '
                f'or number of ranks): continuing at epoch {runner.epoch}, iteration {runner.iter}; the result will '
                'not be identical to an uninterrupted training'
            )
        changed = self.apply_options()
        if changed:
            runner.logger.warning(f'options of the optimizer changed since the checkpoint: {", ".join(changed)}')
        differences = self.differences(runner.epoch, runner.iter)
        if differences or is_other_length:
            old = self.values()
            self.continue_at(runner.epoch, runner.iter, now)
            runner.logger.warning(
                f"the config's schedule is not the checkpoint's ({', '.join(differences) or 'other length'}): it "
                f'continues at iteration {runner.iter} of the one that the config asks for ({old} -> {self.values()})'
            )
        if runner.iter >= runner.max_iters:
            runner.logger.warning(
                f'nothing is left to train: {filename} was written after {runner.iter} iterations, and the config asks '
                f'for {runner.max_iters}; raise the length in train_cfg'
            )

    def apply_options(self) -> list[str]:
        """Gives the optimizer its options of the config back, and says which of them differ from the checkpoint's."""
        found: dict[str, None] = {}
        for group, own in zip(self._all_groups(), self._groups):
            for name in sorted(self._names & own.keys()):
                if group.get(name) != own[name]:
                    found[f'{name} {group.get(name)} -> {own[name]}'] = None
                    group[name] = own[name]
        return list(found)

    def differences(self, epoch: int, iteration: int) -> list[str]:
        """What the config says otherwise about the schedules than the checkpoint that has been loaded.

        Args:
            epoch: Epochs done.
            iteration: Iterations done.
        """
        found = []
        for scheduler, own in zip(self._schedulers, self._states):
            loaded, name = scheduler.state_dict(), type(scheduler).__name__
            if loaded['_global_step'] == own['_global_step'] and (epoch if scheduler.by_epoch else iteration) > 0:
                found.append(f'{name} is new')
                continue
            keys = [key for key in {**own, **loaded} if key not in _COUNTED and own.get(key) != loaded.get(key)]
            found += [f'{name}.{key} {_short(loaded.get(key))} -> {_short(own.get(key))}' for key in keys]
        return found

    def continue_at(self, epoch: int, iteration: int, iters_per_epoch: int) -> None:
        """Sets the config's schedules to an iteration, as if the training had come there with them.

        Schedules that follow a measure cannot be repeated: they keep the checkpoint's value and counts.

        Args:
            epoch: Epochs done.
            iteration: Iterations done.
            iters_per_epoch: Iterations of an epoch.
        """
        repeated = self._scheduled - self._measured
        for group, own in zip(self._all_groups(), self._groups):
            group.update({key: own[key] for name in repeated for key in (name, f'initial_{name}') if key in own})
        for scheduler, own in zip(self._schedulers, self._states):
            kept = {} if scheduler.param_name in repeated else scheduler.state_dict()
            state = {**own, **{key: value for key, value in kept.items() if key in _COUNTED}}
            scheduler.__dict__ = {'optimizer': scheduler.optimizer, **copy.deepcopy(state), 'verbose': False}
        for wrapper in self._wrappers:
            wrapper._global_step = 0  # else the schedulers warn that they are stepped before the optimizer
        steps = [scheduler for scheduler in self._schedulers if scheduler.param_name in repeated]
        for done in range(1, iteration + 1):
            is_epoch_end = epoch > 0 and done % iters_per_epoch == 0
            for scheduler in steps:
                if not scheduler.by_epoch:
                    scheduler.step()
            for scheduler in steps:
                if scheduler.by_epoch and is_epoch_end:
                    scheduler.step()
        for scheduler, own in zip(self._schedulers, self._states):
            scheduler.verbose = own['verbose']

    def values(self) -> str:
        """The present value of what is scheduled, of the group where it is largest."""
        groups = self._all_groups()
        return ', '.join(f'{name} {max(group[name] for group in groups):.4g}' for name in sorted(self._scheduled))


def _optimizer_options(cfg: Mapping[str, Any]) -> set[str]:
    """Names of the options that the config gives to its optimizer, or to any of several."""
    wrapper = cfg.get('optim_wrapper')
    members = [wrapper, *wrapper.values()] if isinstance(wrapper, Mapping) else []
    optimizers = [member.get('optimizer') for member in members if isinstance(member, Mapping)]
    return {name for optimizer in optimizers if isinstance(optimizer, Mapping) for name in optimizer}


def _options(group: Mapping[str, Any]) -> dict[str, Any]:
    return {key: copy.deepcopy(value) for key, value in group.items() if key not in ('params', 'param_names')}


def _short(value: Any) -> str:
    """One value in place of a list with one for each parameter group."""
    return f'up to {max(value):.4g}' if isinstance(value, list) and value else str(value)

"""Resume a training with another schedule or other optimizer options than those of the checkpoint."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from mmengine.optim import OptimWrapperDict
from mmengine.runner import EpochBasedTrainLoop, Runner

from hicmae_mm.checkpoints.loading import read_checkpoint_meta

# State that changes during a training, in contrast to options of the config.
_COUNTED = {
    'last_step', '_global_step', '_last_value', 'verbose', 'best', 'num_bad_epochs', 'cooldown_counter', 'rule_worse',
}  # fmt: skip


class ConfiguredSchedule:
    """Keeps the options of the optimizer and the schedulers from the config while a checkpoint is loaded.

    MMEngine loads both from the checkpoint, so the config has no effect on them in a resumed training. For example,
    with a larger ``max_epochs`` the learning rate would stay at the last value of the old schedule.

    Args:
        runner: The runner with its built optimizer and schedulers, before the first step.
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
        """Applies the options of the config after a checkpoint has been loaded, and logs all differences.

        Args:
            runner: The runner that has loaded the checkpoint.
            filename: Name of the checkpoint, for messages.
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
        """Sets the options of the optimizer to those of the config.

        Returns:
            One text ``name old -> new`` for each option that differs from the checkpoint.
        """
        found: dict[str, None] = {}
        for group, own in zip(self._all_groups(), self._groups):
            for name in sorted(self._names & own.keys()):
                if group.get(name) != own[name]:
                    found[f'{name} {group.get(name)} -> {own[name]}'] = None
                    group[name] = own[name]
        return list(found)

    def differences(self, epoch: int, iteration: int) -> list[str]:
        """Compares the schedules of the config with those of the loaded checkpoint.

        Args:
            epoch: Number of finished epochs.
            iteration: Number of finished iterations.

        Returns:
            One text for each difference.
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
        """Sets the schedules of the config to an iteration, as if the training had used them from the beginning.

        Schedules that depend on a measure cannot be repeated. They keep the value and the counters of the checkpoint.

        Args:
            epoch: Number of finished epochs.
            iteration: Number of finished iterations.
            iters_per_epoch: Number of iterations of an epoch.
        """
        repeated = self._scheduled - self._measured
        for group, own in zip(self._all_groups(), self._groups):
            group.update({key: own[key] for name in repeated for key in (name, f'initial_{name}') if key in own})
        for scheduler, own in zip(self._schedulers, self._states):
            kept = {} if scheduler.param_name in repeated else scheduler.state_dict()
            state = {**own, **{key: value for key, value in kept.items() if key in _COUNTED}}
            scheduler.__dict__ = {'optimizer': scheduler.optimizer, **copy.deepcopy(state), 'verbose': False}
        for wrapper in self._wrappers:
            wrapper._global_step = 0  # otherwise the schedulers warn that they step before the optimizer
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
        """Formats the present values of all scheduled options.

        Returns:
            Name and largest value over the parameter groups, separated by commas.
        """
        groups = self._all_groups()
        return ', '.join(f'{name} {max(group[name] for group in groups):.4g}' for name in sorted(self._scheduled))


def _optimizer_options(cfg: Mapping[str, Any]) -> set[str]:
    """Collects the names of the options that the config gives to its optimizers."""
    wrapper = cfg.get('optim_wrapper')
    members = [wrapper, *wrapper.values()] if isinstance(wrapper, Mapping) else []
    optimizers = [member.get('optimizer') for member in members if isinstance(member, Mapping)]
    return {name for optimizer in optimizers if isinstance(optimizer, Mapping) for name in optimizer}


def _options(group: Mapping[str, Any]) -> dict[str, Any]:
    return {key: copy.deepcopy(value) for key, value in group.items() if key not in ('params', 'param_names')}


def _short(value: Any) -> str:
    """Formats a value; of a list with one value for each parameter group it shows the largest."""
    return f'up to {max(value):.4g}' if isinstance(value, list) and value else str(value)

"""Count the samples that could not be read, and list them after the training."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from hicmae_mm.registry import HOOKS
from hicmae_mm.utils.files import write_text

_INFO = 'skipped_samples'  # key in the message hub, which checkpoints contain


@HOOKS.register_module()
class SkippedSamplesHook(Hook):
    """Collects the samples that the data sets of all ranks have skipped (``on_error='skip'``).

    The log contains one line with their number after each epoch. After the training it lists the samples with their
    reasons. A file in the work folder has all of them as a list of ``{sample_id, reason, count}``.

    Args:
        filename: Name of the file.
        max_listed: Largest number of samples in the log. The file has all samples.
    """

    priority = 'LOW'

    def __init__(self, filename: str = 'skipped_samples.json', max_listed: int = 50) -> None:
        self.filename = filename
        self.max_listed = max_listed
        self._here: list[tuple[str, str]] = []
        self._total: Counter[tuple[str, str]] = Counter()

    def before_train(self, runner: Runner) -> None:
        """Continues the list of an interrupted training.

        Args:
            runner: The runner.
        """
        entries = runner.message_hub.runtime_info.get(_INFO, ()) if runner._resume else ()
        self._total.update({(name, reason): count for name, reason, count in entries})

    def after_train_iter(
        self,
        runner: Runner,  # noqa: ARG002
        batch_idx: int,  # noqa: ARG002
        data_batch: Any = None,
        outputs: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> None:
        """Records the skipped samples of a batch.

        Args:
            runner: The runner.
            batch_idx: Number of the batch in the epoch.
            data_batch: The batch.
            outputs: Losses by name.
        """
        if isinstance(data_batch, dict):
            self._here.extend((str(item.sample_id), str(item.reason)) for item in data_batch.get('skipped') or ())

    def after_train_epoch(self, runner: Runner) -> None:
        """Collects the samples of all ranks, and updates the file.

        Args:
            runner: The runner.
        """
        new = [entry for entries in all_gather_object(self._here) for entry in entries]
        self._here = []
        if not new:
            return
        self._total.update(new)
        runner.message_hub.update_info(_INFO, [[*sample, count] for sample, count in self._total.items()])
        runner.logger.warning(f'{len(new)} samples could not be read and were skipped in epoch {runner.epoch + 1}')
        if is_main_process():
            listing = [dict(sample_id=name, reason=reason, count=n) for (name, reason), n in self._total.items()]
            write_text(Path(runner.work_dir) / self.filename, json.dumps(listing, indent=1, ensure_ascii=False))

    def after_train(self, runner: Runner) -> None:
        """Lists the skipped samples in the log.

        Args:
            runner: The runner.
        """
        if not self._total:
            return
        lines = [f'  {name} ({count} times): {reason}' for (name, reason), count in self._total.items()]
        more = [f'  ... and {len(lines) - self.max_listed} more'] if len(lines) > self.max_listed else []
        listing = '\n'.join(lines[: self.max_listed] + more)
        runner.logger.warning(
            f'{len(lines)} different samples were skipped during training (all of them in '
            f'{Path(runner.work_dir) / self.filename}):\n{listing}'
        )

"""Counts the samples that could not be read, and lists them at the end."""

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

_INFO = 'skipped_samples'  # in the message hub, and so in checkpoints


@HOOKS.register_module()
class SkippedSamplesHook(Hook):
    """Collects what the data set skipped (``on_error='skip'``), over all ranks.

    A line per epoch says how many; at the end of the training every sample is listed with its reason in the log and in
    ``skipped_samples.json`` of the work folder: a list of ``{sample_id, reason, count}``.

    Args:
        filename: Name of that file.
        max_listed: Samples listed in the log; the file has all.
    """

    priority = 'LOW'

    def __init__(self, filename: str = 'skipped_samples.json', max_listed: int = 50) -> None:
        self.filename = filename
        self.max_listed = max_listed
        self._here: list[tuple[str, str]] = []
        self._total: Counter[tuple[str, str]] = Counter()

    def before_train(self, runner: Runner) -> None:
        """Continues the list of the interrupted training when resuming."""
        entries = runner.message_hub.runtime_info.get(_INFO, ()) if runner._resume else ()
        self._total.update({(name, reason): count for name, reason, count in entries})

    def after_train_iter(
        self,
        runner: Runner,  # noqa: ARG002
        batch_idx: int,  # noqa: ARG002
        data_batch: Any = None,
        outputs: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> None:
        """Notes what the batch lacks."""
        if isinstance(data_batch, dict):
            self._here.extend((str(item.sample_id), str(item.reason)) for item in data_batch.get('skipped') or ())

    def after_train_epoch(self, runner: Runner) -> None:
        """Collects the samples of all ranks and updates the file."""
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
        """Lists the skipped samples."""
        if not self._total:
            return
        lines = [f'  {name} ({count} times): {reason}' for (name, reason), count in self._total.items()]
        more = [f'  ... and {len(lines) - self.max_listed} more'] if len(lines) > self.max_listed else []
        listing = '\n'.join(lines[: self.max_listed] + more)
        runner.logger.warning(
            f'{len(lines)} different samples were skipped during training (all of them in '
            f'{Path(runner.work_dir) / self.filename}):\n{listing}'
        )

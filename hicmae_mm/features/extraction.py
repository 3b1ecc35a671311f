"""Extract the features of many clips, on any number of ranks, each clip once even after interruptions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dist import barrier, broadcast_object_list, get_rank, get_world_size
from torch.utils.data import Dataset

from hicmae_mm.checkpoints.loading import LoadingReport, read_checkpoint
from hicmae_mm.config.collation import collate_of
from hicmae_mm.config.preprocessing import check_preprocessing
from hicmae_mm.datasets.stored_features import read_info
from hicmae_mm.datasets.tables import import_parquet
from hicmae_mm.features.data import build_dataset, clip_loader, dataset_configs, list_sha256
from hicmae_mm.features.extractor import FeatureExtractor
from hicmae_mm.features.options import ExtractionOptions
from hicmae_mm.features.parts import MADE_BY, PartFolder, claim, make_columns
from hicmae_mm.features.rows import RowMaker
from hicmae_mm.features.storage import merge
from hicmae_mm.features.weights import weights_sha256
from hicmae_mm.kernels import use_cpu_kernels
from hicmae_mm.registry import MODELS
from hicmae_mm.utils.files import exclusive
from hicmae_mm.version import __version__

Progress = Callable[[int, int], None]


class FeatureExtraction:
    """Extracts the features of a data set. Every rank creates one.

    Args:
        cfg: Config of the model and its data.
        checkpoint: Path or address of the weights.
        options: Options of the extraction.
        device: Device on which the model runs.

    Raises:
        FileNotFoundError: If the checkpoint or the list does not exist.
        ImportError: If the format is Parquet and pyarrow is not installed.
        ValueError: If checkpoint, config and options do not fit together.
    """

    def __init__(
        self, cfg: Config, checkpoint: str, options: ExtractionOptions, device: torch.device | str = 'cpu'
    ) -> None:
        self.cfg, self.checkpoint, self.options = cfg, checkpoint, options
        if options.file_format == 'parquet':
            import_parquet()
        model = MODELS.build(cfg.model).to(device)
        check_preprocessing(model, cfg)
        if cfg.get('cpu_kernels', True):
            use_cpu_kernels(model)
        self.extractor = FeatureExtractor(model, options.streams, options.layers, options.level, options.with_scores)
        weights = read_checkpoint(checkpoint, model=model)['state_dict']
        self.loaded: LoadingReport = self.extractor.load(weights, checkpoint)
        self._weights_sha256 = weights_sha256(weights)
        self._dataset_configs, self.left_out = dataset_configs(
            cfg, options.split, options.ann_file, options.data_root, options.shards, options.is_unlabelled
        )
        self.dataset: Dataset[Any] = build_dataset(self._dataset_configs)
        self._collate = collate_of(self.cfg)
        self._make_rows = RowMaker(self.extractor, options.keeps_views)

    def settings(self) -> dict[str, Any]:
        """Collects everything that determines the features.

        Returns:
            JSON values by name.
        """
        described = json.dumps([self.cfg.model.to_dict(), self._dataset_configs], sort_keys=True, default=str)
        options = self.options
        return dict(
            made_by=MADE_BY,
            config_sha256=hashlib.sha256(described.encode()).hexdigest(),
            weights_sha256=self._weights_sha256,
            list_sha256=list_sha256(self.dataset),
            num_clips=len(self.dataset),  # type: ignore[arg-type]
            streams=list(self.extractor.streams),
            layers={name: list(layers) for name, layers in self.extractor.layers.items()},
            level=options.level,
            with_scores=options.with_scores,
            keeps_views=options.keeps_views,
            format=options.file_format,
            float_type=options.float_type,
            part_size=options.part_size,
        )

    def info(self) -> dict[str, Any]:
        """Describes for ``features.json`` how the features were made.

        Returns:
            JSON values by name.
        """
        definitions = dict(
            index='number of the clip in the list, from 0 on',
            sample_id='its name',
            streams='which streams it has',
            **{f'gt_{name}': 'of the list' for name in ('label', 'values')},
            pred_label='class with the highest score',
            pred_score='softmaxed class scores, averaged over views',
            pred_values='predicted values, averaged over views',
            video_seconds='when the first frame of a step is shown; NaN: the frame rate is unknown',
            audio_seconds='when a step begins, on the sound track; NaN: behind the end of the sound, padding',
        )
        encoders = {name: self.extractor.model.encoders[name] for name in self.extractor.encoded_streams}
        dataset = self._dataset_configs[0]
        return dict(
            definitions=definitions | self.extractor.definitions(),
            rows_of_a_clip=self._what_rows_are(),
            steps={
                name: dict(count=item.grid[0], inputs_of_a_step=item.patch[0])
                for name, item in encoders.items()
                if hasattr(item, 'grid')
            },
            checkpoint=self.checkpoint,
            not_in_checkpoint=self.loaded.missing,
            source=[config.get('ann_file') or config['data_root'] for config in self._dataset_configs],
            classes=list((dataset.get('metainfo') or {}).get('classes', ())),
            left_out_of_pipeline=list(self.left_out),
            settings=self.settings(),
            config=json.loads(json.dumps(dict(model=self.cfg.model.to_dict(), dataset=dataset), default=str)),
            hicmae_mm=__version__,
        )

    def _what_rows_are(self) -> str:
        if self.options.keeps_views:
            return 'one per view, temporal views first, then crops' + (
                ', of one row per step each' if self.options.level == 'frame' else ''
            )
        if self.options.level == 'frame':
            return 'one per time step, temporal views one after the other, crops averaged'
        return 'one, views averaged'

    def run(
        self,
        folder: Path,
        batch_size: int = 16,
        num_workers: int = 0,
        force: bool = False,
        on_progress: Progress | None = None,
    ) -> dict[str, Any]:
        """Extracts all missing parts, and merges all parts.

        Args:
            folder: Folder for the features. It is created if it does not exist.
            batch_size: Number of clips that are read and processed at once.
            num_workers: Number of worker processes of this rank's data loader.
            force: Whether to extract everything again.
            on_progress: Function that is called with the number of clips that this rank has finished, and with the
                number of all its clips.

        Returns:
            The content of ``features.json``.

        Raises:
            ValueError: If another run uses the folder, if it has other features, or if no clip can be read.
        """
        parts = PartFolder(folder, len(self.dataset), self.options.part_size)  # type: ignore[arg-type]
        with ExitStack() as stack:
            missing, problem = self._open(folder, parts, force, stack)
            if problem is not None:
                raise problem
            if missing is not None:
                mine = missing[get_rank() :: get_world_size()]
                self._extract(parts, mine, batch_size, num_workers, on_progress)
                barrier()
                self._close(folder, parts)
        return read_info(folder)

    def _open(
        self, folder: Path, parts: PartFolder, force: bool, stack: ExitStack
    ) -> tuple[list[int] | None, ValueError | None]:
        """Finds the missing parts (None if all is done) or an error; the first rank looks and tells all ranks."""
        answer: list[Any] = [None, None]
        if get_rank() == 0:
            try:
                stack.enter_context(exclusive(folder / '.lock'))
                is_complete = claim(folder, self.settings(), force)
                if is_complete:
                    parts.remove()
                answer = [None if is_complete else parts.missing(), None]
            except (ValueError, RuntimeError) as error:
                answer = [None, ValueError(str(error))]
        broadcast_object_list(answer)
        return answer[0], answer[1]

    def _close(self, folder: Path, parts: PartFolder) -> None:
        answer: list[Any] = [None]
        if get_rank() == 0:
            try:
                merge(parts, folder, self.options.file_format, self.info())
            except ValueError as error:
                answer = [error]
        broadcast_object_list(answer)
        if answer[0] is not None:
            raise answer[0]

    def _extract(
        self, parts: PartFolder, mine: list[int], batch_size: int, num_workers: int, on_progress: Progress | None
    ) -> None:
        batches = [batch for number in mine for batch in _batches(parts.clips(number), batch_size)]
        ragged = frozenset(self._ragged_columns())
        results = iter(clip_loader(self.dataset, batches, num_workers, self._collate))
        done, total = 0, sum(map(len, batches))
        for number in mine:
            rows: list[dict[str, Any]] = []
            bad: dict[int, dict[str, str]] = {}
            for batch in _batches(parts.clips(number), batch_size):
                indices, content, reasons = next(results)
                bad |= {index: dict(reason=reason) for index, reason in reasons.items()}
                if content is not None:
                    rows += self._make_rows(self.extractor(content), content, indices)
                done += len(batch)
                if on_progress is not None:
                    on_progress(done, total)
            good = []
            for row in rows:
                reason = self._why_unusable(row)
                if reason is None:
                    good.append(row)
                else:
                    bad[row['index']] = dict(reason=f'{row["sample_id"]}: {reason}')
            parts.write(number, make_columns(good, ragged, self.options.float_type), bad)

    def _ragged_columns(self) -> Iterator[str]:
        if self._make_rows.is_ragged:
            yield from self.extractor.definitions()
            yield from (f'{name}_seconds' for name in self.extractor.encoded_streams)

    def _why_unusable(self, row: Mapping[str, Any]) -> str | None:
        largest = np.finfo(self.options.float_type).max
        for name in self.extractor.definitions():
            if not np.isfinite(row[name]).all():
                return f'{name} is not finite'
            if len(row[name]) and np.abs(row[name]).max() > largest:
                return f'{name} has numbers outside of the range of {self.options.float_type}'
        return None


def _batches(clips: range, batch_size: int) -> list[range]:
    """Makes batches within a part, so that they are the same on any number of ranks."""
    return [clips[start : start + batch_size] for start in range(0, len(clips), batch_size)]

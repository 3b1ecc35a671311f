"""Sets of emotion words: the open-vocabulary tracks of MER2024, MER2025 and MER2026."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log

from hicmae_mm.evaluation.emotion_wheels import LEVELS, read_wheels
from hicmae_mm.evaluation.functional.open_vocabulary import all_wheel_measures, group_measures, wheel_means
from hicmae_mm.evaluation.metrics.base import PerSampleMetric, describe, identity, read_field, require_finite
from hicmae_mm.evaluation.word_lists import as_groups, as_words, read_columns
from hicmae_mm.registry import METRICS

_NEUTRAL = 'neutral'  # has no place on a wheel by design


@METRICS.register_module()
class OpenVocabularyMetric(PerSampleMetric):
    """Compares sets of emotion words, after words of one meaning were made one.

    Predicted words are ``pred_words`` of a sample if it has them (a list, or the answer of a language model), or else
    the names of its classes: the one of the highest ``pred_score``, or all whose score reaches ``threshold``. True
    words come from a file, or are the name of ``gt_label``.

    Result keys with emotion wheels: ``OV_level1`` (and ``OV_level2``), F of mean precision and mean recall, averaged
    over the wheels; precision, recall and number of clips of every wheel go to the log. With groups: ``OV_accuracy``,
    ``OV_recall`` and ``OV``, their mean.

    The wheels have no place for the word ``neutral``: a clip whose true words are nothing else does not count, and
    predicted neutral counts as an empty prediction.

    Args:
        wheels: Folder of the challenges' public files (``wheel1.xlsx``, ..., ``synonym.xlsx``, ``format.csv``), which
            are not part of this package.
        groups: File, instead of ``wheels``, of groups by clip, as a language model wrote them for MER2024.
        edition: 2025 or 2026, whose lists of word forms differ; texts of true words are split as in that edition.
        levels: Rings of the wheels that count, 1 (inner; MER2026 ranks by it) and 2 (middle).
        truth: File of true words by clip (.csv, .json, .jsonl); ``None`` means the names of the labels.
        class_words: Word of each class; ``None`` means the data set's names of the classes.
        threshold: Score from which on a class counts as predicted; ``None`` means the highest alone.
        prefix: Put before every key as ``prefix/key``.

    Raises:
        ValueError: If there are both or neither of ``wheels`` and ``groups``, or an unknown level or edition.
        FileNotFoundError: If a file is missing.
    """

    def __init__(
        self,
        wheels: str | None = None,
        groups: str | None = None,
        edition: int = 2026,
        levels: Sequence[int] = (1,),
        truth: str | None = None,
        class_words: Sequence[str] | None = None,
        threshold: float | None = None,
        prefix: str | None = None,
    ) -> None:
        super().__init__(prefix=prefix)
        if (wheels is None) == (groups is None):
            raise ValueError('OpenVocabularyMetric needs either wheels (a folder) or groups (a file)')
        if not levels or set(levels) - set(LEVELS):
            raise ValueError(f'levels must be some of {LEVELS}, got {tuple(levels)}')
        self.wheels = None if wheels is None else read_wheels(str(wheels), edition)
        self.groups: Mapping[str, Any] = {} if groups is None else read_columns(Path(groups))
        self.edition = edition if groups is None else 2024
        self.levels = tuple(levels)
        self.truth = None if truth is None else read_columns(Path(truth))
        self.class_words = None if class_words is None else tuple(class_words)
        self.threshold = threshold
        self._warned = False

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:  # noqa: ARG002 (MMEngine's)
        """Keeps the words of every clip.

        Raises:
            ValueError: If a clip has no predicted or no true words, or is missing from a file.
        """
        for sample in data_samples:
            result = dict(identity(sample), truth=self._truth(sample), predicted=self._predicted(sample))
            if self.wheels is None:
                found = _of_clip(self.groups, sample, 'groups')
                if not isinstance(found, (str, list, tuple)):
                    raise ValueError(f'the groups of a clip are lists of words, or text, got {found!r}')
                result['groups'] = as_groups(found) if isinstance(found, str) else [as_words(group) for group in found]
            self.results.append(result)

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Measures of all clips; logs those of every wheel."""
        pairs = [(result['truth'], result['predicted']) for result in results]
        if self.wheels is None:
            found = group_measures(pairs, [result['groups'] for result in results])
            return {'OV_accuracy': found['accuracy'], 'OV_recall': found['recall'], 'OV': found['average']}
        measures = all_wheel_measures(pairs, self.wheels, self.levels)
        lines = [
            f'{name}: precision {found["precision"]:.4f}, recall {found["recall"]:.4f}, F {found["f"]:.4f} '
            f'({found["samples"]} clips)'
            for name, found in measures.items()
        ]
        self.log_table(f'emotion wheels, {len(results)} clips', lines)
        return {f'OV_{level}': value for level, value in wheel_means(measures).items()}

    def _truth(self, sample: dict[str, Any]) -> list[str]:
        if self.truth is not None:
            return as_words(_of_clip(self.truth, sample, 'truth'), self.edition)
        label = int(read_field(sample, 'gt_label', 'testing needs labels, or a file of true words (truth)').item())
        return [self._names(label + 1)[label].lower()]

    def _predicted(self, sample: dict[str, Any]) -> list[str]:
        if sample.get('pred_words') is not None:
            return as_words(sample['pred_words'], self.edition)
        fix = 'the model must predict class scores, or the sample needs pred_words'
        scores = require_finite(read_field(sample, 'pred_score', fix).ravel(), sample, 'pred_score')
        chosen = [int(scores.argmax())] if self.threshold is None else np.flatnonzero(scores >= self.threshold).tolist()
        names = self._names(len(scores))
        self._warn_of_lost(names[: len(scores)])
        return [names[index].lower() for index in chosen]

    def _warn_of_lost(self, names: Sequence[str]) -> None:
        """Warns once of classes that are on no wheel, such as abbreviations, because they count as no prediction."""
        if self._warned or self.wheels is None:
            return
        self._warned = True
        wheels = self.wheels
        known = [any(wheels.sector(name.lower(), *place) for place in wheels.sectors) for name in names]
        lost = [name for name, is_known in zip(names, known) if not is_known and name.lower() != _NEUTRAL]
        if lost:
            print_log(
                f'no emotion wheel has the classes {", ".join(lost)}: a clip of such a class counts as a clip without '
                'a prediction. Give a word for each class: class_words of OpenVocabularyMetric, or --class-words',
                'current',
                logging.WARNING,
            )

    def _names(self, num_classes: int) -> Sequence[str]:
        names = self.class_names(num_classes) if self.class_words is None else self.class_words
        if len(names) < num_classes:
            raise ValueError(f'the model has {num_classes} classes, class_words names {len(names)}')
        return names


def _of_clip(table: Mapping[str, Any], sample: dict[str, Any], name: str) -> Any:
    """Returns what a file says about a clip. It knows clips by sample_id, or by file name without suffix."""
    clip = str(sample.get('sample_id', ''))
    for key in (clip, Path(clip).stem):
        if key in table:
            return table[key]
    raise ValueError(f'the file of {name} does not have clip {describe(sample)}; its clips are {list(table)[:3]}, ...')

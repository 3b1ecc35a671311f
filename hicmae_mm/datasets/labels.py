"""Parses and checks the label columns of a list."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hicmae_mm.datasets.text_files import shown

TASKS = ('classification', 'regression', 'multitask', 'unlabelled')
_INTEGER = re.compile(r'[+-]?[0-9]{1,18}')  # int() would also accept underscores and the digits of other scripts
_NUMBER = re.compile(r'[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?:nan|inf(?:inity)?)', re.IGNORECASE)


@dataclass
class LabelParser:
    """Turns the label columns of a record into ``gt_label`` or ``gt_values``, and checks them.

    Attributes:
        task: ``'classification'``, ``'regression'``, ``'multitask'`` (a class, then values) or ``'unlabelled'``.
        classes: Class names, which labels may use instead of indices; may be empty.
        num_classes: Number of classes; None for tasks without classes.
        num_values: Number of values per sample in regression; None takes the number of the first sample.
        columns: Label columns to use, counted from 0, in this order; None uses all.
        value_names: Names of the values. A table may have a column of each name in place of ``values``.

    Raises:
        ValueError: If the task is unknown, or the options contradict each other.

    Example:
        >>> labels = LabelParser('classification', classes=('happy', 'sad'))
        >>> labels.parse(['sad']), labels.parse(['0'])
        ({'gt_label': 1}, {'gt_label': 0})
        >>> LabelParser('regression').parse(['0.5', '-1'])
        {'gt_values': [0.5, -1.0]}
        >>> labels.parse(['happy:3|sad:1'])
        {'gt_label': 0, 'gt_score': [0.75, 0.25]}
    """

    task: str
    classes: Sequence[str] = ()
    num_classes: int | None = None
    num_values: int | None = None
    columns: Sequence[int] | None = None
    value_names: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ValueError(f'task must be one of {TASKS}, got {self.task!r}')
        if self.columns is not None and (not self.columns or min(self.columns) < 0):
            raise ValueError(f'label_columns must list column numbers from 0 on, got {tuple(self.columns)}')
        if self.task not in ('classification', 'multitask'):
            return
        self.num_classes = self.num_classes or len(self.classes) or None
        if self.num_classes is None:
            raise ValueError(f'task={self.task!r} needs num_classes, or metainfo=dict(classes=(...))')
        if self.classes and len(self.classes) != self.num_classes:
            raise ValueError(f'num_classes={self.num_classes}, but metainfo names {len(self.classes)} classes')

    def parse(self, fields: Sequence[Any]) -> dict[str, Any]:
        """Parses the label columns of one record.

        Args:
            fields: Label columns, as text or as values of JSON.

        Returns:
            ``gt_label`` (int), ``gt_values`` (list of floats), both or none, according to the task. A distribution over
            classes adds ``gt_score`` (list of C floats). A set of candidate classes gives ``gt_candidates`` (list of C
            bools) in place of ``gt_label``.

        Raises:
            ValueError: If the columns do not fit the task. The caller adds file and line to the message.
        """
        if self.task == 'unlabelled':
            return {}
        if self.columns is not None:
            if max(self.columns) >= len(fields):
                raise ValueError(f'label_columns={tuple(self.columns)}, but there are {len(fields)} label columns')
            fields = [fields[column] for column in self.columns]
        if self.task == 'classification':
            return self._class(fields)
        if self.task == 'regression':
            return dict(gt_values=self._values(fields))
        return {**self._class(fields[:1]), 'gt_values': self._values(fields[1:])}

    def parse_row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Parses the label columns of a row of named columns: ``label``, and ``values`` or the names of the values.

        Args:
            row: The row. ``label`` may also be a list of all label columns, and ``values`` a text of numbers.

        Raises:
            ValueError: If there is an error as in :meth:`parse`.
        """
        label = row.get('label', [])
        is_list = isinstance(label, (list, tuple))
        fields = list(label) if is_list else [label]
        if not is_list or not fields:
            values = self._row_values(row)
            if self.task == 'regression' and values:
                fields = values
            elif self.task != 'classification' or self.columns is not None:
                fields += values
        return self.parse(fields)

    def _row_values(self, row: Mapping[str, Any]) -> list[Any]:
        values = row.get('values')
        if values is None and self.value_names and all(name in row for name in self.value_names):
            return [row[name] for name in self.value_names]
        if isinstance(values, str):
            return values.split()
        return [] if values is None else list(values) if isinstance(values, (list, tuple)) else [values]

    def _class(self, fields: Sequence[Any]) -> dict[str, Any]:
        """Parses a class, a set of candidate classes (``a|b``), or a distribution over classes (``a:0.7|b:0.3``)."""
        label = fields[0] if len(fields) == 1 else None
        if isinstance(label, Mapping):
            return self._distribution(list(label.items()))
        if isinstance(label, str) and label not in self.classes and ('|' in label or ':' in label):
            parts = [part.strip() for part in label.split('|')]
            if all(':' in part and part not in self.classes for part in parts):
                return self._distribution([tuple(part.rsplit(':', 1)) for part in parts])
            candidates = [False] * (self.num_classes or 0)
            for index in self._different([self._class_index([part]) for part in parts], label):
                candidates[index] = True
            return dict(gt_candidates=candidates)
        return dict(gt_label=self._class_index(fields))

    def _distribution(self, pairs: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
        """Scales weights of classes, such as the votes of raters, to the sum 1. ``gt_label`` is the first largest."""
        weights = [as_number(weight) for _, weight in pairs]
        valid = [weight for weight in weights if weight is not None and math.isfinite(weight) and weight >= 0]
        scores = [0.0] * (self.num_classes or 0)
        indices = self._different([self._class_index([name]) for name, _ in pairs], dict(pairs))
        if len(valid) < len(weights) or not sum(valid):
            raise ValueError(
                f'label: expected weights of at least 0 for the classes, and one above 0, got {shown(dict(pairs))}'
            )
        for index, weight in zip(indices, valid):
            scores[index] = weight / sum(valid)
        return dict(gt_label=scores.index(max(scores)), gt_score=scores)

    @staticmethod
    def _different(indices: list[int], label: object) -> list[int]:
        if len(set(indices)) < len(indices):
            raise ValueError(f'label {shown(label)} names a class twice')
        return indices

    def _class_index(self, fields: Sequence[Any]) -> int:
        if len(fields) != 1:
            raise ValueError(f'expected one class label, got {len(fields)}')
        label = fields[0]
        if isinstance(label, str) and label in self.classes:
            return self.classes.index(label)
        index = _integer(label)
        if index is None:
            known = f' or one of {list(self.classes)}' if self.classes else ''
            raise ValueError(f'label {shown(label)} is not a class index{known}')
        if not 0 <= index < (self.num_classes or 0):
            raise ValueError(f'label {shown(index)} is out of range, expected 0..{(self.num_classes or 0) - 1}')
        return index

    def _values(self, fields: Sequence[Any]) -> list[float]:
        values = [as_number(field) for field in fields]
        if any(value is None for value in values):
            raise ValueError(f'values {shown(list(fields))} are not numbers')
        finite = [value for value in values if value is not None and math.isfinite(value)]
        if not finite or len(finite) < len(values):
            raise ValueError(f'expected finite numbers as values, got {shown(list(fields))}')
        self.num_values = self.num_values or len(finite)
        if len(finite) != self.num_values:
            raise ValueError(f'expected {self.num_values} values, got {len(finite)}')
        return finite


def _integer(label: Any) -> int | None:
    """Converts a class index from text (``'3'``) or JSON (3 or 3.0) to int; returns None if it is not an integer."""
    if isinstance(label, str):
        return int(label) if _INTEGER.fullmatch(label) else None
    if isinstance(label, float) and label.is_integer():
        return int(label)
    return label if isinstance(label, int) and not isinstance(label, bool) else None


def as_number(field: Any) -> float | None:
    """Converts a number from text or JSON to float; returns None if it is not a number."""
    if isinstance(field, str):
        return float(field) if _NUMBER.fullmatch(field) else None
    if isinstance(field, bool) or not isinstance(field, (int, float)):
        return None
    try:
        return float(field)
    except OverflowError:
        return math.inf


def classes_of(metainfo: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the class names in the meta information of a list; empty if there are none.

    Args:
        metainfo: Meta information, with the key ``classes`` or without it.

    Raises:
        ValueError: If ``classes`` is not a list of different texts.
    """
    classes = metainfo.get('classes') or ()
    is_list = isinstance(classes, (list, tuple)) and all(isinstance(name, str) and name for name in classes)
    if not is_list or len(set(classes)) < len(classes):
        raise ValueError(f'metainfo.classes must be a list of different names, got {shown(classes)}')
    return tuple(classes)

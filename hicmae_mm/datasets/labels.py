"""Making labels of the label columns of a list, and checking them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hicmae_mm.datasets.text_files import shown

TASKS = ('classification', 'regression', 'multitask', 'unlabelled')
_INTEGER = re.compile(r'[+-]?[0-9]{1,18}')  # int() takes more: other scripts' digits, underscores
_NUMBER = re.compile(r'[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?:nan|inf(?:inity)?)', re.IGNORECASE)


@dataclass
class LabelParser:
    """Turns the label columns of a record into ``gt_label`` or ``gt_values``, and checks them.

    Attributes:
        task: ``'classification'``, ``'regression'``, ``'multitask'`` (first a class, then values) or ``'unlabelled'``.
        classes: Class names, which may stand for indices; may be empty.
        num_classes: Number of classes; None for tasks without.
        num_values: Values per sample in regression; None until the first sample tells.
        columns: Which label columns count, 0-based, and in which order; None: all.
    """

    task: str
    classes: Sequence[str] = ()
    num_classes: int | None = None
    num_values: int | None = None
    columns: Sequence[int] | None = None

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
        """Parses label columns; raises ValueError without saying where, which the caller adds."""
        if self.task == 'unlabelled':
            return {}
        if self.columns is not None:
            if max(self.columns) >= len(fields):
                raise ValueError(f'label_columns={tuple(self.columns)}, but there are {len(fields)} label columns')
            fields = [fields[column] for column in self.columns]
        if self.task == 'classification':
            return dict(gt_label=self._class_index(fields))
        if self.task == 'regression':
            return dict(gt_values=self._values(fields))
        return dict(gt_label=self._class_index(fields[:1]), gt_values=self._values(fields[1:]))

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
        values = [_number(field) for field in fields]
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
    """A class index as written in text (``'3'``) or JSON (3, or 3.0 of programs without integers); None: it is none."""
    if isinstance(label, str):
        return int(label) if _INTEGER.fullmatch(label) else None
    if isinstance(label, float) and label.is_integer():
        return int(label)
    return label if isinstance(label, int) and not isinstance(label, bool) else None


def _number(field: Any) -> float | None:
    """A number as written in text or JSON; None: it is none."""
    if isinstance(field, str):
        return float(field) if _NUMBER.fullmatch(field) else None
    if isinstance(field, bool) or not isinstance(field, (int, float)):
        return None
    try:
        return float(field)
    except OverflowError:
        return math.inf


def classes_of(metainfo: Mapping[str, Any]) -> tuple[str, ...]:
    """Class names in the meta information of a list; empty if it has none.

    Raises:
        ValueError: If they are not different texts.
    """
    classes = metainfo.get('classes') or ()
    is_list = isinstance(classes, (list, tuple)) and all(isinstance(name, str) and name for name in classes)
    if not is_list or len(set(classes)) < len(classes):
        raise ValueError(f'metainfo.classes must be a list of different names, got {shown(classes)}')
    return tuple(classes)

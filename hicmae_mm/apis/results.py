"""Collect the result of a clip as plain dictionaries of names and numbers, which JSON can store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from hicmae_mm.apis.clip import PreparedWindow, WindowedClip, lacking
from hicmae_mm.apis.frames import FrameTrack, describe_frames, frame_fields, number_fields, target_of
from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.evaluation.clip_result import names_for
from hicmae_mm.models.heads import MultiLabelHead
from hicmae_mm.structures import EmotionDataSample

_DIGITS = 6
LOW_FACE_COVERAGE = 0.75
"""A result contains a warning if the share of frames with a face is below this value."""


@dataclass(frozen=True)
class Names:
    """Names of the predictions of a model.

    Attributes:
        classes: Names of the emotion classes, or None if they are unknown.
        dimensions: Names of the regressed values, or None if they are unknown.
        facts: Meta information of the data. Names of the entries of a target have the name of the target as key.
        fields: Fields that the model predicts, in the order in which they are shown.
    """

    classes: Sequence[str] | None = None
    dimensions: Sequence[str] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    fields: Sequence[str] = ()

    def of(self, target: str, is_score: bool) -> Sequence[str] | None:
        """Returns the names of the entries of a target, if they are known."""
        named = self.facts.get(target)
        if isinstance(named, (list, tuple)):
            return named
        return self.classes if is_score else self.dimensions

    def in_order(self, found: Iterable[str]) -> list[str]:
        """Sorts fields: those of a clip's class and values first, then those of other targets."""
        places = {name: place for place, name in enumerate(self.fields)}
        return sorted(
            found, key=lambda name: (name not in ('pred_score', 'pred_values'), places.get(name, len(places)), name)
        )


@dataclass
class ClipReport:
    """Collects the predictions of a clip's windows.

    Attributes:
        name: Name of the clip.
        names: Names of the predictions.
        clip: The clip. None until it is open.
        windows: The windows in order, each with the model's prediction, or None if it could not be scored.
        error: Reason why the clip has no result.
    """

    name: str
    names: Names
    clip: WindowedClip | None = None
    windows: list[tuple[PreparedWindow, EmotionDataSample | None]] = field(default_factory=list)
    error: str | None = None
    speaker: str | None = None
    conversation: str | None = None
    span: tuple[float, float] | None = None
    track: FrameTrack = field(default_factory=FrameTrack)

    def add(self, window: PreparedWindow, sample: EmotionDataSample | None) -> None:
        """Adds a window with its prediction, or None if it could not be scored."""
        self.windows.append((window, sample))
        fields = {} if sample is None else frame_fields(sample)
        if fields:
            assert self.clip is not None
            num_steps = len(next(iter(fields.values())))
            part = self.clip.frames.part(window.window, self.clip.share_of(window.window), window.seen, num_steps)
            assert self.clip.frames.num_frames is not None
            self.track.num_frames = self.clip.frames.num_frames
            self.track.add(part, fields)

    def to_dict(self, model: str, notes: Sequence[str] = (), on_error: str = 'raise') -> dict[str, Any]:
        """Makes the result of the clip; docs/inference.md describes its keys.

        Args:
            model: Name of the model.
            notes: Further warnings.
            on_error: Treatment of a clip without scores: ``'raise'`` or ``'skip'``.

        Returns:
            The result, or ``name``, ``model`` and ``error`` of a clip without one.

        Raises:
            MediaError: If no window could be scored and ``on_error`` is ``'raise'``.
        """
        scored = [sample for _, sample in self.windows if sample is not None]
        if self.error is None and not scored:
            self.error = f'{self.name}: {lacking(self._absent(()))}'
            if on_error == 'raise':
                raise MediaError(self.error)
        if self.error is not None or self.clip is None:
            return dict(name=self.name, model=model, error=self.error)
        clip = self.clip
        used = [
            name
            for name in clip.settings.streams
            if any(name in window.streams for window, sample in self.windows if sample is not None)
        ]
        return dict(
            name=self.name,
            model=model,
            **self._prediction(self.to_sample()),
            duration_seconds=None if clip.seconds is None else round(clip.seconds, 3),
            fps=None if clip.timeline is None else round(clip.timeline.fps, 3),
            window_seconds=_at_most(clip.window_seconds, clip.seconds),
            stride_seconds=_at_most(clip.stride_seconds, clip.seconds),
            speaker=self.speaker,
            span=None if self.span is None else [self.span[0], self.span[0] + (clip.seconds or 0)],
            streams=used,
            absent_streams=self._absent(used),
            face_coverage=self._coverage(),
            windows=[self._window(window, sample) for window, sample in self.windows],
            frames=self._frames(),
            faces=clip.face_boxes,
            warnings=[*clip.warnings, *notes, *self._warnings()],
        )

    def to_sample(self) -> EmotionDataSample:
        """Averages the predictions of all windows.

        Returns:
            The overall prediction as a data sample.
        """
        scored = [sample for _, sample in self.windows if sample is not None]
        merged = EmotionDataSample(metainfo=dict(sample_id=self.name))
        frames = self.track.means()
        for name in number_fields(scored[0]) if scored else ():
            rows = (
                frames[name] if name in frames else np.mean([number_fields(sample)[name] for sample in scored], axis=0)
            )
            value = torch.as_tensor(rows, dtype=torch.float32)
            if name == 'pred_score' and name not in frames:
                merged.set_pred_score(value)
                continue
            merged.set_prediction(name, value)
            target, is_score = target_of(name)
            if is_score:
                merged.set_prediction(f'pred_{target}', value.argmax(dim=-1))
        return merged

    def _prediction(self, sample: EmotionDataSample | None) -> dict[str, Any]:
        found: dict[str, Any] = dict(label=None, scores=None, values=None)
        fields = {} if sample is None else number_fields(sample)
        for name in self.names.in_order(fields):
            target, is_score = target_of(name)
            kind = 'scores' if is_score else 'values'
            if found[kind] is not None:
                continue  # clips of several targets show the first of each kind
            entries = fields[name] if fields[name].ndim == 1 else np.nanmean(fields[name], axis=0)
            names = names_for(self.names.of(target, is_score), len(entries))
            found[kind] = {name: round(float(entry), _DIGITS) for name, entry in zip(names, entries)}
            if is_score:
                found['label'] = names[int(np.argmax(entries))]
        return found

    def _frames(self) -> dict[str, Any] | None:
        means = self.track.means()
        if not means or self.clip is None:
            return None
        names = {target: self.names.of(target, is_score) for target, is_score in map(target_of, means)}
        ordered = {name: means[name] for name in self.names.in_order(means)}
        return describe_frames(ordered, self.clip.frames.seconds(), names)

    def _window(self, prepared: PreparedWindow, sample: EmotionDataSample | None) -> dict[str, Any]:
        return dict(
            start_seconds=round(prepared.window.start_seconds, 3),
            end_seconds=round(prepared.window.end_seconds, 3),
            **self._prediction(sample),
            speaker=prepared.window.speaker,
            text=None if prepared.window.utterance is None else prepared.window.utterance.text,
            streams=list(prepared.streams) if sample is not None else [],
            absent_streams=prepared.absent,
            face_coverage=None if prepared.face_coverage is None else round(prepared.face_coverage, 4),
        )

    def _coverage(self) -> float | None:
        boxes = [] if self.clip is None else [face['box'] for face in self.clip.face_boxes]
        return round(sum(box is not None for box in boxes) / len(boxes), 4) if boxes else None

    def _absent(self, used: Sequence[str]) -> dict[str, str]:
        """Finds the streams that are not in ``used``, and the reasons."""
        reasons: dict[str, str] = {}
        for window, _ in self.windows:
            reasons = {name: reason for name, reason in window.absent.items() if name not in used} | reasons
        return reasons

    def _warnings(self) -> list[str]:
        notes = []
        coverage = self._coverage()
        if coverage is not None and coverage < LOW_FACE_COVERAGE:
            notes.append(f'a face was seen in only {coverage:.0%} of the searched frames; scores may be worse')
        total, lost = len(self.windows), sum(sample is None for _, sample in self.windows)
        if lost:
            absent = next(window.absent for window, sample in self.windows if sample is None)
            notes.append(f'{lost} of {total} windows have no scores: {lacking(absent)}')
        partly = Counter(
            f'{name} ({reason})'
            for window, sample in self.windows
            if sample is not None
            for name, reason in window.absent.items()
        )
        notes += [
            f'scored without {what}' if count == total else f'{count} of {total} windows are scored without {what}'
            for what, count in partly.items()
        ]
        return notes


def predicted_fields(model: nn.Module) -> tuple[str, ...]:
    """Returns the fields of samples that the heads of a model fill in; empty for an exported model.

    Classes come first, then values, then labels that do not exclude each other. The order of heads in a config is of no
    use, because stored configs are sorted by name.
    """
    head = getattr(model, 'head', None)
    parts = [part for part in getattr(head, 'heads', {'': head}).values() if hasattr(part, 'prediction_field')]
    ranked = [
        (isinstance(part, MultiLabelHead), not target_of(part.prediction_field)[1], part.prediction_field)
        for part in parts
    ]
    return tuple(name for *_, name in sorted(ranked))


def _at_most(seconds: float | None, limit: float | None) -> float | None:
    return None if seconds is None or limit is None else round(min(seconds, limit), 3)

"""Read clips one after the other, and make batches of their windows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from hicmae_mm.apis.clip import PreparedWindow, WindowedClip
from hicmae_mm.apis.further import check_names
from hicmae_mm.apis.results import ClipReport, Names
from hicmae_mm.apis.settings import Settings
from hicmae_mm.datasets.clips.inputs import ClipInput
from hicmae_mm.datasets.clips.media import OpenClip
from hicmae_mm.datasets.errors import MediaError

Pair = tuple[ClipReport, PreparedWindow]
Batch = tuple[list[Pair], dict[str, Any] | None]


def iterate_windows(
    clips: Iterable[ClipInput], settings: Settings, names: Names, on_error: str, reports: list[ClipReport]
) -> Iterator[Pair]:
    """Yields the windows of clips with the reports of their clips, which are added to ``reports``.

    Raises:
        FileNotFoundError: If an input does not exist and ``on_error`` is ``'raise'``.
        MediaError: If a clip cannot be read and ``on_error`` is ``'raise'``.
        ValueError: If a clip gives a stream that the model does not have.
    """
    for clip in clips:
        check_names(clip, settings.readings)
        report = ClipReport(clip.name, names, speaker=clip.speaker, span=clip.span, conversation=clip.conversation)
        reports.append(report)
        try:
            with OpenClip(clip, settings.opened_streams(clip), settings.backend) as opened:
                report.clip = WindowedClip(opened, settings)
                for window in report.clip:
                    yield report, window
        except (MediaError, FileNotFoundError) as error:
            if on_error == 'raise':
                raise
            report.error = str(error)


def batch_windows(
    windows: Iterable[Pair], batch_size: int, collate: Callable[[Sequence[Any]], dict[str, Any]]
) -> Iterator[Batch]:
    """Yields batches: pairs of report and window, and the collated data of those windows that can be scored.

    Raises:
        ValueError: If ``batch_size`` is below 1.
    """
    if batch_size < 1:
        raise ValueError(f'batch_size must be at least 1, got {batch_size}')
    waiting: list[Pair] = []
    for pair in windows:
        waiting.append(pair)
        if sum(window.packed is not None for _, window in waiting) == batch_size:
            yield _collated(waiting, collate)
            waiting = []
    if waiting:
        yield _collated(waiting, collate)


def batch_conversations(
    windows: Iterable[Pair], conversation: str, speaker: str, collate: Callable[[Sequence[Any]], dict[str, Any]]
) -> Iterator[Batch]:
    """Yields one batch for each conversation, for a model that uses the other utterances of an utterance.

    Windows that follow one another and have the same conversation form a batch. Every window counts as an utterance. A
    clip that is divided into utterances is a conversation, and other clips that name none belong to one without a name.

    Args:
        windows: Pairs of report and window.
        conversation: Column from which the model takes the name of the conversation.
        speaker: Column from which it takes the speaker.
        collate: Function that joins packed samples.
    """
    for name, group in groupby(windows, key=_conversation_of):
        pairs = list(group)
        for report, window in pairs:
            if window.packed is not None:
                sample = window.packed['data_samples']
                columns = {conversation: name, speaker: window.window.speaker or report.speaker or ''}
                sample.set_metainfo(dict(columns={**(sample.get('columns') or {}), **columns}))
        yield _collated(pairs, collate)


def _conversation_of(pair: Pair) -> str:
    report, window = pair
    own = f'clip {id(report)}' if window.window.utterance else ''  # two clips can have the same name
    return report.conversation or own


def _collated(pairs: list[Pair], collate: Callable[[Sequence[Any]], dict[str, Any]]) -> Batch:
    packed = [window.packed for _, window in pairs if window.packed is not None]
    return pairs, collate(packed) if packed else None

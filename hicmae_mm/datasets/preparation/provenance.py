"""Are these the pictures that published work reads? A list's clips against what is known of their corpus."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np

from hicmae_mm.datasets.corpora.crops import CROPS, Crops, Fact
from hicmae_mm.datasets.corpora.protocols import PROTOCOLS
from hicmae_mm.datasets.transforms.temporal import train_frame_indices
from hicmae_mm.registry import DATASETS

_CLIP_LEN, _FRAME_INTERVAL, _INPUT_PIXELS = 16, 4, 160  # of the published configs
_MOST = 0.9  # share of clips that speaks for all
_FEWEST = 5  # clips from which on equal numbers of frames are no chance
_RATE_TOLERANCE = 0.05
_COMPARE = 'scores of published checkpoints hold for their crops; on others they differ, by how much is not known'


@dataclass(frozen=True)
class MeasuredClip:
    """Stores what was measured of a clip. None means unknown.

    Attributes:
        frames: Number of frames.
        size: Height and width (pixels).
        sound_seconds: Length of the sound.
    """

    frames: int | None = None
    size: tuple[int, int] | None = None
    sound_seconds: float | None = None


@dataclass
class Provenance:
    """States what can be said about the pictures of a list.

    Attributes:
        corpus: Name of the data set class.
        agrees: Facts that the list agrees with.
        differs: Facts that it does not agree with, and what that does to scores.
        unknown: Facts that are not known, or could not be measured.
    """

    corpus: str
    agrees: list[str] = field(default_factory=list)
    differs: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def corpus_named(name: str) -> str | None:
    """Finds the data set class of a name in any spelling (``crema-d``, ``CREMAD``); None if there is none."""
    wanted = _plain(name)
    for key in PROTOCOLS:
        if wanted in (_plain(key), _plain(DATASETS.get(key).METAINFO['name'])):
            return key
    return None


def corpus_of(metainfo: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """Finds the corpus of a list by its meta information (``corpus`` or ``name``), else by the names of its clips."""
    for key in ('corpus', 'name'):
        if isinstance(metainfo.get(key), str) and (found := corpus_named(metainfo[key])):
            return found
    for key, protocol in PROTOCOLS.items():
        if names and protocol.speaker is not None and all(protocol.speaker_of(name) for name in names):
            return key
    return None


def _plain(name: str) -> str:
    return re.sub(r'[^a-z0-9]', '', name.lower())


def trace(corpus: str, measured: Sequence[MeasuredClip], num_clips: int) -> Provenance:
    """Compares the clips of a list with what is known of their corpus.

    Args:
        corpus: Name of the data set class.
        measured: Measurements of the list's clips.
        num_clips: Clips of the list.
    """
    found, crops = Provenance(corpus), CROPS[corpus]
    _count(found, crops, num_clips)
    if not any(clip.frames for clip in measured):
        found.unknown.append('no pictures were checked')
        return found
    found.unknown.append(f'whether these are: {_with_source(crops.form)}; only numbers are compared here')
    _frames(found, crops, [clip.frames for clip in measured if clip.frames])
    _sizes(found, crops, Counter(clip.size for clip in measured if clip.size))
    _rate(found, crops, [clip.frames / clip.sound_seconds for clip in measured if clip.frames and clip.sound_seconds])
    return found


def _with_source(fact: Fact) -> str:
    return f'{fact.value} [{fact.source}]'


def _count(found: Provenance, crops: Crops, num_clips: int) -> None:
    sizes = PROTOCOLS[found.corpus].sizes
    parts = [
        f'{fold} {part}'
        for fold, counts in sizes.items()
        for part, count in zip(('train', 'test'), counts)
        if count == num_clips
    ]
    if parts:
        found.agrees.append(f'{num_clips} clips: as published for {", ".join(parts)}')
    elif crops.num_clips is not None and num_clips == crops.num_clips.value:
        found.agrees.append(f'{num_clips} clips: the whole corpus [{crops.num_clips.source}]')
    elif sizes:
        published = ', '.join('/'.join(map(str, counts)) for counts in dict.fromkeys(sizes.values()))
        found.differs.append(f'{num_clips} clips: no published list has so many ({published}); scores do not compare')
    else:
        found.unknown.append(f'{num_clips} clips; the sizes of published lists are not known')


def _frames(found: Provenance, crops: Crops, frames: Sequence[int]) -> None:
    ((count, clips),) = Counter(frames).most_common(1)
    if len(frames) < _FEWEST or clips < _MOST * len(frames):
        found.agrees.append(f'{min(frames)} to {max(frames)} frames a clip: not cut to one number')
        return
    known = crops.wrong_exports.get(count)
    what = f'looks like {_with_source(known)}' if known else 'an export that was resampled in time'
    end = _CLIP_LEN * _FRAME_INTERVAL
    different = len(np.unique(train_frame_indices(count, min(end, count), _CLIP_LEN, _FRAME_INTERVAL)))
    effect = f'a clip of {_CLIP_LEN} frames at stride {_FRAME_INTERVAL} has {different} different pictures then'
    found.differs.append(
        f'{count} frames in {clips} of {len(frames)} clips: {what}; {effect}, and they are out of step with the sound'
    )


def _sizes(found: Provenance, crops: Crops, sizes: Counter[tuple[int, int]]) -> None:
    if not sizes:
        return
    shown = ', '.join(f'{height} x {width} ({clips} clips)' for (height, width), clips in sizes.most_common(3))
    shown += f' and {len(sizes) - 3} other sizes' if len(sizes) > 3 else ''
    text = f'pictures of {shown}'
    if crops.sizes is None:
        found.unknown.append(f'{text}; the size of the published ones is not known')
    elif all(size in crops.sizes.value for size in sizes):
        found.agrees.append(f'{text} [{crops.sizes.source}]')
    else:
        expected = ' or '.join(f'{height} x {width}' for height, width in crops.sizes.value)
        found.differs.append(f'{text}, expected {expected} [{crops.sizes.source}]: other crops; {_COMPARE}')
    small = sum(clips for size, clips in sizes.items() if min(size) < _INPUT_PIXELS)
    if small:
        found.differs.append(f'{small} clips have pictures below {_INPUT_PIXELS} pixels, which models see enlarged')


def _rate(found: Provenance, crops: Crops, rates: Sequence[float]) -> None:
    if not rates:
        found.unknown.append('frames per second of sound: no clip has both')
        return
    usual = median(rates)
    text = f'{usual:.2f} frames per second of sound (median)'
    if crops.fps is None:
        found.unknown.append(f"{text}; the corpus's own rate is not known")
    elif abs(usual - crops.fps.value) <= _RATE_TOLERANCE * crops.fps.value:
        found.agrees.append(f'{text}: every frame of {_with_source(crops.fps)}')
    else:
        found.differs.append(f'{text}, expected {_with_source(crops.fps)}: frames are missing or made up; {_COMPARE}')
    odd = _count_if(abs(rate - usual) > 2 * _RATE_TOLERANCE * usual for rate in rates)
    if odd:
        found.differs.append(
            f'{odd} of {len(rates)} clips have over a tenth more or fewer frames per second than the others: frames '
            'were left out, or picture and sound are not of one length'
        )


def _count_if(values: Iterable[bool]) -> int:
    return sum(values)

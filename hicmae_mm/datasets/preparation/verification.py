"""Does every clip of a list hold what a training will ask of it?"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dataset import Compose

from hicmae_mm.datasets.av_dataset import seeded
from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.preparation.audio import Loudness
from hicmae_mm.datasets.preparation.listed_clips import STREAMS, ListedClip, column_hint
from hicmae_mm.datasets.preparation.pool import Failure, run_parallel
from hicmae_mm.datasets.readers.audio import open_audio
from hicmae_mm.datasets.readers.source_clip import Clip
from hicmae_mm.datasets.transforms.audio_io import Filterbank, LoadAudio
from hicmae_mm.datasets.transforms.video_io import DecodeFrames, OpenVideo, SampleClips

PROBLEMS = ('missing', 'broken', 'silent', 'short', 'mismatched')
_READ_SECONDS = 60  # of sound at a time


@dataclass
class ClipFindings:
    """Stores what was found out about a clip.

    Attributes:
        problems: (kind, stream, what is wrong in words); empty for a clean clip.
        frames: Number of frames.
        size: Height and width of the pictures (pixels).
        video_seconds: Length of the pictures; None if unknown.
        audio_seconds: Length of the sound.
        peak_db: Loudest sample (dB relative to full scale); None for digital silence.
    """

    problems: list[tuple[str, str, str]] = field(default_factory=list)
    frames: int | None = None
    size: tuple[int, int] | None = None
    video_seconds: float | None = None
    audio_seconds: float | None = None
    peak_db: float | None = None


@dataclass(frozen=True)
class CheckClip:
    """Checks one clip, with the readers that a training uses.

    Attributes:
        streams: Those of ``'video'`` and ``'audio'`` to check.
        is_full: Decode every frame, not only the first, the middle one and the last. Sound is always read as a whole.
        min_frames: Number of frames below which a clip counts as short.
        min_seconds: Length below which a stream counts as short, if its length is known.
        silent_peak_db: Sound whose peak is lower is silent (dB relative to full scale).
        silent_rms_db: Sound whose root mean square is lower is silent.
        max_mismatch_seconds: Largest difference between the lengths of pictures and sound.
        backend: Decoder; see :func:`~hicmae_mm.datasets.readers.video.open_video`.
        frame_folder_fps: Frame rate of folders of frames; without it their length is not known, nor compared.
    """

    streams: Sequence[str] = STREAMS
    is_full: bool = False
    min_frames: int = 2
    min_seconds: float = 0.1
    silent_peak_db: float = -60.0
    silent_rms_db: float = -75.0
    max_mismatch_seconds: float = 0.5
    backend: str | None = None
    frame_folder_fps: float | None = None

    def __post_init__(self) -> None:
        if not self.streams or not set(self.streams) <= set(STREAMS):
            raise ValueError(f'streams must be some of {STREAMS}, got {tuple(self.streams)}')
        if self.frame_folder_fps is not None and not 0 < self.frame_folder_fps < math.inf:
            raise ValueError(f'frame_folder_fps must be above 0, got {self.frame_folder_fps}')

    def __call__(self, clip: ListedClip) -> ClipFindings:
        """Opens, decodes, measures; whatever goes wrong is a finding."""
        findings, streams = ClipFindings(), [stream for stream in self.streams if stream in clip.streams]
        if clip.others and not any(clip.paths.values()):
            return findings  # a clip of other streams alone, such as features
        if not streams:
            findings.problems.append(
                ('missing', self.streams[0], f'the clip has {clip.streams} only, which is not read')
            )
        for stream in streams:
            check = self._check_video if stream == 'video' else self._check_audio
            path = clip.paths[stream]
            with _noted(findings, stream, path):
                if path is None:
                    raise FileNotFoundError(f"the list names no {stream}; streams=('audio',) reads sound alone")
                for kind, problem in check(path, findings):
                    findings.problems.append((kind, stream, problem))
        kinds = [kind for kind, _, _ in findings.problems]
        if 'missing' in kinds and (hint := column_hint(clip)):
            kind, stream, text = findings.problems[kinds.index('missing')]
            findings.problems[kinds.index('missing')] = (kind, stream, text + hint)
        if not {'missing', 'broken'} & set(kinds):
            with _noted(findings, 'both' if len(streams) > 1 else streams[0], clip.paths[streams[0]]):
                self._read_as_training_does(clip, streams)
        if findings.video_seconds is not None and findings.audio_seconds is not None:
            difference = abs(findings.video_seconds - findings.audio_seconds)
            if difference > self.max_mismatch_seconds:
                lengths = f'{findings.video_seconds:.2f} s of pictures, {findings.audio_seconds:.2f} s of sound'
                findings.problems.append(('mismatched', 'both', lengths))
        return findings

    def _read_as_training_does(self, clip: ListedClip, streams: Sequence[str]) -> None:
        """Reads a random clip, as in training, and the views of a test, through the pipeline's own transforms.

        Raises:
            MediaError: If a frame or a span of sound cannot be read.
        """
        paths = {stream: None if path is None else str(path) for stream, path in clip.paths.items()}
        info: dict[str, Any] = dict(streams=tuple(streams), video_path=paths['video'], audio_path=paths['audio'])
        if clip.span is not None:
            info['span'] = clip.span
        has_times = paths['video'] is None or not Path(paths['video']).is_dir() or self.frame_folder_fps is not None
        mode = 'pretrain' if not clip.labels and has_times else 'train'
        with seeded(clip.index):
            for sample in (SampleClips(mode), SampleClips('test', num_clips=2)):
                open_video = OpenVideo(self.backend, self.frame_folder_fps)
                Compose([open_video, sample, DecodeFrames(), LoadAudio(), Filterbank()])(dict(info))

    def _check_video(self, path: Path, findings: ClipFindings) -> Iterator[tuple[str, str]]:
        with Clip(path, backend=self.backend, frame_folder_fps=self.frame_folder_fps) as clip:
            if self.is_full:
                for _ in clip.frames():
                    pass
            else:
                last = clip.num_frames - 1
                clip.reader.read(sorted({0, last // 2, last}))
            findings.frames = clip.num_frames
            findings.size = (clip.height, clip.width)
            if clip.seconds is not None:
                findings.video_seconds = round(clip.seconds, 3)
        if findings.frames < self.min_frames:
            yield 'short', f'{path}: {findings.frames} frames, fewer than {self.min_frames}'
        if findings.video_seconds is not None and findings.video_seconds < self.min_seconds:
            yield 'short', f'{path}: {findings.video_seconds} s, less than {self.min_seconds}'

    def _check_audio(self, path: Path, findings: ClipFindings) -> Iterator[tuple[str, str]]:
        loudness = Loudness()
        reader = open_audio(path)
        try:
            step = _READ_SECONDS * reader.sample_rate_hz
            for start in range(0, reader.num_samples, step):
                loudness.add(reader.read(start, min(start + step, reader.num_samples)))
            findings.audio_seconds = round(reader.num_samples / reader.sample_rate_hz, 3)
        finally:
            reader.close()
        findings.peak_db = loudness.peak_db
        if loudness.is_silent(self.silent_peak_db, self.silent_rms_db):
            yield 'silent', f'{path}: peak {_level(loudness.peak_db)}, root mean square {_level(loudness.rms_db)}'
        if findings.audio_seconds < self.min_seconds:
            yield 'short', f'{path}: {findings.audio_seconds} s, less than {self.min_seconds}'


@contextmanager
def _noted(findings: ClipFindings, stream: str, path: Path | None) -> Iterator[None]:
    """Notes any error as a problem. Also those that are no fault of the file: a training would end with them."""
    try:
        yield
    except FileNotFoundError as error:
        findings.problems.append(('missing', stream, str(error)))
    except MediaError as error:
        findings.problems.append(('broken', stream, str(error)))
    except OSError as error:
        findings.problems.append(('broken', stream, f'{path}: cannot be read: {error.strerror or error}'))
    except Exception as error:
        reason = (str(error).strip() or '(no message)').splitlines()[0]
        findings.problems.append(('broken', stream, f'{path}: {type(error).__name__}: {reason}'))


def _level(decibel: float | None) -> str:
    return 'nothing but zeros' if decibel is None else f'{decibel} dB'


def check_clips(
    check: Callable[[ListedClip], ClipFindings], clips: Sequence[ListedClip], num_workers: int
) -> Iterator[tuple[ListedClip, ClipFindings]]:
    """Checks clips in worker processes, in any order; a clip that brings its process down is broken."""
    for clip, findings in run_parallel(check, clips, num_workers):
        if isinstance(findings, Failure):
            findings = ClipFindings([('broken', 'both', findings.reason)])
        yield clip, findings


def summarize_findings(findings: Iterable[ClipFindings]) -> dict[str, Any]:
    """Counts the clips: all, clean ones, those with each kind of problem, and those whose lengths could be compared."""
    findings = list(findings)
    kinds = Counter(kind for clip in findings for kind in {kind for kind, _, _ in clip.problems})
    lengths = [(clip.video_seconds, clip.audio_seconds) for clip in findings]
    return dict(
        clips=len(findings),
        clean=sum(not clip.problems for clip in findings),
        **{kind: kinds[kind] for kind in PROBLEMS},
        compared_lengths=int(np.sum([None not in pair for pair in lengths])),
    )

"""Clips, and where their pictures and sound lie in a corpus."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from hicmae_mm.datasets.annotations import OWN_SOUND_TRACK
from hicmae_mm.datasets.readers.folders import IMAGE_SUFFIXES, visible_names, walk
from hicmae_mm.datasets.stand_ins import describe_stand_in

Label = int | float
STREAMS = ('video', 'audio')


@dataclass(frozen=True)
class Clip:
    """Describes a line of a list.

    Attributes:
        video: Video file or folder of frames; None means sound alone.
        audio: Sound file; None means the video's own sound track, or none at all.
        labels: Label columns; empty for unlabelled corpora.
        facts: Other facts about the clip, such as ``sex`` and ``text``: columns of a table.
    """

    video: str | None
    audio: str | None
    labels: tuple[Label, ...] = ()
    facts: Mapping[str, str | float] = field(default_factory=dict, compare=False)

    @property
    def media(self) -> tuple[str, ...]:
        """Paths of what it is made of."""
        if self.video is None or self.audio is None:
            return (self.video or self.audio or '',)
        return self.video, self.audio

    def with_streams(self, streams: Sequence[str]) -> Clip:
        """Returns the clip with the named streams. Sound inside of the video stays in that file."""
        if 'video' not in streams:
            return replace(self, video=None, audio=self.audio or self.video)
        return self if 'audio' in streams else replace(self, audio=None)


@dataclass(frozen=True)
class MediaLayout:
    """States where pictures and sound of a corpus lie: ``root/{video,audio}_dir/NAME{suffix}``.

    A clip's name may have folders in it (``Actor_01/01-01-03-01-01-01-01``). An empty ``video_suffix`` means folders of
    frames, ``audio_dir='-'`` the videos' own sound tracks. ``streams`` says which of them are looked for.
    """

    root: Path
    video_dir: str
    video_suffix: str
    audio_dir: str
    audio_suffix: str
    streams: tuple[str, ...] = STREAMS

    @classmethod
    def from_args(cls, args: argparse.Namespace) -> MediaLayout:
        """Returns the layout that the options of :func:`converter_parser` describe.

        Raises:
            FileNotFoundError: If the corpus has no such folder.
        """
        if not args.data_root.is_dir():
            raise FileNotFoundError(f'DATA_ROOT {args.data_root} is not a folder')
        return cls(
            args.data_root.resolve(),
            args.video_dir,
            args.video_suffix,
            args.audio_dir,
            args.audio_suffix,
            chosen_streams(args),
        )

    @property
    def reads_videos(self) -> bool:
        """Returns whether a clip needs its video, for pictures or for sound."""
        return 'video' in self.streams or self.audio_dir == OWN_SOUND_TRACK

    @property
    def reads_sounds(self) -> bool:
        """Returns whether a clip needs a sound file."""
        return 'audio' in self.streams and self.audio_dir != OWN_SOUND_TRACK

    def clip(self, name: str, *labels: Label) -> Clip:
        """Returns the clip of a name without looking for its files."""
        audio = None
        if self.audio_dir != OWN_SOUND_TRACK:
            audio = str(self.root / self.audio_dir / (name + self.audio_suffix))
        return Clip(str(self.root / self.video_dir / (name + self.video_suffix)), audio, labels)

    def names(self) -> list[str]:
        """Returns the sorted names of all clips that have a sound file, or pictures if no sound is read.

        Raises:
            FileNotFoundError: If there is no such folder, or nothing in it has the suffix.
        """
        of_video = not self.reads_sounds
        folder = self.root / (self.video_dir if of_video else self.audio_dir)
        suffix = self.video_suffix if of_video else self.audio_suffix
        option = 'video' if of_video else 'audio'
        if not folder.is_dir():
            raise FileNotFoundError(f'{folder} does not exist; --{option}-dir names the folder below DATA_ROOT')
        found = _frame_folders(folder) if not suffix else _files(folder, suffix)
        names = sorted(path.relative_to(folder).as_posix().removesuffix(suffix) for path in found)
        if not names:
            raise FileNotFoundError(f'{folder} has no file *{suffix}; --{option}-suffix names the ending')
        return names


def chosen_streams(args: argparse.Namespace) -> tuple[str, ...]:
    """Returns the streams that ``--streams`` names, in the order of columns."""
    return tuple(stream for stream in STREAMS if stream in args.streams or 'both' in args.streams)


def _files(folder: Path, suffix: str) -> Iterator[Path]:
    return (parent / name for parent, names in walk(folder) for name in names if name.endswith(suffix))


def _frame_folders(folder: Path) -> Iterator[Path]:
    """Folders that hold pictures directly; those above them hold folders only."""
    for parent, names in walk(folder):
        if parent != folder and any(Path(name).suffix.lower() in IMAGE_SUFFIXES for name in names):
            yield parent


def find_by_stem(folder: Path, suffix: str) -> dict[str, str]:
    """Finds media at any depth below ``folder``: name without suffix -> path. Empty if there is no such folder.

    Args:
        folder: Folder in which to search.
        suffix: Ending of the files; empty means folders of frames.

    Raises:
        ValueError: If two have the same name.
    """
    paths: dict[str, str] = {}
    for path in _files(folder, suffix) if suffix else _frame_folders(folder):
        stem = path.name.removesuffix(suffix)
        if stem in paths:
            raise ValueError(f'{path} and {paths[stem]} have the same name; expected one of them below {folder}')
        paths[stem] = str(path)
    return paths


def has_content(path: str) -> bool:
    """Tells whether there is a file that is not empty, or a folder with media in it."""
    media = Path(path)
    if media.is_dir():
        return any(True for _ in visible_names(media))
    return media.is_file() and media.stat().st_size > 0


def stand_in_of(path: str) -> str | None:
    """Names what is in place of the media; see :mod:`~hicmae_mm.datasets.stand_ins`. Reads one file of a folder."""
    media = Path(path)
    if media.is_dir():
        name = next(visible_names(media), None)
        return None if name is None else describe_stand_in(media / name)
    return describe_stand_in(media)

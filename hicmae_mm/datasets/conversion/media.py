"""Clips, and where their pictures and sound lie in a corpus."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hicmae_mm.datasets.annotations import OWN_SOUND_TRACK
from hicmae_mm.datasets.folders import IMAGE_SUFFIXES, visible_names, walk

Label = int | float


@dataclass(frozen=True)
class Clip:
    """A line of a list.

    Attributes:
        video: Video file or folder of frames.
        audio: Sound file; None: the video's own sound track.
        labels: Label columns; empty for unlabelled corpora.
    """

    video: str
    audio: str | None
    labels: tuple[Label, ...] = ()


@dataclass(frozen=True)
class MediaLayout:
    """Where the pictures and the sound of a corpus lie: ``root/{video,audio}_dir/NAME{suffix}``.

    A clip's name may have folders in it (``Actor_01/01-01-03-01-01-01-01``). An empty ``video_suffix`` means folders of
    frames, ``audio_dir='-'`` the videos' own sound tracks.
    """

    root: Path
    video_dir: str
    video_suffix: str
    audio_dir: str
    audio_suffix: str

    @classmethod
    def from_args(cls, args: argparse.Namespace) -> MediaLayout:
        """The layout that the options of :func:`converter_parser` describe.

        Raises:
            FileNotFoundError: If the corpus has no such folder.
        """
        if not args.data_root.is_dir():
            raise FileNotFoundError(f'DATA_ROOT {args.data_root} is not a folder')
        return cls(args.data_root.resolve(), args.video_dir, args.video_suffix, args.audio_dir, args.audio_suffix)

    def clip(self, name: str, *labels: Label) -> Clip:
        """The clip of a name; nothing is looked up."""
        audio = None
        if self.audio_dir != OWN_SOUND_TRACK:
            audio = str(self.root / self.audio_dir / (name + self.audio_suffix))
        return Clip(str(self.root / self.video_dir / (name + self.video_suffix)), audio, labels)

    def names(self) -> list[str]:
        """Names of all clips that have sound (or, with the videos' own tracks, pictures), sorted.

        Raises:
            FileNotFoundError: If there is no such folder, or nothing in it has the suffix.
        """
        of_video = self.audio_dir == OWN_SOUND_TRACK
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


def _files(folder: Path, suffix: str) -> Iterator[Path]:
    return (parent / name for parent, names in walk(folder) for name in names if name.endswith(suffix))


def _frame_folders(folder: Path) -> Iterator[Path]:
    """Folders that hold pictures directly; those above them hold folders only."""
    for parent, names in walk(folder):
        if parent != folder and any(Path(name).suffix.lower() in IMAGE_SUFFIXES for name in names):
            yield parent


def find_by_stem(folder: Path, suffix: str) -> dict[str, str]:
    """Paths of media by name without ending, whichever folders below ``folder`` they lie in; empty if there is none.

    Args:
        folder: Where to look.
        suffix: Ending of the files; empty: folders of frames.

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
    """Whether there is a file that is not empty, or a folder with something in it that belongs there."""
    media = Path(path)
    if media.is_dir():
        return any(True for _ in visible_names(media))
    return media.is_file() and media.stat().st_size > 0

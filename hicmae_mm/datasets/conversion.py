"""From a corpus as its owners distribute it to annotation lists, for ``tools/dataset_converters``.

A converter names the clips of every fold; this module finds their media, checks them, and writes the lists whole or not
at all.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hicmae_mm.datasets.annotations import OWN_SOUND_TRACK
from hicmae_mm.utils.files import replaced_file

Label = int | float
_SHOWN = 10  # names in a message


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


Folds = Mapping[str, Mapping[str, Sequence[Clip]]]  # 'fold1' -> 'train' or 'test' -> clips


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
    return (path for path in folder.rglob(f'*{suffix}') if not path.name.startswith('.'))


def _frame_folders(folder: Path) -> Iterator[Path]:
    """Folders that hold files directly; those above them hold folders only."""
    for parent, _, files in os.walk(folder):
        if files and Path(parent) != folder:
            yield Path(parent)


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


def read_rows(path: Path, delimiter: str | None = None) -> Iterator[tuple[str, list[str]]]:
    """Yields where a line of a text file stands (``'set_1/train.txt, line 3'``) and its fields; skips empty lines.

    Args:
        path: UTF-8, with or without byte order mark.
        delimiter: Of the columns, as in CSV files; None: white space.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f'{path} does not exist; is DATA_ROOT the corpus as its owners distribute it?')
    with path.open(encoding='utf-8-sig', newline='') as file:
        rows: Iterable[list[str]] = csv.reader(file, delimiter=delimiter) if delimiter else map(str.split, file)
        for number, fields in enumerate(rows, start=1):
            if any(fields):
                yield f'{path}, line {number}', [field.strip() for field in fields]


def converter_parser(
    description: str, video_dir: str, audio_dir: str, video_suffix: str = '', audio_suffix: str = '.wav'
) -> argparse.ArgumentParser:
    """The command line that all converters share; ``video_dir`` and the others are defaults."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument('data_root', type=Path, metavar='DATA_ROOT', help='the corpus as its owners distribute it')
    parser.add_argument('--out-dir', type=Path, required=True, metavar='DIR', help='folder of the lists')
    parser.add_argument('--video-dir', default=video_dir, help='videos, below DATA_ROOT (default: %(default)r)')
    parser.add_argument(
        '--video-suffix',
        default=video_suffix,
        help="ending of a video, '' for folders of frames (default: %(default)r)",
    )
    parser.add_argument(
        '--audio-dir', default=audio_dir, help="sound, below DATA_ROOT, '-': the videos' own (default: %(default)r)"
    )
    parser.add_argument('--audio-suffix', default=audio_suffix, help='ending of a sound file (default: %(default)r)')
    media = parser.add_mutually_exclusive_group()
    media.add_argument('--no-check-media', action='store_true', help='do not look whether the media are there')
    media.add_argument('--allow-missing', action='store_true', help='leave out clips whose media are not there')
    return parser


def run_converter(
    parser: argparse.ArgumentParser, convert: Callable[[argparse.Namespace], None], argv: Sequence[str] | None
) -> int:
    """Runs a converter; what is wrong with the corpus ends in one line on stderr and exit status 1."""
    args = parser.parse_args(argv)
    try:
        convert(args)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    return 0


def write_folds(args: argparse.Namespace, folds: Folds, published: Mapping[str, tuple[int, ...]] | None = None) -> None:
    """Checks the clips of all folds and writes ``DIR/{fold}/{part}.csv``; prints what was written.

    Paths below ``DIR`` are written relative to it, others absolute, so that ``data_root=DIR`` reads both.

    Args:
        args: Options of :func:`converter_parser`.
        folds: Clips by fold and part.
        published: Sizes of each fold's parts in the published protocol, printed beside ours.

    Raises:
        FileNotFoundError: If media are missing, without ``--allow-missing``.
        ValueError: If a part is empty, a clip is in two parts of a fold, or a path has white space.
    """
    if not args.no_check_media:
        folds = _with_media(folds, args.allow_missing)
    out_dir = args.out_dir.resolve()
    texts: dict[Path, str] = {}
    for fold, parts in folds.items():
        _check_fold(fold, parts)
        for part, clips in parts.items():
            texts[out_dir / fold / f'{part}.csv'] = ''.join(list_line(clip, out_dir) for clip in clips)
    write_whole(texts)
    for fold, parts in folds.items():
        sizes = tuple(len(clips) for clips in parts.values())
        expected = (published or {}).get(fold)
        remark = ''
        if expected is not None:
            remark = ', as published' if sizes == expected else f', published: {"/".join(map(str, expected))}'
        print(f'{fold}: {"/".join(parts)} {"/".join(map(str, sizes))}{remark}')
    print(f'lists are in {args.out_dir}')


def cross_validation(clips: Iterable[tuple[int, Clip]], num_folds: int) -> dict[str, dict[str, list[Clip]]]:
    """Folds ``'fold1'`` on, from clips and the number (from 1) of the one fold that tests them; all others train."""
    folds: dict[str, dict[str, list[Clip]]] = {f'fold{k}': {'train': [], 'test': []} for k in range(1, num_folds + 1)}
    for tested_in, clip in clips:
        for k in range(1, num_folds + 1):
            folds[f'fold{k}']['test' if k == tested_in else 'train'].append(clip)
    return folds


def write_whole(texts: Mapping[Path, str]) -> None:
    """Writes files that are at every moment either whole or as they were: all beside their places first, then moved."""
    with contextlib.ExitStack() as stack:
        for path, text in texts.items():
            stack.enter_context(replaced_file(path)).write_text(text, encoding='utf-8')


def _with_media(folds: Folds, allow_missing: bool) -> Folds:
    paths = {path for parts in folds.values() for clips in parts.values() for clip in clips for path in _media(clip)}
    missing = {path for path in paths if not has_content(path)}
    if not missing:
        return folds
    listed = f'{len(missing)} of {len(paths)} media are missing or empty: {listing(missing)}'
    if not allow_missing:
        raise FileNotFoundError(
            f'{listed}; nothing was written. Prepare them, or leave their clips out with --allow-missing'
        )
    print(f'left out: {listed}')
    return {
        fold: {part: [clip for clip in clips if missing.isdisjoint(_media(clip))] for part, clips in parts.items()}
        for fold, parts in folds.items()
    }


def _media(clip: Clip) -> tuple[str, ...]:
    return (clip.video,) if clip.audio is None else (clip.video, clip.audio)


def has_content(path: str) -> bool:
    """Whether there is a file that is not empty, or a folder with something in it."""
    media = Path(path)
    if media.is_dir():
        with os.scandir(media) as entries:
            return any(True for _ in entries)
    return media.is_file() and media.stat().st_size > 0


def _check_fold(fold: str, parts: Mapping[str, Sequence[Clip]]) -> None:
    seen: dict[tuple[str, str | None], str] = {}
    for part, clips in parts.items():
        if not clips:
            raise ValueError(f'{fold}/{part} would be empty; is DATA_ROOT the whole corpus? Nothing was written')
        for clip in clips:
            media = (clip.video, clip.audio)
            if media in seen:
                raise ValueError(f'{fold}: {clip.video} is in {seen[media]} and again in {part}; nothing was written')
            seen[media] = part


def list_line(clip: Clip, out_dir: Path) -> str:
    """The line of a clip in a list of ``out_dir``: paths below that folder are relative to it, others absolute.

    Raises:
        ValueError: If a path has white space.
    """
    if any(path.split() != [path] for path in _media(clip)):
        raise ValueError(
            f'{clip.video!r}: lists separate columns by white space, so paths must have none; '
            'link the corpus to a path without spaces. Nothing was written'
        )

    def shown(path: str | None) -> str:
        if path is None:
            return OWN_SOUND_TRACK
        prefix = f'{out_dir}{os.sep}'
        return path.removeprefix(prefix)

    labels = (f'{label:.10g}' if isinstance(label, float) else str(label) for label in clip.labels)
    return ' '.join([shown(clip.video), shown(clip.audio), *labels]) + '\n'


def listing(names: Iterable[str]) -> str:
    """The first few of many names, for messages."""
    ordered = sorted(names)
    return ', '.join(ordered[:_SHOWN]) + (f' and {len(ordered) - _SHOWN} more' if len(ordered) > _SHOWN else '')

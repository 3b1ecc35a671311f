"""List of VoxCeleb2 dev for pre-training.

python tools/dataset_converters/voxceleb2.py /corpora/VoxCeleb2 --out-dir data/voxceleb2

Reads ``dev/mp4/id*/VIDEO/*.mp4``, which have no sound, and ``dev/aac/id*/VIDEO/*.m4a`` as distributed (or wav files
that ``extract_audio.py`` made of these, which are quicker to read: ``--audio-dir dev/wav --audio-suffix .wav``), and
writes ``DIR/fold1/train.csv``. One recording is looked at after the other: a million clips take little memory.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import command

import argparse
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hicmae_mm.datasets.conversion import (
    OWN_SOUND_TRACK,
    Clip,
    MediaLayout,
    converter_parser,
    has_content,
    list_line,
    listing,
    run_converter,
    stand_in_of,
)
from hicmae_mm.datasets.corpora.protocols import PROTOCOLS
from hicmae_mm.datasets.readers.folders import is_leftover
from hicmae_mm.datasets.stand_ins import describe_stand_in
from hicmae_mm.datasets.text_files import read_text
from hicmae_mm.utils.files import replaced_file

(PUBLISHED,) = PROTOCOLS['VoxCeleb2'].sizes['fold1']  # without broken clips
_LARGEST_STAND_IN = 2**12  # bytes; Git LFS pointers have 130
CLIP = re.compile(r'id\d{5}/[\w-]{11}/\d{5}')


@dataclass
class Tally:
    """Counts what became of the clips.

    Attributes:
        listed: Clips in the list.
        excluded: Clips that were to be left out.
        missing: Clips without pictures or sound.
        examples: The first few of these.
        stand_in: Kind of the first file that has no media.
    """

    listed: int = 0
    excluded: int = 0
    missing: int = 0
    examples: list[str] = field(default_factory=list)
    stand_in: str | None = None

    def miss(self, name: str, paths: Sequence[str]) -> None:
        """Counts a clip without pictures or sound, which would lie in some paths."""
        self.missing += 1
        if self.stand_in is None:
            self.stand_in = next((f'{path} is {what}' for path in paths if (what := stand_in_of(path))), None)
        if len(self.examples) < 10:
            self.examples.append(name)


def read_excluded(path: Path) -> set[str]:
    """Clips ``id00012/21Uxsk56VDQ/00001`` that a text file names, in whatever else its lines say.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it names none.
    """
    if not path.is_file():
        raise FileNotFoundError(f'--exclude {path} does not exist')
    names = set(CLIP.findall(read_text(path)))
    if not names:
        raise ValueError(f'--exclude {path} names no clips, expected names such as id00012/21Uxsk56VDQ/00001')
    return names


def _folders(*parents: str) -> list[str]:
    """Returns the sorted names of all folders in some folders."""
    names: set[str] = set()
    for parent in parents:
        if os.path.isdir(parent):  # noqa: PTH112 (called for every recording)
            with os.scandir(parent) as entries:
                names.update(entry.name for entry in entries if entry.is_dir() and not is_leftover(entry.name))
    return sorted(names)


def _stems(folder: str, suffix: str, check: bool) -> dict[str, bool]:
    """Returns the names in a folder without suffix, and whether each is a file with content; if not checked, True."""
    if not os.path.isdir(folder):  # noqa: PTH112 (called for every recording)
        return {}
    with os.scandir(folder) as entries:
        return {
            entry.name.removesuffix(suffix): not check or _is_media(entry, suffix)
            for entry in entries
            if entry.name.endswith(suffix) and not is_leftover(entry.name)
        }


def _is_media(entry: os.DirEntry[str], suffix: str) -> bool:
    if not suffix:
        return has_content(entry.path)
    try:
        size = entry.stat().st_size
    except OSError:  # a link that leads nowhere
        return False
    return size > _LARGEST_STAND_IN or (size > 0 and describe_stand_in(entry.path) is None)


def find_clips(layout: MediaLayout, excluded: set[str], check: bool, tally: Tally) -> Iterator[Clip]:
    """Yields the clips in the order of their names.

    Args:
        layout: Places of the files.
        excluded: Clips to leave out.
        check: Whether to see that pictures and sound are there.
        tally: Counts.
    """
    videos = (str(layout.root / layout.video_dir), layout.video_suffix)
    sounds = (str(layout.root / layout.audio_dir), layout.audio_suffix)
    read = [place for place, is_read in ((videos, layout.reads_videos), (sounds, layout.reads_sounds)) if is_read]
    looked_at = read if check else read[:1]
    roots = [root for root, _ in looked_at]
    for speaker in _folders(*roots):
        for recording in _folders(*(f'{root}/{speaker}' for root in roots)):
            folder = f'{speaker}/{recording}'
            found = [_stems(f'{root}/{folder}', suffix, check) for root, suffix in looked_at]
            for stem in sorted(set().union(*found)):
                name = f'{folder}/{stem}'
                if name in excluded:
                    tally.excluded += 1
                elif all(stems.get(stem) for stems in found):
                    tally.listed += 1
                    # not layout.clip(): pathlib remembers every name
                    video = f'{videos[0]}/{name}{videos[1]}'
                    sound = None if layout.audio_dir == OWN_SOUND_TRACK else f'{sounds[0]}/{name}{sounds[1]}'
                    yield Clip(video, sound).with_streams(layout.streams)
                else:
                    tally.miss(f'{name}{looked_at[0][1]}', [f'{root}/{name}{suffix}' for root, suffix in looked_at])


def convert(args: argparse.Namespace) -> None:
    """Writes the list."""
    layout = MediaLayout.from_args(args)
    videos, sounds = layout.root / layout.video_dir, layout.root / layout.audio_dir
    if layout.reads_videos and not videos.is_dir():
        raise FileNotFoundError(f'{videos} does not exist; --video-dir names the folder below DATA_ROOT')
    must_hear = not args.no_check_media or not layout.reads_videos
    if layout.reads_sounds and must_hear and not sounds.is_dir():
        raise FileNotFoundError(f'{sounds} does not exist; --audio-dir names the folder below DATA_ROOT')
    excluded = read_excluded(args.exclude) if args.exclude else set()
    out_dir, tally = args.out_dir.resolve(), Tally()
    with replaced_file(out_dir / 'fold1' / 'train.csv') as partial:
        with partial.open('w', encoding='utf-8') as file:
            clips = find_clips(layout, excluded, not args.no_check_media, tally)
            file.writelines(list_line(clip, out_dir) for clip in clips)
        missing = f'{tally.missing} clips have no pictures or no sound, or empty files: {listing(tally.examples)}'
        if tally.stand_in is not None:
            missing += f'; {tally.stand_in}'
        if tally.missing and not args.allow_missing:
            raise FileNotFoundError(
                f'{missing}; nothing was written. Prepare them, or leave these clips out with --allow-missing'
            )
        if not tally.listed:
            raise FileNotFoundError(
                f'{videos} has no clips id*/VIDEO/*{layout.video_suffix}; --video-suffix names the ending'
                if layout.reads_videos
                else f'{sounds} has no clips id*/VIDEO/*{layout.audio_suffix}; --audio-suffix names the ending'
            )
    if tally.missing:
        print(f'left out: {missing}')
    if args.exclude:
        print(f'left out: {tally.excluded} of the {len(excluded)} clips that {args.exclude} names')
    print(
        f'fold1: train {tally.listed}{", as published" if tally.listed == PUBLISHED else f", published: {PUBLISHED}"}'
    )
    print(f'the list is in {args.out_dir}')


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Converts; returns the exit status."""
    parser = converter_parser(
        'List of VoxCeleb2 dev for pre-training',
        video_dir='dev/mp4',
        audio_dir='dev/aac',
        video_suffix='.mp4',
        audio_suffix='.m4a',
        has_folds=False,
    )
    parser.add_argument(
        '--exclude',
        type=Path,
        metavar='FILE',
        help='a text file that names clips to leave out, such as a report of tools/misc/verify_dataset.py',
    )
    return run_converter(parser, convert, argv)


if __name__ == '__main__':
    sys.exit(main())

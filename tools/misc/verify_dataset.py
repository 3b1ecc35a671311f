"""Checks every clip of a list before a training does: missing, broken, silent, short and mismatched ones.

    python tools/misc/verify_dataset.py data/mine/train.csv --data-root data/mine --out data/mine/train_clean.csv
    python tools/misc/verify_dataset.py data/dfew/fold1/train.csv --corpus dfew --against data/dfew/fold1/test.csv

It also says whether the pictures are those that published work on the corpus reads, and whether lists share speakers.

Exit code 0: every clip is fine; 1: some are not, or the list cannot be read. See docs/preparation.md.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from hicmae_mm.config.overrides import load_config
from hicmae_mm.datasets.corpora.protocols import PROTOCOLS
from hicmae_mm.datasets.corpora.speakers import SpeakerOverlap, compare_speakers
from hicmae_mm.datasets.preparation.columns import check_columns
from hicmae_mm.datasets.preparation.listed_clips import (
    STREAMS,
    ListedClip,
    clean_list,
    count_labels,
    list_clips,
    speakers_of,
    streams_of,
)
from hicmae_mm.datasets.preparation.pool import default_num_workers
from hicmae_mm.datasets.preparation.provenance import MeasuredClip, Provenance, corpus_named, corpus_of, trace
from hicmae_mm.datasets.preparation.report import print_failures, print_summary, show_progress
from hicmae_mm.datasets.preparation.verification import (
    CheckClip,
    ClipFindings,
    check_clips,
    summarize_findings,
)
from hicmae_mm.datasets.readers.video import BACKENDS
from hicmae_mm.registry import DATASETS
from hicmae_mm.utils.files import write_text


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Check every clip of a list.')
    parser.add_argument('ann_file', type=Path, help='list of clips: text, or JSON')
    parser.add_argument('--data-root', default='', help='folder that its paths start from')
    parser.add_argument('--video-prefix', default='', help='folder of the video column below --data-root')
    parser.add_argument('--audio-prefix', default='', help='folder of the audio column below --data-root')
    parser.add_argument('--out', type=Path, help='list to write, without the clips that have problems')
    parser.add_argument('--report', type=Path, help='JSON to write (default: beside --out, else beside the list)')
    parser.add_argument(
        '--streams', nargs='+', choices=STREAMS, help='streams to check (default: those that the list names)'
    )
    parser.add_argument('--full', action='store_true', help='decode every frame, not just the first, middle and last')
    split = parser.add_argument_group('corpus and split')
    split.add_argument(
        '--corpus',
        help="the list's corpus, such as cremad, or a config that reads it (default: as the list or its names tell)",
    )
    split.add_argument(
        '--against', type=Path, nargs='+', default=[], metavar='LIST', help='lists to compare speakers with'
    )
    split.add_argument(
        '--speaker-column', type=int, metavar='N', help='label column that names the speaker, from 0 (in all lists)'
    )
    number = dict(metavar='X', help='(default: %(default)s)')
    parser.add_argument('--min-frames', type=int, default=CheckClip.min_frames, **number)
    parser.add_argument('--min-seconds', type=float, default=CheckClip.min_seconds, **number)
    parser.add_argument('--silent-peak-db', type=float, default=CheckClip.silent_peak_db, **number)
    parser.add_argument('--silent-rms-db', type=float, default=CheckClip.silent_rms_db, **number)
    parser.add_argument('--max-mismatch-seconds', type=float, default=CheckClip.max_mismatch_seconds, **number)
    parser.add_argument(
        '--backend', choices=BACKENDS, help="decoder, as of the configs' OpenVideo (default: the installed one)"
    )
    parser.add_argument(
        '--frame-folder-fps', type=float, help='frame rate of folders of frames, whose length is unknown without it'
    )
    parser.add_argument(
        '--num-workers', type=int, default=default_num_workers(), help='processes (default: one per core); 0: this one'
    )
    return parser.parse_args(argv)


def verify(args: argparse.Namespace) -> bool:
    """Checks, writes report and clean list, prints a summary; returns whether every clip is fine.

    Raises:
        FileNotFoundError: If there is no such list.
        ValueError: If the list is malformed or has no clean clips, or options contradict each other.
    """
    console = Console()
    clips, metainfo = list_clips(args.ann_file, args.data_root, dict(video=args.video_prefix, audio=args.audio_prefix))
    corpus = choose_corpus(args.corpus, metainfo, clips)
    overlaps = compare_lists(args, clips, corpus)
    streams = tuple(args.streams or streams_of(clips))
    if args.streams is None and streams != STREAMS:
        console.print(f'only {streams[0]} is checked, the list names nothing else')
    check = CheckClip(
        streams=streams,
        is_full=args.full,
        min_frames=args.min_frames,
        min_seconds=args.min_seconds,
        silent_peak_db=args.silent_peak_db,
        silent_rms_db=args.silent_rms_db,
        max_mismatch_seconds=args.max_mismatch_seconds,
        backend=args.backend,
        frame_folder_fps=args.frame_folder_fps,
    )
    checked = show_progress(check_clips(check, clips, args.num_workers), len(clips), 'clips', console)
    findings = [found for _, found in sorted(checked, key=lambda pair: pair[0].index)]
    in_columns = check_columns([clip.others for clip in clips], args.data_root)
    for found, problems in zip(findings, in_columns, strict=True):
        found.problems += problems
    provenance = None if corpus is None else trace(corpus, [measured(found) for found in findings], len(clips))
    summary = summarize_findings(findings)
    write_report(args, asdict(check), clips, findings, summary, provenance, overlaps, console)
    for text in describe(provenance, overlaps):
        console.print(text, highlight=False, soft_wrap=True, markup=False)
    if args.out is not None:
        write_text(args.out, clean_list(args.ann_file, clips, [not found.problems for found in findings]))
        console.print(f'{summary["clean"]} clean clips: {args.out}', highlight=False, soft_wrap=True)
    return summary['clean'] == summary['clips']


def choose_corpus(wanted: str | None, metainfo: dict[str, Any], clips: Sequence[ListedClip]) -> str | None:
    """Finds the data set class of the corpus of a list; None if nothing tells it.

    Raises:
        ValueError: If the command line names an unknown one.
    """
    if wanted is None:
        return corpus_of(metainfo, [clip.name for clip in clips])
    corpus = corpus_named(load_config(wanted).train_dataloader.dataset.type if wanted.endswith('.py') else wanted)
    if corpus is None:
        raise ValueError(f'--corpus {wanted!r} is not known, expected one of {", ".join(map(str.lower, PROTOCOLS))}')
    return corpus


def compare_lists(
    args: argparse.Namespace, clips: Sequence[ListedClip], corpus: str | None
) -> dict[str, SpeakerOverlap]:
    """Speakers of the list against those of each other list, by the other list's name."""
    own = speakers_of(clips, corpus, args.speaker_column)
    overlaps = {}
    for path in args.against:
        others, metainfo = list_clips(path, '', {})
        other_corpus = corpus or choose_corpus(None, metainfo, others)
        overlaps[str(path)] = compare_speakers(own, speakers_of(others, other_corpus, args.speaker_column))
    return overlaps


def measured(found: ClipFindings) -> MeasuredClip:
    """Describes the pictures of a clip."""
    return MeasuredClip(found.frames, found.size, found.audio_seconds)


def describe(provenance: Provenance | None, overlaps: Mapping[str, SpeakerOverlap]) -> list[str]:
    """Returns lines about pictures and speakers."""
    lines = [f'speakers against {name}: {overlap.describe()}' for name, overlap in overlaps.items()]
    if provenance is None:
        return [*lines, 'corpus: not known, so its pictures cannot be compared with published ones; --corpus names it']
    independent = DATASETS.get(provenance.corpus).METAINFO['speaker_independent']
    said = {
        True: 'speaker-independent',
        False: 'not speaker-independent',
        None: 'speaker-independent or not: not known',
    }
    lines.append(f'corpus {provenance.corpus}, published split: {said[independent]}')
    for mark, texts in (
        ('agrees', provenance.agrees),
        ('DIFFERS', provenance.differs),
        ('unknown', provenance.unknown),
    ):
        lines += [f'  {mark}: {text}' for text in texts]
    return lines


def write_report(
    args: argparse.Namespace,
    settings: dict[str, Any],
    clips: Sequence[ListedClip],
    findings: Sequence[ClipFindings],
    summary: dict[str, Any],
    provenance: Provenance | None,
    overlaps: Mapping[str, SpeakerOverlap],
    console: Console,
) -> None:
    """Writes the report, and prints failures and totals."""
    defects = [
        dict(position=clip.position, paths={key: str(path or '') for key, path in clip.paths.items()}, **asdict(found))
        for clip, found in zip(clips, findings, strict=True)
        if found.problems
    ]
    report = dict(
        ann_file=str(args.ann_file),
        settings=settings,
        summary=summary,
        labels=count_labels(clips),
        provenance=None if provenance is None else asdict(provenance),
        speakers={name: dict(shared=found.shared, said=found.describe()) for name, found in overlaps.items()},
        defects=defects,
    )
    report_file = args.report or (args.out or args.ann_file).with_suffix('.report.json')
    write_text(report_file, json.dumps(report, indent=1) + '\n')
    print_failures([(d['position'], f'{kind}: {text}') for d in defects for kind, _, text in d['problems']], console)
    print_summary(summary, console)
    console.print(f'report: {report_file}', highlight=False, soft_wrap=True)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Checks, and returns 1 unless every clip is fine."""
    args = parse_args(argv)
    return 0 if verify(args) else 1


if __name__ == '__main__':
    sys.exit(main())

"""Writing the lists of all folds, checked, and whole or not at all."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from hicmae_mm.datasets.annotations import OWN_SOUND_TRACK
from hicmae_mm.datasets.conversion.media import Clip, chosen_streams, has_content, stand_in_of
from hicmae_mm.datasets.corpora.protocols import Protocol
from hicmae_mm.datasets.corpora.speakers import compare_speakers
from hicmae_mm.datasets.tables import is_table, read_table
from hicmae_mm.datasets.text_files import read_rows, shown
from hicmae_mm.utils.files import csv_text, replaced_file

Folds = Mapping[str, Mapping[str, Sequence[Clip]]]  # 'fold1' -> 'train' or 'test' -> clips
_SHOWN = 10  # names in a message


def write_folds(args: argparse.Namespace, folds: Folds, protocol: Protocol | None = None) -> None:
    """Checks the clips of all folds and writes ``DIR/{fold}/{part}.csv``; prints what was written.

    Paths below ``DIR`` are written relative to it, others absolute, so that ``data_root=DIR`` reads both.

    Args:
        args: Options of :func:`converter_parser`.
        folds: Clips by fold and part.
        protocol: The published protocol. Its sizes are printed beside ours, and whether train and test share speakers.

    Raises:
        FileNotFoundError: If media are missing, without ``--allow-missing``.
        ValueError: If a part is empty, a clip is in two parts of a fold, or a path has white space.
    """
    if args.only:
        folds = _only(folds, args.only)
    streams = chosen_streams(args)
    folds = {
        fold: {part: [clip.with_streams(streams) for clip in clips] for part, clips in parts.items()}
        for fold, parts in folds.items()
    }
    if not args.no_check_media:
        folds = _with_media(folds, args.allow_missing)
    out_dir = args.out_dir.resolve()
    texts: dict[Path, str] = {}
    for fold, parts in folds.items():
        _check_fold(fold, parts)
        for part, clips in parts.items():
            if args.table:
                texts[out_dir / fold / f'{part}.csv'] = table(clips, out_dir, protocol)
            else:
                texts[out_dir / fold / f'{part}.csv'] = ''.join(list_line(clip, out_dir) for clip in clips)
    write_whole(texts)
    for fold, parts in folds.items():
        sizes = tuple(len(clips) for clips in parts.values())
        expected = None if protocol is None else protocol.sizes.get(fold)
        remark = ''
        if expected is not None:
            remark = ', as published' if sizes == expected else f', published: {"/".join(map(str, expected))}'
        overlap = _speakers(parts, protocol)
        print(f'{fold}: {"/".join(parts)} {"/".join(map(str, sizes))}{remark}{overlap}')
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


def _only(folds: Folds, lists: Sequence[Path]) -> Folds:
    """Keeps the clips that some lists name; says how many they are, and how many of the named ones are not there.

    Raises:
        FileNotFoundError: If there is no such list.
        ValueError: If a line of it is no clip.
    """
    named = set()
    for path in lists:
        if not path.is_file():
            raise FileNotFoundError(f'--only {path} does not exist')
        if is_table(path):
            rows = (row for _, row in read_table(path))
            named |= {_name(row.get('video') or OWN_SOUND_TRACK, row.get('audio') or OWN_SOUND_TRACK) for row in rows}
            continue
        for number, fields in read_rows(path):
            if len(fields) == 1:
                raise ValueError(f"{path}, line {number}: expected 'video audio label', got {shown(fields[0])}")
            named.add(_name(*fields[:2]))
    found = {_name(*clip.media): clip for parts in folds.values() for clips in parts.values() for clip in clips}
    print(
        f'kept to {len(named & found.keys())} of {len(found)} clips by --only, '
        f'which names {len(named - found.keys())} others'
    )
    return {
        fold: {part: [clip for clip in clips if _name(*clip.media) in named] for part, clips in parts.items()}
        for fold, parts in folds.items()
    }


def _name(video: str, audio: str = OWN_SOUND_TRACK) -> str:
    """Returns the name of a clip without folders and suffix: from its sound, or from a video with sound."""
    return Path(video if audio == OWN_SOUND_TRACK else audio).stem


def _with_media(folds: Folds, allow_missing: bool) -> Folds:
    named = {path for parts in folds.values() for clips in parts.values() for clip in clips for path in clip.media}
    absent = {path for path in named if not has_content(path)}
    replaced = {path: what for path in named - absent if (what := stand_in_of(path)) is not None}
    missing = absent | replaced.keys()
    if not missing:
        return folds
    listed = f'{len(absent)} of {len(named)} media are missing or empty: {listing(absent)}'
    if replaced:
        example = min(replaced)
        listed = f'{len(replaced)} of {len(named)} media are stand-ins, such as {example}: {replaced[example]}'
        listed += f'; and {len(absent)} are missing or empty: {listing(absent)}' if absent else ''
    if missing == named:
        listed += '. All are missing: --streams says which are needed, --video-dir and --audio-dir where they are; '
        listed += '--no-check-media lists them for a model of features, which opens no media'
    if not allow_missing:
        raise FileNotFoundError(
            f'{listed}; nothing was written. Prepare them, or leave their clips out with --allow-missing'
        )
    print(f'left out: {listed}')
    return {
        fold: {part: [clip for clip in clips if missing.isdisjoint(clip.media)] for part, clips in parts.items()}
        for fold, parts in folds.items()
    }


def _speakers(parts: Mapping[str, Sequence[Clip]], protocol: Protocol | None) -> str:
    """Tells at the end of a line whether the first two parts of a fold share speakers; empty if that is unknown."""
    if protocol is None or len(parts) < 2:
        return ''
    first, second, *_ = ([protocol.speaker_of(clip.media[0]) for clip in clips] for clips in parts.values())
    return f'; {compare_speakers(first, second).describe()}'


def _check_fold(fold: str, parts: Mapping[str, Sequence[Clip]]) -> None:
    seen: dict[tuple[str, ...], str] = {}
    for part, clips in parts.items():
        if not clips:
            raise ValueError(f'{fold}/{part} would be empty; is DATA_ROOT the whole corpus? Nothing was written')
        for clip in clips:
            if clip.media in seen:
                first = seen[clip.media]
                raise ValueError(f'{fold}: {clip.media[0]} is in {first} and again in {part}; nothing was written')
            seen[clip.media] = part


def list_line(clip: Clip, out_dir: Path) -> str:
    """Returns the line of a clip in a list of ``out_dir``. Paths below that folder are relative to it.

    Raises:
        ValueError: If a path has white space.
    """
    if any(path.split() != [path] for path in clip.media):
        raise ValueError(
            f'{clip.media[0]!r}: lists separate columns by white space, so paths must have none; '
            'link the corpus to a path without spaces. Nothing was written'
        )

    return ' '.join([*_paths(clip, out_dir), *map(_label, clip.labels)]) + '\n'


def table(clips: Sequence[Clip], out_dir: Path, protocol: Protocol | None = None) -> str:
    """Returns a table of clips in CSV: paths, label, values, speaker, and all facts that the corpus tells.

    Paths are written as by :func:`list_line`, and may have white space. ``values`` has all label columns but a class in
    the first one.
    """
    rows = []
    for clip in clips:
        has_class = bool(clip.labels) and isinstance(clip.labels[0], int)
        row: dict[str, str] = dict(zip(('video', 'audio'), _paths(clip, out_dir)))
        row |= dict(label=_label(clip.labels[0])) if has_class else {}
        row |= dict(values=' '.join(map(_label, clip.labels[has_class:]))) if clip.labels[has_class:] else {}
        speaker = None if protocol is None else protocol.speaker_of(clip.media[0])
        row |= dict(speaker=speaker) if speaker else {}
        rows.append(row | {name: _label(fact) for name, fact in clip.facts.items()})
    return csv_text(rows)


def _paths(clip: Clip, out_dir: Path) -> list[str]:
    prefix = f'{out_dir}{os.sep}'
    return [OWN_SOUND_TRACK if path is None else path.removeprefix(prefix) for path in (clip.video, clip.audio)]


def _label(label: str | float) -> str:
    return f'{label:.10g}' if isinstance(label, float) else str(label)


def listing(names: Iterable[str]) -> str:
    """Returns the first few of many names, for messages."""
    ordered = sorted(names)
    return ', '.join(ordered[:_SHOWN]) + (f' and {len(ordered) - _SHOWN} more' if len(ordered) > _SHOWN else '')

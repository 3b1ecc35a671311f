"""Clips of compound emotions: an actor shows one basic emotion, and then another."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hicmae_mm.datasets.preparation.pool import Failure, run_parallel
from hicmae_mm.datasets.synthetic.corpus import EMOTIONS, Clip, CorpusConfig, plan_clips, read_settings
from hicmae_mm.datasets.synthetic.recordings import ACTION_UNITS, RecordingConfig, write_joined_clips
from hicmae_mm.utils.files import csv_text, write_text

FOLDER = 'compounds'
COMPOUNDS = (('ANG', 'FEA'), ('DIS', 'SAD'), ('FEA', 'NEU'), ('SAD', 'HAP'), ('NEU', 'ANG'), ('HAP', 'DIS'))
"""The emotions of each class.

They are neighbours but one on the ring of looks and voices. So the two looks of a clip leave two classes, its two
voices two others, and its two topics two others again: any two of picture, sound and words determine the class.
"""

_ORDER_SEED = 3


def write_compounds(corpus_dir: str | Path, num_workers: int = 0) -> Iterator[int]:
    """Joins clips of the same actor to clips of compound emotions.

    Writes ``compounds/SPLIT_ACTOR_TAKE_FIRST_SECOND.mp4`` with sound, and the tables ``train.csv`` and ``test.csv`` of
    the same folder: ``sample_id``, ``video``, ``audio`` (empty: it is in the video), ``text`` (the words of both
    parts), ``label`` (an index of :data:`COMPOUNDS`), and a column for each action unit, the greater share of the two
    parts. An entry of the ABAW7 challenge takes the greatest score of windows in the same way. Chance decides which
    emotion comes first.

    Args:
        corpus_dir: Folder of a corpus that is complete and has descriptions.
        num_workers: Processes that work side by side; 0 works in this one.

    Yields:
        The number of clips that are written, at last all.

    Raises:
        FileNotFoundError: If there is no corpus, a clip of it is missing, or it has no descriptions.
    """
    root = Path(corpus_dir)
    corpus = read_settings(root)
    described = _read_descriptions(root)
    joined = _plan(corpus)
    done = 0
    for name, result in run_parallel(partial(_write, root, corpus, joined), list(joined), num_workers):
        if isinstance(result, Failure):
            raise FileNotFoundError(f'{name}: {result.reason}')
        done += 1
        if done < len(joined):
            yield done
    for split in ('train', 'test'):
        rows = [_row(name, parts, described) for name, parts in joined.items() if parts[0].split == split]
        write_text(root / FOLDER / f'{split}.csv', csv_text(rows))
    yield done


def _plan(corpus: CorpusConfig) -> dict[str, tuple[Clip, Clip]]:
    """Returns the two parts of every clip by its name, in order of time."""
    clips = {(clip.actor, clip.take, EMOTIONS[clip.label]): clip for clip in plan_clips(corpus)}
    joined = {}
    for actor, take in dict.fromkeys((clip.actor, clip.take) for clip in clips.values() if clip.split != 'unlabelled'):
        rng = np.random.default_rng([corpus.seed, actor, take, _ORDER_SEED])
        for pair in COMPOUNDS:
            first, second = (clips[actor, take, emotion] for emotion in rng.permutation(pair))
            name = f'{first.split}_{actor:03d}_{take:02d}_{EMOTIONS[first.label]}_{EMOTIONS[second.label]}'
            joined[name] = first, second
    return joined


def _write(root: Path, corpus: CorpusConfig, joined: Mapping[str, tuple[Clip, Clip]], name: str) -> None:
    write_joined_clips(root / FOLDER / f'{name}.mp4', root, corpus, RecordingConfig(), joined[name])


def _read_descriptions(root: Path) -> dict[str, dict[str, str]]:
    rows = {}
    for path in (root / f'{split}_described.csv' for split in ('train', 'test')):
        if not path.is_file():
            raise FileNotFoundError(f'{path} does not exist; run make_synthetic.py --descriptions first')
        with path.open(encoding='utf-8', newline='') as file:
            rows.update({row['sample_id']: row for row in csv.DictReader(file)})
    return rows


def _row(name: str, parts: tuple[Clip, Clip], described: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    first, second = (described[part.name] for part in parts)
    shown = {EMOTIONS[part.label] for part in parts}
    row = dict(sample_id=name, video=f'{name}.mp4', audio='', text=f'{first["text"]} {second["text"]}')
    label = next(number for number, pair in enumerate(COMPOUNDS) if set(pair) == shown)
    return row | dict(label=label) | {unit: max(first[unit], second[unit], key=float) for unit in ACTION_UNITS}

"""Tables of a synthetic corpus with everything that the generator knows of a clip: words, values, and action units."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hicmae_mm.datasets.preparation.pool import Failure, run_parallel
from hicmae_mm.datasets.synthetic.corpus import (
    EMOTIONS,
    Clip,
    CorpusConfig,
    plan_clips,
    read_settings,
    record,
    words_of,
)
from hicmae_mm.datasets.synthetic.recordings import ACTION_UNITS, IGNORE, frame_labels
from hicmae_mm.datasets.synthetic.transcripts import VOCABULARY
from hicmae_mm.utils.files import csv_text, write_text

WORDS_FILE = 'described_words.txt'


def write_descriptions(corpus_dir: str | Path, num_workers: int = 0) -> None:
    """Writes ``train_described.csv``, ``test_described.csv`` and the vocabulary ``described_words.txt``.

    The tables list the labelled clips with the columns ``sample_id``, ``video``, ``audio``, ``text``, ``label``,
    ``valence`` and ``arousal`` (means over the clip, -1..1), and one column for each action unit with the share of the
    frames that show it (0..1). The vocabulary is for the texts that ``DescribeClip`` makes of these columns.

    Args:
        corpus_dir: Folder of a corpus that is complete.
        num_workers: Processes that work side by side; 0 works in this one.

    Raises:
        FileNotFoundError: If there is no corpus.
        RuntimeError: If a worker process was killed.
    """
    root = Path(corpus_dir)
    config = read_settings(root)
    clips = [clip for clip in plan_clips(config) if clip.split != 'unlabelled']
    found: dict[str, dict[str, Any]] = {}
    for clip, row in run_parallel(partial(_row, config), clips, num_workers):
        if isinstance(row, Failure):
            raise RuntimeError(f'{clip.name}: {row.reason}')
        found[clip.name] = row
    for split in ('train', 'test'):
        rows = [found[clip.name] for clip in clips if clip.split == split]
        write_text(root / f'{split}_described.csv', csv_text(rows))
    write_text(root / WORDS_FILE, '\n'.join(described_words()) + '\n')


def described_words() -> tuple[str, ...]:
    """Returns the vocabulary of descriptions. Words carry the marks that touch them, since blanks separate words."""
    sentence = ['The', 'person', 'says:', 'Active', 'action', 'units:', 'none.']
    quoted = [form for word in VOCABULARY[1:] for form in (word, f'"{word}', f'{word}"')]
    units = [form for name in ACTION_UNITS for form in (f'{name},', f'{name}.')]
    return (VOCABULARY[0], *sorted({*sentence, *quoted, *units}))


def _row(config: CorpusConfig, clip: Clip) -> dict[str, Any]:
    emotion = EMOTIONS[clip.label]
    expression, values, units = frame_labels(record(config, clip), emotion, config.fps)
    is_labelled = expression != IGNORE
    valence, arousal = values[is_labelled].mean(axis=0)
    row: dict[str, Any] = dict(sample_id=clip.name, video=clip.video_path, audio=clip.audio_path)
    row |= dict(text=words_of(config, clip), label=clip.label, valence=f'{valence:.3f}', arousal=f'{arousal:.3f}')
    shares = np.asarray(units[is_labelled].mean(axis=0))
    return row | {name: f'{share:.2f}' for name, share in zip(ACTION_UNITS, shares)}

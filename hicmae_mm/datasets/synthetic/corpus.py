"""Makes a whole corpus on disk: the plan of its clips, their files, and the annotation lists."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from hicmae_mm.datasets.preparation.pool import Failure, run_parallel
from hicmae_mm.datasets.synthetic.clips import EXPRESSION_AND_STYLE, RecordedClip, record_clip, sample_actor
from hicmae_mm.datasets.synthetic.conversations import plan_conversations
from hicmae_mm.datasets.synthetic.transcripts import VOCABULARY, make_transcript
from hicmae_mm.datasets.synthetic.voices import SAMPLE_RATE_HZ
from hicmae_mm.datasets.writers import write_video, write_wav
from hicmae_mm.utils.files import read_json_object, write_text

EMOTIONS = tuple(EXPRESSION_AND_STYLE)
SETTINGS_FILE, _DATASET = 'corpus.json', 'synthetic'
_TRANSCRIPT_SEED, _CONVERSATION_SEED = 1, 2
_GENERATOR_VERSION = 1  # raise it when the same settings no longer give the same media


@dataclass(frozen=True)
class CorpusConfig:
    """Holds everything that determines a corpus.

    Attributes:
        seed: The same seed gives the same media.
        num_train_actors: Actors of the training and pre-training lists.
        num_test_actors: Other actors, of the test list.
        num_train_takes: Labelled clips per training actor and emotion.
        num_test_takes: Labelled clips per test actor and emotion.
        num_unlabelled_takes: Further clips per training actor and emotion, whose label is not given.
        image_size: Height and width (pixels), even.
        fps: Frames per second.
    """

    seed: int = 0
    num_train_actors: int = 20
    num_test_actors: int = 6
    num_train_takes: int = 3
    num_test_takes: int = 3
    num_unlabelled_takes: int = 2
    image_size: int = 96
    fps: float = 25.0

    def __post_init__(self) -> None:
        for name in ('num_train_actors', 'num_test_actors', 'num_train_takes', 'num_test_takes'):
            if getattr(self, name) < 1:
                raise ValueError(f'{name} must be at least 1, got {getattr(self, name)}')
        if self.num_unlabelled_takes < 0:
            raise ValueError(f'num_unlabelled_takes must be at least 0, got {self.num_unlabelled_takes}')
        if self.image_size < 32 or self.image_size % 2:
            raise ValueError(f'image_size must be even and at least 32, got {self.image_size}')


@dataclass(frozen=True)
class Clip:
    """Plans one clip. ``split`` is 'train', 'test' or 'unlabelled'; ``label`` indexes :data:`EMOTIONS`."""

    name: str
    split: str
    actor: int
    label: int
    take: int

    @property
    def video_path(self) -> str:
        """Returns the picture's file (with its own sound track), relative to the corpus."""
        return f'video/{self.name}.mp4'

    @property
    def audio_path(self) -> str:
        """Returns the sound's file, relative to the corpus."""
        return f'audio/{self.name}.wav'


def plan_clips(config: CorpusConfig) -> list[Clip]:
    """Lists the clips: every actor acts every emotion equally often, and no actor is in both train and test."""
    clips = []
    for actor in range(config.num_train_actors + config.num_test_actors):
        if actor < config.num_train_actors:
            takes = ['train'] * config.num_train_takes + ['unlabelled'] * config.num_unlabelled_takes
        else:
            takes = ['test'] * config.num_test_takes
        for take, split in enumerate(takes):
            for label, emotion in enumerate(EMOTIONS):
                # an unlabelled clip's name does not give its emotion away
                suffix = f'{label:02d}' if split == 'unlabelled' else emotion
                clips.append(Clip(f'{split}_{actor:03d}_{take:02d}_{suffix}', split, actor, label, take))
    return clips


def write_corpus(
    out_dir: str | Path, config: CorpusConfig | None = None, num_workers: int = 1, force: bool = False
) -> Iterator[int]:
    """Writes the corpus's media and annotation lists; goes on where an interrupted run stopped.

    Writes ``video/*.mp4`` (H.264 with an AAC track), ``audio/*.wav`` (16 kHz), ``train.csv``, ``test.csv`` (lines
    ``video audio label``), ``pretrain.csv`` (``video audio``: the training actors' clips, labelled or not, without
    labels) and ``corpus.json`` (settings and ``metainfo``), all paths relative to ``out_dir``. ``train_words.csv`` and
    ``test_words.csv`` are tables of the same clips with what is said, and ``words.txt`` is its vocabulary.
    ``train_talks.csv`` and ``test_talks.csv`` are the same clips as conversations of two actors, with ``speaker``,
    ``dialogue`` and ``turn``.

    Args:
        out_dir: The corpus's folder.
        config: Options of the corpus; None takes the defaults.
        num_workers: Processes that work side by side.
        force: Make every file again.

    Yields:
        The number of clips that are there, first those found, at last all; the lists are written before the last.

    Raises:
        ValueError: If the folder has a corpus of other settings, and ``force`` is not set.
        RuntimeError: If a worker process was killed.
    """
    config = config or CorpusConfig()
    out_dir = Path(out_dir)
    _claim_folder(out_dir, config, force)
    clips = plan_clips(config)
    missing = [clip for clip in clips if force or not _is_written(out_dir, clip)]
    done = len(clips) - len(missing)
    yield done
    write = partial(_write_clip, str(out_dir), config)
    for clip, result in run_parallel(write, missing, num_workers if num_workers > 1 else 0):
        if isinstance(result, Failure):
            raise RuntimeError(f'{clip.name}: {result.reason}')
        done += 1
        if done < len(clips):
            yield done
    _write_lists(out_dir, clips)
    write_transcripts(out_dir, config, clips)
    yield len(clips)


def read_settings(corpus_dir: Path) -> CorpusConfig:
    """Reads the settings of a corpus on disk.

    Raises:
        FileNotFoundError: If there is no corpus.
    """
    path = corpus_dir / SETTINGS_FILE
    if not path.is_file():
        raise FileNotFoundError(f'{corpus_dir} has no {SETTINGS_FILE}; make the corpus first')
    settings = dict(json.loads(path.read_text())['settings'])
    settings.pop('generator_version')
    return CorpusConfig(**settings)


def is_synthetic_corpus(folder: Path) -> bool:
    """Tells whether a folder, or the one above it, has a corpus that :func:`write_corpus` made."""
    for path in (folder / SETTINGS_FILE, folder.parent / SETTINGS_FILE):
        with suppress(OSError, TypeError, ValueError):
            if dict(read_json_object(path).get('metainfo') or {}).get('dataset') == _DATASET:
                return True
    return False


def _claim_folder(out_dir: Path, config: CorpusConfig, force: bool) -> None:
    settings = {'generator_version': _GENERATOR_VERSION, **asdict(config)}
    path = out_dir / SETTINGS_FILE
    if path.exists() and not force:
        found = read_json_object(path, 'make the corpus again by --force').get('settings')
        if found != settings:
            raise ValueError(
                f'{out_dir} has a corpus of other settings ({found}), asked for {settings}: '
                'choose another folder, or force it to be made again'
            )
    metainfo = {'dataset': _DATASET, 'classes': list(EMOTIONS)}
    write_text(path, json.dumps({'settings': settings, 'metainfo': metainfo}, indent=2) + '\n')


def _is_written(out_dir: Path, clip: Clip) -> bool:
    return (out_dir / clip.video_path).exists() and (out_dir / clip.audio_path).exists()


def record(config: CorpusConfig, clip: Clip) -> RecordedClip:
    """Acts and records a clip of the plan; its frames are drawn when they are asked for."""
    actor = sample_actor(np.random.default_rng([config.seed, clip.actor]))
    rng = np.random.default_rng([config.seed, clip.actor, clip.take, clip.label])
    return record_clip(actor, EMOTIONS[clip.label], rng, config.image_size, config.fps)


def _write_clip(out_dir: str, config: CorpusConfig, clip: Clip) -> None:
    recorded = record(config, clip)
    video_path, audio_path = Path(out_dir, clip.video_path), Path(out_dir, clip.audio_path)
    # an interrupted run leaves no half file under the final name
    video_part, audio_part = video_path.with_suffix('.part'), audio_path.with_suffix('.part')
    write_video(video_part, recorded.frames, config.fps, recorded.waveform, SAMPLE_RATE_HZ, crf=23)
    write_wav(audio_part, recorded.waveform, SAMPLE_RATE_HZ)
    audio_part.replace(audio_path)
    video_part.replace(video_path)


def _write_lists(out_dir: Path, clips: list[Clip]) -> None:
    def line(clip: Clip) -> str:
        return f'{clip.video_path} {clip.audio_path}'

    for split in ('train', 'test'):
        lines = [f'{line(clip)} {clip.label}' for clip in clips if clip.split == split]
        write_text(out_dir / f'{split}.csv', '\n'.join(lines) + '\n')
    lines = [line(clip) for clip in clips if clip.split != 'test']
    write_text(out_dir / 'pretrain.csv', '\n'.join(lines) + '\n')


def write_transcripts(out_dir: Path, config: CorpusConfig, clips: list[Clip]) -> None:
    """Writes the tables with transcripts. Their random numbers are their own, so that the media stay what they are."""
    names = 'sample_id,video,audio,text,label'
    for number, split in enumerate(('train', 'test')):
        rows = {clip: _with_words(config, clip) for clip in clips if clip.split == split}
        write_text(out_dir / f'{split}_words.csv', '\n'.join([names, *rows.values()]) + '\n')
        rng = np.random.default_rng([config.seed, number, _CONVERSATION_SEED])
        talks = [
            f'{rows[clip]},actor{clip.actor:03d},{split}_{place.conversation:03d},{place.turn}'
            for clip, place in plan_conversations(list(rows), rng)
        ]
        write_text(out_dir / f'{split}_talks.csv', '\n'.join([f'{names},speaker,dialogue,turn', *talks]) + '\n')
    write_text(out_dir / 'words.txt', '\n'.join(VOCABULARY) + '\n')


def words_of(config: CorpusConfig, clip: Clip) -> str:
    """Returns what is said in a clip."""
    rng = np.random.default_rng([config.seed, clip.actor, clip.take, clip.label, _TRANSCRIPT_SEED])
    return make_transcript(EMOTIONS[clip.label], rng)


def _with_words(config: CorpusConfig, clip: Clip) -> str:
    return f'{clip.name},{clip.video_path},{clip.audio_path},{words_of(config, clip)},{clip.label}'

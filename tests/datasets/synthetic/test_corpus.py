from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from hicmae_mm.datasets.synthetic import EMOTIONS, CorpusConfig, plan_clips, write_corpus
from hicmae_mm.datasets.synthetic.clips import EXPRESSION_AND_STYLE, make_clip, sample_actor

SMALL = CorpusConfig(
    seed=3, num_train_actors=2, num_test_actors=1, num_train_takes=1, num_test_takes=1, num_unlabelled_takes=1,
    image_size=64,
)  # fmt: skip


@pytest.fixture(scope='module')
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out_dir = tmp_path_factory.mktemp('corpus')
    assert list(write_corpus(out_dir, SMALL)) == list(range(31))
    return out_dir


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob('*')) if path.is_file()}


def test_each_modality_merges_three_pairs_and_both_tell_all_six() -> None:
    looks, styles = zip(*EXPRESSION_AND_STYLE.values(), strict=True)
    assert sorted(looks.count(look) for look in set(looks)) == [2, 2, 2]
    assert sorted(styles.count(style) for style in set(styles)) == [2, 2, 2]
    assert len(set(EXPRESSION_AND_STYLE.values())) == 6


def test_plan_is_balanced_and_split_by_actor() -> None:
    clips = plan_clips(CorpusConfig())
    assert len(clips) == len({clip.name for clip in clips}) == 6 * (20 * 5 + 6 * 3)
    by_split = {split: [clip for clip in clips if clip.split == split] for split in ('train', 'unlabelled', 'test')}
    actors = {split: {clip.actor for clip in members} for split, members in by_split.items()}
    assert actors['train'] == actors['unlabelled']
    assert not actors['train'] & actors['test']
    for members in by_split.values():
        assert len(set(np.bincount([clip.label for clip in members]))) == 1
    assert not any(emotion in clip.name for clip in by_split['unlabelled'] for emotion in EMOTIONS)


def test_lists_name_real_streams_of_equal_length(corpus: Path) -> None:
    lines = (corpus / 'train.csv').read_text().splitlines()
    assert [int(line.split()[2]) for line in lines] == [0, 1, 2, 3, 4, 5] * 2
    video_path, audio_path, _ = lines[0].split()
    with av.open(str(corpus / video_path)) as container:
        assert container.streams.video[0].codec_context.name == 'h264'
        assert container.streams.audio[0].codec_context.name == 'aac'
        assert container.streams.video[0].average_rate == 25
        frames = [frame.to_ndarray(format='rgb24') for frame in container.decode(video=0)]
    with av.open(str(corpus / video_path)) as container:
        track = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    sound, rate = soundfile.read(corpus / audio_path)
    assert rate == 16000
    assert 65 <= len(frames) <= 75
    assert frames[0].shape == (64, 64, 3)
    assert len(sound) == round(len(frames) / 25 * 16000)
    assert abs(len(track) - len(sound)) <= 2048
    assert 0.01 < sound.std() < 0.5
    # the face moves, the mouth most of all
    movement = np.abs(np.diff(np.stack(frames).astype(float), axis=0)).mean(axis=(0, 3))
    assert movement[28:56, 20:44].mean() > 2 * movement[:10, :10].mean()


def test_pretraining_list_has_no_label_and_no_test_actor(corpus: Path) -> None:
    lines = [line.split() for line in (corpus / 'pretrain.csv').read_text().splitlines()]
    assert len(lines) == 24
    assert {len(line) for line in lines} == {2}
    assert not any('test_' in path for line in lines for path in line)
    assert len((corpus / 'test.csv').read_text().splitlines()) == 6
    metainfo = json.loads((corpus / 'corpus.json').read_text())['metainfo']
    assert metainfo['classes'] == ['ANG', 'DIS', 'FEA', 'HAP', 'NEU', 'SAD']


def test_interrupted_run_goes_on_and_gives_the_same_bytes(corpus: Path, tmp_path: Path) -> None:
    interrupted = write_corpus(tmp_path, SMALL)
    assert [next(interrupted) for _ in range(4)] == [0, 1, 2, 3]
    interrupted.close()
    assert next(iter(write_corpus(tmp_path, SMALL))) == 3
    assert list(write_corpus(tmp_path, SMALL, num_workers=2))[::27] == [3, 30]
    assert _contents(tmp_path) == _contents(corpus)
    assert list(write_corpus(tmp_path, SMALL)) == [30, 30]


def test_other_settings_do_not_mix_with_what_is_there(corpus: Path) -> None:
    with pytest.raises(ValueError, match='other settings'):
        list(write_corpus(corpus, replace(SMALL, seed=4)))


def test_seed_and_take_change_the_clip() -> None:
    def record(seed: int) -> tuple[np.ndarray, np.ndarray]:
        frames, sound = make_clip(sample_actor(np.random.default_rng(0)), 'HAP', np.random.default_rng(seed))
        return np.stack([next(frames) for _ in range(3)]), sound

    frames, sound = record(1)
    again, same_sound = record(1)
    np.testing.assert_array_equal(frames, again)
    np.testing.assert_array_equal(sound, same_sound)
    other, other_sound = record(2)
    assert np.abs(frames.astype(int) - other).mean() > 1
    assert not np.array_equal(sound[:40000], other_sound[:40000])


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(num_test_actors=0), 'num_test_actors must be at least 1, got 0'),
        (dict(num_unlabelled_takes=-1), 'num_unlabelled_takes'),
        (dict(image_size=65), 'image_size must be even'),
    ],
)
def test_bad_settings_are_named(change: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **change)


def test_unknown_emotion_is_named() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="'JOY'.*ANG"):
        make_clip(sample_actor(rng), 'JOY', rng)

"""Of two people the one whose mouth goes with the sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hicmae_mm.apis.faces import FaceFinder, build_face_options
from hicmae_mm.datasets.clips.inputs import as_clips
from hicmae_mm.datasets.clips.media import ArrayAudio, OpenClip
from hicmae_mm.datasets.faces import CropOptions, YuNet
from hicmae_mm.datasets.faces.boxes import Faces
from hicmae_mm.datasets.faces.speaker import loudness_of, mouths_of, speaker_weights
from hicmae_mm.datasets.faces.tracking import link_tracks
from hicmae_mm.datasets.readers.video import open_video, read_image
from hicmae_mm.datasets.synthetic.clips import make_clip, sample_actor
from hicmae_mm.datasets.writers import write_video

FPS, RATE_HZ = 25, 16000


def made_mouths(openings: list[np.ndarray], drift: int = 0) -> tuple[list[np.ndarray], list[Faces]]:
    """Frames of grey faces side by side, 80 pixels wide, whose black mouths are open so far (0..1), and their boxes."""
    frames, faces = [], []
    for t in range(len(openings[0])):
        frame = np.full((120, 120 * len(openings), 3), 40, np.uint8)
        boxes = []
        for number, opening in enumerate(openings):
            left, top = 20 + 120 * number + drift * (t % 5) * number, 20
            frame[top : top + 80, left : left + 80] = 180
            frame[top + 20 : top + 28, left + 15 : left + 65] = 90
            frame[top + 62 : top + 62 + round(4 + 10 * opening[t]), left + 25 : left + 55] = 10
            boxes.append([left, top, 80, 80])
        frames.append(frame)
        faces.append(Faces(np.array(boxes, dtype=float)))
    return frames, faces


def envelope(seed: int, count: int = 75) -> np.ndarray:
    """Syllables: 0..1, about four a second, at moments that differ from seed to seed."""
    rng = np.random.default_rng(seed)
    return np.interp(np.arange(count), np.arange(0, count + 4, 3), rng.random(count // 3 + 2))


def sound_of(openness: np.ndarray) -> ArrayAudio:
    loud = np.repeat(openness, RATE_HZ // FPS)
    tone = np.sin(2 * np.pi * 200 * np.arange(len(loud)) / RATE_HZ)
    return ArrayAudio((0.5 * loud * tone).astype(np.float32), RATE_HZ)


def weights_of(openings: list[np.ndarray], sound: ArrayAudio, drift: int = 0) -> list[float]:
    frames, faces = made_mouths(openings, drift)
    seconds = [t / FPS for t in range(len(frames))]
    tracks = link_tracks([frame.boxes for frame in faces], seconds)
    assert len(tracks) == len(openings)
    return speaker_weights(tracks, faces, frames, loudness_of(sound, seconds))


@pytest.mark.parametrize('seed', range(4))
def test_the_mouth_that_goes_with_the_sound(seed: int) -> None:
    people = [envelope(10 * seed), envelope(10 * seed + 1)]
    for number, openness in enumerate(people):
        weights = weights_of(people, sound_of(openness))
        assert weights[number] > 1.5 * weights[1 - number]


def test_a_head_that_moves_is_not_a_mouth_that_speaks() -> None:
    speaker = envelope(3)
    weights = weights_of([speaker, np.zeros(75)], sound_of(speaker), drift=3)
    assert weights[0] > 2 * weights[1]


def test_silence_says_nothing() -> None:
    people = [envelope(1), envelope(2)]
    weights = weights_of(people, ArrayAudio(np.zeros(3 * RATE_HZ, np.float32), RATE_HZ))
    assert weights == pytest.approx([1e-3, 1e-3])


def test_movement_is_known_where_a_face_is_seen_twice_in_a_row() -> None:
    frames, faces = made_mouths([envelope(1, 12)])
    faces[5] = Faces(np.zeros((0, 4)))
    tracks = link_tracks([frame.boxes for frame in faces], [t / FPS for t in range(12)])
    (mouth,) = mouths_of(tracks, faces, frames)
    assert mouth.frames.tolist() == [1, 2, 3, 4, 7, 8, 9, 10, 11]
    assert mouth.shapes.shape == (9, 96)


def test_loudness_lies_between_frames() -> None:
    samples = np.concatenate([np.zeros(160), np.ones(80), np.full(80, 0.5)]).astype(np.float32)
    loudness = loudness_of(ArrayAudio(samples, 1600), [0.0, 0.1, 0.15, 0.2, 0.3])
    np.testing.assert_allclose(loudness, [0, 0, 1, 0.5, 0])


@pytest.fixture(scope='module')
def two_actors(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Two drawn actors side by side who both talk, with the voice of the left or the right one."""
    rng = np.random.default_rng(5)
    made = [make_clip(sample_actor(rng), emotion, rng, image_size=96) for emotion in ('NEU', 'HAP')]
    pictures = [np.stack(list(frames)) for frames, _ in made]
    count = min(len(frames) for frames in pictures)
    both = np.concatenate([frames[:count] for frames in pictures], axis=2)  # (T, 96, 192, 3)
    folder = tmp_path_factory.mktemp('two')
    for number, (_, voice) in enumerate(made):
        write_video(folder / f'{number}.mp4', both, FPS, voice[: count * RATE_HZ // FPS], RATE_HZ)
    return {number: folder / f'{number}.mp4' for number in range(2)}


@pytest.mark.parametrize('speaker', [0, 1])
def test_the_speaker_of_a_video(two_actors: dict[int, Path], speaker: int, tmp_path: Path) -> None:
    (clip,) = as_clips(two_actors[speaker])
    with OpenClip(clip, ('video',)) as opened:
        finder = FaceFinder(opened, build_face_options('auto', CropOptions(several='speaker'), 0.0))
        reader = finder.search([0, 20, 40])
        finder.cut([0, 20, 40], reader.get([0, 20, 40]))
    middles = [box[0] + box[2] / 2 for box in finder.boxes.values() if box is not None]
    assert [middle > 96 for middle in middles] == [bool(speaker)] * 3


@pytest.mark.parametrize('speaker', [0, 1])
def test_the_speaker_in_the_preparation_of_a_corpus(two_actors: dict[int, Path], speaker: int, tmp_path: Path) -> None:
    frames = open_video(two_actors[speaker]).read(range(3))
    for side in (0, 1):  # only one of them there
        alone = frames.copy()
        alone[:, :, 96 * (1 - side) : 96 * (2 - side)] = 128
        write_video(tmp_path / f'{side}.mp4', alone, FPS)
    pictures = [first_face(tmp_path / f'{side}.mp4', 'track', tmp_path / str(side)) for side in (0, 1)]
    found = first_face(two_actors[speaker], 'speaker', tmp_path / 'found')
    difference = [np.abs(found - picture).mean() for picture in pictures]
    assert 2 * difference[speaker] < difference[1 - speaker]


def first_face(video: Path, several: str, folder: Path) -> np.ndarray:
    cropper = YuNet()
    cropper.extract(video, 'clip', cropper.resolve(CropOptions(size=48, several=several)), folder)
    return read_image(folder / '00001.jpg').astype(float)


def test_without_sound_it_is_the_person_seen_longest(two_actors: dict[int, Path], tmp_path: Path) -> None:
    frames = open_video(two_actors[0]).read(range(20))
    write_video(tmp_path / 'silent.mp4', frames, FPS)
    cropper = YuNet()
    for name in ('speaker', 'track'):
        options = cropper.resolve(CropOptions(size=48, several=name))
        cropper.extract(tmp_path / 'silent.mp4', 'clip', options, tmp_path / name)
    pictures = [[path.read_bytes() for path in sorted((tmp_path / name).iterdir())] for name in ('speaker', 'track')]
    assert pictures[0] == pictures[1]

"""A click that belongs to a frame: every way from a file to a model, or to another file, keeps the two together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from hicmae_mm.apis.clip import Settings, WindowedClip
from hicmae_mm.apis.faces import build_face_options
from hicmae_mm.datasets.clips.inputs import as_clips
from hicmae_mm.datasets.clips.media import OpenClip
from hicmae_mm.datasets.preparation.audio import ExtractAudio
from hicmae_mm.datasets.preparation.jobs import Job
from hicmae_mm.datasets.readers.audio import AlignedAudio, open_audio
from hicmae_mm.datasets.readers.video import open_video
from hicmae_mm.datasets.shards.clip import PackedClip
from hicmae_mm.datasets.shards.packing import ClipPacker, ListedClip
from hicmae_mm.datasets.shards.storage import MemoryBytes
from hicmae_mm.datasets.shards.writing import ShardFile
from hicmae_mm.datasets.transforms import DecodeFrames, LoadAudio, OpenVideo, SampleClips
from hicmae_mm.visualization.overlay import write_overlay
from tests.datasets import marked
from tests.visualization.results import RESULT

# the heap first, so that encoders of the module's own files are freed, too
pytestmark = pytest.mark.usefixtures('frozen_heap', 'frees_encoders')

FRAME_SECONDS = 1 / marked.FPS
RATE_HZ = 16000
APART = {'together': (0.0, 0.0), 'sound_late': (0.2, 0.0), 'pictures_late': (0.0, 0.2)}


@pytest.fixture(scope='module', params=APART)
def clip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """A file, and how much later than frame 25 its click is heard."""
    folder = tmp_path_factory.mktemp(request.param)
    audio_seconds, video_seconds = APART[request.param]
    plain = marked.write(folder / 'plain.mp4')
    path = marked.shifted(plain, folder / 'clip.mp4', audio_seconds, video_seconds)
    return path, audio_seconds - video_seconds


def delay(results: dict[str, Any]) -> float:
    """How much later the click is heard than frame 25 is shown, of what a pipeline made."""
    numbers = [marked.number(picture) for picture in results['imgs'][: results['clip_len']]]
    begin = results['audio_seconds'][0][0]
    shown = (numbers.index(25) - numbers[0]) * FRAME_SECONDS
    heard = marked.click_seconds(results['waveforms'][0], RATE_HZ)
    return heard + begin - results['picture_begin'] - shown


def steps(mode: str, alignment: str, **options: Any) -> list[Any]:
    sampling = SampleClips(mode, clip_len=marked.NUM_FRAMES, frame_interval=1, audio_alignment=alignment)
    return [OpenVideo(**options), sampling, DecodeFrames(), LoadAudio(RATE_HZ)]


def run(pipeline: Sequence[Any], **sample: Any) -> dict[str, Any]:
    results: dict[str, Any] = dict(streams=('video', 'audio'), video_path=None, audio_path=None) | sample
    for step in pipeline:
        if isinstance(step, DecodeFrames):
            results['picture_begin'] = results['video_reader'].frame_seconds(int(results['frame_inds'][0]))[0]
        results = step(results)
    return results


@pytest.mark.parametrize('mode', ['pretrain', 'train', 'test'])
@pytest.mark.parametrize('alignment', ['timestamps', 'fraction'])
def test_training_and_testing(clip: tuple[Path, float], mode: str, alignment: str) -> None:
    path, expected = clip
    assert delay(run(steps(mode, alignment), video_path=str(path))) == pytest.approx(expected, abs=FRAME_SECONDS)
    named_twice = run(steps(mode, alignment), video_path=str(path), audio_path=str(path))
    assert delay(named_twice) == pytest.approx(expected, abs=FRAME_SECONDS)
    cached = steps(mode, alignment, cache_gigabytes=0.01)
    for _ in range(2):
        assert delay(run(cached, video_path=str(path))) == pytest.approx(expected, abs=FRAME_SECONDS)


@pytest.mark.parametrize('alignment', ['timestamps', 'fraction'])
@pytest.mark.parametrize('options', [{}, dict(audio_format='pcm', sample_rate_hz=8000), dict(fps=25)])
def test_shards(clip: tuple[Path, float], tmp_path: Path, alignment: str, options: dict[str, Any]) -> None:
    path, expected = clip
    listed = ListedClip('clip', 'line 1', ('0',), ('video', 'audio'), str(path), None)
    with (tmp_path / 'packed.tar').open('wb') as file:
        shard = ShardFile(file, 0)
        shard.add(ClipPacker(**options)(listed))
        shard.close()
    packed = PackedClip(MemoryBytes((tmp_path / 'packed.tar').read_bytes()))
    results = run(steps('test', alignment), packed_clip=packed)
    assert delay(results) == pytest.approx(expected, abs=FRAME_SECONDS)


def test_extracted_sound_with_time_stamps(clip: tuple[Path, float], tmp_path: Path) -> None:
    path, expected = clip
    details = ExtractAudio()(Job('clip', path, tmp_path / 'clip.wav'), tmp_path / 'clip.wav')
    assert details['offset_seconds'] == pytest.approx(expected, abs=FRAME_SECONDS)
    results = run(steps('test', 'timestamps'), video_path=str(path), audio_path=str(tmp_path / 'clip.wav'))
    assert delay(results) == pytest.approx(expected, abs=FRAME_SECONDS)
    assert np.abs(soundfile.read(tmp_path / 'clip.wav')[0]).max() > 0.3


@pytest.mark.parametrize('window_seconds', [0.5, float('inf')])
def test_inference(clip: tuple[Path, float], window_seconds: float) -> None:
    path, expected = clip
    frames = marked.NUM_FRAMES if window_seconds > 1 else 12
    sampling = SampleClips('test', clip_len=frames, frame_interval=1)
    settings = Settings(
        pipeline=[OpenVideo(), sampling, DecodeFrames(), LoadAudio(RATE_HZ)],
        model_streams=('video', 'audio'),
        streams=('video', 'audio'),
        may_lack_streams=False,
        window_seconds=window_seconds,
        stride_seconds=0.1,
        window_frames=frames,
        nominal_fps=25.0,
        frame_rate_hz=None,
        faces=build_face_options(None, None, 0.25),
    )
    with OpenClip(as_clips(path)[0], ('video', 'audio')) as opened:
        shown, heard = set[float](), set[float]()
        for prepared in WindowedClip(opened, settings):
            assert prepared.packed is not None
            start, results = prepared.window.start_seconds, prepared.packed
            numbers = [marked.number(picture) for picture in results['imgs']]
            wave = results['waveforms'][0]
            if 25 in numbers and numbers.index(25) > 0:
                begin = results['audio_seconds'][0][0]
                shown.add(start + begin + numbers.index(25) * FRAME_SECONDS)
            if np.abs(wave[: RATE_HZ // 50]).max(initial=0) < 0.3 < np.abs(wave).max(initial=0):
                heard.add(start + results['audio_seconds'][0][0] + marked.click_seconds(wave, RATE_HZ))
    assert shown
    assert heard
    for first in shown:
        for second in heard:
            assert second - first == pytest.approx(expected, abs=FRAME_SECONDS)


def test_overlay(clip: tuple[Path, float], tmp_path: Path) -> None:
    path, expected = clip
    overlay = write_overlay(RESULT, as_clips(path)[0], tmp_path / 'overlay.mp4')
    video, audio = open_video(overlay), AlignedAudio(open_audio(overlay))
    centres = [frame[180 - 15 : 180 + 15, 240 - 15 : 240 + 15].mean() for frame in video.read(range(video.num_frames))]
    assert len(centres) == marked.NUM_FRAMES
    numbers = [round((centre - 19) / 4) for centre in centres]
    heard = marked.click_seconds(audio.read(0, audio.num_samples), audio.sample_rate_hz)
    assert heard - video.frame_seconds(numbers.index(25))[0] == pytest.approx(expected, abs=FRAME_SECONDS)

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hicmae_mm.datasets.transforms import (
    CompressFrames,
    CompressSound,
    DelaySound,
    GaussianBlur,
    LowerFrameRate,
    OccludeFrames,
    OverdriveSound,
    Reverberate,
)
from hicmae_mm.registry import TRANSFORMS

RATE_HZ = 16000


def sound(transform: Any, name: str = 'a', num_samples: int = 8000) -> tuple[np.ndarray, np.ndarray]:
    """A waveform before and after a transform."""
    times = np.arange(num_samples) / RATE_HZ
    waveform = (0.4 * np.sin(2 * np.pi * 300 * times**1.5) * np.exp(-times)).astype(np.float32)
    results = transform(dict(waveforms=[waveform.copy()], sample_rate_hz=RATE_HZ, sample_id=name))
    return waveform, results['waveforms'][0]


@pytest.mark.parametrize(
    'transform',
    [
        Reverberate(0.5),
        OverdriveSound(0.3),
        CompressSound(16),
        CompressSound(12, 'opus'),
        CompressSound(16, 'aac'),
        DelaySound(0.1),
    ],
)
def test_sound_keeps_its_form_and_is_the_same_in_every_test(transform: Any) -> None:
    before, after = sound(transform)
    assert (after.shape, after.dtype) == (before.shape, np.float32)
    assert np.abs(after).max() <= 1
    assert not np.allclose(before, after, atol=0.01)
    assert np.array_equal(after, sound(transform)[1])
    assert transform(dict(streams=('video',))) == dict(streams=('video',))
    empty = transform(dict(waveforms=[np.zeros(0, np.float32)], sample_rate_hz=RATE_HZ))
    assert empty['waveforms'][0].shape == (0,)


def test_reverberation_decays_by_60_db() -> None:
    click = np.zeros(RATE_HZ, np.float32)
    click[0] = 0.5
    wet = Reverberate(0.4)(dict(waveforms=[click], sample_rate_hz=RATE_HZ))['waveforms'][0]
    levels = [20 * np.log10(np.std(wet[int(at * RATE_HZ) :][:800])) for at in (0.05, 0.15, 0.25)]
    assert np.diff(levels) == pytest.approx([-15, -15], abs=2)
    assert np.abs(wet[int(0.4 * RATE_HZ) + 1 :]).max() < 1e-6
    before, after = sound(Reverberate(0.4))
    assert np.std(after) == pytest.approx(np.std(before), rel=0.05)
    assert np.array_equal(*sound(Reverberate(0)))


def test_overdrive_clips_the_given_share() -> None:
    before, after = sound(OverdriveSound(0.25))
    assert np.isclose(np.abs(after), np.abs(after).max()).mean() == pytest.approx(0.25, abs=0.01)
    assert np.std(after) == pytest.approx(np.std(before), rel=0.01)
    assert np.array_equal(*sound(OverdriveSound(0)))


@pytest.mark.parametrize(('codec', 'rates'), [('mp3', (8, 64)), ('opus', (6, 64)), ('aac', (12, 64))])
def test_codecs_lose_more_at_lower_rates_and_keep_the_time(codec: str, rates: tuple[int, int]) -> None:
    errors = []
    for rate in rates:
        before, after = sound(CompressSound(rate, codec), num_samples=RATE_HZ)
        errors.append(np.std(after - before) / np.std(before))
    assert errors[1] < 0.3
    assert errors[1] < errors[0] < 1.2


@pytest.mark.parametrize('seconds', [0.1, -0.1, 0.0, 9.0, -9.0])
def test_delay(seconds: float) -> None:
    before, after = sound(DelaySound(seconds))
    expected = np.zeros_like(before)
    shift = round(seconds * RATE_HZ)
    for index in range(len(before)):
        if 0 <= index - shift < len(before):
            expected[index] = before[index - shift]
    assert np.array_equal(after, expected)


def frames(transform: Any, name: str = 'a') -> tuple[np.ndarray, np.ndarray]:
    picture = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    results = transform(dict(imgs=[picture.copy(), picture.copy()], sample_id=name))
    assert np.array_equal(*results['imgs'])
    return picture, results['imgs'][0]


@pytest.mark.parametrize('transform', [GaussianBlur(0.05), CompressFrames(5), OccludeFrames(0.3)])
def test_frames_keep_their_form(transform: Any) -> None:
    before, after = frames(transform)
    assert (after.shape, after.dtype) == (before.shape, np.uint8)
    assert not np.array_equal(before, after)
    assert transform(dict(streams=('audio',))) == dict(streams=('audio',))


def test_strength_of_blur_compression_and_occlusion() -> None:
    assert np.array_equal(*frames(GaussianBlur(0)))
    assert frames(GaussianBlur(0.1))[1].std() < frames(GaussianBlur(0.02))[1].std() < frames(GaussianBlur(0))[1].std()
    errors = [np.abs(np.subtract(*frames(CompressFrames(quality)), dtype=float)).mean() for quality in (5, 50, 100)]
    assert errors[0] > errors[1] > errors[2]
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 200
    assert CompressFrames(90)(dict(imgs=[red]))['imgs'][0][8, 8] == pytest.approx([200, 0, 0], abs=6)
    covered = [(frames(OccludeFrames(0.25), name)[1] == 127).all(axis=2) for name in ('a', 'a', 'b')]
    assert covered[0].mean() == pytest.approx(0.25, abs=0.01)
    assert np.array_equal(covered[0], covered[1])
    assert not np.array_equal(covered[0], covered[2])
    assert (frames(OccludeFrames(1))[1] == 127).all()


@pytest.mark.parametrize(('fps', 'rate', 'expected'), [(25.0, 10, [0, 0, 0, 3, 3, 5, 5, 5, 8]), (8.0, 10, range(9))])
def test_low_frame_rates_hold_pictures(fps: float, rate: float, expected: Any) -> None:
    results = dict(frame_inds=np.arange(9), avg_fps=fps, video_reader='any')
    assert LowerFrameRate(rate)(results)['frame_inds'].tolist() == list(expected)
    folder = dict(frame_inds=np.arange(9), avg_fps=None, video_reader='any')
    assert LowerFrameRate(rate, assumed_fps=fps)(folder)['frame_inds'].tolist() == list(expected)
    assert LowerFrameRate(rate)(dict(video_reader=None)) == dict(video_reader=None)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(type='Reverberate', seconds=-1), 'seconds must be at least 0'),
        (dict(type='OverdriveSound', share=1), 'share must be from 0 to below 1'),
        (
            dict(type='CompressSound', kilobits_per_second=8, codec='wav'),
            r"codec must be one of \['aac', 'mp3', 'opus'\]",
        ),
        (dict(type='CompressSound', kilobits_per_second=0), 'must be above 0'),
        (dict(type='GaussianBlur', sigma_share=-1), 'at least 0'),
        (dict(type='CompressFrames', quality=0), 'quality must be from 1 to 100'),
        (dict(type='OccludeFrames', share=2), 'share must be from 0 to 1'),
        (dict(type='LowerFrameRate', frames_per_second=0), 'frame rates must be above 0'),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TRANSFORMS.build(options)

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.preparation.audio import ExtractAudio, Loudness
from hicmae_mm.datasets.preparation.jobs import Job
from tests.conftest import MediaFolder


def extract(source: Path, target: Path, **options: object) -> dict[str, object]:
    return ExtractAudio(**options)(Job(source.name, source, target), target)


def test_sound_of_a_video_becomes_a_mono_wav(media: MediaFolder) -> None:
    target = media.root / 'part'  # a temporary name: the format does not come from it
    details = extract(media.video(num_frames=50), target)
    info = soundfile.info(target)
    assert (info.format, info.subtype, info.samplerate, info.channels) == ('WAV', 'PCM_16', 16000, 1)
    samples, _ = soundfile.read(target)
    assert len(samples) == pytest.approx(2 * 16000, abs=2048)
    assert details['seconds'] == round(len(samples) / 16000, 3)
    spectrum = np.abs(np.fft.rfft(samples[:16000]))  # 1 Hz per bin
    assert int(spectrum.argmax()) == 440
    assert details['peak_db'] == pytest.approx(20 * np.log10(0.5), abs=0.5)
    assert details['silent'] is False
    assert details['offset_seconds'] == pytest.approx(0, abs=0.07)


def test_sound_that_starts_late_is_reported(media: MediaFolder) -> None:
    source = media.root / 'late.mkv'
    with av.open(str(media.video(num_frames=25))) as on_time, av.open(str(source), 'w') as late:
        copies = {stream.index: late.add_stream_from_template(stream) for stream in on_time.streams}
        for packet in on_time.demux():
            if packet.dts is None:
                continue
            if packet.stream.type == 'audio':
                shift = round(0.4 / packet.time_base)
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
            packet.stream = copies[packet.stream.index]
            late.mux(packet)
    details = extract(source, media.root / 'part')
    assert details['offset_seconds'] == pytest.approx(0.4, abs=0.07)
    assert details['seconds'] == pytest.approx(1.0, abs=0.13)


def test_a_file_that_cannot_be_written_ends_the_run(media: MediaFolder) -> None:
    with pytest.raises(OSError, match='No such file or directory'):
        extract(media.wav(), media.root / 'nowhere' / 'part')


def test_samples_of_an_uncompressed_file_come_out_as_they_are(media: MediaFolder) -> None:
    samples = np.random.default_rng(0).integers(-(2**15), 2**15, 40000).astype(np.int16)
    source = media.wav(waveform=samples)
    details = extract(source, media.root / 'part')
    np.testing.assert_array_equal(soundfile.read(media.root / 'part', dtype='int16')[0], samples)
    assert details['seconds'] == 2.5
    extract(source, media.root / 'flac', file_format='flac')
    assert soundfile.info(media.root / 'flac').format == 'FLAC'
    np.testing.assert_array_equal(soundfile.read(media.root / 'flac', dtype='int16')[0], samples)


def test_channels_are_averaged_and_the_rate_changed(media: MediaFolder) -> None:
    left, right = media.tone(1.0, 300, 48000), media.tone(1.0, 1000, 48000)
    source = media.wav(waveform=np.stack([left, right], axis=1), rate=48000)
    assert extract(source, media.root / 'part', sample_rate_hz=8000)['seconds'] == pytest.approx(1, abs=0.005)
    samples, rate = soundfile.read(media.root / 'part')
    assert rate == 8000
    expected = (media.tone(1.0, 300, 8000) + media.tone(1.0, 1000, 8000)) / 2
    assert np.abs(samples[400:7600] - expected[400:7600]).max() < 0.01


def test_a_file_without_sound_or_a_broken_one_is_an_error(media: MediaFolder) -> None:
    with pytest.raises(MediaError, match='no sound track'):
        extract(media.video(has_sound=False), media.root / 'part')
    with pytest.raises(MediaError, match='truncated'):
        extract(media.truncated(media.video('long.mp4')), media.root / 'part')
    (media.root / 'text.mkv').write_text('this is not a video')
    with pytest.raises(MediaError, match=r'text\.mkv: cannot be opened as a video or sound file'):
        extract(media.root / 'text.mkv', media.root / 'part')
    with pytest.raises(MediaError, match='empty'):
        extract(media.wav('empty.wav', np.zeros(0)), media.root / 'part')
    with pytest.raises(FileNotFoundError):
        extract(media.root / 'nothing.mp4', media.root / 'part')


def test_silence_is_written_and_reported(media: MediaFolder) -> None:
    details = extract(media.wav(waveform=np.zeros(8000)), media.root / 'part')
    assert details == dict(seconds=0.5, peak_db=None, rms_db=None, silent=True, offset_seconds=None, note=None)
    assert soundfile.info(media.root / 'part').frames == 8000
    faint = media.wav('faint.wav', 0.01 * media.tone(1.0))  # peak 0.005, -46 dB
    assert extract(faint, media.root / 'part')['silent'] is False
    assert extract(faint, media.root / 'part', silent_db=-40.0)['silent'] is True


def test_loudness_against_hand_computation() -> None:
    loudness = Loudness()
    for piece in ([0.5, -0.25], [], [0.0, 0.0]):
        loudness.add(np.array(piece, dtype=np.float32))
    assert loudness.peak_db == round(20 * np.log10(0.5), 2)
    assert loudness.rms_db == round(10 * np.log10((0.25 + 0.0625) / 4), 2)  # -11.07
    assert not loudness.is_silent(-6.1, -11.1)
    assert loudness.is_silent(-6.0, -100)
    assert loudness.is_silent(-100, -11.0)


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="format must be one of .*'mp3'"):
        ExtractAudio(file_format='mp3')
    with pytest.raises(ValueError, match='sample_rate_hz'):
        ExtractAudio(sample_rate_hz=0)

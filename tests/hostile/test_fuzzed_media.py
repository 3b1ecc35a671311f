"""Media files with random damage end in a MediaError or a right reading, within bounded time and memory."""

from __future__ import annotations

import multiprocessing
import resource
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import av
import numpy as np
import pytest

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.readers.audio import open_audio
from hicmae_mm.datasets.readers.video import open_video
from tests.conftest import MediaFolder

NAMES = ('clip.mp4', 'clip.mkv', 'clip.avi', 'clip.webm', 'clip.wav', 'clip.flac')
_MOST_BYTES = 6 << 30
_MOST_SECONDS = 20


def damaged(content: bytes, seed: int) -> bytes:
    """A copy with flipped bits, overwritten header fields, a part cut out, or without its end."""
    rng = np.random.default_rng(seed)
    data = bytearray(content)
    kind = rng.integers(4)
    if kind == 0:
        for position in rng.integers(len(data), size=rng.integers(1, 30)):
            data[position] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        for position in rng.integers(min(len(data), 2000), size=rng.integers(1, 6)):
            data[position : position + 4] = rng.choice([b'\xff\xff\xff\xff', b'\x7f\xff\xff\xff', b'\0\0\0\0'])
    elif kind == 2:
        del data[int(rng.integers(1, len(data))) :]
    else:
        start = int(rng.integers(len(data)))
        del data[start : start + int(rng.integers(1, 5000))]
    return bytes(data)


def read_all(path: Path) -> None:
    """Reads pictures and sound as a training does; MediaError is a right answer."""
    if path.suffix not in ('.wav', '.flac'):
        try:
            with closing(open_video(path)) as reader:
                frames = reader.read([0, reader.num_frames // 2, reader.num_frames - 1])
            assert frames.dtype == np.uint8
            assert frames.shape[0] == 3
        except MediaError:
            pass
    try:
        with closing(open_audio(path)) as sound:
            samples = sound.read(0, min(sound.num_samples, 10**7))
        assert np.isfinite(samples).all()
    except MediaError:
        pass


def _work(paths: list[Path], done: multiprocessing.Queue) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))
    for path in paths:
        done.put(path.name)
        read_all(path)
    done.put('')


def read_bounded(paths: list[Path]) -> str:
    """Reads files in one bounded process; the name of the file that it did not survive, or an empty text."""
    context = multiprocessing.get_context('forkserver')
    done: multiprocessing.Queue = context.Queue()
    process = context.Process(target=_work, args=(paths, done), daemon=True)
    process.start()
    process.join(60 + _MOST_SECONDS * len(paths) / 10)
    if process.is_alive():
        process.kill()
        process.join()
    names = []
    while not done.empty():
        names.append(done.get())
    return 'nothing was begun' if not names else names[-1]


def write_webm(media: MediaFolder) -> bytes:
    """A video of VP8, whose container has no index of frames."""
    path = media.root / 'clip.webm'
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libvpx', rate=25)
        stream.height = stream.width = 64
        stream.pix_fmt = 'yuv420p'
        for frame in media.frames(20):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format='rgb24')))
        container.mux(stream.encode())
    return path.read_bytes()


@pytest.fixture
def originals(media: MediaFolder) -> dict[str, bytes]:
    found = {name: media.video(name, num_frames=20).read_bytes() for name in NAMES[:3]}
    found['clip.webm'] = write_webm(media)
    return found | {name: media.wav(name, media.tone(0.5)).read_bytes() for name in NAMES[4:]}


def mutations(root: Path, originals: dict[str, bytes], count: int, first_seed: int = 0) -> Iterator[Path]:
    for seed in range(first_seed, first_seed + count):
        name = NAMES[seed % len(NAMES)]
        path = root / f'{seed:04d}{Path(name).suffix}'
        path.write_bytes(damaged(originals[name], seed))
        yield path


def test_sixty_damaged_files(tmp_path: Path, originals: dict[str, bytes]) -> None:
    assert read_bounded(list(mutations(tmp_path, originals, 60))) == ''


@pytest.mark.slow
def test_a_thousand_damaged_files(tmp_path: Path, originals: dict[str, bytes]) -> None:
    for first in range(0, 1000, 100):
        assert read_bounded(list(mutations(tmp_path, originals, 100, first))) == ''


def test_the_undamaged_files_are_read(media: MediaFolder, originals: dict[str, bytes]) -> None:
    for name in NAMES[:4]:
        with closing(open_video(media.root / name)) as reader:
            assert reader.num_frames == 20

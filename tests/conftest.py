"""Real media files, made on the spot: H.264 with AAC, wav, flac, folders of JPEGs."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import soundfile
from mmengine.registry import DefaultScope

from hicmae_mm.datasets.writers import write_video

SAMPLE_RATE_HZ = 16000


class MediaFolder:
    """Writes small media files under one folder. Every frame shows its own number, see ``frame_number``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @staticmethod
    def frames(num_frames: int, height: int = 64, width: int = 64) -> np.ndarray:
        """``(T, H, W, 3)`` uint8: a smooth picture on top, the frame number as eight black or white bits below."""
        rows, columns = np.mgrid[0:height, 0:width]
        picture = np.stack([rows * 2, columns * 2, rows + columns], axis=-1) % 256
        frames = np.repeat(picture[None].astype(np.uint8), num_frames, axis=0)
        cell = width // 8
        for number, frame in enumerate(frames):
            for bit in range(8):
                frame[height // 2 :, bit * cell : (bit + 1) * cell] = 235 if number >> bit & 1 else 20
        return frames

    @staticmethod
    def frame_number(frame: np.ndarray) -> int:
        """Reads the number back from a frame that may have been compressed."""
        height, width = frame.shape[:2]
        bits = frame[height // 2 :].reshape(-1, 8, width // 8, 3)[2:].mean(axis=(0, 2, 3)) > 128
        return int(sum(1 << bit for bit in range(8) if bits[bit]))

    @staticmethod
    def tone(seconds: float, hz: float = 440.0, rate: int = SAMPLE_RATE_HZ) -> np.ndarray:
        """``(S,)`` float32 sine of amplitude 0.5."""
        return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)

    def video(
        self, name: str = 'clip.mp4', num_frames: int = 50, fps: float = 25, has_sound: bool = True, **size: int
    ) -> Path:
        """A video; mp4 has an AAC track, mkv and avi have pictures only."""
        path = self.root / name
        frames = self.frames(num_frames, **size)
        if path.suffix == '.mp4':
            write_video(path, frames, fps, self.tone(num_frames / fps) if has_sound else None, SAMPLE_RATE_HZ)
            return path
        with av.open(str(path), 'w') as container:
            stream = container.add_stream('libx264', rate=int(fps), options={'g': '12'})
            stream.height, stream.width = frames.shape[1:3]
            stream.pix_fmt = 'yuv420p'
            for frame in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format='rgb24')))
            container.mux(stream.encode())
        return path

    def wav(self, name: str = 'clip.wav', waveform: np.ndarray | None = None, rate: int = SAMPLE_RATE_HZ) -> Path:
        """A sound file, wav or flac by its name; ``(S,)`` or ``(S, channels)``."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, self.tone(2.0, rate=rate) if waveform is None else waveform, rate)
        return path

    def frame_folder(self, name: str = 'face', num_frames: int = 50, height: int = 64, width: int = 64) -> Path:
        """A folder of ``1.jpg``, ``2.jpg``, ..., ``10.jpg``, whose order by text is wrong."""
        folder = self.root / name
        folder.mkdir(parents=True)
        for number, frame in enumerate(self.frames(num_frames, height, width)):
            cv2.imwrite(str(folder / f'{number + 1}.jpg'), frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
        return folder

    def truncated(self, path: Path, share: float = 0.6) -> Path:
        """A copy of a file without its end."""
        data = path.read_bytes()
        copy = path.with_name(f'truncated_{path.name}')
        copy.write_bytes(data[: int(len(data) * share)])
        return copy

    def annotation(self, *lines: str, name: str = 'ann.csv') -> Path:
        """An annotation file."""
        path = self.root / name
        path.write_text('\n'.join(lines) + '\n')
        return path


@pytest.fixture
def media(tmp_path: Path) -> MediaFolder:
    return MediaFolder(tmp_path)


@pytest.fixture
def hicmae_scope() -> Iterator[None]:
    """The default scope that a runner would set."""
    with DefaultScope.overwrite_default_scope('hicmae_mm'):
        yield


@pytest.fixture(scope='module')
def frozen_heap() -> Iterator[None]:
    """Leaves what exists before a module out of searches for garbage, which otherwise take most of a second each."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope='module')
def unformatted_configs() -> Iterator[None]:
    """Logs configs as MMEngine writes them, without yapf, which takes a quarter of the time of a short training."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('mmengine.config.config.FormatCode', lambda text, **_: (text, True))
        yield


@pytest.fixture
def frees_encoders() -> Iterator[None]:
    """Frees encoders of media: their threads would hang a worker process that is forked later and frees them there."""
    yield
    gc.collect()

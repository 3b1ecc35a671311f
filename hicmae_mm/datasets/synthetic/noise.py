"""Media files of moving noise, for measuring a pipeline where no data set is at hand."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from hicmae_mm.datasets.shards.packing import ClipPacker, read_list
from hicmae_mm.datasets.shards.writing import PackingPlan, write_shards
from hicmae_mm.datasets.writers import write_picture, write_video, write_wav

SAMPLE_RATE_HZ = 16000
FPS = 25


def moving_texture(num_frames: int, side: int, rng: np.random.Generator) -> np.ndarray:
    """Makes a smooth random texture that moves, with a little grain: frames ``(T, side, side, 3)`` uint8.

    Compresses about as well as a face in front of a plain wall.
    """
    margin = 2 * num_frames
    coarse = rng.uniform(0, 255, (24, 24, 3)).astype(np.float32)
    canvas = cv2.resize(coarse, (side + margin, side + margin), interpolation=cv2.INTER_CUBIC)
    canvas = canvas + rng.normal(0, 4, canvas.shape)
    frames = [canvas[i : i + side, 2 * i : 2 * i + side] for i in range(num_frames)]
    return np.stack(frames).clip(0, 255).astype(np.uint8)


def write_noise_clips(
    folder: str | Path, as_video: bool, num_clips: int = 8, seconds: float | None = None, label: str = '0'
) -> Path:
    """Writes clips and the annotation file that lists them.

    Args:
        folder: Folder of the files. It is made if it is missing.
        as_video: ``True``: 224x224 H.264 mp4 at 25 frames per second, like VoxCeleb2; ``False``: folders of 256x256
            JPEG frames, like the fine-tuning corpora. A 16 kHz mono wav beside either.
        num_clips: Number of clips.
        seconds: Length of each; 6 for videos and 3 for folders unless given.
        label: Label columns of every line.

    Returns:
        The annotation file, with lines ``video audio label``.
    """
    folder = Path(folder)
    length = (6.0 if as_video else 3.0) if seconds is None else seconds
    rng = np.random.default_rng(0)
    lines = []
    for index in range(num_clips):
        frames = moving_texture(round(length * FPS), 224 if as_video else 256, rng)
        name = f'clip_{index}.mp4' if as_video else f'clip_{index}'
        if as_video:
            write_video(folder / name, frames, FPS)
        else:
            write_frames(folder / name, frames)
        write_wav(folder / f'clip_{index}.wav', rng.normal(0, 0.1, round(length * SAMPLE_RATE_HZ)), SAMPLE_RATE_HZ)
        lines.append(f'{name} clip_{index}.wav {label}\n')
    annotation = folder / 'annotation.txt'
    annotation.write_text(''.join(lines), encoding='utf-8')
    return annotation


def write_noise_shards(folder: str | Path, as_video: bool, label: str = '0') -> Path:
    """Writes eight clips and packs them, 160 pixels wide and high; returns the folder of the shards."""
    annotation = write_noise_clips(folder, as_video, label=label)
    clips, metainfo = read_list(annotation, folder)
    packer = ClipPacker(crop=(0, 32, 160, 160)) if as_video else ClipPacker(size=(160, 160))
    shards = Path(folder) / 'shards'
    for _ in write_shards(PackingPlan(clips, packer, ('video', 'audio'), metainfo), shards):
        pass
    return shards


def write_frames(folder: Path, frames: np.ndarray) -> None:
    """Writes frames ``(T, H, W, 3)`` RGB as numbered JPEG files of quality 95."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(frames, start=1):
        write_picture(folder / f'{number:05d}.jpg', frame)

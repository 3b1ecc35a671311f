"""Times the published data pipeline's steps, written plainly, to set this project's pipelines against.

python benchmarks/published_pipeline.py pretrain --iters 60 --json published.json

Written from the description of the method, not from its code: pictures become PIL images and then normalised float
tensors on the CPU; the sound file is read whole and torchaudio makes window and mel matrix anew for each clip; every
test view is a sample of its own, which reads all that it needs again. One thread; the media are those that
`tools/analysis_tools/benchmark.py data` writes.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import itertools
import json
import random
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import soundfile
import torch
import torchaudio
import torchvision.transforms.functional as TF
from PIL import Image
from timm.data.auto_augment import rand_augment_transform
from timm.data.random_erasing import RandomErasing
from torch import Tensor
from torchvision.transforms import RandomResizedCrop

from hicmae_mm.datasets.synthetic.noise import write_noise_clips
from hicmae_mm.datasets.transforms.temporal import (
    AudioSpan,
    fraction_span,
    last_covered_frame,
    pretrain_frame_indices,
    train_frame_indices,
    view_frame_indices,
)
from hicmae_mm.measuring import limited_threads, seconds_per_call
from hicmae_mm.utils.files import write_text

MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
STD = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
CLIP_LEN, INTERVAL, SIZE = 16, 4, 160
SCALES = (1, 0.875, 0.75, 0.66)
VIEWS = [(clip, crop) for clip in range(2) for crop in range(2)]


def pretraining_clip(stem: Path) -> tuple[Tensor, Tensor, np.ndarray, np.ndarray]:
    """Frames ``(3, T, H, W)``, spectrogram ``(1, 256, 128)``, masks of both."""
    import decord

    reader = decord.VideoReader(str(stem.with_suffix('.mp4')), num_threads=1)
    n = len(reader)
    start = int(np.random.randint(0, max(n - CLIP_LEN * INTERVAL, 0) + 1))
    indices = pretrain_frame_indices(n, start, CLIP_LEN, INTERVAL)
    frames = [Image.fromarray(frame).crop((32, 0, 192, 160)) for frame in reader.get_batch(indices).asnumpy()]
    last = last_covered_frame(indices, n, CLIP_LEN, INTERVAL, 'pretrain')
    span = AudioSpan(reader.get_frame_timestamp(start)[0], reader.get_frame_timestamp(last)[1], 'seconds')
    across, down = (int(SIZE * random.choice(SCALES)) for _ in range(2))
    left, top = (random.choice((0, (SIZE - side) // 2, SIZE - side)) for side in (across, down))
    box = (left, top, left + across, top + down)
    frames = [frame.crop(box).resize((SIZE, SIZE), Image.Resampling.BILINEAR) for frame in frames]
    tube = np.tile(np.random.permutation(100) < 90, 8)
    return normalised(frames), spectrogram(stem, span, True), tube, np.random.permutation(128) < 102


def fine_tuning_clip(stem: Path) -> tuple[Tensor, Tensor]:
    """Frames ``(3, T, H, W)`` and spectrogram ``(1, 256, 128)``."""
    files = picture_files(stem)
    n, span = len(files), CLIP_LEN * INTERVAL
    indices = train_frame_indices(n, int(np.random.randint(span, n)) if n > span else n, CLIP_LEN, INTERVAL)
    frames = [Image.open(files[index]).convert('RGB') for index in indices]
    augment = rand_augment_transform('rand-m7-n4-mstd0.5-inc1', {'interpolation': Image.Resampling.BILINEAR})
    states = random.getstate(), np.random.get_state()
    for position, frame in enumerate(frames):  # the same draw for all frames of the clip
        random.setstate(states[0])
        np.random.set_state(states[1])
        frames[position] = augment(frame)
    video = normalised(frames)
    top, left, height, width = RandomResizedCrop.get_params(video, [0.08, 1.0], [3 / 4, 4 / 3])
    video = TF.resized_crop(video, top, left, height, width, [SIZE, SIZE], antialias=False)
    if random.random() < 0.5:
        video = video.flip(-1)
    erase = RandomErasing(0.25, mode='pixel', device='cpu', num_splits=0)
    video = erase(video.transpose(0, 1)).transpose(0, 1)
    last = last_covered_frame(indices, n, CLIP_LEN, INTERVAL, 'train')
    return video, spectrogram(stem, fraction_span(int(indices[0]), last, n), True)


def test_view(stem: Path, clip: int, crop: int) -> tuple[Tensor, Tensor]:
    """Frames ``(3, T, H, W)`` and spectrogram ``(1, 256, 128)`` of one of the four views."""
    files = picture_files(stem)
    indices = view_frame_indices(len(files), 2, CLIP_LEN, INTERVAL)[clip]
    frames = [np.asarray(Image.open(files[index]).convert('RGB')) for index in indices]
    scale = SIZE / min(frames[0].shape[:2])
    shape = [round(side * scale) for side in frames[0].shape[:2]]
    frames = [cv2.resize(frame, shape[::-1]) for frame in frames]
    top, left = ((side - SIZE) * crop for side in shape)
    video = normalised([frame[top : top + SIZE, left : left + SIZE] for frame in frames])
    last = last_covered_frame(indices, len(files), CLIP_LEN, INTERVAL, 'test')
    return video, spectrogram(stem, fraction_span(int(indices[0]), last, len(files)), True)


def picture_files(stem: Path) -> list[str]:
    """Lists the frames of a folder in order, as plain strings, which sort faster than paths."""
    return sorted(str(file) for file in stem.glob('*.jpg'))


def tested_clip(stem: Path) -> list[tuple[Tensor, Tensor]]:
    """Returns all four views."""
    return [test_view(stem, clip, crop) for clip, crop in VIEWS]


def normalised(frames: Sequence[Image.Image | np.ndarray]) -> Tensor:
    """Returns ``(3, T, H, W)`` float32."""
    tensors = [torch.from_numpy(np.array(frame)).permute(2, 0, 1).contiguous().float().div(255) for frame in frames]
    return torch.stack([(tensor - MEAN) / STD for tensor in tensors], dim=1)


def spectrogram(stem: Path, span: AudioSpan, has_gain: bool) -> Tensor:
    """Returns ``(1, 256, 128)`` of a part of the sound, which is read whole.

    The published code has its gain in tests too.
    """
    sound, rate = soundfile.read(stem.with_suffix('.wav'), dtype='float32', always_2d=True)
    waveform = torch.from_numpy(sound.T)
    scale = waveform.shape[1] if span.unit == 'fraction' else rate
    waveform = waveform[:, int(span.start * scale) : int(span.end * scale)]
    waveform = waveform - waveform.mean()
    if has_gain:
        waveform = waveform * (np.random.beta(10, 10) + 0.5)
    features = torchaudio.compliance.kaldi.fbank(
        waveform,
        htk_compat=True,
        sample_frequency=rate,
        use_energy=False,
        window_type='hanning',
        num_mel_bins=128,
        dither=0.0,
        frame_shift=10,
    )[:256]
    features = torch.nn.functional.pad(features, (0, 0, 0, 256 - len(features)))
    return ((features + 4.2677393) / (2 * 4.5689974)).unsqueeze(0)


PIPELINES: dict[str, Callable[[Path], object]] = {
    'pretrain': pretraining_clip,
    'finetune': fine_tuning_clip,
    'test': tested_clip,
}


def measure(name: str, iters: int) -> dict[str, float | str]:
    """Seconds per clip of a pipeline on eight clips of noise."""
    with tempfile.TemporaryDirectory() as folder, limited_threads(1, pinned=True):
        write_noise_clips(folder, as_video=name == 'pretrain')
        stems = itertools.cycle([Path(folder) / f'clip_{number}' for number in range(8)])
        random.seed(0)
        np.random.seed(0)
        torch.manual_seed(0)
        seconds = seconds_per_call(lambda: PIPELINES[name](next(stems)), iters, torch.device('cpu'))
    return {'pipeline': name, 'clips_per_s': 1 / statistics.mean(seconds), 'seconds_per_clip': statistics.mean(seconds)}


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints."""
    parser = ArgumentParser(description="Time the published pipeline's steps, written plainly")
    parser.add_argument('pipeline', choices=list(PIPELINES), help='test: all four views of a clip')
    parser.add_argument('--iters', type=int, default=60, help='timed clips')
    parser.add_argument('--json', type=Path, help='also write the numbers to this file')
    args = parser.parse_args(arguments)
    if args.iters < 1:
        parser.error(f'--iters must be at least 1, got {args.iters}')
    measured = measure(args.pipeline, args.iters)
    if args.json is not None:
        write_text(args.json, json.dumps(measured, indent=2) + '\n')
    for key, value in measured.items():
        print(f'{key:20s}{value if isinstance(value, str) else f"{value:.4g}"}')
    return 0


if __name__ == '__main__':
    sys.exit(main())

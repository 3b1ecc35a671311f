"""Does the web page keep memory or files? Many uploads of ten kinds, as browsers send them, to a server of its own.

python benchmarks/soak_web.py --model work_dirs/quickstart/audio_video --uploads 1000

The model must take clips without picture and clips without sound (``--missing-streams zero`` is set). With
``--face-cropper YuNet`` a portrait moves through the pictures, so that every clip with pictures has a real face.
``--clips`` uploads files of your own instead.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import contextlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import httpx
import numpy as np

KINDS = {
    'mp4': ('libx264', 'aac'),
    'mov': ('mpeg4', 'pcm_s16le'),
    'mkv': ('libx264', 'flac'),
    'webm': ('libvpx', 'libopus'),
    'avi': ('mpeg4', 'libmp3lame'),
    'flv': ('flv', 'libmp3lame'),
    'gif': ('gif', None),
    'wav': (None, 'pcm_s16le'),
    'mp3': (None, 'libmp3lame'),
    'm4a': (None, 'aac'),
}
"""Kinds of files, with the codecs of their pictures and sound."""
_RATES_HZ = {'libopus': 48000, 'libmp3lame': 44100}
_PIXELS = {'libx264': 'yuv420p', 'gif': 'rgb8'}
_WARM_UP_UPLOADS = 100
_MOST_GROWTH = 0.02
_PATIENCE_SECONDS = 60.0


def grey_frames(num_frames: int) -> np.ndarray:
    """Frames (T, 96, 96, 3) of uint8 that get brighter."""
    levels = (5 * np.arange(num_frames) % 200).astype(np.uint8)
    return np.tile(levels[:, None, None, None], (1, 96, 96, 3))


def face_frames(num_frames: int) -> np.ndarray:
    """Frames (T, 180, 320, 3) of uint8 in RGB with the portrait of matplotlib's sample data, which moves sideways."""
    from matplotlib.cbook import get_sample_data
    from matplotlib.image import imread

    with get_sample_data('grace_hopper.jpg') as file:
        portrait = imread(file, 'jpg')[60:460, 60:460]  # (400, 400, 3)
    portrait = cv2.resize(portrait, (160, 160), interpolation=cv2.INTER_AREA)
    frames = np.full((num_frames, 180, 320, 3), 90, np.uint8)
    for number, frame in enumerate(frames):
        left = 80 + round(60 * np.sin(number / 8))
        frame[10:170, left : left + 160] = portrait
    return frames


def write_clip(path: Path, seconds: float = 1.0, fps: int = 25, shows_face: bool = False) -> Path:
    """Writes moving pictures and a tone, in the format that the suffix names."""
    frames = face_frames(round(seconds * fps)) if shows_face else grey_frames(round(seconds * fps))
    picture_codec, sound_codec = KINDS[path.suffix[1:]]
    with av.open(str(path), 'w', format='ipod' if path.suffix == '.m4a' else None) as container:
        pictures = container.add_stream(picture_codec, rate=fps) if picture_codec else None
        rate = _RATES_HZ.get(sound_codec or '', 16000)
        sound = container.add_stream(sound_codec, rate=rate) if sound_codec else None
        if pictures is not None:
            pictures.height, pictures.width = frames.shape[1:3]
            pictures.pix_fmt = _PIXELS.get(picture_codec or '', 'yuv420p')
        if sound is not None:
            sound.layout = 'mono'
            wave = np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)
            samples = av.AudioFrame.from_ndarray((12000 * wave).astype(np.int16)[None], format='s16', layout='mono')
            samples.sample_rate, samples.pts = rate, 0
            container.mux(sound.encode(samples))
        if pictures is not None:
            for pixels in frames:
                container.mux(pictures.encode(av.VideoFrame.from_ndarray(pixels, format='rgb24')))
            container.mux(pictures.encode())
        if sound is not None:
            container.mux(sound.encode())
    return path


@dataclass
class Page:
    """Uses the page as a browser does.

    Attributes:
        address: Address of the server, with a slash at the end.
        http: Sends requests.
        fn_index: Number of the event of the button below the file.
    """

    address: str
    http: httpx.Client
    fn_index: int

    @classmethod
    def open(cls, address: str, http: httpx.Client) -> Page:
        """Reads from the page's own description which event its button starts."""
        config = http.get(f'{address}config').raise_for_status().json()
        buttons = [part['id'] for part in config['components'] if part['props'].get('elem_id') == 'hm-analyse-file']
        clicks = (event['id'] for event in config['dependencies'] if [buttons[0], 'click'] in event['targets'])
        return cls(address, http, next(clicks))

    def analyse(self, path: Path, words: str | None = None) -> dict:
        """Makes one visit: opens the page, uploads a file, presses the button, reads the result and leaves.

        Args:
            path: The file.
            words: What is said, for a page that has a field for it.
        """
        session, api = secrets.token_hex(6), f'{self.address}gradio_api/'
        with self.http.stream('GET', f'{api}heartbeat/{session}'):
            with path.open('rb') as file:
                (place,) = self.http.post(f'{api}upload', files={'files': (path.name, file)}).raise_for_status().json()
            value = dict(path=place, orig_name=path.name, meta=dict(_type='gradio.FileData'))
            given = [value] if words is None else [value, words]
            question = dict(data=given, fn_index=self.fn_index, session_hash=session)
            self.http.post(f'{api}queue/join', json=question).raise_for_status()
            with self.http.stream('GET', f'{api}queue/data', params=dict(session_hash=session)) as events:
                for line in events.iter_lines():
                    event = json.loads(line[5:]) if line.startswith('data:') else {}
                    if event.get('msg') == 'process_completed':
                        answer = event['output']['data'][0]
        return answer


@dataclass
class Server:
    """Runs a server.

    Attributes:
        address: Address of the page.
        process: The process of the server.
        temporary: Its folder for temporary files.
    """

    address: str
    process: subprocess.Popen
    temporary: Path

    def resident_megabytes(self) -> float:
        """Returns the resident memory of the process (Linux), in 1e6 bytes."""
        pages = int(Path(f'/proc/{self.process.pid}/statm').read_text().split()[1])
        return pages * os.sysconf('SC_PAGE_SIZE') / 1e6

    def files(self) -> list[Path]:
        """Lists the files that are left, without the mark that the folder is in use."""
        return [path for path in self.temporary.rglob('*') if path.is_file() and path.name != '.lock']


@contextlib.contextmanager
def serve(model: str, temporary: Path, *options: str) -> Iterator[Server]:
    """Starts the demo as a process of its own."""
    demo = Path(__file__).parents[1] / 'demo' / 'web_app.py'
    arguments = ('--model', model, '--device', 'cpu', '--port', '0', '--missing-streams', 'zero', *options)
    environment = {**os.environ, 'TMPDIR': str(temporary)}
    command_line = [sys.executable, str(demo), *arguments]
    with subprocess.Popen(command_line, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = next((match for line in process.stdout if (match := re.search(r'http://\S+', line))), None)
            if found is None:
                raise ValueError(f'the server did not start: {" ".join(command_line)}')
            yield Server(found.group(), process, temporary)
            process.send_signal(signal.SIGINT)
            process.wait(30)
        finally:
            process.kill()


def soak(server: Server, clips: Sequence[Path], num_uploads: int, every: int = 100) -> list[float]:
    """Uploads clips in turn.

    Returns:
        Resident memory after every so many uploads, in 1e6 bytes.

    Raises:
        ValueError: If a clip is not analysed.
    """
    memory = []
    with httpx.Client(timeout=_PATIENCE_SECONDS) as http:
        page = Page.open(server.address, http)
        for number in range(num_uploads):
            shown = page.analyse(clips[number % len(clips)])
            if shown['kind'] != 'result':
                raise ValueError(f'{clips[number % len(clips)].name}: {shown["title"]} {shown["advice"]}')
            if (number + 1) % every == 0:
                memory.append(server.resident_megabytes())
                print(f'{number + 1} uploads: {memory[-1]:.1f} MB, {len(server.files())} files', flush=True)
    return memory


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Memory and files of the web page over many uploads')
    parser.add_argument('--model', required=True, help='as for demo/web_app.py')
    parser.add_argument('--uploads', type=int, default=1000, help='default: 1000')
    parser.add_argument('--face-cropper', default='none', help='as for demo/web_app.py (default: none)')
    parser.add_argument('--clips', nargs='+', type=Path, default=[], metavar='FILE', help='upload these files instead')
    return parser.parse_args(argv)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Says how memory went; 1 if it grew or a file was left."""
    args = parse_args(argv)
    if args.uploads < 2 * _WARM_UP_UPLOADS:
        raise ValueError(f'--uploads must be at least {2 * _WARM_UP_UPLOADS}, got {args.uploads}')
    with tempfile.TemporaryDirectory() as name:
        shows_face = args.face_cropper != 'none'
        clips = args.clips or [write_clip(Path(name) / f'clip.{kind}', shows_face=shows_face) for kind in KINDS]
        temporary = Path(name) / 'server'
        temporary.mkdir()
        begun = time.monotonic()
        with serve(args.model, temporary, '--face-cropper', args.face_cropper) as server:
            memory = soak(server, clips, args.uploads, _WARM_UP_UPLOADS)
            left = server.files()
        seconds = time.monotonic() - begun
    growth = max(memory) / memory[0] - 1
    print(f'{args.uploads} uploads in {seconds:.0f} s; growth after the first {_WARM_UP_UPLOADS}: {100 * growth:.2f} %')
    print('\n'.join(f'left: {path}' for path in left) or 'no file left')
    return int(growth > _MOST_GROWTH or bool(left))


if __name__ == '__main__':
    sys.exit(main())

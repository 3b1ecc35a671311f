"""Recognises emotion live, by camera and microphone: bars beside the picture, and a line of JSON for every window.

python demo/webcam_demo.py --model work_dirs/quickstart/audio_video
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import json
import queue
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from emotion_demo import add_model_arguments, build_inferencer

from hicmae_mm.apis.inferencer import EmotionInferencer
from hicmae_mm.apis.rolling import RollingClip
from hicmae_mm.datasets.clips.inputs import as_clips
from hicmae_mm.datasets.clips.media import ForwardReader, OpenClip, Timeline
from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.visualization.overlay import Painter

TITLE = 'emotion (q ends)'
MICROPHONE_RATE_HZ = 16000


@dataclass(frozen=True)
class Moment:
    """Stores a frame and the sound since the last one.

    Attributes:
        seconds: Time at which the frame was taken.
        frame: ``(H, W, 3)`` uint8 RGB.
        sound: ``(S,)``, or None without sound.
    """

    seconds: float
    frame: np.ndarray
    sound: np.ndarray | None


class Source(Protocol):
    """Declares where moments come from.

    Attributes:
        sample_rate_hz: Sampling rate of the sound; None without sound.
        is_live: Whether pictures and sound are lost if nobody reads them in time.
    """

    sample_rate_hz: int | None
    is_live: bool

    def moments(self) -> Iterator[Moment]:
        """Yields moments until the source ends."""


class FileSource:
    """Reads a video file in place of camera and microphone, as fast as it can be read."""

    is_live = False

    def __init__(self, path: str, has_sound: bool) -> None:
        self._clip = as_clips(path)[0]
        self.sample_rate_hz: int | None = None
        with OpenClip(self._clip, ('video', 'audio')) as opened:
            if opened.video is None:
                raise MediaError(f'{path}: {opened.missing["video"]}')
            if opened.audio is not None and has_sound:
                self.sample_rate_hz = opened.audio.sample_rate_hz

    def moments(self) -> Iterator[Moment]:
        """See :class:`Source`."""
        with OpenClip(self._clip, ('video', 'audio')) as opened:
            assert opened.video is not None
            timeline, heard = Timeline(opened.video), 0
            reader = ForwardReader(opened.video, range(timeline.num_frames))
            for index in range(timeline.num_frames):
                start, end = timeline.frame_seconds(index)
                sound = None
                if self.sample_rate_hz is not None and opened.audio is not None:
                    stop = min(round(end * self.sample_rate_hz), opened.audio.num_samples)
                    sound, heard = opened.audio.read(heard, max(stop, heard)), max(stop, heard)
                yield Moment(start, reader.get([index])[0], sound)
                reader.release([index])


class LiveSource:
    """Reads the camera, and the microphone unless it is left out."""

    is_live = True

    def __init__(self, camera: int, has_sound: bool) -> None:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # one line says it, below
        self._camera = cv2.VideoCapture(camera)
        if not self._camera.isOpened():
            raise OSError(f'camera {camera} cannot be opened; --camera names another, --source a file instead')
        self.sample_rate_hz = MICROPHONE_RATE_HZ if has_sound else None
        self._heard: queue.SimpleQueue[np.ndarray] = queue.SimpleQueue()
        self._microphone = self._open_microphone() if has_sound else None

    def _open_microphone(self) -> Any:
        try:
            import sounddevice
        except (ImportError, OSError) as error:  # OSError: the PortAudio library is missing
            raise ImportError(
                f'the microphone needs sounddevice and PortAudio (pip install sounddevice), or --no-microphone: {error}'
            ) from error
        try:
            return sounddevice.InputStream(
                samplerate=MICROPHONE_RATE_HZ, channels=1, callback=lambda data, *_: self._heard.put(data[:, 0].copy())
            )
        except sounddevice.PortAudioError as error:
            raise OSError(f'no microphone can be opened ({error}); --no-microphone does without') from error

    def moments(self) -> Iterator[Moment]:
        """See :class:`Source`."""
        if self._microphone is not None:
            self._microphone.start()
        began = time.monotonic()
        try:
            while True:
                is_there, frame = self._camera.read()
                if not is_there:
                    return
                pieces = [self._heard.get() for _ in range(self._heard.qsize())]
                sound = np.concatenate(pieces) if pieces else None
                yield Moment(time.monotonic() - began, cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), sound)
        finally:
            self._camera.release()
            if self._microphone is not None:
                self._microphone.close()


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Recognise emotion live, by camera and microphone')
    add_model_arguments(parser)
    parser.add_argument('--source', help='a video file in place of camera and microphone')
    parser.add_argument('--camera', type=int, default=0, help='number of the camera (%(default)s)')
    parser.add_argument('--no-microphone', action='store_true', help='pictures alone')
    parser.add_argument('--no-window', action='store_true', help='show nothing, print only')
    parser.add_argument('--max-seconds', type=float, default=float('inf'), help='end after so long')
    return parser.parse_args(argv)


def recognise(inferencer: EmotionInferencer, record: dict[str, Any], streams: Sequence[str] | None) -> dict[str, Any]:
    """Returns the result of the last seconds."""
    answer = inferencer(record, window_seconds=float('inf'), streams=streams, on_error='skip')
    return answer['predictions'][0]


def line_of(result: dict[str, Any], seconds: float) -> str:
    """Returns a result in one line of JSON."""
    keys = ('label', 'scores', 'values', 'streams', 'face_coverage', 'error')
    known = {key: result[key] for key in keys if result.get(key) is not None}
    return json.dumps(dict(seconds=round(seconds, 2), **known))


class Display:
    """Shows the picture of the camera with the last result beside it."""

    def __init__(self, is_shown: bool) -> None:
        self._is_shown = is_shown
        self._painter: Painter | None = None

    def update(self, result: dict[str, Any]) -> None:
        """Takes a new result."""
        if self._is_shown and 'error' not in result:
            self._painter = Painter(result)

    def show(self, frame: np.ndarray) -> bool:
        """Shows a frame; returns whether the user wants to go on.

        Raises:
            OSError: If there is no display.
        """
        if not self._is_shown:
            return True
        picture = frame if self._painter is None else self._painter.paint(frame, self._painter.last_seconds)
        try:
            cv2.imshow(TITLE, np.ascontiguousarray(picture[..., ::-1]))
            return cv2.waitKey(1) & 0xFF not in (ord('q'), 27)
        except cv2.error as error:
            raise OSError('no window can be opened here; --no-window prints only') from error


def run(args: argparse.Namespace) -> None:
    """Recognises until the source ends, the user does, or the time is over."""
    inferencer = build_inferencer(args)
    has_sound = not args.no_microphone and 'audio' in (args.streams or inferencer.streams)
    source: Source = FileSource(args.source, has_sound) if args.source else LiveSource(args.camera, has_sound)
    settings = inferencer.settings(args.window_seconds, args.stride_seconds, args.streams)
    window = settings.window_seconds or settings.window_frames / settings.nominal_fps
    stride = settings.stride_seconds or window / 2
    if window == float('inf'):
        raise ValueError('a running recording has no end: --window-seconds must be a number')
    recent, display = RollingClip(window, source.sample_rate_hz), Display(not args.no_window)
    due, running, asked = window, None, 0.0
    with ThreadPoolExecutor(1) as worker:
        for moment in source.moments():
            recent.add_frame(moment.frame, moment.seconds)
            if moment.sound is not None:
                recent.add_sound(moment.sound)
            if running is None and moment.seconds >= due:
                running, asked = worker.submit(recognise, inferencer, recent.clip(), args.streams), moment.seconds
                due = max(due + stride, moment.seconds)
            if running is not None and (running.done() or not source.is_live):
                tell(running, asked, display)
                running = None
            if not display.show(moment.frame) or moment.seconds >= args.max_seconds:
                break
        if running is not None:
            tell(running, asked, display)


def tell(running: Future[dict[str, Any]], seconds: float, display: Display) -> None:
    """Prints and shows a result."""
    result = running.result()
    print(line_of(result, seconds), flush=True)
    display.update(result)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Recognises."""
    args = parse_args(argv)
    with suppress(KeyboardInterrupt):  # the usual way to end it
        run(args)
    return 0


if __name__ == '__main__':
    sys.exit(main())

"""Analyse uploads, independently of the web framework."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from mmengine.logging import print_log

from hicmae_mm.apis.clip import NO_FACE
from hicmae_mm.apis.further import TEXT
from hicmae_mm.apis.inferencer import EmotionInferencer
from hicmae_mm.apis.settings import test_dataset
from hicmae_mm.apis.web import problems
from hicmae_mm.apis.web.limits import Limits, check_media
from hicmae_mm.apis.web.pictures import face_strip, spectrogram
from hicmae_mm.apis.web.stops import CheckStop, Stop
from hicmae_mm.apis.web.view import Pictures, problem_view, result_view
from hicmae_mm.datasets.clips.inputs import ClipInput
from hicmae_mm.datasets.clips.media import OpenClip
from hicmae_mm.datasets.clips.transcripts import Transcript, parse_transcript
from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.synthetic.corpus import is_synthetic_corpus
from hicmae_mm.datasets.transforms import OpenVideo
from hicmae_mm.kernels.heap import Heap
from hicmae_mm.visualization.timeline import read_envelope

_STRIP_LENGTH = 12
_HEAP = Heap(allowance_bytes=4 * 2**20)  # one clip takes a second, and returning its memory milliseconds
_LOG = 'current'
_VIDEO_BACKEND = 'pyav'  # its recent FFmpeg reads recordings of browsers, whose headers state no length


@dataclass(frozen=True)
class Windows:
    """Settings for cutting clips; see :class:`~hicmae_mm.apis.EmotionInferencer`.

    Attributes:
        window_seconds: Length of a window.
        stride_seconds: Time from the start of one window to the start of the next.
        streams: Names of the model's streams to use.
    """

    window_seconds: float | None = None
    stride_seconds: float | None = None
    streams: Sequence[str] | None = None


class EmotionService:
    """Turns media files into views of the page.

    Args:
        make_inferencer: Function that builds an inferencer.
        limits: Limits for uploads.
        windows: Settings for cutting clips.
        num_models: Number of clips that are analysed at the same time. Each has its own model, because models and face
            croppers have state.

    Raises:
        ValueError: If an option is out of range, or the model cannot be used.
    """

    def __init__(
        self,
        make_inferencer: Callable[[], EmotionInferencer],
        limits: Limits | None = None,
        windows: Windows | None = None,
        num_models: int = 1,
    ) -> None:
        if num_models < 1:
            raise ValueError(f'num_models must be at least 1, got {num_models}')
        self.limits, self.windows, self.num_models = limits or Limits(), windows or Windows(), num_models
        self._idle: SimpleQueue[tuple[EmotionInferencer, CheckStop]] = SimpleQueue()
        # the threads are reused, because each new thread would allocate its own buffers and helper threads
        self._threads = ThreadPoolExecutor(num_models, 'analysis')
        first = make_inferencer()
        settings = first.settings(self.windows.window_seconds, self.windows.stride_seconds, self.windows.streams)
        self.streams, self.may_lack_streams = settings.streams, settings.may_lack_streams
        self.media = settings.media
        self.texts = tuple(
            name for name in self.streams if name in first.readings and first.readings[name].kind == TEXT
        )
        self._check_inputs()
        self.model = first.name
        self.is_synthetic = _is_synthetic(first)
        for inferencer in (first, *(make_inferencer() for _ in range(num_models - 1))):
            for step in inferencer.pipeline:
                if isinstance(step, OpenVideo):
                    step.backend = _VIDEO_BACKEND
            check = CheckStop()
            inferencer.pipeline.append(check)
            self._idle.put((inferencer, check))

    def _check_inputs(self) -> None:
        """Refuses models whose streams cannot be given on a page."""
        others = [name for name in self.streams if name not in (*self.media, *self.texts)]
        if not self.media or (others and not self.may_lack_streams):
            raise ValueError(
                f'the page takes recordings and words, but the model needs {" and ".join(others or self.streams)}; use '
                'emotion_demo.py --give, or EmotionInferencer'
            )

    @property
    def takes_sound_alone(self) -> bool:
        """Returns whether recordings without pictures are accepted."""
        return 'audio' in self.media and (self.may_lack_streams or self.media == ('audio',))

    def view(self, path: Path | None, stop: Stop | None = None, words: str = '') -> dict[str, Any]:
        """Analyses a file and makes the view of its result or of its problem.

        Args:
            path: The file. None means that nothing was uploaded.
            stop: Stops the analysis.
            words: Text that is spoken, for a model with a stream of text.

        Returns:
            See :func:`~hicmae_mm.apis.web.view.result_view` and :func:`~hicmae_mm.apis.web.view.problem_view`.
        """
        try:
            return self.analyse(path, stop, words)
        except problems.VisitorError as problem:
            return problem_view(problem)

    def analyse(self, path: Path | None, stop: Stop | None = None, words: str = '') -> dict[str, Any]:
        """Analyses a file and makes the view of its result.

        Args:
            path: The file. None means that nothing was uploaded.
            stop: Stops the analysis.
            words: Text that is spoken, for a model with a stream of text.

        Returns:
            See :func:`~hicmae_mm.apis.web.view.result_view`.

        Raises:
            VisitorError: If there is no result. Its text is written for visitors.
        """
        if path is None:
            raise problems.nothing_chosen()
        stop = stop or Stop(self.limits.max_analysis_seconds)
        try:
            return self._threads.submit(self._in_words, path, stop, words).result()
        except problems.VisitorError as problem:
            problem.file = path.name
            raise

    def _in_words(self, path: Path, stop: Stop, words: str) -> dict[str, Any]:
        """Analyses; whatever goes wrong is a VisitorError."""
        try:
            return self._analyse(path, stop, words)
        except problems.VisitorError:
            raise
        except Exception as error:
            if stop.is_asked:  # the visitor has removed the file, so any error can be a consequence of that
                print_log('analysis stopped: the visitor has left', _LOG, logging.INFO)
                raise problems.stopped() from None
            # this is a fault of the program, so the log must show it
            print_log(f'analysis failed: {type(error).__name__}: {error}', _LOG, logging.ERROR)
            raise problems.unexpected() from error

    def _analyse(self, path: Path, stop: Stop, words: str) -> dict[str, Any]:
        try:
            stop.check()
            if len(words) > problems.LONGEST_TEXT:
                raise problems.too_many_words()
            found = check_media(path, self.limits)
            self._check_complete(found, words)
            # as a transcript, because a text could be the name of a file of this server
            given = _transcript_of(words)
            clip = ClipInput(
                path.name, path if 'video' in found else None, path, others=dict.fromkeys(self.texts, given)
            )
            result = self._infer(clip, stop)
            stop.check()
            return result_view(result, _pictures(result, clip), 'video' in found)
        finally:
            _HEAP.trim()

    def _check_complete(self, found: Collection[str], words: str) -> None:
        """Refuses a recording that lacks what the model needs."""
        missing = [name for name in self.media if name not in found]
        if missing and (not self.may_lack_streams or len(missing) == len(self.media)):
            raise problems.lacks(missing[0], self.media)
        if self.texts and not words.strip() and not self.may_lack_streams:
            raise problems.no_words()

    def _infer(self, clip: ClipInput, stop: Stop) -> dict[str, Any]:
        inferencer, check = self._idle.get()
        check.stop = stop
        try:
            result: dict[str, Any] = inferencer(clip, on_error='skip', **vars(self.windows))['predictions'][0]
        finally:
            check.stop = Stop()
            self._idle.put((inferencer, check))
        if 'error' in result:
            stop.check()  # if the visitor has removed the file, the file itself has no fault
            raise _problem_of(result['error'])
        return result


def _transcript_of(words: str) -> Transcript:
    try:
        return parse_transcript(words)
    except MediaError:
        raise problems.broken_times() from None


def _problem_of(error: str) -> problems.VisitorError:
    print_log(f'no result: {error}', _LOG, logging.INFO)
    return problems.no_face() if NO_FACE in error else problems.cannot_score()


def _pictures(result: dict[str, Any], clip: ClipInput) -> Pictures:
    """Reads the pictures that the page shows with the scores, and leaves them out if they cannot be read."""
    try:
        with OpenClip(clip, ('video', 'audio'), _VIDEO_BACKEND) as opened:
            seconds = result['duration_seconds']
            strip = [] if opened.video is None else face_strip(opened.video, result['faces'], seconds, _STRIP_LENGTH)
            sound = None if opened.audio is None else spectrogram(opened.audio)
            return Pictures(read_envelope(opened.audio), sound, strip)
    except MediaError as error:
        print_log(f'no pictures: {error}', _LOG, logging.INFO)
        return Pictures()


def _is_synthetic(inferencer: EmotionInferencer) -> bool:
    """Tells whether the model was trained on synthetic data only, as the model of the quickstart is."""
    cfg = inferencer.cfg
    root = test_dataset(cfg).get('data_root')
    if any('synthetic' in str(name).lower() for name in (inferencer.name, cfg.filename, root)):
        return True
    return root is not None and is_synthetic_corpus(Path(root))

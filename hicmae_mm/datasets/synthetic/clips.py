"""Makes one clip: an actor speaks for a few seconds with one emotion, under the conditions of one recording."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from hicmae_mm.datasets.synthetic.drawing import draw_face
from hicmae_mm.datasets.synthetic.faces import EXPRESSIONS, Expression, FaceIdentity, HeadPose, sample_face
from hicmae_mm.datasets.synthetic.voices import (
    SAMPLE_RATE_HZ,
    STYLES,
    VoiceIdentity,
    sample_voice,
    synthesize_speech,
)

EXPRESSION_AND_STYLE = {
    'ANG': ('scowl', 'excited'),
    'DIS': ('scowl', 'tense'),
    'FEA': ('distress', 'tense'),
    'HAP': ('smile', 'excited'),
    'NEU': ('smile', 'subdued'),
    'SAD': ('distress', 'subdued'),
}
"""How each emotion looks and sounds.

The six lie on a ring: ANG and DIS share a scowl, DIS and FEA a tense voice, FEA and SAD a distressed face, SAD and NEU
a subdued voice, NEU and HAP a (polite or happy) smile, HAP and ANG an excited voice. So a perfect observer of the
picture alone, or of the sound alone, is right half of the time, while both together determine the emotion.
"""


_EXPOSURE = 125.0  # mean brightness that the camera's exposure meter, pointed at the face, aims at


@dataclass(frozen=True)
class Actor:
    """Describes a person: a face and a voice."""

    face: FaceIdentity
    voice: VoiceIdentity


def sample_actor(rng: np.random.Generator) -> Actor:
    """Draws a person."""
    return Actor(face=sample_face(rng), voice=sample_voice(rng))


@dataclass(frozen=True)
class RecordedClip:
    """Stores a clip, and what is known of each of its frames.

    Attributes:
        frames: The frames, each ``(image_size, image_size, 3)`` uint8 RGB, drawn as they are asked for.
        waveform: The sound, ``(S,)`` float64 in -1..1 at 16 kHz, of the same length.
        expression: Movements of the face at full strength.
        strengths: ``(T,)``, share of that expression in each frame; about 0.4 at the start and 1 when it has grown.
    """

    frames: Iterator[np.ndarray]
    waveform: np.ndarray
    expression: Expression
    strengths: np.ndarray


def make_clip(
    actor: Actor, emotion: str, rng: np.random.Generator, image_size: int = 96, fps: float = 25.0
) -> tuple[Iterator[np.ndarray], np.ndarray]:
    """Acts and records one clip of 2.6 to 3.0 s.

    Args:
        actor: The person who acts.
        emotion: One of :data:`EXPRESSION_AND_STYLE`.
        rng: Source of every random choice; the same state gives the same clip.
        image_size: Height and width of the picture (pixels).
        fps: Frames per second.

    Returns:
        The frames, each ``(image_size, image_size, 3)`` uint8 RGB, drawn as they are asked for, and the sound,
        ``(S,)`` float64 in -1..1 at 16 kHz, of the same length.

    Raises:
        ValueError: If the emotion is unknown.
    """
    clip = record_clip(actor, emotion, rng, image_size, fps)
    return clip.frames, clip.waveform


def record_clip(
    actor: Actor, emotion: str, rng: np.random.Generator, image_size: int = 96, fps: float = 25.0
) -> RecordedClip:
    """Acts and records one clip, as :func:`make_clip` does, and says what each frame shows.

    Raises:
        ValueError: If the emotion is unknown.
    """
    if emotion not in EXPRESSION_AND_STYLE:
        raise ValueError(f'unknown emotion {emotion!r}, expected one of {sorted(EXPRESSION_AND_STYLE)}')
    look, style = EXPRESSION_AND_STYLE[emotion]
    num_frames = int(rng.integers(round(2.6 * fps), round(3.0 * fps) + 1))
    seconds = num_frames / fps
    speech, opening = synthesize_speech(actor.voice, STYLES[style].varied(rng, 0.1), seconds, rng)
    expression = EXPRESSIONS[look].scaled(rng.uniform(0.85, 1.15)).varied(rng, 0.07)
    frame_times = np.arange(num_frames) / fps
    mouth = np.interp(frame_times, np.linspace(0, seconds, len(opening)), opening)
    frames, strengths = _film(actor.face, expression, frame_times, mouth, image_size, rng.spawn(1)[0])
    return RecordedClip(frames, _record(speech, rng), expression, strengths)


def _record(speech: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Adds the microphone and the room: gain, colouring, a short echo, and background noise at 18 to 36 dB."""
    spectrum = np.fft.rfft(speech)
    octaves = np.log2(np.maximum(np.fft.rfftfreq(len(speech), 1 / SAMPLE_RATE_HZ), 125.0) / 1000.0)
    spectrum *= 10 ** (rng.normal(0, 0.5) * octaves / 20)
    coloured = np.fft.irfft(spectrum, len(speech))
    delay = int(rng.uniform(0.012, 0.045) * SAMPLE_RATE_HZ)
    coloured[delay:] += rng.uniform(0, 0.3) * coloured[:-delay]
    noise_spectrum = np.fft.rfft(rng.standard_normal(len(speech))) / 2 ** (rng.uniform(0, 0.5) * (octaves + 3))
    noise = np.fft.irfft(noise_spectrum, len(speech))
    noise /= np.sqrt(np.mean(noise**2))
    reference = 10 ** (-23 / 20)
    sound = coloured + noise * reference * 10 ** (-rng.uniform(18, 36) / 20)
    sound *= 10 ** (rng.normal(0, 2.5) / 20)
    return np.tanh(sound)


def _film(
    face: FaceIdentity,
    expression: Expression,
    times: np.ndarray,
    mouth: np.ndarray,
    image_size: int,
    rng: np.random.Generator,
) -> tuple[Iterator[np.ndarray], np.ndarray]:
    """Returns the frames, drawn as they are asked for, and the strength of the expression in each, ``(T,)``."""
    background = _draw_background(image_size, rng)
    light = _draw_light(image_size, rng)
    poses = _move_head(expression, times, rng)
    at_rest = draw_face(background, face, Expression(), poses[0], 0.0, 0.0) * light
    exposed_light = (_EXPOSURE / _middle_of(at_rest).mean()) ** 0.8 * light
    noise_level = rng.uniform(0.5, 3.0)
    blinks = _plan_blinks(times, rng)
    onset_seconds, articulation = rng.uniform(0.1, 0.5), rng.uniform(0.55, 1.0)
    strengths: np.ndarray = (
        0.45 + 0.55 * np.clip(times / onset_seconds, 0, 1) + 0.06 * np.sin(2 * np.pi * times / 1.7 + rng.uniform(0, 6))
    )

    def draw() -> Iterator[np.ndarray]:
        for index, pose in enumerate(poses):
            drawn = draw_face(
                background, face, expression.scaled(strengths[index]), pose, articulation * mouth[index], blinks[index]
            )
            # one plane of grain for the three colours: cheaper, and kinder to the video encoder
            grain = noise_level * rng.standard_normal((image_size, image_size, 1), dtype=np.float32)
            picture = drawn * exposed_light
            picture += grain
            yield picture.clip(0, 255, out=picture).astype(np.uint8)

    return draw(), strengths


def _move_head(expression: Expression, times: np.ndarray, rng: np.random.Generator) -> list[HeadPose]:
    """Makes the head wander slowly, with the expression's movement: shaking, nodding, swaying, and drooping."""
    phase = rng.uniform(0, 2 * np.pi, 8)
    rate = rng.uniform(0.8, 1.25)

    def wave(rate_hz: float, index: int) -> np.ndarray:
        values: np.ndarray = np.sin(2 * np.pi * rate_hz * rate * times + phase[index])
        return values

    yaw = rng.normal(0, 0.07) + 0.05 * wave(0.35, 0) + 0.1 * expression.shake * wave(1.6, 1)
    pitch = rng.normal(0, 0.04) + 0.03 * wave(0.45, 2) + 0.1 * expression.nod * wave(1.3, 3) + 0.12 * expression.droop
    roll = rng.normal(0, 0.03) + 0.02 * wave(0.3, 4) + 0.07 * expression.sway * wave(0.5, 5)
    shiver = 0.006 * expression.tremble * rng.standard_normal(len(times))
    x = 0.5 + rng.uniform(-0.02, 0.02) + 0.01 * wave(0.4, 6) + shiver
    y = 0.5 + rng.uniform(-0.02, 0.02) + 0.01 * wave(0.5, 7) + 0.02 * expression.droop
    scale = rng.uniform(0.47, 0.52) * (1 + 0.03 * expression.shake * wave(0.8, 1))
    return [HeadPose(*map(float, values)) for values in zip(yaw, pitch, roll, x, y, scale, strict=True)]


def _plan_blinks(times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    closed = np.zeros(len(times))
    moment = rng.uniform(0, 3)
    while moment < times[-1]:
        closed = np.maximum(closed, np.clip(1.3 - np.abs(times - moment) / 0.08, 0, 1))
        moment += rng.uniform(1.0, 4.0)
    return closed


def _middle_of(picture: np.ndarray) -> np.ndarray:
    size = picture.shape[0]
    return picture[size // 3 : 5 * size // 6, size // 3 : 2 * size // 3]


def _draw_background(image_size: int, rng: np.random.Generator) -> np.ndarray:
    """Draws a blurred room: two colours that blend into each other, and a few things on the wall."""
    top, bottom = _muted_colour(rng), _muted_colour(rng)
    run = np.linspace(0, 1, image_size)[:, None, None]
    picture = np.ascontiguousarray(np.broadcast_to(top + (bottom - top) * run, (image_size, image_size, 3)))
    for _ in range(int(rng.integers(1, 5))):
        corner = rng.uniform(-0.1, 0.9, 2) * image_size
        size = rng.uniform(0.1, 0.5, 2) * image_size
        colour = tuple(_muted_colour(rng).tolist())
        cv2.rectangle(picture, corner.astype(int).tolist(), (corner + size).astype(int).tolist(), colour, -1)
    return cv2.GaussianBlur(picture, (0, 0), image_size * rng.uniform(0.01, 0.04)).clip(0, 255).astype(np.uint8)


def _muted_colour(rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(50, 210) + rng.uniform(-8, 8, 3)


def _draw_light(image_size: int, rng: np.random.Generator) -> np.ndarray:
    """Draws the light of a lamp at one side and its colour: a factor per pixel and channel, ``(H, W, 3)``."""
    angle = rng.uniform(0, 2 * np.pi)
    grid = np.linspace(-1, 1, image_size, dtype=np.float32)
    slope = np.cos(angle) * grid[None, :] + np.sin(angle) * grid[:, None]
    warmth = rng.normal(0, 0.02)
    colour = np.array([1 + warmth, 1.0, 1 - warmth], np.float32)
    light = rng.uniform(0.8, 1.1) * (1 + rng.uniform(0, 0.2) * slope)
    picture: np.ndarray = light[:, :, None].astype(np.float32) * colour
    return picture

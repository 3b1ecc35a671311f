"""Synthesised voices: a glottal pulse and breath noise, shaped by moving formants, speaking random syllables.

The source-filter model of speech (Fant, 1960). Pitch, loudness, tempo, breathiness and brightness follow a vocal
style; the mean pitch and the length of the vocal tract belong to the speaker; what is said is random.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy

SAMPLE_RATE_HZ = 16000
_CONTROL_RATE_HZ = 200  # pitch, envelope and formants are drawn at this rate
_FILTER_WINDOW = 512
_FILTER_HOP = 128
_OVERSAMPLING = 2  # the glottal pulse has no band limit of its own

# First three formants (Hz) of an average adult: a e i o u and a neutral vowel.
_VOWELS_HZ = np.array(
    [[730, 1150, 2440], [530, 1840, 2480], [290, 2250, 2950], [560, 880, 2410], [320, 870, 2240], [500, 1500, 2500]]
)
_FORMANT_BANDWIDTHS_HZ = np.array([80.0, 110.0, 160.0, 250.0])


@dataclass(frozen=True)
class VoiceIdentity:
    """Describes a speaker: mean pitch (Hz), formants relative to an average adult's, and two habits of the larynx."""

    pitch_hz: float
    formant_scale: float
    breathiness: float
    open_quotient: float


@dataclass(frozen=True)
class VocalStyle:
    """Describes how something is said.

    Attributes:
        pitch: Mean pitch relative to the speaker's own.
        pitch_range: Size of accents, in octaves.
        slope: Pitch change over the clip, in octaves.
        syllables_per_second: Tempo of the speech.
        pause_chance: Chance of a pause after a syllable.
        loudness_db: Level against a common reference.
        tilt_db_per_octave: Fall of the spectrum above 500 Hz, on top of the pulse's own; negative is duller.
        breathiness: Added breath noise, relative to the voice.
        tremor: Depth of a 5 to 8 Hz trembling of pitch, in octaves, and of loudness.
        jitter: Irregularity from pulse to pulse.
        formant_shift: Formants relative to relaxed speech (a tense throat raises them).
        attack_seconds: Rise time of a syllable.
    """

    pitch: float
    pitch_range: float
    slope: float
    syllables_per_second: float
    pause_chance: float
    loudness_db: float
    tilt_db_per_octave: float
    breathiness: float
    tremor: float
    jitter: float
    formant_shift: float
    attack_seconds: float

    def varied(self, rng: np.random.Generator, spread: float) -> VocalStyle:
        """Draws one utterance of the style: every property varies a little, in proportion to ``spread``."""
        return replace(
            self,
            pitch=self.pitch * 2 ** (0.5 * spread * rng.standard_normal()),
            pitch_range=self.pitch_range * np.exp(spread * rng.standard_normal()),
            slope=self.slope + 0.5 * spread * rng.standard_normal(),
            syllables_per_second=self.syllables_per_second * np.exp(0.6 * spread * rng.standard_normal()),
            loudness_db=self.loudness_db + 10 * spread * rng.standard_normal(),
            tilt_db_per_octave=self.tilt_db_per_octave + 8 * spread * rng.standard_normal(),
            breathiness=self.breathiness * np.exp(2 * spread * rng.standard_normal()),
            formant_shift=self.formant_shift * (1 + 0.2 * spread * rng.standard_normal()),
        )


STYLES = {
    'excited': VocalStyle(
        pitch=1.45, pitch_range=0.55, slope=0.1, syllables_per_second=5.6, pause_chance=0.04, loudness_db=4.0,
        tilt_db_per_octave=2.5, breathiness=0.01, tremor=0.0, jitter=0.004, formant_shift=1.04, attack_seconds=0.02,
    ),
    'tense': VocalStyle(
        pitch=1.1, pitch_range=0.18, slope=0.15, syllables_per_second=4.4, pause_chance=0.22, loudness_db=0.0,
        tilt_db_per_octave=-0.5, breathiness=0.4, tremor=0.14, jitter=0.02, formant_shift=1.1, attack_seconds=0.03,
    ),
    'subdued': VocalStyle(
        pitch=0.88, pitch_range=0.1, slope=-0.3, syllables_per_second=3.4, pause_chance=0.1, loudness_db=-4.0,
        tilt_db_per_octave=-7.0, breathiness=0.02, tremor=0.0, jitter=0.004, formant_shift=0.97, attack_seconds=0.08,
    ),
}  # fmt: skip


def sample_voice(rng: np.random.Generator) -> VoiceIdentity:
    """Draws an actor's voice: low and large, or high and small, never the one with the other."""
    is_high = rng.random() < 0.5
    return VoiceIdentity(
        pitch_hz=rng.uniform(175, 225) if is_high else rng.uniform(95, 135),
        formant_scale=rng.uniform(1.08, 1.2) if is_high else rng.uniform(0.92, 1.04),
        breathiness=rng.uniform(0.005, 0.03),
        open_quotient=rng.uniform(0.55, 0.7),
    )


def synthesize_speech(
    voice: VoiceIdentity, style: VocalStyle, seconds: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Speaks random syllables.

    Args:
        voice: Voice of the speaker.
        style: Manner of speaking.
        seconds: Length of the sound (s).
        rng: Source of every random choice.

    Returns:
        The waveform ``(seconds * 16000,)``, float64 at a level of about -23 dB for 0 dB of style loudness, and how far
        the mouth is open, ``(seconds * 200,)`` in 0..1.
    """
    envelope, voicing, formants_hz = _plan_syllables(voice, style, seconds, rng)
    pitch_hz = _plan_pitch(voice, style, envelope, rng)
    shake = 1 + 2.5 * style.tremor * _tremor(len(envelope), rng)
    source = _glottal_source(voice, style, pitch_hz, voicing * envelope * shake, rng)
    noise = rng.standard_normal(len(source))
    breath = (style.breathiness + voice.breathiness) * _upsampled(envelope, len(source)) * noise
    hiss = 0.12 * _upsampled(envelope * (1 - voicing), len(source)) * np.diff(noise, prepend=0.0)
    wave = _filtered(source + breath, style, formants_hz) + hiss
    level = 10 ** ((style.loudness_db - 23) / 20)
    wave = wave * level / (np.sqrt(np.mean(wave**2)) + 1e-9)
    opening = np.convolve(envelope, np.hanning(17) / np.hanning(17).sum(), mode='same')
    return wave[: round(seconds * SAMPLE_RATE_HZ)], opening / (opening.max() + 1e-9)


def _plan_syllables(
    voice: VoiceIdentity, style: VocalStyle, seconds: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draws consonants, vowels and pauses: envelope and voicing ``(C,)``, formants ``(C, 4)`` (Hz)."""
    count = round(seconds * _CONTROL_RATE_HZ)
    times = np.arange(count) / _CONTROL_RATE_HZ
    envelope, voicing = np.zeros(count), np.ones(count)
    targets, target_times = [], []
    start = rng.uniform(0.02, 0.25)
    while start < seconds - 0.15:
        length = min(rng.uniform(0.75, 1.3) / style.syllables_per_second, seconds - 0.05 - start)
        consonant = rng.uniform(0.03, 0.07)
        inside = (times >= start) & (times < start + length)
        since, left = times[inside] - start - consonant, start + length - times[inside]
        vowel = np.clip(since / style.attack_seconds, 0, 1) * np.clip(left / 0.06, 0, 1)
        stress = rng.uniform(0.55, 1.0)
        is_voiceless = rng.random() < 0.5
        envelope[inside] = stress * np.where(since < 0, 0.25, np.sin(0.5 * np.pi * vowel))
        voicing[inside] = np.where(since < 0, 0.0 if is_voiceless else 0.7, 1.0)
        targets.append(_VOWELS_HZ[rng.integers(len(_VOWELS_HZ))] * rng.uniform(0.95, 1.05, 3))
        target_times.append(start + 0.5 * (consonant + length))
        start += length + (rng.uniform(0.12, 0.4) if rng.random() < style.pause_chance else 0.0)
    scale = voice.formant_scale * style.formant_shift
    formants = np.stack([np.interp(times, target_times, track) for track in np.array(targets).T], axis=1) * scale
    fourth = np.full((count, 1), 3500.0 * voice.formant_scale)
    return envelope, voicing, np.concatenate([formants, fourth], axis=1)


def _plan_pitch(voice: VoiceIdentity, style: VocalStyle, envelope: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    count = len(envelope)
    position = np.linspace(-0.5, 0.5, count)
    knots = rng.standard_normal(max(3, round(count / _CONTROL_RATE_HZ * style.syllables_per_second)))
    accents = np.interp(position, np.linspace(-0.5, 0.5, len(knots)), knots)
    octaves = style.slope * position + 0.6 * style.pitch_range * (accents + envelope - 0.5)
    octaves = octaves + style.tremor * _tremor(count, rng) + style.jitter * rng.standard_normal(count)
    pitch_hz: np.ndarray = np.clip(voice.pitch_hz * style.pitch * 2**octaves, 55, 600)
    return pitch_hz


def _tremor(count: int, rng: np.random.Generator) -> np.ndarray:
    rate_hz = 6.5 + 1.5 * np.interp(np.arange(count), np.linspace(0, count, 8), rng.uniform(-1, 1, 8))
    return np.sin(2 * np.pi * np.cumsum(rate_hz) / _CONTROL_RATE_HZ + rng.uniform(0, 6.28))


def _upsampled(track: np.ndarray, num_samples: int) -> np.ndarray:
    samples: np.ndarray = np.interp(np.linspace(0, len(track) - 1, num_samples), np.arange(len(track)), track)
    return samples


def _glottal_source(
    voice: VoiceIdentity, style: VocalStyle, pitch_hz: np.ndarray, strength: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Returns the derivative of Rosenberg's glottal pulse (1971): a slow opening, a fast closing, and rest."""
    num_samples = round(len(pitch_hz) / _CONTROL_RATE_HZ * SAMPLE_RATE_HZ) * _OVERSAMPLING
    cycles = np.cumsum(_upsampled(pitch_hz, num_samples)) / (SAMPLE_RATE_HZ * _OVERSAMPLING)
    phase = cycles % 1.0
    shimmer = 1 + 8 * style.jitter * rng.standard_normal(int(cycles[-1]) + 2)
    rising = 0.68 * voice.open_quotient
    falling = voice.open_quotient - rising
    opening = 0.5 * np.pi / rising * np.sin(np.pi * phase / rising)
    closing = -0.5 * np.pi / falling * np.sin(0.5 * np.pi * (phase - rising) / falling)
    flow = np.where(phase < rising, opening, np.where(phase < voice.open_quotient, closing, 0.0))
    pulses = 0.2 * flow * shimmer[cycles.astype(int)] * _upsampled(strength, num_samples)
    source: np.ndarray = scipy.signal.resample_poly(pulses, 1, _OVERSAMPLING)
    return source


def _filtered(source: np.ndarray, style: VocalStyle, formants_hz: np.ndarray) -> np.ndarray:
    """Applies the formants, frame by frame, in the short-time spectrum."""
    overlap = _FILTER_WINDOW - _FILTER_HOP
    frequencies, times, spectrum = scipy.signal.stft(source, SAMPLE_RATE_HZ, nperseg=_FILTER_WINDOW, noverlap=overlap)
    index = np.clip((times * _CONTROL_RATE_HZ).astype(int), 0, len(formants_hz) - 1)
    centres = formants_hz[index]  # (frames, 4)
    gain = np.ones((len(frequencies), len(times)))
    for formant in range(centres.shape[1]):
        centre, width = centres[:, formant], _FORMANT_BANDWIDTHS_HZ[formant]
        # magnitude of a two-pole resonator with unit gain at 0 Hz
        power = (centre**2 - frequencies[:, None] ** 2) ** 2 + (width * frequencies[:, None]) ** 2
        gain *= np.maximum(centre**2 / np.sqrt(power), 0.3)  # the floor stands for the higher formants
    octaves = np.log2(np.maximum(frequencies, 500.0) / 500.0)
    gain *= 10 ** (style.tilt_db_per_octave * octaves / 20)[:, None]
    wave: np.ndarray = scipy.signal.istft(spectrum * gain, SAMPLE_RATE_HZ, nperseg=_FILTER_WINDOW, noverlap=overlap)[1]
    return wave[: len(source)]

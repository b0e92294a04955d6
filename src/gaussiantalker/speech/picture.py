"""What an encoder hears, to look at: waveform and silence, mel spectrogram, phones and features, one under another."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gaussiantalker.speech.mel import HOP, WINDOW, log_mel
from gaussiantalker.speech.phones import SILENCE, VISEME_OF, VISEMES, Phone
from gaussiantalker.speech.silence import voiced
from gaussiantalker.timing import FPS, SAMPLE_RATE

_PIXELS_PER_SECOND = 100
_WIDEST = 3_000  # pixels: longer sound is drawn at fewer pixels a second
_WAVE, _PHONE, _FEATURE = 90, 22, 6  # heights in pixels: of the waveform, of the phones, of a feature channel
_GAP = 6
_FAINT = -3.0  # log10 power: silence is not made as bright as speech
_FRAMES = 2_000  # mel frames computed at a time: hours of sound need little memory
_INK, _PAPER, _SILENT = (35, 60, 110), (255, 255, 255), (232, 232, 232)
_HEAT = np.array([(8, 8, 30), (85, 20, 110), (190, 55, 85), (250, 140, 40), (252, 250, 190)], float)
_COOL = np.array([(40, 80, 170), (245, 245, 245), (180, 50, 40)], float)


def draw(audio: np.ndarray, phones: Sequence[Phone] = (), features: np.ndarray | None = None) -> np.ndarray:
    """A picture, uint8 [H, W, 3], of 16 kHz sound [S]; `features` [2F, C] are drawn at -3 .. 3, as projected."""
    seconds = max(len(audio) / SAMPLE_RATE, 1 / FPS)
    width = int(np.clip(np.ceil(seconds * _PIXELS_PER_SECOND), 1, _WIDEST))
    rows = [_waveform(audio, width, seconds), _spectrogram(audio, width)]
    if phones:
        rows.append(_phone_row(phones, width, seconds))
    if features is not None and len(features):
        scaled = np.clip(_columns(features, width).T / 6 + 0.5, 0, 1)
        rows.append(_coloured(np.repeat(scaled, _FEATURE, axis=0), _COOL))
    gap = np.full((_GAP, width, 3), _PAPER, np.uint8)
    return np.concatenate([part for row in rows for part in (row, gap)][:-1])


def _waveform(audio: np.ndarray, width: int, seconds: float) -> np.ndarray:
    """Lowest to highest sample in each column; silence, as the gate marks it, is grey."""
    picture = np.full((_WAVE, width, 3), _PAPER, np.uint8)
    marks = voiced(audio)
    times = (np.arange(width) + 0.5) / width * seconds
    if len(marks):
        picture[:, ~marks[np.minimum((times * FPS).astype(int), len(marks) - 1)]] = _SILENT
    edges = np.linspace(0, len(audio), width + 1).astype(int)
    height = np.arange(_WAVE)
    for column, (start, stop) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        piece = audio[start : max(stop, start + 1)] if len(audio) else np.zeros(1)
        top, bottom = (_WAVE - 1) * (1 - np.clip([piece.max(), piece.min()], -1, 1)) / 2
        picture[(height >= np.floor(top)) & (height <= np.ceil(bottom)), column] = _INK
    return picture


def _spectrogram(audio: np.ndarray, width: int) -> np.ndarray:
    spectra = _mel(audio)
    top = max(spectra.max(), _FAINT)
    return _coloured(np.repeat(_columns(np.clip((spectra - top) / 6 + 1, 0, 1), width).T[::-1], 2, axis=0), _HEAT)


def _mel(audio: np.ndarray) -> np.ndarray:
    """Log-mel frames [T, 80] from the first sample on; of long sound, their means, so that T stays in the thousands."""
    group = max(1, len(audio) // (4 * _WIDEST * HOP))
    step, parts = group * max(1, _FRAMES // group) * HOP, []
    for start in range(0, max(len(audio), 1), step):
        piece = audio[start : start + step + WINDOW - HOP]
        groups = max(1, -(-min(step, len(audio) - start) // (group * HOP)))
        whole = groups * group * HOP + WINDOW - HOP
        frames = log_mel(np.pad(piece, (0, max(0, whole - len(piece))))[:whole])
        parts.append(frames.reshape(groups, group, -1).mean(axis=1))
    return np.concatenate(parts)


def _phone_row(phones: Sequence[Phone], width: int, seconds: float) -> np.ndarray:
    """A box for each phone, coloured by what the mouth does."""
    image = Image.new("RGB", (width, _PHONE), _PAPER)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(10)
    colours = dict(zip(VISEMES, _pastels(len(VISEMES)), strict=True))
    for phone in phones:
        left, right = (time / seconds * width for time in (phone.start, phone.end))
        if phone.name != SILENCE:
            pen.rectangle((left, 0, right, _PHONE), fill=colours[VISEME_OF[phone.name]], outline=_PAPER)
        if phone.name != SILENCE and pen.textlength(phone.name, font=font) < right - left:
            pen.text(((left + right) / 2, _PHONE / 2), phone.name, fill=(0, 0, 0), font=font, anchor="mm")
    return np.asarray(image)


def _pastels(count: int) -> list[tuple[int, int, int]]:
    turns = 2 * np.pi * (np.arange(count)[:, None] / count + np.array([0, 1, 2]) / 3)
    return [(int(red), int(green), int(blue)) for red, green, blue in 190 + 60 * np.cos(turns)]


def _columns(rows: np.ndarray, width: int) -> np.ndarray:
    """Rows in time [T, C] stretched or averaged to one for each column [width, C]."""
    if not len(rows):
        return np.zeros((width, rows.shape[1]), rows.dtype)
    edges = np.linspace(0, len(rows), width + 1)
    first = np.minimum(edges[:-1].astype(int), len(rows) - 1)
    counts = np.maximum(np.ceil(edges[1:]).astype(int) - first, 1)
    sums = np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(rows, axis=0, dtype=float)])
    last = np.minimum(first + counts, len(rows))
    return (sums[last] - sums[first]) / (last - first)[:, None]


def _coloured(values: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Values in 0 .. 1 [H, W] as colours between the anchors [A, 3]."""
    places = np.linspace(0, 1, len(anchors))
    return np.stack([np.interp(values, places, channel) for channel in anchors.T], axis=-1).astype(np.uint8)

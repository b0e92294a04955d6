"""LSE-C, LSE-D and offset by SyncNet (Chung and Zisserman 2016), with weights that the user brings.

No package ships them; `syncnet_v2.model` of its authors is what is expected. Face boxes are those of the landmarker,
where the authors' own script uses another detector; everything else follows their protocol.
"""

import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.fft import dct
from scipy.signal import medfilt
from torch import Tensor, nn

from gaussiantalker.capture.face_track import FaceTrack
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.timing import SAMPLE_RATE

SIDE = 224
_CLIP = 5  # frames that are looked at together, and the 20 rows of cepstra that go with them
_MAX_SHIFT = 15  # frames
_FEWEST_FRAMES = 100
_CROP_SCALE = 0.40
_GREY = 110
_MEDIAN = 13
_BATCH = 20
_ROWS_PER_FRAME = 4
_WINDOW, _HOP, _TRANSFORM = 400, 160, 512  # samples
_BANDS, _CEPSTRA, _LIFTER, _EMPHASIS = 26, 13, 22, 0.97
_SMALLEST = np.finfo(float).eps


@dataclass(frozen=True)
class SyncScore:
    """Confidence (LSE-C, higher is better), distance (LSE-D, lower is better) and offset in frames."""

    confidence: float
    distance: float
    offset: int


class SyncNet(nn.Module):
    """Two streams, lips and sound, into one space of 1024 dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.netcnnlip = nn.Sequential(
            *_layer3(3, 96, (5, 7, 7), (1, 2, 2), 0),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_layer3(96, 256, (1, 5, 5), (1, 2, 2), (0, 1, 1)),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
            *_layer3(256, 256, (1, 3, 3), 1, (0, 1, 1)),
            *_layer3(256, 256, (1, 3, 3), 1, (0, 1, 1)),
            *_layer3(256, 256, (1, 3, 3), 1, (0, 1, 1)),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_layer3(256, 512, (1, 6, 6), 1, 0),
        )
        self.netcnnaud = nn.Sequential(
            *_layer2(1, 64, 3, 1),
            nn.MaxPool2d(1, 1),
            *_layer2(64, 192, 3, 1),
            nn.MaxPool2d((3, 3), (1, 2)),
            *_layer2(192, 384, 3, 1),
            *_layer2(384, 256, 3, 1),
            *_layer2(256, 256, 3, 1),
            nn.MaxPool2d((3, 3), (2, 2)),
            *_layer2(256, 512, (5, 4), 0),
        )
        self.netfclip, self.netfcaud = (
            nn.Sequential(nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 1024)) for _ in range(2)
        )

    @classmethod
    def load(cls, path: str | Path) -> "SyncNet":
        """Raises GaussianTalkerError when the file is missing or holds other weights."""
        net = cls().eval()
        try:
            net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        except FileNotFoundError:
            raise GaussianTalkerError(f"{path} does not exist; give the file syncnet_v2.model.") from None
        except (RuntimeError, pickle.UnpicklingError, EOFError, TypeError, AttributeError):
            raise GaussianTalkerError(
                f"{path} does not hold SyncNet's weights; give the file syncnet_v2.model."
            ) from None
        return net

    def lips(self, clips: Tensor) -> Tensor:
        """Embeddings [B, 1024] of clips [B, 3, 5, 224, 224], BGR from 0 to 255."""
        return self.netfclip(self.netcnnlip(clips).flatten(1))

    def sound(self, cepstra: Tensor) -> Tensor:
        """Embeddings [B, 1024] of cepstra [B, 1, 13, 20]."""
        return self.netfcaud(self.netcnnaud(cepstra).flatten(1))

    @torch.inference_mode()
    def score(self, pictures: np.ndarray, track: FaceTrack, audio: np.ndarray) -> SyncScore:
        """Of uint8 pictures [N, H, W, 3] with their tracked face and sound [640 N] in [-1, 1].

        Raises GaussianTalkerError for fewer than 100 frames or a face that is hardly ever found.
        """
        if len(pictures) < _FEWEST_FRAMES or track.found.mean() < 0.5:
            raise GaussianTalkerError(
                f"SyncNet needs at least {_FEWEST_FRAMES} frames with one face in most of them: give a longer video."
            )
        crops = _face_crops(pictures, track)
        rows = torch.from_numpy(_mfcc(np.round(audio * 32767))).float()
        count = min(len(crops), len(audio) // 640) - _CLIP
        lips, sound = [], []
        for start in range(0, count, _BATCH):
            at = range(start, min(start + _BATCH, count))
            clips = np.stack([crops[k : k + _CLIP] for k in at])[..., ::-1].copy()
            lips.append(self.lips(torch.from_numpy(clips).permute(0, 4, 1, 2, 3).float()))
            parts = [rows[k * _ROWS_PER_FRAME : (k + _CLIP) * _ROWS_PER_FRAME].T[None] for k in at]
            sound.append(self.sound(torch.stack(parts)))
        return _sync_score(torch.cat(lips).numpy(), torch.cat(sound).numpy())


def _sync_score(lips: np.ndarray, sound: np.ndarray) -> SyncScore:
    """From embeddings [n, D]: mean distances of lips i and sound i + shift over all i, for shifts of +-15 frames.

    Beyond the ends the sound's embedding is zero. Distance is the least of the means, confidence the median less that.
    """
    padded = np.pad(sound, ((_MAX_SHIFT, _MAX_SHIFT), (0, 0)))
    shifts = range(2 * _MAX_SHIFT + 1)
    # The public code's distance adds a millionth to each difference; it is kept so that values agree.
    means = np.array([np.linalg.norm(lips - padded[s : s + len(lips)] + 1e-6, axis=1).mean() for s in shifts])
    return SyncScore(float(np.median(means) - means.min()), float(means.min()), _MAX_SHIFT - int(means.argmin()))


def _face_crops(pictures: np.ndarray, track: FaceTrack) -> np.ndarray:  # uint8 [N, 224, 224, 3]
    """Squares 2.8 half-sides wide around the tracked face: its centre and size go through a median over 13 frames."""
    low, high = track.points.min(axis=1), track.points.max(axis=1)
    half = (high - low).max(axis=1) / 2
    x, y, half = (_steady(values) for values in (*((low + high) / 2).T, half))
    crops = []
    for picture, cx, cy, b in zip(pictures, x, y, half, strict=True):
        pad = int(b * (1 + 2 * _CROP_SCALE))
        padded = np.pad(picture, ((pad, pad), (pad, pad), (0, 0)), constant_values=_GREY)
        top, bottom = int(cy + pad - b), int(cy + pad + b * (1 + 2 * _CROP_SCALE))
        left, right = int(cx + pad - b * (1 + _CROP_SCALE)), int(cx + pad + b * (1 + _CROP_SCALE))
        crop = Image.fromarray(padded[top:bottom, left:right])
        crops.append(np.asarray(crop.resize((SIDE, SIDE), Image.Resampling.BILINEAR)))
    return np.stack(crops)


def _steady(values: np.ndarray) -> np.ndarray:
    """Gaps bridged and jumps removed from a series [N]."""
    known = np.isfinite(values)
    filled = np.interp(np.arange(len(values)), np.flatnonzero(known), values[known])
    return medfilt(np.pad(filled, _MEDIAN // 2, mode="edge"), _MEDIAN)[_MEDIAN // 2 : -(_MEDIAN // 2)]


def _layer3(inputs: int, outputs: int, kernel: tuple, stride: int | tuple, padding: int | tuple) -> list[nn.Module]:
    return [nn.Conv3d(inputs, outputs, kernel, stride, padding), nn.BatchNorm3d(outputs), nn.ReLU()]


def _layer2(inputs: int, outputs: int, kernel: int | tuple, padding: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, kernel, 1, padding), nn.BatchNorm2d(outputs), nn.ReLU()]


def _mfcc(samples: np.ndarray) -> np.ndarray:  # [T, 13], 100 rows a second
    """Mel-frequency cepstra of mono sound [S] at 16 kHz as SyncNet was trained with: 25 ms windows every 10 ms, 13 of
    26 bands. The scale matters: it wants 16-bit values, from -32768 to 32767.

    Davis and Mermelstein 1980, on the HTK mel scale, without a window function; the first number is the log energy.
    """
    emphasised = np.append(samples[:1], samples[1:] - _EMPHASIS * samples[:-1]).astype(float)
    count = 1 + max(0, -(-(len(emphasised) - _WINDOW) // _HOP))
    padded = np.pad(emphasised, (0, max(0, (count - 1) * _HOP + _WINDOW - len(emphasised))))
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP][:count]
    power = np.square(np.abs(np.fft.rfft(windows, _TRANSFORM))) / _TRANSFORM
    energy = np.maximum(power.sum(axis=1), _SMALLEST)
    bands = np.log(np.maximum(power @ _triangles().T, _SMALLEST))
    cepstra = np.asarray(dct(bands, type=2, norm="ortho"))[:, :_CEPSTRA]
    cepstra *= 1 + _LIFTER / 2 * np.sin(np.pi * np.arange(_CEPSTRA) / _LIFTER)
    cepstra[:, 0] = np.log(energy)
    return cepstra


def _triangles() -> np.ndarray:  # [26, 257]
    """Triangular filters whose corners lie on whole bins of the transform."""
    mel = np.linspace(0, 2595 * np.log10(1 + SAMPLE_RATE / 2 / 700), _BANDS + 2)
    corners = np.floor((_TRANSFORM + 1) * 700 * (10 ** (mel / 2595) - 1) / SAMPLE_RATE)
    bins = np.arange(_TRANSFORM // 2 + 1)
    low, centre, high = (corners[i : i + _BANDS, None] for i in range(3))
    with np.errstate(divide="ignore", invalid="ignore"):
        rising = np.where((bins >= low) & (bins < centre), (bins - low) / (centre - low), 0)
        falling = np.where((bins >= centre) & (bins < high), (high - bins) / (high - centre), 0)
    return rising + falling

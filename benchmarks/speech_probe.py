"""How much of the mouth a feature knows: linear probes from speech features to lip opening, on held-out frames.

    python benchmarks/speech_probe.py CAPTURE [CAPTURE ...] [--truth TRUTH.npz]

For every capture, features are projected to 16, 32 and 64 principal components and cut into the talker's windows; a
ridge regression from a frame's window (16 rows) predicts its lip opening. Six contiguous folds with a guard of ten
frames; projection, regression and its weight are fitted without the fold they are judged on. Across captures, the
probe of one person is applied to another and judged by correlation, since no two people's lips have the same scale.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

COMPONENTS = (16, 32, 64)
FOLDS, GUARD, EDGE = 6, 10, 5
WEIGHTS = (1e-2, 1e-1, 1, 10, 100)


@dataclass
class Options:
    captures: tyro.conf.Positional[tuple[Path, ...]]
    """Folders that `gaussiantalker capture` wrote."""
    truth: Path | None = None
    """For the first capture: an .npz whose `lip_mm` replaces the tracked opening."""
    schemes: bool = False
    """Compare block schemes of Whisper's layer 2 instead of features."""


@dataclass
class Clip:
    name: str
    audio: np.ndarray  # [S]
    opening: np.ndarray  # [F]
    heard: np.ndarray  # bool [F]: the opening is known


def read(path: Path, truth: Path | None) -> Clip:
    from gaussiantalker.capture import Capture

    capture = Capture.load(path)
    if truth is None:
        return Clip(path.name, capture.audio, capture.tracking.lip_opening, capture.tracking.found)
    opening = np.load(truth)["lip_mm"][: capture.frames]
    return Clip(path.name, capture.audio, np.resize(opening, capture.frames), np.arange(capture.frames) < len(opening))


def encoders(schemes: bool) -> dict[str, object]:
    from gaussiantalker import pretrained, speech
    from gaussiantalker.speech.blocks import Blocks
    from gaussiantalker.speech.whisper import Whisper
    from gaussiantalker.speech.whisper_net import WhisperNet

    net = WhisperNet.read(pretrained.path("whisper-tiny-en"))
    if schemes:
        tried = [(24, 4, 0), (24, 4, 2), (24, 4, 4), (24, 4, 6), (24, 4, 10), (12, 4, 6), (40, 4, 6), (24, 8, 8)]
        tried += [(24, 16, 8), (750, 500, 250)]
        return {" + ".join(map(str, scheme)): Whisper(net, blocks=Blocks(*scheme)) for scheme in tried}
    layers = [(0,), (1,), (2,), (3,), (4,), (1, 2), (2, 3), (1, 2, 3)]
    probed = {f"whisper, layer {' and '.join(map(str, some))}": Whisper(net, layers=some) for some in layers}
    return {"logmel": speech.load("logmel"), **probed, **optional("whisper-multilingual"), **optional("phones")}


def optional(name: str) -> dict[str, object]:
    """The encoder of this name, where it can be had."""
    from gaussiantalker import speech
    from gaussiantalker.errors import GaussianTalkerError

    try:
        return {name: speech.load(name)}
    except GaussianTalkerError:
        return {}


def windows_of(projection, features: np.ndarray) -> np.ndarray:
    from gaussiantalker import speech

    cut = speech.windows(projection.apply(features))
    return cut.reshape(len(cut), -1).astype(float)


def ridge(x: np.ndarray, y: np.ndarray):
    """A predictor whose weight is chosen on the last fifth of what it is given."""
    mean, scale, level, part = x.mean(axis=0), x.std(axis=0) + 1e-6, y.mean(), int(0.8 * len(x))
    x, y = (x - mean) / scale, y - level

    def solve(x: np.ndarray, y: np.ndarray, weight: float) -> np.ndarray:
        return x.T @ np.linalg.solve(x @ x.T + weight * x.shape[1] * np.eye(len(x)), y)

    errors = [np.square(x[part:] @ solve(x[:part], y[:part], weight) - y[part:]).mean() for weight in WEIGHTS]
    beta = solve(x, y, WEIGHTS[int(np.argmin(errors))])
    return lambda other: (other - mean) / scale @ beta + level


def within(clip: Clip, features: np.ndarray, components: int) -> float:
    """R² on frames of the same person that the probe has not seen."""
    from gaussiantalker.speech.projection import fit

    frames = len(clip.opening)
    edges = np.linspace(EDGE, frames - EDGE, FOLDS + 1).astype(int)
    missed = spread = 0.0
    for start, stop in zip(edges[:-1], edges[1:], strict=True):
        index = np.arange(EDGE, frames - EDGE)
        seen = index[((index < start - GUARD) | (index >= stop + GUARD)) & clip.heard[index]]
        held = index[(index >= start) & (index < stop) & clip.heard[index]]
        rows = features.reshape(frames, 2, -1)[seen].reshape(2 * len(seen), -1)
        windows = windows_of(fit(rows, min(components, rows.shape[1])), features)
        predict = ridge(windows[seen], clip.opening[seen])
        missed += np.square(predict(windows[held]) - clip.opening[held]).sum()
        spread += np.square(clip.opening[held] - clip.opening[seen].mean()).sum()
    return 1 - missed / spread


def across(clip: Clip, features: np.ndarray, other: Clip, other_features: np.ndarray) -> float:
    """Correlation of one person's probe with another person's lips, at 32 components."""
    from gaussiantalker.speech.projection import fit

    projection = fit(features, 32)
    seen, held = (np.flatnonzero(each.heard)[EDGE:-EDGE] for each in (clip, other))
    predict = ridge(windows_of(projection, features)[seen], clip.opening[seen])
    return float(np.corrcoef(predict(windows_of(projection, other_features)[held]), other.opening[held])[0, 1])


def main(options: Options) -> None:
    clips = [read(path, options.truth if i == 0 else None) for i, path in enumerate(options.captures)]
    pairs = [(a, b) for a in range(len(clips)) for b in range(len(clips)) if a != b]
    titles = [f"{clip.name} R² {'/'.join(map(str, COMPONENTS))}" for clip in clips]
    table = Table("feature", "look-ahead ms", *titles, *(f"{clips[a].name} → {clips[b].name} r" for a, b in pairs))
    for name, encoder in encoders(options.schemes).items():
        features = [encoder.features(clip.audio)[: 2 * len(clip.opening)] for clip in clips]
        scores = [
            " / ".join(f"{within(clip, rows, count):.2f}" for count in COMPONENTS)
            for clip, rows in zip(clips, features, strict=True)
        ]
        crossed = [f"{across(clips[a], features[a], clips[b], features[b]):.2f}" for a, b in pairs]
        table.add_row(name, f"{encoder.lookahead_ms:.0f}", *scores, *crossed)
    Console(width=200).print(table)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))

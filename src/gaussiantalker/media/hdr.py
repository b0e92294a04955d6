"""High dynamic range, PQ and HLG, brought to BT.709 as a lookup table for ffmpeg's `lut3d`."""

from pathlib import Path

import numpy as np

PQ, HLG = 16, 18  # transfer characteristics, ITU-T H.273
NAMES = {PQ: "PQ", HLG: "HLG"}
DARKEST_WHITE, LIGHTEST_WHITE = 100.0, 203.0
"""Light of a white sheet of paper in nits: BT.2408 asks for 203, many converters put it at 100."""

_SIDE = 33  # of the table, in each colour
_PEAK = 1000.0  # nits of the screen that HLG is made for, BT.2100
_LUMA = np.array([0.2627, 0.6780, 0.0593])  # BT.2020
_TO_709 = np.array(  # linear light of BT.2020's primaries in BT.709's, BT.2087
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
)
_KNEE = 0.8  # share of white up to which light stays as it is; what is brighter is pressed together above
_GAMMA = 2.4  # BT.1886


def _nits(signal: np.ndarray, transfer: int) -> np.ndarray:
    """Light [..., 3] on the screen of R'G'B' signals [..., 3] in [0, 1] (BT.2100, tables 4 and 5).

    HLG's light of the scene becomes light of the screen in each colour, as in SDR: the picture looks as if an SDR
    camera had taken it (BT.2408, scene-referred conversion).
    """
    if transfer == PQ:
        power = signal ** (1 / 78.84375)
        return 10_000 * (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (1 / 0.1593017578125)
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - 0.55991073) / 0.17883277) + 0.28466892) / 12)
    return _PEAK * scene**1.2


def white_of(signals: np.ndarray, transfer: int) -> float:
    """Nits of white, judged by the lightest part of R'G'B' signals [..., 3] from all over a film."""
    lightest = np.percentile(_nits(signals, transfer) @ _LUMA, 99.5)
    return float(np.clip(lightest, DARKEST_WHITE, LIGHTEST_WHITE))


def _to_709(signal: np.ndarray, transfer: int, white: float) -> np.ndarray:
    """R'G'B' [..., 3] of BT.709 in [0, 1] for BT.2020 signals [..., 3], the light of `white` nits just below 1."""
    light = np.maximum(_nits(signal, transfer) / white @ _TO_709.T, 0)
    over = np.maximum(light - _KNEE, 0) / (1 - _KNEE)
    return (np.minimum(light, _KNEE) + (1 - _KNEE) * (1 - np.exp(-over))) ** (1 / _GAMMA)


def write_cube(path: Path, transfer: int, white: float) -> None:
    """The conversion as a .cube file, red running fastest."""
    steps = np.linspace(0, 1, _SIDE)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    table = _to_709(np.stack([red, green, blue], -1), transfer, white).reshape(-1, 3)
    rows = "\n".join(f"{r:.6f} {g:.6f} {b:.6f}" for r, g, b in table)
    path.write_text(f"LUT_3D_SIZE {_SIDE}\n{rows}\n", encoding="ascii")

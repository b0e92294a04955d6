"""Signals per frame from raw landmarks: smoothed points, blink, lip opening, head pose."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gaussiantalker import pretrained
from gaussiantalker.capture.alignment import align_motion
from gaussiantalker.capture.arrays import ArrayReader, bridge
from gaussiantalker.capture.eyes import BLINKS, blink_of, blinks_of, eye_opening
from gaussiantalker.capture.face_mesh import INNER_LIPS, OUTER_EYE_CORNERS, FaceMesh, load_face_mesh
from gaussiantalker.capture.hiding import hidden_mouths
from gaussiantalker.capture.pose import FilmedHead, fit_filmed_head
from gaussiantalker.geometry import yaw_pitch_roll
from gaussiantalker.media.files import read_array, read_arrays
from gaussiantalker.progress import Progress
from gaussiantalker.timing import FPS

# Savitzky-Golay, 5 points, quadratic: keeps a parabola, and so the speed and the depth of a blink.
_SMOOTHER = np.array([-3, 12, 17, 12, -3]) / 35
_PORTION = 4000
_THIRD_DIFFERENCE = np.array([-1, 3, -3, 1])


def track(folder: Path, size: int, joins: Sequence[int], progress: Progress) -> dict:
    """Reads what `ingest` wrote, of parts that begin at `joins`; writes tracking.npz. Returns camera and steadiness."""
    progress.stage("head pose", 3)
    found = read_arrays(folder / "faces.npz", "found")["found"]
    bridged = bridge(read_array(folder / "landmarks.npy"), found)
    landmarks = np.concatenate([_steady(part) for part in np.split(bridged, joins)])
    progress.update(1)
    mesh = load_face_mesh(pretrained.path("face-landmarker"))
    motion = fit_filmed_head(landmarks, found, mesh, size, joins=joins)
    progress.update(2)
    motion, alignment = align_motion(ArrayReader(folder / "frames.npy"), found, motion, mesh, joins)
    facts = save_tracking(folder, motion, mesh, size, landmarks)
    progress.update(3)
    return facts | {"alignment": alignment}


def save_tracking(
    folder: Path,
    motion: FilmedHead,
    mesh: FaceMesh,
    size: int,
    landmarks: np.ndarray | None = None,
    blink: np.ndarray | None = None,
) -> dict:
    """Writes tracking.npz for a motion; `landmarks` that are steady and `blink` are made here when not given."""
    faces = read_arrays(folder / "faces.npz", "scores", "found")
    scores, found = bridge(faces["scores"], faces["found"]), faces["found"]
    raw = read_array(folder / "landmarks.npy", mapped=True)
    if landmarks is None:
        landmarks = _steady(bridge(np.asarray(raw), found))
    blink = blink_of(landmarks, scores) if blink is None else blink
    by_eye = blinks_of(landmarks, scores)
    hidden = hidden_mouths(ArrayReader(folder / "frames.npy"), landmarks, found, mesh)
    np.savez(
        folder / "tracking.npz",
        landmarks=landmarks,
        found=found,
        hidden=hidden,
        blendshapes=scores,
        blink=blink,
        blink_right=by_eye[:, 0],
        blink_left=by_eye[:, 1],
        lip_opening=lip_opening(landmarks),
        rotations=motion.rotations,
        translations=motion.translations,
        vertices=motion.shape.astype(np.float32),
        triangles=mesh.triangles,
    )
    trembling = {name: round(_jitter(_some(points)), 3) for name, points in (("raw", raw), ("smoothed", landmarks))}
    more = {"landmark_jitter_px": trembling, "hidden_frames": np.flatnonzero(hidden).tolist()}
    return _facts(landmarks, scores, found, blink, motion, size) | more


def _steady(points: np.ndarray) -> np.ndarray:  # [N, P, 2]
    """Landmarks without their jitter: local parabolas, from which only what exceeds the noise may depart.

    The noise of each point is told from its third differences, in which slow motion vanishes; a blink or a closing
    lip exceeds it and is left as it was.
    """
    count = len(points)
    if count < 5:
        return points
    some = _some(points)
    third = sum(float(w) * some[k : len(some) - 3 + k] for k, w in enumerate(_THIRD_DIFFERENCE))
    noise = np.median(np.abs(third), axis=(0, 2)) / 0.6745 / np.sqrt((_THIRD_DIFFERENCE**2).sum())
    out = np.empty_like(points)
    for start in range(0, count, _PORTION):
        here = points[start : start + _PORTION]
        # The ends are mirrored; in between, portions see two frames of their neighbours.
        index = np.abs(np.arange(start - 2, start + len(here) + 2))
        around = points[np.minimum(index, 2 * (count - 1) - index)]
        smooth = sum(float(w) * around[k : k + len(here)] for k, w in enumerate(_SMOOTHER))
        away = here - smooth
        square = (away**2).sum(-1, keepdims=True)
        out[start : start + len(here)] = smooth + away * (square / (square + (2.5 * noise[:, None]) ** 2 + 1e-12))
    return out


def _some(points: np.ndarray) -> np.ndarray:
    """A stretch from the middle, long enough to know the noise by and short enough to hold in memory twice."""
    first = max(len(points) // 2 - _PORTION // 2, 0)
    return points[first : first + _PORTION]


def lip_opening(points: np.ndarray) -> np.ndarray:  # [N] float32
    """Gap between the inner lips over the distance of the outer eye corners, from points [N, 478, 2]; NaN where they
    are."""
    gap = np.linalg.norm(points[:, INNER_LIPS[0]] - points[:, INNER_LIPS[1]], axis=-1)
    eyes = np.linalg.norm(points[:, OUTER_EYE_CORNERS[0]] - points[:, OUTER_EYE_CORNERS[1]], axis=-1)
    # Turning the head narrows the eyes' distance, not the mouth's height: the widest views set the scale.
    known = eyes[np.isfinite(eyes)]
    return (gap / np.maximum(eyes, np.percentile(known, 75) if len(known) else 1)).astype(np.float32)


def _jitter(values: np.ndarray) -> float:
    """Median length of the second differences of [N, ..., D]: how a path trembles, whatever its speed."""
    bends = np.linalg.norm(np.diff(values, 2, axis=0), axis=-1)
    bends = bends[np.isfinite(bends)]
    return float(np.median(bends)) if bends.size else 0.0


def _facts(
    smooth: np.ndarray, scores: np.ndarray, found: np.ndarray, blink: np.ndarray, motion: FilmedHead, size: int
) -> dict:
    angles = yaw_pitch_roll(motion.rotations)
    openness = eye_opening(smooth).mean(1)
    score = scores[:, BLINKS].mean(1)
    agreement = np.corrcoef(openness, score)[0, 1] if openness.std() > 0 and score.std() > 0 else 0.0
    ranges = np.percentile(angles, [1, 99], axis=0).round(1).T.tolist()
    pixels = motion.translations[:, :2] * motion.focal / motion.translations[:, 2:].mean()
    blinks = blink > 0.5
    return {
        "camera": {"focal": motion.focal, "cx": size / 2, "cy": size / 2, "width": size, "height": size},
        "missing_frames": np.flatnonzero(~found).tolist(),
        "reprojection_px": round(float(motion.residual.mean()), 3),
        "pose_jitter": {"degrees": round(_jitter(angles), 4), "px": round(_jitter(pixels), 4)},
        "yaw_pitch_roll_ranges": dict(zip(("yaw", "pitch", "roll"), ranges, strict=True)),
        "blinks_per_minute": round(float((np.diff(blinks.astype(int)) > 0).sum() * 60 * FPS / len(blinks)), 1),
        "blink_agreement": round(float(-agreement), 3),
    }

"""report.html of a capture: one file that shows what was found and says how good it is."""

from html import escape
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from gaussiantalker.capture.arrays import ArrayReader, spread
from gaussiantalker.capture.face_mesh import LIDS, OUTER_LIPS, OUTLINE
from gaussiantalker.capture.morphable import SKIN
from gaussiantalker.capture.sync import lip_lag
from gaussiantalker.capture.verdict import judge
from gaussiantalker.geometry import Camera, project, rigid, yaw_pitch_roll
from gaussiantalker.media import audio
from gaussiantalker.media.files import atomic_path, read_arrays
from gaussiantalker.media.image import data_uri, resize
from gaussiantalker.progress import Progress
from gaussiantalker.speech.silence import voiced
from gaussiantalker.timing import FPS, SAMPLES_PER_FRAME

_COLUMNS, _TILE = 7, 150
_TINTS = np.array([[255, 255, 255], [231, 111, 81], [42, 157, 143], [38, 70, 140]], np.float32)
_COLOURS = ("#e76f51", "#2a9d8f", "#577590")
_WIDTH, _HEIGHT, _LEFT = 1000, 170, 46
_CURVE_POINTS = 1200
_LISTED = 40
_TOLD = ("rotations", "translations", "lip_opening", "blink_right", "blink_left")  # of what is known of every frame


def make_report(folder: Path, record: dict[str, Any], progress: Progress) -> dict:
    """Writes report.html from the other stages' files and facts. Returns the verdict."""
    progress.stage("report", 1)
    facts = {name: stage["facts"] for name, stage in record["stages"].items()}
    tracking = read_arrays(folder / "tracking.npz", *_TOLD, "landmarks") | read_arrays(folder / "head.npz")
    shown = spread(len(tracking["rotations"]), _COLUMNS)
    landmarks = tracking["landmarks"][shown]
    sound = audio.read_audio(folder / "audio.wav") if (folder / "audio.wav").exists() else None
    spoken = None if sound is None else float(voiced(sound).mean())
    lag = None if sound is None else lip_lag(tracking["lip_opening"], sound)
    overall, findings = judge(facts, tracking["lip_opening"], spoken, lag)
    template = Template((Path(__file__).parent / "report.html").read_text(encoding="utf-8"))
    page = template.substitute(
        source=escape(record["source"]),
        overall=escape(overall),
        findings="".join(f'<li class="{f.level}">{escape(f.text)}</li>' for f in findings),
        sheet=_sheet(folder, shown, landmarks, tracking, Camera(**facts["tracking"]["camera"])),
        pose=_pose_chart(tracking),
        jitter=_jitter_chart(tracking),
        residual=_chart({"head against landmarks": tracking["residual"]}, "pixels"),
        gaze=_chart(dict(zip(("gaze to the side", "gaze down"), tracking["gaze"].T, strict=True)), "degrees"),
        speech=_speech_chart(tracking, sound),
        bad=escape(_bad_frames(facts["tracking"])),
        details=_details(record, facts),
    )
    with atomic_path(folder / "report.html") as temporary:
        temporary.write_text(page, encoding="utf-8")
    progress.update(1)
    return {
        "verdict": overall,
        "findings": [{"level": f.level, "text": f.text} for f in findings],
        "sound_leads_frames": None if lag is None else round(lag.frames, 2),
        "sound_agreement": None if lag is None else round(lag.agreement, 3),
    }


def _sheet(
    folder: Path, chosen: np.ndarray, landmarks: np.ndarray, tracking: dict[str, np.ndarray], camera: Camera
) -> str:
    """Chosen frames [K]: as they are with landmarks [K, 478, 2] and head, with their masks, and without the head."""
    frames, labels, plates = (ArrayReader(folder / f"{name}.npy") for name in ("frames", "labels", "plates"))
    poses = rigid(tracking["rotations"][chosen], tracking["translations"][chosen])
    skin = tracking["head_triangles"][(tracking["head_regions"][tracking["head_triangles"]] == SKIN).all(1)]
    rows: dict[str, list[str]] = {"landmarks and head": [], "masks": [], "behind the head": []}
    for column, k in enumerate(chosen):
        picture = frames[int(k)]
        moved = tracking["expression"][k] - tracking["usual_expression"]
        mesh = tracking["head_vertices"] + np.tensordot(moved, tracking["head_units"].astype(np.float32), 1)
        pixels = project(mesh.astype(float), poses[column], camera.K)
        drawn = _drawn(picture, landmarks[column], pixels, skin)
        tinted = 0.6 * picture + 0.4 * _TINTS[labels[int(k)]]
        for row, image in zip(rows.values(), (drawn, tinted.astype(np.uint8), plates[int(k)]), strict=True):
            row.append(f'<td><img alt="frame {k}" src="{data_uri(resize(image, (2 * _TILE, 2 * _TILE)), 82)}"></td>')
    times = "".join(f"<td><small>{k / FPS:.1f} s</small></td>" for k in chosen)
    body = "".join(f"<tr><th>{name}</th>{''.join(cells)}</tr>" for name, cells in rows.items())
    return f"<tr><th></th>{times}</tr>{body}"


def _drawn(picture: np.ndarray, points: np.ndarray, mesh: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """The side of the fitted skin that faces the camera, as a faint net, and the landmarks of outline, eyes and lips as
    dots, at twice the size."""
    size = 2 * len(picture)
    image = Image.fromarray(picture).resize((size, size), Image.Resampling.BICUBIC).convert("RGBA")
    layer = Image.new("RGBA", image.size)
    draw = ImageDraw.Draw(layer)
    corners = 2 * mesh[triangles]
    one, other = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    for triangle in corners[one[:, 0] * other[:, 1] < one[:, 1] * other[:, 0]]:
        draw.polygon([tuple(corner) for corner in triangle], outline=(255, 255, 255, 45))
    for x, y in 2 * points[[*OUTLINE, *OUTER_LIPS, *np.ravel(LIDS)]]:
        draw.ellipse((x - 1.5, y - 1.5, x + 1.5, y + 1.5), fill=(70, 255, 120, 230))
    return np.asarray(Image.alpha_composite(image, layer).convert("RGB"))


def _pose_chart(tracking: dict[str, np.ndarray]) -> str:
    angles = yaw_pitch_roll(tracking["rotations"])
    return _chart(dict(zip(("yaw", "pitch", "roll"), angles.T, strict=True)), "degrees")


def _jitter_chart(tracking: dict[str, np.ndarray]) -> str:
    bends = np.linalg.norm(np.diff(yaw_pitch_roll(tracking["rotations"]), 2, axis=0), axis=-1)
    return _chart({"head jitter": np.pad(bends, 1, mode="edge")}, "degrees, second difference")


def _speech_chart(tracking: dict[str, np.ndarray], sound: np.ndarray | None) -> str:
    lips = tracking["lip_opening"] / max(float(np.percentile(tracking["lip_opening"], 99)), 1e-6)
    curves = {"right eye": tracking["blink_right"], "left eye": tracking["blink_left"], "lip opening": lips}
    loudness = None
    if sound is not None:
        frames = sound[: len(lips) * SAMPLES_PER_FRAME].reshape(-1, SAMPLES_PER_FRAME)
        loudness = np.sqrt(np.einsum("fs,fs->f", frames, frames) / SAMPLES_PER_FRAME)
        loudness = loudness / max(float(loudness.max()), 1e-6)
    return _chart(curves, "share of the most", behind=loudness)


def _chart(curves: dict[str, np.ndarray], unit: str, behind: np.ndarray | None = None) -> str:
    """Curves over time as an SVG picture, with a filled one behind them."""
    count = len(next(iter(curves.values())))
    low = min(float(np.nanmin(c)) for c in curves.values())
    high = max(max(float(np.nanmax(c)) for c in curves.values()), low + 1e-6)
    at = spread(count, _CURVE_POINTS)
    x = _LEFT + (_WIDTH - _LEFT) * at / max(count - 1, 1)

    def points(values: np.ndarray, bottom: float, top: float) -> str:
        y = 10 + (_HEIGHT - 40) * (1 - (values[at] - bottom) / (top - bottom))
        return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))

    base = _HEIGHT - 30
    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">']
    if behind is not None:
        parts.append(f'<polygon fill="#e4e7eb" points="{_LEFT},{base} {points(behind, 0, 1)} {_WIDTH},{base}"/>')
    for k, (name, values) in enumerate(curves.items()):
        parts.append(
            f'<polyline fill="none" stroke="{_COLOURS[k]}" stroke-width="1.3" points="{points(values, low, high)}"/>'
            f'<text x="{_LEFT + 130 * k}" y="{_HEIGHT - 4}" style="fill:{_COLOURS[k]}">{name}</text>'
        )
    parts.append(f'<text x="0" y="16">{high:.3g}</text><text x="0" y="{base}">{low:.3g}</text>')
    ends = f"{unit}, over {count / FPS:.0f} s"
    return "".join(parts) + f'<text x="{_WIDTH}" y="{_HEIGHT - 4}" text-anchor="end">{ends}</text></svg>'


def _bad_frames(tracking: dict[str, Any]) -> str:
    sentences = []
    for name, frames in (
        ("No face", tracking["missing_frames"]),
        ("Something hides the mouth", tracking.get("hidden_frames", [])),
        ("Something hides the face", tracking.get("alignment", {}).get("frames_not_aligned", [])),
    ):
        if frames:
            listed = ", ".join(map(str, frames[:_LISTED])) + (", ..." if len(frames) > _LISTED else "")
            sentences.append(f"{name} in frame {listed}.")
    return " ".join(sentences) or "None."


def _details(record: dict[str, Any], facts: dict[str, dict[str, Any]]) -> str:
    ingest, tracking = facts["ingest"], facts["tracking"]
    left, top, side = ingest["crop"]
    jitter = tracking["landmark_jitter_px"]
    aside, down = facts["head"]["gaze_ranges"].values()
    rows = {
        "consent": record.get("consent", "not recorded"),
        "frames": f"{ingest['frames']} at {FPS} a second, from {ingest['source_fps']:g} a second",
        "picture": f"{record['size']} pixels, from a square of {side} at ({left}, {top}) of {ingest['source_size']}",
        "face": f"{ingest.get('face_pixels', '?')} pixels high in the film",
        "camera": ", ".join(f"{k} {v}" for k, v in ingest.get("camera", {"state": "not looked at"}).items()),
        "focal length": f"{tracking['camera']['focal']:.0f} pixels",
        "landmarks against the rigid face": f"{tracking['reprojection_px']} pixels (root mean square)",
        "landmarks against the moving head": f"{facts['head']['reprojection_px']} pixels (root mean square)",
        "gaze": f"{aside[0]} to {aside[1]} degrees to the side, {down[0]} to {down[1]} down",
        "landmark jitter": f"{jitter['raw']} pixels, {jitter['smoothed']} after smoothing",
        "background seen": f"{facts['plates']['background_seen']:.0%} of the picture, the rest is filled",
        **{f"model {name}": licence for name, licence in record["models"].items()},
    }
    return "".join(f"<dt>{escape(k)}</dt><dd>{escape(str(v))}</dd>" for k, v in rows.items())

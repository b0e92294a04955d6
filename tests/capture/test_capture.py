"""The whole way, on a head drawn by the tests: what is captured is what was drawn."""

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from synthetic_head import SyntheticClip

from gaussiantalker.capture import Capture, capture
from gaussiantalker.capture.face_mesh import load_face_mesh
from gaussiantalker.capture.landmarker import Landmarker
from gaussiantalker.capture.morphable import HAIR, REGIONS, SKIN, TEETH
from gaussiantalker.cli.main import main
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.geometry import project, rigid, yaw_pitch_roll
from gaussiantalker.media import video


def test_every_array_has_one_row_per_frame(captured: Capture, clip: SyntheticClip) -> None:
    frames, size = clip.video.shape[:2]
    assert captured.frames == frames and captured.size == size
    assert captured.train_frames == frames - frames // 11
    for rows in (captured.images, captured.labels, captured.plates):
        assert rows.shape[:3] == (frames, size, size) and rows.dtype == np.uint8
    tracking = captured.tracking
    assert tracking.landmarks.shape == (frames, 478, 2) and tracking.blendshapes.shape == (frames, 52)
    assert len(captured.audio) == frames * 640
    assert tracking.found.all()


def test_masks_agree_with_what_was_drawn(captured: Capture, clip: SyntheticClip) -> None:
    for label, name, least in ((1, "head", 0.92), (2, "neck", 0.75), (3, "torso", 0.9)):
        ours, truth = captured.labels[:] == label, clip.mask(name)
        assert (ours & truth).sum() / (ours | truth).sum() > least, name


def test_mouth_and_eyes_follow_the_truth(captured: Capture, clip: SyntheticClip) -> None:
    tracking = captured.tracking
    assert np.corrcoef(tracking.lip_opening, clip.truth.lip_mm)[0, 1] > 0.9
    assert np.corrcoef(tracking.blink, clip.truth.blink)[0, 1] > 0.85
    for point, landmark, error in (("nose_tip", 1, 4), ("chin", 152, 6), ("upper_lip", 13, 4)):
        away = np.linalg.norm(tracking.landmarks[:, landmark] - clip.truth.project(point), axis=-1)
        assert np.median(away) < error, point


def test_head_pose_follows_the_truth(captured: Capture, clip: SyntheticClip) -> None:
    flip = np.diag([1.0, -1.0, -1.0])
    truth = flip @ clip.truth.head2world[:, :3, :3] @ flip
    relative = Rotation.from_matrix(np.swapaxes(captured.tracking.rotations, 1, 2) @ truth)
    error = np.degrees((relative.mean().inv() * relative).magnitude())
    assert np.median(error) < 3.5, "how deep a face is, and so how far it turns, its pictures leave open"
    poses = rigid(captured.tracking.rotations, captured.tracking.translations)
    pixels = project(captured.tracking.vertices.astype(float), poses, captured.camera.K)
    nose = [1, 4, 5, 6, 168, 195, 197]
    assert np.abs(pixels[:, nose] - captured.tracking.landmarks[:, nose]).mean() < 1.0


def test_cloud_covers_the_head_and_nothing_else(captured: Capture) -> None:
    points = captured.tracking.points
    assert len(points) >= 20_000 and points.dtype == np.float32
    pose = rigid(captured.tracking.rotations, captured.tracking.translations)[20]
    x, y = np.floor(project(points.astype(float), pose, captured.camera.K)).astype(int).T
    head = captured.labels[20] == 1
    assert head[y, x].mean() > 0.95
    covered = np.zeros_like(head)
    covered[y, x] = True
    assert (covered & head).sum() / head.sum() > 0.9
    colour = captured.images[20][y, x] / 255
    facing = points[:, 2] < 0
    assert np.abs(colour - captured.tracking.colors)[facing].mean() < 0.08


def test_second_run_changes_nothing(captured: Capture, film: Path) -> None:
    before = {p.name: (p.stat().st_mtime_ns, p.stat().st_ino) for p in captured.path.glob("*.np?")}
    again = capture(film, captured.path, size=captured.size)
    assert {p.name: (p.stat().st_mtime_ns, p.stat().st_ino) for p in captured.path.glob("*.np?")} == before
    assert again.record["consent"] == "drawn by a test"
    assert again.fingerprint == captured.fingerprint


def another(film: Path, clip: SyntheticClip, folder: Path) -> Path:
    """The same person in another film."""
    video.write_video(folder / "other.mp4", clip.video[::-1], clip.audio)
    return folder / "other.mp4"


def test_consent_belongs_to_one_film(captured: Capture, film: Path, clip: SyntheticClip, tmp_path: Path) -> None:
    out = tmp_path / "cap"
    shutil.copytree(captured.path, out)
    before = (out / "capture.json").read_bytes()
    other = another(film, clip, tmp_path)
    with pytest.raises(GaussianTalkerError, match=r"of another film \(speaker.mp4\).*another folder, or .* --force"):
        capture(other, out, size=captured.size, consent="me, too")
    assert (out / "capture.json").read_bytes() == before and Capture.load(out).fingerprint == captured.fingerprint
    moved = shutil.copy(film, tmp_path / "renamed.mp4")
    same = capture(moved, out, size=captured.size)
    assert same.record["consent"] == "drawn by a test", "the same film under another name"
    assert main(["capture", str(other), "--out", str(out), "--size", str(captured.size), "--force"]) == 0
    replaced = Capture.load(out).record
    assert (replaced["source"], replaced["consent"]) == ("other.mp4", "not recorded")


def test_record_says_what_was_done(captured: Capture) -> None:
    record = json.loads((captured.path / "capture.json").read_text())
    assert (record["format"], record["fps"]) == (2, 25)
    assert (record["size"], record["frames"]) == (captured.size, captured.frames)
    assert record["source"] == "speaker.mp4" and "Apache" in record["models"]["face-landmarker"]
    assert list(record["stages"]) == ["ingest", "tracking", "sync", "head", "labels", "plates", "points", "report"]


def test_report_stands_alone_and_judges(captured: Capture) -> None:
    page, pictures = re.subn('src="data:image/jpeg;base64,[^"]*"', "", (captured.path / "report.html").read_text())
    assert "This capture is" in page and "drawn by a test" in page and "nan" not in page
    assert pictures == 3 * 7 and page.count("<svg") == 5
    assert "http" not in page and "$" not in page
    verdict = captured.record["stages"]["report"]["facts"]
    assert verdict["verdict"].startswith("usable") and "little" in verdict["findings"][0]["text"]


def test_broken_folders_are_named(captured: Capture, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    with pytest.raises(GaussianTalkerError, match="does not exist"):
        Capture.load(folder)
    folder.mkdir()
    with pytest.raises(GaussianTalkerError, match="is not a capture"):
        Capture.load(folder)
    (folder / "avatar.json").write_text("{}")
    with pytest.raises(GaussianTalkerError, match="is an avatar"):
        Capture.load(folder)
    shutil.rmtree(folder)
    shutil.copytree(captured.path, folder)
    (folder / "labels.npy").unlink()
    with pytest.raises(GaussianTalkerError, match="labels.npy is missing"):
        Capture.load(folder)
    record = json.loads((folder / "capture.json").read_text())
    del record["stages"]["points"]
    (folder / "capture.json").write_text(json.dumps(record))
    (folder / "labels.npy").write_bytes((captured.path / "labels.npy").read_bytes())
    with pytest.raises(GaussianTalkerError, match="not finished"):
        Capture.load(folder)
    (folder / "capture.json").write_text(json.dumps({**record, "format": 99}))
    with pytest.raises(GaussianTalkerError, match="format 99"):
        Capture.load(folder)


def test_bad_options_are_one_sentence(film: Path, tmp_path: Path) -> None:
    with pytest.raises(GaussianTalkerError, match="even number"):
        capture(film, tmp_path / "out", size=127)
    with pytest.raises(GaussianTalkerError, match="holds other files"):
        (tmp_path / "something").touch()
        capture(film, tmp_path, size=128)


def test_a_full_disk_is_told_before_work_begins(
    film: Path, model: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model("face-landmarker")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1_000_000))
    with pytest.raises(GaussianTalkerError, match=r"needs about 0.0 GB .* make room"):
        capture(film, tmp_path / "out", size=128)


def test_landmarks_move_and_grow_with_the_picture(clip: SyntheticClip, model: object) -> None:
    model("face-landmarker")
    landmarker = Landmarker()
    picture = np.repeat(np.repeat(clip.video[0], 2, 0), 2, 1)
    face = landmarker.detect(picture)
    assert face is not None and face.presence > 0.9 and face.points.shape == (478, 3)
    moved = np.full((400, 500, 3), 128, np.uint8)
    moved[90:346, 150:406] = picture
    there = landmarker.detect(moved)
    assert np.abs(there.points[:, :2] - face.points[:, :2] - [150, 90]).mean() < 1.5
    turned = landmarker.detect(np.ascontiguousarray(np.rot90(picture)))
    assert turned is None or np.isfinite(turned.points).all()
    assert landmarker.detect(np.full((64, 64, 3), 200, np.uint8)) is None
    assert np.array_equal(landmarker.detect(picture).points, face.points), "the same picture, the same answer"


def test_face_is_found_in_a_small_part_of_the_picture(clip: SyntheticClip, model: object) -> None:
    model("face-landmarker")
    scene = np.full((900, 1400, 3), 90, np.uint8)
    scene[600:728, 1100:1228] = clip.video[0]
    face = Landmarker().detect(scene)
    assert face is not None
    assert np.linalg.norm(face.points[1, :2] - clip.truth.project("nose_tip")[0] - [1100, 600]) < 6


def test_points_say_what_they_belong_to(captured: Capture) -> None:
    tracking = captured.tracking
    assert tracking.regions.dtype == np.int8 and len(tracking.regions) == len(tracking.points)
    counts = dict(zip(REGIONS, np.bincount(tracking.regions, minlength=len(REGIONS)), strict=True))
    least = {
        "skin": 8000,
        "hair": 3000,
        "neck": 200,
        "eye": 200,
        "mouth": 500,
        "teeth": 500,
        "tongue": 500,
        "socket": 0,
    }
    assert all(counts[name] >= number for name, number in least.items()), counts
    assert counts["socket"] == 0
    corners = tracking.vertices[[78, 308, 13, 14]]
    teeth = tracking.points[tracking.regions == TEETH]
    front = teeth[teeth[:, 2] < np.percentile(teeth[:, 2], 30)]
    assert (front[:, 2] > corners[2:, 2].min()).mean() > 0.9, "teeth lie behind the lips"
    assert np.abs(front[:, 1].mean() - corners[:, 1].mean()) < 0.15 and np.abs(front[:, 0].mean()) < 0.1


def test_eyes_look_at_the_camera_while_the_head_turns(captured: Capture) -> None:
    tracking = captured.tracking
    yaw = yaw_pitch_roll(tracking.rotations)[:, 0]
    assert tracking.gaze.shape == (captured.frames, 2) and tracking.gaze.dtype == np.float32
    assert np.corrcoef(tracking.gaze[:, 0], -yaw)[0, 1] > 0.9
    assert 0.5 < np.polyfit(-yaw, tracking.gaze[:, 0], 1)[0] < 1.5
    for blink in (tracking.blink_left, tracking.blink_right):
        assert np.corrcoef(blink, tracking.blink)[0, 1] > 0.95


def test_another_morphable_head_can_be_brought(captured: Capture, film: Path, model: object, tmp_path: Path) -> None:
    mesh = load_face_mesh(model("face-landmarker"))
    rng = np.random.default_rng(0)
    jaw = np.clip(mesh.vertices[:, 1:2] - 0.6, 0, None) * [0, 0.5, 0.1]
    np.savez(
        tmp_path / "made_up.npz",
        vertices=90 * mesh.vertices + 1000,
        triangles=mesh.triangles,
        regions=np.zeros(468, int),
        identity=np.stack([90 * mesh.vertices * rng.normal(0, 0.1, 3) for _ in range(4)]),
        expression=90 * jaw[None],
        expression_names=np.array(["jawOpen"]),
        landmarks=np.arange(468),
        landmark_vertices=np.repeat(np.arange(468)[:, None], 3, axis=1),
        landmark_shares=np.tile([1.0, 0, 0], (468, 1)),
    )
    shutil.copytree(captured.path, tmp_path / "cap")
    again = capture(film, tmp_path / "cap", size=captured.size, head=tmp_path / "made_up.npz")
    ours = captured.record["stages"]
    changed = {name for name, stage in again.record["stages"].items() if stage["content"] != ours[name]["content"]}
    assert changed == {"head", "points", "report"}
    assert again.tracking.expression.shape == (captured.frames, 1)
    assert np.corrcoef(again.tracking.expression[:, 0], again.tracking.lip_opening)[0, 1] > 0.8
    assert len(again.tracking.points) >= 20_000 and set(np.unique(again.tracking.regions)) == {SKIN, HAIR}
    assert again.record["models"]["morphable-head"] == "made_up.npz, brought by the user"
    with pytest.raises(GaussianTalkerError, match="does not exist"):
        capture(film, tmp_path / "cap", size=captured.size, head=tmp_path / "nothing.npz")

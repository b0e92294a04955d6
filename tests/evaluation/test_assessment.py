"""The whole evaluation on stand-ins, its files and its error messages."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.evaluation import assessment, evaluate, headlines
from gaussiantalker.evaluation.insight import Attention
from gaussiantalker.evaluation.phones import Transcript, phones_of_frames
from gaussiantalker.media.audio import write_wav

HELD = 40  # frames of the stand-in capture kept for testing


@pytest.fixture
def avatar_folder(
    capture: SimpleNamespace,
    performer: Callable[..., SimpleNamespace],
    mouth_reader: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    folder = tmp_path / "avatar"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(bytes(1000))
    monkeypatch.setattr(assessment.Avatar, "load", lambda path, *_, **__: performer())
    monkeypatch.setattr(assessment.Capture, "load", lambda path: capture, raising=False)
    monkeypatch.setattr(assessment, "Landmarker", lambda progress: mouth_reader)
    monkeypatch.setattr("gaussiantalker.evaluation.pictures.Lpips", _no_lpips)
    monkeypatch.setattr(assessment, "Footage", lambda source, listener: SimpleNamespace(drive=torch.from_numpy))
    monkeypatch.setattr(assessment, "attention_maps", _attention)
    monkeypatch.setattr(assessment, "plane_pictures", lambda talker: [("xy", np.full((8, 8, 3), 90, np.uint8))] * 3)
    return folder


def _attention(talker: object, camera: object, frames: torch.Tensor) -> list[Attention]:
    grey = np.full((48, 48), 90, np.uint8)
    return [Attention(int(k), {"audio": grey, "eye": grey}, {"audio": 0.25, "eye": 0.75}) for k in frames]


def _no_lpips(net: str, progress: object) -> None:
    raise GaussianTalkerError("the weights could not be fetched")


def test_everything_is_measured_and_written(avatar_folder: Path, openings: np.ndarray, tmp_path: Path) -> None:
    truth, driving = tmp_path / "truth.npz", tmp_path / "driving.wav"
    np.savez(truth, lip_mm=openings * 40, phone=np.where(np.arange(220) % 6 < 3, "aa", "m"))
    (tmp_path / "driving_phones.csv").write_text("start,end,phone\n" + "0,.1,aa\n.1,.2,p\n" * 3)
    write_wav(driving, np.random.default_rng(1).normal(0, 0.1, 640 * 60).astype(np.float32))
    result = evaluate(avatar_folder, "capture", truth=truth, audio=driving, quick=True)
    metrics = result["metrics"]
    assert json.loads((avatar_folder / "evaluation.json").read_text()) == json.loads(json.dumps(result))
    assert result["method"] == "gaussiantalker-star"
    assert metrics["lip_correlation"]["value"] == pytest.approx(1, abs=0.01)
    assert metrics["lip_range"]["value"] == pytest.approx(0.9, abs=0.02)
    assert metrics["lip_exact_correlation"]["value"] == pytest.approx(1, abs=0.01)
    assert metrics["lip_lag"]["value"] == pytest.approx(0, abs=5)
    assert metrics["silence_motion"]["value"] < 0.2
    assert metrics["sync_correlation"]["value"] > 0.5
    assert metrics["faces_missed"] | {"value": 0.0, "n": HELD} == metrics["faces_missed"]
    assert metrics["gaussians"]["value"] == 7 and metrics["training_minutes"]["value"] == 1.5
    assert metrics["model_bytes"]["value"] == 0.001
    assert metrics["lpips_alex"]["measured"] is False and "could not be fetched" in metrics["lpips_alex"]["note"]
    assert not metrics["fid"]["measured"] and "quick" in metrics["csim"]["note"]
    assert "--syncnet" in metrics["lse_c"]["note"] and not metrics["lse_c"]["measured"]
    assert "driven_sync_correlation" in metrics
    assert metrics["closure"]["value"] == pytest.approx(metrics["true_closure"]["value"], abs=0.02)
    assert metrics["closure_f1"]["measured"] and metrics["true_closure_f1"]["measured"]
    assert not any("guesses" in text for text in [*result["notes"], metrics["closure"]["note"]])
    assert metrics["driven_closure"]["measured"] and metrics["driven_closure"]["n"] == 3
    assert not metrics["driven_pause_opening"]["measured"]
    assert len(result["per_frame"]["psnr_head"]) == HELD
    assert "PSNR, head" in headlines(result) and "could not" not in headlines(result)
    assert metrics["blink_correlation"]["value"] == pytest.approx(1, abs=0.01)
    assert result["phones"]["source"] == "truth" and result["phones"]["spans"][0][0] in ("aa", "m")
    assert len(result["latencies"]) == metrics["latency_p50"]["n"]
    assert np.median(result["latencies"]) == pytest.approx(metrics["latency_p50"]["value"], abs=0.01)
    assert {"comparison.mp4", "truth.mp4", "render.mp4"} <= {file.name for file in avatar_folder.iterdir()}
    page = (avatar_folder / "report.html").read_text()
    assert "$" not in page
    assert not re.search(r"(src|href)=\"(?!data:)", page), "the report needs nothing but itself"
    assert page.count("<svg") == 4 + 1 + 2, "four curves, the latencies, quality and loss of the training"
    assert page.count("<figure>") >= 3 + 2 * 3 + 3 and "not measured" in page
    assert "eye, 75%" in page and "a mouth that does not move" not in page and "vowels that open them" in page


def test_guessed_phones_are_called_guesses(
    avatar_folder: Path, capture: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = range(220 - HELD, 220)
    guessed = phones_of_frames(np.array(["aa" if k % 8 < 5 else "m" for k in held]))
    monkeypatch.setattr(
        "gaussiantalker.evaluation.held_out.recognised", lambda audio, progress: Transcript(guessed, "PocketSphinx")
    )
    result = evaluate(avatar_folder, "capture", quick=True)
    metrics = result["metrics"]
    assert "guesses by PocketSphinx" in metrics["closure"]["note"] and metrics["closure"]["measured"]
    assert any("phones are guesses" in note for note in result["notes"])
    assert metrics["true_closure"]["measured"] and "--truth" in metrics["true_closure_f1"]["note"]


def test_openface_tables_take_the_place_of_a_guess(avatar_folder: Path, tmp_path: Path) -> None:
    units = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)
    for name, value in (("truth", "1.0"), ("render", "1.5")):
        rows = [", ".join(f"AU{unit:02d}_r" for unit in units), *[", ".join([value] * 17)] * HELD]
        (tmp_path / f"{name}.csv").write_text("\n".join(rows))
    tables = (tmp_path / "truth.csv", tmp_path / "render.csv")
    metrics = evaluate(avatar_folder, "capture", openface=tables, quick=True)["metrics"]
    assert metrics["aue"]["value"] == pytest.approx(17 * 0.25) and metrics["aue_upper"]["value"] == pytest.approx(2)
    assert metrics["au_proxy_lower"]["measured"]
    with pytest.raises(GaussianTalkerError, match="OpenFace csv"):
        evaluate(avatar_folder, "capture", openface=(tables[0], tmp_path / "missing.csv"))


def test_a_late_mouth_is_found_late(
    avatar_folder: Path, performer: Callable[..., SimpleNamespace], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assessment.Avatar, "load", lambda path, *_, **__: performer(late=2))
    metrics = evaluate(avatar_folder, "capture", quick=True)["metrics"]
    assert metrics["lip_lag"]["value"] == pytest.approx(80, abs=15)
    assert metrics["lip_correlation"]["value"] < 0.9
    assert metrics["lip_exact_correlation"]["measured"] is False


def test_a_video_without_faces_gives_no_mouth_numbers(
    avatar_folder: Path, capture: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Blind:
        def detect(self, picture: np.ndarray) -> None:
            return None

    monkeypatch.setattr(assessment, "Landmarker", lambda progress: Blind())
    metrics = evaluate(avatar_folder, "capture", quick=True)["metrics"]
    assert metrics["faces_missed"]["value"] == HELD
    assert not any(
        metrics[key]["measured"] for key in ("lmd", "lip_correlation", "lip_range", "lip_lag", "sync_correlation")
    )
    assert metrics["psnr_head"]["measured"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"wrong": np.zeros(3)}, "is not an .npz file with lip_mm"),
        ({"lip_mm": np.zeros(50)}, "shape (50,) for a capture of 220 frames"),
        ({"lip_mm": np.full(220, np.nan)}, "lip openings that are not finite"),
        (None, "does not exist"),
    ],
)
def test_a_truth_that_does_not_fit_is_refused(
    avatar_folder: Path, tmp_path: Path, content: dict[str, np.ndarray] | None, sentence: str
) -> None:
    truth = tmp_path / "truth.npz"
    if content is not None:
        np.savez(truth, **content)
    with pytest.raises(GaussianTalkerError, match=re.escape(sentence)):
        evaluate(avatar_folder, "capture", truth=truth)
    assert not (avatar_folder / "evaluation.json").exists()


def test_a_capture_that_is_gone_is_asked_for(
    avatar_folder: Path, performer: Callable[..., SimpleNamespace], monkeypatch: pytest.MonkeyPatch
) -> None:
    avatar = performer()
    monkeypatch.setattr(assessment.Avatar, "load", lambda path, *_, **__: avatar)
    with pytest.raises(GaussianTalkerError, match="name its capture with --capture"):
        evaluate(avatar_folder)
    avatar.info["capture"] = "../gone"
    with pytest.raises(GaussianTalkerError, match="was not found: name its folder with --capture"):
        evaluate(avatar_folder)


def test_a_capture_of_another_size_is_refused(avatar_folder: Path, capture: SimpleNamespace) -> None:
    capture.size = 64
    with pytest.raises(GaussianTalkerError, match="64 pixels and the avatar of 48"):
        evaluate(avatar_folder, "capture")


def test_a_capture_without_held_out_frames_is_refused(avatar_folder: Path, capture: SimpleNamespace) -> None:
    capture.train_frames = capture.frames
    with pytest.raises(GaussianTalkerError, match="too little to keep a part for testing"):
        evaluate(avatar_folder, "capture")


def test_another_persons_capture_is_refused_unless_it_is_meant(
    avatar_folder: Path,
    capture: SimpleNamespace,
    performer: Callable[..., SimpleNamespace],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    avatar = performer()
    monkeypatch.setattr(assessment.Avatar, "load", lambda path, *_, **__: avatar)
    avatar.info["recipe"], capture.fingerprint = {"capture": "mine"}, "mine"
    good = evaluate(avatar_folder, "capture", quick=True)
    capture.fingerprint = "yours"
    with pytest.raises(GaussianTalkerError, match="is not the capture that .* was trained on: name that one"):
        evaluate(avatar_folder, "capture", quick=True)
    assert json.loads((avatar_folder / "evaluation.json").read_text()) == json.loads(json.dumps(good))
    forced = evaluate(avatar_folder, "capture", quick=True, force=True)
    assert "not the capture" in forced["notes"][0] and "not the capture" not in good["notes"][0]


@pytest.mark.parametrize("name", ["truth.mp4", "report.html", "evaluation.json"])
def test_a_file_that_no_evaluation_wrote_stays(avatar_folder: Path, name: str) -> None:
    (avatar_folder / name).write_text('{"mine": 1}')
    with pytest.raises(GaussianTalkerError, match=f"{name} was not written by an evaluation: .* --force"):
        evaluate(avatar_folder, "capture", quick=True)
    assert (avatar_folder / name).read_text() == '{"mine": 1}'
    evaluate(avatar_folder, "capture", quick=True, force=True)
    evaluate(avatar_folder, "capture", quick=True)
    assert (avatar_folder / name).read_bytes() != b'{"mine": 1}'


def test_what_is_read_is_not_written(avatar_folder: Path) -> None:
    evaluate(avatar_folder, "capture", quick=True)
    with pytest.raises(GaussianTalkerError, match="render.mp4 is a file that this evaluation writes"):
        evaluate(avatar_folder, "capture", audio=avatar_folder / "render.mp4", quick=True, force=True)


def test_an_evaluation_that_fails_leaves_nothing_behind(avatar_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise GaussianTalkerError("the disk is full")

    monkeypatch.setattr(assessment, "write_report", broken)
    before = sorted(avatar_folder.rglob("*"))
    with pytest.raises(GaussianTalkerError, match="full"):
        evaluate(avatar_folder, "capture", quick=True)
    assert sorted(avatar_folder.rglob("*")) == before

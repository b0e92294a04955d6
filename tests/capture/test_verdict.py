"""Every fault of a capture is told, with what to do about it; a good one is called good."""

import copy

import numpy as np
import pytest

from gaussiantalker.capture.sync import Lag
from gaussiantalker.capture.verdict import judge

GOOD = {
    "ingest": {"frames": 5000, "crop": [0, 0, 600], "other_people": 0},
    "tracking": {
        "camera": {"width": 512},
        "missing_frames": [],
        "yaw_pitch_roll_ranges": {"yaw": [-18, 15], "pitch": [-8, 9], "roll": [-3, 3]},
        "pose_jitter": {"degrees": 0.06, "px": 0.2},
        "alignment": {"frames_not_aligned": []},
        "blinks_per_minute": 15,
        "blink_agreement": 0.95,
    },
    "labels": {"mean_shares": {"background": 0.5, "head": 0.3, "neck": 0.05, "torso": 0.15}},
}
LIPS = np.abs(np.sin(np.arange(500))) * 0.2


def test_a_good_capture_is_good() -> None:
    overall, findings = judge(GOOD, LIPS, 0.8)
    assert overall == "usable, with nothing to complain of"
    assert {f.level for f in findings} == {"good"}


@pytest.mark.parametrize(
    ("stage", "key", "value", "words"),
    [
        ("ingest", "frames", 300, "12 s are little"),
        ("ingest", "frames", 1500, "60 s will do for a first try"),
        ("ingest", "crop", [0, 0, 200], "Film closer"),
        ("ingest", "other_people", 1, "2 people are seen"),
        ("tracking", "missing_frames", list(range(40, 400)), "at most 14.4 s"),
        ("tracking", "hidden_frames", list(range(100, 125)), "25 frames (0.5%), 0:04.00 to 0:05.00: the lips there"),
        ("tracking", "yaw_pitch_roll_ranges", {"yaw": [-70, 15], "pitch": [0, 5], "roll": [0, 0]}, "Profiles"),
        ("tracking", "yaw_pitch_roll_ranges", {"yaw": [-1, 2], "pitch": [0, 5], "roll": [0, 0]}, "show its shape"),
        ("tracking", "pose_jitter", {"degrees": 0.6, "px": 2}, "more light"),
        ("tracking", "alignment", {"frames_not_aligned": list(range(900))}, "hides the face"),
        ("tracking", "blinks_per_minute", 1, "too few"),
        ("tracking", "blink_agreement", 0.3, "Glasses"),
        ("labels", "mean_shares", {"background": 0.6, "head": 0.4, "neck": 0.01, "torso": 0.0}, "shoulders"),
    ],
)
def test_faults_are_told(stage: str, key: str, value: object, words: str) -> None:
    facts = copy.deepcopy(GOOD)
    facts[stage][key] = value
    overall, findings = judge(facts, LIPS, 0.8)
    assert overall == "usable, with one limit"
    assert findings[0].level == "limit" and words in findings[0].text


@pytest.mark.parametrize(
    ("lips", "voiced", "words"), [(LIPS, None, "no sound"), (LIPS, 0.05, "5%"), (0 * LIPS, 0.8, "lips")]
)
def test_without_speech_it_is_hardly_usable(lips: np.ndarray, voiced: float | None, words: str) -> None:
    overall, findings = judge(GOOD, lips, voiced)
    assert overall == "hardly usable: one problem" and findings[0].level == "problem" and words in findings[0].text


@pytest.mark.parametrize(
    ("lag", "level", "words"),
    [
        (Lag(-0.4, 0.7, True), "good", "The lips lead the sound by 0.4 frames (16 ms): in step"),
        (Lag(3.1, 0.7, True), "limit", "The sound leads the lips by 3.1 frames (124 ms). Capture it without"),
        (Lag(-4.0, 0.7, False), "limit", "The lips lead the sound by 4.0 frames (160 ms), but that is not sure"),
        (Lag(0.0, 0.05, False), "limit", "does not follow the lips"),
    ],
)
def test_lips_and_sound_are_compared(lag: Lag, level: str, words: str) -> None:
    _, findings = judge(GOOD, LIPS, 0.8, lag)
    told = [f for f in findings if words in f.text]
    assert len(told) == 1 and told[0].level == level


@pytest.mark.parametrize(
    ("camera", "level", "words"),
    [
        ({}, "good", "moves by up to 30.2 pixels, zooms 1.40 times and was steadied to 0.20"),
        ({"worst_blocks_px": 9.0}, "limit", "parts of the background move by 9.0 pixels of their own"),
        ({"state": "lost", "lost": 0.4}, "problem", "in 40% of the pictures it could not be told"),
        ({"state": "still", "worst_blocks_px": 12.0}, "limit", "The camera stands still, but"),
    ],
)
def test_a_camera_that_moves_is_told(camera: dict, level: str, words: str) -> None:
    facts = copy.deepcopy(GOOD)
    usual = {"state": "steadied", "moves_px": 30.2, "zoom": [0.8, 1.12], "residual_px": 0.2, "worst_blocks_px": 0.5}
    facts["ingest"]["camera"] = usual | camera
    _, findings = judge(facts, LIPS, 0.8)
    told = [f for f in findings if words in f.text]
    assert len(told) == 1 and told[0].level == level


def test_parts_turns_and_shifts_are_told() -> None:
    facts = copy.deepcopy(GOOD)
    facts["ingest"] |= {"kept": ["0:00.00 to 0:04.00"], "left_out": ["0:04.00 to 0:07.00 (another person)"]}
    facts["ingest"] |= {"turned_degrees": [270], "face_pixels": 100.0, "crop": [0, 0, 300]}
    facts["sync"] = {"shifted_frames": [3.0]}
    told = " ".join(finding.text for finding in judge(facts, LIPS, 0.8, Lag(-0.5, 0.7, True))[1])
    for words in (
        "Joined from 1 parts: 0:00.00 to 0:04.00. Left out: 0:04.00 to 0:07.00 (another person).",
        "turned upright",
        "The face is 100 pixels high in the film and 171 in the capture: it was enlarged",
        "The sound was put 120 ms later, into step with the lips.",
    ):
        assert words in told


def test_stretches_without_a_face_and_without_sound_are_named() -> None:
    facts = copy.deepcopy(GOOD)
    facts["tracking"]["missing_frames"] = [5, 6, *range(100, 180)]
    facts["ingest"] |= {"cut": [[100, 180]], "sound": True, "sound_seconds": 190.0}
    _, findings = judge(facts, LIPS, 0.8)
    limits = [f.text for f in findings if f.level == "limit"]
    assert len(limits) == 2
    assert any("Left out: 0:04.00 to 0:07.20; shorter gaps are bridged" in text for text in limits)
    assert any("The sound ends 10.0 s before the pictures" in text for text in limits)


def test_short_gaps_are_bridged_without_complaint() -> None:
    facts = copy.deepcopy(GOOD)
    facts["tracking"]["missing_frames"] = [5, 6, 300]
    overall, findings = judge(facts, LIPS, 0.8)
    assert "nothing" in overall and any("bridged" in f.text for f in findings)

"""The charts of a report, drawn from what evaluation.json says and the sound of the held-out frames."""

from typing import Any

import numpy as np

from gaussiantalker.evaluation.chart import Line, Sound, chart, histogram
from gaussiantalker.evaluation.phones import CLOSED, OPEN, SILENT
from gaussiantalker.timing import FPS

TRUTH, RENDER, OTHER, FAINT = "#2a9d8f", "#e76f51", "#577590", "#9aa0a6"
_SHUT_PHONE, _OPEN_PHONE, _OTHER_PHONE = "#e76f5199", "#2a9d8f99", "#9aa0a655"
_SECONDS = "seconds (grey: silence; behind: waveform)"


def curves(result: dict[str, Any], audio: np.ndarray) -> dict[str, str]:
    """Title and chart of everything that is known of each held-out frame."""
    per_frame = result["per_frame"]
    sound = _sound(result, audio)
    seconds = np.arange(len(per_frame["psnr_head"])) / FPS
    charts = {
        "Lip opening": (_lips(per_frame), "lip opening / eye distance"),
        "Mouth code, lip opening": (_codes(per_frame), "deviations from the mouth at rest"),
        "Eyes": (_eyes(per_frame), "blink score, 1 is shut"),
        "Mouth distance": ([Line("LMD", array(per_frame["mouth_distance"]), RENDER)], "px"),
        "Likeness": ([Line("PSNR of the head", array(per_frame["psnr_head"]), RENDER)], "dB"),
    }
    return {title: chart(seconds, lines, _SECONDS, unit, sound) for title, (lines, unit) in charts.items() if lines}


def phones_note(result: dict[str, Any]) -> str:
    """Where the phones under the curves come from and what their colours say."""
    colours = f"red: {', '.join(sorted(CLOSED))}, which shut the lips; green: vowels that open them"
    return {"": "No phones: they are not known.", "truth": f"Phones as the video's maker gives them; {colours}."}.get(
        result["phones"]["source"], f"Phones as {result['phones']['source']} hears them; {colours}."
    )


def training_charts(curve: list[list[float]]) -> str:
    """Quality and loss over the iterations of both stages."""
    if len(curve) < 2:
        return "<p>The avatar keeps no record of its training.</p>"
    steps, loss, psnr = np.array(curve, dtype=float).T
    quality = chart(steps, [Line("PSNR of the head, training frames", psnr, RENDER)], "iteration", "dB")
    return quality + chart(steps, [Line("loss", loss, OTHER)], "iteration", "loss")


def latency_chart(milliseconds: list[float]) -> str:
    """How long pictures took live, beside the time there is for one."""
    values = np.array(milliseconds)
    marks = [
        ("median", float(np.median(values)), TRUTH),
        ("95 %", float(np.percentile(values, 95)), RENDER),
        ("time for a picture at 25 a second", 1000 / FPS, FAINT),
    ]
    return histogram(values, marks, "milliseconds a picture", "pictures")


def array(values: list[float | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def _sound(result: dict[str, Any], audio: np.ndarray) -> Sound:
    silent = ~np.array(result["per_frame"]["voiced"])
    phones = [
        (name, first / FPS, stop / FPS, _colour(name))
        for name, first, stop in result["phones"]["spans"]
        if name not in SILENT
    ]
    return Sound(audio, len(silent) / FPS, silent, phones)


def _colour(phone: str) -> str:
    return _SHUT_PHONE if phone in CLOSED else _OPEN_PHONE if phone in OPEN else _OTHER_PHONE


def _lips(per_frame: dict[str, list[Any]]) -> list[Line]:
    truth = array(per_frame["lip_opening_truth"])
    lines = [
        Line("true video, tracked", truth, TRUTH),
        Line("avatar, tracked", array(per_frame["lip_opening_render"]), RENDER),
        Line("expected from the sound", array(per_frame["lip_opening_expected"]), FAINT, dashed=True),
    ]
    if "lip_mm" in per_frame:
        lines.insert(1, Line("exact, brought to the same scale", _to_scale(array(per_frame["lip_mm"]), truth), OTHER))
    return lines


def _codes(per_frame: dict[str, list[Any]]) -> list[Line]:
    """Between sound and pictures; none where the avatar has no mouth code."""
    if "code_heard" not in per_frame:
        return []
    return [
        Line("tracked in the true video", array(per_frame["code_tracked"]), TRUTH),
        Line("heard", array(per_frame["code_heard"]), RENDER),
    ]


def _eyes(per_frame: dict[str, list[Any]]) -> list[Line]:
    return [
        Line("true video", array(per_frame["blink_truth"]), TRUTH),
        Line("avatar", array(per_frame["blink_render"]), RENDER),
    ]


def _to_scale(values: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Values on the mean and spread of another series, so that both fit into one chart."""
    both = np.isfinite(values) & np.isfinite(like)
    if not both.any() or values[both].std() == 0:
        return values
    return (values - values[both].mean()) / values[both].std() * like[both].std() + like[both].mean()

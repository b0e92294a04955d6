"""The few numbers to say first."""

from typing import Any

from gaussiantalker.evaluation.record import shown

_HEADLINES = (
    "psnr_head",
    "ssim_head",
    "lpips_alex",
    "lmd",
    "lip_exact_correlation",
    "lip_correlation",
    "lip_range",
    "closure",
    "closure_f1",
    "closure_auc",
    "driven_sync_correlation",
    "driven_silence_motion",
    "driven_closure",
    "driven_pause_opening",
    "frames_per_second",
    "latency_p95",
    "training_minutes",
)


def first_numbers(metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """Those of them that were measured."""
    return [metrics[key] for key in _HEADLINES if metrics.get(key, {}).get("value") is not None]


def headlines(result: dict[str, Any]) -> str:
    """A line each, of what evaluation.json says."""
    lines = (
        f"{entry['label']:<44} {shown(entry['value'])} {entry['unit']}" for entry in first_numbers(result["metrics"])
    )
    return "\n".join(line.rstrip() for line in lines)

"""How real people's films come out: each clip is captured, trained, evaluated and shown beside its truth.

    python benchmarks/real.py CLIP [CLIP ...] [--out real] [--size 256] [--schedule demo]

Writes OUT/NAME/capture, OUT/NAME/avatar and OUT/NAME.png (truth above render at equal times of the held-out frames),
and all rows into OUT/real.json. A run that was stopped goes on where it was; what is there already is not done again.
A second table is of the torso alone: training frames by their own codes, held-out frames by codes that their pictures
gave (read) and by those that their head's pose lets one expect (guessed).
Where CLIP is a generated film, NAME_truth.npz beside it is its truth.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.table import Table

from gaussiantalker.capture import Capture, capture
from gaussiantalker.capture.labels import HEAD
from gaussiantalker.cli.console import shown_progress
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.evaluation import evaluate
from gaussiantalker.evaluation.pictures import body_box, body_mask, psnr
from gaussiantalker.evaluation.record import shown
from gaussiantalker.media.files import read_json, write_json
from gaussiantalker.media.image import write_image
from gaussiantalker.media.video import read_frames
from gaussiantalker.perception import Lpips
from gaussiantalker.progress import Progress
from gaussiantalker.speaking import Avatar
from gaussiantalker.talker import Footage
from gaussiantalker.talker.torso import Torso
from gaussiantalker.training import train

TIMES = 6  # pictures of a sheet
METRICS = {
    "PSNR": "psnr_head",
    "LPIPS": "lpips_alex",
    "lips, r": "lip_correlation",
    "range": "lip_range",
    "closure": "closure",
    "true": "true_closure",
    "PSNR, torso": "psnr_torso",
    "LPIPS, torso": "lpips_torso",
    "flicker": "flicker",
    "seam": "seam",
}
FACTS = ("held out", "face share", "face, px", "camera, px", "verdict")
REPLAYED_EVERY, HELD_OUT_EVERY = 7, 2  # frames by which the torso alone is judged
TORSO = tuple(f"{kind}, {how}" for kind in ("PSNR", "LPIPS") for how in ("replayed", "read", "guessed"))
WORST = "PSNR, worst replayed"


@dataclass
class Options:
    clips: tyro.conf.Positional[tuple[Path, ...]]
    """Films with sound."""
    out: Path = Path("real")
    """Folder for everything."""
    size: int = 256
    """Side of the pictures, in pixels."""
    schedule: str = "demo"
    """How long each is trained."""
    measure_only: bool = False
    """Leave out clips that are not trained yet."""


def row_of(clip: Path, options: Options, progress: Progress) -> dict[str, float | str | None]:
    """Everything about one clip, made where it is not there yet."""
    folder = options.out / clip.stem
    captured, trained = folder / "capture", folder / "avatar"
    if not options.measure_only:
        capture(clip, captured, size=options.size, consent="a benchmark's clip", progress=progress)
        train(captured, trained, schedule=options.schedule, progress=progress)
    record = trained / "evaluation.json"
    if not record.is_file() or record.stat().st_mtime < (trained / "avatar.json").stat().st_mtime:
        truth = clip.with_name(f"{clip.stem}_truth.npz")
        evaluate(trained, captured, truth=truth if truth.is_file() else None, quick=True, progress=progress)
    write_image(options.out / f"{clip.stem}.png", sheet(trained))
    result = read_json(record)
    source = Capture.load(captured)
    row = {title: result["metrics"].get(key, {}).get("value") for title, key in METRICS.items()}
    first, stop = result["held_out"]
    row |= {"held out": float(stop - first)} | facts(source)
    return row | torso_alone(Avatar.load(trained, progress), source, Lpips("alex", progress))


def torso_alone(avatar: Avatar, source: Capture, lpips: Lpips) -> dict[str, float | str | None]:
    """How like the film neck and clothes are: PSNR over them, LPIPS of the box around them with the truth's head."""
    torso, footage = avatar.torso, Footage(source, avatar.listener)
    if not isinstance(torso, Torso):
        return {}
    replayed = footage.usable(0, source.train_frames)[::REPLAYED_EVERY]
    held_out = np.arange(source.train_frames, source.frames)[::HELD_OUT_EVERY]
    guessed = torso.guess(footage.viewmats[held_out], footage.sway[held_out])
    ways = {
        "replayed": (replayed, footage.bodies(replayed, torso)),
        "read": (held_out, footage.bodies(held_out, torso)),
        "guessed": (held_out, guessed),
    }
    row = {}
    for how, (frames, codes) in ways.items():
        likeness = np.array([body_likeness(torso, source, lpips, *each) for each in zip(frames, codes, strict=True)])
        row |= dict(zip((f"PSNR, {how}", f"LPIPS, {how}"), np.nanmean(likeness, axis=0).tolist(), strict=True))
        if how == "replayed":
            row[WORST] = float(np.nanmin(likeness[:, 0]))
    return row


def body_likeness(torso: Torso, source: Capture, lpips: Lpips, frame: int, code: torch.Tensor) -> tuple[float, float]:
    """PSNR and LPIPS of one frame; NaN where it shows no body."""
    truth, labels = np.ascontiguousarray(source.images[frame]), source.labels[frame]
    picture = (torso(code[None])[0] * 255).round().byte().numpy()
    picture, box = np.where((labels == HEAD)[..., None], truth, picture), body_box(labels)
    distance = np.nan if box is None else lpips.distance(truth[box], picture[box])
    return psnr(truth, picture, body_mask(labels)), distance


def facts(source: Capture) -> dict[str, float | str | None]:
    """What a capture says of itself: how much of the picture is face, how still the camera is, and its verdict."""
    points = source.tracking.landmarks[source.tracking.found]
    sides = np.median(points.max(axis=1) - points.min(axis=1), axis=0)
    stages = source.record["stages"]
    taken = stages["ingest"]["facts"]
    residual = (taken.get("camera") or {}).get("residual_px")  # of the film's pixels
    return {
        "face share": float(sides.prod()) / source.size**2,
        "face, px": float(sides[1]),
        "camera, px": None if residual is None else residual * source.size / taken["crop"][2],
        "verdict": stages["report"]["facts"]["verdict"],
    }


def sheet(avatar: Path) -> np.ndarray:
    """Truth above render at equal times, uint8 [2 H, TIMES W, 3]."""
    films = [np.stack(list(read_frames(avatar / name))) for name in ("truth.mp4", "render.mp4")]
    chosen = np.linspace(0, len(films[0]) - 1, TIMES).round().astype(int)
    return np.concatenate([np.concatenate(list(film[chosen]), axis=1) for film in films])


def main(options: Options) -> None:
    console = Console(stderr=True)
    rows = read_json(options.out / "real.json") if (options.out / "real.json").is_file() else {}
    for clip in options.clips:
        if options.measure_only and not (options.out / clip.stem / "avatar" / "avatar.json").is_file():
            continue
        try:
            with shown_progress(console) as progress:
                rows[clip.stem] = row_of(clip, options, progress)
        except GaussianTalkerError as error:
            rows[clip.stem] = {"verdict": str(error)}
        write_json(options.out / "real.json", rows)
    for titles in ((*METRICS, *FACTS), (*TORSO, WORST)):
        table = Table("clip", *titles)
        for name, row in rows.items():
            values = map(row.get, titles)
            table.add_row(name, *("–" if v is None else v if isinstance(v, str) else shown(v, 3) for v in values))
        Console(width=240).print(table)


if __name__ == "__main__":
    main(tyro.cli(Options))

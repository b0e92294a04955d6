"""How well the watermark holds: found of tried for each attack, and unmarked films that are taken for marked ones.

usage: python benchmarks/trust.py FILM… --out FOLDER [--clips 200] [--windows 100000]

Clips of five seconds are cut from the films, at 256 and 512 pixels in turn, marked, attacked, written and read again by
`verify`. False alarms are counted over windows of unmarked films, each compared with sequences of 500 keys. What is
measured is kept in FOLDER, and a second run goes on from there.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from time import perf_counter

import numpy as np

from gaussiantalker.media.video import read_frames
from gaussiantalker.provenance import detection, watermark
from gaussiantalker.provenance.verification import EVERY, MOST

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "fixtures"))
from marked_pictures import encoded, jpeg, resized

SECONDS, FPS, SIDES = 5, 25, (256, 256, 256, 512)  # in turn
LONGEST = 300  # pictures of a film that clips are cut from
KEYS = 500
Pictures = list[np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--windows", type=int, default=100_000)
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    survival(chosen.films, chosen.clips, chosen.out / "survival.jsonl")
    alarms(chosen.films, chosen.windows, chosen.out / "alarms.jsonl")
    report(chosen.out)


def clips(films: list[Path], wanted: int) -> Iterator[tuple[int, Pictures]]:
    """Numbered clips of five seconds, film by film: another start, crop and size each time."""
    for first, film in enumerate(films[:wanted]):
        pictures = list(islice(read_frames(film, most_lines=720), LONGEST))
        for number in range(first, wanted, len(films)):
            draw = np.random.default_rng(number)
            side = SIDES[number // len(films) % len(SIDES)]
            start = int(draw.integers(max(len(pictures) - SECONDS * FPS, 0) + 1))
            part = pictures[start : start + SECONDS * FPS]
            edge = int(min(part[0].shape[:2]) * draw.uniform(0.7, 1))
            top, left = (int(draw.integers(length - edge + 1)) for length in part[0].shape[:2])
            yield number, [resized(p[top : top + edge, left : left + edge], side) for p in part]


def cut(pictures: Pictures) -> Pictures:
    edge = len(pictures[0]) // 10
    return [p[edge // 3 : edge // 3 - edge or None, edge // 2 : edge // 2 - edge or None] for p in pictures]


def looked_at(pictures: Pictures) -> Pictures:
    """Those that `verify` reads."""
    return pictures[: EVERY * MOST : EVERY]


def written(pictures: Pictures, rate: int = 25, **options: str) -> Pictures:
    return looked_at(encoded(pictures, rate, **options))


# What is looked at of pictures, once this was done to them.
ATTACKS: dict[str, Callable[[Pictures], Pictures]] = {
    "as written (CRF 16)": lambda p: written(p, crf="16"),
    "H.264, CRF 28": lambda p: written(p, crf="28"),
    "75 % of its size, CRF 23": lambda p: written([resized(x, len(x) * 3 // 4) for x in p], crf="23"),
    "10 % cut off, CRF 23": lambda p: written(cut(p), crf="23"),
    "JPEG 70": lambda p: [jpeg(x) for x in looked_at(p)],
    "brighter by a fifth": lambda p: written([np.clip(x * 1.2, 0, 255).astype(np.uint8) for x in p], crf="23"),
    "25 to 30 pictures a second": lambda p: written([p[k * 25 // 30] for k in range(len(p) * 30 // 25)], 30, crf="23"),
    "500 kbit/s, live": lambda p: written(p, bits="500000"),
}


def done(file: Path) -> set[int]:
    """Numbers of the clips that are in a file already."""
    return {json.loads(line)["clip"] for line in file.read_text().splitlines()} if file.exists() else set()


def survival(films: list[Path], wanted: int, file: Path) -> None:
    before = done(file)
    for number, pictures in clips(films, wanted):
        if number in before:
            continue
        payload, side = watermark.payload_of(np.random.default_rng(number).bytes(32)), len(pictures[0])
        mark = watermark.Watermark(payload, side, side)
        began = perf_counter()
        marked = [mark.mark(p.copy()) for p in pictures]
        row = {"clip": number, "side": side, "ms": 1000 * (perf_counter() - began) / len(marked)}
        error = np.mean([(a.astype(np.float32) - b) ** 2 for a, b in zip(pictures, marked, strict=True)])
        row["db"] = float(10 * np.log10(255**2 / error))
        for name, attack in ATTACKS.items():
            found = detection.detect(attack(marked))
            wrong = (found.payload ^ payload).bit_count()
            row[name] = {"found": found.found, "sure": found.sure, "score": found.score, "bits": wrong}
        with file.open("a") as rows:
            rows.write(json.dumps(row) + "\n")


def alarms(films: list[Path], wanted: int, file: Path) -> None:
    """The best score of each key for each window, as `detect` finds it for its own, and how many of them are found."""
    before = done(file)
    tables = [keyed(key) for key in range(KEYS)]
    for number, pictures in clips(films, wanted // KEYS):
        if number in before:
            continue
        search = detection.Search(looked_at(pictures))
        marks = [search.likeliest(table) for table in tables]
        row = {"clip": number, "scores": [round(m.score, 2) for m in marks]}
        with file.open("a") as out:
            out.write(json.dumps(row) + "\n")


def keyed(key: int) -> np.ndarray:
    """Conjugate spectra of another key's sequences."""
    return detection.templates(np.random.default_rng(key).choice([-1.0, 1.0], watermark.sequences().shape))


def report(folder: Path) -> None:
    rows = [json.loads(line) for line in (folder / "survival.jsonl").read_text().splitlines()]
    cost, quality = np.median([r["ms"] for r in rows if r["side"] == SIDES[-1]]), np.mean([r["db"] for r in rows])
    lines = [f"{len(rows)} clips; marking costs {cost:.2f} ms at 512², {quality:.1f} dB", ""]
    sides = [f"{kind} at {side}²" for kind in ("found", "sure") for side in sorted(set(SIDES))]
    lines += [f"| attack | {' | '.join(sides)} | wrong bits, of all found | of those that are sure |", "|---" * 7 + "|"]
    for name in ATTACKS:
        cells = []
        for kind in ("found", "sure"):
            for side in sorted(set(SIDES)):
                told = [r[name][kind] for r in rows if r["side"] == side]
                cells.append(f"{sum(told)} of {len(told)}")
        for kind in ("found", "sure"):
            wrong = [r[name]["bits"] for r in rows if r[name][kind]]
            cells.append(f"{sum(wrong)} in {len(wrong)}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    if (folder / "alarms.jsonl").exists():
        windows = [json.loads(line) for line in (folder / "alarms.jsonl").read_text().splitlines()]
        scores, needed = np.concatenate([row["scores"] for row in windows]), detection.Mark(0, 0, 1).needed
        lines += ["", f"{(scores >= needed).sum()} of {len(scores):,} unmarked windows score {needed:.2f} or more; "]
        lines[-1] += f"highest {scores.max():.2f}, median {np.median(scores):.2f}"
    (folder / "trust.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

"""The numbers the papers print, to stand beside ours: GaussianTalker (Cho et al., ACM MM 2024), Tables 1 to 6.

Table 1 in the review draft repeats one row's FID, LMD and AUE; the authors' project page has the values used here.
"""

from dataclasses import dataclass, field

from gaussiantalker.errors import GaussianTalkerError

STAR = "gaussiantalker-star"


@dataclass(frozen=True)
class Row:
    """One line of a table: what the paper says and, where there is one, the method here that trains it."""

    title: str
    paper: dict[str, float] = field(default_factory=dict)
    method: str | None = None
    canonical: bool = True
    """Whether the canonical stage comes first."""
    share: float = 1.0
    """Of the deformation stage's iterations."""


@dataclass(frozen=True)
class Table:
    """A table of the paper; its numbers carry the names of `COLUMNS`."""

    number: int
    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    driven: bool = False
    """Whether it is about sound that is not in the capture."""


# The paper's name of a number, and the key and unit of the nearest of ours.
COLUMNS = {
    "PSNR": ("psnr_head", "dB"),
    "SSIM": ("ssim_head", ""),
    "LPIPS": ("lpips_alex", ""),
    "FID": ("fid", ""),
    "LMD": ("lmd", "px"),
    "Sync": ("lse_c", "LSE-C"),
    "CSIM": ("csim", ""),
    "train": ("training_minutes", "min"),
    "FPS": ("frames_per_second", ""),
}
# Ours beside every table: the papers have nothing like it.
OWN_COLUMN, OWN_DRIVEN_COLUMN = "sync_correlation", "driven_sync_correlation"


def _numbers(columns: tuple[str, ...], values: str) -> dict[str, float]:
    """Numbers written as in the paper, a dash where it has none."""
    pairs = zip(columns, values.split(), strict=True)
    return {column: float(value) for column, value in pairs if value != "-"}


_SELF = ("PSNR", "SSIM", "LPIPS", "FID", "LMD", "Sync", "CSIM", "train", "FPS")
_ABLATION = ("PSNR", "LPIPS", "FID", "LMD", "Sync")
_STAGES = ("PSNR", "Sync")


def _self(title: str, values: str, method: str | None = None) -> Row:
    return Row(title, _numbers(_SELF, values), method)


def _ablation(title: str, values: str, method: str) -> Row:
    return Row(title, _numbers(_ABLATION, values), method)


def _stage(title: str, values: str, canonical: bool, iterations: int) -> Row:
    return Row(title, _numbers(_STAGES, values), STAR, canonical, iterations / 10_000)


TABLES = {
    table.number: table
    for table in (
        Table(
            1,
            "self-driven",
            _SELF,
            (
                _self("AD-NeRF", "30.341 .906 .026 20.243 5.692 4.939 .908 780 .13"),
                _self("RAD-NeRF", "30.703 .915 .026 26.238 3.142 5.757 .911 180 32"),
                _self("ER-NeRF", "31.673 .919 .014 19.829 3.003 5.976 .922 60 34"),
                _self("GaussianTalker*", "32.269 .930 .016 10.771 2.711 6.443 .933 60 121", STAR),
                _self("GaussianTalker", "32.423 .931 .018 11.951 2.928 6.554 .932 90 98", "gaussiantalker"),
            ),
        ),
        Table(
            2,
            "cross-driven (Sync on the paper's clip A)",
            ("Sync",),
            (
                Row("ER-NeRF", {"Sync": 4.694}),
                Row("GaussianTalker*", {"Sync": 4.579}, STAR),
                Row("GaussianTalker", {"Sync": 5.356}, "gaussiantalker"),
            ),
            driven=True,
        ),
        Table(
            3,
            "attributes predicted from the triplane",
            _ABLATION,
            (
                _ablation("scale, rotation, SH, opacity", "33.195 .016 9.976 2.873 6.927", f"{STAR}/predict-all"),
                _ablation("SH, opacity", "33.299 .014 9.808 2.891 6.853", STAR),
                _ablation("rotation, scale", "33.056 .016 11.775 2.873 6.892", f"{STAR}/predict-shape"),
                _ablation("none", "33.040 .017 11.915 2.996 6.543", f"{STAR}/predict-nothing"),
            ),
        ),
        Table(
            4,
            "attributes deformed",
            _ABLATION,
            (
                _ablation("SH, opacity", "32.746 .021 44.933 3.179 6.694", f"{STAR}/deform-colour"),
                _ablation("position, rotation, scale", "33.036 .013 17.52 2.970 6.688", f"{STAR}/deform-shape"),
                _ablation("all", "33.299 .013 9.808 2.890 6.928", STAR),
            ),
        ),
        Table(
            5,
            "conditions",
            _ABLATION,
            (
                _ablation("without null", "32.997 .014 9.908 2.933 6.698", f"{STAR}/without-null"),
                _ablation("without eye", "32.826 .015 10.060 2.902 6.911", f"{STAR}/without-eye"),
                _ablation("without viewpoint", "31.866 .019 13.231 3.052 6.563", f"{STAR}/without-camera"),
                _ablation("all", "33.299 .014 9.809 2.891 6.928", STAR),
            ),
        ),
        Table(
            6,
            "stage-wise training, after some iterations of the second stage",
            _STAGES,
            (
                _stage("without, 500", "26.063 1.348", False, 500),
                _stage("without, 1000", "26.478 4.007", False, 1_000),
                _stage("without, 5000", "32.676 6.602", False, 5_000),
                _stage("with, 500", "31.076 1.548", True, 500),
                _stage("with, 1000", "31.923 4.449", True, 1_000),
                _stage("with, 5000", "32.733 6.736", True, 5_000),
            ),
        ),
    )
}


def find_table(number: int) -> Table:
    """Raises GaussianTalkerError when the paper has no such table."""
    if number not in TABLES:
        known = ", ".join(f"{table.number} ({table.title})" for table in TABLES.values())
        raise GaussianTalkerError(f"There is no table {number}: choose one of {known}.")
    return TABLES[number]

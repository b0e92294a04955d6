"""The numbers the papers print, to stand beside ours.

Tables 1 to 6 are GaussianTalker's (Cho et al., ACM MM 2024); its Table 1 in the review draft repeats one row's FID,
LMD and AUE, for which the authors' project page has the values used here. The table of ablations is EGSTalker's (Zhu
et al., IEEE SMC 2025).
"""

from dataclasses import dataclass, field

from gaussiantalker.errors import GaussianTalkerError

FULL, STAR, GSTALKER, EGSTALKER = "gaussiantalker", "gaussiantalker-star", "gstalker", "egstalker"
OTHER_PAPER = "from its own paper, on other videos; EGSTalker's are of whole frames on a Tesla T4"
DEFORMATION_STEPS = 10_000  # of the second stage, in the public code


@dataclass(frozen=True)
class Row:
    """One line of a table: what the paper says and, where there is one, the method here that trains it."""

    title: str
    paper: dict[str, float] = field(default_factory=dict)
    method: str | None = None
    canonical: bool = True
    """Whether the canonical stage comes first."""
    share: float = 1.0
    """Of the deformation stage's iterations, after which the avatar is measured."""
    elsewhere: bool = False
    """Whether the numbers are from another paper than the table's."""
    against: str | None = None
    """Title of the row to compare with, where that is not the table's own reference."""


@dataclass(frozen=True)
class Table:
    """A table of a paper; its numbers carry the names of `COLUMNS`."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    reference: str
    """Title of the row that the others are compared with."""
    driven: bool = False
    """Whether it is about sound that is not in the capture."""
    notes: tuple[str, ...] = ()

    @property
    def keys(self) -> dict[str, str]:
        """The table's columns and ours beside them, with the key of our number."""
        own = OWN_DRIVEN_COLUMNS if self.driven else OWN_COLUMNS
        return {column: COLUMNS[column] for column in self.columns} | own


# The paper's name of a number, and the key of the nearest of ours.
COLUMNS = {
    "PSNR": "psnr_head",
    "PSNR, whole": "psnr_whole",
    "SSIM": "ssim_head",
    "LPIPS": "lpips_alex",
    "LPIPS, whole": "lpips_whole",
    "FID": "fid",
    "LMD": "lmd",
    "AUE": "aue",
    "Sync": "lse_c",
    "CSIM": "csim",
    "min": "training_cpu_minutes",
    "FPS": "frames_per_cpu_second",
}
# Ours beside every table, for what the papers measure with SyncNet and OpenFace.
OWN_COLUMNS = {
    "our sync, r": "sync_correlation",
    "lips, r": "lip_correlation",
    "blinks, r": "blink_correlation",
    "AU proxy": "au_proxy_lower",
}
OWN_DRIVEN_COLUMNS = {"our sync, r": "driven_sync_correlation", "still in silence": "driven_silence_motion"}


def _numbers(columns: tuple[str, ...], values: str) -> dict[str, float]:
    """Numbers written as in the paper, a dash where it has none."""
    pairs = zip(columns, values.split(), strict=True)
    return {column: float(value) for column, value in pairs if value != "-"}


_SELF = ("PSNR", "SSIM", "LPIPS", "FID", "LMD", "AUE", "Sync", "CSIM", "min", "FPS")
_ABLATION = ("PSNR", "LPIPS", "FID", "LMD", "Sync")
_EGS_ABLATION = ("PSNR, whole", "LPIPS, whole", "LMD", "Sync")


def _self(title: str, values: str, method: str | None = None, elsewhere: bool = False) -> Row:
    return Row(title, _numbers(_SELF, values), method, elsewhere=elsewhere)


def _ablation(title: str, values: str, method: str) -> Row:
    return Row(title, _numbers(_ABLATION, values), method)


def _stage(canonical: bool, iterations: int, values: str) -> Row:
    title = f"{'with' if canonical else 'without'}, {iterations}"
    against = None if canonical else f"with, {iterations}"
    return Row(title, _numbers(_ABLATION, values), STAR, canonical, iterations / DEFORMATION_STEPS, against=against)


def _egstalker(title: str, values: str, method: str | None, canonical: bool = True) -> Row:
    return Row(title, _numbers(_EGS_ABLATION, values), method, canonical)


TABLES = {
    table.name: table
    for table in (
        Table(
            "1",
            "self-driven",
            _SELF,
            (
                _self("Wav2Lip", "30.461 .911 .024 33.074 4.458 1.761 9.606 .887 - 19"),
                _self("PC-AVS", "21.958 .699 .053 42.646 4.619 1.875 9.185 .519 - 32"),
                _self("AD-NeRF", "30.341 .906 .026 20.243 5.692 2.331 4.939 .908 780 .13"),
                _self("RAD-NeRF", "30.703 .915 .026 26.238 3.142 2.196 5.757 .911 180 32"),
                _self("ER-NeRF", "31.673 .919 .014 19.829 3.003 1.974 5.976 .922 60 34"),
                _self("GaussianTalker*", "32.269 .930 .016 10.771 2.711 1.758 6.443 .933 60 121", STAR),
                _self("GaussianTalker", "32.423 .931 .018 11.951 2.928 2.292 6.554 .932 90 98", FULL),
                _self("GSTalker", "- - - - - - - - 40 125", GSTALKER, elsewhere=True),
                _self("EGSTalker", "36.070 .992 .0223 2.424 2.536 - 6.966 - 222 68.51", EGSTALKER, elsewhere=True),
            ),
            "GaussianTalker*",
        ),
        Table(
            "2",
            "cross-driven (Sync on the paper's clip A)",
            ("Sync",),
            (
                Row("AD-NeRF", {"Sync": 5.128}),
                Row("RAD-NeRF", {"Sync": 5.126}),
                Row("ER-NeRF", {"Sync": 4.694}),
                Row("GaussianTalker*", {"Sync": 4.579}, STAR),
                Row("GaussianTalker", {"Sync": 5.356}, FULL),
                Row("GSTalker", {}, GSTALKER),
                Row("EGSTalker", {"Sync": 6.945}, EGSTALKER, elsewhere=True),
            ),
            "GaussianTalker*",
            driven=True,
        ),
        Table(
            "3",
            "attributes predicted from the triplane",
            _ABLATION,
            (
                _ablation("scale, rotation, SH, opacity", "33.195 .016 9.976 2.873 6.927", f"{STAR}/predict-all"),
                _ablation("SH, opacity", "33.299 .014 9.808 2.891 6.853", STAR),
                _ablation("rotation, scale", "33.056 .016 11.775 2.873 6.892", f"{STAR}/predict-shape"),
                _ablation("none", "33.040 .017 11.915 2.996 6.543", f"{STAR}/predict-nothing"),
            ),
            "SH, opacity",
        ),
        Table(
            "4",
            "attributes deformed",
            _ABLATION,
            (
                _ablation("SH, opacity", "32.746 .021 44.933 3.179 6.694", f"{STAR}/deform-colour"),
                _ablation("position, rotation, scale", "33.036 .013 17.52 2.970 6.688", f"{STAR}/deform-shape"),
                _ablation("all", "33.299 .013 9.808 2.890 6.928", STAR),
            ),
            "all",
        ),
        Table(
            "5",
            "conditions",
            _ABLATION,
            (
                _ablation("without null", "32.997 .014 9.908 2.933 6.698", f"{STAR}/without-null"),
                _ablation("without eye", "32.826 .015 10.060 2.902 6.911", f"{STAR}/without-eye"),
                _ablation("without viewpoint", "31.866 .019 13.231 3.052 6.563", f"{STAR}/without-camera"),
                _ablation("all", "33.299 .014 9.809 2.891 6.928", STAR),
            ),
            "all",
        ),
        Table(
            "6",
            "stage-wise training, after iterations of the second stage",
            _ABLATION,
            (
                _stage(False, 500, "26.063 .072 66.629 3.446 1.348"),
                _stage(False, 1_000, "26.478 .064 56.890 3.344 4.007"),
                _stage(False, 5_000, "32.676 .016 14.026 2.971 6.602"),
                _stage(True, 500, "31.076 .029 31.301 3.792 1.548"),
                _stage(True, 1_000, "31.923 .024 20.366 3.245 4.449"),
                _stage(True, 5_000, "32.733 .014 11.173 2.923 6.736"),
            ),
            "with, 5000",
            notes=(
                "iterations are the same shares of this schedule's second stage (5, 10 and 50 %), measured on the way "
                "of one training with the canonical stage and one without",
            ),
        ),
        Table(
            "egstalker",
            "EGSTalker's ablation",
            _EGS_ABLATION,
            (
                _egstalker("none (GaussianTalker)", "36.034 .0224 2.614 6.964", FULL),
                _egstalker("KAN", "36.415 .0218 2.638 6.430", f"{EGSTALKER}/kan-alone"),
                _egstalker("KAN, ESAA", "36.104 .0218 2.537 6.851", f"{EGSTALKER}/without-position"),
                _egstalker("ESAA, PPE", "- - - -", f"{EGSTALKER}/without-kan"),
                _egstalker("KAN, PPE", "- - - -", f"{EGSTALKER}/without-agents"),
                _egstalker("without static stage", "35.865 .0248 2.651 6.461", EGSTALKER, canonical=False),
                _egstalker("all", "36.070 .0223 2.536 6.966", EGSTALKER),
            ),
            "all",
            notes=(
                "EGSTalker's paper adds its parts one after another; the rows without a number of the paper leave one "
                "part out",
            ),
        ),
    )
}


def find_table(name: str) -> Table:
    """Raises GaussianTalkerError when there is no such table."""
    if name not in TABLES:
        known = ", ".join(f"{table.name} ({table.title})" for table in TABLES.values())
        raise GaussianTalkerError(f"There is no table {name}: choose one of {known}.")
    return TABLES[name]


def milestones(method: str, canonical: bool) -> list[float]:
    """Shares of the second stage after which some table measures what this method has become."""
    rows = (row for table in TABLES.values() for row in table.rows)
    return sorted({row.share for row in rows if (row.method, row.canonical) == (method, canonical) and row.share < 1})

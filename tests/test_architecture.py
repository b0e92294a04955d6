"""The house rules that a reader cannot be asked to check by hand."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "gaussiantalker"
FILES = sorted(PACKAGE.rglob("*.py"))

FLOORS = {
    "errors": 0,
    "geometry": 0,
    "hardware": 0,
    "kernels": 0,
    "media": 0,
    "pretrained": 0,
    "progress": 0,
    "timing": 0,
    "perception": 1,
    "provenance": 1,
    "speech": 1,
    "splatting": 1,
    "voice": 1,
    "capture": 2,
    "talker": 2,
    "speaking": 3,
    "training": 3,
    "evaluation": 4,
    "export": 4,
    "reproduction": 4,
    "serving": 4,
    "cli": 5,
}
# On these floors rooms do one job each and do not know each other, but for the rooms that build on one.
STRANGERS = {4}
KNOWN = {"reproduction": {"evaluation"}, "serving": {"export"}}
LONGEST_FILE, LONGEST_FUNCTION = 500, 60
TOLD = ("GaussianTalkerError", "Failure", "Problem")
NAMES = ("gaussiantalker", "gsplat", "near_plane", "sh_degree", "torch")  # of programs and arguments, which are small

files = pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))


def room_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(file: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything a file imports; an `if TYPE_CHECKING` counts like any other import."""
    package = ["gaussiantalker", *file.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield node.lineno, module
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def rooms_used(file: Path) -> set[str]:
    parts = [name.split(".") for _, name in imported(file)]
    return {p[1] for p in parts if p[0] == "gaussiantalker" and len(p) > 1 and p[1] in FLOORS}


def test_every_room_has_a_floor() -> None:
    rooms = {room_of(file) for file in FILES} - {"__init__", "__main__"}
    assert rooms <= set(FLOORS)
    documented = (ROOT / "docs" / "conventions.md").read_text(encoding="utf-8").partition("## Rooms")[2]
    assert not {room for room in rooms if f"`{room}`" not in documented}


@files
def test_rooms_import_from_floors_below(file: Path) -> None:
    room = room_of(file)
    if room in ("__init__", "__main__"):
        return
    above = {used for used in rooms_used(file) if FLOORS[used] > FLOORS[room]}
    assert not above, f"{room} is on floor {FLOORS[room]} and imports from above: {sorted(above)}"
    if FLOORS[room] in STRANGERS:
        beside = {used for used in rooms_used(file) if used != room and FLOORS[used] == FLOORS[room]}
        assert beside <= KNOWN.get(room, set())


def test_rooms_of_one_floor_do_not_import_in_a_circle() -> None:
    uses: dict[str, set[str]] = {room: set() for room in FLOORS}
    for file in FILES:
        room = room_of(file)
        if room in FLOORS:
            uses[room] |= {used for used in rooms_used(file) if used != room and FLOORS[used] == FLOORS[room]}
    while leaves := [room for room, used in uses.items() if not used]:
        uses = {room: used - set(leaves) for room, used in uses.items() if room not in leaves}
    assert not uses, f"these rooms import each other in a circle: {uses}"


@files
def test_files_and_functions_fit_on_screens(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count("\n") <= LONGEST_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = node.end_lineno - node.lineno + 1
            assert lines <= LONGEST_FUNCTION, f"{node.name} has {lines} lines"


@files
def test_every_file_says_what_it_is(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "the file has no docstring"


@files
def test_nothing_that_the_house_forbids(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("print", "eval", "exec"), f"line {node.lineno}: {node.func.id}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) != ("os", "system"), f"line {node.lineno}: os.system"
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"line {node.lineno}: a bare except"
        if isinstance(node, ast.ImportFrom):
            assert all(alias.name != "*" for alias in node.names), f"line {node.lineno}: a star import"
        assert not isinstance(node, ast.Global), f"line {node.lineno}: a global"
    unfinished = re.search(r"\b(TODO|FIXME|XXX|HACK)\b", text)
    assert not unfinished, unfinished
    code = re.search(r"^\s*#\s*(def |class |import |from \w+ import|return )", text, re.MULTILINE)
    assert not code, f"commented-out code: {code[0] if code else ''}"


@files
def test_errors_are_sentences(file: Path) -> None:
    """They begin with a capital letter, or with what is wrong, and end with a full stop, if need be another error's."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in TOLD):
            continue
        for said in (part for part in node.args if isinstance(part, ast.Constant | ast.JoinedStr)):
            parts = said.values if isinstance(said, ast.JoinedStr) else [said]
            first, last = parts[0], parts[-1]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                assert not first.value[0].islower() or first.value.split()[0] in NAMES, f"{node.lineno}: {first.value}"
            if isinstance(last, ast.Constant) and isinstance(last.value, str):
                assert last.value.endswith("."), f"line {node.lineno}: {last.value}"
            elif isinstance(last, ast.FormattedValue):
                assert ast.unparse(last.value) == "error", f"line {node.lineno} ends without a full stop"


def test_no_drawer_for_odds_and_ends() -> None:
    assert not [file for file in FILES if file.stem in ("utils", "util", "helpers", "misc", "common")]


def test_tests_mirror_the_source() -> None:
    """A folder of tests belongs to a room; a test may also be about the package or the repository as a whole."""
    for folder in (path for path in (ROOT / "tests").iterdir() if path.is_dir() and any(path.glob("test_*.py"))):
        assert folder.name in FLOORS or (ROOT / folder.name).is_dir(), f"tests/{folder.name} mirrors no room"


@pytest.mark.parametrize("file", sorted(ROOT.glob("benchmarks/*.py")), ids=lambda file: file.name)
def test_what_benchmarks_import_is_there(file: Path) -> None:
    """No other test runs them: a name that went would be found by the next person who measures."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gaussiantalker"):
            exec(compile(ast.Module([node], []), file.name, "exec"), {})

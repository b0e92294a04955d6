"""Where the command line begins: finds the verb, reads its options, runs it, and turns errors into one sentence."""

import difflib
import io
import itertools
import re
import sys
from collections.abc import Iterable, Sequence
from contextlib import redirect_stderr
from dataclasses import fields
from typing import get_args

import tyro
from rich.console import Console

from gaussiantalker.cli.batch import Batch
from gaussiantalker.cli.capture import Capture
from gaussiantalker.cli.compare import Compare
from gaussiantalker.cli.console import shown_progress
from gaussiantalker.cli.demo import Demo
from gaussiantalker.cli.doctor import Doctor
from gaussiantalker.cli.evaluate import Evaluate
from gaussiantalker.cli.export import Export
from gaussiantalker.cli.livekit import Livekit
from gaussiantalker.cli.models import Models
from gaussiantalker.cli.pipes import unpiped
from gaussiantalker.cli.push import Push
from gaussiantalker.cli.reproduce import Reproduce
from gaussiantalker.cli.say import Say
from gaussiantalker.cli.serve import Serve
from gaussiantalker.cli.speak import Speak
from gaussiantalker.cli.speech import Speech
from gaussiantalker.cli.train import Train
from gaussiantalker.cli.verify import Verify
from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.hardware import keep_memory
from gaussiantalker.progress import printable

_Verb = (
    Demo
    | Capture
    | Train
    | Speak
    | Say
    | Serve
    | Livekit
    | Export
    | Push
    | Evaluate
    | Compare
    | Batch
    | Reproduce
    | Speech
    | Verify
    | Models
    | Doctor
)
VERBS = {verb.__name__.lower(): verb for verb in get_args(_Verb)}
_DESCRIPTION = "A portrait video goes in once, an avatar comes out, and the avatar speaks any audio."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb. With `--debug` anywhere, errors come with their traceback.

    Returns the exit code: 0, 2 for input the user can put right, 1 for a failure such as a full disk or a defect, 130
    when stopped by Ctrl-C.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    options = words[: words.index("--")] if "--" in words else words
    debug = "--debug" in options
    try:
        return _run([word for word in options if word != "--debug"] + words[len(options) :])
    except Exception as error:
        if debug:
            raise
        if isinstance(error, GaussianTalkerError):
            return _say(str(error), error.exit_code)
        if _out_of_memory(error):
            return _say(
                "There is not enough memory for this: close other programs, or do less at once, with smaller pictures, "
                "a shorter video or sound, or a shorter schedule.",
                1,
            )
        return _say(
            f"This should not have happened ({type(error).__name__}: {error}): run it again with --debug, and report "
            "what that shows together with the output of gaussiantalker doctor.",
            1,
        )


def _run(arguments: list[str]) -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # without Unicode a question mark, no traceback
    verb = read(arguments or ["--help"])
    keep_memory()
    try:
        with unpiped(verb) as unpiped_verb, shown_progress(Console(stderr=True)) as progress:
            told = unpiped_verb.run(progress)
    except KeyboardInterrupt:
        return _say(verb.when_stopped, 130)
    text, code = told if isinstance(told, tuple) else (told, 0)
    return _say(text, code, stderr=False)


def read(arguments: list[str]) -> _Verb:
    """The verb with its options. Raises GaussianTalkerError for a verb, an option or a value that does not exist."""
    first, rest = arguments[0], arguments[1:]
    if first not in VERBS and first not in ("-h", "--help"):
        raise GaussianTalkerError(f"There is no verb {first!r}{_meant(first, VERBS)} See gaussiantalker --help.")
    if first in VERBS:
        _check_options(first, rest)
    refused = io.StringIO()
    try:
        with redirect_stderr(refused):
            return tyro.cli(
                tyro.conf.OmitSubcommandPrefixes[_Verb], prog="gaussiantalker", description=_DESCRIPTION, args=arguments
            )
    except SystemExit as end:
        if not end.code:
            raise
        raise GaussianTalkerError(f"{_first_paragraph(refused.getvalue())} See gaussiantalker {first} --help.") from end


def _check_options(verb: str, arguments: list[str]) -> None:
    known = ["--help", *("--" + field.name.replace("_", "-") for field in fields(VERBS[verb]))]
    for word in itertools.takewhile(lambda word: word != "--", arguments):
        name = word.partition("=")[0]
        if name.startswith("--") and name not in known:
            raise GaussianTalkerError(
                f"gaussiantalker {verb} has no option {name}{_meant(name, known)} See gaussiantalker {verb} --help."
            )


def _meant(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else "."


def _first_paragraph(box: str) -> str:
    """The first paragraph of a message that tyro drew in a frame, as one line."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", box)
    rows = [row.strip("│ ") for row in plain.splitlines()[1:]]
    below_title = itertools.dropwhile(_is_rule, rows)
    text = " ".join(" ".join(itertools.takewhile(lambda row: not _is_rule(row), below_title)).split())
    text = text.replace(" .", ".")
    return text if text.endswith((".", ")")) else f"{text}."


def _is_rule(row: str) -> bool:
    return not row.strip("─-╰╯")


def _say(sentence: str, code: int, stderr: bool = True) -> int:
    Console(stderr=stderr, highlight=False, markup=False).print(printable(sentence), soft_wrap=True)
    return code


def _out_of_memory(error: BaseException) -> bool:
    """Whether an error, Python's, numpy's or torch's, says that memory is used up, the processor's or a GPU's."""
    by_name = type(error).__name__ == "OutOfMemoryError"
    return isinstance(error, MemoryError) or by_name or "can't allocate memory" in str(error)

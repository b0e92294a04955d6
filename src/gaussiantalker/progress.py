"""How long work tells what it is doing, without knowing who listens."""

from typing import Protocol


class Progress(Protocol):
    """A listener for one long piece of work, made of stages."""

    def stage(self, name: str, total: int) -> None:
        """A stage of `total` steps begins; the one before it has ended."""

    def update(self, done: int, **numbers: float) -> None:
        """`done` of the current stage's steps are finished; `numbers` are worth showing beside it (loss, psnr, ...)."""

    def note(self, text: str) -> None:
        """A sentence the user should see: a licence, a warning, a file that was written."""


class Silent:
    """Listens and says nothing: the default everywhere."""

    def stage(self, name: str, total: int) -> None:
        pass

    def update(self, done: int, **numbers: float) -> None:
        pass

    def note(self, text: str) -> None:
        pass


SILENT: Progress = Silent()


def printable(text: str) -> str:
    """The text with what a terminal would obey instead of show written out, as `\\x1b`; names of files may hold it."""
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)

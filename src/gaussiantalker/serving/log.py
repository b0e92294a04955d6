"""The server's log: to the standard error, each thing once a second at most, and without what moves a terminal."""

import logging
from time import monotonic

from gaussiantalker.progress import printable

_INTERVAL = 1.0  # seconds between two messages of one kind
_KINDS = 1000  # that are remembered


def set_up() -> None:
    """Sends warnings of everything that runs in the server there."""
    handler = logging.StreamHandler()
    handler.addFilter(_Sparing())
    handler.setFormatter(_Plain("%(asctime)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


class _Sparing(logging.Filter):
    """Lets through one message of a kind in a second; the next one tells how many were left out.

    A kind is a logger and the first line of what it says, before values are put in.
    """

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        kind, now = (record.name, str(record.msg).partition("\n")[0]), monotonic()
        said, left_out = self._last.get(kind, (-_INTERVAL, 0))
        if now - said < _INTERVAL:
            self._last[kind] = (said, left_out + 1)
            return False
        if len(self._last) >= _KINDS:
            self._last.clear()
        self._last[kind] = (now, 0)
        if left_out:
            record.msg, record.args = f"{record.getMessage()} (and {left_out} more like it)", ()
        return True


class _Plain(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))

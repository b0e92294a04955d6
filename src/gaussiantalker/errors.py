"""The exceptions a user is meant to read."""


class GaussianTalkerError(Exception):
    """Something the user can put right: one sentence that says what is wrong and what to do about it.

    The command line prints the sentence and exits with code 2; from Python it is an ordinary exception.
    """

    exit_code = 2


class Failure(GaussianTalkerError):
    """What went wrong is not the input's fault, as a full disk; the command line exits with code 1."""

    exit_code = 1

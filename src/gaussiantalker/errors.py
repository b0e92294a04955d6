"""The one exception a user is meant to read."""


class GaussianTalkerError(Exception):
    """Something the user can put right: one sentence that says what is wrong and what to do about it.

    The command line prints the sentence and exits with code 2; from Python it is an ordinary exception.
    """

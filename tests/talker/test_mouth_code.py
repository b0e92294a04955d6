"""The mouth code: measured from rest, in deviations, and completed from what is given."""

import numpy as np
import pytest

from gaussiantalker.errors import GaussianTalkerError
from gaussiantalker.talker.mouth_code import SCORES, MouthCode
from gaussiantalker.talker.mouth_reader import Curves

JAW, SMILE = SCORES.index("jawOpen"), SCORES.index("mouthSmileLeft")


def scores(frames: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Speech whose jaw follows the lips, with a silent half second in which the mouth is shut and smiles a little."""
    rng = np.random.default_rng(0)
    table = np.zeros((frames, len(SCORES)))
    table[:, 0] = np.abs(rng.normal(0.1, 0.05, frames))
    table[:, JAW] = 2 * table[:, 0] + rng.normal(0, 0.005, frames)
    table[:, SMILE] = rng.normal(0.5, 0.1, frames)
    voiced = np.ones(frames, bool)
    voiced[100:112] = False
    table[~voiced] = 0.0
    table[~voiced, SMILE] = 0.3
    return table, voiced


def test_rest_is_zero_and_a_deviation_is_one() -> None:
    table, voiced = scores()
    code = MouthCode.measure(table, voiced)
    assert code.names == ("lip_opening", "jawOpen", "mouthSmileLeft"), "what does not move is left out"
    codes = code.encode(table)
    assert np.abs(codes[~voiced]).max() < 1e-6
    np.testing.assert_allclose(codes.std(axis=0), 1, rtol=1e-5)


def test_without_silence_rest_is_the_mouth_at_its_most_closed() -> None:
    table, _ = scores()
    code = MouthCode.measure(table[112:], np.ones(288, bool))
    assert code.rest[0] < np.quantile(table[112:, 0], 0.1)


def test_what_is_not_given_goes_along() -> None:
    table, voiced = scores()
    code = MouthCode.measure(table, voiced)
    given = {"jawOpen": table[:, JAW], "tongueOut": table[:, 0]}
    whole, true = code.complete(given), code.encode(table)
    np.testing.assert_allclose(whole[:, 1], true[:, 1], atol=1e-6)
    assert np.corrcoef(whole[:, 0], true[:, 0])[0, 1] > 0.98 and 0.8 < whole[:, 0].std() < 1.1
    np.testing.assert_allclose(code.complete({"jawOpen": np.zeros(3)}), 0, atol=0.02)


def test_names_of_something_else_are_refused() -> None:
    code = MouthCode.measure(*scores())
    with pytest.raises(GaussianTalkerError, match="give some of lip_opening, jawOpen"):
        code.complete({"browInnerUp": np.zeros(3)})
    with pytest.raises(GaussianTalkerError, match="hardly move"):
        MouthCode.measure(np.zeros((50, len(SCORES))), np.ones(50, bool))


def test_curves_give_a_distribution_and_keep_the_order() -> None:
    rng = np.random.default_rng(0)
    heard, shown = rng.normal(size=(900, 2)), np.abs(rng.normal(size=(700, 2))) ** 2
    curves = Curves.matching(heard, shown)
    made = curves(heard)
    share = np.linspace(0.05, 0.95, 19)
    np.testing.assert_allclose(np.quantile(made, share, axis=0), np.quantile(shown, share, axis=0), atol=0.05)
    order = heard[:, 0].argsort()
    assert (np.diff(made[order, 0]) >= 0).all()
    beyond = curves(np.array([[-99.0, 99.0]]))
    np.testing.assert_allclose(beyond, [[shown[:, 0].min(), shown[:, 1].max()]])

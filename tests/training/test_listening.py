"""The speech network learns to tell the mouth from the sound."""

from types import SimpleNamespace

import numpy as np
import torch

from gaussiantalker.talker.audio import SpeechNet
from gaussiantalker.training.listening import learn_to_listen, mouth_targets


def test_what_was_heard_can_be_read_off_linearly() -> None:
    """The opening hides in one channel of the middle rows; afterwards a straight line finds it in unseen frames."""
    rng = np.random.default_rng(0)
    contexts = rng.normal(size=(300, 8, 16, 3)).astype(np.float32)
    opening = contexts[:, 3:5, 6:10, 1].mean(axis=(1, 2))
    torch.manual_seed(0)
    network = SpeechNet(3)

    def explained() -> float:
        with torch.no_grad():
            feature = np.column_stack([network(torch.from_numpy(contexts)).numpy(), np.ones(300)])
        weights = np.linalg.lstsq(feature[:200], opening[:200], rcond=None)[0]
        return float(np.corrcoef(feature[200:] @ weights, opening[200:])[0, 1])

    before = explained()
    targets = torch.from_numpy(opening[:200, None] / opening.std()).float()
    learn_to_listen(network, contexts[:200], targets, steps=200, seed=0)
    assert explained() > max(0.7, before + 0.2)


def test_targets_are_standard_and_still_scores_are_left_out() -> None:
    rng = np.random.default_rng(1)
    blendshapes = np.zeros((500, 52))
    blendshapes[:, 25] = rng.random(500)  # jawOpen
    targets = mouth_targets(SimpleNamespace(lip_opening=0.3 * rng.random(500), blendshapes=blendshapes))
    assert targets.shape == (500, 2)
    torch.testing.assert_close(targets.mean(dim=0), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(targets.std(dim=0), torch.ones(2), atol=1e-2, rtol=0)

"""From windows of speech features to one vector a frame: AudioNet and AudioAttNet.

The temporal smoothing of AD-NeRF (Guo et al., ICCV 2021), as GaussianTalker uses it.
"""

import torch
from torch import Tensor, nn

_WINDOW = 16  # feature rows (at 50 Hz) in a frame's window
_CONTEXT = 8  # neighbouring frames' windows that are averaged


def keep_variance(network: nn.Module) -> None:
    """Starts a network of (leaky) ReLU layers so that what varies at its input varies as much at its output.

    Torch's own start shrinks a signal at every layer: through these seven, speech would reach the Gaussians six
    hundred times weaker than the null token beside it, and a short training never learns to hear it.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv1d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class SpeechNet(nn.Module):
    """Speech windows around a frame to its audio feature a_n."""

    def __init__(self, channels: int, width: int = 32):
        super().__init__()
        self.width = width
        sizes = (channels, 32, 32, 64, 64)
        self.window_net = nn.Sequential(
            *(
                layer
                for before, after in zip(sizes, sizes[1:], strict=False)
                for layer in (nn.Conv1d(before, after, 3, stride=2, padding=1), nn.LeakyReLU(0.02))
            ),
            nn.Flatten(),
            nn.Linear(64, 64),
            nn.LeakyReLU(0.02),
            nn.Linear(64, width),
        )
        sizes = (width, 16, 8, 4, 2, 1)
        self.attention_net = nn.Sequential(
            *(
                layer
                for before, after in zip(sizes, sizes[1:], strict=False)
                for layer in (nn.Conv1d(before, after, 3, padding=1), nn.LeakyReLU(0.02))
            ),
            nn.Flatten(),
            nn.Linear(_CONTEXT, _CONTEXT),
            nn.Softmax(dim=-1),
        )
        keep_variance(self.window_net)

    def forward(self, contexts: Tensor) -> Tensor:
        """[B, 8, 16, channels] to [B, width]."""
        frames = contexts.shape[0]
        windows = self.window_net(contexts.flatten(0, 1).transpose(1, 2)).unflatten(0, (frames, _CONTEXT))
        weights = self.attention_net(windows.transpose(1, 2))
        return torch.einsum("bk,bkc->bc", weights, windows)

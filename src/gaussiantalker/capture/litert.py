"""One TensorFlow Lite network on the CPU."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

_STDERR = threading.Lock()  # all threads have one, so only one of them may turn it away


class Network:
    """Runs a .tflite model on one input tensor. The runtime is imported when the first network is made."""

    def __init__(self, model: bytes, threads: int = 2) -> None:
        from ai_edge_litert.interpreter import Interpreter

        with _without_announcements():
            self._interpreter = Interpreter(model_content=model, num_threads=threads)
            self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = {d["name"]: d["index"] for d in self._interpreter.get_output_details()}

    def __call__(self, tensor: np.ndarray) -> dict[str, np.ndarray]:
        """Outputs by name for one float32 input."""
        self._interpreter.set_tensor(self._input, tensor)
        self._interpreter.invoke()
        return {name: self._interpreter.get_tensor(index) for name, index in self._outputs.items()}


@contextmanager
def _without_announcements() -> Iterator[None]:
    """The runtime tells stderr which delegate it took, in the midst of our progress, and has no setting against it.

    What goes wrong is raised as an exception and so is not lost.
    """
    with _STDERR:
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)

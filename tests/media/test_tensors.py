"""Files of tensors: read as they were written, and the same bytes each time."""

from pathlib import Path

import torch
from safetensors.torch import load_file

from gaussiantalker.media.tensors import read_tensors, write_tensors


def test_the_same_tensors_are_the_same_bytes(tmp_path: Path) -> None:
    tensors = {"b": torch.arange(5).float(), "a": torch.zeros(3, 0), "c": torch.tensor(7, dtype=torch.int8)}
    about = {name: f"said of {name}, “quoted”" for name in "zyxwvut"}  # safetensors knows 5,040 orders of so many
    files = [tmp_path / f"{number}.safetensors" for number in range(3)]
    for file in files:
        write_tensors(file, tensors, about)
    found, said = read_tensors(files[0])
    assert said == about and found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)
    assert torch.equal(load_file(files[0])["b"], tensors["b"])
    assert len({file.read_bytes() for file in files}) == 1

"""Rows on disk are ordinary .npy files."""

from pathlib import Path

import numpy as np

from gaussiantalker.capture.arrays import ArrayReader, ArrayWriter, file_size, spread


def test_written_in_pieces_reads_as_one_array(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).integers(0, 255, (23, 5, 7, 3), dtype=np.uint8)
    with ArrayWriter(tmp_path / "a.npy", (5, 7, 3)) as writer:
        for start in range(0, 23, 4):
            writer.append(rows[start : start + 4])
    assert np.array_equal(np.load(tmp_path / "a.npy"), rows)
    assert np.array_equal(np.load(tmp_path / "a.npy", mmap_mode="r")[20], rows[20])
    reader = ArrayReader(tmp_path / "a.npy")
    assert len(reader) == 23 and reader.shape == rows.shape
    assert np.array_equal(reader[3:9], rows[3:9]) and np.array_equal(reader[22], rows[22])
    assert len(reader[9:3]) == 0
    assert np.array_equal(np.concatenate([part for _, part in reader.chunks(10)]), rows)
    assert np.array_equal(reader.sampled(3), rows[[0, 11, 22]])


def test_nothing_written_is_an_empty_array(tmp_path: Path) -> None:
    with ArrayWriter(tmp_path / "a.npy", (4,), np.float32):
        pass
    assert np.load(tmp_path / "a.npy").shape == (0, 4)
    assert file_size(tmp_path / "a.npy") == 128 and file_size(tmp_path / "b.npy") == -1


def test_spread_covers_both_ends_without_repeats() -> None:
    for length, count in ((1, 5), (7, 7), (100, 13), (3, 50)):
        chosen = spread(length, count)
        assert chosen[0] == 0 and chosen[-1] == length - 1 and len(chosen) == min(length, count)

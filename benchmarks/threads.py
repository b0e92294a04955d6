"""Do idle thread pools starve each other? Torch work and kernel calls in turn, under several ways to run threads.

    python benchmarks/threads.py

Each way runs in a process of its own. The same loop of 512 items of a few microseconds is timed alone, then between
torch operations that use torch's OpenMP pool. A ratio near one says that the two live in peace. Times are medians of
wall time; on a machine with other work they show how a pool behaves there, which is the harder test.
"""

import json
import os
import subprocess
import sys
import time

from rich.console import Console
from rich.table import Table

ROUNDS, ITEMS = 40, 512
WAYS = {
    "ours": "for_each, torch's pool quieted",
    "spinning": "for_each, torch's pool as it comes",
    "workqueue": "numba's workqueue",
    "omp": "numba's omp",
    "omp passive": "numba's omp, OMP_WAIT_POLICY=passive",
}


def main() -> None:
    columns = ["threads", "kernel alone", "between torch", "ratio", "torch alone", "between kernels", "CPU per round"]
    table = Table(*columns)
    for way, title in WAYS.items():
        environment = os.environ | {"OMP_NUM_THREADS": str(os.cpu_count())}
        if way.startswith("omp") or way == "workqueue":
            environment["NUMBA_THREADING_LAYER"] = way.split()[0]
        if way == "omp passive":
            environment["OMP_WAIT_POLICY"] = "passive"
        result = subprocess.run(
            [sys.executable, __file__, way], env=environment, capture_output=True, text=True, check=False
        )
        if result.returncode:
            table.add_row(title, (result.stderr.strip().splitlines() or ["it ended without a word"])[-1])
            continue
        t = json.loads(result.stdout)
        ratio = t["kernel between"] / t["kernel alone"]
        names = ("kernel alone", "kernel between", "torch alone", "torch between", "cpu")
        cells = [f"{t[name]:.2f} ms" for name in names]
        table.add_row(title, *cells[:2], f"{ratio:.2f}", *cells[2:])
    Console(width=130).print(table)


def kernel(way: str):
    """The loop, as a function without arguments."""
    import numba
    import numpy as np

    from gaussiantalker.kernels import threads

    @threads.helper
    def item(i, out):
        total = np.float32(0)
        for k in range(4000):
            total = total * np.float32(0.999) + np.float32(k)
        out[i] = total

    @threads.compiled
    def ours(pool, out):
        threads.for_each(pool, len(out), item, (out,))

    @numba.njit(parallel=True, nogil=True)
    def numbas(out):
        for i in numba.prange(len(out)):
            item(i, out)

    out = np.zeros(ITEMS, np.float32)
    if way == "ours":
        return lambda: ours(threads.pool(), out)
    if way == "spinning":
        os.environ["OMP_WAIT_POLICY"] = "active"  # too late for OpenMP, which is loaded; in time for quiet_torch
        return lambda: ours(threads.pool(), out)
    return lambda: numbas(out)


def measure(way: str) -> dict[str, float]:
    import numpy as np
    import torch

    run = kernel(way)
    a, b = torch.rand(700, 700), torch.rand(400_000)

    def work() -> None:
        torch.relu_(a @ a)
        torch.relu(b)

    def times(*functions) -> np.ndarray:
        laps = np.empty((ROUNDS, len(functions)))
        for lap in laps:
            for i, function in enumerate(functions):
                begin = time.perf_counter()
                function()
                lap[i] = time.perf_counter() - begin
        return np.median(laps, 0) * 1e3

    times(run, work)
    (kernel_alone,), (torch_alone,) = times(run), times(work)
    begin = time.process_time()
    torch_between, kernel_between = times(work, run)
    cpu = (time.process_time() - begin) / ROUNDS * 1e3
    return {
        "kernel alone": kernel_alone,
        "kernel between": kernel_between,
        "torch alone": torch_alone,
        "torch between": torch_between,
        "cpu": cpu,
    }


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.stdout.write(json.dumps(measure(sys.argv[1])))
    else:
        main()

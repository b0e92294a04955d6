"""Parallel loops in numba kernels that live in peace with torch's own threads.

Two traps are avoided here, both measured by benchmarks/threads.py:

- An idle OpenMP pool busy-waits for milliseconds after every parallel region. On few cores it starves whatever runs
  next: another library's pool, another program, even torch itself when the machine has other work. `quiet_torch`
  makes torch's pool sleep instead.
- numba's threading layers do not fit a library: `omp` brings a second spinning pool, `workqueue` aborts the process
  when two Python threads enter it at once, `tbb` is one more package to install. `for_each` needs none of them: a
  kernel's loop is handed to a few Python threads, which run machine code without the GIL.
"""

import ctypes
import hashlib
import itertools
import os
import re
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import torch
from llvmlite import ir
from numba import config, njit, types

from gaussiantalker.kernels.simd import intrinsic

_FASTMATH = {"contract", "nsz", "nnan", "ninf", "arcp"}
_names = itertools.count()
_settings = config.__dict__  # numba's own
_PACKAGE = Path(__file__).resolve().parents[1]
_IMPORT = re.compile(r"^from gaussiantalker\.([\w.]+) import", re.MULTILINE)


def compiled(function: Callable) -> Callable:
    """A kernel that Python calls: numba's njit without the GIL, cached on disk, with fused products.

    Division by zero gives infinity; but not-a-number and infinity are assumed away, so nothing may test for them.
    """
    folder = _settings["CACHE_DIR"]
    _settings["CACHE_DIR"] = str(kernel_folder(Path(function.__code__.co_filename)))
    try:
        return njit(nogil=True, cache=True, error_model="numpy", fastmath=_FASTMATH)(function)
    except RuntimeError:  # there is no place to write to
        return njit(nogil=True, error_model="numpy", fastmath=_FASTMATH)(function)
    finally:
        _settings["CACHE_DIR"] = folder


def kernel_folder(file: Path) -> Path:
    """Where the compiled kernels of this source file are kept.

    numba looks only at the file that a kernel stands in, so the text of all that the file imports from this package,
    helpers and constants, names the folder.
    """
    texts = (path.read_bytes() for path in sorted(_imported(file.resolve(), frozenset())))
    name = hashlib.sha256(b"".join(texts)).hexdigest()[:16]
    return Path(_settings["CACHE_DIR"] or Path(__file__).parent / "__pycache__") / f"kernels-{name}"


def _imported(file: Path, known: frozenset[Path]) -> frozenset[Path]:
    """The file and what it imports from this package, directly or not; of a room's name, the whole room."""
    known |= {file}
    for name in _IMPORT.findall(file.read_text(encoding="utf-8")):
        path = _PACKAGE.joinpath(*name.split("."))
        for found in [path.with_suffix(".py")] if path.with_suffix(".py").is_file() else sorted(path.glob("*.py")):
            if found not in known:
                known |= _imported(found, known)
    return known


def helper(function: Callable) -> Callable:
    """A function that only kernels call. It is compiled into them, and in a third of the time `compiled` takes."""
    options: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return njit(error_model="numpy", fastmath=_FASTMATH, **options)(function)


def pool() -> tuple[int, int]:
    """What `for_each` runs on: the address that starts a loop, and how many threads torch is set to use."""
    quiet_torch()
    return ctypes.cast(_start, ctypes.c_void_p).value or 0, torch.get_num_threads()


@cache
def quiet_torch() -> None:
    """Makes torch's OpenMP threads sleep when they have nothing to do, whenever torch was imported.

    GNU's runtime spins briefly instead of long once it manages more threads than there are processors
    (GOMP_SPINCOUNT in its manual), so one more team is started here and parked. Nothing happens where torch has
    another runtime, or where the user's environment already says how to wait.
    """
    launch = _openmp_launcher()
    if launch is None or "OMP_WAIT_POLICY" in os.environ or "GOMP_SPINCOUNT" in os.environ:
        return
    parked = threading.Event()

    def park() -> None:
        launch(ctypes.cast(_nothing, ctypes.c_void_p), None, (os.cpu_count() or 1) + 1, 0)
        parked.set()
        threading.Event().wait()  # the team lives as long as the thread that started it

    threading.Thread(target=park, name="parked OpenMP team", daemon=True).start()
    parked.wait()


def _openmp_launcher() -> Callable | None:
    """`GOMP_parallel` of the very runtime that torch is linked with, or None where that is not GNU's."""
    for library in (Path(torch.__file__).parent / "lib").glob("libtorch_cpu.so"):
        try:
            launch = ctypes.CDLL(str(library)).GOMP_parallel
        except (OSError, AttributeError):
            return None
        launch.restype, launch.argtypes = None, [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
        return launch
    return None


_Loop = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


@_Loop
def _nothing(data: int | None) -> None:
    pass


class _Shared:
    """A running loop that helpers may join until it is closed."""

    def __init__(self, loop: int, data: int) -> None:
        self.run, self.data = _Loop(loop), data
        self.lock, self.open, self.helping, self.over = threading.Lock(), True, 0, False

    def help(self) -> None:
        with self.lock:
            if not self.open:
                return
            self.helping += 1
        try:
            self.run(self.data)
        finally:
            with self.lock:
                self.helping -= 1

    def close(self) -> None:
        """Waits for those who help, and lets no one in any more: the loop's memory is about to go."""
        while True:
            with self.lock:
                self.open, self.over = False, not self.helping
            if self.over:
                return
            time.sleep(2e-5)


class _Helpers:
    """Threads that wait for loops. SimpleQueue and Lock are C, so a signal cannot leave them half changed."""

    def __init__(self) -> None:
        self.loops: SimpleQueue[_Shared] = SimpleQueue()
        self.count = 0

    def invite(self, shared: _Shared, wanted: int) -> None:
        while self.count < wanted:
            self.count += 1
            threading.Thread(target=self._wait, name="splatting", daemon=True).start()
        for _ in range(wanted):
            self.loops.put(shared)

    def _wait(self) -> None:
        while True:
            self.loops.get().help()


@cache
def _helpers(process: int) -> _Helpers:
    """By process, because threads do not survive a fork."""
    return _Helpers()


@ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
def _start(loop: int, data: int, threads: int) -> None:
    """Runs the loop here and on helpers. It shares its work out itself, so a helper that comes late is not missed.

    A signal's exception (Ctrl-C above all) would be lost in a callback and leave helpers with memory that is gone,
    so the loop is brought to its end first and the exception raised a moment later. Running a loop again does no
    harm: there is nothing left to take.
    """
    shared, error = _Shared(loop, data), None
    while not shared.over:
        try:
            _helpers(os.getpid()).invite(shared, threads - 1)
            shared.run(data)
            shared.close()
        except BaseException as raised:
            error = raised
    if error is not None:
        thread, kind = ctypes.c_ulong(threading.get_ident()), ctypes.py_object(type(error))
        threading.Timer(1e-3, ctypes.pythonapi.PyThreadState_SetAsyncExc, (thread, kind)).start()


@intrinsic
def for_each(typing_context, pool, count, body, arguments):
    """In a kernel: body(i, *arguments) for every i < count, on all threads of `pool`, in no particular order.

    `body` is a `helper` that returns nothing and raises nothing; `arguments` is a tuple. An idle thread
    takes the next i from a shared counter, so uneven work balances itself. The result is deterministic when no two
    i write to the same place.
    """
    kinds = (types.int64, *arguments.types)
    called = body.get_call_type(typing_context, kinds, {})
    if called.return_type != types.none:
        raise TypeError("the body of for_each must return nothing")

    def generate(context, builder, signature, values):
        address, threads = (builder.extract_value(values[0], k) for k in range(2))
        shared = [context.get_constant(types.int64, 0), values[1]]
        shared += [builder.extract_value(values[3], k) for k in range(len(arguments.types))]
        frame_type = ir.LiteralStructType([value.type for value in shared])
        loop = _loop(context, builder, frame_type, body.dispatcher.get_compile_result(called))
        frame = _in_entry_block(builder, frame_type)
        for k, value in enumerate(shared):
            builder.store(value, _field(builder, frame, k))
        data = builder.bitcast(frame, _POINTER)
        with builder.if_else(builder.icmp_signed(">", threads, threads.type(1))) as (many, alone):
            with many:
                start = builder.inttoptr(address, _START.as_pointer())
                builder.call(start, [loop, data, threads])
            with alone:
                builder.call(loop, [data])
        return context.get_dummy_value()

    return types.void(pool, types.int64, body, arguments), generate


_POINTER = ir.IntType(8).as_pointer()
_LOOP = ir.FunctionType(ir.VoidType(), [_POINTER])
_START = ir.FunctionType(ir.VoidType(), [_LOOP.as_pointer(), _POINTER, ir.IntType(64)])


def _field(builder, frame, k: int):
    return builder.gep(frame, [ir.IntType(32)(0), ir.IntType(32)(k)], inbounds=True)


def _in_entry_block(builder, kind):
    """Stack memory taken once per call, wherever in the kernel the loop stands."""
    with builder.goto_entry_block():
        return builder.alloca(kind)


def _loop(context, builder, frame_type, result):
    """The function that each thread runs: take the next index until there is none, call the kernel's body."""
    context.add_linking_libs([result.library])
    name = f"for_each_{result.fndesc.mangled_name}_{next(_names)}"
    function = ir.Function(builder.module, _LOOP, name)
    function.linkage = "internal"
    inner = ir.IRBuilder(function.append_basic_block("entry"))
    frame = inner.bitcast(function.args[0], frame_type.as_pointer())
    end = inner.load(_field(inner, frame, 1))
    arguments = [inner.load(_field(inner, frame, k)) for k in range(2, len(frame_type.elements))]
    take, work, done = (function.append_basic_block(label) for label in ("take", "work", "done"))
    inner.branch(take)
    inner.position_at_end(take)
    index = inner.atomic_rmw("add", _field(inner, frame, 0), end.type(1), "monotonic")
    inner.cbranch(inner.icmp_signed("<", index, end), work, done)
    inner.position_at_end(work)
    body = context.declare_function(builder.module, result.fndesc)
    kinds = result.signature.args
    context.call_conv.call_function(inner, body, types.none, kinds, [index, *arguments])
    inner.branch(take)
    inner.position_at_end(done)
    inner.ret_void()
    return function

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
import shutil
import sys
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import torch
from llvmlite import ir
from numba import config, njit, types
from numba.core import cgutils

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
    folder, own = _settings["CACHE_DIR"], kernel_folder(Path(function.__code__.co_filename))
    if not folder and not own.exists():
        for former in own.parent.glob(f"{own.name.rsplit('-', 1)[0]}-*"):  # of another text of the same file
            shutil.rmtree(former, ignore_errors=True)
    _settings["CACHE_DIR"] = str(own)
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
    return (
        Path(_settings["CACHE_DIR"] or Path(__file__).parent / "__pycache__")
        / f"kernels-{file.parent.name}.{file.stem}-{name}"
    )


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
    """What `for_each` runs on: the address of what calls its helpers, and how many threads torch is set to use."""
    quiet_torch()
    threads, helpers = torch.get_num_threads(), _helpers(os.getpid())
    helpers.ready(threads - 1)
    return helpers.address, threads


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


_Told = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


@_Told
def _nothing(data: int | None) -> None:
    pass


class _Helpers:
    """Threads that wait for loops, of which the kernels' own code tells them.

    Whoever runs a kernel never runs Python before it is done: a signal's exception (Ctrl-C above all) would be lost
    there. What the kernel calls is `put`, which is C, and what puts a thread to sleep.
    """

    def __init__(self) -> None:
        self._records, self._count = SimpleQueue(), 0  # of addresses
        self._put = _Told(self._records.put)
        called: tuple[Any, Any] = self._put, _pause()
        self._table = (ctypes.c_void_p * 2)(*(ctypes.cast(function, ctypes.c_void_p) for function in called))
        self.address = ctypes.addressof(self._table)

    def ready(self, wanted: int) -> None:
        """Starts threads that are missing."""
        while self._count < wanted:
            threading.Thread(target=self._wait, name="splatting", daemon=True).start()
            self._count += 1

    def _wait(self) -> None:
        while True:
            record = self._records.get()
            _Told(ctypes.c_size_t.from_address(record).value)(record)


@cache
def _helpers(process: int) -> _Helpers:
    """By process, because threads do not survive a fork."""
    return _Helpers()


def _pause() -> Callable:
    """What lets other threads run for so many microseconds, or for a moment on Windows."""
    if sys.platform == "win32":
        return ctypes.windll.kernel32.SwitchToThread
    return ctypes.CDLL(None).usleep


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
        table, threads = (builder.extract_value(values[0], k) for k in range(2))
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
                _run_together(builder, builder.inttoptr(table, _POINTER.as_pointer()), loop, data, threads)
            with alone:
                builder.call(loop, [data])
        return context.get_dummy_value()

    return types.void(pool, types.int64, body, arguments), generate


_INT, _POINTER = ir.IntType(64), ir.IntType(8).as_pointer()
_LOOP = ir.FunctionType(ir.VoidType(), [_POINTER])
# A running loop, in memory that whoever leaves it last frees: what helpers call with it, how many may still come, how
# many are in it, the loop and its data. The fourth is CLOSED more where none may enter it: its data are about to go.
_RECORD = ir.LiteralStructType([_LOOP.as_pointer(), _INT, _INT, _LOOP.as_pointer(), _POINTER])
_HELP, _OWNERS, _INSIDE, _RUN, _DATA = range(5)
_CLOSED = 1 << 32


def _run_together(builder, table, loop, data, threads):
    """Runs a loop here and on helpers. It shares its work out itself, so a helper that comes late is not missed."""
    whole = builder.call(_declared(builder, "malloc", _POINTER, _INT), [_INT(8 * len(_RECORD.elements))])
    record = builder.bitcast(whole, _RECORD.as_pointer())
    for place, value in (
        (_HELP, _helper(builder)),
        (_OWNERS, threads),
        (_INSIDE, _INT(0)),
        (_RUN, loop),
        (_DATA, data),
    ):
        builder.store(value, _field(builder, record, place))
    put, pause = (
        builder.bitcast(builder.load(builder.gep(table, [_INT(place)])), kind.as_pointer())
        for place, kind in enumerate((_LOOP, ir.FunctionType(ir.VoidType(), [ir.IntType(32)])))
    )
    with cgutils.for_range(builder, builder.sub(threads, _INT(1))):
        builder.call(put, [whole])
    builder.call(loop, [data])
    builder.atomic_rmw("add", _field(builder, record, _INSIDE), _INT(_CLOSED), "seq_cst")
    check, wait, alone = (builder.append_basic_block(label) for label in ("check", "wait", "alone"))
    builder.branch(check)
    builder.position_at_end(check)
    inside = builder.load_atomic(_field(builder, record, _INSIDE), "seq_cst", 8)
    builder.cbranch(builder.icmp_signed("==", inside, _INT(_CLOSED)), alone, wait)
    builder.position_at_end(wait)
    builder.call(pause, [ir.IntType(32)(20)])
    builder.branch(check)
    builder.position_at_end(alone)
    _leave(builder, record)


def _helper(builder):
    """The function that helpers call with a record: they enter the loop unless it is closed, and leave the record."""
    function = ir.Function(builder.module, _LOOP, f"for_each_help_{next(_names)}")
    function.linkage = "internal"
    inner = ir.IRBuilder(function.append_basic_block("entry"))
    record = inner.bitcast(function.args[0], _RECORD.as_pointer())
    inside = _field(inner, record, _INSIDE)
    before = inner.atomic_rmw("add", inside, _INT(1), "seq_cst")
    with inner.if_then(inner.icmp_signed("<", before, _INT(_CLOSED))):
        inner.call(inner.load(_field(inner, record, _RUN)), [inner.load(_field(inner, record, _DATA))])
    inner.atomic_rmw("sub", inside, _INT(1), "seq_cst")
    _leave(inner, record)
    inner.ret_void()
    return function


def _leave(builder, record):
    left = builder.atomic_rmw("sub", _field(builder, record, _OWNERS), _INT(1), "seq_cst")
    with builder.if_then(builder.icmp_signed("==", left, _INT(1))):
        builder.call(_declared(builder, "free", ir.VoidType(), _POINTER), [builder.bitcast(record, _POINTER)])


def _declared(builder, name: str, result, argument):
    """A function of C's library."""
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, [argument]), name)


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

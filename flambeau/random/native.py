"""Machine code for what NumPy does slowly: the stream's words, normal numbers, and shuffles.

The code is made by llvmlite, where that is installed, when NumPy has spent as much time on such
draws as making it would take; a program that draws little never pays for it. Its results are those
of `flambeau.random.box_muller` and `flambeau.random.sampling` to the last bit, so that it does not
matter when that is.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["Kernels", "kernels", "spent"]

_COST = 0.1  # seconds that importing llvmlite and making the code take
_COST_OF_CODE = 0.02  # where llvmlite has been imported for something else

_CHUNK = 64 * 624  # words made at a time, so that the twister's state stays in the cache

_lock = threading.Lock()
_spent = 0.0  # seconds of NumPy's, so far
_kernels: Any = None  # the Kernels, once made
_refused = False


class Kernels:
    """The native functions.

    Attributes:
        normals: ``(words, out, blocks, mean, std)``: fills ``16 * blocks`` float32 elements with
            normal numbers made of as many uint32 words.
        words: ``(state, out, count)``: continues the Mersenne Twister behind the 624 words of
            ``state``, which has room for ``count`` more, and writes what they give to ``out``.
        shuffle: ``(words, values, n)``: swaps int64 ``values[i]`` with
            ``values[i + words[i] % (n - i)]`` for i = 0 ... n - 2.
    """

    def __init__(self) -> None:
        import llvmlite.binding as llvm

        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        target = llvm.Target.from_default_triple().create_target_machine(
            cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=2
        )
        module = llvm.parse_assembly(_normals_code() + _SHUFFLE_CODE + _words_code())
        module.verify()
        self._engine = llvm.create_mcjit_compiler(module, target)
        self._engine.finalize_object()
        normals = ctypes.CFUNCTYPE(
            None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_float, ctypes.c_float
        )
        shuffle = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
        self._normals: Any = normals(self._engine.get_function_address("flambeau_normals"))
        self._shuffle: Any = shuffle(self._engine.get_function_address("flambeau_shuffle"))
        self._words: Any = shuffle(self._engine.get_function_address("flambeau_words"))

    def normals(self, words: np.ndarray, out: np.ndarray, mean: float, std: float) -> None:
        """Fill ``out`` (float32) with normals made of ``words`` (uint32), both contiguous."""
        self._normals(words.ctypes.data, out.ctypes.data, out.size // 16, mean, std)

    def words(self, key: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The ``count`` words (a multiple of 16) behind the state ``key``, and the state then."""
        out, state = np.empty(count, np.uint32), np.empty(_CHUNK + 624, np.uint32)
        state[:624] = key
        for start in range(0, count, _CHUNK):
            part = out[start : start + _CHUNK]
            self._words(state.ctypes.data, part.ctypes.data, part.size)
            state[:624] = state[part.size : part.size + 624].copy()
        return out, state[:624]

    def shuffle(self, words: np.ndarray, values: np.ndarray) -> None:
        """Shuffle ``values`` (int64) by ``words`` (uint32, one less), both contiguous."""
        self._shuffle(words.ctypes.data, values.ctypes.data, values.size)


def kernels(seconds: float = 0.0) -> Kernels | None:
    """The native functions, once they are worth having and if they can be had.

    Args:
        seconds: that NumPy would take for what is to be drawn next.
    """
    global _kernels, _refused
    if _kernels is not None or _refused:
        return _kernels
    if _spent + seconds < (_COST_OF_CODE if "llvmlite.binding" in sys.modules else _COST):
        return None
    with _lock:
        if _kernels is None and not _refused:
            try:
                _kernels = Kernels()
            except (ImportError, OSError, RuntimeError):  # no llvmlite, or none for this machine
                _refused = True
    return _kernels


def spent(work: Callable[[], Any]) -> Any:
    """Do ``work`` in NumPy, and count the time towards making the native functions."""
    global _spent
    start = time.perf_counter()
    result = work()
    _spent += time.perf_counter() - start
    return result


# -- the code -------------------------------------------------------------------------------------


class _Vectors:
    """Writes LLVM code on vectors of eight float32 or int32 numbers."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, code: str) -> str:
        name = f"%v{len(self.lines)}"
        self.lines.append(f"  {name} = {code}")
        return name

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def fma(self, x: str, y: str, z: str) -> str:
        return self(
            f"call <8 x float> @llvm.fma.v8f32(<8 x float> {x}, <8 x float> {y}, <8 x float> {z})"
        )

    def mul(self, x: str, y: str) -> str:
        return self(f"fmul <8 x float> {x}, {y}")

    def add(self, x: str, y: str) -> str:
        return self(f"fadd <8 x float> {x}, {y}")

    def sub(self, x: str, y: str) -> str:
        return self(f"fsub <8 x float> {x}, {y}")

    def integer(self, operation: str, x: str, y: str) -> str:
        return self(f"{operation} <8 x i32> {x}, {y}")

    def bits(self, x: str) -> str:
        return self(f"bitcast <8 x float> {x} to <8 x i32>")

    def floats(self, x: str) -> str:
        return self(f"bitcast <8 x i32> {x} to <8 x float>")

    def to_float(self, x: str) -> str:
        return self(f"sitofp <8 x i32> {x} to <8 x float>")

    def choose(self, condition: str, x: str, y: str) -> str:
        return self(f"select <8 x i1> {condition}, <8 x float> {x}, <8 x float> {y}")


def _float(value: Any) -> str:
    """Eight times the float32 nearest to ``value``."""
    bits = int(np.float64(np.float32(value)).view(np.uint64))
    return "<" + ", ".join([f"float 0x{bits:016X}"] * 8) + ">"


def _int(value: int) -> str:
    return "<" + ", ".join([f"i32 {value}"] * 8) + ">"


def _normals_code() -> str:
    """The body of a loop over blocks: `box_muller`, operation for operation."""
    from flambeau.random import box_muller as cephes

    v = _Vectors()

    def uniform(words: str) -> str:
        low = v.integer("and", words, _int(0xFFFFFF))
        return v.mul(v.to_float(low), _float(2.0**-24))

    def polynomial(coefficients: tuple[float, ...], x: str) -> str:
        y = _float(coefficients[0])
        for c in coefficients[1:]:
            y = v.fma(y, x, _float(c))
        return y

    # the logarithm of 1 - the first uniforms
    bits = v.bits(v.sub(_float(1), uniform("%first")))
    exponent = v.to_float(v.integer("sub", v.integer("lshr", bits, _int(23)), _int(126)))
    mantissa = v.integer("or", v.integer("and", bits, _int(0x7FFFFF)), _int(0x3F000000))
    x = v.floats(mantissa)
    small = v(f"fcmp olt <8 x float> {x}, {_float(cephes._SQRT_HALF)}")
    exponent = v.choose(small, v.sub(exponent, _float(1)), exponent)
    x = v.sub(v.choose(small, v.add(x, x), x), _float(1))
    z = v.mul(x, x)
    y = v.mul(polynomial(cephes._LOG, x), x)
    y = v.fma(y, z, v.mul(exponent, _float(cephes._LOG2_LOW)))
    y = v.sub(y, v.mul(z, _float(0.5)))
    logarithm = v.add(v.add(x, y), v.mul(exponent, _float(cephes._LOG2_HIGH)))
    twice = v.mul(logarithm, _float(-2))
    radius = v(f"call <8 x float> @llvm.sqrt.v8f32(<8 x float> {twice})")

    # sine and cosine of 2 pi times the second uniforms
    x = v.mul(uniform("%second"), _float(cephes._TWO_PI))
    octant = v(f"fptosi <8 x float> {v.mul(x, _float(cephes._FOUR_OVER_PI))} to <8 x i32>")
    octant = v.integer("and", v.integer("add", octant, _int(1)), _int(-2))
    quarters = v.to_float(octant)
    for part in cephes._QUARTER_PI:
        x = v.fma(quarters, _float(-part), x)
    z = v.mul(x, x)
    c = v.mul(polynomial(cephes._COS, z), z)
    c = v.add(v.fma(c, z, v.mul(z, _float(-0.5))), _float(1))
    s = v.fma(v.mul(polynomial(cephes._SIN, z), z), x, x)
    swap = v(f"icmp ne <8 x i32> {v.integer('and', octant, _int(2))}, {_int(0)}")
    sine, cosine = v.choose(swap, c, s), v.choose(swap, s, c)
    signed = []
    for value, turned in ((cosine, v.integer("add", octant, _int(2))), (sine, octant)):
        sign = v.integer("shl", v.integer("and", turned, _int(4)), _int(29))
        value = v.floats(v.integer("xor", v.bits(value), sign))
        signed.append(v.fma(v.mul(radius, value), "%std", "%mean"))
    return _NORMALS_FRAME.format(body=v, cosine=signed[0], sine=signed[1])


_NORMALS_FRAME = """
declare <8 x float> @llvm.fma.v8f32(<8 x float>, <8 x float>, <8 x float>)
declare <8 x float> @llvm.sqrt.v8f32(<8 x float>)

define void @flambeau_normals(ptr %words, ptr %out, i64 %blocks, float %m, float %s) {{
entry:
  %m0 = insertelement <8 x float> undef, float %m, i32 0
  %mean = shufflevector <8 x float> %m0, <8 x float> undef, <8 x i32> zeroinitializer
  %s0 = insertelement <8 x float> undef, float %s, i32 0
  %std = shufflevector <8 x float> %s0, <8 x float> undef, <8 x i32> zeroinitializer
  %any = icmp sgt i64 %blocks, 0
  br i1 %any, label %loop, label %end
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %here = shl i64 %i, 4
  %there = add i64 %here, 8
  %w0 = getelementptr i32, ptr %words, i64 %here
  %w1 = getelementptr i32, ptr %words, i64 %there
  %o0 = getelementptr float, ptr %out, i64 %here
  %o1 = getelementptr float, ptr %out, i64 %there
  %first = load <8 x i32>, ptr %w0, align 4
  %second = load <8 x i32>, ptr %w1, align 4
{body}
  store <8 x float> {cosine}, ptr %o0, align 4
  store <8 x float> {sine}, ptr %o1, align 4
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %blocks
  br i1 %more, label %loop, label %end
end:
  ret void
}}
"""

_SHUFFLE_CODE = """
define void @flambeau_shuffle(ptr %words, ptr %values, i64 %n) {
entry:
  %last = sub i64 %n, 1
  %any = icmp sgt i64 %last, 0
  br i1 %any, label %loop, label %end
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %wp = getelementptr i32, ptr %words, i64 %i
  %word = load i32, ptr %wp, align 4
  %left = sub i64 %n, %i
  %left32 = trunc i64 %left to i32
  %step32 = urem i32 %word, %left32
  %step = zext i32 %step32 to i64
  %j = add i64 %i, %step
  %ip = getelementptr i64, ptr %values, i64 %i
  %jp = getelementptr i64, ptr %values, i64 %j
  %a = load i64, ptr %ip, align 8
  %b = load i64, ptr %jp, align 8
  store i64 %b, ptr %ip, align 8
  store i64 %a, ptr %jp, align 8
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %last
  br i1 %more, label %loop, label %end
end:
  ret void
}
"""


def _words_code() -> str:
    """The Mersenne Twister as a recurrence over one long array, 16 words at a time.

    x[n + 624] = x[n + 397] ^ twist(x[n], x[n + 1]); what it gives is x[n + 624], tempered. The
    nearest that a word depends on is 227 words back.
    """

    def splat(value: int) -> str:
        return "<" + ", ".join([f"i32 {value}"] * 16) + ">"

    tempering, x = [], "%x"
    for step, (shift, bits, mask) in enumerate(
        (("lshr", 11, -1), ("shl", 7, 0x9D2C5680), ("shl", 15, 0xEFC60000), ("lshr", 18, -1))
    ):
        tempering.append(f"  %s{step} = {shift} <16 x i32> {x}, {splat(bits)}")
        tempering.append(f"  %m{step} = and <16 x i32> %s{step}, {splat(mask)}")
        tempering.append(f"  %t{step} = xor <16 x i32> {x}, %m{step}")
        x = f"%t{step}"
    return f"""
define void @flambeau_words(ptr %state, ptr %out, i64 %count) {{
entry:
  %any = icmp sgt i64 %count, 0
  br i1 %any, label %loop, label %end
loop:
  %n = phi i64 [ 0, %entry ], [ %next, %loop ]
  %p0 = getelementptr i32, ptr %state, i64 %n
  %p1 = getelementptr i32, ptr %p0, i64 1
  %p397 = getelementptr i32, ptr %p0, i64 397
  %p624 = getelementptr i32, ptr %p0, i64 624
  %a = load <16 x i32>, ptr %p0, align 4
  %b = load <16 x i32>, ptr %p1, align 4
  %c = load <16 x i32>, ptr %p397, align 4
  %high = and <16 x i32> %a, {splat(0x80000000)}
  %low = and <16 x i32> %b, {splat(0x7FFFFFFF)}
  %y = or <16 x i32> %high, %low
  %half = lshr <16 x i32> %y, {splat(1)}
  %bit = and <16 x i32> %b, {splat(1)}
  %odd = sub <16 x i32> zeroinitializer, %bit
  %matrix = and <16 x i32> %odd, {splat(0x9908B0DF)}
  %twisted = xor <16 x i32> %half, %matrix
  %x = xor <16 x i32> %c, %twisted
  store <16 x i32> %x, ptr %p624, align 4
{chr(10).join(tempering)}
  %o = getelementptr i32, ptr %out, i64 %n
  store <16 x i32> {x}, ptr %o, align 4
  %next = add i64 %n, 16
  %more = icmp slt i64 %next, %count
  br i1 %more, label %loop, label %end
end:
  ret void
}}
"""

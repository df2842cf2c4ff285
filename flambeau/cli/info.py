"""`flambeau info`: what flambeau finds on this machine."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import sys

from flambeau.version import API_VERSION, FLAMBEAU_VERSION

__all__ = ["info"]

VECTOR_EXTENSIONS = (
    ("avx512f", "AVX-512"),
    ("avx2", "AVX2"),
    ("fma", "FMA"),
    ("avx", "AVX"),
    ("sse4_2", "SSE4.2"),
    ("sve", "SVE"),
    ("neon", "NEON"),
    ("asimd", "NEON"),
)
OPTIONAL = ("jax", "ml_dtypes", "scipy", "matplotlib", "tqdm", "scikit-learn", "pillow", "pandas")


def info(arguments: list[str]) -> int:
    """Print versions, processor, threads, BLAS, compiler, devices and the cache folder.

    Arguments:
        arguments: the words behind `info`.

    Returns:
        0.
    """
    if arguments:
        asked_for_help = arguments[0] in ("-h", "--help")
        print(
            "usage: flambeau info\n\nPrints what flambeau finds on this machine."
            if asked_for_help
            else f"flambeau info: takes no arguments, not {' '.join(arguments)!r}",
            file=sys.stdout if asked_for_help else sys.stderr,
        )
        return 0 if asked_for_help else 2
    for name, value in report().items():
        print(f"{name:<18}  {value}")
    return 0


def report() -> dict[str, str]:
    """What `flambeau info` prints: names and what is to be said of each."""
    import numpy as np

    return {
        "flambeau": f"{FLAMBEAU_VERSION} (API of PyTorch {API_VERSION})",
        "installed in": os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
        "Python": f"{platform.python_version()} ({platform.python_implementation()}), "
        f"{sys.executable}",
        "platform": platform.platform(),
        "processor": processor(),
        "vector extensions": ", ".join(vector_extensions()) or "unknown",
        "cores": cores(),
        "threads": threads(),
        "NumPy": np.__version__,
        "BLAS": blas(),
        "compiler": compiler(),
        "compiler cache": compiler_cache(),
        "devices": devices(),
        "also installed": ", ".join(
            f"{name} {version}" for name in OPTIONAL if (version := version_of(name))
        )
        or "nothing",
    }


def version_of(distribution: str) -> str | None:
    """The installed version of a distribution, None if there is none."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def processor() -> str:
    """The processor's name."""
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or "unknown"


def vector_extensions() -> list[str]:
    """The vector instructions that generated code may use, best first."""
    features: set[str] = set()
    if importlib.util.find_spec("llvmlite"):
        from llvmlite import binding

        features = {name for name, there in binding.get_host_cpu_features().items() if there}
        features |= {name.replace(".", "_") for name in features}
    else:
        try:
            with open("/proc/cpuinfo") as file:
                for line in file:
                    if line.partition(":")[0].strip() in ("flags", "Features"):
                        features = set(line.partition(":")[2].split())
                        break
        except OSError:
            pass
    return list(dict.fromkeys(said for name, said in VECTOR_EXTENSIONS if name in features))


def cores() -> str:
    """How many processors there are, and how many this process may use."""
    there = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else there
    return str(there) if usable == there else f"{usable} of {there}"


def threads() -> str:
    """How many threads operations run on, and what the environment says of it."""
    import flambeau as torch

    said = [
        f"{name}={os.environ[name]}"
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        if name in os.environ
    ]
    return str(torch.get_num_threads()) + (f" ({', '.join(said)})" if said else "")


def blas() -> str:
    """The library that NumPy multiplies matrices with."""
    import numpy as np

    try:
        found = np.show_config(mode="dicts")["Build Dependencies"]["blas"]  # type: ignore[call-overload]
        return f"{found['name']} {found['version']}"
    except (KeyError, TypeError):
        return "unknown"


def compiler() -> str:
    """The code generator of `flambeau.compile`."""
    version = version_of("llvmlite")
    if version is None or importlib.util.find_spec("llvmlite") is None:
        return "none (llvmlite is not installed): flambeau.compile runs on NumPy"
    from llvmlite import binding

    return (
        f"llvmlite {version}, LLVM {'.'.join(map(str, binding.llvm_version_info))}, "
        f"for {binding.get_host_cpu_name()}"
    )


def compiler_cache() -> str:
    """Where compiled code is kept, and how much there is."""
    from flambeau.compiler.cache import directory

    folder = directory()
    if folder is None:
        return "off"
    if not os.path.isdir(folder):
        return f"{folder} (empty)"
    sizes = [
        os.path.getsize(os.path.join(place, name))
        for place, _, names in os.walk(folder)
        for name in names
    ]
    return f"{folder} ({len(sizes)} files, {sum(sizes) / 1e6:.1f} MB)"


def devices() -> str:
    """The devices that tensors can be on."""
    if importlib.util.find_spec("jax") is None:
        return "cpu (others: pip install 'flambeau[jax]')"
    try:
        import jax

        found = ", ".join(str(device) for device in jax.devices())
        return f"cpu; through jax {jax.__version__}: {found}"
    except Exception as error:  # a broken driver is news, not a reason to fail
        return f"cpu; jax finds none: {error}"

"""Which kernel NumPy's BLAS runs, and whether the processor could do better."""

from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_info

# What OpenBLAS calls its x86 kernels, by the vector instructions they use, from the oldest.
GENERATIONS = (
    ("sse", ("Prescott", "Core2", "Penryn", "Dunnington", "Nehalem", "Atom", "Opteron", "Barcelona", "Bobcat")),
    ("avx", ("Sandybridge", "Bulldozer", "Piledriver", "Steamroller")),
    ("avx2", ("Haswell", "Excavator", "Zen")),
    ("avx512f", ("SkylakeX", "Cooperlake", "SapphireRapids")),
)


def describe() -> dict[str, Any] | None:
    """Return library, version, kernel and threads of NumPy's BLAS; None if NumPy is not imported or has none."""
    found = [library for library in threadpool_info() if library["user_api"] == "blas"]
    if not found:
        return None
    # SciPy brings a second one.
    library = next((library for library in found if "numpy" in library["filepath"]), found[0])
    return {
        "library": library["internal_api"],
        "version": library["version"],
        "kernel": library.get("architecture"),
        "threads": library["num_threads"],
    }


def outdated(kernel: str | None, flags: frozenset[str]) -> str | None:
    """Say so if an OpenBLAS `kernel` is older than a processor with these `flags`; None if not, or not known."""
    levels = [number for number, (_, kernels) in enumerate(GENERATIONS) if kernel in kernels]
    able = [number for number, (flag, _) in enumerate(GENERATIONS) if flag in flags]
    if not levels or not able or levels[0] >= able[-1]:
        return None
    return (
        f"NumPy's BLAS runs its {kernel} kernel ({GENERATIONS[levels[0]][0]}), though the processor has "
        f"{GENERATIONS[able[-1]][0]}: training is slower than it need be. Is OPENBLAS_CORETYPE set?"
    )


def processor_flags() -> frozenset[str]:
    """Return the processor's features as Linux lists them; none elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.partition(":")[2] for line in lines if line.startswith("flags")), "").split())

"""Who takes part."""

import importlib.util

from benchmarks.arena import Entry

OURS = "lenet"
"""What the names of this project's entries begin with."""

BY_HAND = ", unfolded by hand"
"""What the names of entries end with that do not use their library's own convolution; ratios leave them out."""


def ours(threads: int) -> Entry:
    """Return this project on so many threads."""
    return Entry(f"{OURS} ×{threads}", "benchmarks.contenders.lenet_numpy:LeNetNumpy", {"threads": threads})


def pytorch() -> list[Entry]:
    """Return PyTorch in both memory formats on one and two threads."""
    target = "benchmarks.contenders.torch_eager:TorchEager"
    return [
        Entry(
            f"PyTorch {'channels-last' if channels_last else 'eager'} ×{threads}",
            target,
            {"threads": threads, "channels_last": channels_last},
            library="torch",
        )
        for channels_last in (False, True)
        for threads in (1, 2)
    ]


def jax() -> list[Entry]:
    """Return JAX with the threads it takes by itself, without, and with a convolution written by hand."""
    target = "benchmarks.contenders.jax_jit:JaxJit"
    cpu = {"JAX_PLATFORMS": "cpu"}
    single = {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}
    return [
        Entry("JAX jit", target, environment=cpu, library="jax"),
        Entry("JAX jit ×1", target, environment=cpu | single, library="jax"),
        Entry(f"JAX jit{BY_HAND}", target, {"by_hand": True}, environment=cpu, library="jax"),
    ]


def installed(entries: list[Entry]) -> list[Entry]:
    """Return the entries whose library is here, and say which are left out."""
    missing = sorted({entry.library for entry in entries if importlib.util.find_spec(entry.library) is None})
    if missing:
        print(f"Not installed, left out: {', '.join(missing)} (pip install -e '.[bench]').")
    return [entry for entry in entries if entry.library not in missing]

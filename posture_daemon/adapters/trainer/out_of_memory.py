"""Did memory run out? Told from how a process ended and from its last words, because each library says it in its own way.

On a Jetson the usual `CUDA out of memory` often never comes: there PyTorch fails an assertion of its own about NVML, and the
driver (NvMap) says why on standard error. See pytorch#185240.
"""

import re
import signal

KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)
"""As `subprocess` reports it, and as a shell in between does. Who killed the process himself knows better and does not ask."""

WORDS = re.compile(
    "|".join(
        (
            r"MemoryError",  # Python, and numpy's _ArrayMemoryError
            r"(?i:out of memory)",  # CUDA, cuDNN, the kernel, and our own sentences
            r"Unable to allocate .* for an array",  # numpy
            r"DefaultCPUAllocator: (can't|not enough memory)",  # torch on the CPU
            r"Cannot allocate memory",  # ENOMEM, in whatever
            r"CU(BLAS|DNN|SOLVER|SPARSE|FFT)_STATUS_ALLOC_FAILED",
            r"cudaErrorMemoryAllocation",
            r"NVML_SUCCESS == r .*CUDACachingAllocator",  # torch on Tegra
            r"NvMapMem\w*Alloc\w*: .*error \d+",  # the driver on Tegra
            r"std::bad_alloc",  # C++; the process then aborts
            r"Failed to allocate memory",  # onnxruntime
            r"bad allocation",  # onnxruntime
            r"Insufficient memory",  # OpenCV
        )
    )
)


def ran_out_of_memory(code: int | None, said: str) -> bool:
    """Whether a process that ended with `code` and said this at last had too little memory.

    `code` is that of `subprocess` (negative for a signal), or `None` for an exception, whose text is judged alone. Indented
    lines do not count: they are the source in a traceback, which may well speak of memory.
    """
    if code == 0:
        return False
    if code in KILLED:
        return True
    return any(WORDS.search(line) for line in said.splitlines() if not line[:1].isspace())

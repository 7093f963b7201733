"""Out of memory, in the words of whoever ran out of it."""

import pytest

from posture_daemon.adapters.trainer.out_of_memory import ran_out_of_memory

FORMS = {
    "python": (1, "Traceback (most recent call last):\n  File ...\nMemoryError"),
    "ours": (1, "The training process ran out of memory."),
    "numpy": (
        1,
        "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 7.45 GiB for an array with shape (1000000000,) and "
        "data type float64",
    ),
    "torch on the CPU": (
        1,
        "RuntimeError: [enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory: you tried "
        "to allocate 4000000000000 bytes. Error code 12 (Cannot allocate memory)",
    ),
    "CUDA": (
        1,
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 7.44 GiB of "
        "which 13.00 MiB is free.",
    ),
    "CUDA driver": (1, "RuntimeError: CUDA error: out of memory"),
    "cuBLAS": (1, "RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    "torch on Tegra": (
        1,
        'RuntimeError: NVML_SUCCESS == r INTERNAL ASSERT FAILED at "/opt/pytorch/c10/cuda/CUDACachingAllocator.cpp":838, '
        "please report a bug to PyTorch.",
    ),
    "NvMap": (
        1,
        "NvMapMemAllocInternalTagged: 1075072515 error 12\nNvMapMemHandleAlloc: error 0\nRuntimeError: CUDA error",
    ),
    "C++": (-6, "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc"),
    "onnxruntime arena": (
        1,
        "onnxruntime.capi.onnxruntime_pybind11_state.RuntimeException: [ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : "
        "bfc_arena.cc:376 AllocateRawInternal Failed to allocate memory for requested buffer of size 1228800",
    ),
    "onnxruntime": (1, "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Exception during initialization: bad allocation"),
    "OpenCV": (
        1,
        "cv2.error: OpenCV(4.10.0) alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate 6220800 bytes",
    ),
    "the kernel": (-9, ""),
    "the kernel, seen by a shell": (137, "Killed"),
    "an exception without a process": (None, "MemoryError"),
}

NEAR_MISSES = {
    "a full disk": (28, "OSError: [Errno 28] No space left on device"),
    "any error": (1, "RuntimeError: mat1 and mat2 shapes cannot be multiplied (4x1280 and 512x3)"),
    "terminated": (-15, ""),
    "aborted": (-6, "terminate called after throwing an instance of 'std::runtime_error'\n  what():  no"),
    "a file": (1, "FileNotFoundError: [Errno 2] No such file or directory: '/data/memory.txt'"),
    "source in a traceback": (
        1,
        '  File "trainer.py", line 600\n    raise MemoryError("out of memory")\nValueError: no',
    ),
    "another assertion": (1, 'RuntimeError: x == r INTERNAL ASSERT FAILED at "CUDACachingAllocator.cpp":12'),
    "a missing group": (1, "NvRmMemInitNvmap failed: error Permission denied\nNvRmMemMgrInit failed"),
    "it went well after all": (0, "WARNING: CUDA out of memory with batch=16. Reducing to batch=8 and retrying (1/3)."),
    "silence": (1, ""),
    "not ended": (None, ""),
}


@pytest.mark.parametrize(("code", "said"), FORMS.values(), ids=FORMS)
def test_every_form_is_recognised(code: int | None, said: str) -> None:
    """Whichever library, driver or kernel says it."""
    assert ran_out_of_memory(code, said)


@pytest.mark.parametrize(("code", "said"), NEAR_MISSES.values(), ids=NEAR_MISSES)
def test_what_only_looks_like_it_is_not(code: int | None, said: str) -> None:
    """A training must not be made smaller for a full disk or a mistake in the program."""
    assert not ran_out_of_memory(code, said)

"""Take from a codec child what it does not need, so that a file that takes it over gains nothing.

Limits on resources hold everywhere. On Linux a filter of system calls (seccomp) comes with them:
a child that tries to open a file, to reach the network or to start a process is killed. Where
there is no seccomp (macOS, gVisor), the limits have to do.
"""

import ctypes
import errno
import hashlib
import os
import resource
import sys
import time
import warnings
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import seccompy

MAX_OPEN_FILES = 32
"""A child has about eight: three standard ones, its pipe, its parent, and up to three files."""

PERMITTED = (
    # Memory
    "brk", "madvise", "mmap", "mprotect", "mremap", "munmap",
    # Files that are open
    "close", "fstat", "ftruncate", "lseek", "poll", "ppoll", "pread64", "preadv",
    "pwrite64", "pwritev", "read", "readv", "recvmsg", "write", "writev",
    # Threads
    "exit", "futex", "gettid", "rseq", "sched_getaffinity", "sched_yield", "set_robust_list",
    # Time
    "clock_getres", "clock_gettime", "clock_nanosleep", "getrusage", "gettimeofday", "nanosleep",
    "restart_syscall", "time", "times",
    # The process itself
    "exit_group", "getpid", "getrandom", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
    "sigaltstack", "sysinfo",
)  # fmt: skip
"""System calls of a child at work."""

FATAL = (
    # Files
    "chdir", "chmod", "chown", "chroot", "creat", "fchmodat", "fchownat", "lchown", "link",
    "linkat", "mkdir", "mkdirat", "mknod", "mknodat", "mount", "name_to_handle_at", "open",
    "open_by_handle_at", "openat", "openat2", "pivot_root", "rename", "renameat", "renameat2",
    "rmdir", "symlink", "symlinkat", "truncate", "umount2", "unlink", "unlinkat", "utimensat",
    # The network
    "accept", "accept4", "bind", "connect", "listen", "sendmmsg", "sendmsg", "sendto", "socket",
    "socketpair",
    # Other processes
    "execve", "execveat", "fork", "kill", "pidfd_getfd", "pidfd_open", "pidfd_send_signal",
    "process_vm_readv", "process_vm_writev", "ptrace", "rt_sigqueueinfo", "rt_tgsigqueueinfo",
    "setns", "shmat", "shmget", "unshare", "vfork",
    # The kernel
    "add_key", "bpf", "delete_module", "finit_module", "init_module", "io_setup",
    "io_uring_enter", "io_uring_register", "io_uring_setup", "kexec_load", "keyctl",
    "perf_event_open", "reboot", "request_key", "userfaultfd",
)  # fmt: skip
"""System calls that end a child. Any other fails as one that the kernel does not know, because
the C library tries new ones and does without."""

CLONE_THREAD = 0x10000
PR_SET_NAME = 15
AT_EMPTY_PATH = 0x1000
M_ARENA_MAX = -8

_LATE_MODULES = ("av.subtitles.codeccontext", "av.subtitles.stream", "av.subtitles.subtitle")
"""What PyAV imports with the first file that has such a stream."""

_CHARSETS = (
    "ISO6937", *(f"ISO-8859-{part}" for part in range(1, 17)), "KSC_5601", "GB2312", "BIG5"
)  # fmt: skip
"""What FFmpeg converts the service names of transport streams from."""


def load_what_comes_late() -> None:
    """Load now what would be loaded from files in the middle of a clip. Call it first."""
    for name in _LATE_MODULES:
        import_module(name)
    warnings.simplefilter("ignore")  # to show one, Python opens the source
    sys.tracebacklimit = 0  # likewise for what PyAV and Python report where memory runs out
    hashlib.sha256(b"")  # OpenSSL reads its settings
    time.tzset()
    libc = ctypes.CDLL(None)
    with suppress(AttributeError):  # not every C library has it
        # glibc reads a file of /proc when it shrinks the memory of a second thread.
        libc.mallopt(M_ARENA_MAX, 1)
    with suppress(AttributeError):
        libc.iconv_open.restype = ctypes.c_void_p
        for charset in _CHARSETS:
            libc.iconv_open(b"UTF-8", charset.encode())  # stays open, so that it stays loaded


def close_other_files(kept: Iterable[int]) -> None:
    """Close all files but the standard three and those that are kept."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    low = 3
    for descriptor in sorted(kept):
        os.closerange(low, descriptor)
        low = descriptor + 1
    os.closerange(low, most if most != resource.RLIM_INFINITY else 65536)


def limit_resources(memory: int, file_size: int) -> None:
    """Limit memory and file size, in bytes, and the number of open files; no core dumps."""
    _limit(resource.RLIMIT_AS, _mapped() + memory)
    _limit(resource.RLIMIT_FSIZE, file_size)  # Python has SIGXFSZ ignored: a write fails
    _limit(resource.RLIMIT_NOFILE, MAX_OPEN_FILES)
    _limit(resource.RLIMIT_CORE, 0)


def _limit(kind: int, limit: int) -> None:
    """Lower a limit; one that is lower already stays."""
    soft, hard = resource.getrlimit(kind)
    limits = [old if old != resource.RLIM_INFINITY else limit for old in (soft, hard)]
    resource.setrlimit(kind, (min(limit, *limits), min(limit, limits[1])))


def _mapped() -> int:
    """Bytes that this process has mapped. Only Linux reports it; elsewhere it is counted from 0."""
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def system_call_filter() -> "seccompy.Filter | None":
    """The filter that ``load()`` puts on this process; None where there is no seccomp."""
    try:
        import seccompy
    except ImportError:  # only Linux has it
        return None
    system_calls = seccompy.Filter(
        seccompy.Action.ERRNO | errno.ENOSYS,
        # For every thread. Without the second flag, kernels before 5.16 slow all code down.
        flags=seccompy.FilterFlag.TSYNC | seccompy.FilterFlag.SPEC_ALLOW,
    )
    try:
        for name in PERMITTED:
            with suppress(ValueError):  # not every processor has every call
                system_calls.allow(name)
        system_calls.allow("clone", args=_with_flag(0, CLONE_THREAD))
        system_calls.kill("clone")
        system_calls.allow("newfstatat", args=_with_flag(3, AT_EMPTY_PATH))
        system_calls.allow("prctl", args={0: PR_SET_NAME})
        system_calls.allow("tgkill", args={0: os.getpid()})  # abort() is a signal to oneself
        system_calls.kill("tgkill")
        for name in FATAL:
            with suppress(ValueError):
                system_calls.kill(name)
        if not seccompy.supported():
            return None
    except seccompy.SeccompError:  # no table for this processor
        return None
    return system_calls


def _with_flag(argument: int, flag: int) -> "list[seccompy.ArgCmp]":
    """The condition that a flag is set in an argument."""
    import seccompy

    return [seccompy.ArgCmp(argument, seccompy.CmpOp.MASKED_EQ, flag, flag)]

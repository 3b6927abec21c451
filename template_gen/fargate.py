"""The sizes of a Fargate task that go together."""

from __future__ import annotations

MEMORY_MIB: dict[int, tuple[int, ...]] = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4096 + 1, 1024)),
    1024: tuple(range(2048, 8192 + 1, 1024)),
    2048: tuple(range(4096, 16384 + 1, 1024)),
    4096: tuple(range(8192, 30720 + 1, 1024)),
    8192: tuple(range(16384, 61440 + 1, 4096)),
    16384: tuple(range(32768, 122880 + 1, 8192)),
}
"""Memory (MiB) by CPU units (Amazon ECS developer guide, "Task CPU and memory")."""

CPU_UNITS_OF_A_VCPU = 1024


def workers_of(cpu_units: int) -> int:
    """Return the receiver's worker processes in a task of that size: one a vCPU, at least one.

    The receiver would count the machine's processors itself, but a Fargate task sees those of its micro
    virtual machine, which may be more than its share.
    """
    return max(1, cpu_units // CPU_UNITS_OF_A_VCPU)

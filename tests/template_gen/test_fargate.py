"""The sizes of a Fargate task are those that CloudFormation's schema knows."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from template_gen import fargate

SCHEMA = "data/schemas/extensions/aws_ecs_taskdefinition/fargate_cpu_memory.json"


def _sizes(memory: dict[str, Any]) -> tuple[int, ...]:
    if "enum" in memory:
        return tuple(memory["enum"])
    return tuple(range(memory["minimum"], memory["maximum"] + 1, memory["multipleOf"]))


def test_the_sizes_are_those_of_the_schema() -> None:
    """A pair that is missing here could not be chosen, one too many would fail the stack."""
    schema = json.loads(files("cfnlint").joinpath(SCHEMA).read_text())
    known = {
        int(pair["properties"]["Cpu"]["then"]["enum"][0]): _sizes(
            pair["properties"]["Memory"]["then"]
        )
        for pair in schema["then"]["anyOf"]
    }

    assert {cpu: known[cpu] for cpu in fargate.MEMORY_MIB} == fargate.MEMORY_MIB


def test_a_task_has_a_worker_for_each_vcpu() -> None:
    """At least one, also for a fraction of a vCPU."""
    assert [fargate.workers_of(cpu) for cpu in (256, 512, 1024, 2048, 16384)] == [1, 1, 1, 2, 16]

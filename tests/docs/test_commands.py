"""Every command on a page works: local ones are run, the others checked against what they are for."""

from __future__ import annotations

import importlib.util
import itertools
import json
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from importer.domain.commands import Command
from local.settings import LocalSettings
from receiver.settings import Settings
from tests.builders import make_instance, write_part10
from tests.deadline import wait_until
from tests.docs.aws_cli import WrongCommandError, check
from tests.docs.commands import (
    AWS,
    ELSEWHERE,
    KINDS,
    LONG,
    OUTPUT,
    RUN,
    START,
    WITH_IT,
    commands,
    lines_of,
)
from tests.docs.conftest import Place
from tests.docs.pages import JAPANESE, ROOT, Block, Page, all_pages
from tests.receiver_process import ReceiverProcess
from tests.template_gen.rendering import document

PAGES = [page for page in all_pages() if not page.name.endswith(JAPANESE)]
"""In English: the blocks of the other language are the same, which a test of the pages holds."""
OTHERWISE = [page.name for page in PAGES if any(b.info == WITH_IT for b in page.blocks)]
"""Pages whose commands need a product that is started another way than the README's."""
WITH_RUNS = [
    page.name
    for page in PAGES
    if page.name not in OTHERWISE and any(block.info == RUN for block in page.blocks)
]
TOOLS = (
    "apt-get",
    "aws",
    "curl",
    "dcmsend",
    "docker",
    "echoscu",
    "make",
    "pip",
    "python",
    "storescu",
)
HOST = re.compile(r"[\w.-]+\.elb\.[\w-]+\.amazonaws\.com 11112")
TLS_HOST = "dicom.example.org 11112"
COMMAND_S = 100
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def run(command: list[str], folder: Path, environ: dict[str, str] | None = None) -> tuple[int, str]:
    done = subprocess.run(
        command,
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=COMMAND_S,
        check=False,
        text=True,
    )
    return done.returncode, done.stdout


def in_place(text: str, place: Place) -> str:
    """Return a block's commands with what the example names stand for here."""
    ports = place.product.environ
    for example, real in (
        (HOST, f"127.0.0.1 {ports['SCP_PORT']}"),
        (re.escape(TLS_HOST), f"localhost {place.tls_port}"),
        ("127.0.0.1:8042", f"127.0.0.1:{ports['CONSOLE_PORT']}"),
        ("path/to/dicom", str(place.samples)),
    ):
        text = re.sub(example, real, text)
    return text


def check_make(line: str) -> None:
    """Let make say what it would do, and see that it knows each variable.

    Raises:
        AssertionError: There is no such target or variable.
    """
    words = shlex.split(line)
    code, output = run([*words, "--dry-run"], ROOT)
    assert code == 0, f"{line}: {output}"
    for word in words[1:]:
        name, equals, _ = word.partition("=")
        # A folder's name would be a target without rules.
        assert equals or f".PHONY: {name}\n" in MAKEFILE, f"{line}: {name}"
        assert not equals or f"$({name})" in MAKEFILE or f"{name} ?=" in MAKEFILE, f"{line}: {name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_says_what_it_is(page: Page) -> None:
    """A block without a kind would be a command that nobody tries."""
    unknown = [f"{block.line}: {block.info!r}" for block in page.blocks if block.info not in KINDS]

    assert unknown == []


@pytest.mark.parametrize("name", WITH_RUNS)
def test_local_commands_run(name: str, place: Place) -> None:
    """As they stand, in the page's order; what the page says they print, they print."""
    printed = ""
    ran: Block | None = None
    for block in Page(ROOT / name).blocks:
        if block.info == RUN:
            folder = ROOT if "make " in block.text else place.folder
            script = in_place(block.text, place)
            code, printed = run(
                ["bash", "-euo", "pipefail", "-c", script], folder, place.product.environ
            )
            assert code == 0, f"{name}:{block.line}: {printed}"
            ran = block
        elif block.info == OUTPUT:
            assert ran is not None, f"{name}:{block.line}: output of nothing"
            missing = [line for line in block.text.splitlines() if line not in printed]
            assert missing == [], printed


def test_what_the_guide_sends_is_imported(place: Place) -> None:
    """The test image of the guide is one that arrives."""
    page = Page(ROOT / "docs" / "guide" / "06-test.md")
    block = next(block for block in page.blocks if "dump2dcm" in block.text)
    uid = re.findall(r"\(0008,0018\) UI \[([\d.]+)\]", block.text)[0]
    code, printed = run(
        ["bash", "-euc", in_place(block.text, place)], place.folder, place.product.environ
    )

    assert code == 0, printed
    wait_until(
        lambda: any(place.product.imported.rglob(f"{uid}.dcm")), "the test image", within_s=60
    )


@pytest.mark.parametrize("name", OTHERWISE)
def test_commands_run_against_a_receiver_with_other_settings(
    name: str, start_receiver: Callable[..., ReceiverProcess], tmp_path: Path
) -> None:
    """The page's own files and settings, from the making of certificates to an image that is stored."""
    write_part10(make_instance(), tmp_path / "image.dcm")
    port = 0
    for block in Page(ROOT / name).blocks:
        script = block.text.replace("localhost 11112", f"localhost {port}")
        if block.info == START:
            port = start_receiver(**_settings_of(block, tmp_path)).port
        elif block.info in (RUN, WITH_IT):
            code, printed = run(["bash", "-euo", "pipefail", "-c", script], tmp_path)
            assert code == 0, f"{name}:{block.line}: {printed}"

    assert port, "nothing was started"


def _settings_of(block: Block, folder: Path) -> dict[str, str]:
    """Return what a command that starts the product sets, as the shell reads it."""
    code, printed = run(["bash", "-euc", block.text.replace("make run", "env -0")], folder)
    assert code == 0, printed
    variables = dict(each.split("=", 1) for each in printed.split("\0") if each)
    ours = {spec.env for spec in Settings.specs().values()}
    return {name: value for name, value in variables.items() if name in ours}


@pytest.mark.parametrize(("where", "line"), commands(START))
def test_the_product_starts_with_these_settings(where: str, line: str) -> None:
    """The first such command starts the product of these tests; each names settings that there are."""
    *settings, program, target = shlex.split(line)
    environ = dict(setting.split("=", 1) for setting in settings)
    known = {spec.env for kind in (Settings, LocalSettings) for spec in kind.specs().values()}

    assert (program, target) == ("make", "run"), where
    assert environ.keys() <= known
    if "$(" not in line:
        Settings.from_env({"LANDING_URL": "s3://bucket", "TABLE_NAME": "ledger", **environ})
    LocalSettings.from_env({name: value for name, value in environ.items() if "$(" not in value})


@pytest.mark.parametrize(("where", "line"), commands(LONG))
def test_targets_that_take_long_exist(where: str, line: str) -> None:
    """With their variables."""
    assert line.startswith("make "), where
    check_make(line)


@pytest.mark.parametrize(("where", "line"), commands(ELSEWHERE))
def test_commands_for_elsewhere_name_what_is_here(where: str, line: str) -> None:
    """Targets, files and build arguments."""
    words = shlex.split(line)

    assert words[0] in TOOLS, where
    if words[0] == "make":
        check_make(line)
    for option, value in itertools.pairwise(words):
        if option == "--file":
            dockerfile = (ROOT / value).read_text(encoding="utf-8")
            arguments = re.findall(r"--build-arg (\w+)=", line)
            assert [name for name in arguments if f"ARG {name}" not in dockerfile] == []


@pytest.mark.parametrize(("where", "line"), [c for c in commands(AWS) if JAPANESE not in c[0]])
def test_commands_of_aws_are_what_the_services_take(where: str, line: str) -> None:
    """Operation, options, values; and the stack has what they name."""
    page = Page(ROOT / where.partition(":")[0])
    parameters = check(line, made=_files_made(page))

    rendered: dict[str, Any] = document()
    logical = parameters.get("LogicalResourceId", "PacsService")
    assert logical in rendered["Resources"], where
    outputs = re.findall(r"OutputKey=='(\w+)'", line)
    assert [name for name in outputs if name not in rendered["Outputs"]] == []
    if "-Redrive-" in parameters.get("FunctionName", ""):
        Command.parse(json.loads(parameters["Payload"]))


def _files_made(page: Page) -> frozenset[str]:
    """Return the files that a page's commands write."""
    return frozenset(
        name
        for block in page.blocks
        if block.info == RUN
        for name in re.findall(r"> (\S+)", block.text)
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("aws medical-imagin list-datastores", "Unknown service"),
        ("aws ecs update-services --cluster c", "aws ecs has no update-services"),
        ("aws ecs update-service --clusters c --service s", "UpdateService has no clusters"),
        ("aws ecs update-service --cluster c", "service"),
        ("aws ecs update-service --service s --force-new-deployment yes", "no switch"),
        ("aws ecs wait services-steady --services s", "aws ecs wait has no services-steady"),
        (
            "aws sns subscribe --topic-arn t --protocol email --endpoint-address a",
            "endpoint-address",
        ),
        ("aws acm request-certificate --domain-name d --validation-method TXT", "none of"),
        ("aws ec2 describe-subnets --filters Key=vpc-id,Values=v", "has no"),
        ("aws ec2 describe-subnets --output tables", "--output is one of"),
        ("aws lambda invoke --function-name f", "output file"),
        ("aws cloudformation create-stack --stack-name s --template-body file://gone", "no gone"),
        ("az storage list", "not the AWS CLI"),
    ],
)
def test_a_wrong_command_of_aws_is_found(line: str, message: str) -> None:
    """Else the check above would prove nothing."""
    with pytest.raises(WrongCommandError, match=message):
        check(line)


@pytest.mark.parametrize("line", ["make tests", "make send FILE=x", "make redrive EVERYTHING=1"])
def test_a_wrong_make_command_is_found(line: str) -> None:
    """A target or a variable that make does not know."""
    with pytest.raises(AssertionError, match=line):
        check_make(line)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_within_sentences_exist(page: Page) -> None:
    """A target of make, a module of Python, or the beginning of a command of some block."""
    starts = [line for each in PAGES for block in each.blocks for line in lines_of(block)]
    for span in page.spans:
        tool, _, rest = span.partition(" ")
        if tool not in TOOLS or not rest:
            continue
        if tool == "make":
            check_make(span)
        elif match := re.fullmatch(r"python -m ([\w.]+)( .*)?", span):
            assert importlib.util.find_spec(match[1]), span
        else:
            assert any(line.startswith(span) for line in starts), span

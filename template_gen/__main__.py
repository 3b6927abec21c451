"""`python -m template_gen FOLDER`: build the templates and the deploy policies and write them."""

from __future__ import annotations

import sys
from pathlib import Path

from template_gen.deploy.role import build_deploy_template, policy_text
from template_gen.deploy.statements import launching, policies
from template_gen.product import read_release
from template_gen.render import render
from template_gen.stack import build_template

TEMPLATE = "storescp.template.json"
DEPLOY_TEMPLATE = "deploy-role.template.json"


def documents() -> dict[str, str]:
    """Return the text of every generated file by its name."""
    release = read_release()
    template = build_template(release)
    resources = template.to_dict()["Resources"]
    return {
        TEMPLATE: render(template),
        DEPLOY_TEMPLATE: render(build_deploy_template(resources, release)),
        **{
            f"deploy-policy-{name}.json": policy_text(statements)
            for name, statements in {
                "launch": launching(),
                **policies(resources, release),
            }.items()
        },
    }


def main(arguments: list[str]) -> int:
    """Write the files into the folder that `arguments` name."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m template_gen FOLDER\n")
        return 2
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in documents().items():
        (folder / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

from __future__ import annotations

from pathlib import Path

import pytest

from ci.version import changelog_problems, sections, typed_elsewhere

GOOD = """# Changelog

## [1.2.0] - Unreleased

### Added

- Something.

## [1.1.9] - 2026-01-31

- The first.
"""


def test_a_changelog_that_tells_of_the_version_is_good() -> None:
    """Its newest section is the version's, dated or not yet."""
    assert list(changelog_problems("1.2.0", GOOD)) == []
    assert [(one.version, one.date) for one in sections(GOOD)] == [
        ("1.2.0", "Unreleased"),
        ("1.1.9", "2026-01-31"),
    ]


@pytest.mark.parametrize(
    ("version", "changelog", "problem"),
    [
        ("1.3.0", GOOD, "newest section is 1.2.0, setup.cfg says 1.3.0"),
        ("1.2.0", "# Changelog\n", "newest section is none"),
        ("1.2.0", GOOD.replace("- Something.", ""), "says nothing"),
        ("1.2.0", GOOD.replace("1.1.9", "1.10.0").replace("1.2.0", "1.9.0"), "in order"),
        ("1.2.0", GOOD.replace("2026-01-31", "Unreleased"), "still Unreleased"),
        ("1.2.0", GOOD.replace("2026-01-31", "January"), "is not headed like"),
    ],
    ids=["raised", "empty", "silent", "order", "forgotten", "heading"],
)
def test_a_changelog_that_does_not_is_refused(version: str, changelog: str, problem: str) -> None:
    """In a sentence that says what to mend."""
    assert [p for p in changelog_problems(version, changelog) if problem in p]


def test_a_version_that_is_typed_twice_is_found(tmp_path: Path) -> None:
    """By file and line; a UID that happens to contain it is none, and neither is a lock file's."""
    files = {
        "setup.cfg": "version = 1.2.0",
        "CHANGELOG.md": "## [1.2.0] - Unreleased",
        "docs/page.md": "first\nuse image:1.2.0.\n",
        "code.py": 'UID = "1.2.0.11"\nOTHER = "2.1.2.0"\nNAME = "v1.2.05"\n',
        "ci/tools.txt": "package==1.2.0",
        "dist/x.template.json": '"1.2.0"',
        "tests/test_x.py": '"1.2.0"',
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    found = list(typed_elsewhere("1.2.0", tmp_path, files))

    assert found == ["docs/page.md:2: types the version, which only setup.cfg does"]

"""The stage for acts that need a whole product."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.stage import SITE, Stage
from tests.harness.site import running_site


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Lend a product, started once; the module's last tests judge what all acts left behind."""
    with running_site(tmp_path_factory.mktemp("stage"), **SITE) as site:
        yield Stage(site)
        assert site.complaints() == []

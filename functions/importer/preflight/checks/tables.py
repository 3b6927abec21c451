"""Whether the stack can make its S3 endpoint in the chosen route tables."""

from __future__ import annotations

from collections.abc import Iterator

from importer.preflight.checks.endpoints import GATEWAY
from importer.preflight.facts import Network
from importer.preflight.problems import Problem, fault, listed
from importer.preflight.properties import ROUTE_TABLES, VPC_ID, Properties


def check_tables(
    p: Properties, previous: Properties | None, network: Network, region: str
) -> Iterator[Problem]:
    """Check that they are the VPC's, and have no such endpoint yet; the stack's own does not count."""
    seen = {table.id for table in network.tables}
    if not seen:
        return
    if strange := [one for one in p.route_tables if one not in seen]:
        yield fault(
            ROUTE_TABLES,
            en=f"{ROUTE_TABLES}: {listed(strange)} are not in the VPC of {VPC_ID}; choose route tables of "
            "that VPC, or leave it empty.",
            ja=f"{ROUTE_TABLES}の{listed(strange)}が{VPC_ID}のVPCに存在しないため、"
            "そのVPCのルートテーブルを指定するか、空にしてください。",
        )
    own = previous.route_tables if previous else ()
    taken = {
        table
        for endpoint in network.endpoints
        if endpoint.kind == GATEWAY and endpoint.service == f"com.amazonaws.{region}.s3"
        for table in endpoint.route_tables
    }
    if doubled := [one for one in p.route_tables if one in taken and one not in own]:
        yield fault(
            ROUTE_TABLES,
            en=f"{ROUTE_TABLES}: {listed(doubled)} have an S3 gateway endpoint already; leave them out.",
            ja=f"{ROUTE_TABLES}の{listed(doubled)}には既にS3ゲートウェイエンドポイントがあるため、指定から外してください。",
        )

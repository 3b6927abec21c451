"""The launch page: a button for each Region, in English and Japanese. A file without scripts and without fonts."""

from __future__ import annotations

from html import escape

from ci.listing.links import DEPLOY_STACK_NAME, RegionLinks, region_links
from template_gen.deploy.role import DEFAULT_STACK_NAME
from template_gen.form import Text
from template_gen.product import NAME, Release

DIAGRAM_PNG = "storescp-architecture.png"

_STYLE = """
body { font: 16px/1.6 system-ui, sans-serif; color: #16191f; max-width: 1100px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .5rem; border-bottom: 1px solid #d5dbdb; }
a.launch { display: inline-block; padding: .35rem .9rem; border-radius: 4px; background: #ec7211; color: #16191f;
  font-weight: 600; text-decoration: none; }
a.launch:focus, a.launch:hover { outline: 3px solid #0073bb; }
img { max-width: 100%; height: auto; border: 1px solid #d5dbdb; }
p[lang=ja] { color: #414d5c; }
"""

_BEFORE = (
    Text(
        "Subscribe to the product on AWS Marketplace first: the account that launches the stack must be allowed to "
        "pull the image.",
        "先にAWS Marketplaceで本製品をサブスクライブしてください。サブスクライブしていないアカウントではコンテナイメージを取得できません。",
    ),
    Text(
        "You need a VPC with two public and two private subnets in two Availability Zones, and a NAT gateway that the "
        "private subnets are routed to.",
        "2つのアベイラビリティーゾーンにパブリックサブネットとプライベートサブネットを2つずつ持ち、"
        "プライベートサブネットからNATゲートウェイへの経路があるVPCが必要です。",
    ),
    Text(
        f"Keep the stack's name {DEFAULT_STACK_NAME}, or choose one that begins with a small letter and holds small "
        "letters, digits and hyphens only.",
        f"スタック名は{DEFAULT_STACK_NAME}のままにするか、英小文字で始まる英小文字・数字・ハイフンの名前にしてください。",
    ),
    Text(
        "Administrators may launch at once. For everybody else, an administrator first makes the stack "
        f"{DEPLOY_STACK_NAME} with the deploy role, which is then chosen under Permissions.",
        f"管理者権限がある場合はそのまま起動できます。それ以外の場合は、管理者が先に{DEPLOY_STACK_NAME}スタック"
        "（デプロイ用ロール）を作成し、起動時に「アクセス許可」でそのロールを選択します。",
    ),
)


def launch_page(release: Release) -> str:
    """Return the page as HTML."""
    rows = "\n".join(_row(links) for links in region_links(release))
    before = "\n".join(
        f"<li><p>{escape(one.en)}</p><p lang=ja>{escape(one.ja)}</p></li>" for one in _BEFORE
    )
    title = f"{NAME} {release.version}"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{escape(title)}: DICOM Store SCP for AWS HealthImaging</h1>
<h2>Before you launch / 起動の前に</h2>
<ol>
{before}
</ol>
<h2>Launch / 起動</h2>
<table>
<thead><tr><th>Region / リージョン</th><th>Product / 製品</th><th>Deploy role (administrators) / デプロイ用ロール（管理者）</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
<h2>What is made / 作成されるもの</h2>
<p><img src="{DIAGRAM_PNG}" width="1100" height="700" alt="Devices send images through a Network Load Balancer to
receivers on AWS Fargate, which store them in Amazon S3; AWS Lambda has AWS HealthImaging import them."></p>
</body>
</html>
"""


def _row(links: RegionLinks) -> str:
    where = f"{links.name}, {links.region}"
    return (
        f"<tr><td>{escape(where)}</td>"
        f'<td><a class="launch" href="{escape(links.product)}" aria-label="Launch in {escape(where)}">'
        "Launch / 起動</a></td>"
        f'<td><a href="{escape(links.deploy_role)}" aria-label="Deploy role in {escape(where)}">'
        "Make / 作成</a></td></tr>"
    )

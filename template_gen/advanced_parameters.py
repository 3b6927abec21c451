"""Parameters that only other releases, and strict organisations, need."""

from __future__ import annotations

from troposphere import Parameter

from template_gen.form import Form, Group, Text


def add_advanced(form: Form) -> dict[str, Parameter]:
    """Add them."""
    # Their defaults are empty, and the release's own values live in Mappings: an update keeps the
    # previous value of a parameter, so a default here would silently run the old release.
    group = Group.ADVANCED
    return {
        "image_uri": form.add(
            "ImageURI",
            "String",
            group=group,
            label=Text(
                "Container image instead of the release's", "リリース版に代わるコンテナイメージ"
            ),
            doc=Text(
                "Amazon ECR reference of an image; empty for the release's own.",
                "Amazon ECRのイメージ参照。空ならリリース版を使用。",
            ),
            Default="",
            AllowedPattern=(
                r"^([0-9]{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com/[a-z0-9][a-z0-9._/-]*"
                r"(:[A-Za-z0-9._-]+|@sha256:[0-9a-f]{64}))?$"
            ),
            constraint=Text(
                "Type ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME:TAG or NAME@sha256:DIGEST, or leave it "
                "empty.",
                "アカウント.dkr.ecr.リージョン.amazonaws.com/名前:タグ の形式で入力するか、空にしてください。",
            ),
        ),
        "asset_bucket_prefix": form.add(
            "AssetBucketPrefix",
            "String",
            group=group,
            label=Text("Bucket prefix of the function code", "関数コードのバケット名の前半"),
            doc=Text(
                "The code is read from the bucket PREFIX-REGION; empty for the release's own.",
                "コードはバケット「前半-リージョン」から読み込みます。空ならリリース版を使用。",
            ),
            Default="",
            AllowedPattern=r"^([a-z0-9][a-z0-9-]{1,45})?$",
            constraint=Text(
                "Type 2 to 46 small letters, digits and hyphens, or leave it empty.",
                "2～46文字の英小文字・数字・ハイフンで入力するか、空にしてください。",
            ),
        ),
        "asset_key_prefix": form.add(
            "AssetKeyPrefix",
            "String",
            group=group,
            label=Text("Key prefix of the function code", "関数コードのキーの前半"),
            doc=Text(
                "Folder of the code in that bucket, ended by a slash; empty for the release's own.",
                "バケット内のフォルダ（末尾はスラッシュ）。空ならリリース版を使用。",
            ),
            Default="",
            AllowedPattern=r"^([A-Za-z0-9._/-]+/)?$",
            constraint=Text(
                "End it with a slash, for example storescp/VERSION/, or leave it empty.",
                "storescp/バージョン/ のようにスラッシュで終えるか、空にしてください。",
            ),
        ),
        "permissions_boundary_arn": form.add(
            "PermissionsBoundaryARN",
            "String",
            group=group,
            label=Text("Permissions boundary of the roles", "ロールのアクセス許可境界"),
            doc=Text(
                "ARN of the policy that your organisation demands on every role; empty for none.",
                "組織の規定で全ロールに必要なポリシーのARN。不要なら空。",
            ),
            Default="",
            AllowedPattern=r"^(arn:aws:iam::([0-9]{12}|aws):policy/.+)?$",
            constraint=Text(
                "Copy the ARN of an IAM policy, or leave it empty.",
                "IAMポリシーのARNを入力するか、空にしてください。",
            ),
        ),
        "role_path": form.add(
            "RolePath",
            "String",
            group=group,
            label=Text("Path of the roles", "ロールのパス"),
            doc=Text(
                "Path under which the roles are made, as your organisation demands.",
                "組織の規定に合わせてロールを作成するパス。",
            ),
            Default="/",
            AllowedPattern=r"^/([A-Za-z0-9+=,.@_-]+/)*$",
            constraint=Text(
                "Begin and end it with a slash, for example /medical/.",
                "/medical/ のようにスラッシュで始め、スラッシュで終えてください。",
            ),
        ),
    }

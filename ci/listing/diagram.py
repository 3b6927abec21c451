"""The product's architecture as AWS Marketplace wants it.

1100 x 700 pixels, AWS's icons, VPC and subnets, every service, and where they meet (seller guide,
"AMI-based delivery using CloudFormation").
"""

from __future__ import annotations

from ci.listing.drawing import Arrow, Diagram, Group, Node
from template_gen.product import NAME

_SERVICE = "architecture-service/"
_RESOURCE = "resource/"
_GROUP = "architecture-group/"
_CLOUD, _REGION, _VPC = "#232F3E", "#00A4A6", "#8C4FFF"
_PUBLIC, _PRIVATE, _PREMISES = "#7AA116", "#00A4A6", "#7D8998"

_GROUPS = (
    Group(x=16, y=44, width=146, height=386, label="Hospital", colour=_PREMISES,
          icon=f"{_GROUP}Corporatedatacenter"),
    Group(x=16, y=462, width=146, height=142, label="Publisher's account", colour=_CLOUD,
          icon=f"{_GROUP}AWSCloudlogo"),
    Group(x=182, y=44, width=902, height=560, label="AWS Cloud: your account", colour=_CLOUD,
          icon=f"{_GROUP}AWSCloudlogo"),
    Group(x=192, y=74, width=882, height=522, label="Region", colour=_REGION, dashed=True,
          icon=f"{_GROUP}Region"),
    Group(x=198, y=106, width=339, height=332, label="Your VPC", colour=_VPC,
          icon=f"{_GROUP}VirtualprivatecloudVPC"),
    Group(x=203, y=142, width=112, height=288, label="Availability Zone 1", colour=_REGION, dashed=True),
    Group(x=391, y=142, width=112, height=288, label="Availability Zone 2", colour=_REGION, dashed=True),
    Group(x=207, y=164, width=104, height=110, label="Public subnet", colour=_PUBLIC, fill="#F2F6E8",
          icon=f"{_GROUP}Publicsubnet"),
    Group(x=395, y=164, width=104, height=110, label="Public subnet", colour=_PUBLIC, fill="#F2F6E8",
          icon=f"{_GROUP}Publicsubnet"),
    Group(x=207, y=284, width=104, height=140, label="Private subnet", colour=_PRIVATE, fill="#E6F6F7",
          icon=f"{_GROUP}Privatesubnet"),
    Group(x=395, y=284, width=104, height=140, label="Private subnet", colour=_PRIVATE, fill="#E6F6F7",
          icon=f"{_GROUP}Privatesubnet"),
    Group(x=198, y=462, width=190, height=126, label="Launch", colour=_PREMISES, dashed=True),
    Group(x=398, y=462, width=262, height=126, label="Identity and encryption", colour=_PREMISES, dashed=True),
    Group(x=670, y=462, width=396, height=126, label="Operation", colour=_PREMISES, dashed=True),
)  # fmt: skip

_ROW_1, _ROW_2, _ROW_3, _ROW_4 = 142.0, 242.0, 340.0, 514.0
_COLUMN = (604.0, 704.0, 806.0, 908.0, 1016.0)
_ZONE_1, _MIDDLE, _ZONE_2, _EDGE = 259.0, 353.0, 447.0, 537.0


def _lambda(x: float, y: float, *label: str) -> Node:
    return Node(
        x=x, y=y, icon=f"{_SERVICE}AWSLambda", label=label, stands_for=frozenset({"Lambda"})
    )


def _node(x: float, y: float, icon: str, *label: str, stands_for: str = "") -> Node:
    return Node(x=x, y=y, icon=icon, label=label, stands_for=frozenset(stands_for.split()))


NODES = (
    _node(89, 132, f"{_RESOURCE}Multimedia", "CT, MR, X-ray,", "ultrasound"),
    _node(89, 360, f"{_RESOURCE}Users", "IT staff"),
    _node(55, _ROW_4, f"{_SERVICE}AmazonElasticContainerRegistry", "Amazon ECR", "image, from", "Marketplace"),
    _node(124, _ROW_4, f"{_SERVICE}AmazonSimpleStorageService", "Amazon S3", "code of the", "functions"),
    # In the VPC
    _node(_ZONE_1, 220, f"{_RESOURCE}AmazonVPCNATGateway", "NAT gateway"),
    _node(_ZONE_2, 220, f"{_RESOURCE}AmazonVPCNATGateway", "NAT gateway"),
    _node(_MIDDLE, 220, f"{_RESOURCE}ElasticLoadBalancingNetworkLoadBalancer", "Network", "Load Balancer",
          stands_for="ElasticLoadBalancingV2"),
    _node(_ZONE_1, 340, f"{_SERVICE}AWSFargate", "Receiver task", "AWS Fargate"),
    _node(_ZONE_2, 340, f"{_SERVICE}AWSFargate", "Receiver task", "AWS Fargate"),
    _node(_MIDDLE, 382, f"{_SERVICE}AmazonElasticContainerService", "Amazon ECS", "auto scaling",
          stands_for="ECS ApplicationAutoScaling"),
    Node(x=_EDGE, y=340, icon=f"{_RESOURCE}AmazonVPCEndpoints", label=("S3 endpoint", "(optional)"),
         label_above=True, stands_for=frozenset({"EC2"})),
    # From a stored image to its record
    _node(_COLUMN[0], _ROW_1, f"{_SERVICE}AmazonSimpleStorageService", "Amazon S3", "landing bucket",
          stands_for="S3"),
    _node(_COLUMN[1], _ROW_1, f"{_SERVICE}AmazonSimpleQueueService", "Amazon SQS", "ImportQueue, DLQ",
          stands_for="SQS"),
    _lambda(_COLUMN[2], _ROW_1, "AWS Lambda", "StartImport"),
    _node(_COLUMN[3], _ROW_1, f"{_SERVICE}AWSHealthImaging", "AWS HealthImaging", "data store",
          stands_for="HealthImaging"),
    _node(_COLUMN[4], _ROW_1, f"{_SERVICE}AmazonEventBridge", "EventBridge", "import ended", stands_for="Events"),
    _node(_COLUMN[3], _ROW_2, f"{_SERVICE}AmazonSimpleStorageService", "Amazon S3", "results bucket"),
    _node(_COLUMN[4], _ROW_2, f"{_SERVICE}AmazonSimpleQueueService", "Amazon SQS", "OutcomeQueue, DLQ"),
    _lambda(_COLUMN[2], _ROW_3, "AWS Lambda", "RecordOutcome"),
    _node(_COLUMN[1], _ROW_3, f"{_SERVICE}AmazonDynamoDB", "DynamoDB", "ledger", stands_for="DynamoDB"),
    _lambda(_COLUMN[0], _ROW_3, "AWS Lambda", "Sweep,", "every 5 minutes"),
    # Around it
    _node(246, _ROW_4, f"{_SERVICE}AWSCloudFormation", "AWS", "CloudFormation"),
    _lambda(342, _ROW_4, "AWS Lambda", "Preflight"),
    _node(440, _ROW_4, f"{_SERVICE}AWSIdentityandAccessManagement", "AWS IAM", "one role each", stands_for="IAM"),
    _node(529, _ROW_4, f"{_SERVICE}AWSKeyManagementService", "AWS KMS", "(optional)", stands_for="KMS"),
    _node(616, _ROW_4, f"{_SERVICE}AWSCertificateManager", "AWS ACM", "(for TLS)"),
    _node(744, _ROW_4, f"{_SERVICE}AmazonCloudWatch", "CloudWatch", "dashboard,", "alarms, logs",
          stands_for="CloudWatch Logs"),
    _lambda(838, _ROW_4, "AWS Lambda", "View, Redrive"),
    _node(930, _ROW_4, f"{_SERVICE}AmazonSimpleNotificationService", "Amazon SNS", "alarm topic", stands_for="SNS"),
    _node(1020, _ROW_4, f"{_RESOURCE}Email", "E-mail", "(optional)"),
)  # fmt: skip

_HALF = 23.0
"""Half an icon and a little air."""
_BELOW = 52.0
"""From an icon's middle to below its two lines of label."""


def _beside(left: float, right: float, y: float) -> tuple[tuple[float, float], ...]:
    sign = 1 if right > left else -1
    return (left + sign * _HALF, y), (right - sign * _HALF, y)


ARROWS = (
    Arrow(points=((112, 132), (_MIDDLE, 132), (_MIDDLE, 220 - _HALF)), step=1, badge=(142, 132)),
    Arrow(points=((_MIDDLE, 220 + _BELOW), (_MIDDLE, 340), (_ZONE_1 + _HALF, 340))),
    Arrow(points=((_MIDDLE, 220 + _BELOW), (_MIDDLE, 340), (_ZONE_2 - _HALF, 340))),
    Arrow(points=_beside(_ZONE_2, _EDGE, 340)),
    Arrow(points=((_EDGE + _HALF, 340), (571, 340), (571, 142), (_COLUMN[0] - _HALF, 142)), step=2, badge=(571, 242)),
    Arrow(points=_beside(_COLUMN[0], _COLUMN[1], _ROW_1), step=3),
    Arrow(points=_beside(_COLUMN[1], _COLUMN[2], _ROW_1)),
    Arrow(points=_beside(_COLUMN[2], _COLUMN[3], _ROW_1), step=4),
    Arrow(points=_beside(_COLUMN[3], _COLUMN[4], _ROW_1), step=5),
    Arrow(points=((_COLUMN[3], _ROW_1 + _BELOW), (_COLUMN[3], _ROW_2 - _HALF))),
    Arrow(points=((_COLUMN[4], _ROW_1 + _BELOW), (_COLUMN[4], _ROW_2 - _HALF))),
    Arrow(points=((_COLUMN[4], _ROW_2 + _BELOW), (_COLUMN[4], _ROW_3), (_COLUMN[2] + _HALF, _ROW_3)), step=6,
          badge=(_COLUMN[3], _ROW_3)),
    Arrow(points=((_COLUMN[3] - _HALF, _ROW_2), (_COLUMN[2], _ROW_2), (_COLUMN[2], _ROW_3 - _HALF))),
    Arrow(points=_beside(_COLUMN[2], _COLUMN[1], _ROW_3)),
    Arrow(points=_beside(_COLUMN[0], _COLUMN[1], _ROW_3)),
    Arrow(points=((_COLUMN[0], _ROW_3 - _HALF), (_COLUMN[0], _ROW_1 + _BELOW)), step=7),
    Arrow(points=((112, 360), (172, 360), (172, 450), (736, 450), (736, _ROW_4 - _HALF)), dashed=True, step=8,
          badge=(142, 360)),
    Arrow(points=_beside(744, 838, _ROW_4), dashed=True),
    Arrow(points=((756, _ROW_4 - _HALF), (756, 478), (930, 478), (930, _ROW_4 - _HALF)), dashed=True),
    Arrow(points=_beside(930, 1020, _ROW_4), dashed=True),
    Arrow(points=_beside(246, 342, _ROW_4), dashed=True),
    Arrow(points=((147, _ROW_4), (191, _ROW_4)), dashed=True),
)  # fmt: skip

STEPS = (
    "Devices send images by DICOM, plain or TLS, over Direct Connect, VPN or the internet.",
    "A receiver stores each image in S3 and answers Success only when S3 has confirmed its checksum.",
    "The manifest of a sealed batch announces the batch.",
    "StartImport starts one HealthImaging import job for the batch.",
    "HealthImaging writes the job's output and says that it has ended.",
    "RecordOutcome notes where each image is; what was not imported is kept, with the reason.",
    "Sweep proves that no image is missing, and repeats what was lost on the way.",
    "Staff see every image on the dashboard, have it imported again, and get alarms by e-mail.",
)

ARCHITECTURE = Diagram(
    width=1100,
    height=700,
    title=f"{NAME}: DICOM Store SCP for AWS HealthImaging",
    note="VPC, subnets and NAT gateways are yours. Everything else in the Region is made by the stack.",
    groups=_GROUPS,
    nodes=NODES,
    arrows=ARROWS,
    steps=STEPS,
    legend=(20, 626),
)

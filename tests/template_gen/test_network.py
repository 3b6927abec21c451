"""The way in: load balancer, listener, target group, security groups, service and scaling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from receiver.settings import Settings
from template_gen.network import HEALTH_PATH
from tests.receiver_process import ReceiverProcess
from tests.template_gen.rendering import (
    ACCOUNT,
    CERTIFICATE,
    TLS_SECRET,
    document,
    of_type,
    policy_of,
    render,
    statements,
)

INGRESS = "AWS::EC2::SecurityGroupIngress"
OFFICE = "203.0.113.0/24"


def _properties(title: str, **parameters: str) -> dict[str, Any]:
    found: dict[str, Any] = render(**parameters)[title]["Properties"]
    return found


def _senders(**parameters: str) -> list[str]:
    rules = of_type(render(**parameters), INGRESS).values()
    return [rule["CidrIp"] for rule in rules if "CidrIp" in rule]


def _target_attributes() -> dict[str, str]:
    attributes = _properties("PacsTargetGroup")["TargetGroupAttributes"]
    return {attribute["Key"]: attribute["Value"] for attribute in attributes}


def test_without_a_certificate_the_listener_is_tcp() -> None:
    """One listener resource, on the form's port."""
    listener = _properties("PacsListener")

    assert (listener["Protocol"], listener["Port"]) == ("TCP", "11112")
    assert "Certificates" not in listener
    assert "SslPolicy" not in listener


def test_with_a_certificate_the_listener_is_tls_12_or_13() -> None:
    """A current policy: CloudFormation's default would admit TLS 1.0."""
    listener = _properties("PacsListener", TLSCertificateARN=CERTIFICATE)

    assert listener["Protocol"] == "TLS"
    assert listener["Certificates"] == [{"CertificateArn": CERTIFICATE}]
    assert listener["SslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
    assert "ListenerAttributes" not in listener


def test_with_tls_in_the_servers_the_listener_passes_tcp_through() -> None:
    """Whoever has the key must hear the handshake."""
    listener = _properties("PacsListener", ReceiverTLSSecretARN=TLS_SECRET)

    assert (listener["Protocol"], listener["Port"]) == ("TCP", "11112")
    assert "Certificates" not in listener


def test_there_is_one_listener() -> None:
    """Two could not both have the port while an update goes from TCP to TLS."""
    assert len(of_type(document()["Resources"], "AWS::ElasticLoadBalancingV2::Listener")) == 1


def test_an_idle_connection_is_kept_longer_than_the_receiver_keeps_it() -> None:
    """Whoever sets NetworkTimeout decides, not the load balancer."""
    (attribute,) = _properties("PacsListener")["ListenerAttributes"]
    longest = Settings.specs()["network_timeout_s"].maximum

    assert attribute["Key"] == "tcp.idle_timeout.seconds"
    assert longest is not None
    assert int(attribute["Value"]) > longest


def test_the_target_group_is_tcp_with_the_senders_address() -> None:
    """PROXY protocol v2, as the receiver's environment says too."""
    group = _properties("PacsTargetGroup", TLSCertificateARN=CERTIFICATE)

    assert (group["Protocol"], group["TargetType"]) == ("TCP", "ip")
    assert group["Port"] == Settings.defaults()["scp_port"]
    assert _target_attributes()["proxy_protocol_v2.enabled"] == "true"


def test_health_is_asked_on_its_own_port() -> None:
    """A check of the DICOM port would be an association that never comes."""
    group = _properties("PacsTargetGroup")

    assert group["HealthCheckProtocol"] == "HTTP"
    assert group["HealthCheckPort"] == str(Settings.defaults()["health_port"])
    assert group["HealthCheckPath"] == HEALTH_PATH


def test_associations_may_finish() -> None:
    """Neither a draining nor an unhealthy target loses its connections at once."""
    attributes = _target_attributes()

    assert attributes["deregistration_delay.connection_termination.enabled"] == "false"
    assert attributes["target_health_state.unhealthy.connection_termination.enabled"] == "false"
    assert int(attributes["deregistration_delay.timeout_seconds"]) >= 120


def test_the_load_balancer_stands_in_the_public_subnets_across_zones() -> None:
    """PacsNLB, internet-facing as the guide's examples are."""
    balancer = _properties("PacsNLB")

    assert balancer["Type"] == "network"
    assert balancer["Scheme"] == "internet-facing"
    assert balancer["Subnets"] == ["subnet-0000000a", "subnet-0000000b"]
    assert {"Key": "load_balancing.cross_zone.enabled", "Value": "true"} in balancer[
        "LoadBalancerAttributes"
    ]


def test_tls_connections_are_logged_once_the_bucket_lets_them() -> None:
    """The load balancer logs nothing else, and tests the bucket's policy when it is told to."""
    resources = render(TLSCertificateARN=CERTIFICATE)
    balancer = resources["PacsNLB"]
    attributes = {a["Key"]: a["Value"] for a in balancer["Properties"]["LoadBalancerAttributes"]}
    (statement,) = (
        s for s in policy_of(resources, "AccessLogBucketPolicy") if s["Sid"] == "LetLoadBalancerLog"
    )

    assert attributes["access_logs.s3.enabled"] == "true"
    assert attributes["access_logs.s3.bucket"] == "AccessLogBucket"
    assert "AccessLogBucketPolicy" in balancer["DependsOn"]
    assert statement["Principal"] == {"Service": "delivery.logs.amazonaws.com"}
    assert statement["Resource"] == [
        f"AccessLogBucket.Arn/{attributes['access_logs.s3.prefix']}/AWSLogs/{ACCOUNT}/*"
    ]


def test_fixed_addresses_are_in_the_first_two_subnets() -> None:
    """And stay when the stack goes: they are typed into every device."""
    resources = render(ElasticIPs="true")
    balancer = resources["PacsNLB"]["Properties"]

    assert "Subnets" not in balancer
    assert balancer["SubnetMappings"] == [
        {
            "SubnetId": "subnet-0000000a",
            "AllocationId": "LoadBalancerAddress1.AllocationId",
        },
        {
            "SubnetId": "subnet-0000000b",
            "AllocationId": "LoadBalancerAddress2.AllocationId",
        },
    ]
    assert resources["LoadBalancerAddress1"]["DeletionPolicy"] == "RetainExceptOnCreate"


def test_the_customers_security_group_is_beside_ours() -> None:
    """A rule that it has already can never be a duplicate."""
    assert _properties("PacsNLB")["SecurityGroups"] == [
        "LoadBalancerSecurityGroup.GroupId",
        "sg-0123456789abcdef0",
    ]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, ["10.0.0.0/16"]),
        ({"PeerCIDR1": OFFICE}, ["10.0.0.0/16", OFFICE]),
        ({"PeerCIDR2": OFFICE, "PeerCIDR3": OFFICE}, ["10.0.0.0/16", OFFICE]),
        ({"PeerCIDR1": "10.0.0.0/16"}, ["10.0.0.0/16"]),
        (
            {"PeerCIDR1": OFFICE, "PeerCIDR2": OFFICE, "PeerCIDR3": "198.51.100.0/24"},
            ["10.0.0.0/16", OFFICE, "198.51.100.0/24"],
        ),
    ],
    ids=["none", "one", "without the first", "the VPC's own", "one twice"],
)
def test_a_range_given_twice_makes_one_rule(
    parameters: dict[str, str], expected: list[str]
) -> None:
    """EC2 refuses a duplicate, and the stack would fail."""
    assert sorted(expected) == sorted(_senders(**parameters))


def test_no_group_names_another_in_a_rule_of_its_own() -> None:
    """Rules between groups are separate resources: within them they would close a circle."""
    for title, group in of_type(document()["Resources"], "AWS::EC2::SecurityGroup").items():
        assert "SecurityGroupIngress" not in group, title
        for rule in group["SecurityGroupEgress"]:
            assert rule.keys() & {"DestinationSecurityGroupId", "SourceSecurityGroupId"} == set()


def test_the_load_balancer_can_be_internal() -> None:
    """For devices that come by VPN, Direct Connect or from the VPC."""
    assert _properties("PacsNLB", LoadBalancerScheme="internal")["Scheme"] == "internal"


def test_tasks_accept_from_the_load_balancer_alone() -> None:
    """A forged PROXY header would put another sender's address into the audit trail."""
    rules = [
        rule
        for rule in of_type(render(PeerCIDR1=OFFICE), INGRESS).values()
        if rule["GroupId"] == "TaskSecurityGroup.GroupId"
    ]

    assert {(r["FromPort"], r["ToPort"]) for r in rules} == {(11112, 11112), (8080, 8080)}
    assert {r.get("SourceSecurityGroupId") for r in rules} == {"LoadBalancerSecurityGroup.GroupId"}


def test_the_load_balancer_reaches_the_dicom_and_health_ports_only() -> None:
    """Its group lets nothing else out, not even EC2's default."""
    inline = _properties("LoadBalancerSecurityGroup")["SecurityGroupEgress"]
    rules = of_type(render(), "AWS::EC2::SecurityGroupEgress").values()

    assert [rule["CidrIp"] for rule in inline] == ["127.0.0.1/32"]
    assert {(rule["FromPort"], rule["ToPort"]) for rule in rules} == {(11112, 11112), (8080, 8080)}
    assert {rule["DestinationSecurityGroupId"] for rule in rules} == {"TaskSecurityGroup.GroupId"}


def test_tasks_run_in_the_private_subnets_without_public_addresses() -> None:
    """プライベートサブネット: DICOM処理サーバー."""
    network = _properties("PacsService")["NetworkConfiguration"]["AwsvpcConfiguration"]

    assert network == {
        "AssignPublicIp": "DISABLED",
        "Subnets": ["subnet-0000000c", "subnet-0000000d"],
        "SecurityGroups": ["TaskSecurityGroup.GroupId"],
    }


def test_tasks_may_have_another_security_group() -> None:
    """For VPC endpoints that admit only its members."""
    service = _properties("PacsService", TaskSecurityGroupID="sg-0123abcd")

    assert service["NetworkConfiguration"]["AwsvpcConfiguration"]["SecurityGroups"] == [
        "TaskSecurityGroup.GroupId",
        "sg-0123abcd",
    ]


def test_route_tables_get_the_s3_endpoint() -> None:
    """Images need not pay for the NAT gateway; without tables there is no endpoint."""
    given = render(PrivateRouteTableIDs="rtb-0123abcd,rtb-0123abce")

    assert given["S3Endpoint"]["Properties"]["RouteTableIds"] == ["rtb-0123abcd", "rtb-0123abce"]
    assert given["S3Endpoint"]["Properties"]["VpcEndpointType"] == "Gateway"
    assert "S3Endpoint" not in render()


def test_a_failed_deployment_is_rolled_back_and_a_good_one_cuts_nothing() -> None:
    """Circuit breaker, 100/200, no rebalancing, 120 s of grace."""
    service = _properties("PacsService")
    deployment = service["DeploymentConfiguration"]

    assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
    assert (deployment["MinimumHealthyPercent"], deployment["MaximumPercent"]) == (100, 200)
    assert service["AvailabilityZoneRebalancing"] == "DISABLED"
    assert service["HealthCheckGracePeriodSeconds"] == 120
    assert service["EnableExecuteCommand"] is False


def test_scaling_is_the_guides() -> None:
    """CPU使用率ベース（ターゲット追跡）: 50%, 60秒."""
    policy = _properties("PacsScalingPolicy")["TargetTrackingScalingPolicyConfiguration"]

    assert policy["TargetValue"] == 50
    assert (policy["ScaleInCooldown"], policy["ScaleOutCooldown"]) == (60, 60)
    assert (
        policy["PredefinedMetricSpecification"]["PredefinedMetricType"]
        == "ECSServiceAverageCPUUtilization"
    )


def test_raising_the_desired_count_lasts() -> None:
    """It is the scaling minimum; the service itself names no count that an update would set back."""
    target = _properties("PacsScalableTarget", TaskDesiredCount="2", AutoscaleMaxCapacity="5")

    assert (target["MinCapacity"], target["MaxCapacity"]) == ("2", "5")
    assert "DesiredCount" not in _properties("PacsService")


def test_a_task_may_protect_itself_from_scaling_in() -> None:
    """While associations are open; a task of this cluster alone."""
    (statement,) = (s for r, s in statements(render()) if "ecs:UpdateTaskProtection" in s["Action"])

    assert statement["Resource"] == [f"arn:aws:ecs:us-east-1:{ACCOUNT}:task/PacsCluster/*"]


def test_the_task_is_hardened() -> None:
    """Non-root, read-only root, no capabilities, an init process, 120 s to stop."""
    (container,) = _properties("PacsServerTaskDef")["ContainerDefinitions"]

    assert container["User"] not in ("", "0", "root", "0:0")
    assert container["ReadonlyRootFilesystem"] is True
    assert container["LinuxParameters"] == {
        "Capabilities": {"Drop": ["ALL"]},
        "InitProcessEnabled": True,
    }
    assert container["StopTimeout"] == 120 == Settings.defaults()["stop_timeout_s"]
    assert "Privileged" not in container


def test_the_service_runs_on_the_newest_platform_without_a_shell() -> None:
    """Nobody gets into a task by ECS Exec, and no variable of it is a secret."""
    service = _properties("PacsService")
    (container,) = _properties("PacsServerTaskDef")["ContainerDefinitions"]

    assert service["PlatformVersion"] == "LATEST"
    assert service["EnableExecuteCommand"] is False
    secrets = {spec.env for spec in Settings.specs().values() if spec.secret}
    assert {pair["Name"] for pair in container["Environment"]} & secrets == set()


def test_a_slow_log_service_does_not_stop_the_receiver() -> None:
    """Lines are dropped before images wait."""
    (container,) = _properties("PacsServerTaskDef")["ContainerDefinitions"]

    assert container["LogConfiguration"]["LogDriver"] == "awslogs"
    assert container["LogConfiguration"]["Options"]["mode"] == "non-blocking"


@pytest.mark.parametrize(("cpu", "workers"), [("256", "1"), ("1024", "1"), ("4096", "4")])
def test_a_worker_for_each_vcpu(cpu: str, workers: str) -> None:
    """From the mapping, by the form's own text."""
    (container,) = _properties("PacsServerTaskDef", TaskCPU=cpu)["ContainerDefinitions"]
    environment = {pair["Name"]: pair.get("Value") for pair in container["Environment"]}

    assert environment["WORKERS"] == workers


def test_a_receiver_answers_the_load_balancers_health_check(
    start_receiver: Callable[..., ReceiverProcess],
) -> None:
    """The path of the target group is one that it serves."""
    status, _ = start_receiver().get(HEALTH_PATH)

    assert status == 200

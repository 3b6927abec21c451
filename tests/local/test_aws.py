from __future__ import annotations

import json
import uuid
from typing import Any

from tests.local.conftest import client
from tests.local.dicom import part10
from tests.local.healthimaging.conftest import ROLE, until


def test_an_import_job_reads_and_writes_emulated_s3_and_tells_a_queue(aws_url: str) -> None:
    """One port serves S3, SQS, EventBridge and HealthImaging, and they know each other."""
    made: dict[str, Any] = {
        name: client(name, aws_url) for name in ("s3", "sqs", "events", "medical-imaging")
    }
    s3, sqs, events, imaging = made.values()
    name = f"world-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=name)
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    pattern = {"source": ["aws.medical-imaging"], "detail-type": ["Import Job Completed"]}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn["QueueArn"]}])
    store = imaging.create_datastore(datastoreName=name)["datastoreId"]
    s3.put_object(Bucket=name, Key="in/a/x.dcm", Body=part10())
    job_id = imaging.start_dicom_import_job(
        datastoreId=store,
        dataAccessRoleArn=ROLE,
        inputS3Uri=f"s3://{name}/in/",
        outputS3Uri=f"s3://{name}/out/",
    )["jobId"]
    received: list[Any] = []

    def told() -> bool:
        answer = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1)
        received.extend(answer.get("Messages", []))
        return bool(received)

    until(told)
    event = json.loads(received[0]["Body"])
    assert event["source"] == "aws.medical-imaging"
    assert event["detail"]["jobId"] == job_id
    key = f"out/{store}-DicomImport-{job_id}/job-output-manifest.json"
    manifest = json.loads(s3.get_object(Bucket=name, Key=key)["Body"].read())
    assert manifest["jobSummary"]["numberOfImportedFiles"] == 1
    for each in made.values():
        each.close()

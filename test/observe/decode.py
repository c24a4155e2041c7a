"""Reads what the router said by the code of those who read it in earnest: Prometheus' own parser, OpenTelemetry's own messages."""
import base64
import json
import sys


def metrics(text):
    from prometheus_client.parser import text_string_to_metric_families

    return [
        {"family": family.name, "type": family.type, "name": sample.name,
         "labels": sample.labels, "value": sample.value}
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]


def spans(bodies):
    from google.protobuf.json_format import MessageToDict
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    return [MessageToDict(ExportTraceServiceRequest.FromString(base64.b64decode(body))) for body in bodies]


asked = json.load(sys.stdin)
read = {"metrics": metrics, "spans": spans}[sys.argv[1]]
json.dump(read(asked), sys.stdout)

"""AdmissionReview (admission.k8s.io/v1) on the wire: bytes to a request, a decision to bytes."""

from base64 import b64encode
from typing import Any

import orjson

from lawflow.webhook.decision import Decision

API_VERSION = "admission.k8s.io/v1"

Object = dict[str, Any]


class MalformedReviewError(ValueError):
    """Bytes that are no AdmissionReview; the message says what is wrong, and never quotes them."""


def read_request(body: bytes | bytearray) -> Object:
    """The request of an AdmissionReview; MalformedReviewError where there is none."""
    try:
        review = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedReviewError(f"the body is no JSON: {error.msg} at line {error.lineno}") from None
    if not isinstance(review, dict) or review.get("kind") != "AdmissionReview":
        raise MalformedReviewError("the body is no AdmissionReview")
    if review.get("apiVersion") != API_VERSION:
        raise MalformedReviewError(f"only {API_VERSION} is served")
    request = review.get("request")
    if not isinstance(request, dict):
        raise MalformedReviewError(".request is missing")
    if not isinstance(request.get("uid"), str) or not request["uid"]:
        raise MalformedReviewError(".request.uid is missing")
    if request.get("operation") not in ("CREATE", "UPDATE", "DELETE", "CONNECT"):
        raise MalformedReviewError(".request.operation is none of CREATE, UPDATE, DELETE, CONNECT")
    for field in ("object", "oldObject", "kind", "userInfo"):
        if not isinstance(request.get(field), dict | None):
            raise MalformedReviewError(f".request.{field} is no object")
    for field in ("object", "oldObject"):
        if request.get(field) and not isinstance(request[field].get("metadata"), dict):
            raise MalformedReviewError(f".request.{field}.metadata is missing")
    for field in ("namespace", "name", "subResource"):
        if not isinstance(request.get(field), str | None):
            raise MalformedReviewError(f".request.{field} is no string")
    return request


def write_response(uid: str, decision: Decision) -> bytes:
    """The AdmissionReview that answers the request of that uid."""
    response: Object = {"uid": uid, "allowed": decision.allowed}
    if not decision.allowed:
        reason = "Forbidden" if decision.code == 403 else "Invalid"
        response["status"] = {"code": decision.code, "reason": reason, "message": decision.message}
    if decision.warnings:
        response["warnings"] = decision.warnings
    if decision.audit:
        response["auditAnnotations"] = dict(decision.audit)
    if decision.allowed and decision.patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = b64encode(orjson.dumps(decision.patch)).decode()
    return orjson.dumps({"apiVersion": API_VERSION, "kind": "AdmissionReview", "response": response})

"""One review from bytes to bytes; whatever is no review is answered, and stops nothing."""

import asyncio
import base64
import json
from collections.abc import Awaitable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.flows import flow, references, unlawful_flow
from tests.support.gate import pod, workload
from tests.support.injected_pods import SETTINGS
from tests.support.reviews import CONTROLLER, NAMESPACE, NOW, known, namespace_object, request

from lawflow.law import default_legal_data
from lawflow.store.protocol import StoreError
from lawflow.webhook.access import Access
from lawflow.webhook.admission import Admission
from lawflow.webhook.http import Request, Response
from lawflow.webhook.knowledge import Knowledge
from lawflow.webhook.metrics import Metrics

pytestmark = pytest.mark.unit

Object = dict[str, Any]


class Rights:
    """Answers SubjectAccessReviews as an API server does, and counts them; an unreachable one raises."""

    def __init__(self, *users: str, reachable: bool = True) -> None:
        self.users = users
        self.reachable = reachable
        self.asked: list[Object] = []

    async def create(self, _kind: object, obj: Object) -> Object:
        if not self.reachable:
            raise StoreError("POST subjectaccessreviews: connection refused")
        self.asked.append(obj["spec"])
        return {**obj, "status": {"allowed": obj["spec"]["user"] in self.users}}


def admission(knowledge: Knowledge | None = None, rights: Rights | None = None) -> Admission:
    knowledge = knowledge or known(
        namespace_object(inject="enabled"),
        *references(NAMESPACE),
        flow("lawful", NAMESPACE, "lawful"),
        unlawful_flow("unlawful", NAMESPACE, "unlawful"),
    )
    access = Access(rights or Rights(), lambda: 0.0)  # type: ignore[arg-type]  # it asks for nothing but create
    return Admission(knowledge, access, SETTINGS, lambda: NOW, Metrics())


def post(body: object, path: str = "/mutate", content_type: str = "application/json") -> Request:
    return Request("POST", path, content_type, body if isinstance(body, bytes) else json.dumps(body).encode())


def review(request: Object) -> Object:
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


def answered(answer: Response | Awaitable[Response]) -> Response:
    async def wait() -> Response:
        assert not isinstance(answer, Response)
        return await answer

    return answer if isinstance(answer, Response) else asyncio.run(wait())


def response(request: Object, served: Admission | None = None, path: str = "/mutate") -> Object:
    answer = answered((served or admission()).handle(post(review(request), path)))
    assert answer.status == 200, answer.body
    found: Object = json.loads(answer.body)["response"]
    assert found["uid"] == request["uid"]
    return found


def test_a_refusal_is_a_status_with_code_reason_and_message() -> None:
    found = response(request(workload("app", NAMESPACE, "unlawful")))

    assert found["allowed"] is False
    assert found["status"]["code"] == 403
    assert found["status"]["reason"] == "Forbidden"
    assert "DataFlow unlawful is unlawful" in found["status"]["message"]
    assert found["auditAnnotations"] == {"unlawful-flows": "unlawful"}


def test_a_pod_gets_its_sidecar_from_mutate_and_not_from_validate() -> None:
    created = request(pod("app", NAMESPACE, "lawful"))

    patched, judged = response(created), response(created, path="/validate")

    assert patched["patchType"] == "JSONPatch"
    operations = {one["path"]: one for one in json.loads(base64.b64decode(patched["patch"]))}
    assert operations["/spec/initContainers"]["value"][0]["name"] == "lawflow-sidecar"
    assert "patch" not in judged


def test_a_pod_of_another_namespace_is_not_touched() -> None:
    served = admission(known(namespace_object()))

    assert response(request(pod("app", NAMESPACE, "lawful")), served) == {"uid": request(None)["uid"], "allowed": True}


def test_break_glass_passes_for_who_may_bypass_and_notes_who_it_was() -> None:
    emergency = workload("app", NAMESPACE, "unlawful", annotations={"lawflow.dev/break-glass": "payments are down"})

    assert response(request(emergency), admission(rights=Rights()))["allowed"] is False
    passed = response(request(emergency), admission(rights=Rights("dora")))

    assert passed["allowed"] is True
    assert passed["warnings"][0].startswith("break-glass by dora: payments are down")
    (noted,) = json.loads(base64.b64decode(passed["patch"]))
    assert noted["path"] == "/metadata/annotations/lawflow.dev~1break-glass-user"
    assert noted["value"] == "dora"


def test_a_copy_of_the_annotation_by_the_clusters_controllers_keeps_the_name() -> None:
    copied = workload("app", NAMESPACE, "lawful", annotations={"lawflow.dev/break-glass": "payments are down"})

    assert "patch" not in response(request(copied, user=CONTROLLER))


def test_nobody_passes_while_nobody_can_be_asked() -> None:
    emergency = workload("app", NAMESPACE, "unlawful", annotations={"lawflow.dev/break-glass": "payments are down"})

    assert response(request(emergency), admission(rights=Rights("dora", reachable=False)))["allowed"] is False


async def test_a_right_is_asked_for_once_and_again_after_a_while() -> None:
    now = [0.0]
    rights = Rights("dora")
    access = Access(rights, lambda: now[0])  # type: ignore[arg-type]

    assert await access.may_bypass({"username": "dora", "groups": ["a"]}, NAMESPACE)
    assert await access.may_bypass({"username": "dora", "groups": ["a"]}, NAMESPACE)
    assert len(rights.asked) == 1
    assert rights.asked[0]["resourceAttributes"] == {
        "group": "lawflow.dev", "resource": "dataflows", "verb": "bypass", "namespace": NAMESPACE
    }  # fmt: skip
    assert not await access.may_bypass({"username": "eve", "groups": ["a"]}, NAMESPACE)
    now[0], rights.users = 11.0, ()
    assert not await access.may_bypass({"username": "dora", "groups": ["a"]}, NAMESPACE)


MALFORMED: list[object] = [
    b"",
    b"{",
    b"\xff\xfe",
    b"[]",
    b"null",
    {"kind": "AdmissionReview"},
    {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1beta1", "request": request(None)},
    review({}),
    review({**request(None), "uid": 7}),
    review({**request(None), "operation": "PATCH"}),
    review({**request(None), "object": []}),
    review({**request(None), "object": {"kind": "Pod"}}),
    review(request({"kind": "Pod", "metadata": {"namespace": NAMESPACE}, "spec": {"serviceAccountName": [3]}})),
    review(request({"kind": "Pod", "metadata": {"namespace": NAMESPACE, "annotations": 3}, "spec": {}})),
    review(
        request(
            {
                "kind": "Deployment",
                "metadata": {"namespace": NAMESPACE},
                "spec": {"template": {"spec": {}, "metadata": 1}},
            }
        )
    ),
]


@pytest.mark.parametrize("body", MALFORMED)
def test_what_is_no_review_gets_a_400(body: object) -> None:
    served = admission()

    assert answered(served.handle(post(body))).status == 400
    assert response(request(workload("app", NAMESPACE, "lawful")), served)["allowed"] is True


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["metadata", "annotations", "spec", "template", "kind", "name", "containers", "labels"])
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(obj=st.dictionaries(st.sampled_from(["metadata", "spec", "kind"]), _json, max_size=3), group=st.booleans())
@settings(deadline=None)
def test_no_object_makes_a_review_fail(obj: Object, group: bool) -> None:
    asked = {**request(None), "namespace": NAMESPACE, "object": obj}
    asked["kind"] = {"group": "lawflow.dev" if group else "apps", "version": "v1", "kind": str(obj.get("kind"))}

    assert answered(SERVED.handle(post(review(asked)))).status in (200, 400)


SERVED = admission()


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (Request("GET", "/mutate", "", b""), 405),
        (post({}, content_type="text/yaml"), 415),
        (Request("GET", "/nowhere", "", b""), 404),
        (Request("GET", "/healthz", "", b""), 200),
        (Request("GET", "/readyz", "", b""), 200),
        (Request("GET", "/metrics", "", b""), 200),
    ],
)
def test_paths_and_methods_are_answered_as_http_asks(asked: Request, status: int) -> None:
    assert answered(admission().handle(asked)).status == status


def test_a_server_that_has_not_read_the_cluster_refuses_to_judge() -> None:
    served = admission(Knowledge(default_legal_data()))

    assert answered(served.handle(post(review(request(workload("app", NAMESPACE)))))).status == 503
    assert answered(served.handle(Request("GET", "/readyz", "", b""))).status == 503
    assert answered(served.handle(Request("GET", "/healthz", "", b""))).status == 200


def test_metrics_count_reviews_without_names() -> None:
    served = admission()
    response(request(workload("secret-project", NAMESPACE, "unlawful")), served)

    text = answered(served.handle(Request("GET", "/metrics", "", b""))).body.decode()

    assert 'lawflow_admission_reviews_total{allowed="false",path="/mutate"} 1.0' in text
    assert "secret-project" not in text

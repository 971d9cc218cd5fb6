"""Nothing undeclared gets past the sidecars, however it is written: the corpus in ``evasions``, through real Envoys.

Whatever else a case says, these hold in each: the marker that stands in all undeclared places reaches neither app nor
sender, neither log nor statistic; no header reaches the app that is neither technical nor declared; nothing hangs or
crashes; and whatever the sidecar answers itself is a problem document.
"""

import json
from collections.abc import AsyncIterator
from urllib.parse import unquote

import pytest
import pytest_asyncio
from tests.support.evasion_client import Outcome, send_http1, send_http2, status
from tests.support.evasion_shop import EvasionShop, evasion_shop
from tests.support.evasions import MARKER, Case, Passed, Refused, cases
from tests.support.http_messages import Received, octets, pairs

pytestmark = pytest.mark.envoy

in_the_shops_loop = pytest.mark.asyncio(loop_scope="module")

CASES = cases()
TECHNICAL = frozenset({
    ":scheme", "accept", "cache-control", "content-length", "content-type", "host", "if-match", "if-modified-since",
    "if-none-match", "if-unmodified-since", "lawflow-purpose", "max-forwards", "pragma", "prefer", "te",
    "transfer-encoding", "x-forwarded-client-cert",
})  # fmt: skip
DECLARED = frozenset({"x-order", "x-phone"})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def open_shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EvasionShop]:
    async with evasion_shop(tmp_path_factory.mktemp("evasions") / "shop") as running:
        yield running


@in_the_shops_loop
@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
async def test_evasion(open_shop: EvasionShop, case: Case) -> None:
    app = open_shop.app
    app.begin(case.answer)
    already = len(app.ever)
    pids = [sidecar.process.pid for sidecar in (open_shop.orders, open_shop.billing)]
    outcome = await _send(open_shop, case)
    if case.broken:
        await open_shop.idle()
    await app.settled()
    assert pids == [sidecar.process.pid for sidecar in (open_shop.orders, open_shop.billing)], "an Envoy crashed"
    assert MARKER.encode() not in app.ever[already:], "the app was sent the marker"
    for received in filter(None, [outcome.response, *outcome.informational, *outcome.others]):
        assert MARKER.encode() not in received.everything(), "the sender was sent the marker"
    for request in app.requests:
        assert {name for name, _ in request.headers} <= TECHNICAL | DECLARED
    if case.refused:
        _check_refused(case, case.refused, outcome, app.requests)
    elif case.grpc:
        _check_grpc(case.grpc, outcome, app.requests)
    elif case.passed is not None:
        _check_passed(case.passed, outcome, app.requests)
    else:
        if case.before is not None:
            assert [request.body for request in app.requests] == [case.before]
        assert outcome.response is None or not outcome.response.is_complete
        assert not any(request.is_complete for request in app.requests)


@in_the_shops_loop
async def test_neither_logs_nor_statistics_nor_the_app_ever_held_what_is_undeclared(open_shop: EvasionShop) -> None:
    # The last of the module, so that it speaks of all cases.
    said = await open_shop.what_envoys_say()
    assert "lawflow_refused" in said
    assert MARKER not in said
    assert MARKER.encode() not in open_shop.app.ever


def test_the_corpus_is_as_large_as_it_should_be() -> None:
    assert len(CASES) >= 120
    names = [case.id for case in CASES]
    assert len(names) == len(set(names))


async def _send(shop: EvasionShop, case: Case) -> Outcome:
    send = case.send
    target = shop.receiver(send.identity) if send.past_its_sidecar else shop.target()
    if send.http2:
        return await send_http2(target, send.pseudo_headers, send.message, hangs_up=send.hangs_up)
    reached = octets(send.pauses_after)

    async def until_it_reached_the_app() -> None:
        await shop.app.received(reached)

    return await send_http1(
        target,
        send.parts,
        until_it_reached_the_app,
        segment=send.segment,
        hangs_up=send.hangs_up,
        is_last=send.raw is None,
    )


def _check_refused(case: Case, refused: Refused, outcome: Outcome, requests: list[Received]) -> None:
    response = outcome.response
    assert response, "there was no answer"
    assert (outcome.status, response.is_complete) == (refused.status, True), response
    assert response.header("content-type") == "application/problem+json", response
    document = json.loads(response.body)
    assert document["type"].rpartition("/")[2] == refused.rule, document
    assert document["status"] == refused.status
    by = refused.by or ("billing" if case.answer or case.send.past_its_sidecar else "orders")
    assert document["enforcedBy"].endswith(f"/sa/{by}"), document
    if not case.answer:
        assert not requests, "the app was asked"
    assert not outcome.others, "it was taken for several requests"


def _check_grpc(refused: Refused, outcome: Outcome, requests: list[Received]) -> None:
    assert outcome.response
    told = {**dict(outcome.response.headers), **dict(outcome.response.trailers)}
    assert (outcome.status, told["grpc-status"]) == (200, str(refused.status))
    assert json.loads(unquote(told["grpc-message"]))["type"].rpartition("/")[2] == refused.rule
    assert not requests, "the app was asked"


def _check_passed(passed: Passed, outcome: Outcome, requests: list[Received]) -> None:
    assert len(requests) == 1, outcome
    (request,) = requests
    method, path, _ = request.first.split(" ")
    assert request.is_complete is passed.is_complete
    if passed.method is not None:
        assert method == passed.method
    if passed.path is not None:
        assert path == passed.path
    assert request.body == octets(passed.body)
    for name, value in passed.headers.items():
        assert request.header(name.lower()) == value, request.headers
    assert request.trailers == pairs(passed.trailers)
    wanted, response = passed.response, outcome.response
    assert response, "there was no answer"
    assert outcome.status == wanted.status, response
    assert response.is_complete is wanted.is_complete, response
    if wanted.body is not None:
        assert response.body == octets(wanted.body)
    for name, value in wanted.headers.items():
        assert response.header(name.lower()) == value, response.headers
    assert response.trailers == pairs(wanted.trailers)
    if wanted.informational is not None:
        assert [status(each) for each in outcome.informational] == wanted.informational
    assert [status(each) for each in outcome.others] == passed.then, "it was taken for other requests than it is"

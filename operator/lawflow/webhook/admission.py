"""One review from bytes to bytes: reads, decides with the pure parts, asks about break-glass only where it matters."""

import datetime as dt
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from lawflow.inject.settings import InjectionSettings
from lawflow.model.base import GROUP
from lawflow.webhook.access import Access
from lawflow.webhook.admission_review import MalformedReviewError, Object, read_request, write_response
from lawflow.webhook.break_glass import with_user_noted
from lawflow.webhook.decision import Decision
from lawflow.webhook.http import Request, Response, text
from lawflow.webhook.knowledge import Knowledge
from lawflow.webhook.metrics import Metrics
from lawflow.webhook.resource import review_resource
from lawflow.webhook.sidecar import with_sidecar
from lawflow.webhook.workload import passed_by_break_glass, review_workload

MUTATE = "/mutate"
VALIDATE = "/validate"

_log = logging.getLogger(__name__)


class Admission:
    """Answers requests over the knowledge at hand. ``/mutate`` also injects; ``/validate`` only judges."""

    def __init__(
        self,
        knowledge: Knowledge,
        access: Access,
        injection: InjectionSettings,
        now: Callable[[], dt.datetime],
        metrics: Metrics,
    ) -> None:
        self._knowledge = knowledge
        self._access = access
        self._injection = injection
        self._now = now
        self._metrics = metrics
        self.draining = False

    def handle(self, request: Request) -> Response | Awaitable[Response]:
        """Answer one HTTP request; only a break-glass takes a question to the API server and so an awaitable."""
        path = request.path.partition("?")[0]
        if path in (MUTATE, VALIDATE):
            return self._review(request, path)
        return self.handle_health(request)

    def handle_health(self, request: Request) -> Response:
        """Answer probes and metrics alone: what the plain port serves."""
        if request.method != "GET":
            return text(HTTPStatus.METHOD_NOT_ALLOWED, "use GET")
        match request.path.partition("?")[0]:
            case "/healthz":
                return text(HTTPStatus.OK, "ok")
            case "/readyz":
                return self._readiness()
            case "/metrics":
                return Response(200, self._metrics.exposition(), self._metrics.content_type)
            case _:
                return text(HTTPStatus.NOT_FOUND, "there is /mutate, /validate, /healthz, /readyz and /metrics")

    def _readiness(self) -> Response:
        if self.draining:
            return text(HTTPStatus.SERVICE_UNAVAILABLE, "ending")
        if not self._knowledge.ready:
            return text(HTTPStatus.SERVICE_UNAVAILABLE, "not all objects have been read yet")
        return text(HTTPStatus.OK, "ok")

    def _review(self, http: Request, path: str) -> Response | Awaitable[Response]:
        if http.method != "POST":
            return text(HTTPStatus.METHOD_NOT_ALLOWED, "use POST")
        if http.content_type.partition(";")[0].strip().lower() != "application/json":
            return text(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "use application/json")
        if not self._knowledge.ready:
            # Nothing is known yet, so everything would look missing: failurePolicy Ignore goes on without us.
            return text(HTTPStatus.SERVICE_UNAVAILABLE, "not all objects have been read yet")
        try:
            request = read_request(http.body)
            decision = self._decide(request, path)
        except MalformedReviewError as error:
            self._metrics.malformed()
            return text(HTTPStatus.BAD_REQUEST, str(error))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            # The API server sends objects that fit their schema; this one does not. Its content stays out of the log.
            self._metrics.malformed()
            _log.warning("an object of no known form was sent", extra={"error": type(error).__name__})
            return text(HTTPStatus.BAD_REQUEST, "the object in .request does not have the form of its kind")
        if decision.break_glass:
            return self._break_glass(request, decision, path)
        return self._answer(request, decision, path)

    def _decide(self, request: Object, path: str) -> Decision:
        now = self._now()
        view = self._knowledge.view
        if (request.get("kind") or {}).get("group") == GROUP:
            return review_resource(request, view, self._knowledge.context, now.date())
        decision = review_workload(request, view, now)
        return self._patched(decision, request) if path == MUTATE else decision

    def _patched(self, decision: Decision, request: Object) -> Decision:
        return with_user_noted(with_sidecar(decision, request, self._knowledge, self._injection), request)

    async def _break_glass(self, request: Object, decision: Decision, path: str) -> Response:
        user = request.get("userInfo") or {}
        if await self._access.may_bypass(user, request.get("namespace", "")):
            name = str(user.get("username", ""))
            _log.warning("the gate was passed by break-glass", extra={"user": name, "uid": request["uid"]})
            decision = passed_by_break_glass(decision, name)
            if path == MUTATE:
                decision = self._patched(decision, request)
        return self._answer(request, decision, path)

    def _answer(self, request: Object, decision: Decision, path: str) -> Response:
        self._metrics.reviewed(path, decision.allowed)
        return Response(200, write_response(request["uid"], decision))

"""Options that say what is injected: the webhook injects it, the controller tells the gate what is genuine."""

import json
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from importlib.resources.abc import Traversable
from typing import Any, TypeVar, cast

import click

from lawflow.identity.spiffe import check_trust_domain
from lawflow.inject.settings import Delivery, InjectionSettings, SidecarRelease
from lawflow.mesh.bootstrap import BootstrapSettings, Server, installed_servers
from lawflow.mesh.releases import KEPT, bootstrap_of, counted_versions
from lawflow.model.sidecar import SIGNER_NAME, USER_ID, Interception, RedirectBy
from lawflow.model.trust_bundle import SYSTEM_NAMESPACE

Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULT_IMAGES = tuple(f"lawflow/sidecar:{version}" for version in counted_versions())

_OPTIONS = (
    click.option(
        "--sidecar-image",
        "images",
        multiple=True,
        default=DEFAULT_IMAGES,
        show_default=True,
        envvar="LAWFLOW_SIDECAR_IMAGES",
        help="Image of the sidecar, as NAME:VERSION@DIGEST where possible. Repeat it for the two releases before.",
    ),
    click.option("--sidecar-uid", default=USER_ID, show_default=True, help="User id that the sidecar alone runs as."),
    click.option(
        "--delivery",
        type=click.Choice(["podCertificate", "secret"]),
        default="podCertificate",
        show_default=True,
        help="How certificates reach the sidecar.",
    ),
    click.option(
        "--interception",
        type=click.Choice(["explicit", "redirect"]),
        default="explicit",
        show_default=True,
        help="How an app's traffic reaches the sidecar.",
    ),
    click.option(
        "--redirect-by",
        type=click.Choice(["cni", "initContainer"]),
        default="cni",
        show_default=True,
        help="Who puts the rules of interception redirect into a pod's network.",
    ),
    click.option("--signer-name", default=SIGNER_NAME, show_default=True, help="Signer of pod certificates."),
    click.option("--trust-domain", default="cluster.local", show_default=True, help="Trust domain of SPIFFE ids."),
    click.option(
        "--xds",
        "xds_address",
        help="HOST:PORT of the configuration server [default: lawflow-xds.NAMESPACE.svc:18000].",
    ),
    click.option(
        "--standby",
        "standby_address",
        help="HOST:PORT of the server that stands by for it [default: lawflow-standby.NAMESPACE.svc:18000].",
    ),
)


def injection_options(command: Command, own_namespace: str = "--namespace") -> Command:
    """Add the options; the command gets them as ``injection: InjectionSettings`` and ``namespace: str``.

    ``own_namespace`` is what the option for Lawflow's own namespace is called.
    """

    @wraps(command)
    def with_settings(
        *arguments: Any,
        images: tuple[str, ...],
        sidecar_uid: int,
        delivery: Delivery,
        interception: Interception,
        redirect_by: RedirectBy,
        signer_name: str,
        trust_domain: str,
        own_namespace: str,
        xds_address: str | None,
        standby_address: str | None,
        **rest: Any,
    ) -> Any:
        servers = bootstrap_settings(trust_domain, own_namespace, xds_address, standby_address)
        current, *previous = sidecar_releases(images, servers)
        injection = InjectionSettings(
            current,
            tuple(previous),
            interception=interception,
            redirect_by=redirect_by,
            delivery=delivery,
            signer_name=signer_name,
            user_id=sidecar_uid,
        )
        return command(*arguments, injection=injection, namespace=own_namespace, **rest)

    decorated: Any = with_settings
    namespace_option = click.option(
        own_namespace, "own_namespace", default=SYSTEM_NAMESPACE, show_default=True, help="Lawflow's own namespace.",
        envvar="LAWFLOW_NAMESPACE",
    )  # fmt: skip
    for option in (namespace_option, *reversed(_OPTIONS)):
        decorated = option(decorated)
    return cast("Command", decorated)


def bootstrap_settings(
    trust_domain: str, namespace: str, xds_address: str | None = None, standby_address: str | None = None
) -> BootstrapSettings:
    """What sidecars of an installation are started with; addresses are HOST:PORT, those of the Services by default.

    Raises SpiffeIdError for a malformed trust domain.
    """
    check_trust_domain(trust_domain)
    given = ("--xds", xds_address), ("--standby", standby_address)
    return BootstrapSettings(
        tuple(
            Server(*host_and_port(option, address), server.spiffe_id) if address else server
            for server, (option, address) in zip(installed_servers(trust_domain, namespace), given, strict=True)
        )
    )


def host_and_port(option: str, address: str) -> tuple[str, int]:
    """HOST:PORT in its parts, as given by an option. Raises click.UsageError for anything else."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit():
        raise click.UsageError(f"{option} {address!r} is not HOST:PORT")
    return host, int(port)


def sidecar_releases(
    images: Sequence[str], settings: BootstrapSettings, kept: Traversable = KEPT
) -> Iterator[SidecarRelease]:
    """The releases that the images are of, each with the bootstrap that it was released with.

    An image says by its tag which release it is. With another tag, or by digest alone, the first image is taken for
    the present release, and a later one may have been started with the bootstrap of any.
    """
    known = counted_versions(kept)
    for position, image in enumerate(images):
        version = _version(image)
        candidates = (version,) if version in known else known if position else known[:1]
        for candidate in candidates:
            yield SidecarRelease(version, image, json.dumps(bootstrap_of(candidate, settings, kept), sort_keys=True))


def _version(image: str) -> str:
    """The tag of an image, or the end of its digest: at most the 63 characters of a label."""
    name, _, digest = image.partition("@")
    _, _, tag = name.rpartition("/")[2].partition(":")
    return tag or digest[-12:] or "latest"

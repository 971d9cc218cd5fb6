"""A port outside the cluster, as policies name it. The mesh does not route to such ports yet."""

from dataclasses import dataclass

from lawflow.mesh.sidecar import MeshSettings, Passage, PeerPort, Rule, source_of


@dataclass(frozen=True)
class ExternalPort(PeerPort):
    """A port of a host outside the cluster; nobody behind it has a SPIFFE id."""

    @property
    def name(self) -> str:
        """HOST:PORT."""
        _, host, port = self.service
        return f"{host}:{port}"


def external_port(passage: Passage, settings: MeshSettings) -> ExternalPort:
    """The port that a flow to an external destination leads to, with that flow alone."""
    flow = passage.flow.flow
    external = flow.spec.destination.external
    assert external is not None, "only flows to external destinations lead out"
    rule = Rule(
        f"{passage.flow.namespace}/{flow.metadata.name}",
        source_of(passage.flow).spiffe_id(settings.trust_domain),
        flow.spec.operations,
        tuple(each.purpose for each in flow.spec.purposes),
        passage.closed,
        passage.not_after,
    )
    return ExternalPort(("", external.host, external.port), "http", "", (rule,))

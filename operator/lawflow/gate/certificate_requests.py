"""Refuses requests for certificates of our signer from anybody but a kubelet.

The signer checks that the pod is alive and holds the genuine sidecar, but not who asks: with somebody else's key in the
request, the certificate would be theirs. The API server holds kubelets to the pods of their own node. RBAC lets only
nodes ask by default; a wide role (``*`` on all resources) would let everybody.
"""

from lawflow.gate import cel
from lawflow.gate.policy import Policy, Validation, rule
from lawflow.gate.settings import GateSettings
from lawflow.model.kinds import POD_CERTIFICATE_REQUEST


def policy(settings: GateSettings) -> Policy:
    """The policy over PodCertificateRequests in every namespace."""
    return Policy(
        "lawflow-certificate-requests",
        rules=[rule(POD_CERTIFICATE_REQUEST.group, [POD_CERTIFICATE_REQUEST.plural], "CREATE")],
        conditions={"asks-our-signer": f"object.spec.signerName == {cel.text(settings.signer_name)}"},
        validations=[
            Validation(
                'request.userInfo.username.startsWith("system:node:")',
                cel.text(f"only a kubelet asks {settings.signer_name} for a certificate, for the sidecar of its pod"),
            )
        ],
    )

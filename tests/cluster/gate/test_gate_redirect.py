"""Mode redirect at the gate: who captures a pod's connections is Lawflow's own container, and every such pod has it."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.support.gated_shop import LAWFUL, Shop
from tests.support.injected_pods import injected

from lawflow.model import labels
from lawflow.model import sidecar as contract
from lawflow.model.sidecar import RedirectBy

pytestmark = pytest.mark.cluster

Object = dict[str, Any]
ISOLATION = "lawflow-sidecar-isolation"
GENUINE = "lawflow-sidecar-genuine"


def redirected(shop: Shop, redirect_by: RedirectBy = "cni") -> Object:
    return injected(shop.pod(LAWFUL), "redirect", redirect_by)


def first(pod: Object) -> Object:
    found: Object = pod["spec"]["initContainers"][0]
    assert found["name"] == contract.NETWORK_CONTAINER
    return found


@pytest.mark.parametrize("redirect_by", ["cni", "initContainer"])
def test_a_pod_whose_rules_lawflow_sees_to_is_let_in(shop: Shop, redirect_by: RedirectBy) -> None:
    assert shop.refusal(redirected(shop, redirect_by), "--dry-run=server") == ""


def without_it(pod: Object) -> None:
    pod["spec"]["initContainers"].remove(first(pod))


def another_image(pod: Object) -> None:
    first(pod)["image"] = "evil/network:1"


def another_command(pod: Object) -> None:
    first(pod)["command"] = ["/bin/true"]


def another_user_to_let_pass(pod: Object) -> None:
    first(pod)["args"] = ["check", "--sidecar-user=1000"]


def the_sidecars_user(pod: Object) -> None:
    first(pod)["securityContext"]["runAsUser"] = contract.USER_ID


def root(pod: Object) -> None:
    first(pod)["securityContext"] |= {"runAsUser": 0, "runAsNonRoot": False}


def a_capability(pod: Object) -> None:
    first(pod)["securityContext"]["capabilities"] = {"add": ["SYS_ADMIN"]}


def a_preloaded_library(pod: Object) -> None:
    first(pod)["env"] = [{"name": "LD_PRELOAD", "value": "/evil.so"}]


def a_mount_over_the_program(pod: Object) -> None:
    pod["spec"]["volumes"].append({"name": "mine", "emptyDir": {}})
    first(pod)["volumeMounts"] = [{"name": "mine", "mountPath": "/usr/local/bin"}]


def something_before_it(pod: Object) -> None:
    pod["spec"]["initContainers"].insert(0, {"name": "early", "image": "busybox"})


def its_name_elsewhere(pod: Object) -> None:
    pod["spec"]["containers"][0]["name"] = contract.NETWORK_CONTAINER
    without_it(pod)


@pytest.mark.parametrize(
    "change",
    [
        without_it,
        another_image,
        another_command,
        another_user_to_let_pass,
        the_sidecars_user,
        root,
        a_capability,
        a_preloaded_library,
        a_mount_over_the_program,
        something_before_it,
        its_name_elsewhere,
    ],
)
def test_any_other_is_refused(shop: Shop, change: Callable[[Object], None]) -> None:
    forged = redirected(shop)
    change(forged)
    told = shop.refusal(forged, "--dry-run=server")
    # Two policies may refuse, and the API server tells of the one that it asked first.
    assert GENUINE in told or (change is the_sidecars_user and ISOLATION in told)


def test_more_than_the_one_capability_is_refused_for_the_one_that_puts_rules_there(shop: Shop) -> None:
    forged = redirected(shop, "initContainer")
    first(forged)["securityContext"]["capabilities"]["add"] = ["NET_ADMIN", "SYS_ADMIN"]
    assert GENUINE in shop.refusal(forged, "--dry-run=server")


def test_a_pod_of_the_other_mode_has_no_such_container(shop: Shop) -> None:
    forged = redirected(shop)
    forged["metadata"]["annotations"][labels.INTERCEPTION] = "explicit"
    assert GENUINE in shop.refusal(forged, "--dry-run=server")


def test_a_running_pods_mode_stays_as_it_is(shop: Shop) -> None:
    shop.cluster.create(injected(shop.pod(LAWFUL)))
    done = shop.cluster.kubectl(
        *("annotate", "pod", "lawful-pod", "-n", shop.name, "--overwrite", f"{labels.INTERCEPTION}=redirect"),
        check=False,
    )
    assert GENUINE in done.stderr
    shop.kubectl("annotate", "pod/lawful-pod", "team=orders")

"""Says in the name of a wheel which platform it is for, once it carries what was built from ``sidecar/``."""

import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WheelTag(BuildHookInterface):  # type: ignore[type-arg]
    """Called by hatchling; see ``[tool.hatch.build.targets.wheel.hooks.custom]``."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name the platform. The modules keep to the stable ABI of CPython 3.11, so that no version is named."""
        built = list(Path(self.root, "operator", "lawflow", "native").glob("*.so"))
        if built and version != "editable":
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data["pure_python"] = False
            build_data["tag"] = f"cp311-abi3-{platform}"

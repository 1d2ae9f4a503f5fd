"""Ray Train's process group, over the network on which the cluster knows each machine (l9/train/interface.py)."""

from typing import Any

from ray.train.torch import TorchConfig

from l9.train.interface import use_network_of


def _use_cluster_network() -> None:
    from ray.util import get_node_ip_address

    use_network_of(get_node_ip_address())


class ClusterNetworkBackend(TorchConfig().backend_cls):  # type: ignore[misc]
    """Ray's own start of a process group, after each rank knows its network."""

    def on_start(self, worker_group: Any, backend_config: Any) -> None:
        """Called by Ray Train when all ranks are there."""
        worker_group.execute(_use_cluster_network)
        super().on_start(worker_group, backend_config)


class ClusterTorchConfig(TorchConfig):
    """`TorchConfig` with the network chosen first."""

    @property
    def backend_cls(self) -> type:
        """What starts the process group."""
        return ClusterNetworkBackend

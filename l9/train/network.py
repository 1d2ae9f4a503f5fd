"""Which of a machine's networks the ranks of a training talk over: the one on which the cluster knows the machine.

Gloo and NCCL ask the machine for an address of its own name, which on many is 127.0.1.1 or the address of another network; then ranks on
two machines never meet ("Connection refused, remote=[127.0.0.1]").
"""

import os
from typing import Any

import psutil
from ray.train.torch import TorchConfig

VARIABLES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")


def interface_of(address: str) -> str | None:
    """The name of the interface that has this address; None where none has."""
    for name, addresses in psutil.net_if_addrs().items():
        if any(one.address == address for one in addresses):
            return name
    return None


def use_network_of(address: str) -> None:
    """Have ranks of this process talk over the interface with this address, unless the environment says which."""
    name = interface_of(address)
    if name is not None:
        for variable in VARIABLES:
            os.environ.setdefault(variable, name)


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

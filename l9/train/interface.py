"""Which of a machine's networks its processes talk to other machines over: the one on which the cluster knows the machine.

Gloo and NCCL ask the machine for an address of its own name, which on many is 127.0.1.1 or the address of another network; then ranks on
two machines never meet ("Connection refused, remote=[127.0.0.1]").
"""

import os

import psutil

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

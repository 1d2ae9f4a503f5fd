"""Ranks talk over the network on which the cluster knows the machine."""

import os

import psutil

from l9.train.interface import interface_of, use_network_of


def test_the_interface_of_an_address():
    for name, addresses in psutil.net_if_addrs().items():
        for one in addresses:
            if one.family.name == "AF_INET":
                assert interface_of(one.address) == name
    assert interface_of("203.0.113.77") is None


def test_what_the_environment_says_stays(monkeypatch):
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "mine0")
    monkeypatch.delenv("NCCL_SOCKET_IFNAME", raising=False)
    use_network_of("127.0.0.1")

    assert os.environ["GLOO_SOCKET_IFNAME"] == "mine0" and os.environ["NCCL_SOCKET_IFNAME"] == interface_of("127.0.0.1")
    monkeypatch.delenv("NCCL_SOCKET_IFNAME")
    use_network_of("203.0.113.77")
    assert "NCCL_SOCKET_IFNAME" not in os.environ

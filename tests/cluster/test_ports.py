"""Clusters can stand side by side, whoever starts them."""

from pathlib import Path

import pytest
from tests.cluster.base import FIRST_PORT, NODE_LETTERS, PORTS_EACH, SSH_PORTS
from tests.cluster.slurm import Slurm

EPHEMERAL = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("utf-8").split()[0])


def slurm(name: str) -> Slurm:
    return Slurm(Path(name))


def test_no_two_clusters_share_a_port_or_the_name_of_a_node() -> None:
    ports = [slurm(name).base_port for name in NODE_LETTERS]
    nodes = [node for name in NODE_LETTERS for node in slurm(name).nodes]
    assert (len({*ports}), len({*nodes})) == (len(ports), len(nodes))


@pytest.mark.parametrize("name", NODE_LETTERS)
def test_the_ports_of_a_cluster_end_before_those_of_the_next(name: str) -> None:
    made = slurm(name)
    own = [made.sql_port, made.controller_port, made.dbd_port, made.node_port + made.node_count]
    assert all(made.base_port <= port < made.base_port + PORTS_EACH for port in own)


def test_the_kernel_gives_none_of_them_to_somebody_else() -> None:
    assert FIRST_PORT + PORTS_EACH * len(NODE_LETTERS) <= SSH_PORTS.start < SSH_PORTS.stop <= EPHEMERAL

"""A host that the system's own `ssh` reaches: everything rides on one connection, which a person opens."""

from penstock.transports.ssh.transport import SshTransport

__all__ = ["SshTransport"]

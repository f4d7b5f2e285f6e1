"""Certificates from a private authority."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme


class Authority:
    """A certificate authority; the context `knowing` trusts it."""

    def __init__(self) -> None:
        self._ca = trustme.CA()
        self.knowing = ssl.create_default_context()
        self._ca.configure_trust(self.knowing)

    def write(self, folder: Path) -> tuple[Path, Path, Path]:
        """Write the authority's certificate, a server's, and the server's key; return their paths."""
        issued = self._ca.issue_cert("127.0.0.1")
        paths = folder / "ca.pem", folder / "server.pem", folder / "server.key"
        self._ca.cert_pem.write_to_path(str(paths[0]))
        issued.private_key_pem.write_to_path(str(paths[2]))
        for place, blob in enumerate(issued.cert_chain_pems):
            blob.write_to_path(str(paths[1]), append=place > 0)
        return paths

    def certificate(self, name: str = "127.0.0.1", *, expired: bool = False) -> ssl.SSLContext:
        """Return a server's context for a host name or address."""
        past = {"not_after": datetime.now(UTC) - timedelta(days=1)} if expired else {}
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(name, **past).configure_cert(context)
        return context

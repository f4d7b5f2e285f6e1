"""nginx before a server, as people put it there: with a path, with or without websockets, with a login, with TLS."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.apt import apt_install
from tests.support.servers import free_port

_CONFIGURATION = """
{user}
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} {ssl};
        location {path} {{
            proxy_pass {target}/;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            {more}
        }}
    }}
}}
"""
_UPGRADE = 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";'


class NoNginxError(Exception):
    """There is no nginx, and it could not be installed."""


def install_nginx() -> str:
    """Return the path of nginx, installing it first if necessary.

    Raises:
        NoNginxError: it could not be installed.
    """
    search = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    tried: list[str] = []
    for install in (list, lambda: apt_install("nginx-light")):
        tried += install()
        if found := shutil.which("nginx", path=search):
            return found
    raise NoNginxError(
        f"Some tests need nginx, and it could not be installed (tried: {'; '.join(tried) or 'nothing'})."
    )


@contextmanager
def behind_nginx(
    target: str,
    folder: Path,
    *,
    path: str = "/",
    upgrade: bool = True,
    login: tuple[str, str] | None = None,
    certificate: tuple[Path, Path] | None = None,
) -> Iterator[str]:
    """Run nginx before a server; yield its address, with the path and without a login.

    Args:
        target: the server's address.
        folder: for nginx's own files.
        path: where the server is, such as "/invoke/".
        upgrade: whether websockets pass.
        login: user and password that are asked for.
        certificate: the files of a certificate and its key; the address is https.
    """
    port = free_port()
    more = _UPGRADE if upgrade else ""
    if login is not None:
        (folder / "users").write_text(f"{login[0]}:{{PLAIN}}{login[1]}\n")
        more += f' auth_basic "InvokeAI"; auth_basic_user_file {folder}/users;'
    ssl = ""
    if certificate is not None:
        ssl = f"ssl; ssl_certificate {certificate[0]}; ssl_certificate_key {certificate[1]}"
    user = "user root;" if hasattr(os, "geteuid") and os.geteuid() == 0 else ""
    configuration = folder / "nginx.conf"
    configuration.write_text(
        _CONFIGURATION.format(user=user, folder=folder, port=port, ssl=ssl, path=path, target=target, more=more)
    )
    process = subprocess.Popen(
        [install_nginx(), "-p", str(folder), "-c", str(configuration), "-e", str(folder / "error.log")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )
    try:
        _wait_until_it_listens(process, port, folder / "error.log")
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{port}{path}"
    finally:
        process.terminate()
        process.wait(10)


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise NoNginxError(f"nginx did not start: {log.read_text() if log.exists() else process.poll()}")

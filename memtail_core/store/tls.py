"""TLS to a store and to Redis: whom this machine trusts, and what is wrong when it fails."""

import socket
import ssl
from pathlib import Path

from memtail_core.errors import StudyError, causes

_PATIENCE = 2.0  # seconds for a server to begin a handshake
_ANOTHER_NAME = {62, 64}  # OpenSSL's codes: another host name, another IP address
_UNTRUSTED = {18, 19, 20, 21}  # signed by itself, or by an unknown authority
_TOO_LATE = 10
_BEGINNINGS = (b"+", b"-", b"H")  # of Redis' answers, and of HTTP's
_TRUST = "set MEMTAIL_CA_FILE to the certificate of the authority that signed it"


def trusted(file: Path | None) -> str | None:
    """The file of the certificates to trust, a setting, checked; None: those of this system.

    Raises:
        StudyError: there are none in it.
    """
    if file is None:
        return None
    try:
        ssl.create_default_context(cafile=str(file.expanduser()))
    except (OSError, ssl.SSLError) as error:
        is_read = isinstance(error, ssl.SSLError)
        reason = "it holds no certificate in PEM" if is_read else error.strerror
        raise StudyError(f"MEMTAIL_CA_FILE = {file} cannot be read: {reason}") from error
    return str(file.expanduser())


def is_refused(error: BaseException) -> bool:
    """Whether the server's certificate was refused: trying again would not change that."""
    return any(isinstance(each, ssl.SSLCertVerificationError) for each in causes(error))


def fault(error: BaseException, host: str, port: int, plain: str, encrypted: str) -> str | None:
    """What is wrong with the encryption of a failed connection, and what mends it.

    Args:
        error: what was raised.
        host, port: of the server.
        plain, encrypted: what an address begins with, ``http`` and ``https``.

    Returns:
        A phrase about the server; None if encryption is not what is wrong.
    """
    for each in causes(error):
        if isinstance(each, ssl.SSLCertVerificationError):
            return _of_certificate(each, host)
    if _answers_in_plain(host, port):
        return f"it does not encrypt: write {plain}:// instead of {encrypted}://"
    return None


def expects_tls(host: str, port: int, plain: str, encrypted: str) -> str | None:
    """A phrase about a server that was spoken to in plain and encrypts; None if it does not."""
    if _encrypts(host, port):
        return f"it expects encrypted connections: write {encrypted}:// instead of {plain}://"
    return None


def _of_certificate(error: ssl.SSLCertVerificationError, host: str) -> str:
    if error.verify_code in _ANOTHER_NAME:
        return (
            f"its certificate is not for the name '{host}': use the name that it is for, or give "
            "the server a certificate for this one"
        )
    if error.verify_code in _UNTRUSTED:
        return f"this machine does not trust its certificate: {_TRUST}"
    if error.verify_code == _TOO_LATE:
        return "its certificate has expired: give the server a new one"
    return f"its certificate is refused ({error.verify_message})"


def _encrypts(host: str, port: int) -> bool:
    """Whether a server answers a handshake, whatever its certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), timeout=_PATIENCE) as connection,
            context.wrap_socket(connection, server_hostname=host),
        ):
            return True
    except (OSError, ValueError):  # ssl's errors are OSErrors
        return False


def _answers_in_plain(host: str, port: int) -> bool:
    """Whether a server answers a line of text with text, as Redis and HTTP do."""
    try:
        with socket.create_connection((host, port), timeout=_PATIENCE) as connection:
            connection.sendall(b"PING\r\n\r\n")
            return connection.recv(1) in _BEGINNINGS
    except OSError:
        return False

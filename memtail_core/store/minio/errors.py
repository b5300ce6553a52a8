"""Failures of a bucket's server: which are temporary, and what to tell the user."""

import re
import socket
from urllib.parse import urlsplit
from xml.etree.ElementTree import ParseError

from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)

from memtail_core.errors import StoreError, causes
from memtail_core.settings import ambiguity
from memtail_core.store import tls

_CUT = (HTTPError, OSError, ParseError)  # no answer, or an answer that was cut
FAILURES = (MinioException, *_CUT)
MISSING = frozenset({"NoSuchKey", "NoSuchBucket"})

_PASSING_STATUS = frozenset({429, 500, 502, 503, 504})
_PASSING_CODE = frozenset(
    {
        "RequestTimeout",  # the body came too slowly
        "IncompleteBody",  # the body was cut
        "ConditionalRequestConflict",  # another client is writing the object
        "OperationAborted",  # another client is making the bucket
        "InvalidPart",  # of several parts: an answer was cut before it named the part
        "NoSuchUpload",  # of several parts: the answer to an earlier attempt was lost
        "PreconditionFailed",  # the object was replaced while it was read
    }
)
_CORRUPT = re.compile(r"corrupt|CRC mismatch|msgp")


class NoByteError(ProtocolError):
    """An object was announced and nothing of it came."""


def code(error: Exception) -> str:
    """The error code of S3, or ``HTTP 502`` where there is none, or nothing: no answer came."""
    if isinstance(error, S3Error):
        headers = error.response.headers if error.response is not None else {}
        return headers.get("x-minio-error-code") or error.code or ""  # an answer to HEAD: no body
    if isinstance(error, InvalidResponseError):  # from a server that says text/xml, as rclone's
        said = re.search(r"<Code>(\w+)</Code>", str(error))
        return said[1] if said else f"HTTP {status(error)}"
    return f"HTTP {status(error)}" if isinstance(error, ServerError) else ""


def status(error: Exception) -> int:
    """The HTTP status, 0 if no answer came."""
    if isinstance(error, S3Error):
        return error.response.status if error.response is not None else 0
    if isinstance(error, ServerError):
        return error.status_code
    said = re.search(r"Response code: (\d+)", str(error))
    return int(said[1]) if isinstance(error, InvalidResponseError) and said else 0


def is_passing(error: Exception) -> bool:
    """Return whether the same request may succeed later."""
    if isinstance(error, _CUT):
        return not tls.is_refused(error)
    return status(error) in _PASSING_STATUS or code(error) in _PASSING_CODE


def is_unreadable(error: Exception) -> bool:
    """Return whether the server may have the object without being able to read it.

    MinIO finds rotten bytes itself. It then says ``SlowDownRead``, as if it were busy, or if it has
    begun to send the object, ends the connection, and again before the first byte from there on.
    """
    return code(error) == "SlowDownRead" or isinstance(error, NoByteError)


def is_corrupt(error: Exception) -> bool:
    """Return whether the server's own record of the object is damaged: nothing works with it."""
    return code(error) == "InternalError" and bool(_CORRUPT.search(str(error)))


_KEY = "check MEMTAIL_S3_ACCESS_KEY and MEMTAIL_S3_SECRET_KEY"
_REFUSED = f"the server {{host}} of the store '{{store}}' does not accept the key: {_KEY}"
_FORBIDDEN = (
    "the key may not {what} in the bucket of the store '{store}': give it the right to, "
    f"or {_KEY}"
)
_SKEWED = (
    "the clocks of this machine and of the server {host} of the store '{store}' are more than 15 "
    "minutes apart: set them right"
)
_ELSEWHERE = "the bucket of the store '{store}' is in another region: set MEMTAIL_S3_REGION"
_FULL = (
    "the disk of the store '{store}' is full (could not {what}): make room and run the same "
    "command again; what is stored is safe"
)
_SENTENCES = {
    "InvalidAccessKeyId": _REFUSED,
    "SignatureDoesNotMatch": _REFUSED,
    "AccessDenied": _FORBIDDEN,
    "AllAccessDisabled": _FORBIDDEN,
    "RequestTimeTooSkewed": _SKEWED,
    "AuthorizationHeaderMalformed": _ELSEWHERE,
    "PermanentRedirect": _ELSEWHERE,
    "InvalidRegion": _ELSEWHERE,
    "XMinioStorageFull": _FULL,
    "XMinioAdminBucketQuotaExceeded": _FULL,
}
_AWAY = (
    "cannot reach the store '{store}' at {host}: {reason}: is the server up? "
    "MEMTAIL_S3_ENDPOINT says where it is looked for"
)
_CORRUPTED = (
    "cannot {what} in the store '{store}': the server {host} finds its own files of the object "
    "corrupted: remove the object's folder where the server keeps its data"
)
_OTHER = "cannot {what} in the store '{store}': the server {host} answers {reason}"


_ENCRYPTION = (
    "cannot talk to the server {host} of the store '{store}': {reason} (MEMTAIL_S3_ENDPOINT)"
)


def explained(error: Exception, store: str, endpoint: str, what: str) -> StoreError:
    """One sentence: what failed, why, and what the user can do."""
    host = urlsplit(endpoint).netloc
    reason = code(error) or "nonsense"
    if encryption := _fault_of_encryption(error, endpoint):
        sentence, reason = _ENCRYPTION, encryption
    elif isinstance(error, _CUT):
        sentence, reason = _AWAY, _reason(error)
    elif is_corrupt(error):
        sentence = _CORRUPTED
    else:
        sentence = _SENTENCES.get(reason, _OTHER)
        if isinstance(error, S3Error) and error.message:
            reason += f": {error.message}"
    text = sentence.format(store=store, host=host, what=what, reason=reason)
    ambiguous = ambiguity("MEMTAIL_S3_SECRET_KEY") if sentence == _REFUSED else None
    return StoreError(f"{text}; {ambiguous}" if ambiguous else text)


def _fault_of_encryption(error: Exception, endpoint: str) -> str | None:
    url = urlsplit(endpoint)
    is_encrypted = url.scheme == "https"
    name, port = url.hostname or "", url.port or (443 if is_encrypted else 80)
    if is_encrypted:
        return tls.fault(error, name, port, "http", "https")
    # A server that expects TLS cuts the connection, or answers 400 to what it does not understand.
    is_cut = isinstance(error, ProtocolError | ConnectionError)
    if is_cut or (isinstance(error, InvalidResponseError) and status(error) == 400):
        return tls.expects_tls(name, port, "http", "https")
    return None


def _reason(error: Exception) -> str:
    """The innermost cause, without the names of Python's objects."""
    if isinstance(error, NameResolutionError):
        return "there is no machine of that name"
    if isinstance(error, (ConnectTimeoutError, ReadTimeoutError, TimeoutError)) and not isinstance(
        error, NewConnectionError
    ):
        return "no answer in time"
    if isinstance(error, SSLError):
        return f"no encrypted connection ({error})"
    for each in causes(error):
        if isinstance(each, OSError) and each.strerror and not isinstance(each, socket.gaierror):
            return each.strerror[0].lower() + each.strerror[1:]
    return "the connection was cut"

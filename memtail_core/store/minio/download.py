"""Read an object, and resume where the connection was cut."""

from minio import Minio
from urllib3.exceptions import HTTPError, ProtocolError

from memtail_core.store.minio.errors import FAILURES, NoByteError, code

DIGEST = "x-amz-meta-sha256"

_PIECE = 1 << 16


class Download:
    """The part of one object received so far. Call it until it succeeds."""

    def __init__(self, client: Minio, bucket: str, name: str) -> None:
        self._client, self._bucket, self._name = client, bucket, name
        self._got = bytearray()
        self._tag = ""

    def __call__(self) -> tuple[bytes, str | None]:
        """Return the content and the digest that is kept with it.

        If the object was replaced in the meantime, the download starts anew.
        """
        try:
            response = self._client.get_object(
                self._bucket,
                self._name,
                offset=len(self._got),
                request_headers={"If-Match": self._tag} if self._got else {},
            )
        except FAILURES as error:
            if code(error) == "PreconditionFailed":
                self._got.clear()
            raise
        if response.status != 206:
            self._got.clear()
        had = len(self._got)
        try:
            if "content-length" not in response.headers:
                raise ProtocolError("the answer was cut before its length was known")
            self._tag = response.headers.get("etag", "")
            while piece := response.read(_PIECE):
                self._got.extend(piece)
        except HTTPError as error:
            if len(self._got) == had:
                raise NoByteError(str(error)) from error
            raise
        finally:
            response.close()
            response.release_conn()
        return bytes(self._got), response.headers.get(DIGEST)

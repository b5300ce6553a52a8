"""Put an object only where there is none: a request of S3 that the MinIO client lacks."""

import hashlib
from dataclasses import dataclass
from urllib.parse import urlsplit

import urllib3
from minio.credentials.credentials import Credentials
from minio.error import InvalidResponseError
from minio.signer import sign_v4_s3
from minio.time import to_amz_date, utcnow


@dataclass(frozen=True)
class Signer:
    """The connection, address and credentials that sign a request."""

    pool: urllib3.PoolManager
    endpoint: str
    region: str
    credentials: Credentials

    def put_if_none(self, bucket: str, name: str, content: bytes, token: str) -> bool:
        """Return whether the object was stored; False if the server has one under the name.

        ``token`` is kept with the object to recognize it.
        """
        url = urlsplit(f"{self.endpoint}/{bucket}/{name}")
        digest, now = hashlib.sha256(content).hexdigest(), utcnow()
        headers = sign_v4_s3(
            method="PUT",
            url=url,
            region=self.region,
            headers={
                "Host": url.netloc,
                "If-None-Match": "*",
                "Content-Type": "application/octet-stream",
                "x-amz-content-sha256": digest,
                "x-amz-date": to_amz_date(now),
                "x-amz-meta-sha256": digest,
                "x-amz-meta-token": token,
            },
            credentials=self.credentials,
            content_sha256=digest,
            date=now,
        )
        plain = {key: str(value) for key, value in headers.items()}
        answer = self.pool.request("PUT", url.geturl(), body=content, headers=plain)
        if answer.status not in (200, 412):
            kind = answer.headers.get("content-type")
            raise InvalidResponseError(answer.status, kind, answer.data.decode(errors="replace"))
        return answer.status == 200

"""One server of each kind for all the tests of a process."""

from collections.abc import Iterator

import pytest

from tests.servers import S3Server, rclone_server, s3_server


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture(scope="session")
def rclone() -> Iterator[S3Server]:
    with rclone_server() as server:
        yield server

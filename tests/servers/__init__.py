"""Real servers for the tests, found on this machine or fetched: S3, Redis, proxies; a browser."""

from tests.servers.chromium import chromium
from tests.servers.proxies import caddy, nginx
from tests.servers.redis import RedisServer, redis_server
from tests.servers.s3 import S3Server, rclone_server, s3_server

__all__ = [
    "RedisServer",
    "S3Server",
    "caddy",
    "chromium",
    "nginx",
    "rclone_server",
    "redis_server",
    "s3_server",
]

"""``python -m tests.servers``: fetch what is missing, once, before tests run side by side."""

import shutil

from tests.servers import chromium, redis_server, s3_server
from tests.servers.fetching import unpacked_caddy, unpacked_nginx

with s3_server() as s3:
    print(f"S3 for the tests: {s3.kind}, {s3.origin}")
with redis_server() as redis:
    print(f"Redis for the tests: {redis.origin}")
for name, unpacked in (("nginx", unpacked_nginx), ("caddy", unpacked_caddy)):
    print(f"{name} for the tests: {shutil.which(name) or unpacked()}")
print(f"Chromium for the tests: {chromium() or 'none: the tests that need it are skipped'}")

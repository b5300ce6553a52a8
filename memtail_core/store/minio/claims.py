"""Let one of many clients add an object on a server without conditional puts.

Each client puts a claim beside the object's name and lists the claims. Of two clients that do, at
least one sees the other's claim; a client that sees another claim removes its own and tries again
after a random pause. A client that sees only its own is alone: it checks that there is no object,
puts it, and removes the claim.

A claim that stays for two minutes counts as left by a dead client and is removed. This is therefore
sound only if the client that is alone puts the object in that time, unlike a conditional put.
"""

import random
import time
import uuid
from collections.abc import Callable

from memtail_core.store.minio.bucket import Bucket

_DEAD = 120.0  # seconds after which a claim counts as left by a dead client
_PAUSE = 0.2


def add_by_claim(bucket: Bucket, folder: str, name: str, put: Callable[[], None]) -> bool:
    """Call ``put`` if there is no object of that name, alone among those with the same folder."""
    first_seen: dict[str, float] = {}
    pause = _PAUSE
    while bucket.metadata(name) is None:
        claim = f"{folder}{uuid.uuid4().hex}"
        started = time.monotonic()
        bucket.write(claim, b"")
        try:
            listed = {name for page in bucket.pages(folder) for name, _ in page.names}
            others = listed - {claim}
            if not others and time.monotonic() - started < _DEAD / 4:
                if bucket.metadata(name) is not None:
                    return False
                put()
                return True
        finally:
            bucket.remove(claim)
        for other in others:
            if time.monotonic() - first_seen.setdefault(other, time.monotonic()) > _DEAD:
                bucket.remove(other)
        time.sleep(random.uniform(0, pause))
        pause = min(2 * pause, 4.0)
    return False

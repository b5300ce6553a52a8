"""One of many adds an object on a server that knows no conditional put.

Each puts a claim beside the object's name and lists the claims. Of two who do, one at least sees
the other's; who sees another's takes the own back and tries again a random while later. So who sees
only the own is alone: looks whether the object is there, puts it, and takes the claim back.

A claim seen for two minutes counts as left by one who died and is removed, so this is sound as long
as who is alone has put the object by then: not quite what a conditional put is.
"""

import random
import time
import uuid
from collections.abc import Callable

from memtail_core.store.minio.bucket import Bucket

_DEAD = 120.0  # seconds for which one claim has to be seen to count as left by who died
_PAUSE = 0.2


def add_by_claim(bucket: Bucket, folder: str, name: str, put: Callable[[], None]) -> bool:
    """Call ``put`` if there is no object of that name, alone among those with the same folder."""
    seen: dict[str, float] = {}
    pause = _PAUSE
    while bucket.metadata(name) is None:
        claim = f"{folder}{uuid.uuid4().hex}"
        started = time.monotonic()
        bucket.write(claim, b"")
        try:
            others = set(bucket.names(folder, below=True)) - {claim}
            if not others and time.monotonic() - started < _DEAD / 4:
                if bucket.metadata(name) is not None:
                    return False
                put()
                return True
        finally:
            bucket.remove(claim)
        for other in others:
            if time.monotonic() - seen.setdefault(other, time.monotonic()) > _DEAD:
                bucket.remove(other)
        time.sleep(random.uniform(0, pause))
        pause = min(2 * pause, 4.0)
    return False

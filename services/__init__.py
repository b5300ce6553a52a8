"""What runs in containers: the workers, the aggregator and the dashboard of a cluster.

    memtail submit ──► store (study.json, order.json) ──► one task per missing shard ──► Redis
    worker         ◄── takes a task, trains its shard, puts it into the store
    aggregator         enqueues what got lost, publishes the report
    dashboard          shows all of it in a browser, and as an API

Everything here is thin: training, estimates and reports are in ``memtail_core``.

One shard's way through:

1. ``submission.submit`` registers the study, writes ``order.json``, and enqueues the shard
   (``queue.enqueue``): a message with the study's id, the trials [first, last) and the attempt.
2. A worker takes the message (``worker.task.train``) and takes the shard's lease in Redis
   (``leases``), which it renews until it is done. No other worker trains the shard meanwhile.
3. It reads the study and the order. If the shard is still wanted, it trains it and puts it into the
   store. Now the shard counts as stored: the listing of the store is the only truth about progress.
   The worker reports its pace, ends the lease, and acknowledges the message.
4. If anything fails, the worker records the attempt in the store (``catalogue.failures``), or in
   Redis if it does not reach the store (``unrecorded``), before it ends the lease.
5. The aggregator (``aggregator.reconciler``) compares the store, the leases and the queue every few
   seconds. It counts an attempt whose lease ran out, and enqueues what is missing and what nobody
   has: a failed shard later each time, and at most MEMTAIL_MOST_ATTEMPTS times.
6. The aggregator (``aggregator.publisher``) publishes provisional reports, and the final one when
   all shards are stored.

``status.StudyStatus`` is what all of them, and the commands, mean by the status of a study. Redis
may lose everything at any time: it holds hints, and a wrong hint costs a duplicate task at most.
"""

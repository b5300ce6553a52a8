"""The dashboard: web pages, a REST API and metrics for the studies of one store.

    monitor            a thread takes a ``Snapshot`` of the store and Redis every few seconds
    pages, templates/  render a snapshot; static/live.js replaces what has changed
    api/               the REST API: management, results, events
    metrics            ``/metrics`` for Prometheus and ``/healthz``
    app                puts them together, behind ``headers``, ``limits`` and ``access``

No request asks the store or Redis for the status of a study: all read the latest snapshot, so many
readers cost no more than one. What takes longer is made when it is asked for and then kept:
``detail`` (for the page of one study), ``reports`` (tables of a published report) and ``influence``
(of one example, from the stored trials).

Changes go the other way: ``access`` checks the token, ``admission`` what a client may have trained,
then ``services.submission`` writes the change to the store, and the monitor takes a new snapshot.
"""

"""REST below ``/api/v1``: a management API and a results API, as TorchServe splits them."""

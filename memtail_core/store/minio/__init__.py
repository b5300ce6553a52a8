"""Studies in a bucket of MinIO, or of another server that speaks S3."""

from memtail_core.store.minio.store import MinioStore

__all__ = ["MinioStore"]

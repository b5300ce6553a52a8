"""The pages; none yet."""

from fastapi import APIRouter

router = APIRouter()

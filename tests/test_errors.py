"""What an error comes from, whatever the chain of errors looks like."""

from urllib3.exceptions import ProtocolError

from memtail_core.errors import causes
from memtail_core.store.minio import errors
from memtail_core.training.memory import is_out_of_memory


def of_itself() -> ProtocolError:
    """An error whose chain leads back to it, through another."""
    error = ProtocolError("Connection broken", ConnectionResetError(104, "Connection reset"))
    error.__cause__ = ValueError("half an answer")
    error.__cause__.__context__ = error
    return error


def test_every_cause_is_there_once() -> None:
    error = of_itself()
    every = list(causes(error))
    assert every[0] is error
    assert {type(each) for each in every} == {ProtocolError, ValueError, ConnectionResetError}
    assert len(every) == 3
    assert list(causes(None)) == []


def test_a_chain_that_leads_back_to_itself_is_explained() -> None:
    said = errors.explained(of_itself(), "s3://runs", "http://127.0.0.1:9", "read k")
    assert "connection reset" in str(said)
    assert not is_out_of_memory(of_itself())

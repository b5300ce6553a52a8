import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memtail_core.estimation.influence.bits import Bits
from tests.estimation.influence.oracle import Bools, packed

SIZES = pytest.mark.parametrize(
    ("t", "n"), [(t, n) for t in (1, 7, 64, 65, 300) for n in (1, 9, 77)]
)


def tossed(t: int, n: int, seed: int = 0) -> Bools:
    return np.random.default_rng([seed, t, n]).random((t, n)) < 0.6


def bits_of(matrix: Bools) -> Bits:
    return Bits.of(packed(matrix), matrix.shape[1])


def unpacked(bits: Bits) -> Bools:
    """[trials, n] again, trials where they were: each is found by the only example it is in."""
    every = np.concatenate([bits.unpacked(w) for w in range(bits.words.shape[1])], axis=1)
    one_each = bits_of(np.eye(bits.trials, dtype=bool))
    places = np.concatenate([one_each.unpacked(w) for w in range(bits.words.shape[1])], axis=1)
    assert (places.sum(axis=1) == 1).all()
    place_of = places.argmax(axis=1)
    assert len(set(place_of.tolist())) == bits.trials
    assert not np.delete(every, place_of, axis=1).any(), "bits beyond the trials"
    found: Bools = every[:, place_of].T.astype(bool)
    return found


def products(one: Bits, two: Bits) -> np.ndarray:
    common = one.words[:, None, :] & two.words[None, :, :]
    return np.bitwise_count(common).sum(axis=2, dtype=np.int64)


@SIZES
def test_every_bit_is_found_again(t: int, n: int) -> None:
    matrix = tossed(t, n)
    bits = bits_of(matrix)
    assert (len(bits), bits.trials) == (n, t)
    assert bits.words.dtype == np.uint64
    assert bits.words.shape == (n, -(-t // 256) * 4)
    np.testing.assert_array_equal(unpacked(bits), matrix)


@SIZES
def test_sums_count_the_trials_of_each_example(t: int, n: int) -> None:
    matrix = tossed(t, n)
    np.testing.assert_array_equal(bits_of(matrix).sums, matrix.sum(axis=0))


@SIZES
def test_inverted_is_the_opposite_and_nothing_beyond_the_trials(t: int, n: int) -> None:
    matrix = tossed(t, n)
    inverted = bits_of(matrix).inverted()
    np.testing.assert_array_equal(unpacked(inverted), ~matrix)
    np.testing.assert_array_equal(inverted.inverted().words, bits_of(matrix).words)


@SIZES
def test_unpacked_words_of_two_matrices_are_of_the_same_trials(t: int, n: int) -> None:
    one, two = tossed(t, n), tossed(t, 13, seed=1)
    found = sum(
        bits_of(one).unpacked(w).astype(int) @ bits_of(two).unpacked(w).T
        for w in range(bits_of(one).words.shape[1])
    )
    np.testing.assert_array_equal(found, one.T.astype(int) @ two)


@SIZES
def test_permuted_trials_are_all_still_there(t: int, n: int) -> None:
    matrix = tossed(t, n)
    order = np.random.default_rng(0).permutation(t)
    found = unpacked(bits_of(matrix).permuted(order))
    assert sorted(map(bytes, found)) == sorted(map(bytes, matrix))
    np.testing.assert_array_equal(
        bits_of(matrix).permuted(np.arange(t)).words, bits_of(matrix).words
    )


@SIZES
def test_one_order_for_two_matrices_keeps_their_products(t: int, n: int) -> None:
    one, two = bits_of(tossed(t, n)), bits_of(tossed(t, 13, seed=1))
    order = np.random.default_rng(0).permutation(t)
    np.testing.assert_array_equal(
        products(one.permuted(order), two.permuted(order)), products(one, two)
    )
    if t >= 64 and n > 1:
        assert (products(one, two.permuted(order)) != products(one, two)).any()


def test_more_examples_than_are_permuted_at_once() -> None:
    matrix = tossed(70, 5000)
    order = np.random.default_rng(0).permutation(70)
    found = bits_of(matrix).permuted(order)
    np.testing.assert_array_equal(
        unpacked(found)[:, :77], unpacked(bits_of(matrix[:, :77]).permuted(order))
    )
    np.testing.assert_array_equal(found.sums, matrix.sum(axis=0))


def test_bits_of_packing_beyond_the_examples_are_not_read() -> None:
    """numpy.packbits pads with 0; whoever writes 1 there changes nothing."""
    matrix = tossed(20, 9)
    padded = packed(matrix)
    padded[:, 1] |= 0x7F
    np.testing.assert_array_equal(Bits.of(padded, 9).words, bits_of(matrix).words)


@settings(max_examples=60, deadline=None)
@given(t=st.integers(1, 600), n=st.integers(1, 90), seed=st.integers(0, 2**32))
def test_any_size_is_transposed(t: int, n: int, seed: int) -> None:
    matrix = tossed(t, n, seed)
    bits = bits_of(matrix)
    np.testing.assert_array_equal(unpacked(bits), matrix)
    np.testing.assert_array_equal(bits.sums, matrix.sum(axis=0))
    np.testing.assert_array_equal(bits.inverted().sums, (~matrix).sum(axis=0))
    np.testing.assert_array_equal(products(bits, bits), matrix.T.astype(int) @ matrix)

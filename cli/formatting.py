"""Numbers, rates, lengths of time and sizes as people read them."""


def rate(per_second: float, unit: str = "models") -> str:
    """A rate in units a second, a minute or an hour."""
    if per_second >= 1:
        return f"{per_second:,.{0 if per_second >= 1000 else 1}f} {unit}/s"
    if per_second >= 1 / 60:
        return f"{per_second * 60:.1f} {unit}/min"
    return f"{per_second * 3600:.1f} {unit}/h"


def length(seconds: float) -> str:
    """Seconds, minutes or hours."""
    minutes, hours = seconds / 60, seconds / 3600
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes:.0f} min" if minutes < 90 else f"{hours:.1f} h"


def size(n: float) -> str:
    """Bytes, kB, MB, GB or TB."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if n < 1000:
            return f"{n:.0f} {unit}" if n >= 10 or unit == "bytes" else f"{n:.1f} {unit}"
        n /= 1000
    return f"{n:.1f} TB"


def plain(text: str) -> str:
    """Replace characters that a terminal would take for a command in text from outside."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)


def count(n: int, noun: str, plural: str | None = None) -> str:
    """``1 shard``, ``2 shards``."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def accuracies(means: dict[str, float | None], digits: int = 1) -> str:
    """``held in 99.1%, held out 85.2%, test 84.8%``; unknown ones are left out."""
    return ", ".join(
        f"{name.replace('_', ' ')} {value:.{digits}%}"
        for name, value in means.items()
        if value is not None
    )


def about(number: float) -> str:
    """An expected number: ``1,234``, ``3``, ``0.2``."""
    return f"{number:,.0f}" if number >= 1 else f"{number:.1g}"

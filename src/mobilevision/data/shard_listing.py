"""What a folder of shards lists."""

import json
from pathlib import Path

from mobilevision.data.listing import Entry, Listing
from mobilevision.data.pictures import named_as_picture
from mobilevision.data.shards import Member, members, read_index, read_member
from mobilevision.errors import InputError

PREFIX = "shards:"


def list_shards(source: str, folder: Path) -> Listing:
    """The pictures of a folder of shards; without an index, classes are called by their numbers.

    Raises:
        UsageError: if there are no shards.
        InputError: if a shard is cut short, is not there, or has a member with an unfit path.
    """
    index = read_index(folder)
    labels = index["labels"]
    entries: list[Entry] = []
    for facts in index["shardlist"]:
        before = len(entries)
        entries += _entries(folder / facts["url"], labels, facts.get("split", ""))
        if len(entries) - before != facts.get("nsamples", len(entries) - before):
            raise InputError(
                f"{folder / facts['url']} has {len(entries) - before} pictures and the index tells of"
                f" {facts['nsamples']}; write the shards again"
            )
    return Listing(source, folder, tuple(entries), frozenset(labels))


def _entries(shard: Path, labels: list[str], split: str) -> list[Entry]:
    pictures: dict[str, str] = {}
    classes: dict[str, tuple[str, ...]] = {}
    for member in members(shard):
        key, _, kind = member.name.rpartition("/")[2].partition(".")
        key = member.name[: len(member.name) - len(kind)]
        if kind in ("cls", "json"):
            classes[key] = _classes(shard, member, kind, labels)
        elif named_as_picture(Path(member.name)):
            pictures[key] = member.name
    return [Entry.of(shard / name, classes.get(key, ()), split) for key, name in pictures.items()]


def _classes(shard: Path, member: Member, kind: str, labels: list[str]) -> tuple[str, ...]:
    try:
        told = json.loads(read_member(shard, member.name))
        numbers = [int(told)] if kind == "cls" else [int(number) for number in told["labels"]]
        if labels and any(number < 0 for number in numbers):
            raise IndexError(min(numbers))
        return tuple(sorted({labels[number] if labels else str(number) for number in numbers}))
    except (ValueError, TypeError, LookupError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{shard} has no classes in {member.name} that are read here: {error!r}") from error

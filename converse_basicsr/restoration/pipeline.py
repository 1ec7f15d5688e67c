"""Reading, restoring and writing overlap: the files of other pictures are read and written during a restoration."""

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_THREADS = 2  # that read, and as many that write
_AHEAD = 2  # pictures that are read, and that wait to be written

Item, Picture, Restored, Result = TypeVar("Item"), TypeVar("Picture"), TypeVar("Restored"), TypeVar("Result")


def overlapped(
    items: Iterable[Item],
    read: Callable[[Item], Picture],
    restore: Callable[[list[Picture]], list[Restored]],
    write: Callable[[Item, Restored], Result],
    batch: int = 1,
    kind: Callable[[Picture], Hashable] = id,
) -> Iterator[tuple[Item, Result | Exception]]:
    """Each item with the result of its write, or with the exception that ended it; in almost the order of the items.

    Args:
        items: what is to be done.
        read, write: called in threads.
        restore: called in this thread, with up to `batch` consecutive pictures of the same kind.
        kind: pictures of equal kind can be restored together.
    """
    items = iter(items)
    reading: deque[tuple[Item, Future]] = deque()
    writing: deque[tuple[Item, Future]] = deque()
    group: list[tuple[Item, Picture]] = []
    threads = ThreadPoolExecutor(_THREADS), ThreadPoolExecutor(_THREADS)

    def start_reading() -> None:
        while len(reading) < _AHEAD + batch - 1 and (item := next(items, threads)) is not threads:
            reading.append((item, threads[0].submit(read, item)))

    def restore_group() -> Iterator[tuple[Item, Exception]]:
        parts = [group]
        while parts:
            part = parts.pop(0)
            try:
                restored = restore([picture for _, picture in part])
            except Exception as error:  # of one picture: the others are restored without it
                if len(part) == 1:
                    yield part[0][0], error
                else:
                    parts = [[each] for each in part]
                continue
            for (item, _), one in zip(part, restored, strict=True):
                writing.append((item, threads[1].submit(write, item, one)))

    def finished(left: int) -> Iterator[tuple[Item, Result | Exception]]:
        while len(writing) > left:
            item, future = writing.popleft()
            yield item, future.exception() or future.result()

    try:
        start_reading()
        while reading:
            item, future = reading.popleft()
            error = future.exception()
            start_reading()
            if error:
                yield item, error
            else:
                picture = future.result()
                if group and (len(group) == batch or kind(group[0][1]) != kind(picture)):
                    yield from restore_group()
                    group = []
                group.append((item, picture))
            if group and (len(group) == batch or not reading):
                yield from restore_group()
                group = []
            yield from finished(_AHEAD)
        yield from finished(0)
    finally:
        for each in threads:
            each.shutdown(cancel_futures=True)

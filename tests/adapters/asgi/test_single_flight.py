"""Reads that many ask for at once are done once, and never from before they were asked for."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from brownie_backup_asgi.single_flight import SingleFlight


def test_of_many_at_once_two_are_done() -> None:
    done: list[int] = []
    first = threading.Event()

    def work() -> int:
        first.wait(10)
        done.append(1)
        return len(done)

    async def run() -> list[int]:
        with ThreadPoolExecutor(4) as pool:
            sharing = SingleFlight(pool)
            waiting = [asyncio.create_task(sharing.read("x", work)) for _ in range(50)]
            await asyncio.sleep(0.05)
            first.set()
            answers = await asyncio.gather(*waiting)
            assert await sharing.read("x", work) == 3
            return answers

    assert sorted(set(asyncio.run(run()))) == [1, 2]


def test_nobody_gets_an_answer_that_was_begun_before() -> None:
    state = ["old"]
    read, go = threading.Event(), threading.Event()

    def work() -> str:
        seen = state[0]
        read.set()
        go.wait(10)
        return seen

    async def run() -> tuple[str, str]:
        with ThreadPoolExecutor(4) as pool:
            sharing = SingleFlight(pool)
            early = asyncio.create_task(sharing.read("x", work))
            await asyncio.to_thread(read.wait, 10)
            state[0] = "new"
            late = asyncio.create_task(sharing.read("x", work))
            await asyncio.sleep(0.05)
            go.set()
            return await early, await late

    assert asyncio.run(run()) == ("old", "new")


def test_an_error_is_everybodys_and_the_next_read_is_new() -> None:
    def fail() -> None:
        msg = "no"
        raise ValueError(msg)

    async def run() -> None:
        with ThreadPoolExecutor(4) as pool:
            sharing = SingleFlight(pool)
            found = await asyncio.gather(
                *(sharing.read("x", fail) for _ in range(9)), return_exceptions=True
            )
            assert all(isinstance(each, ValueError) for each in found)
            assert await sharing.read("x", lambda: 1) == 1

    asyncio.run(run())


def test_who_goes_away_takes_no_answer_from_others() -> None:
    go = threading.Event()

    async def run() -> bool:
        with ThreadPoolExecutor(4) as pool:
            sharing = SingleFlight(pool)
            tasks = [asyncio.create_task(sharing.read("x", lambda: go.wait(10))) for _ in range(3)]
            await asyncio.sleep(0.05)
            tasks[1].cancel()
            await asyncio.sleep(0.05)
            go.set()
            with pytest.raises(asyncio.CancelledError):
                await tasks[1]
            return await tasks[0] and await tasks[2]

    assert asyncio.run(run())

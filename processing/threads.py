"""Bounded threads of their own for the database and for files.

asgiref's thread-sensitive hop is one thread for the whole process: behind a busy database a second caller waits its
whole busy timeout. These executors bound the number of connections and never queue file writes behind queries.
"""

import asyncio
import contextvars
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.db import close_old_connections

P = ParamSpec("P")
T = TypeVar("T")


@functools.cache
def _database() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(settings.HEADRACE.database_threads, thread_name_prefix="headrace-db")


@functools.cache
def _files() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(settings.HEADRACE.file_threads, thread_name_prefix="headrace-files")


@functools.cache
def _sealing() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(settings.HEADRACE.file_threads, thread_name_prefix="headrace-seal")


async def in_db(func: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run ORM work in a database thread; a connection past its age, or broken, is closed around it."""
    return await _with_connection(_database(), functools.partial(func, *args, **kwargs))


async def in_sealing(func: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run work that waits for the disk (fsync) and the database both: the other threads do not wait for it."""
    return await _with_connection(_sealing(), functools.partial(func, *args, **kwargs))


async def _with_connection(executor: ThreadPoolExecutor, func: Callable[[], T]) -> T:
    def work() -> T:
        close_old_connections()
        try:
            return func()
        finally:
            close_old_connections()

    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(executor, context.run, work)


async def in_files(func: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run file work in a file thread."""
    return await asyncio.get_running_loop().run_in_executor(_files(), functools.partial(func, *args, **kwargs))

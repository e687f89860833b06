"""The channel layer over Redis, with options under which an idle receive and a restarted Redis end nobody.

redis-py 8 has a socket_timeout of 5 s, the same as channels_redis' blocking pop: without a longer one every idle
receive dies after 5 s. Without retries a Redis restart ends every socket (1011) and every worker.
"""

from typing import Any

from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

SOCKET_TIMEOUT = 15
BACKENDS = {
    "pubsub": "channels_redis.pubsub.RedisPubSubChannelLayer",
    "core": "channels_redis.core.RedisChannelLayer",
}


def layer_config(kind: str, url: str, prefix: str) -> dict[str, Any]:
    """Django's CHANNEL_LAYERS entry for `pubsub` or `core`."""
    host = {
        "address": url,
        "socket_timeout": SOCKET_TIMEOUT,
        "socket_connect_timeout": 2,
        "health_check_interval": 30,
        "retry": Retry(ExponentialWithJitterBackoff(cap=1, base=0.05), 6),
        "retry_on_error": [RedisConnectionError, RedisTimeoutError],
    }
    config: dict[str, Any] = {"hosts": [host], "prefix": prefix}
    if kind == "core":
        config.update(capacity=2000, expiry=60)
    return {"BACKEND": BACKENDS[kind], "CONFIG": config}

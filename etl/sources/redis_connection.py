"""A connection to the Redis of [redis] url, whose errors say what to do next and never hold the password."""

import contextlib
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from typing import Any

import hiredis
import redis
from redis.connection import parse_url

from etl import config
from etl.errors import ConfigError, SourceError, SourceLost
from etl.sources.redis_text import as_text

Command = tuple[Any, ...]

_RECEIVED = 1 << 16
_OTHER_TYPE = ("WRONGTYPE", "INVALIDOBJ")


class Server:
    """One connection to a Redis at `address`: host:port/database or the socket's path, never the password.

    It answers in bytes, as RESP2 has them. Commands only read, so that those without an answer may be sent again.
    """

    def __init__(self, connection: Any, address: str):
        self._connection, self.address = connection, address
        self._waiting: deque[Sent] = deque()
        self._parser = self._new_parser()

    def ask(self, commands: Iterable[Command], mixed: bool = False) -> list[Any]:
        """The replies to all commands, in one round trip.

        An error is raised, but with `mixed` that a key is of another type than the command expects is a reply.
        """
        return self.send(commands, mixed).replies()

    def allowed(self, *command: str) -> Any:
        """The reply to one command, or None where the server refuses it."""
        try:
            return self.ask([command])[0]
        except redis.ResponseError:
            return None

    def send(self, commands: Iterable[Command], mixed: bool = False) -> "Sent":
        """What `ask` does, but without waiting: the server works until the `replies()` are wanted."""
        sent = Sent(self, commands, mixed)
        self._waiting.append(sent)
        try:
            self._deliver(sent)
        except redis.ConnectionError:
            self._deliver_again()
        return sent

    def receive(self, sent: "Sent") -> None:
        """Everything up to the replies to `sent`, since replies come in the order of their commands."""
        while sent in self._waiting:
            try:
                self._receive(self._waiting[0])
            except redis.ConnectionError:
                # Whoever reads slowly may find that the server, or what stands between, has closed an idle connection.
                self._deliver_again()
                self._receive(self._waiting[0])
            self._waiting.popleft()

    def _deliver(self, sent: "Sent") -> None:
        sent.at = datetime.now(timezone.utc)
        # Not with a health check, which would take the replies that are on their way for its own.
        self._connection.send_packed_command([b"".join(sent.packed)], check_health=False)

    def _deliver_again(self) -> None:
        self._connection.disconnect()
        self._parser = self._new_parser()
        for sent in self._waiting:
            sent.received.clear()
            self._deliver(sent)

    def _receive(self, sent: "Sent") -> None:
        """Read as redis-py does, but a page of replies at once.

        Redis-py spends more time on packing and parsing a command than the server does on answering it.
        """
        received, count, parser = sent.received, len(sent.packed), self._parser
        try:
            while len(received) < count:
                if (reply := parser.gets()) is not False:
                    received.append(reply)
                elif data := self._connection._sock.recv(_RECEIVED):
                    parser.feed(data)
                else:
                    raise redis.ConnectionError("it closed the connection")
        except TimeoutError:
            raise redis.TimeoutError("it stopped in the middle of its replies") from None
        except OSError as error:
            raise redis.ConnectionError(str(error)) from None

    def _new_parser(self) -> hiredis.Reader:
        return hiredis.Reader(protocolError=redis.InvalidResponse, replyError=self._connection._parser.parse_error)


class Sent:
    """Commands that were sent to a server, the last time `at`."""

    def __init__(self, server: Server, commands: Iterable[Command], mixed: bool):
        self._server, self._mixed = server, mixed
        self.packed = list(map(hiredis.pack_command, commands))
        self.received: list[Any] = []
        self.at = datetime.now(timezone.utc)

    def replies(self) -> list[Any]:
        self._server.receive(self)
        for reply, packed in zip(self.received, self.packed, strict=True):
            if isinstance(reply, Exception) and not (self._mixed and str(reply).startswith(_OTHER_TYPE)):
                if type(reply) is redis.ResponseError:
                    raise redis.ResponseError(f"{_beginning(packed)}: {reply}")
                raise reply
        return self.received


@contextlib.contextmanager
def connected() -> Iterator[Server]:
    """The server of `[redis] url`; its errors become SourceError, or SourceLost without an answer."""
    pool = _pool(config.redis().url)
    where = _address(pool)
    try:
        with redis.Redis(connection_pool=pool).client() as client:
            yield Server(client.connection, where)
    except redis.AuthenticationError as error:
        raise SourceError(
            f"redis {where}: refuses the login ({error}); mend user and password in [redis] url"
        ) from None
    except redis.exceptions.NoPermissionError as error:
        raise SourceError(
            f"redis {where}: refuses permission ({error}); grant the user +@read, +select and the keys that are read"
        ) from None
    except redis.BusyLoadingError:
        raise SourceLost(f"redis {where}: is still loading its data from disk; run again when it has") from None
    except (redis.ConnectionError, redis.TimeoutError) as error:
        raise SourceLost(f"redis {where}: no answer ({error}); is it running, and is [redis] url right?") from None
    except redis.RedisError as error:
        raise SourceError(f"redis {where}: {error}; look at the server, and at [redis] url") from None
    finally:
        pool.disconnect()


def _beginning(packed: bytes) -> str:
    """A command and its key."""
    parser = hiredis.Reader()
    parser.feed(packed)
    return " ".join(map(as_text, parser.gets()[:2]))


def _address(pool: redis.ConnectionPool) -> str:
    said = pool.connection_kwargs
    where = said.get("path") or f"{said.get('host', 'localhost')}:{said.get('port', 6379)}"
    return f"{where}/{said.get('db', 0)}"


def _pool(url: str) -> redis.ConnectionPool:
    try:
        said = parse_url(url)
    except ValueError:
        # Python's own text quotes what follows a colon, and that can be the password.
        raise ConfigError(
            "[redis] url: is no Redis URL; write redis://user:password@host:6379/0, "
            "with special characters of the password as %40 and the like"
        ) from None
    # Not from_url, with which options in the URL win over arguments.
    shape = {"protocol": 2, "decode_responses": False}
    return redis.ConnectionPool(**{"socket_timeout": 60, "socket_connect_timeout": 10} | said | shape)

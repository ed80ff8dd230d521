"""All that functions tell of themselves: log lines, metrics, and the errors that they end with. None names anybody.

Numbers may stand in a log, texts only under the names listed here, and of an error only what `telemetry.errors` lets
through, since messages of libraries quote what they choked on. There is no tracing by a library either: it would keep
the keys of objects and the messages of errors in the traces.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from shared.telemetry.errors import anonymous, why

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

TEXTS = frozenset(
    {
        # Of every line.
        *("level", "location", "message", "timestamp", "service", "exception", "exception_name"),
        # Of an invocation, as AWS names it.
        *("function_name", "function_arn", "function_request_id", "correlation_id", "xray_trace_id"),
        # Names that AWS or this system made up, and reasons that group.
        *("file", "message_id", "model_version", "problem", "reason", "receipt_id", "report", "run", "shard", "step"),
    }
)
"""Names under which a text may stand in a log line; what they are given must name nobody."""

type Handler[Event, Answer] = Callable[[Event, LambdaContext], Answer]


class Formatter(LambdaPowertoolsFormatter):
    """Log lines in JSON that leave out what might name somebody."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; of an exception where it happened and, for each that led to it, what may be said of it."""
        safe = logging.makeLogRecord(record.__dict__)
        safe.exc_info = safe.exc_text = safe.stack_info = None
        if record.exc_info and record.exc_info[1]:
            safe.exception = described(record.exc_info[1])
            safe.exception_name = type(record.exc_info[1]).__name__
        return super().format(safe)

    def serialize(self, log: Any) -> str:
        """The line without texts under names that are not listed."""
        return super().serialize({name: value for name, value in log.items() if name in TEXTS or _is_number(value)})


def described(error: BaseException) -> str:
    """The error and those that led to it, each with its way through the code."""
    chain: list[BaseException] = []
    while error and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return "\n".join(f"{why(one)}\n{''.join(traceback.format_tb(one.__traceback__))}" for one in reversed(chain))


logger = Logger(logger_formatter=Formatter())
metrics = Metrics()
# They warn with the addresses they called, which hold the keys of objects.
for library in ("botocore", "urllib3"):
    logging.getLogger(library).setLevel(logging.ERROR)


def watched[Event, Answer](
    correlation_id_path: str | None = None,
) -> Callable[[Handler[Event, Answer]], Handler[Event, Answer]]:
    """Makes a handler log with the names of its invocation, emit its metrics, and fail without a word of anybody."""

    def decorate(handle: Handler[Event, Answer]) -> Handler[Event, Answer]:
        @wraps(handle)
        def watch(event: Event, context: LambdaContext) -> Answer:
            try:
                return handle(event, context)
            except Exception as error:
                logger.exception("The invocation failed")
                # Lambda prints what leaves here, message and all.
                raise anonymous(error).with_traceback(error.__traceback__) from None
            finally:
                if metrics.metric_set:
                    metrics.flush_metrics()

        logged = logger.inject_lambda_context(log_event=False, correlation_id_path=correlation_id_path)
        injected: Handler[Event, Answer] = logged(watch)
        return injected

    return decorate


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)

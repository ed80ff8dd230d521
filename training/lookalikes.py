"""The customers most like a given one: the nearest in the space that the bundle's segments were found in.

python -m training.lookalikes --events PATH [PATH …] --model DIR --customer ID [--count N] [--as-of TIMESTAMP]
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper

from shared.decisions.decision import iso
from shared.features import Profiles
from shared.identity.keys import customer_key
from shared.models.bundle import Bundle
from shared.models.layout import ONNX_FILE
from training.base import command
from training.base.errors import InputError
from training.data.events import read_events
from training.data.preparation import Matrix
from training.prediction.targets import known_at

POINT = "segment/point"
CHUNK = 20_000
"""Customers whose features are held at a time."""


@dataclass(frozen=True)
class LookAlike:
    """A customer and how far they are from the one they are compared with."""

    customer_id: str
    distance: float
    """Euclidean, in the space of the segments: comparable with the distances that segments are assigned by."""
    segment: int


class Space:
    """Where the bundle's graph places customers before it assigns them."""

    def __init__(self, model: ModelProto, bundle: Bundle) -> None:
        self._bundle = bundle
        model.graph.output.append(helper.make_tensor_value_info(POINT, TensorProto.FLOAT, None))
        self._session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])

    def points(self, profiles: Profiles, as_of_ms: int) -> Matrix:
        """Where customers are at an instant in UTC milliseconds [n_profiles, n_components]."""
        own = self._bundle.own(self._bundle.features_at(profiles, as_of_ms))
        return self._session.run([POINT], {"features": own})[0]  # type: ignore[no-any-return]


def look_alikes(
    profiles: Profiles, space: Space, bundle: Bundle, customer_id: str, count: int, as_of_ms: int
) -> tuple[LookAlike, list[LookAlike]]:
    """The customer, at distance 0, and the `count` others nearest to them as of an instant, nearest first.

    Raises InputError where the customer has no event before it.
    """
    customers = [key.startswith(customer_key("")) for key in profiles.keys]
    known = profiles.take(np.flatnonzero(known_at(profiles, as_of_ms) & np.array(customers, bool)))
    ids = np.array([key.removeprefix(customer_key("")) for key in known.keys])
    own = np.flatnonzero(ids == customer_id)
    if not len(own):
        raise InputError(f'there is no customer "{customer_id}" with an event before {iso(as_of_ms)}')
    centre = space.points(known.take(own), as_of_ms)
    distance = np.concatenate([_distances(space, part, centre, as_of_ms) for part in _chunks(known)])
    nearest = [i for i in np.lexsort((ids, distance)).tolist() if i != own[0]][:count]
    shown = [int(own[0]), *nearest]
    segment = bundle.decide(bundle.features_at(known.take(shown), as_of_ms)).segment
    alike = [LookAlike(str(ids[i]), float(distance[i]), int(s)) for i, s in zip(shown, segment, strict=True)]
    return alike[0], alike[1:]


def _distances(space: Space, profiles: Profiles, centre: Matrix, as_of_ms: int) -> NDArray[np.float64]:
    points = space.points(profiles, as_of_ms)
    return np.linalg.norm(points.astype(np.float64) - centre, axis=1)


def _chunks(profiles: Profiles) -> Iterator[Profiles]:
    for start in range(0, len(profiles), CHUNK):
        yield profiles.take(np.arange(start, min(start + CHUNK, len(profiles))))


def main(arguments: Sequence[str] | None = None, prog: str = "python -m training.lookalikes") -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog=prog, description="Find the customers most like a given one.")
    parser.add_argument("--events", nargs="+", type=Path, required=True, metavar="PATH", help="event files or folders")
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="folder that training wrote")
    parser.add_argument("--customer", required=True, metavar="ID", help="customer_id of the one to compare with")
    parser.add_argument("--count", type=int, default=10, metavar="N", help="how many; default: %(default)s")
    parser.add_argument(
        "--as-of", metavar="TIMESTAMP", help="only events before it count; the end of the data by default"
    )
    command.add_mapping(parser)
    return command.run(parser, _run, arguments)


def _run(arguments: argparse.Namespace) -> None:
    if arguments.count < 1:
        raise InputError(f"--count must be at least 1, but is {arguments.count}")
    as_of_ms = None if arguments.as_of is None else command.timestamp(arguments.as_of)
    bundle = Bundle.load(arguments.model)
    space = Space(onnx.load(arguments.model / ONNX_FILE), bundle)
    currency = bundle.manifest["currency"] or ""
    profiles = read_events(arguments.events, currency, as_of_ms, command.translator(arguments)).profiles
    as_of_ms = int(profiles.rows.time_ms.max()) + 1 if as_of_ms is None else as_of_ms
    own, others = look_alikes(profiles, space, bundle, arguments.customer, arguments.count, as_of_ms)
    names = {segment["id"]: segment["name"] for segment in bundle.manifest["segments"]}
    command.say(
        f"{own.customer_id}: {names[own.segment]}; most alike as of {iso(as_of_ms)}, with their distance:",
        *(f"  {other.customer_id:<24} {other.distance:>8.3f}  {names[other.segment]}" for other in others),
    )


if __name__ == "__main__":
    sys.exit(main())

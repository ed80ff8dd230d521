"""Why customers come into audiences and leave them."""

from collections.abc import Sequence

import msgspec


class Ground(msgspec.Struct, frozen=True, gc=False):
    """A condition of a rule with what it was judged on."""

    condition: str
    """As it is written in a rule."""
    value: float | str | None


class Grounds(msgspec.Struct, frozen=True, gc=False):
    """Why a customer came into an audience or left it, and what is to be done."""

    conditions: Sequence[Ground]
    """Of who came in some that are true, of who left some that are not."""
    action: str | None = None
    """The audience's own, where it has one."""

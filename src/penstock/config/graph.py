"""The order of stages: each after its upstreams, without cycles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from penstock.config.places import Places


def in_order(upstreams: Mapping[str, Sequence[str]], places: Places) -> list[str]:
    """Put the stages in an order in which each follows its upstreams, else as they are written."""
    ordered: list[str] = []
    open_: list[str] = []

    def visit(name: str) -> None:
        if name in ordered:
            return
        if name in open_:
            cycle = [*open_[open_.index(name) :], name]
            message = f"the stages wait for each other: {' after '.join(cycle)}; break the cycle"
            raise places.error(("stage", name, "after"), message)
        open_.append(name)
        for upstream in upstreams[name]:
            visit(upstream)
        open_.pop()
        ordered.append(name)

    for name in upstreams:
        visit(name)
    return ordered

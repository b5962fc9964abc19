"""The addresses of the server as an OpenAPI document: pages, numbers, products and requests."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from penstock import __version__
from penstock.serve.actions import LONGEST
from penstock.serve.pages import PAGES
from penstock.status import STATES

Json = dict[str, Any]

NUMBER: Json = {"type": "string", "pattern": "^[0-9]{1,9}$", "maxLength": 9}
TEXT: Json = {"type": "string", "maxLength": 200}
#: page → what may be asked of it: a name, what it means, its schema
ASKED: dict[str, list[tuple[str, str, Json]]] = {
    "groups": [
        ("level", "Of the groups; without it the coarsest.", TEXT),
        ("only", "Groups with tasks in this state.", {"type": "string", "enum": ["", *STATES]}),
        ("skip", "So many groups are left out.", NUMBER),
    ],
    "units": [
        ("stage", "Only tasks of this stage.", TEXT),
        ("state", "Only tasks in this state.", {"type": "string", "enum": ["", *STATES]}),
        ("unit", "A unit, a group, or a pattern with `*`.", TEXT),
        ("stale", "1: only stale tasks.", {"type": "string", "enum": ["", "1"]}),
        ("skip", "So many tasks are left out.", NUMBER),
    ],
    "jobs": [("all", "1: also finished ones.", {"type": "string", "enum": ["", "1"]})],
    "unit": [
        ("unit", "A unit, a group, a pattern with `*`, a file or a product.", TEXT),
        ("stage", "Of the output that is shown.", TEXT),
        ("attempt", "Of that output.", NUMBER),
    ],
    "product": [
        ("stage", "That made it.", TEXT),
        ("unit", "That it is of.", TEXT),
        ("product", "Its name in the stage.", TEXT),
        ("part", "Of one that is a folder: the file in it.", TEXT),
    ],
}
PAGE, DATA, LINES = "text/html", "application/json", "text/plain"


def describe(names: Iterable[str], allowed: Collection[str], root: str = "") -> Json:
    """Return the document for these campaigns and actions."""
    campaign: Json = {
        "name": "campaign", "in": "path", "required": True, "description": "As the list of campaigns calls it.",
        "schema": {"type": "string", "enum": list(names)},
    }  # fmt: skip
    paths = {**common_paths(), **campaign_paths(campaign)}
    for action in allowed:
        paths[f"/c/{{campaign}}/ask/{action}"] = {"post": requesting(action, campaign)}
    info = {
        "title": "penstock serve",
        "version": __version__,
        "description": "Read what a campaign's record says, and ask.",
    }
    return {
        "openapi": "3.1.0", "info": info, "servers": [{"url": root or "/"}], "paths": paths, "security": [{"token": []}],
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }  # fmt: skip


def common_paths() -> Json:
    """Describe what is of no campaign, or of several."""
    return {
        "/": {"get": operation("All campaigns, and how they stand.", PAGE)},
        "/api": {"get": operation("These addresses, to read.", PAGE)},
        "/openapi.json": {"get": operation("These addresses, for programs.", DATA)},
        "/metrics": {"get": operation("What `penstock metrics` prints, of all campaigns.", LINES)},
        "/api/status": {
            "get": operation(
                "What `penstock status --json` prints.",
                DATA,
                [asked("campaign", "Which one, where there are several.", TEXT)],
            )
        },
    }


def campaign_paths(campaign: Json) -> Json:
    """Describe the pages, numbers and products of one campaign."""
    paths: Json = {}
    for name, page in PAGES.items():
        paths[f"/c/{{campaign}}/{name}"] = {
            "get": operation(
                f"{page.title} of a campaign.",
                PAGE,
                [campaign, *(asked(*one) for one in ASKED.get(name, ()))],
            )
        }
    product = [campaign, *(asked(*one, required=True) for one in ASKED["product"])]
    paths["/c/{campaign}/product"] = {"get": operation("The bytes of a product.", "*/*", product)}
    paths["/c/{campaign}/metrics"] = {"get": operation("What `penstock metrics` prints.", LINES, [campaign])}
    paths["/c/{campaign}/api/status"] = {
        "get": operation("What `penstock status --json` prints.", DATA, [campaign])
    }
    return paths


def operation(summary: str, kind: str, parameters: Collection[Json] = ()) -> Json:
    """Describe one address."""
    answers: Json = {"200": {"description": "Here it is.", "content": {kind: {}}}}
    wrong = {"403": "Not let in.", "404": "There is no such one.", "503": "The record cannot be read now."}
    answers |= {code: {"description": why, "content": {PAGE: {}, LINES: {}}} for code, why in wrong.items()}
    return {"summary": summary, "parameters": list(parameters), "responses": answers}


def asked(name: str, description: str, schema: Json, *, required: bool = False) -> Json:
    """Describe one part of a question."""
    return {"name": name, "in": "query", "required": required, "description": description, "schema": schema}


def requesting(action: str, campaign: Json) -> Json:
    """Describe a request."""
    fields = {name: {"type": "string", "maxLength": most} for name, most in LONGEST.items()}
    body = {
        "type": "object",
        "properties": {"csrf": {"type": "string"}, **fields},
        "required": ["csrf", "by"],
    }
    described = operation(f"Ask for what `penstock {action}` does.", PAGE, [campaign])
    described["responses"]["303"] = {"description": "Asked; the answer is on the page that follows."}
    described["requestBody"] = {
        "required": True,
        "content": {"application/x-www-form-urlencoded": {"schema": body}},
    }
    return described

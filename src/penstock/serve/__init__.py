"""A campaign in a browser: the same facts that the terminal prints, as static pages or live.

`campaigns` says which records are shown, `views` what stands on each page, `groups`, `unit` and `drawing` the larger
parts of that; `pages` turns them into HTML with what is in `templates` and `static`. `export` writes all pages into a
folder; `app` serves them, `events` tells browsers what is new, `security` lets nobody else in, `files` gives out
products, `actions` leaves what people ask for, `openapi` describes the addresses, `running` starts the server.
"""

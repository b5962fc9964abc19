"""Showing products to others: which, in which folder of which host, with a manifest and index pages there."""

from penstock.publishing.publishing import Published, publish_parts
from penstock.publishing.wanted import Wanted, wanted

__all__ = ["Published", "Wanted", "publish_parts", "wanted"]

"""A page of the report as a browser would see it."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """Elements of a page, and their text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.words += data.replace("\u00a0", " ")

    def named(self, name: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.tags if tag == name]

    def pictures(self, start: str) -> list[str]:
        """Alternative texts of the pictures that begin with this text."""
        return [each["alt"] for each in self.named("img") if each["alt"].startswith(start)]

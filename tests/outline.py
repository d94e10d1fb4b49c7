"""What a page is made of, tag by tag."""

from html.parser import HTMLParser

EMPTY = {"meta", "link", "br", "img", "input", "hr"}


class Outline(HTMLParser):
    """Every tag that is opened, and whether all are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def facts(self, tag: str) -> list[dict[str, str | None]]:
        return [facts for name, facts in self.seen if name == tag]

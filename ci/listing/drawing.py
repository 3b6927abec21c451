"""Boxes, icons, arrows and words of an architecture diagram, as SVG in the manner of AWS's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

from ci.listing.icons import SVG, Icons

INK = "#232F3E"
QUIET = "#545B64"
WHITE = "#FFFFFF"
FONT = "Source Sans Pro, Helvetica, Arial, sans-serif"
TITLE_PX = 19.0
LABEL_PX = 12.0
LINE_PX = 13.0
STROKE_PX = 1.3
DASHES = "5 3"
NORMAL, STRONG = 400, 600
ICON_PX = 40.0
GROUP_ICON_PX = 22.0
BADGE_RADIUS = 8.5
LEGEND_ROW_PX = 20.0
OUTLINED = "resource/"
"""Icons of parts of a service are outlines, those of services are full squares."""

Point = tuple[float, float]
Attributes = Mapping[str, float | str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A box around what belongs together, in the colours of AWS's icon deck.

    Attributes:
        x: Left, in pixels, as all of these.
        y: Top.
        width: To the right.
        height: Downwards.
        label: Beside its icon, at the top left.
        colour: Of border and label.
        icon: Of the group; none for a mere box.
        fill: Inside.
        dashed: Whether the border is.
    """

    x: float
    y: float
    width: float
    height: float
    label: str
    colour: str
    icon: str = ""
    fill: str = "none"
    dashed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A service or a part of one.

    Attributes:
        x: Middle of the icon.
        y: Likewise.
        icon: Folder and file in the icon package.
        label: Lines below the icon.
        label_above: Put them above it instead, readable over a border.
        stands_for: The CloudFormation namespaces (`AWS::<this>::...`) that it shows.
    """

    x: float
    y: float
    icon: str
    label: tuple[str, ...]
    label_above: bool = False
    stands_for: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """A way that data or a call takes.

    Attributes:
        points: From where, over which corners, to where.
        step: Number in the legend; 0 for none.
        badge: Where the number stands; the middle of the first stretch by default.
        dashed: For what happens at launch or for people, not for images.
    """

    points: tuple[Point, ...]
    step: int = 0
    badge: Point | None = None
    dashed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagram:
    """What is drawn.

    Attributes:
        width: In pixels.
        height: In pixels.
        title: Above it, at the left.
        note: Above it, at the right.
        groups: Outer before inner.
        nodes: Above arrows and groups.
        arrows: Above groups.
        steps: What happens at each numbered arrow, in order.
        legend: Where the steps begin; they take two columns.
    """

    width: int
    height: int
    title: str
    note: str
    groups: tuple[Group, ...]
    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]
    steps: tuple[str, ...]
    legend: Point


@dataclass(frozen=True, slots=True)
class Drawing:
    """An SVG document in the making."""

    icons: Icons
    root: ET.Element = field(default_factory=lambda: ET.Element("svg"))

    def draw(self, diagram: Diagram) -> str:
        """Return the SVG of a diagram."""
        self.root.attrib |= {
            "xmlns": SVG,
            "width": str(diagram.width),
            "height": str(diagram.height),
            "viewBox": f"0 0 {diagram.width} {diagram.height}",
            "font-family": FONT,
        }
        ET.SubElement(self.root, "title").text = diagram.title
        self._arrow_head()
        self._add("rect", {"width": diagram.width, "height": diagram.height, "fill": WHITE})
        self._text(diagram.title, (16, 27), {"font-size": TITLE_PX, "font-weight": STRONG})
        self._text(diagram.note, (diagram.width - 16, 27), {"text-anchor": "end", "fill": QUIET})
        for group in diagram.groups:
            self._group(group)
        for arrow in diagram.arrows:
            self._arrow(arrow)
        for node in diagram.nodes:
            self._node(node)
        for arrow in diagram.arrows:
            if arrow.step:
                self._badge(arrow.step, arrow.badge or _middle(*arrow.points[:2]))
        self._legend(diagram)
        ET.register_namespace("", SVG)
        ET.indent(self.root)
        return ET.tostring(self.root, encoding="unicode") + "\n"

    def _group(self, group: Group) -> None:
        box = {"x": group.x, "y": group.y, "width": group.width, "height": group.height}
        colours = {"fill": group.fill, "stroke": group.colour}
        self._add("rect", {**box, **colours, **_line(dashed=group.dashed)})
        left = group.x + 6
        if group.icon:
            self.root.append(self.icons.at(group.icon, group.x, group.y, GROUP_ICON_PX))
            left += GROUP_ICON_PX
        where = (left, group.y + 15.5)
        self._text(group.label, where, {"fill": group.colour, "font-weight": STRONG})

    def _node(self, node: Node) -> None:
        half = ICON_PX / 2
        if node.icon.startswith(OUTLINED):
            # So that a border or a subnet's colour does not shine through it.
            self._add("circle", {"cx": node.x, "cy": node.y, "r": half, "fill": WHITE})
        self.root.append(self.icons.at(node.icon, node.x - half, node.y - half, ICON_PX))
        style: dict[str, float | str] = {"text-anchor": "middle"}
        top = node.y + half
        if node.label_above:
            top = node.y - half - LINE_PX * len(node.label) - 5
            style |= {"paint-order": "stroke", "stroke": WHITE, "stroke-width": 4}
        for number, line in enumerate(node.label):
            weight = NORMAL if number else STRONG
            where = (node.x, top + (number + 1) * LINE_PX)
            self._text(line, where, {**style, "font-weight": weight})

    def _arrow(self, arrow: Arrow) -> None:
        points = " ".join(f"{x:g},{y:g}" for x, y in arrow.points)
        colours = {"fill": "none", "stroke": QUIET if arrow.dashed else INK}
        head = {"marker-end": "url(#head)"}
        self._add("polyline", {"points": points, **colours, **head, **_line(dashed=arrow.dashed)})

    def _badge(self, number: int, at: Point) -> None:
        x, y = at
        self._add("circle", {"cx": x, "cy": y, "r": BADGE_RADIUS, "fill": INK})
        style: Attributes = {"fill": WHITE, "font-weight": STRONG, "text-anchor": "middle"}
        self._text(str(number), (x, y + 4), style)

    def _legend(self, diagram: Diagram) -> None:
        left, top = diagram.legend
        rows = -(-len(diagram.steps) // 2)
        for number, step in enumerate(diagram.steps):
            x = left + (diagram.width / 2 - left) * (number // rows)
            y = top + LEGEND_ROW_PX * (number % rows)
            self._badge(number + 1, (x + BADGE_RADIUS, y))
            self._text(step, (x + 24, y + 4), {})

    def _text(self, text: str, at: Point, style: Attributes) -> None:
        x, y = at
        plain: Attributes = {"font-size": LABEL_PX, "fill": INK}
        self._add("text", {"x": x, "y": y, **plain, **style}).text = text

    def _arrow_head(self) -> None:
        box: Attributes = {
            "viewBox": "0 0 8 8",
            "refX": 7,
            "refY": 4,
            "markerWidth": 7,
            "markerHeight": 7,
        }
        marker = self._add(
            "marker", {"id": "head", **box, "orient": "auto", "markerUnits": "userSpaceOnUse"}
        )
        ET.SubElement(marker, "path", {"d": "M0 0 L8 4 L0 8 z", "fill": INK})

    def _add(self, name: str, attributes: Attributes) -> ET.Element:
        written = {
            key: value if isinstance(value, str) else f"{value:g}"
            for key, value in attributes.items()
        }
        return ET.SubElement(self.root, name, written)


def _line(*, dashed: bool) -> Attributes:
    return {"stroke-width": STROKE_PX, **({"stroke-dasharray": DASHES} if dashed else {})}


def _middle(one: Point, other: Point) -> Point:
    return (one[0] + other[0]) / 2, (one[1] + other[1]) / 2

"""Boxes and arrows laid out in layers, from left to right, with few crossings (after Sugiyama)."""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_SWEEPS = 8


@dataclass
class Box:
    """Where a box is; a bend is a box without a height, through which arrows pass to those of layers further right."""

    width: float
    height: float
    layer: int = 0
    x: float = 0
    y: float = 0

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


@dataclass
class Layout:
    """`bends` are the places that each arrow passes on its way."""

    boxes: dict[str, Box]
    bends: dict[tuple[str, str], list[Box]] = field(default_factory=dict)
    width: float = 0
    height: float = 0


def layered(
    sizes: Mapping[str, tuple[float, float]], arrows: Iterable[tuple[str, str]], across: float = 70, down: float = 16
) -> Layout:
    """Every arrow points to the right, but for those that close a circle."""
    given = list(dict.fromkeys(arrow for arrow in arrows if arrow[0] != arrow[1]))
    layout = Layout({name: Box(*size) for name, size in sizes.items()})
    forward = _without_circles(sizes, given)
    for name, layer in _layers(sizes, forward).items():
        layout.boxes[name].layer = layer
    nodes: dict[str, Box] = dict(layout.boxes)
    steps = _bent(layout, nodes, forward)
    rows = _ordered(nodes, steps)
    _place(layout, nodes, rows, steps, across, down)
    return layout


def _without_circles(names: Iterable[str], arrows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Without the arrows that lead back to where one came from."""
    out = defaultdict(list)
    for tail, head in arrows:
        out[tail].append(head)
    done: set[str] = set()
    back = set()
    for first in names:
        path = [(first, iter(out[first]))]
        on_path = {first}
        while path and first not in done:
            name, heads = path[-1]
            head = next(heads, "")
            if not head:
                path.pop()
                on_path.discard(name)
                done.add(name)
            elif head in on_path:
                back.add((name, head))
            elif head not in done:
                path.append((head, iter(out[head])))
                on_path.add(head)
    return [arrow for arrow in arrows if arrow not in back]


def _layers(names: Iterable[str], arrows: list[tuple[str, str]]) -> dict[str, int]:
    """Each as far left as what points to it allows."""
    out = defaultdict(list)
    left = dict.fromkeys(names, 0)
    for tail, head in arrows:
        out[tail].append(head)
        left[head] += 1
    ready = [name for name, count in left.items() if not count]
    layer = dict.fromkeys(names, 0)
    while ready:
        name = ready.pop()
        for head in out[name]:
            layer[head] = max(layer[head], layer[name] + 1)
            left[head] -= 1
            if not left[head]:
                ready.append(head)
    return layer


def _bent(layout: Layout, nodes: dict[str, Box], arrows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The arrows in steps from one layer to the next. Those to the same box share their bends."""
    steps: dict[tuple[str, str], None] = {}
    for tail, head in arrows:
        before = tail
        bends = []
        for layer in range(layout.boxes[tail].layer + 1, layout.boxes[head].layer):
            bend = f"{head}\0{layer}"
            nodes.setdefault(bend, Box(0, 0, layer))
            bends.append(nodes[bend])
            steps[before, bend] = None
            before = bend
        steps[before, head] = None
        layout.bends[tail, head] = bends
    return list(steps)


def _ordered(nodes: dict[str, Box], steps: list[tuple[str, str]]) -> list[list[str]]:
    """Each layer in the order of what its boxes are joined to, to and fro."""
    rows: list[list[str]] = [[] for _ in range(max((box.layer for box in nodes.values()), default=-1) + 1)]
    for name in sorted(nodes):
        rows[nodes[name].layer].append(name)
    joined = _joined(steps)
    # How far down in its layer each box is, from 0 to 1.
    place = {name: at / len(row) for row in rows for at, name in enumerate(row)}

    def weight(name: str) -> float:
        near = joined.get(name, [])
        return sum(place[one] for one in near) / len(near) if near else 0.5

    for sweep in range(_SWEEPS):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            row.sort(key=weight)
            place |= {name: at / len(row) for at, name in enumerate(row)}
    return rows


def _place(
    layout: Layout,
    nodes: dict[str, Box],
    rows: list[list[str]],
    steps: list[tuple[str, str]],
    across: float,
    down: float,
) -> None:
    x = 0.0
    for row in rows:
        widest = max((nodes[name].width for name in row), default=0)
        y = 0.0
        for name in row:
            nodes[name].x, nodes[name].y = x, y
            # A bend in a layer of boxes is passed in the middle between them.
            nodes[name].width = nodes[name].width or widest
            y += nodes[name].height + down
        x += widest + across
    joined = _joined(steps)
    # The tallest layer stays as it is, and the others stand by it.
    tallest = max(rows, key=lambda row: sum(nodes[name].height + down for name in row), default=[])
    for sweep in range(_SWEEPS):
        for row in rows if sweep % 2 else reversed(rows):
            if row is tallest:
                continue
            for name in row:
                if near := joined[name]:
                    middle = sum(nodes[one].middle for one in near) / len(near)
                    nodes[name].y = middle - nodes[name].height / 2
            _apart([nodes[name] for name in row], down)
    top = min((box.y for box in nodes.values()), default=0)
    for box in nodes.values():
        box.y -= top
    layout.width = max(x - across, 0)
    layout.height = max((box.y + box.height for box in nodes.values()), default=0)


def _apart(row: list[Box], down: float) -> None:
    """Push what overlaps apart, and the whole back to where its middle was."""
    wanted = sum(box.middle for box in row) / len(row) if row else 0
    for above, below in itertools.pairwise(row):
        below.y = max(below.y, above.y + above.height + down)
    now = sum(box.middle for box in row) / len(row) if row else 0
    for box in row:
        box.y += wanted - now


def _joined(steps: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    joined = defaultdict(list)
    for tail, head in steps:
        joined[tail].append(head)
        joined[head].append(tail)
    return joined

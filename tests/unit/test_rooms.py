"""Who imports whom, asked of the code: also imports within functions and for types alone."""

import re
import tomllib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
ROOMS = SETTINGS["importlinter"]["root_packages"]
PURE = {
    *("__future__", "array", "bisect", "collections", "copy", "dataclasses", "difflib"),
    *("enum", "functools", "heapq", "itertools", "math", "random", "re", "statistics", "typing"),
    *("highspy", "numpy", "pydantic"),
}
"""What the core may import: nothing that reads, waits or knows what time it is."""


@pytest.fixture(scope="module")
def graph():
    return grimp.build_graph(*ROOMS, include_external_packages=True, cache_dir=None)


@pytest.fixture(scope="module")
def imports(graph):
    """By module of ours: the modules that it imports."""
    ours = {module for module in graph.modules if room(module) in ROOMS}
    return {module: set(graph.find_modules_directly_imported_by(module)) for module in ours}


def room(module):
    return module.partition(".")[0]


def between(imports):
    """By room: the rooms of ours that it imports."""
    found = {name: set() for name in ROOMS}
    for module, others in imports.items():
        found[room(module)] |= {room(other) for other in others} & found.keys()
    return {name: others - {name} for name, others in found.items()}


def beyond(rooms, name):
    """All rooms that one rests on, itself left out."""
    return rooms[name] | {other for one in rooms[name] for other in beyond(rooms, one)}


def without_detours(rooms):
    """Pairs of rooms, but those that follow from others."""
    return {
        (name, other)
        for name, others in rooms.items()
        for other in others
        if not any(other in beyond(rooms, one) for one in others)
    }


def apart(one, other):
    """Down to the first name in which two modules differ: parts of one package."""
    same = 0
    while same < min(len(one), len(other)) and one[same] == other[same]:
        same += 1
    return ".".join(one[: same + 1]), ".".join(other[: same + 1])


def circle(edges):
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return " imports ".join(reversed(error.args[1]))
    return None


def test_no_modules_import_each_other_in_a_circle(imports):
    assert circle(imports) is None


def test_no_part_of_a_room_stands_in_a_circle_with_another(imports):
    """Parts are a package's modules and packages; what a module of one imports, it imports."""
    parts = {}
    for module, others in imports.items():
        for other in others & imports.keys():
            one, two = apart(module.split("."), other.split("."))
            if one != two:
                parts.setdefault(one, set()).add(two)
    assert circle(parts) is None


def test_no_rooms_import_each_other_in_a_circle(imports):
    assert circle(between(imports)) is None


def test_a_circle_is_found_and_named():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) in (
        "b imports c imports b",
        "c imports b imports c",
    )


def test_every_package_that_is_shipped_is_a_room():
    shipped = SETTINGS["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert sorted(Path(package).name for package in shipped) == sorted(ROOMS)


def test_the_core_imports_nothing_that_reads_waits_or_knows_the_time(imports):
    told = {
        module: others
        for module, imported in imports.items()
        if room(module) == "argus_core"
        and (others := {room(other) for other in imported} - PURE - {"argus_core"})
    }
    assert told == {}


def test_the_drawing_of_rooms_shows_what_they_import(imports):
    page = (ROOT / "ARCHITECTURE.md").read_text()
    drawing = re.search(r"## Rooms\n.*?```mermaid\n(.*?)```", page, re.DOTALL)[1]
    drawn = {
        (f"argus_{one}", f"argus_{other}")
        for left, right in re.findall(r"^ *([\w &]+) --> ([\w &]+)$", drawing, re.MULTILINE)
        for one in left.split(" & ")
        for other in right.split(" & ")
    }
    assert drawn == without_detours(between(imports))


def test_the_table_of_rooms_tells_what_they_may_import(imports):
    page = (ROOT / "ARCHITECTURE.md").read_text()
    told = {}
    for name, last in re.findall(r"^\| `\w+/(argus_\w+)` \|.*\| ([^|]*) \|$", page, re.MULTILINE):
        words = {f"argus_{word}" for word in re.findall(r"\w+", last)}
        told[name] = words & set(ROOMS) if "all others" not in last else set(ROOMS)
    rooms = between(imports)
    assert told.keys() == rooms.keys()
    assert {name: rooms[name] - told[name] for name in ROOMS if rooms[name] - told[name]} == {}

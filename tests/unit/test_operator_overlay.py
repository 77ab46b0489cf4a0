"""Pod templates are laid over what Argus makes, as server-side apply would."""

from argus_operator.overlay import covers, overlaid

POD = {
    "securityContext": {"runAsNonRoot": True, "runAsUser": 1},
    "containers": [
        {"name": "worker", "image": "a", "args": ["--x"], "env": [{"name": "A", "value": "1"}]}
    ],
    "tolerations": [{"key": "gpu"}],
}


def test_maps_are_merged():
    found = overlaid(POD, {"securityContext": {"runAsUser": 2}})
    assert found["securityContext"] == {"runAsNonRoot": True, "runAsUser": 2}


def test_containers_are_merged_by_name_and_new_ones_come_last():
    above = {"containers": [{"name": "side", "image": "b"}, {"name": "worker", "image": "c"}]}
    worker, side = overlaid(POD, above)["containers"]
    assert (worker["image"], worker["args"], side["image"]) == ("c", ["--x"], "b")


def test_environment_is_merged_by_name():
    above = {"containers": [{"name": "worker", "env": [{"name": "B", "value": "2"}]}]}
    (worker,) = overlaid(POD, above)["containers"]
    assert [variable["name"] for variable in worker["env"]] == ["A", "B"]


def test_ports_are_told_apart_by_number_and_protocol():
    below = {"ports": [{"containerPort": 1, "protocol": "TCP", "name": "a"}]}
    above = {"ports": [{"containerPort": 1, "name": "b"}, {"containerPort": 1, "protocol": "UDP"}]}
    assert [p.get("name") for p in overlaid(below, above)["ports"]] == ["b", None]


def test_lists_without_keys_are_replaced():
    found = overlaid(
        POD, {"tolerations": [{"key": "mine"}], "containers": [{"name": "worker", "args": []}]}
    )
    assert found["tolerations"] == [{"key": "mine"}]
    assert found["containers"][0]["args"] == []


def test_null_takes_away_and_nothing_given_is_changed():
    assert "tolerations" not in overlaid(POD, {"tolerations": None})
    assert POD["tolerations"]


def test_what_says_more_covers_what_says_less():
    live = {"spec": {"replicas": 2, "template": {"a": 1}, "ports": [{"port": 1, "nodePort": 3}]}}
    assert covers(live, {"spec": {"replicas": 2, "ports": [{"port": 1}]}})
    assert not covers(live, {"spec": {"replicas": 3}})
    assert not covers(live, {"spec": {"ports": [{"port": 2}]}})
    assert not covers({}, {"spec": {}})


def test_an_empty_list_says_nothing_and_an_empty_map_does():
    """The API server keeps no `env: []`; without `emptyDir: {}` a volume is another."""
    assert covers({"name": "a"}, {"name": "a", "env": []})
    assert not covers({"name": "a"}, {"name": "a", "emptyDir": {}})
    assert not covers({"name": "a"}, {"name": "a", "env": [{"name": "b"}]})

from support import costs

LOOP = "main (argus_router/__main__.py:2);run (argus_rpc/lifecycle.py:3);run (asyncio/runners.py:1)"


def test_time_goes_to_what_its_innermost_frame_says():
    told = costs.shares(
        [
            f"{LOOP} 4",
            f"{LOOP};draw (argus_router/service.py:9);choose (argus_core/choice.py:134) 3",
            f"{LOOP};drawn (argus_router/service.py:9);observe (prometheus_client/metrics.py:6) 1",
            f"{LOOP};_run (argus_router/dispatch.py:9);read (grpc/aio/_call.py:6) 1",
            "_bootstrap (threading.py:1);run (threading.py:9) 1",
        ]
    )
    assert {name: share for name, share in told.items() if share} == {
        "gRPC server, event loop": 0.4,
        "admission and decision": 0.3,
        "metrics": 0.1,
        "gRPC: calls of workers": 0.1,
        "gRPC: threads that read and poll": 0.1,
    }


def test_figures_of_several_generators_are_one():
    one = {
        "latency_ms": {"p50": 1.0}, "taken_ms": {"p50": 1.0}, "late_ms": {"p50": 0.1},
        "codes": {"OK": 2}, "answers": 4, "seconds": 1.0, "cpu_seconds": 0.5,
    }  # fmt: skip
    other = one | {"latency_ms": {"p50": 3.0}, "codes": {"OK": 1, "UNAVAILABLE": 1}}
    told = costs.together([one, other])
    assert told["codes"] == {"OK": 3, "UNAVAILABLE": 1}
    assert (told["latency_ms"]["p50"], told["cpu_seconds"], told["answers"]) == (3.0, 1.0, 8)

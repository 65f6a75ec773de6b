"""The page of metrics is one that Prometheus takes."""

from prometheus_client.parser import text_string_to_metric_families

from inferometer.meter.gateway.measures import Measures


def test_every_family_is_declared_once_and_its_samples_stand_together() -> None:
    gauges = {"ready": 1}
    for name in ("a", "b"):
        gauges |= {f'in_flight{{upstream="{name}"}}': 2, f'well{{upstream="{name}"}}': 1}
    families = list(text_string_to_metric_families(Measures().text(gauges)))
    names = [family.name for family in families]
    assert len(set(names)) == len(names)
    kinds = {family.name: (family.type, len(family.samples)) for family in families}
    assert kinds["inferometer_gateway_ready"] == ("gauge", 1)
    assert kinds["inferometer_gateway_well"] == ("gauge", 2)
    assert kinds["inferometer_gateway_in_flight"] == ("gauge", 2)

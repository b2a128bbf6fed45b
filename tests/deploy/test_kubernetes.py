"""The manifests: what kustomize makes of them is valid, and confined in the ways that we want."""

import json
import re
import shlex
from typing import Any

import kubernetes_validate
import pytest
import yaml

from service import __version__
from service.cache.connecting.address import redis_address
from service.settings import load_settings
from tests.deploy.programs import DOCKERFILE, TOP, run

OVERLAYS = TOP / "deploy" / "kubernetes" / "overlays"
KINDS = ("plain", "sentinel", "cluster")
VERSIONS = ("1.30", "1.37")
OF_OTHERS = {"ServiceMonitor"}
"""Kinds that operators add to a cluster: Kubernetes itself has no schema of them."""


@pytest.fixture(scope="module", params=KINDS)
def made(request) -> dict[tuple[str, str], dict[str, Any]]:
    """The resources of an overlay, by kind and name."""
    done = run("kubectl", "kustomize", str(OVERLAYS / request.param))
    assert done.returncode == 0, done.stderr
    resources = list(yaml.safe_load_all(done.stdout))
    found = {(one["kind"], one["metadata"]["name"]): one for one in resources}
    assert len(found) == len(resources)
    return found


@pytest.fixture
def pod(made) -> dict[str, Any]:
    spec: dict[str, Any] = made["Deployment", "runquote"]["spec"]["template"]["spec"]
    return spec


@pytest.fixture
def container(pod) -> dict[str, Any]:
    (one,) = pod["containers"]
    return dict(one)


def test_every_overlay_is_tried():
    assert {path.name for path in OVERLAYS.iterdir()} == set(KINDS)


def test_kubernetes_takes_every_resource_and_knows_every_member(made):
    for (kind, _), resource in made.items():
        if kind in OF_OTHERS:
            continue
        for version in VERSIONS:
            kubernetes_validate.validate(resource, version, strict=True)


def test_a_member_that_there_is_not_would_be_found(made):
    wrong = json.loads(json.dumps(made["Deployment", "runquote"]))
    wrong["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_it_is_one_namespace_with_labels(made):
    for resource in made.values():
        metadata = resource["metadata"]
        assert metadata["namespace"] == "runquote"
        assert metadata["labels"]["app.kubernetes.io/name"] == "runquote"
        assert metadata["labels"]["app.kubernetes.io/version"] == __version__


def test_selectors_find_the_pods_and_a_version_does_not_change_them(made):
    labels = made["Deployment", "runquote"]["spec"]["template"]["metadata"]["labels"]
    selectors = [
        made["Deployment", "runquote"]["spec"]["selector"]["matchLabels"],
        made["PodDisruptionBudget", "runquote"]["spec"]["selector"]["matchLabels"],
        made["NetworkPolicy", "runquote"]["spec"]["podSelector"]["matchLabels"],
        made["Service", "runquote"]["spec"]["selector"],
        made["Service", "runquote-metrics"]["spec"]["selector"],
        *(
            one["labelSelector"]["matchLabels"]
            for one in made["Deployment", "runquote"]["spec"]["template"]["spec"][
                "topologySpreadConstraints"
            ]
        ),
    ]
    for selector in selectors:
        assert selector.items() <= labels.items()
        assert "app.kubernetes.io/version" not in selector
    monitored = made["ServiceMonitor", "runquote"]["spec"]["selector"]["matchLabels"]
    assert monitored.items() <= made["Service", "runquote-metrics"]["metadata"]["labels"].items()
    assert not monitored.items() <= made["Service", "runquote"]["metadata"]["labels"].items()


def test_the_image_is_named_by_its_digest(container):
    assert re.fullmatch(r"[a-z0-9./-]+@sha256:[0-9a-f]{64}", container["image"])


def test_the_pod_is_restricted(pod, container):
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert f"{pod['securityContext']['runAsUser']}:" in DOCKERFILE.read_text()
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    writable = [one["name"] for one in container["volumeMounts"] if not one.get("readOnly")]
    volumes = {one["name"]: one for one in pod["volumes"]}
    assert all("sizeLimit" in volumes[name]["emptyDir"] for name in writable)


def test_memory_is_bounded_and_cpu_is_not_throttled(container):
    requests, limits = container["resources"]["requests"], container["resources"]["limits"]
    assert requests["memory"] == limits["memory"]
    assert "cpu" in requests
    assert "cpu" not in limits


def environment(container) -> dict[str, str]:
    return {one["name"]: one.get("value", "given by a secret") for one in container["env"]}


def test_the_service_starts_with_these_settings(made, container):
    given = environment(container)
    settings = load_settings(given)
    assert settings.keys_file
    assert not settings.open
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    assert ports == {"http": settings.port, "metrics": settings.metrics_port}
    mounts = [one["mountPath"] for one in container["volumeMounts"]]
    assert settings.keys_file.rpartition("/")[0] in mounts
    if settings.redis_url:
        kind = redis_address(settings.redis_url.replace("$(REDIS_PASSWORD)", "secret")).kind
        assert kind in {"sentinel", "cluster"}
        names = [one["name"] for one in container["env"]]
        assert names.index("REDIS_PASSWORD") < names.index("RUNQUOTE_REDIS_URL")


def test_the_kernel_of_kubernetes_waits_longer_than_the_service(pod, container):
    settings = load_settings(environment(container))
    *_, sleeps = container["lifecycle"]["preStop"]["exec"]["command"]
    sleeps_s = float(re.findall(r"sleep\((\d+)\)", sleeps)[0])
    ends_s = sleeps_s + settings.drain_s + settings.shutdown_timeout_s
    assert pod["terminationGracePeriodSeconds"] > ends_s
    ready = container["readinessProbe"]
    notices_s = ready["periodSeconds"] * ready["failureThreshold"] + ready["timeoutSeconds"]
    assert sleeps_s + settings.drain_s > notices_s
    entry = shlex.split(container["lifecycle"]["preStop"]["exec"]["command"][0])[0]
    assert f'"{entry}"' in DOCKERFILE.read_text()


def test_probes_ask_what_they_are_for(container):
    assert container["startupProbe"]["httpGet"]["path"] == "/readyz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    live = container["livenessProbe"]
    assert live["periodSeconds"] * live["failureThreshold"] >= 30  # a busy loop is no dead one


def test_there_are_always_two_and_one_at_most_goes_at_a_time(made):
    deployment = made["Deployment", "runquote"]["spec"]
    scaler = made["HorizontalPodAutoscaler", "runquote"]["spec"]
    assert deployment["replicas"] >= 2
    assert scaler["minReplicas"] >= 2
    assert scaler["scaleTargetRef"]["name"] == "runquote"
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert made["PodDisruptionBudget", "runquote"]["spec"]["maxUnavailable"] == 1
    spread = {
        one["topologyKey"]: one["whenUnsatisfiable"]
        for one in deployment["template"]["spec"]["topologySpreadConstraints"]
    }
    assert spread["kubernetes.io/hostname"] == "DoNotSchedule"
    assert "topology.kubernetes.io/zone" in spread


def test_the_network_lets_in_callers_and_scrapers_and_lets_out_to_names_and_redis(made, container):
    policy = made["NetworkPolicy", "runquote"]["spec"]
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert all(rule["from"] and rule["ports"] for rule in policy["ingress"])
    scrapers = [
        rule
        for rule in policy["ingress"]
        if {"port": "metrics", "protocol": "TCP"} in rule["ports"]
    ]
    assert len(scrapers) == 1
    assert len(scrapers[0]["ports"]) == 1
    names, *others = policy["egress"]
    (servers,) = names["to"]
    assert servers["podSelector"] == {"matchLabels": {"k8s-app": "kube-dns"}}
    asked = environment(container).get("RUNQUOTE_REDIS_URL", "")
    assert bool(others) == bool(asked)
    for rule in others:
        (to,) = rule["to"]
        assert to["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "redis"}
        ports = {one["port"] for one in rule["ports"]}
        assert ports == ({6379, 26379} if "sentinel" in asked else {6379})

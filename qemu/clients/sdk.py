"""The Python SDK's basic calls to the engine of DOCKER_HOST. Runs the function that is named; a failure is an AssertionError."""

import io
import sys

import docker

IMAGE = "busybox:latest"
WAIT = ["sleep", "86400"]


def version(client):
    assert client.ping()
    told = client.version()
    assert told["Os"] == "linux" and told["ApiVersion"], told
    assert client.info()["ServerVersion"] == told["Version"]


def images(client):
    client.images.get(IMAGE).tag("sdk", "saved")
    archive = b"".join(client.images.get("sdk:saved").save(named="sdk:saved"))
    client.images.remove("sdk:saved")
    assert not client.images.list("sdk")
    loaded = client.images.load(archive)
    assert [image.tags for image in loaded if "sdk:saved" in image.tags], loaded
    client.images.remove("sdk:saved")


def containers(client):
    container = client.containers.run(
        IMAGE, ["sh", "-c", "echo begins; exec sleep 86400"], detach=True, stop_signal="KILL"
    )
    try:
        code, output = container.exec_run(["sh", "-c", "echo inside; exit 7"])
        assert (code, output) == (7, b"inside\n"), (code, output)
        assert container.logs() == b"begins\n", container.logs()
        assert container in client.containers.list()
        container.stop()
        assert container.wait()["StatusCode"] == 137
    finally:
        container.remove(force=True)


def volumes_and_networks(client):
    volume = client.volumes.create("sdk")
    network = client.networks.create("sdk")
    mount = {volume.name: {"bind": "/kept", "mode": "rw"}}
    container = client.containers.run(
        IMAGE, WAIT, volumes=mount, network=network.name, detach=True
    )
    try:
        write = ["sh", "-c", "echo kept > /kept/file && cat /kept/file"]
        assert container.exec_run(write) == (0, b"kept\n")
        network.reload()
        assert network.containers == [container], network.attrs
        address = network.attrs["Containers"][container.id]["IPv4Address"].split("/")[0]
        asked = container.exec_run(["ping", "-c", "1", "-W", "10", container.id[:12]])
        assert address in asked.output.decode(), asked
    finally:
        container.remove(force=True)
        network.remove()
        volume.remove()


def events(client):
    said = client.containers.run(IMAGE, ["echo", "ran"], name="sdk-events", remove=True)
    assert said == b"ran\n", said
    seen = []
    for event in client.events(decode=True, since=0, filters={"container": "sdk-events"}):
        seen.append(event["Action"])
        if event["Action"] == "destroy":
            break
    life = ["create", "start", "die", "destroy"]
    assert [action for action in seen if action in life] == life, seen


def build(client):
    dockerfile = io.BytesIO(f"FROM {IMAGE}\nRUN echo a step says this\n".encode())
    image, log = client.images.build(fileobj=dockerfile, tag="sdk:built", rm=True)
    try:
        said = [line.get("stream") for line in log]
        assert "a step says this\n" in said, said
        assert image.tags == ["sdk:built"], image.tags
    finally:
        client.images.remove(image.id)


if __name__ == "__main__":
    globals()[sys.argv[1]](docker.from_env(timeout=90))

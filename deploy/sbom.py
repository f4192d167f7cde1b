#!/usr/bin/env python3
"""Prints what is in the image as CycloneDX 1.5: the crates that the two programs are linked with, on
Linux, and the Go modules of signet-kustomize. The same commit gives the same bytes."""

import json
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = ("controller", "kubeseal-cli")
KUSTOMIZE = ROOT / "controller/delivery/kustomize"
PLATFORM = "x86_64-unknown-linux-gnu"


def output(*command, directory=ROOT):
    return subprocess.run(command, cwd=directory, check=True, stdout=subprocess.PIPE, text=True).stdout


def crates():
    """What is linked into the programs. `cargo metadata` would name what only tests or builds ask for
    as well: it adds up the features of all of them."""
    programs = [word for program in PROGRAMS for word in ("--package", program)]
    lines = output(
        "cargo", "tree", "--locked", "--edges", "normal", "--target", PLATFORM,
        "--prefix", "none", "--no-dedupe", "--format", "{p}|{l}", *programs,
    )
    for line in set(filter(None, lines.splitlines())):
        package, _, licence = line.partition("|")
        name, version = package.split()[:2]
        yield crate(name, version.removeprefix("v"), licence)


def crate(name, version, licence):
    component = {
        "type": "application" if name in PROGRAMS else "library",
        "name": name,
        "version": version,
        "purl": f"pkg:cargo/{name}@{version}",
    }
    if licence:
        component["licenses"] = [{"expression": licence.replace("/", " OR ")}]
    return component


def checksums():
    """The digests of Cargo.lock, by name and version."""
    found, name, version = {}, None, None
    for line in (ROOT / "Cargo.lock").read_text().splitlines():
        field, _, value = line.partition(" = ")
        if field == "name":
            name = value.strip('"')
        elif field == "version":
            version = value.strip('"')
        elif field == "checksum":
            found[name, version] = value.strip('"')
    return found


def modules():
    form = "{{with .Module}}{{.Path}} {{.Version}}{{end}}"
    lines = set(output("go", "list", "-deps", "-f", form, ".", directory=KUSTOMIZE).splitlines())
    for line in lines:
        path, _, version = line.partition(" ")
        if version:
            yield {
                "type": "library",
                "name": path,
                "version": version,
                "purl": f"pkg:golang/{path}@{version}",
            }


def main():
    known = checksums()
    components = []
    for component in crates():
        digest = known.get((component["name"], component["version"]))
        if digest:
            component["hashes"] = [{"alg": "SHA-256", "content": digest}]
        components.append(component)
    components.extend(modules())
    for component in components:
        component["bom-ref"] = component["purl"]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": "signet", "bom-ref": "signet"}},
        "components": sorted(components, key=lambda component: component["purl"]),
    }
    print(json.dumps(document, indent=1, ensure_ascii=False))


main()

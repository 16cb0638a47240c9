#!/usr/bin/env python3
"""Looks into what `cargo package` has made of both crates: each is small, has its readme and examples and nothing that
belongs to the repository, and builds outside of it, one against the other."""

import pathlib
import subprocess
import sys
import tarfile
import tempfile

AT_MOST = 512 * 1024  # bytes, compressed
HAS = {"autograd": ["examples/xor.rs", "tests/custom_op.rs"], "transformer": ["src/main.rs", "examples/characters.rs"]}
HAS_NOT = {"autograd": [], "transformer": ["tests/"]}

packages = pathlib.Path("target/package")
version = next(
    line.split('"')[1] for line in pathlib.Path("Cargo.toml").read_text().splitlines() if line.startswith("version = ")
)
with tempfile.TemporaryDirectory() as directory:
    for crate in HAS:
        path = packages / f"{crate}-{version}.crate"
        size = path.stat().st_size
        if size > AT_MOST:
            sys.exit(f"{path} has {size} bytes, more than {AT_MOST}")
        with tarfile.open(path) as archive:
            names = [name.split("/", 1)[1] for name in archive.getnames()]
            archive.extractall(directory, filter="data")
        for name in ["README.md", "Cargo.toml", "Cargo.lock", *HAS[crate]]:
            if name not in names:
                sys.exit(f"{path} lacks {name}")
        for beginning in HAS_NOT[crate]:
            if any(name.startswith(beginning) for name in names):
                sys.exit(f"{path} has {beginning}, which belongs to the repository")
        print(f"{path}: {len(names)} files, {size // 1024} KiB")
    autograd, transformer = (pathlib.Path(directory) / f"{crate}-{version}" for crate in ("autograd", "transformer"))
    subprocess.run(
        ["cargo", "check", "--quiet", "--lib", "--bins", "--manifest-path", transformer / "Cargo.toml"]
        + ["--target-dir", "target", "--config", f"patch.crates-io.autograd.path='{autograd}'"],
        check=True,
    )
print("both build outside of the repository")

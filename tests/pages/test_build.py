"""How the pages are built: where their sources changed, by a Node from somewhere, and with words where not."""

import json
import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from tests.npm import assert_pinned
from web import build

ROOT = Path(__file__).parents[2]
NODE = "#!/bin/sh\necho {version}\n"
NPM = '#!/bin/sh\necho "$*" >> "{said}"\n{then}\n'


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sources of pages, with packages that are installed, apart from the project's own."""
    folder = tmp_path / "web"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "main.ts").write_text("export {};")
    (folder / "page.html").write_text("<title>A page</title>")
    (tmp_path / "schema.graphql").write_text("type Query { hello: String }")
    _lock(folder, {"node_modules/vite": {"integrity": "sha512-1"}, "node_modules/tester": {"dev": True}})
    _note_installed(folder, {"node_modules/vite": {"integrity": "sha512-1"}})
    monkeypatch.setattr(build, "SOURCES", folder)
    monkeypatch.setattr(build, "SCHEMA", tmp_path / "schema.graphql")
    monkeypatch.setattr(build, "BUILT", tmp_path / "gateway" / "web")
    monkeypatch.setattr(build, "_made_from", lambda: [*sorted((folder / "src").iterdir()), tmp_path / "schema.graphql"])
    return folder


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose PATH has nothing of ours, in an environment without Node's wheel."""
    path = tmp_path / "bin"
    path.mkdir()
    monkeypatch.setenv("PATH", f"{path}{os.pathsep}/bin")
    for name in ("node", "npm"):
        if Path("/bin", name).exists():
            # Debian's /bin is /usr/bin.
            monkeypatch.setenv("PATH", str(path))
    monkeypatch.setattr(build, "_of_the_wheel", lambda *_: None)
    return path


def _tool(path: Path, name: str, script: str) -> None:
    (path / name).write_text(script)
    (path / name).chmod(0o755)


def _node(path: Path, version: str = "v24.1.0") -> None:
    _tool(path, "node", NODE.format(version=version))


def _npm(path: Path, then: str = ":") -> Path:
    said = path / "npm-was-asked"
    _tool(path, "npm", NPM.format(said=said, then=then))
    return said


def _lock(folder: Path, packages: dict[str, object]) -> None:
    (folder / "package-lock.json").write_text(json.dumps({"packages": {"": {"name": "pages"}, **packages}}))


def _note_installed(folder: Path, packages: dict[str, object]) -> None:
    (folder / "node_modules").mkdir(exist_ok=True)
    (folder / "node_modules" / ".package-lock.json").write_text(json.dumps({"packages": packages}))


def _writing(folder: Path) -> str:
    """What a bundler would do."""
    built = folder.parent / "gateway" / "web"
    return f"/bin/mkdir -p {built}/assets && echo 'a script' > {built}/assets/a.js"


@pytest.fixture
def hook() -> ModuleType:
    """`hatch_build.py`, without Hatch."""
    spec = spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_sources_that_did_not_change_build_nothing(sources: Path, machine: Path) -> None:
    _node(machine)
    said = _npm(machine, _writing(sources))
    assert build.build() is True
    assert build.build() is False
    assert said.read_text().splitlines() == ["run build"]
    for changed in (sources / "src" / "main.ts", sources.parent / "schema.graphql"):
        changed.write_text(changed.read_text() + " ")
        assert build.build() is True
        assert build.build() is False
    (sources / "src" / "main.ts").rename(sources / "src" / "other.ts")
    assert build.build() is True
    assert said.read_text().splitlines() == ["run build"] * 4


def test_a_build_that_failed_is_not_taken_for_one_that_did_not(sources: Path, machine: Path) -> None:
    _node(machine)
    _npm(machine, f"{_writing(sources)}; echo 'a.ts: no such thing'; exit 1")
    for _ in range(2):
        with pytest.raises(build.PagesError, match=r"npm run build failed:\na.ts: no such thing"):
            build.build()


def test_text_is_packed_beside_itself_and_equal_sources_make_equal_files(sources: Path, machine: Path) -> None:
    _node(machine)
    _npm(machine, f"{_writing(sources)} && echo picture > {sources.parent}/gateway/web/assets/a.png")
    build.build()
    assets = sources.parent / "gateway" / "web" / "assets"
    first = (assets / "a.js.gz").read_bytes()
    assert sorted(path.name for path in assets.iterdir()) == ["a.js", "a.js.gz", "a.png"]
    (sources.parent / "gateway" / "web" / ".made-from").unlink()
    build.build()
    assert (assets / "a.js.gz").read_bytes() == first


def test_packages_are_brought_only_where_they_are_not_as_locked(sources: Path, machine: Path) -> None:
    _node(machine)
    said = _npm(machine, _writing(sources))
    _lock(sources, {"node_modules/vite": {"integrity": "sha512-2"}, "node_modules/elsewhere": {"optional": True}})
    build.build()
    assert said.read_text().splitlines() == [
        "ci --no-fund --no-audit --loglevel=error --omit=dev",
        "run build",
    ]


def test_a_check_brings_what_only_checks_need(sources: Path, machine: Path) -> None:
    _node(machine)
    said = _npm(machine)
    build.check()
    assert said.read_text().splitlines() == ["ci --no-fund --no-audit --loglevel=error", "run check", "test"]
    _note_installed(sources, {"node_modules/vite": {"integrity": "sha512-1"}, "node_modules/tester": {}})
    said.unlink()
    build.check()
    assert said.read_text().splitlines() == ["run check", "test"]


@pytest.mark.usefixtures("sources")
def test_without_node_or_with_an_old_one_it_is_said_what_to_do(machine: Path) -> None:
    with pytest.raises(build.PagesError, match=r"Node 22\.12 or newer .* pip install .* GATEWAY_WEB=off"):
        build.build()
    _npm(machine)
    for version in ("v20.19.5", "v22.11.0", "nonsense"):
        _node(machine, version)
        assert build.find_node() is None
        assert build.has_node() is False
    for version in ("v22.12.0", "v24.0.0"):
        _node(machine, version)
        assert build.find_node() == machine / "node"
        assert build.has_node() is True


def test_a_node_without_npm_is_passed_over(machine: Path) -> None:
    _node(machine)
    assert build.find_node() is None
    assert build.has_node() is False


def test_npm_that_does_not_reach_its_registry_is_said_to(sources: Path, machine: Path) -> None:
    _node(machine)
    _npm(machine, "echo 'npm error code ECONNREFUSED'; exit 1")
    _note_installed(sources, {})
    with pytest.raises(build.PagesError, match="is its registry reached") as raised:
        build.build()
    assert "ECONNREFUSED" in str(raised.value)
    assert "GATEWAY_WEB=off" in str(raised.value)
    assert not build.BUILT.exists()


def test_the_pages_are_wanted_unless_they_are_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GATEWAY_WEB", raising=False)
    assert build.is_wanted()
    for value, wanted in (("on", True), ("", True), ("off", False), ("OFF", False), ("0", False), ("no", False)):
        monkeypatch.setenv("GATEWAY_WEB", value)
        assert build.is_wanted() is wanted


def test_the_command_says_what_it_does_not_know_and_what_it_leaves_out() -> None:
    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "web" / "build.py"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})

    assert run("chek").returncode == 1
    assert "usage" in run("chek").stderr
    off = run(GATEWAY_WEB="off")
    assert (off.returncode, off.stdout) == (0, "GATEWAY_WEB=off: the pages are not built.\n")


def test_an_installation_brings_node_only_where_the_machine_has_none(
    hook: ModuleType, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hook, "pages", build)
    monkeypatch.delenv("GATEWAY_WEB", raising=False)
    asked = hook.PagesHook.dependencies
    assert asked(None) == [build.NODE_PACKAGE]
    _node(machine)
    _npm(machine)
    assert asked(None) == []
    (machine / "npm").unlink()
    assert asked(None) == [build.NODE_PACKAGE]
    monkeypatch.setenv("GATEWAY_WEB", "off")
    assert asked(None) == []


def test_what_the_pages_are_made_from_is_no_test_and_nothing_generated() -> None:
    names = {path.name for path in build._made_from()}
    assert {"schema.graphql", "package-lock.json", "dashboard.html", "overview.graphql", "build.py"} <= names
    assert not any(name.endswith(".test.ts") or name == "generated.ts" for name in names)


def test_the_lock_file_has_a_checksum_for_each_package_and_no_address() -> None:
    assert_pinned(ROOT / "web")

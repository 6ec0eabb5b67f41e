"""Includes point only downwards: the order of the folders, read from every #include line of the product.

check(root) returns one finding per line that breaks the order, as "file:line: what · how to fix". No third-party module.
"""
import pathlib
import re

# Each step may include itself and the steps above it in this list. Folders of one step don't know of one another. cuda has
# no public header: nothing can include it, it is reached through comm's Accelerator only.
ORDER = (
    {"core"}, {"config"}, {"weights"}, {"data", "model", "comm"}, {"cuda"}, {"gradients"}, {"features"}, {"optim"}, {"checkpoint"}, {"evaluate"},
    {"record"}, {"train"}, {"report"}, {"sweep", "scaling"}, {"commands"},
)
STEP_OF = {layer: step for step, layers in enumerate(ORDER) for layer in layers}

# preprocess/ is a program of its own that starts fast: no tensors, and of the ranks only who they are.
PREPROCESS_MAY = {"core", "config", "data"}
PREPROCESS_MAY_FILES = {"lockstep/comm/core_share.hpp", "lockstep/comm/run_in_world.hpp", "lockstep/comm/world.hpp"}  # what comm has without tensors

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
LIBTORCH = re.compile(r"^(ATen|c10|torch)/")
OPENCV = re.compile(r"^opencv2/")


class Source:
    """A file of the product: its layer and its include lines."""

    def __init__(self, root, path):
        self.path = path
        self.name = path.relative_to(root).as_posix()
        self.layer = layer_of(path.relative_to(root).parts)
        self.includes = []  # (line number, text between the quotes or brackets)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if match := INCLUDE.match(line):
                self.includes.append((number, match[2]))


def layer_of(parts):
    if parts[0] == "preprocess":
        return "preprocess"
    folders = parts[2:-1] if parts[0] == "include" else parts[1:-1]
    return folders[0] if folders else None


def target_layer(included):
    """Layer of a header of ours, and whether it is a public one; (None, False) for everything else."""
    parts = included.split("/")
    if parts[0] == "lockstep" and len(parts) > 2:
        return parts[1], True
    if parts[0] in STEP_OF or parts[0] == "preprocess":
        return parts[0], False
    return None, False


def sources(root):
    for folder in ("include", "src", "preprocess"):
        for path in sorted((root / folder).rglob("*.[ch]pp")):
            yield Source(root, path)


def check(root):
    root = pathlib.Path(root)
    files = list(sources(root))
    findings = []
    for file in files:
        if file.layer is not None and file.layer not in STEP_OF and file.layer != "preprocess":
            findings.append(f"{file.name}:1: folder {file.layer}/ has no place in the order · add it to ORDER in "
                            "tests/structure/include_direction.py and to the README's table")
            continue
        for number, included in file.includes:
            if wrong := fault(file, included):
                findings.append(f"{file.name}:{number}: {wrong}")
    return findings + tensors_in_preprocess(root, files)


def fault(file, included):
    """What is wrong with one include line, or None."""
    if OPENCV.match(included) and file.layer != "preprocess":
        return f"<{included}> outside preprocess/ · OpenCV's codecs cost every process 0.1 s and 50 MB: keep them there"
    layer, public = target_layer(included)
    if layer is None or file.layer is None or layer == file.layer:
        return None
    if not public:
        return f"{included} is private to {layer}/ · include a header of include/lockstep/{layer}/, or move it there"
    if layer not in STEP_OF:
        return f"{included}: folder {layer}/ has no place in the order · correct the path, or add the folder to ORDER"
    if file.layer == "preprocess":
        if layer in PREPROCESS_MAY or included in PREPROCESS_MAY_FILES:
            return None
        return f"preprocess/ includes {included} · it may use {', '.join(sorted(PREPROCESS_MAY))} and of comm what has no tensors only"
    if STEP_OF[layer] == STEP_OF[file.layer]:
        return (f"{file.layer}/ includes {included}, its sibling · pass what is needed in as a value or a small interface "
                "from a layer above both")
    if STEP_OF[layer] > STEP_OF[file.layer]:
        return f"{file.layer}/ includes {included}, which is built upon it · move the shared part down, or the caller up"
    return None


def tensors_in_preprocess(root, files):
    """LibTorch reached from preprocess/, also through headers of other layers."""
    by_name = {file.name: file for file in files}
    findings = []
    for start in (file for file in files if file.layer == "preprocess"):
        seen, todo = {start.name}, [(start, [])]
        while todo:
            file, way = todo.pop()
            for number, included in file.includes:
                step = f"{file.name}:{number}"
                if LIBTORCH.match(included):
                    via = " via " + " > ".join(way) if way else ""
                    findings.append(f"{step}: <{included}> reaches {start.name}{via} · preprocess/ links no LibTorch: "
                                    "split the header, or use one without tensors")
                    continue
                for name in (f"include/{included}", f"src/{included}", included):
                    if name in by_name and name not in seen:
                        seen.add(name)
                        todo.append((by_name[name], way + [step]))
    return findings

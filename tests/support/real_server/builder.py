"""Convert workflows with InvokeAI's own code: `python -P builder.py [FILE ...]`, with the Python that has it.

They are those that come with InvokeAI, and the `workflow` of each file.

Prints a JSON list of `{"workflow": ..., "graph": ...}`. The graphs are not validated, since these workflows have no
models selected.
"""

import contextlib
import json
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
with contextlib.redirect_stdout(sys.stderr):
    from launcher import import_torchvision

    import_torchvision()
    from invokeai.app.services import workflow_records
    from invokeai.app.services.shared import workflow_graph_builder as builder

# This check is for workflows that are called by others and must return something.
builder._validate_callable_workflow_nodes = lambda nodes: None  # noqa: SLF001
builder.Graph.model_validate = lambda graph: graph

folder = Path(workflow_records.__file__).parent / "default_workflows"
workflows = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
workflows += [json.loads(Path(path).read_text())["workflow"] for path in sys.argv[1:]]
built = [{"workflow": workflow, "graph": builder.build_graph_from_workflow(workflow)} for workflow in workflows]
json.dump(built, sys.stdout, default=lambda model: model.model_dump())

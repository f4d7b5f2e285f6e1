"""The routes of workflows, models and prompt templates: `/api/v1/workflows`, `/api/v2/models`, `/api/v1/utilities`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, HTTPException, Query

from .batch import WorkflowWithoutID
from .nodes import MODELS, BaseModelType, ModelType
from .services import Parts, User

router = APIRouter(prefix="/api")


@router.get("/v1/workflows/")
def list_workflows(
    services: Parts,
    user: User,
    page: int = 0,
    per_page: int | None = None,
    categories: Annotated[list[Literal["user", "default"]] | None, Query()] = None,
    query: str = "",
) -> dict[str, Any]:
    """Get a page of workflows."""
    items, total = services.library.page(user, categories=categories or [], query=query, page=page, per_page=per_page)
    pages = -(-total // per_page) if per_page else 1
    return {"page": page, "pages": pages, "per_page": per_page or total, "total": total, "items": items}


@router.post("/v1/workflows/")
def create_workflow(
    services: Parts, user: User, workflow: Annotated[WorkflowWithoutID, Body(embed=True)]
) -> dict[str, Any]:
    """Create a workflow. In single-user mode it is everyone's."""
    return services.library.create(workflow, user_id=user.user_id, is_public=not services.settings.multiuser)


@router.get("/v1/workflows/i/{workflow_id}")
def get_workflow(services: Parts, user: User, workflow_id: str) -> dict[str, Any]:
    """Get a workflow."""
    record = services.library.get(workflow_id)
    is_own = user.is_admin or record["user_id"] == user.user_id
    if services.settings.multiuser and not (record["category"] == "default" or record["is_public"] or is_own):
        raise HTTPException(403, "Not authorized to access this workflow")
    return record


@router.delete("/v1/workflows/i/{workflow_id}")
def delete_workflow(services: Parts, user: User, workflow_id: str) -> None:
    """Delete a workflow."""
    record = services.library.get(workflow_id)
    if services.settings.multiuser and not (user.is_admin or record["user_id"] == user.user_id):
        raise HTTPException(403, "Not authorized to delete this workflow")
    services.library.delete(workflow_id)


@router.get("/v2/models/")
def list_model_records(
    user: User,
    base_models: Annotated[list[BaseModelType] | None, Query()] = None,
    model_type: ModelType | None = None,
) -> dict[str, Any]:
    """Get a list of models."""
    of_type = [model for model in MODELS if model_type in (None, model["type"])]
    if base_models:
        of_type = [model for base in base_models for model in of_type if model["base"] == base]
    return {"models": of_type}


@router.post("/v1/utilities/dynamicprompts")
def parse_dynamicprompts(
    user: User,
    prompt: Annotated[str, Body()],
    max_prompts: Annotated[int, Body(ge=1, le=10000)] = 1000,
    combinatorial: Annotated[bool, Body()] = True,
    seed: Annotated[int | None, Body()] = None,
) -> dict[str, Any]:
    """Get the prompts that a template stands for, or why it cannot be understood."""
    from dynamicprompts.generators import CombinatorialPromptGenerator, RandomPromptGenerator
    from pyparsing import ParseException

    try:
        if not combinatorial:
            prompts = RandomPromptGenerator(seed=seed).generate(prompt, num_images=max_prompts)
        elif missing := sorted(_wildcards_in_variants(prompt)):
            return {"prompts": [prompt], "error": f"No values found for wildcard(s): {', '.join(missing)}"}
        else:
            prompts = CombinatorialPromptGenerator().generate(prompt, max_prompts=max_prompts)
    except ParseException as error:
        return {"prompts": [prompt], "error": str(error)}
    return {"prompts": prompts or [""], "error": None}


def _wildcards_in_variants(prompt: str) -> set[str]:
    """Return the wildcards in variants. They name files, of which there are none: expanding one would never end."""
    from dynamicprompts.commands import SequenceCommand, VariantCommand, WildcardCommand, WrapCommand
    from dynamicprompts.parser.parse import parse

    def names(command: Any, in_variant: bool) -> set[str]:
        parts: list[Any] = []
        if isinstance(command, WildcardCommand):
            return {command.wildcard} if in_variant and isinstance(command.wildcard, str) else set()
        if isinstance(command, SequenceCommand):
            parts = command.tokens
        elif isinstance(command, VariantCommand):
            parts, in_variant = command.values, True
        elif isinstance(command, WrapCommand):
            parts = [command.wrapper, command.inner]
        return {name for part in parts for name in names(part, in_variant)}

    return names(parse(prompt), False)

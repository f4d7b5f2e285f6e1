"""The routes of workflows, models and prompt templates: `/api/v1/workflows`, `/api/v2/models`, `/api/v1/utilities`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Body, HTTPException, Path, Query
from pydantic import BaseModel

from .batch import WorkflowWithoutID
from .library import WorkflowNotFoundError
from .nodes import MODELS, BaseModelType, ModelType
from .services import Parts, Services, User

router = APIRouter(prefix="/api")

WorkflowId = Annotated[str, Path(description="The id of the workflow")]


class WorkflowCategory(StrEnum):
    """Whether a workflow came with the server"""

    User = "user"
    Default = "default"


class Workflow(WorkflowWithoutID):
    """A workflow in the library"""

    id: str


class WorkflowRecordListItemWithThumbnailDTO(BaseModel):
    """A workflow's record in a list"""

    workflow_id: str
    name: str
    description: str
    category: WorkflowCategory
    tags: str
    created_at: str
    updated_at: str
    opened_at: str | None = None
    user_id: str
    is_public: bool
    thumbnail_url: str | None = None


class PaginatedResults_WorkflowRecordListItemWithThumbnailDTO_(BaseModel):  # noqa: N801 - the schema's name
    """A page of workflows"""

    page: int
    pages: int
    per_page: int
    total: int
    items: list[WorkflowRecordListItemWithThumbnailDTO]


class WorkflowRecordDTO(BaseModel):
    """A workflow's record"""

    workflow_id: str
    name: str
    created_at: str
    updated_at: str
    opened_at: str | None = None
    user_id: str
    is_public: bool
    workflow: Workflow


class WorkflowRecordWithThumbnailDTO(WorkflowRecordDTO):
    """A workflow's record, and where its thumbnail is"""

    thumbnail_url: str | None = None


class ModelsList(BaseModel):
    """Models"""

    models: list[dict[str, Any]]


class DynamicPromptsResponse(BaseModel):
    """What a template stands for, or why it cannot be understood"""

    prompts: list[str]
    error: str | None = None


@router.get(
    "/v1/workflows/",
    operation_id="list_workflows",
    response_model=PaginatedResults_WorkflowRecordListItemWithThumbnailDTO_,
)
def list_workflows(
    services: Parts,
    user: User,
    page: Annotated[int, Query(description="The page to get")] = 0,
    per_page: Annotated[int | None, Query(description="The number of workflows per page")] = None,
    categories: Annotated[list[WorkflowCategory] | None, Query(description="The categories to get")] = None,
    query: Annotated[str | None, Query(description="The text to query by")] = None,
) -> dict[str, Any]:
    """Get a page of workflows."""
    chosen = [category.value for category in categories or []]
    items, total = services.library.page(user, categories=chosen, query=query or "", page=page, per_page=per_page)
    pages = -(-total // per_page) if per_page else 1
    return {"page": page, "pages": pages, "per_page": per_page or total, "total": total, "items": items}


@router.post("/v1/workflows/", operation_id="create_workflow", response_model=WorkflowRecordDTO)
def create_workflow(
    services: Parts,
    user: User,
    workflow: Annotated[WorkflowWithoutID, Body(embed=True, description="The workflow to create")],
) -> dict[str, Any]:
    """Create a workflow. In single-user mode it is everyone's."""
    return services.library.create(workflow, user_id=user.user_id, is_public=not services.settings.multiuser)


def _workflow(services: Services, workflow_id: str) -> dict[str, Any]:
    try:
        return services.library.get(workflow_id)
    except WorkflowNotFoundError:
        raise HTTPException(404, "Workflow not found") from None


@router.get("/v1/workflows/i/{workflow_id}", operation_id="get_workflow", response_model=WorkflowRecordWithThumbnailDTO)
def get_workflow(services: Parts, user: User, workflow_id: WorkflowId) -> dict[str, Any]:
    """Get a workflow."""
    record = _workflow(services, workflow_id)
    is_own = user.is_admin or record["user_id"] == user.user_id
    if services.settings.multiuser and not (record["category"] == "default" or record["is_public"] or is_own):
        raise HTTPException(403, "Not authorized to access this workflow")
    return record


@router.delete("/v1/workflows/i/{workflow_id}", operation_id="delete_workflow")
def delete_workflow(services: Parts, user: User, workflow_id: WorkflowId) -> None:
    """Delete a workflow."""
    record = _workflow(services, workflow_id)
    if services.settings.multiuser and not (user.is_admin or record["user_id"] == user.user_id):
        raise HTTPException(403, "Not authorized to delete this workflow")
    services.library.delete(workflow_id)


@router.get("/v2/models/", operation_id="list_model_records", response_model=ModelsList)
def list_model_records(
    user: User,
    base_models: Annotated[list[BaseModelType] | None, Query(description="Base models to include")] = None,
    model_type: Annotated[ModelType | None, Query(description="The type of model to get")] = None,
) -> dict[str, Any]:
    """Get a list of models."""
    of_type = [model for model in MODELS if model_type in (None, model["type"])]
    if base_models:
        of_type = [model for base in base_models for model in of_type if model["base"] == base]
    return {"models": of_type}


@router.post("/v1/utilities/dynamicprompts", operation_id="parse_dynamicprompts", response_model=DynamicPromptsResponse)
def parse_dynamicprompts(
    user: User,
    prompt: Annotated[str, Body(description="The prompt to parse with dynamicprompts")],
    max_prompts: Annotated[int, Body(ge=1, le=10000, description="The max number of prompts to generate")] = 1000,
    combinatorial: Annotated[bool, Body(description="Whether to use the combinatorial generator")] = True,
    seed: Annotated[int | None, Body(description="The seed of the random generator")] = None,
) -> dict[str, Any]:
    """Get the prompts that a template stands for."""
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
    """Return the names in variants that stand for files, of which there are none: they would never come to an end."""
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

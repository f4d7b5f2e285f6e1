"""Diagnoses of failed jobs: tables, and one pure function over them.

For a failed job the server sends the exception's class without its module, its text and its traceback. Sources of the
tables: the exceptions of InvokeAI's own nodes (6.13.8 and 6.14.2) and of the libraries below them (torch, diffusers,
safetensors, huggingface_hub, requests, Pillow, the operating system).

The tables are tried in this order, which is also theirs below; the first match decides:

1. `OUT_OF_MEMORY` and `DISK_FULL_TEXTS`: texts about memory or disk, with any class, since libraries wrap the system's
   errors in their own;
2. `BY_CLASS`: exceptions whose class is enough;
3. `BY_TEXT`: other texts, row by row;
4. `BY_BROAD_CLASS`: exceptions whose class is a hint;
5. `_BLAMES_INPUT`: words with which nodes refuse their inputs.

Substrings rather than regular expressions: they are easy to read, and 150 of them cost a few microseconds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from invoke_widgets.errors import JobErrorType


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A class of error, what to do about it, and whether doing the same again may succeed."""

    error_type: JobErrorType
    suggestion: str
    retryable: bool = False


_T = JobErrorType

GPU_MEMORY = Diagnosis(
    _T.RESOURCE_ERROR,
    "The GPU ran out of memory: use a smaller image, batch or model, or free the server's model cache.",
)
HOST_MEMORY = Diagnosis(
    _T.RESOURCE_ERROR, "The server ran out of memory: use a smaller image or model, or close other programs there."
)
DISK_FULL = Diagnosis(_T.RESOURCE_ERROR, "The server's disk is full: free some space there, then retry.")
QUEUE_FULL = Diagnosis(
    _T.RESOURCE_ERROR, "The queue is full: wait until items have run, or cancel some, then submit the rest.", True
)
_FILES = Diagnosis(_T.RESOURCE_ERROR, "The server has too many files open: restart it, then retry.", True)
_LOCKED = Diagnosis(_T.RESOURCE_ERROR, "The server's database was busy: retry.", True)
_NOT_SAVED = Diagnosis(
    _T.RESOURCE_ERROR, "The server could not write a file: look whether its disk is full and its folder is writable."
)
_HUGE_IMAGE = Diagnosis(_T.RESOURCE_ERROR, "The image has more pixels than the server takes: make it smaller.")
_QUOTA = Diagnosis(_T.RESOURCE_ERROR, "The provider limits how often it is asked: wait a while, then retry.", True)

_NO_INPUT = Diagnosis(_T.VALIDATION_ERROR, "Give the named field a value, or connect an edge to it.")
_NO_MODEL = Diagnosis(
    _T.VALIDATION_ERROR, "The server has no such model: install it, or choose one that the server has."
)
_NO_IMAGE = Diagnosis(
    _T.VALIDATION_ERROR, "The server has no such image or video: it was deleted, or its name is wrong."
)
_NO_BOARD = Diagnosis(_T.VALIDATION_ERROR, "The server has no such board: it was deleted, or its id is wrong.")
_NO_RECORD = Diagnosis(
    _T.VALIDATION_ERROR, "What the node refers to is not there: it was deleted, or its id is wrong, or it is not yours."
)
_NOT_YOURS = Diagnosis(
    _T.VALIDATION_ERROR,
    "The image, video or board is not yours to use so: choose one of your own, or ask its owner or an administrator.",
)
_NO_SUCH_JOB = Diagnosis(_T.VALIDATION_ERROR, "The server has no such item: it was deleted, or its id is wrong.")
_BAD_GRAPH = Diagnosis(_T.VALIDATION_ERROR, "Correct the graph at the place named, and submit it again.")
_BAD_BATCH = Diagnosis(_T.VALIDATION_ERROR, "Correct the batch's values as the message says, and submit it again.")
_BATCH_NODE = Diagnosis(
    _T.VALIDATION_ERROR, "Batch and generator nodes only work in the web UI: give their values as data=... instead."
)
_BAD_VALUE = Diagnosis(
    _T.VALIDATION_ERROR, "A node refused a value: change the value or the connection that the message names."
)
_BAD_MODEL = Diagnosis(
    _T.VALIDATION_ERROR, "These models do not go together: choose a model, VAE, LoRA or control of one family."
)
_BAD_IMAGE = Diagnosis(_T.VALIDATION_ERROR, "The file is not an image that the server can read: choose another one.")
_NO_KEY = Diagnosis(
    _T.VALIDATION_ERROR, "The provider is not set up on the server: set its API key there, or choose a local model."
)
_BAD_KEY = Diagnosis(
    _T.VALIDATION_ERROR, "The provider does not take the server's API key: set one there that is valid and may do this."
)
_DECLINED = Diagnosis(
    _T.VALIDATION_ERROR,
    "The provider declines this: read its answer, and change the prompt, the image or the setting that it names.",
)
_NOT_OFFERED = Diagnosis(_T.VALIDATION_ERROR, "The provider's model cannot do this: change what the message names.")

_NO_NETWORK = Diagnosis(
    _T.NETWORK_ERROR, "The server could not reach something that it needs: check its network, then retry.", True
)
_PROVIDER = Diagnosis(_T.NETWORK_ERROR, "The provider did not do what it was asked: read its answer, then retry.", True)
_NOT_TRUSTED = Diagnosis(
    _T.NETWORK_ERROR,
    "The server does not trust the certificate of what it asked: correct its clock, proxy or certificates.",
)
_GATED = Diagnosis(
    _T.NETWORK_ERROR, "The model's site wants a login: accept its licence there, and give the server a token for it."
)
_NO_REPOSITORY = Diagnosis(
    _T.NETWORK_ERROR,
    "The model's site shows no such repository: check its name. If it is right, accept its licence there, and give the "
    "server a token for it.",
)
_NOT_ONLINE = Diagnosis(
    _T.NETWORK_ERROR, "What the server asked for is not at that address: check the name, the revision or the link."
)
_OFFLINE = Diagnosis(
    _T.NETWORK_ERROR, "The server is set to work offline and lacks a file: install it while online, or go online."
)
_SLOW = Diagnosis(_T.TIMEOUT_ERROR, "Something on the server took too long: retry, or allow more time.", True)

_ZERO = Diagnosis(_T.EXECUTION_FAILED, "A node divided by zero: change the values that lead to it.")
_TENSOR_GONE = Diagnosis(
    _T.EXECUTION_FAILED, "An intermediate result is gone, as after a restart of the server: retry.", True
)
_GPU_ILL = Diagnosis(
    _T.EXECUTION_FAILED, "The GPU or its driver is in trouble: restart the server, and update the driver if it recurs.",
    True,
)  # fmt: skip
_WRONG_TORCH = Diagnosis(
    _T.EXECUTION_FAILED,
    "The server's torch does not fit its GPU or driver: install a build of torch, or a driver, that does.",
)
_BAD_FILE = Diagnosis(
    _T.EXECUTION_FAILED, "A model's file is damaged or incomplete: delete the model and reinstall it."
)
_MALWARE = Diagnosis(_T.EXECUTION_FAILED, "The server's scan rejects the model's file: get it from a source you trust.")
_NO_FILE = Diagnosis(
    _T.EXECUTION_FAILED, "A file that the server needs is not where it should be: look whether a model was moved."
)
_NO_RIGHT = Diagnosis(_T.EXECUTION_FAILED, "The server may not read or write a file: correct its permissions there.")
_NO_PACKAGE = Diagnosis(
    _T.EXECUTION_FAILED, "The server lacks a Python package: install it there, or disable the node that needs it."
)
_NOT_MADE = Diagnosis(
    _T.EXECUTION_FAILED, "The server cannot do this combination: choose another model, scheduler or setting."
)
_DTYPES = Diagnosis(
    _T.EXECUTION_FAILED, "Parts of the model are on different devices or of different precision: restart the server."
)
_CANCELED = Diagnosis(_T.EXECUTION_FAILED, "It was canceled: retry it if that was not meant.", True)
EXECUTION_FAILED = Diagnosis(
    _T.EXECUTION_FAILED, "Read the message and the traceback; a retry does the same with the same values."
)
UNKNOWN = Diagnosis(_T.UNKNOWN_ERROR, "Nothing is known about this one: look at the server's log.")

_ON_GPU = ("cuda", "hip", "rocm", "mps", "xpu", "gpu", "vram", "cublas", "cudnn", "metal")
OUT_OF_MEMORY = (
    "out of memory", "cublas_status_alloc_failed", "cudnn_status_alloc_failed", "std::bad_alloc",
    "cannot allocate memory", "can't allocate memory", "not enough memory", "unable to allocate",
    "paging file is too small", "invalid buffer size", "not enough vram", "insufficient vram", "insufficient memory",
)  # fmt: skip
DISK_FULL_TEXTS = (
    "no space left on device", "[errno 28]", "not enough space on the disk", "disk is full", "disk full",
    "disk quota exceeded", "[errno 122]", "winerror 112",
)  # fmt: skip

BY_CLASS: dict[str, Diagnosis] = {
    "OutOfMemoryError": GPU_MEMORY,
    "MemoryError": HOST_MEMORY,
    "_ArrayMemoryError": HOST_MEMORY,
    "DecompressionBombError": _HUGE_IMAGE,
    "DecompressionBombWarning": _HUGE_IMAGE,
    "TooManySessionsError": QUEUE_FULL,
    "ImageFileSaveException": _NOT_SAVED,
    "ImageRecordSaveException": _NOT_SAVED,
    "VideoFileSaveException": _NOT_SAVED,
    "VideoRecordSaveException": _NOT_SAVED,
    "BoardRecordSaveException": _NOT_SAVED,
    "ExternalProviderRateLimitError": _QUOTA,
    "MissingInputException": _NO_INPUT,
    "RequiredConnectionException": _NO_INPUT,
    "UnknownModelException": _NO_MODEL,
    "ImageRecordNotFoundException": _NO_IMAGE,
    "ImageFileNotFoundException": _NO_IMAGE,
    "VideoRecordNotFoundException": _NO_IMAGE,
    "VideoFileNotFoundException": _NO_IMAGE,
    "BoardRecordNotFoundException": _NO_BOARD,
    "StylePresetNotFoundError": _NO_RECORD,
    "SystemPromptNotFoundError": _NO_RECORD,
    "SystemPromptNotAuthorizedError": _NO_RECORD,
    "WorkflowNotFoundError": _NO_RECORD,
    "ItemNotFoundError": _NO_RECORD,
    "InvalidObjectNameError": _NO_RECORD,
    "SessionQueueItemNotFoundError": _NO_SUCH_JOB,
    "NodeNotFoundError": _BAD_GRAPH,
    "NodeFieldNotFoundError": _BAD_GRAPH,
    "NodeAlreadyInGraphError": _BAD_GRAPH,
    "NodeIdMismatchError": _BAD_GRAPH,
    "NodeInputError": _BAD_GRAPH,
    "DuplicateNodeIdError": _BAD_GRAPH,
    "InvalidEdgeError": _BAD_GRAPH,
    "CyclicalGraphError": _BAD_GRAPH,
    "UnknownGraphValidationError": _BAD_GRAPH,
    "UnsupportedWorkflowNodeError": _BAD_GRAPH,
    "InvalidWorkflowInputError": _BAD_GRAPH,
    "ValidationError": _BAD_GRAPH,
    "BatchZippedLengthError": _BAD_BATCH,
    "BatchItemsTypeError": _BAD_BATCH,
    "BatchDuplicateNodeFieldError": _BAD_BATCH,
    "NotExecutableNodeError": _BATCH_NODE,
    "InvalidModelException": _BAD_MODEL,
    "InvalidModelConfigException": _BAD_MODEL,
    "NotAMatchError": _BAD_MODEL,
    "InvalidMatchError": _BAD_MODEL,
    "InvalidOriginException": _BAD_VALUE,
    "InvalidImageCategoryException": _BAD_VALUE,
    "UnidentifiedImageError": _BAD_IMAGE,
    "UnreadableImageError": _BAD_IMAGE,
    "ExternalProviderNotConfiguredError": _NO_KEY,
    "ExternalProviderNotFoundError": _NO_KEY,
    "ExternalProviderCapabilityError": _NOT_OFFERED,
    "GatedRepoError": _GATED,
    "RepositoryNotFoundError": _NO_REPOSITORY,
    "RevisionNotFoundError": _NOT_ONLINE,
    "RemoteEntryNotFoundError": _NOT_ONLINE,
    "EntryNotFoundError": _NOT_ONLINE,
    "SSLCertVerificationError": _NOT_TRUSTED,
    "OfflineModeIsEnabled": _OFFLINE,
    "VideoDecodeTimeoutError": _SLOW,
    "ObjectNotFoundError": _TENSOR_GONE,
    "NodeAlreadyExecutedError": EXECUTION_FAILED,
    "ZeroDivisionError": _ZERO,
    "FloatingPointError": _BAD_VALUE,
    "OverflowError": _BAD_VALUE,
    "SafetensorError": _BAD_FILE,
    "UnpicklingError": _BAD_FILE,
    "BadZipFile": _BAD_FILE,
    "EOFError": _BAD_FILE,
    "ModuleNotFoundError": _NO_PACKAGE,
    "ImportError": _NO_PACKAGE,
    "CanceledException": _CANCELED,
}

BY_TEXT: tuple[tuple[tuple[str, ...], Diagnosis], ...] = (
    # First, since a provider's answer is quoted after it. A refused request will be refused again.
    (("request failed with status 401", "request failed with status 403"), _BAD_KEY),
    (("request failed with status 408",), _SLOW),
    (("request failed with status 429",), _QUOTA),
    (("request failed with status 4", "contained no images", "returned no images"), _DECLINED),
    (("request failed with status 5",), _PROVIDER),
    (("require at least one image", "unknown dashscope model_id"), _NOT_OFFERED),
    (("error(s) in loading state_dict", "size mismatch for"), _BAD_MODEL),
    (("user is not authorized to",), _NOT_YOURS),
    (("database is locked", "database table is locked"), _LOCKED),
    (("too many open files", "[errno 24]"), _FILES),
    (("no kernel image is available", "driver version is insufficient", "no nvidia driver",
      "torch not compiled with cuda"), _WRONG_TORCH),
    (("device-side assert", "illegal memory access", "unspecified launch failure", "cuda driver error", "cuda error",
      "hip error"), _GPU_ILL),
    (("gated repo", "401 client error", "403 client error", "awaiting a review from the repo"), _GATED),
    (("offline mode is enabled", "hf_hub_offline", "local_files_only", "outgoing traffic has been disabled"), _OFFLINE),
    (("api key is not configured", "api key not configured"), _NO_KEY),
    (("rate limit", "429 client error", "too many requests"), _QUOTA),
    (("unknown model", "unknown lora", "unknown vae", "unknown gemma2", "unknown pid decoder", "model not found",
      "no model found", "model is not installed"), _NO_MODEL),
    (("image record not found", "image file not found", "video record not found"), _NO_IMAGE),
    (("board record not found",), _NO_BOARD),
    # Before the texts about connections: the next attempt meets the same certificate.
    (("certificate verify failed",), _NOT_TRUSTED),
    (("404 client error",), _NOT_ONLINE),
    (("timed out", "timeouterror", "read timeout", "stalled (no output"), _SLOW),
    (("connection refused", "connection reset", "connection aborted", "connection error", "max retries exceeded",
      "name resolution", "name or service not known", "getaddrinfo failed", "network is unreachable",
      "no route to host", "network error", "couldn't connect to", "remote end closed", "500 server error",
      "502 server error", "503 server error", "504 server error"), _NO_NETWORK),
    (("error while deserializing header", "invalid load key", "headertoolarge", "metadataincompletebuffer",
      "pytorchstreamreader failed", "is incomplete:", "unexpected end of data", "on the meta device", "left on meta",
      "meta tensor", "keys required by", "likely incomplete", "missing model parameters"), _BAD_FILE),
    (("infected by malware", "for malware"), _MALWARE),
    (("is not in the cache",), _TENSOR_GONE),
    (("mat1 and mat2 shapes", "must match the size of tensor", "shapes cannot be multiplied", "expected input[",
      "missing keys", "configuration type mismatch", "hidden_states", "hidden state", "hidden layer",
      "connected vae has", "tokenizer returned unexpected", "encoder requires autoencoder"), _BAD_MODEL),
    (("expected all tensors to be on the same device", "and weight type", "and bias type", "expected scalar type"),
     _DTYPES),
    (("cannot identify image file", "image file is truncated"), _BAD_IMAGE),
    (("not found in graph", "missing value or connection"), _BAD_GRAPH),
)  # fmt: skip

BY_BROAD_CLASS: dict[str, Diagnosis] = {
    # A node that raises ValueError refuses an input: nearly all of the 480 places in InvokeAI do.
    "ValueError": _BAD_VALUE,
    "InvalidFieldError": _BAD_VALUE,
    "AcceleratorError": _GPU_ILL,
    "NotImplementedError": _NOT_MADE,
    "FileNotFoundError": _NO_FILE,
    "NotADirectoryError": _NO_FILE,
    "IsADirectoryError": _NO_FILE,
    "PermissionError": _NO_RIGHT,
    "TimeoutError": _SLOW,
    "Timeout": _SLOW,
    "ReadTimeout": _SLOW,
    "ConnectTimeout": _SLOW,
    "TimeoutExpired": _SLOW,
    "LocalEntryNotFoundError": _NO_NETWORK,
    "ConnectionError": _NO_NETWORK,
    "ConnectError": _NO_NETWORK,
    "ConnectionRefusedError": _NO_NETWORK,
    "ConnectionResetError": _NO_NETWORK,
    "ConnectionAbortedError": _NO_NETWORK,
    "BrokenPipeError": _NO_NETWORK,
    "SSLError": _NO_NETWORK,
    "ProxyError": _NO_NETWORK,
    "HTTPError": _NO_NETWORK,
    "HfHubHTTPError": _NO_NETWORK,
    "gaierror": _NO_NETWORK,
    "ExternalProviderRequestError": _PROVIDER,
    "ExternalGenerationError": _PROVIDER,
}

_BLAMES_INPUT = (
    "already applied", "not compatible", "incompatible", " must be ", "is required", "are required", "not supported",
    "unsupported", "expected autoencoder", "expected model", "expected pretrained", "connect a", "connect an",
    "error model. hidiffusion",
)  # fmt: skip
# How many characters of a message are searched. The cause comes first, or last in brackets; between them are addresses,
# or the hundreds of keys of a model.
_HEAD, _TAIL = 250, 150
_LAST_LINE = re.compile(r"^(?:[A-Za-z_][\w.]*\.)?([A-Za-z_]\w*)(?:: (.*))?$")


def diagnose_failure(server_error_type: str | None, message: str | None, traceback: str | None = None) -> Diagnosis:
    """Classify a failed job by the server's error. Takes some microseconds.

    Args:
        server_error_type: the name of the exception on the server, such as "ZeroDivisionError".
        message: its text; the beginning and the end are searched.
        traceback: its traceback, used if both others are missing.
    """
    if not server_error_type and not message and traceback:
        found = _LAST_LINE.match(traceback.rstrip().rpartition("\n")[2])
        if found:
            server_error_type, message = found.groups()
    name = (server_error_type or "").rpartition(".")[2]
    message = message or ""
    if len(message) > _HEAD + _TAIL:
        message = f"{message[:_HEAD]}\n{message[-_TAIL:]}"
    text = message.lower()
    if not name and not text:
        return UNKNOWN
    for words in OUT_OF_MEMORY:
        if words in text:
            return GPU_MEMORY if any(word in text for word in _ON_GPU) else HOST_MEMORY
    for words in DISK_FULL_TEXTS:
        if words in text:
            return DISK_FULL
    known = BY_CLASS.get(name)
    if known is not None:
        return known
    for choices, diagnosis in BY_TEXT:
        for words in choices:
            if words in text:
                return diagnosis
    known = BY_BROAD_CLASS.get(name)
    if known is not None:
        return known
    # InvokeAI's own begin like this; Python's "expected str, bytes or os.PathLike object" is not about a model.
    if name == "TypeError" and message.startswith("Expected "):
        return _BAD_MODEL
    if any(words in text for words in _BLAMES_INPUT):
        return _BAD_MODEL if "lora" in text or "vae" in text or "autoencoder" in text else _BAD_VALUE
    return EXECUTION_FAILED
